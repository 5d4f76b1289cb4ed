/**
 * A host takes its nonce once, and Holdfast is started again: the token is what is left of the handshake.
 */
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Redacted from "effect/Redacted"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { temporary } from "../../program.js"
import * as FakeHost from "./FakeHost.js"
import { agentOf, open } from "./fixture.js"

leakFreeFile()

const handshakes = ({ calls }: FakeHost.FakeHost) => calls.filter((call) => call === "POST /auth/handshake").length

/** Each call is another process of ours: all that it knows is the configuration and the file. */
const setup = Effect.gen(function*() {
  const host = yield* FakeHost.make()
  const file = `${yield* temporary}/tokens/host`
  const connect = (nonce = host.nonce) =>
    Effect.flatMap(
      agentOf(host, { nonce: Redacted.make(nonce), tokenFile: file }),
      (agent) => Effect.zipRight(Effect.scoped(agent.connect(open)), agent.once)
    )
  return { host, file, connect }
})

describe("the token of a host", () => {
  it.scopedLive("is kept for the next process of ours, for its owner's eyes only: the nonce is needed once", () =>
    Effect.gen(function*() {
      const { connect, file, host } = yield* setup
      yield* connect()
      expect(fs.statSync(file).mode & 0o777).toBe(0o600)
      expect(fs.readFileSync(file, "utf8")).toBe(`${"1".repeat(64)}\n`)
      expect(yield* connect()).toBe(false)
      expect(handshakes(host)).toBe(1)
    }))

  it.scopedLive("is got anew from a host that was started anew, and kept in the old one's place", () =>
    Effect.gen(function*() {
      const { connect, file, host } = yield* setup
      yield* connect()
      host.startAnew("second")
      yield* connect("second")
      expect(fs.readFileSync(file, "utf8")).toBe(`${"2".repeat(64)}\n`)
      yield* connect("second")
      expect(handshakes(host)).toBe(2)
    }))

  it.scopedLive("is got anew, too, in the process that got the first one: no connection fails for it", () =>
    Effect.gen(function*() {
      const { file, host } = yield* setup
      const agent = yield* agentOf(host, { tokenFile: file })
      yield* Effect.scoped(agent.connect(open))
      host.startAnew()
      yield* Effect.scoped(agent.connect(open))
      expect(handshakes(host)).toBe(2)
    }))

  it.scopedLive("that is not the host's any more, with a nonce that is not either: what to do is said, and no secret", () =>
    Effect.gen(function*() {
      const { connect, file, host } = yield* setup
      yield* connect()
      host.startAnew("second")
      const error = yield* Effect.flip(connect("once"))
      expect(error).toMatchObject({ _tag: "AgentAuthRequired" })
      expect(error.message).toContain(`Nor does it take the token in ${file}, so it was started anew since`)
      expect(error.message).toContain("start the host with a new nonce")
      expect(error.message).not.toContain("111")
    }))

  it.scopedLive("that was never kept, of a nonce that is used up: what to do is said, with the file", () =>
    Effect.gen(function*() {
      const { connect, file, host } = yield* setup
      yield* Effect.flatMap(agentOf(host), (agent) => Effect.scoped(agent.connect(open)))
      const error = yield* Effect.flip(connect())
      expect(error.message).toContain(
        `${file} has no token of it: start the host with a new nonce and configure that one, or put its token there`
      )
    }))

  it.scopedLive("that no request can carry is none: a file that was written by half, or is none of ours", () =>
    Effect.gen(function*() {
      const { connect, file, host } = yield* setup
      fs.mkdirSync(path.dirname(file), { recursive: true })
      fs.writeFileSync(file, "11\n22\u0000\u{1F512}")
      yield* connect()
      expect(fs.readFileSync(file, "utf8")).toBe(`${"1".repeat(64)}\n`)
      expect(fs.readdirSync(path.dirname(file))).toStrictEqual(["host"])
      expect(handshakes(host)).toBe(1)
    }))

  it.scopedLive("whose file is none: that is said before the nonce is used up, and nobody waits for a pipe's writer", () =>
    Effect.gen(function*() {
      const { connect, file, host } = yield* setup
      fs.mkdirSync(file, { recursive: true })
      expect(yield* Effect.flip(connect())).toMatchObject({
        _tag: "AgentAuthRequired",
        message:
          `the token of the agent host cannot be kept in ${file}, which is a folder: name a file as tokenFile; it is made when it is missing`
      })
      fs.rmdirSync(file)
      execFileSync("mkfifo", [file])
      expect((yield* Effect.flip(connect())).message).toContain(`${file}, which is a pipe: name a file`)
      expect(handshakes(host)).toBe(0)
      expect(fs.readdirSync(path.dirname(file))).toStrictEqual(["host"])
    }))

  it.scopedLive("that others can read is used, and its owner is told once what would be right", () =>
    Effect.gen(function*() {
      const { connect, file, host } = yield* setup
      yield* connect()
      fs.chmodSync(file, 0o644)
      const lines: Array<string> = []
      const logger = Logger.make<unknown, void>(({ message }) => void lines.push(String(message)))
      const agent = yield* agentOf(host, { tokenFile: file })
      yield* Effect.scoped(agent.connect(open)).pipe(
        Effect.zipRight(agent.once),
        Effect.provide(Logger.replace(Logger.defaultLogger, logger))
      )
      expect(lines).toStrictEqual([
        `others can use the token of the agent host in ${file} (mode 644): chmod 600 ${file}`
      ])
      expect(handshakes(host)).toBe(1)
    }))

  it.scopedLive("is one for all who share its file, though they come at once", () =>
    Effect.gen(function*() {
      const { connect, host } = yield* setup
      host.faults.slow = 20
      yield* Effect.all([connect(), connect(), connect()], { concurrency: "unbounded" })
      expect(host.calls.filter((call) => call === "POST /api/v1/start")).toHaveLength(3)
    }))

  it.scopedLive("that cannot be kept serves all the same", () =>
    Effect.gen(function*() {
      const { host } = yield* setup
      const agent = yield* agentOf(host, { tokenFile: "/dev/null/token" })
      yield* Logger.withMinimumLogLevel(Effect.scoped(agent.connect(open)), LogLevel.None)
      expect(yield* agent.once).toBe(true)
    }))
})
