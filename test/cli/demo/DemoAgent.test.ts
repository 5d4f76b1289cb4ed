import * as acp from "@agentclientprotocol/sdk"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as NodeFs from "node:fs"
import * as Peer from "./Peer.js"

const ofProcess = <A, E>(name: string, test: () => Effect.Effect<A, E, Scope.Scope>) =>
  it.scopedLive(name, test, 60_000)

const load = (peer: Peer.Connected, sessionId: string, cwd = "/") =>
  Effect.map(
    peer.call((agent) => agent.request(acp.methods.agent.session.load, { sessionId, cwd, mcpServers: [] })),
    (opened) => Peer.session(peer, sessionId, opened)
  )

describe("the demo agent's process", () => {
  ofProcess("ends with 0 when stdin ends, in the middle of a turn too", () =>
    Effect.gen(function*() {
      const state = yield* Peer.temporary
      const peer = yield* Peer.connect({ state })
      const session = yield* Peer.open(peer)
      yield* Effect.fork(Effect.exit(session.prompt("/sleep 1000")))
      yield* Peer.eventually(() => session.text().length > 0)
      peer.child.stdin.end()
      assert.deepStrictEqual(yield* peer.exited, { code: 0, signal: null })
      assert.strictEqual(peer.stderr(), "")
      // what it had said of the turn is not remembered
      const young = yield* Peer.connect({ state })
      assert.deepStrictEqual((yield* load(young, session.sessionId)).text(), [])
    }))

  ofProcess("ends with 0 at SIGTERM, in a turn that ignores a cancel too", () =>
    Effect.gen(function*() {
      const peer = yield* Peer.connect()
      const session = yield* Peer.open(peer)
      yield* Effect.fork(Effect.exit(session.prompt("/hang")))
      yield* Peer.eventually(() => session.text().length > 0)
      peer.child.kill("SIGTERM")
      assert.deepStrictEqual(yield* peer.exited, { code: 0, signal: null })
    }))

  ofProcess("/hang ignores a cancel, of the session and of the request", () =>
    Effect.gen(function*() {
      const peer = yield* Peer.connect()
      const session = yield* Peer.open(peer)
      const controller = new AbortController()
      let ended = false
      yield* session.prompt("/hang", { cancellationSignal: controller.signal }).pipe(
        Effect.ensuring(Effect.sync(() => ended = true)),
        Effect.exit,
        Effect.fork
      )
      yield* Peer.eventually(() => session.text().length > 0)
      yield* session.cancel
      controller.abort()
      // another session's turn goes there and back, so the cancels have been read
      const other = yield* Peer.open(peer)
      yield* other.turn("/stream 1")
      assert.isFalse(ended)
      peer.child.stdin.end()
      assert.deepStrictEqual(yield* peer.exited, { code: 0, signal: null })
    }))

  ofProcess("/crash says a little, and dies with 3 and a word on stderr", () =>
    Effect.gen(function*() {
      const peer = yield* Peer.connect()
      const session = yield* Peer.open(peer)
      yield* Effect.flip(session.prompt("/crash"))
      assert.deepStrictEqual(yield* peer.exited, { code: 3, signal: null })
      assert.strictEqual(session.text().join(""), "I am about to cr")
      yield* Peer.eventually(() => peer.stderr() === "demo-agent: crashed in the middle of a turn, as asked\n")
    }))

  ofProcess("/stay ends its turn and outlives the end of stdin and SIGTERM", () =>
    Effect.gen(function*() {
      const state = yield* Peer.temporary
      const peer = yield* Peer.connect({ state })
      const session = yield* Peer.open(peer)
      assert.strictEqual((yield* session.turn("/stay")).stopReason, "end_turn")
      const asleep = yield* Peer.open(peer)
      yield* Effect.fork(Effect.exit(asleep.prompt("/sleep 1000")))
      yield* Peer.eventually(() => asleep.text().length > 0)
      peer.child.kill("SIGTERM")
      yield* session.turn("/stream 1")
      peer.child.stdin.end()
      peer.child.kill("SIGTERM")
      yield* Effect.sleep("500 millis")
      assert.isNull(peer.child.exitCode)
      // the client that left has cancelled nothing: a turn without an end has no answer to remember
      assert.notInclude(NodeFs.readFileSync(`${state}/${asleep.sessionId}.jsonl`, "utf8"), "\"agent\"")
      peer.child.kill("SIGKILL")
      assert.deepStrictEqual(yield* peer.exited, { code: null, signal: "SIGKILL" })
    }))

  ofProcess("/grandchild leaves a process in the group that outlives SIGTERM", () =>
    Effect.gen(function*() {
      const peer = yield* Peer.connect()
      const session = yield* Peer.open(peer)
      const { text } = yield* session.turn("/grandchild")
      const pid = Number(/\d+/.exec(text)?.[0])
      const group = peer.child.pid ?? 0
      assert.isAbove(group, 1)
      peer.child.stdin.end()
      assert.deepStrictEqual(yield* peer.exited, { code: 0, signal: null })
      process.kill(-group, "SIGTERM")
      yield* Effect.sleep("200 millis")
      assert.isTrue(Peer.isAlive(pid))
      process.kill(-group, "SIGKILL")
      yield* Peer.eventually(() => !Peer.isAlive(pid))
    }))
})

