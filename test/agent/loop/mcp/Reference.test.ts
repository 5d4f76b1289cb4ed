import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as ChildProcess from "node:child_process"
import type { McpServer } from "../../../../src/agent/loop/mcp/McpOptions.js"
import { ownPort } from "../../../program.js"
import { everything, modern, open, reference, textOf, until } from "./support.js"

leakFreeFile({ grace: "5 seconds" })

/** The reference server over streamable HTTP, in a process of its own. */
const remoteAt = Effect.fnUntraced(function*(port: number) {
  const process = yield* Effect.acquireRelease(
    Effect.async<ChildProcess.ChildProcess>((resume) => {
      const child = ChildProcess.spawn(globalThis.process.execPath, [everything, "streamableHttp"], {
        env: { ...globalThis.process.env, PORT: `${port}` },
        stdio: ["ignore", "ignore", "pipe"]
      })
      let text = ""
      child.stderr.setEncoding("utf8").on("data", (chunk) => {
        text += chunk
        if (text.includes("listening on port")) resume(Effect.succeed(child))
      })
    }),
    (child) =>
      Effect.async<void>((resume) => {
        if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
        child.once("exit", () => resume(Effect.void))
        child.kill("SIGKILL")
      })
  )
  const server: McpServer = { name: "everything", url: `http://127.0.0.1:${port}/mcp`, startTimeout: 20 }
  return { process, server }
})

const remote = Effect.flatMap(ownPort, remoteAt)

const peers: ReadonlyArray<[string, Effect.Effect<McpServer, never, Scope.Scope>]> = [
  ["stdio", Effect.succeed(reference)],
  ["streamable HTTP", Effect.map(remote, ({ server }) => server)]
]

describe.each(peers)("the reference server over %s", (_, peer) => {
  it.scopedLive("its tools, with their names in a space of their own, their schemas and hints", () =>
    Effect.gen(function*() {
      const { tools } = yield* open(yield* peer)
      const all = yield* tools
      expect(all.find(({ name }) => name === "everything__echo")).toMatchObject({
        title: "Echo Tool",
        readOnly: true,
        parameters: { type: "object", required: ["message"] }
      })
      for (const { name } of all) expect(name).toMatch(/^everything__[A-Za-z0-9_-]{1,52}$/)
    }))

  it.scopedLive("a call and its result, as text and as data; and a call that fails", () =>
    Effect.gen(function*() {
      const { call } = yield* open(yield* peer)
      expect(textOf(yield* call("echo", { message: "hi" }))).toBe("Echo: hi")
      expect((yield* call("get-structured-content", { location: "Chicago" })).structured).toMatchObject({
        temperature: expect.any(Number)
      })
      expect((yield* call("get-tiny-image")).content.map(({ type }) => type)).toContain("image")
      expect((yield* call("echo", { wrong: 1 })).isError).toBe(true)
    }))

  it.scopedLive("progress becomes what the call shows", () =>
    Effect.gen(function*() {
      const { call, progress } = yield* open(yield* peer)
      yield* call("trigger-long-running-operation", { duration: 0.2, steps: 2 })
      expect(progress.map(({ content }) => content?.[0])).toContainEqual({
        type: "content",
        content: { type: "text", text: expect.stringMatching(/^[12] of 2/) }
      })
    }))

  it.scopedLive("a form of the server reaches a person in the name of the run, and the answer its tool", () =>
    Effect.gen(function*() {
      const { asked, call, tools } = yield* open(yield* peer)
      // it registers this one when it knows what its client can do, and tells then that its list has changed
      yield* until(Effect.map(tools, (all) => all.some(({ name }) => name.endsWith("trigger-elicitation-request"))))
      const calling = yield* Effect.fork(call("trigger-elicitation-request"))
      const question = yield* asked
      expect(question).toMatchObject({
        run: expect.stringContaining("run_"),
        request: { kind: "form", toolCallId: "call-1" }
      })
      yield* question.answer({ action: "accept", content: { name: "Ada", check: true } })
      expect(textOf(yield* Fiber.join(calling))).toContain("Ada")
    }))

  it.scopedLive("a page that has to be visited first (-32042): asked for, and the call is made again", () =>
    Effect.gen(function*() {
      const { asked, call, tools } = yield* open(yield* peer)
      yield* until(Effect.map(tools, (all) => all.some(({ name }) => name.endsWith("trigger-url-elicitation"))))
      const args = { url: "http://127.0.0.1/consent", elicitationId: "consent", errorPath: true }
      const calling = yield* Effect.fork(call("trigger-url-elicitation", args))
      const first = yield* asked
      expect(first.request).toMatchObject({ kind: "url", url: "https://modelcontextprotocol.io" })
      yield* first.answer({ action: "accept" })
      // the second time it asks in the call
      const second = yield* asked
      expect(second.request).toMatchObject({ kind: "url", url: "http://127.0.0.1/consent" })
      yield* second.answer({ action: "accept" })
      expect((yield* Fiber.join(calling)).isError).not.toBe(true)

      const again = yield* Effect.fork(
        Effect.flip(call("trigger-url-elicitation", { ...args, url: "http://127.0.0.1/b" }))
      )
      yield* (yield* asked).answer({ action: "decline" })
      expect((yield* Fiber.join(again)).message).toContain("has to be visited first")
    }))

  it.scopedLive("the end of the call takes its question back", () =>
    Effect.gen(function*() {
      const { asked, call, tools } = yield* open(yield* peer)
      yield* until(Effect.map(tools, (all) => all.some(({ name }) => name.endsWith("trigger-elicitation-request"))))
      const calling = yield* Effect.fork(call("trigger-elicitation-request"))
      const question = yield* asked
      yield* Fiber.interrupt(calling)
      expect(yield* question.end).toMatch(/withdrawn/i)
      expect(textOf(yield* call("echo", { message: "still here" }))).toBe("Echo: still here")
    }))
})

