import type * as acp from "@agentclientprotocol/sdk"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Elicitation from "../../../src/domain/Elicitation.js"
import * as Peer from "./Peer.js"

const kinds = (updates: ReadonlyArray<acp.SessionUpdate>) => updates.map(({ sessionUpdate }) => sessionUpdate)

const select = (optionId: string): Peer.Answer<acp.RequestPermissionRequest, acp.RequestPermissionResponse> => () => ({
  outcome: { outcome: "selected", optionId }
})

layer(Peer.Shared.layer, { excludeTestServices: true })("the demo agent's scripts", (it) => {
  const opened = Effect.flatMap(Peer.Shared, (peer) => Effect.map(Peer.open(peer), (session) => ({ peer, session })))

  it.effect("/stream says numbered chunks, in order", () =>
    Effect.gen(function*() {
      const { session } = yield* opened
      const turn = yield* session.turn("/stream 1000")
      assert.strictEqual(turn.stopReason, "end_turn")
      assert.deepStrictEqual(session.text(), Array.from({ length: 1000 }, (_, index) => `chunk ${index + 1} `))
    }))

  it.effect("/stream 20000 is a matter of a moment", () =>
    Effect.gen(function*() {
      const { session } = yield* opened
      const [duration, turn] = yield* Effect.timed(session.turn("/stream 20000"))
      assert.strictEqual(turn.updates.length, 20_000)
      // 0.4 s on a quiet machine of two cores; the bound only catches what waits for something
      assert.isBelow(Duration.toMillis(duration), 15_000)
    }))

  it.effect("/think thinks before it speaks", () =>
    Effect.gen(function*() {
      const { session } = yield* opened
      const { text, updates } = yield* session.turn("/think")
      assert.strictEqual(updates[0]?.sessionUpdate, "agent_thought_chunk")
      assert.match(text, /42/)
    }))

  it.effect("/plan follows its plan to the end", () =>
    Effect.gen(function*() {
      const { session } = yield* opened
      const { updates } = yield* session.turn("/plan")
      const plans = updates.flatMap((update) => update.sessionUpdate === "plan" ? [update.entries] : [])
      assert.deepStrictEqual(plans.map((entries) => entries.map(({ status }) => status)), [
        ["in_progress", "pending", "pending"],
        ["completed", "in_progress", "pending"],
        ["completed", "completed", "in_progress"],
        ["completed", "completed", "completed"]
      ])
    }))

  it.effect("/tools shows tool calls of several kinds with content alone when the client offers nothing", () =>
    Effect.gen(function*() {
      const { session } = yield* opened
      const { updates } = yield* session.turn("/tools")
      const calls = updates.flatMap((update) => update.sessionUpdate === "tool_call" ? [update] : [])
      assert.deepStrictEqual(calls.map(({ kind }) => kind), ["search", "edit", "read", "execute", "fetch"])
      assert.strictEqual(new Set(calls.map(({ toolCallId }) => toolCallId)).size, 5)
      const ends = updates.flatMap((update) =>
        update.sessionUpdate === "tool_call_update" && update.status !== "in_progress" ? [update] : []
      )
      assert.deepStrictEqual(ends.map(({ status }) => status), [
        "completed",
        "completed",
        "completed",
        "completed",
        "failed"
      ])
      assert.strictEqual(ends[1]?.content?.[0]?.type, "diff")
    }))

  it.effect("/permission does as it is told", () =>
    Effect.gen(function*() {
      const { peer, session } = yield* opened
      yield* peer.onPermission(select("reject_once"))
      const rejected = yield* session.turn("/permission")
      assert.match(rejected.text, /"Reject" \(reject_once\)/)
      const last = rejected.updates.findLast(({ sessionUpdate }) => sessionUpdate === "tool_call_update")
      assert.propertyVal(last, "status", "failed")

      let asked: acp.RequestPermissionRequest | undefined
      yield* peer.onPermission((request) => {
        asked = request
        return { outcome: { outcome: "selected", optionId: "allow_always" } }
      })
      const allowed = yield* session.turn("/permission")
      assert.match(allowed.text, /"Allow always" \(allow_always\)/)
      assert.deepStrictEqual(asked?.options.map(({ kind }) => kind), ["allow_once", "allow_always", "reject_once"])

      // always means always
      yield* peer.onPermission(select("reject_once"))
      assert.match((yield* session.turn("/permission")).text, /"Allow always"/)
      // and is a matter of the session
      const other = yield* Peer.open(peer)
      assert.match((yield* other.turn("/permission")).text, /"Reject"/)
    }))

  it.effect("/permission takes its question back and ends cancelled when the turn is cancelled", () =>
    Effect.gen(function*() {
      const { peer, session } = yield* opened
      let withdrawn = false
      let asked = false
      yield* peer.onPermission((_, signal) =>
        new Promise((resolve) => {
          asked = true
          signal.addEventListener("abort", () => {
            withdrawn = true
            resolve({ outcome: { outcome: "cancelled" } })
          })
        })
      )
      const turn = yield* Effect.fork(session.turn("/permission"))
      yield* Peer.eventually(() => asked)
      yield* session.cancel
      assert.strictEqual((yield* Fiber.join(turn)).stopReason, "cancelled")
      yield* Peer.eventually(() => withdrawn)
    }))

  it.effect("/permission whose question the client cancels ends cancelled", () =>
    Effect.gen(function*() {
      const { peer, session } = yield* opened
      yield* peer.onPermission(() => ({ outcome: { outcome: "cancelled" } }))
      assert.strictEqual((yield* session.turn("/permission")).stopReason, "cancelled")
    }))

  it.effect("/form asks for every kind of field and reads the answer back", () =>
    Effect.gen(function*() {
      const { peer, session } = yield* opened
      let asked: acp.CreateElicitationRequest | undefined
      yield* peer.onElicitation((request) => {
        asked = request
        return {
          action: "accept",
          content: { name: "Ada", season: "winter", copies: 3, stamp: false, colours: ["red"] }
        }
      })
      const { text } = yield* session.turn("/form")
      assert.strictEqual(
        text,
        "You answered: {\"name\":\"Ada\",\"season\":\"winter\",\"copies\":3,\"stamp\":false,\"colours\":[\"red\"]}"
      )
      assert(asked !== undefined && "requestedSchema" in asked)
      // our own reading of the form: it decodes, knows what is required, and fills the defaults
      const form = Schema.decodeUnknownSync(Elicitation.FormSchema)(asked.requestedSchema)
      assert.deepStrictEqual(Object.values(form.properties).map(({ type }) => type), [
        "string",
        "string",
        "integer",
        "boolean",
        "array"
      ])
      assert(Either.isLeft(Elicitation.checkForm(form, {})))
      assert.deepStrictEqual(
        Elicitation.checkForm(form, { name: "Ada" }),
        Either.right({ name: "Ada", season: "summer", copies: 1, stamp: true, colours: ["blue"] })
      )

      yield* peer.onElicitation(() => ({ action: "decline" }))
      assert.strictEqual((yield* session.turn("/form")).text, "You answered: decline")
    }))

  it.effect("/url names a page and tells later that it is done", () =>
    Effect.gen(function*() {
      const { peer, session } = yield* opened
      let elicitationId: unknown
      yield* peer.onElicitation((request) => {
        elicitationId = "elicitationId" in request ? request.elicitationId : undefined
        return { action: "accept" }
      })
      assert.strictEqual((yield* session.turn("/url")).stopReason, "end_turn")
      assert.deepStrictEqual(peer.completed, [elicitationId])
    }))

  it.effect("/two asks two things at once, and each answer goes to its own", () =>
    Effect.gen(function*() {
      const { peer, session } = yield* opened
      const waiting = new Map<string, (optionId: string) => void>()
      yield* peer.onPermission(({ toolCall }) =>
        new Promise((resolve) =>
          waiting.set(toolCall.title ?? "", (optionId) => resolve({ outcome: { outcome: "selected", optionId } }))
        )
      )
      const turn = yield* Effect.fork(session.turn("/two"))
      yield* Peer.eventually(() => waiting.size === 2)
      waiting.get("Do the second thing")?.("reject_once")
      waiting.get("Do the first thing")?.("allow_once")
      assert.strictEqual((yield* Fiber.join(turn)).text, "first: allow_once, second: reject_once")
    }))

  it.effect("/sleep sleeps, and a cancel wakes it", () =>
    Effect.gen(function*() {
      const { session } = yield* opened
      assert.strictEqual((yield* session.turn("/sleep 0.01")).stopReason, "end_turn")
      const turn = yield* Effect.fork(session.turn("/sleep 1000"))
      yield* Peer.eventually(() => session.text().at(-1)?.includes("1000 s") === true)
      yield* session.cancel
      assert.strictEqual((yield* Fiber.join(turn)).stopReason, "cancelled")
      // and the session goes on
      assert.strictEqual((yield* session.turn("/stream 1")).text, "chunk 1 ")
    }))

  it.effect("$/cancel_request ends the prompt with -32800", () =>
    Effect.gen(function*() {
      const { session } = yield* opened
      const controller = new AbortController()
      const prompt = yield* Effect.fork(
        Effect.flip(session.prompt("/sleep 1000", { cancellationSignal: controller.signal }))
      )
      yield* Peer.eventually(() => session.text().length > 0)
      controller.abort()
      assert.propertyVal(yield* Fiber.join(prompt), "code", -32800)
      assert.strictEqual((yield* session.turn("/stream 1")).text, "chunk 1 ")
    }))

  it.effect("a second prompt in an open turn is an error, and hurts nobody", () =>
    Effect.gen(function*() {
      const { session } = yield* opened
      const turn = yield* Effect.fork(session.turn("/sleep 1000"))
      yield* Peer.eventually(() => session.text().length > 0)
      assert.propertyVal(yield* Effect.flip(session.prompt("/stream 1")), "code", -32600)
      yield* session.cancel
      assert.strictEqual((yield* Fiber.join(turn)).stopReason, "cancelled")
    }))

  it.effect("/fail answers the prompt with an error", () =>
    Effect.gen(function*() {
      const { session } = yield* opened
      const error = yield* Effect.flip(session.prompt("/fail"))
      assert.propertyVal(error, "code", -32603)
      assert.match(String(error), /fails, as asked/)
      assert.strictEqual((yield* session.turn("/stream 1")).text, "chunk 1 ")
    }))

  it.effect("/garbage writes a line that is not JSON where it says", () =>
    Effect.gen(function*() {
      const { peer, session } = yield* opened
      yield* session.turn("/garbage")
      const at = peer.lines.findIndex((line) => line.startsWith("this line is not JSON"))
      assert.match(peer.lines[at - 1] ?? "", /before /)
      assert.match(peer.lines[at + 1] ?? "", /after/)
    }))

  it.effect("/huge sends a line of exactly so many bytes", () =>
    Effect.gen(function*() {
      const { peer, session } = yield* opened
      yield* session.turn("/huge 3000000")
      assert.strictEqual(Math.max(...peer.lines.map((line) => Buffer.byteLength(line) + 1)), 3_000_000)
    }))

  it.effect("/late speaks after the turn's end", () =>
    Effect.gen(function*() {
      const { session } = yield* opened
      const turn = yield* session.turn("/late")
      assert.notInclude(turn.text, "late.")
      yield* Peer.eventually(() => session.updates().at(-1)?.sessionUpdate === "session_info_update")
      assert.deepStrictEqual(kinds(session.updates().slice(-3)), [
        "available_commands_update",
        "agent_message_chunk",
        "session_info_update"
      ])
    }))

  it.effect("/early lets the next session speak before it is answered", () =>
    Effect.gen(function*() {
      const { peer, session } = yield* opened
      yield* session.turn("/early")
      const early = yield* Peer.open(peer)
      // what came before the answer is there when the answer is
      assert.deepStrictEqual(kinds(early.updates()), ["available_commands_update", "agent_message_chunk"])
      const next = yield* Peer.open(peer)
      assert.deepStrictEqual(next.updates(), [])
    }))

  it.effect("/help lists every script that the commands announce, and an unknown one says so", () =>
    Effect.gen(function*() {
      const { session } = yield* opened
      yield* Peer.eventually(() => session.updates().length > 0)
      const [commands] = session.updates()
      assert(commands?.sessionUpdate === "available_commands_update")
      const { text } = yield* session.turn("/help")
      for (const { name } of commands.availableCommands) assert.include(text, `\`/${name}`)
      assert.isAtLeast(commands.availableCommands.length, 18)
      assert.match((yield* session.turn("/nonsense")).text, /no script \/nonsense/)
    }))

  it.effect("any other prompt gets a conversation that shows everything", () =>
    Effect.gen(function*() {
      const { peer, session } = yield* opened
      yield* peer.onPermission(select("allow_once"))
      const first = yield* session.turn("Good morning")
      assert.strictEqual(first.stopReason, "end_turn")
      assert.includeMembers(kinds(first.updates), [
        "session_info_update",
        "plan",
        "agent_thought_chunk",
        "agent_message_chunk",
        "tool_call",
        "tool_call_update",
        "usage_update"
      ])
      assert.match(first.text, /^Hello!.*you chose "Allow once"/)
      assert.match((yield* session.turn("And again")).text, /^Welcome back! That was your prompt number 2/)
    }))

  it.effect("modes and the pace can be set, and only to what was offered", () =>
    Effect.gen(function*() {
      const { peer, session } = yield* opened
      const { sessionId } = session
      assert.strictEqual(session.opened.modes?.currentModeId, "plain")
      yield* peer.call((agent) => agent.request("session/set_mode", { sessionId, modeId: "verbose" }))
      assert.deepInclude(session.updates(), { sessionUpdate: "current_mode_update", currentModeId: "verbose" })
      const set = yield* peer.call((agent) =>
        agent.request("session/set_config_option", { sessionId, configId: "pace", value: "slow" })
      )
      assert.propertyVal(set.configOptions[0], "currentValue", "slow")
      const refused = yield* Effect.flip(
        peer.call((agent) => agent.request("session/set_mode", { sessionId, modeId: "loud" }))
      )
      assert.propertyVal(refused, "code", -32602)
    }))

  it.effect("a session that nobody knows is not found", () =>
    Effect.gen(function*() {
      const peer = yield* Peer.Shared
      for (const sessionId of ["demo_nobody", "../../etc/passwd"]) {
        const nobody = Peer.session(peer, sessionId, undefined)
        assert.propertyVal(yield* Effect.flip(nobody.prompt("hello")), "code", -32002)
        const load = peer.call((agent) => agent.request("session/load", { sessionId, cwd: "/", mcpServers: [] }))
        assert.propertyVal(yield* Effect.flip(load), "code", -32002)
      }
    }))
})

describe("the demo agent's tools", () => {
  it.scopedLive("/tools uses the client's files and terminals where it offers them", () =>
    Effect.gen(function*() {
      const peer = yield* Peer.connect({
        capabilities: { fs: { readTextFile: true, writeTextFile: true }, terminal: true }
      })
      const session = yield* Peer.open(peer, "/work-of-nobody")
      const { updates } = yield* session.turn("/tools")
      assert.deepStrictEqual(Array.from(peer.files), [
        ["/work-of-nobody/holdfast-demo.txt", "Holdfast's demo agent wrote this line.\n"]
      ])
      assert.deepStrictEqual(peer.released, ["term_1"])
      assert.deepInclude(
        updates.flatMap((update) => update.sessionUpdate === "tool_call_update" ? [update.rawOutput] : []),
        { exitCode: 0, output: "from the terminal\n" }
      )
      // questions that this client cannot show are not asked
      assert.strictEqual((yield* session.turn("/form")).text, "This client does not show forms.")
      assert.strictEqual((yield* session.turn("/url")).text, "This client does not open pages.")
    }), 30_000)
})