describe("the demo agent's memory", () => {
  ofProcess(
    "a new process loads what an old one heard and said, cut otherwise; the answer of a killed turn is not there",
    () =>
      Effect.gen(function*() {
        const state = yield* Peer.temporary
        const old = yield* Peer.connect({ state })
        const before = yield* Peer.open(old)
        yield* before.turn("/stream 2000")
        yield* before.turn("Hello 🪸")
        yield* before.turn("/help")
        const whole = before.text().join("")
        yield* Effect.fork(Effect.exit(before.prompt("/sleep 1000")))
        yield* Peer.eventually(() => before.text().at(-1)?.includes("1000 s") === true)
        // it is written beside the turn
        const memory = () => NodeFs.readFileSync(`${state}/${before.sessionId}.jsonl`, "utf8")
        yield* Peer.eventually(() => memory().includes("/sleep 1000"))
        old.child.kill("SIGKILL")
        yield* old.exited

        const young = yield* Peer.connect({ state })
        assert.isTrue(young.initialized.agentCapabilities?.loadSession)
        const after = yield* load(young, before.sessionId)
        // what was replayed is there when the answer is
        const replayed = after.updates()
        const prompts = replayed.flatMap((update) =>
          update.sessionUpdate === "user_message_chunk" && update.content.type === "text" ? [update.content.text] : []
        )
        assert.deepStrictEqual(prompts, ["/stream 2000", "Hello 🪸", "/help", "/sleep 1000"])
        assert.strictEqual(after.text().join(""), whole)
        assert.isBelow(after.text().length, 20)
        for (const piece of after.text()) assert.notInclude(before.text(), piece)
        assert.strictEqual(after.opened.modes?.currentModeId, "plain")
        // and it goes on from there
        assert.match((yield* after.turn("Again")).text, /your prompt number 5/)
      })
  )

  ofProcess("a session can be listed, resumed without a replay, closed and deleted", () =>
    Effect.gen(function*() {
      const state = yield* Peer.temporary
      const old = yield* Peer.connect({ state })
      const { sessionId } = yield* Effect.tap(Peer.open(old, "/here"), (session) => session.turn("Hello"))
      yield* Peer.open(old, "/there")
      old.child.stdin.end()
      yield* old.exited

      const peer = yield* Peer.connect({ state })
      const list = (cwd: string) =>
        Effect.map(peer.call((agent) => agent.request("session/list", { cwd })), ({ sessions }) => sessions)
      const [listed, ...others] = yield* list("/here")
      assert.deepStrictEqual([listed?.sessionId, listed?.title, others], [sessionId, "Hello", []])

      yield* peer.call((agent) => agent.request("session/resume", { sessionId, cwd: "/here" }))
      const resumed = Peer.session(peer, sessionId, undefined)
      assert.deepStrictEqual(resumed.updates().filter((it) => it.sessionUpdate !== "available_commands_update"), [])
      assert.match((yield* resumed.turn("Again")).text, /your prompt number 2/)

      const open = yield* Effect.fork(resumed.turn("/sleep 1000"))
      yield* Peer.eventually(() => resumed.text().at(-1)?.includes("1000 s") === true)
      yield* peer.call((agent) => agent.request("session/close", { sessionId }))
      assert.strictEqual((yield* Fiber.join(open)).stopReason, "cancelled")
      assert.propertyVal(yield* Effect.flip(resumed.prompt("/stream 1")), "code", -32002)
      assert.strictEqual((yield* list("/here")).length, 1)

      yield* peer.call((agent) => agent.request("session/delete", { sessionId }))
      assert.deepStrictEqual(yield* list("/here"), [])
      assert.propertyVal(yield* Effect.flip(load(peer, sessionId)), "code", -32002)
      assert.strictEqual((yield* list("/there")).length, 1)
    }))
})

