import { afterEach, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { leakFreeFile } from "holdfast/testing/vitest"
import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import * as fs from "node:fs"
import * as path from "node:path"
import * as AcpFiles from "../../../src/agent/acp/AcpFiles.js"
import { connect, folder, reports, turn, watchChildren } from "../support.js"

leakFreeFile({ grace: "5 seconds" })

const setup = Effect.gen(function*() {
  const outer = yield* folder
  const root = path.join(outer, "root")
  const outside = path.join(outer, "outside")
  fs.mkdirSync(root)
  fs.mkdirSync(outside)
  fs.writeFileSync(path.join(outside, "secret"), "secret")
  const files = AcpFiles.make({ root, limit: 1000 })
  const at = (...names: ReadonlyArray<string>) => path.join(root, ...names)
  const read = (file: string, range: { line?: number; limit?: number } = {}) =>
    Effect.map(files.read({ sessionId: "s", path: file, ...range }), ({ content }) => content)
  const write = (file: string, content: string) => files.write({ sessionId: "s", path: file, content })
  return { at, outside, read, root, write }
})

const codeOf = <A, E extends { readonly code: number }>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.flip(effect), ({ code }) => code)

describe("AcpFiles", () => {
  afterEach(watchChildren())

  it.scopedLive("reads and writes below the working folder, new folders included", () =>
    Effect.gen(function*() {
      const { at, read, write } = yield* setup
      yield* write(at("a", "b", "c.txt"), "long text")
      yield* write(at("a", "b", "c.txt"), "text")
      assert.strictEqual(yield* read(at("a", "b", "c.txt")), "text")
      assert.strictEqual(yield* read(at("a", "..", "a", "b", "c.txt")), "text")
      assert.strictEqual(yield* codeOf(read(at("no"))), -32002)
    }))

  it.scopedLive("line and limit choose whole lines, with their ends", () =>
    Effect.gen(function*() {
      const { at, read, write } = yield* setup
      yield* write(at("f"), "one\r\ntwo\n\nfour")
      assert.strictEqual(yield* read(at("f"), { line: 2 }), "two\n\nfour")
      assert.strictEqual(yield* read(at("f"), { line: 1, limit: 1 }), "one\r\n")
      assert.strictEqual(yield* read(at("f"), { line: 3, limit: 5 }), "\nfour")
      assert.strictEqual(yield* read(at("f"), { limit: 2 }), "one\r\ntwo\n")
      assert.strictEqual(yield* read(at("f"), { line: 9 }), "")
    }))

  it.scopedLive("nothing outside is read or written, however the path leads there", () =>
    Effect.gen(function*() {
      const { at, outside, read, root, write } = yield* setup
      fs.symlinkSync(outside, at("folder"))
      fs.symlinkSync(path.join(outside, "secret"), at("file"))
      fs.symlinkSync(path.join(outside, "new"), at("dangling"))
      fs.symlinkSync("..", at("up"))
      const ways = [
        path.join(outside, "secret"),
        `${root}/../outside/secret`,
        `${root}/folder/secret`,
        `${root}/file`,
        `${root}/up/outside/secret`,
        // its name only begins as the root's does
        `${root}2/secret`
      ]
      for (const way of ways) {
        assert.strictEqual(yield* codeOf(read(way)), -32602, way)
        assert.strictEqual(yield* codeOf(write(way, "x")), -32602, way)
      }
      assert.strictEqual(yield* codeOf(write(at("dangling"), "x")), -32602)
      assert.strictEqual(yield* codeOf(write(at("folder", "new"), "x")), -32602)
      assert.strictEqual(yield* codeOf(read("relative")), -32602)
      assert.deepStrictEqual(fs.readdirSync(outside), ["secret"])
      assert.strictEqual(fs.readFileSync(path.join(outside, "secret"), "utf8"), "secret")
    }))

  it.scopedLive("a link that stays inside is followed", () =>
    Effect.gen(function*() {
      const { at, read, write } = yield* setup
      fs.mkdirSync(at("real"))
      fs.symlinkSync(at("real"), at("link"))
      yield* write(at("link", "f"), "a")
      fs.symlinkSync(at("real", "f"), at("alias"))
      yield* write(at("alias"), "b")
      assert.strictEqual(yield* read(at("real", "f")), "b")
    }))

  it.scopedLive("a folder that is swapped for a link while it is used leads nobody out", () =>
    Effect.gen(function*() {
      const { at, outside, read, root, write } = yield* setup
      fs.mkdirSync(at("inside"))
      fs.writeFileSync(at("inside", "secret"), "harmless")
      // another process, which swaps as fast as it can
      // (a write makes the folder where it is missing: that one is taken away again)
      const swap =
        `const fs = require("fs"); const all = (...steps) => steps.map((step) => { try { step() } catch {} }); for (;;) all(
        () => fs.renameSync("inside", "aside"),
        () => fs.symlinkSync(${JSON.stringify(outside)}, "inside"),
        () => fs.lstatSync("inside").isSymbolicLink() ? fs.unlinkSync("inside") : fs.rmSync("inside", { recursive: true }),
        () => fs.renameSync("aside", "inside")
      )`
      yield* Effect.acquireRelease(
        Effect.sync(() => spawn(process.execPath, ["-e", swap], { cwd: root, stdio: "ignore" })),
        (swapper) => Effect.promise(() => (swapper.kill("SIGKILL"), once(swapper, "exit")))
      )
      const tally = { harmless: 0, refused: 0 }
      // until it has met each of them often, however late the other process begins
      while (fs.readdirSync(outside).length === 1 && (tally.harmless < 40 || tally.refused < 40)) {
        const content = yield* Effect.orElseSucceed(read(at("inside", "secret")), () => "refused")
        if (content !== "harmless" && content !== "refused") return assert.fail("it read what is outside")
        tally[content]++
        yield* Effect.ignore(write(at("inside", "written"), "x"))
      }
      assert.deepStrictEqual(fs.readdirSync(outside), ["secret"])
    }), 60_000)

  it.scopedLive("what is no text file of a bearable size is refused, and never waited for", () =>
    Effect.gen(function*() {
      const { at, read, root, write } = yield* setup
      execFileSync("mkfifo", [at("pipe")])
      fs.writeFileSync(at("big"), "x".repeat(1001))
      fs.writeFileSync(at("binary"), Buffer.from([0xff, 0xfe, 0]))
      for (const file of [at("pipe"), at("big"), at("binary"), root]) {
        assert.strictEqual(yield* codeOf(read(file)), -32602, file)
      }
      assert.isBelow(yield* codeOf(write(at("pipe"), "x")), 0)
    }))

  it.scopedLive("an agent uses them through the protocol, in its own session, unless they are turned off", () =>
    Effect.gen(function*() {
      const { root } = yield* setup
      const file = path.join(root, "f")
      const calls = `calls ${
        JSON.stringify([
          ["fs/write_text_file", { path: file, content: "hi" }],
          ["fs/read_text_file", { path: file }],
          ["fs/read_text_file", { path: file, sessionId: "s-other" }]
        ])
      }`
      const [written, read, other] = reports(yield* turn(yield* connect({ cwd: root }), calls))
      assert.deepStrictEqual([written, read], [{ result: {} }, { result: { content: "hi" } }])
      assert.deepNestedInclude(other, { "error.code": -32002 })
      const [refused] = reports(yield* turn(yield* connect({ cwd: root, options: { fs: false } }), calls))
      assert.deepNestedInclude(refused, { "error.code": -32601 })
    }))
})
