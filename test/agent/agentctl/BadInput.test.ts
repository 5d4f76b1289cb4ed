import { describe, expect } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import * as net from "node:net"
import * as FakeHost from "./FakeHost.js"
import { agentOf, connected, events, open, otherSession, prompt, until, untilTurnEnded } from "./fixture.js"

leakFreeFile()

const refused = (options: Parameters<typeof agentOf>[1], change: (host: FakeHost.FakeHost) => void = () => {}) =>
  Effect.gen(function*() {
    const host = yield* FakeHost.make()
    change(host)
    const agent = yield* agentOf(host, options)
    return yield* Effect.flip(Effect.scoped(agent.connect(open)))
  })

describe("a host that cannot be used is told so, with what would be right", () => {
  it.scopedLive("a wrong nonce, or one that was taken", () =>
    Effect.gen(function*() {
      const error = yield* refused({ nonce: Redacted.make("wrong") })
      expect(error._tag).toBe("AgentAuthRequired")
      expect(error.message).toContain("invalid or already used nonce")
      expect(error.message).toContain("start the host with a new nonce")
      expect(error.message).toContain("tokenFile")
      expect(error.message).not.toContain("wrong")
    }))

  it.scopedLive("a wrong token", () =>
    Effect.gen(function*() {
      const error = yield* refused({ token: Redacted.make("wrong"), nonce: undefined })
      expect(error).toMatchObject({ _tag: "AgentAuthRequired", message: expect.stringContaining("invalid auth token") })
      expect(error.message).toContain("The configured token is not the host's, or not any more")
      const nothing = yield* refused({ nonce: undefined })
      expect(nothing.message).toContain("configure the nonce that it was started with, or its token")
    }))

  it.scopedLive("another server than a host's control server", () =>
    Effect.gen(function*() {
      const host = yield* FakeHost.make()
      host.faults.answer = { path: "/health", status: 405, body: "" }
      const { health } = yield* agentOf(host)
      const { message } = yield* Effect.flip(health)
      expect(message).toMatch(/refused GET \/health \(405\)\. Is it an agentctl host's control server\?$/)
    }))

  it.scopedLive("a token that a host of an earlier life gave is asked for again, by the nonce", () =>
    Effect.gen(function*() {
      const host = yield* FakeHost.make()
      const agent = yield* agentOf(host, { token: Redacted.make("old") })
      yield* agent.connect(open)
      expect(host.calls.filter((call) => call === "POST /auth/handshake")).toHaveLength(1)
      // and one nonce serves all sessions
      yield* agent.connect({ ...open, sessionId: otherSession })
      expect(host.calls.filter((call) => call === "POST /auth/handshake")).toHaveLength(1)
    }))

  it.scopedLive("a redirect is not followed: the token would go there", () =>
    Effect.gen(function*() {
      const error = yield* refused({}, ({ faults }) => {
        faults.answer = { path: "/auth", status: 307, body: "", location: "http://elsewhere.example/auth" }
      })
      expect(error).toMatchObject({ _tag: "AgentRequestFailed", code: 307 })
      expect(error.message).toContain("http://elsewhere.example/auth")
    }))

  it.scopedLive("an answer that is no JSON, or not what the protocol has", () =>
    Effect.gen(function*() {
      const html = yield* refused({}, ({ faults }) => {
        faults.answer = { path: "/auth", status: 200, body: "<html>" }
      })
      expect(html).toMatchObject({ _tag: "AgentProtocolError", message: expect.stringContaining("not JSON: <html>") })
      const odd = yield* refused({}, ({ faults }) => {
        faults.answer = { path: "/auth", status: 200, body: "{\"token\":7}" }
      })
      expect(odd).toMatchObject({
        _tag: "AgentProtocolError",
        message: expect.stringContaining("POST /auth/handshake")
      })
    }))

  it.scopedLive("an error of its own, in its own words", () =>
    Effect.gen(function*() {
      const error = yield* refused({}, ({ faults }) => {
        faults.answer = {
          path: "/api/v1/start",
          status: 500,
          body: "{\"success\":false,\"error\":\"exec: no such file\"}"
        }
      })
      expect(error).toMatchObject({ _tag: "AgentRequestFailed", method: "POST /api/v1/start", code: 500 })
      expect(error.message).toContain("exec: no such file")
    }))

  it.scopedLive("nobody there, and no TLS there", () =>
    Effect.gen(function*() {
      const host = yield* FakeHost.make()
      const tls = yield* agentOf({ ...host, url: host.url.replace("http:", "https:") })
      const error = yield* Effect.flip(Effect.scoped(tls.connect(open)))
      expect(error).toMatchObject({
        _tag: "AgentLost",
        message: expect.stringMatching(/cannot be reached: no TLS that can be spoken with it: [a-z ]+ \(EPROTO\)$/)
      })
      yield* host.kill
      const nobody = yield* agentOf(host)
      const gone = yield* Effect.flip(Effect.scoped(nobody.connect(open)))
      expect(gone).toMatchObject({ _tag: "AgentLost", message: expect.stringContaining("ECONNREFUSED") })
    }))

  it.scopedLive("one that is too slow, and one that answers nothing: the deadline holds, and the instance is gone", () =>
    Effect.gen(function*() {
      const slow = yield* refused({ startTimeout: Duration.millis(200) }, ({ faults }) => {
        faults.mute = new Set(["agent.initialize"])
      })
      expect(slow).toMatchObject({ _tag: "AgentStartTimeout", millis: 200 })
      const halfOpen = yield* Effect.acquireRelease(
        Effect.async<net.Server>((resume) => {
          const server = net.createServer((socket) => void socket.on("error", () => {}).resume())
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
      )
      const address = halfOpen.address()
      const port = address !== null && typeof address === "object" ? address.port : 0
      const agent = yield* agentOf({ url: `http://127.0.0.1:${port}`, nonce: "n" }, {
        startTimeout: Duration.millis(100)
      })
      expect(yield* Effect.flip(Effect.scoped(agent.connect(open)))).toMatchObject({ _tag: "AgentStartTimeout" })
    }))
})

describe("a host that says what it should not", () => {
  it.scopedLive("of another version: unknown frames are told once each as a warning, kept whole, and not fatal", () =>
    Effect.gen(function*() {
      const { connection, host } = yield* connected()
      host.onPrompt = ({ generation }) => {
        for (let times = 0; times < 3; times++) host.event({ type: "hologram", depth: times })
        host.raw("{\"id\":\"n1\",\"type\":\"notification\",\"action\":\"x\",\"payload\":{}}")
        host.complete(generation)
      }
      yield* prompt(connection, 1)
      const said = events(yield* untilTurnEnded(connection))
      expect(said.filter(({ type }) => type === "Warning")).toHaveLength(2)
      expect(said.filter(({ type }) => type === "Extension")).toMatchObject([
        { name: "agentctl/hologram", payload: { depth: 0, session_id: "sess-1" } },
        { payload: { depth: 1 } },
        { payload: { depth: 2 } },
        { name: "agentctl/notification" }
      ])
    }))

  it.scopedLive("an answer that answers nothing is a warning", () =>
    Effect.gen(function*() {
      const { connection, host } = yield* connected()
      host.raw("{\"id\":\"4711\",\"type\":\"response\",\"action\":\"agent.prompt\",\"payload\":{}}")
      host.raw(
        "{\"id\":\"4712\",\"type\":\"error\",\"action\":\"agent.prompt\",\"payload\":{\"code\":\"X\",\"message\":\"no\"}}"
      )
      const signals = yield* until(connection, (signal) =>
        signal._tag === "Said" && JSON.stringify(signal).includes("4712"))
      expect(events(signals)).toMatchObject([{ type: "Warning", detail: "4711" }, { type: "Warning", detail: "4712" }])
    }))

  it.scopedLive("a frame that is no JSON, no object, or has no type ends the connection", () =>
    Effect.gen(function*() {
      for (const frame of ["{\"type\":", "[1]", "{\"kind\":1}"]) {
        const { connection, host } = yield* connected()
        host.raw(frame)
        const error = yield* Effect.flip(untilTurnEnded(connection))
        expect(error).toMatchObject({ _tag: "AgentProtocolError", detail: frame })
      }
    }))

  it.scopedLive("a frame over the limit ends it, too, and tells the limit", () =>
    Effect.gen(function*() {
      const { connection, host } = yield* connected({ maxMessageBytes: 1000 })
      host.chunk("x".repeat(2000))
      const error = yield* Effect.flip(untilTurnEnded(connection))
      expect(error).toMatchObject({ _tag: "AgentMessageTooLarge", limit: 1000 })
    }))

  it.scopedLive("events of a session that is not this one are kept apart", () =>
    Effect.gen(function*() {
      const { connection, host } = yield* connected()
      host.event({ type: "message_chunk", session_id: "another", text: "not mine" })
      const [said] = events(yield* until(connection, ({ _tag }) => _tag === "Said"))
      expect(said).toMatchObject({ type: "Extension", name: "agentctl/message_chunk" })
    }))

  it.scopedLive("a permission that cannot be read is a warning, not a hang of ours", () =>
    Effect.gen(function*() {
      const { connection, host } = yield* connected()
      host.event({ type: "permission_request", request_id: "p", pending_id: "q", permission_options: [] })
      const [said] = events(yield* until(connection, ({ _tag }) => _tag === "Said"))
      expect(said).toMatchObject({ type: "Warning", detail: expect.stringContaining("\"request_id\":\"p\"") })
    }))
})