describe("the reference server over streamable HTTP, after a restart that nobody has seen", () => {
  it.scopedLive("knows no session: the call, which it has not made, is made in a new one", () =>
    Effect.gen(function*() {
      const port = yield* ownPort
      const { call, warnings } = yield* Effect.flatMap(
        Effect.scope,
        (scope) =>
          Effect.scoped(
            Effect.flatMap(remoteAt(port), ({ server }) =>
              Effect.tap(Scope.extend(open(server), scope), ({ call }) =>
                call("echo", { message: "one" })))
          )
      )
      yield* remoteAt(port)
      expect(textOf(yield* call("echo", { message: "two" }))).toBe("Echo: two")
      expect(warnings).toEqual([expect.stringMatching(/^the MCP server everything is gone and is started again/)])
    }))
})

describe("the reference server over streamable HTTP, of two runs at once", () => {
  it.scopedLive("each question belongs to the run whose call caused it", () =>
    Effect.gen(function*() {
      const { server } = yield* remote
      const { asked, call, tools } = yield* open(server)
      yield* until(Effect.map(tools, (all) => all.some(({ name }) => name.endsWith("trigger-elicitation-request"))))
      const [one, two] = ["run_00000000000000000000000001", "run_00000000000000000000000002"]
      const first = yield* Effect.fork(call("trigger-long-running-operation", { duration: 1, steps: 1 }, one))
      const second = yield* Effect.fork(call("trigger-elicitation-request", {}, two))
      const question = yield* asked
      expect(question.run).toBe(two)
      yield* question.answer({ action: "decline" })
      yield* Fiber.join(second)
      yield* Fiber.join(first)
    }))

  it.scopedLive("a server that is killed while a question is open: it is withdrawn, and the call fails", () =>
    Effect.gen(function*() {
      const { process, server } = yield* remote
      const { asked, call, tools } = yield* open(server)
      yield* until(Effect.map(tools, (all) => all.some(({ name }) => name.endsWith("trigger-elicitation-request"))))
      const calling = yield* Effect.fork(Effect.flip(call("trigger-elicitation-request")))
      const question = yield* asked
      process.kill("SIGKILL")
      expect(yield* question.end).toMatch(/withdrawn/i)
      expect((yield* Fiber.join(calling)).message).toContain("was lost")
    }))
})

describe("a server of 2026-07-28", () => {
  it.scopedLive("asks in the result of the call, which is made again with the answer", () =>
    Effect.gen(function*() {
      const { asked, call } = yield* open(modern)
      const [one, two] = ["run_00000000000000000000000001", "run_00000000000000000000000002"]
      const calls = yield* Effect.fork(
        Effect.all([call("deploy", { env: "a" }, one), call("deploy", { env: "b" }, two)], {
          concurrency: 2
        })
      )
      for (const question of [yield* asked, yield* asked]) {
        expect(question.request.message).toBe(question.run === one ? "Deploy to a?" : "Deploy to b?")
        yield* question.answer({ action: "accept", content: { sure: question.run === one } })
      }
      expect((yield* Fiber.join(calls)).map(textOf)).toEqual(["deployed to a", "stayed out of b"])
    }))
})