describe("the demo agent's start", () => {
  ofProcess(
    "--early speaks before every session is answered, as HOLDFAST_DEMO=early does",
    () =>
      Effect.gen(function*() {
        for (const options of [{ agent: { early: true } }, { env: { HOLDFAST_DEMO: "early" } }]) {
          const peer = yield* Peer.connect(options)
          for (const _ of [1, 2]) assert.strictEqual((yield* Peer.open(peer)).updates().length, 2)
        }
      })
  )

  ofProcess("--mute never answers initialize, and still leaves when it is asked to", () =>
    Effect.gen(function*() {
      const { child, exited } = yield* Peer.spawn({ agent: { mute: true } })
      let said = ""
      child.stdout.on("data", (data) => said += data)
      const ask = (id: number, method: string, params: unknown) =>
        child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`)
      ask(1, "initialize", { protocolVersion: 1 })
      // the second is refused, as nothing goes before `initialize`
      ask(2, "session/list", {})
      yield* Peer.eventually(() => said.includes("\"id\":2"))
      yield* Effect.sleep("300 millis")
      assert.notInclude(said, "\"id\":1")
      child.stdin.end()
      assert.deepStrictEqual(yield* exited, { code: 0, signal: null })
    }))

  ofProcess("--exit exits at once with its code", () =>
    Effect.gen(function*() {
      const { exited, stderr } = yield* Peer.spawn({ agent: { exit: 7 } })
      assert.deepStrictEqual(yield* exited, { code: 7, signal: null })
      yield* Peer.eventually(() => stderr() === "demo-agent: exits with 7, as asked\n")
    }))

  ofProcess("--garbage begins with a line that is not JSON, and is an agent thereafter", () =>
    Effect.gen(function*() {
      const peer = yield* Peer.connect({ agent: { garbage: true } })
      assert.strictEqual(peer.lines[0], "Welcome to an agent that greets on stdout!")
      yield* Effect.flatMap(Peer.open(peer), (session) => session.turn("/stream 1"))
    }))

  ofProcess("--no-load and --no-resume offer neither", () =>
    Effect.gen(function*() {
      const peer = yield* Peer.connect({ agent: { noLoad: true, noResume: true } })
      const { agentCapabilities } = peer.initialized
      assert.isFalse(agentCapabilities?.loadSession)
      assert.isUndefined(agentCapabilities?.sessionCapabilities?.resume)
      const { sessionId } = yield* Peer.open(peer)
      assert.propertyVal(yield* Effect.flip(load(peer, sessionId)), "code", -32601)
      const resume = peer.call((agent) => agent.request("session/resume", { sessionId, cwd: "/" }))
      assert.propertyVal(yield* Effect.flip(resume), "code", -32601)
    }))

  ofProcess("--auth opens no session before a login", () =>
    Effect.gen(function*() {
      const peer = yield* Peer.connect({ agent: { auth: true } })
      const [method] = peer.initialized.authMethods ?? []
      const fresh = peer.call((agent) => agent.request("session/new", { cwd: "/", mcpServers: [] }))
      assert.propertyVal(yield* Effect.flip(fresh), "code", -32000)
      const login = (methodId: string) => peer.call((agent) => agent.request("authenticate", { methodId }))
      assert.propertyVal(yield* Effect.flip(login("magic")), "code", -32602)
      assert.propertyVal(yield* Effect.flip(fresh), "code", -32000)
      yield* login(method?.id ?? "")
      yield* fresh
    }))
})
