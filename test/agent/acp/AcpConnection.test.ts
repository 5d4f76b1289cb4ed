import { afterEach, assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as fs from "node:fs"
import * as path from "node:path"
import type { AgentSignal } from "../../../src/agent/Agent.js"
import * as Content from "../../../src/domain/Content.js"
import type { ElicitationAnswer } from "../../../src/domain/Elicitation.js"
import {
  connect,
  events,
  eventually,
  folder,
  isAlive,
  reports,
  runId,
  say,
  texts,
  turn,
  until,
  untilTurnEnded,
  watchChildren
} from "../support.js"

leakFreeFile({ grace: "5 seconds" })

type Asked = Extract<AgentSignal, { _tag: "Asked" }>

const asked = (connection: Parameters<typeof until>[0]) =>
  Effect.map(until(connection, (signal) => signal._tag === "Asked"), (signals) => {
    const last = signals.at(-1)
    assert.strictEqual(last?._tag, "Asked")
    return { before: signals.slice(0, -1), question: last as Asked }
  })

const answered = (prompt: string, answer: Option.Option<ElicitationAnswer>) =>
  Effect.gen(function*() {
    const connection = yield* connect()
    yield* say(connection, prompt)
    const { before, question } = yield* asked(connection)
    yield* question.reply(answer)
    const after = yield* untilTurnEnded(connection)
    return { before: events(before), request: question.request, reported: reports(after)[0] }
  })

/** The error of a connect that fails, as plain data. */
const failureOf = (fixture: Parameters<typeof connect>[0]) =>
  Effect.map(Effect.flip(connect(fixture)), (error): { readonly [key: string]: unknown } => ({ ...error }))

/** The failure of `signals`, and what was said before it. */
const ending = (connection: Parameters<typeof until>[0]) =>
  Effect.gen(function*() {
    const said: Array<AgentSignal> = []
    const error = yield* Effect.flip(Effect.forever(Effect.map(connection.signals.take, (signal) => said.push(signal))))
    return { said, error }
  }).pipe(Effect.timeout("60 seconds"))

describe("AcpConnection", () => {
  afterEach(watchChildren())

  describe("turns", () => {
    it.scopedLive("a turn says what the agent says and ends with its stop reason", () =>
      Effect.gen(function*() {
        const connection = yield* connect()
        assert.deepInclude({ ...connection }, {
          how: "opened",
          agentSessionId: "s1",
          name: "fixture",
          version: "1.2.3"
        })
        const signals = yield* turn(connection, "hello")
        assert.deepStrictEqual(signals, [
          { _tag: "Said", event: { type: "TextChunk", text: "hello" } },
          { _tag: "TurnEnded", run: runId, result: { _tag: "Stopped", stopReason: "end_turn" } }
        ])
        const refused = yield* turn(connection, "refuse")
        assert.deepInclude(refused.at(-1), { result: { _tag: "Stopped", stopReason: "refusal" } })
      }))

    it.scopedLive("AG4 a burst directly followed by the turn's result comes out whole, in order, and before the result", () =>
      Effect.gen(function*() {
        const connection = yield* connect()
        const signals = yield* turn(connection, "burst 20000")
        assert.deepStrictEqual(texts(signals), Array.from({ length: 20000 }, (_, i) => String(i + 1)))
        // and what came directly behind the result comes behind it
        assert.deepStrictEqual(texts(yield* until(connection, () => true)), ["late"])
      }))

    it.scopedLive("AG4 updates, questions, unknown notes and the turn's result keep the order of the wire", () =>
      Effect.gen(function*() {
        const connection = yield* connect()
        yield* say(connection, "interleaved")
        const signals = yield* until(connection, (signal) => signal._tag === "Said" && texts([signal])[0] === "6")
        assert.deepStrictEqual(
          signals.map((signal) =>
            signal._tag === "Asked"
              ? signal.request.kind
              : signal._tag === "Said"
              ? texts([signal])[0] ?? signal.event.type
              : signal._tag
          ),
          ["1", "ToolCallUpdated", "permission", "2", "Extension", "4", "form", "5", "TurnEnded", "6"]
        )
      }))

    it.scopedLive("AG4 what comes before the session's id is known, and after a turn, is kept", () =>
      Effect.gen(function*() {
        // more than the queue takes: nobody can take them yet
        const connection = yield* connect({ script: { early: 3000 } })
        yield* say(connection, "late")
        const signals = yield* untilTurnEnded(connection)
        assert.deepStrictEqual(texts(signals), Array.from({ length: 3000 }, (_, i) => String(i)))
        assert.deepStrictEqual(events(yield* until(connection, () => true)), [{
          type: "CommandsChanged",
          commands: []
        }])
      }))

    it.scopedLive("updates of another session are kept apart", () =>
      Effect.gen(function*() {
        const connection = yield* connect()
        const [first] = events(yield* turn(connection, "foreign"))
        assert.deepInclude(first, { type: "Extension", name: "session/update" })
      }))

    it.scopedLive("cancel ends the open turn as cancelled, and does nothing between turns", () =>
      Effect.gen(function*() {
        const connection = yield* connect()
        yield* connection.cancel
        yield* say(connection, "hang")
        yield* connection.cancel
        const signals = yield* untilTurnEnded(connection)
        assert.deepStrictEqual(texts(signals), [])
        assert.deepInclude(signals.at(-1), { result: { _tag: "Stopped", stopReason: "cancelled" } })
      }))

    it.scopedLive("an agent that answers a cancel with the error -32800 has cancelled", () =>
      Effect.gen(function*() {
        const connection = yield* connect({ script: { cancelled: "error" } })
        yield* say(connection, "hang")
        yield* connection.cancel
        const signals = yield* untilTurnEnded(connection)
        assert.deepInclude(signals.at(-1), { result: { _tag: "Stopped", stopReason: "cancelled" } })
      }))

    it.scopedLive("an error, a wanted login or a malformed answer fails the turn and nothing else", () =>
      Effect.gen(function*() {
        const connection = yield* connect({ script: { authMethods: [{ id: "key", name: "API key" }] } })
        const failed = (prompt: string) =>
          Effect.map(turn(connection, prompt), (signals) => {
            const last = signals.at(-1)
            return last?._tag === "TurnEnded" && last.result._tag === "Failed" ? last.result.error : undefined
          })
        const error = yield* failed("fail")
        assert.deepInclude({ ...error }, { _tag: "AgentRequestFailed", method: "session/prompt", code: -32603 })
        assert.include(error?.message, "out of luck")
        assert.deepInclude({ ...yield* failed("login") }, {
          _tag: "AgentAuthRequired",
          methods: [{ id: "key", name: "API key" }]
        })
        assert.strictEqual((yield* failed("malformed"))?._tag, "AgentProtocolError")
        assert.deepStrictEqual(texts(yield* turn(connection, "hello")), ["hello"])
      }))

    it.scopedLive("a block that the agent does not take is refused by the name of the capability", () =>
      Effect.gen(function*() {
        const connection = yield* connect({ script: { capabilities: { promptCapabilities: { audio: true } } } })
        const image = { type: "image", data: "", mimeType: "image/png" } as const
        const error = yield* Effect.flip(connection.prompt(runId, [Content.text("hello"), image]))
        assert.deepInclude({ ...error }, { _tag: "AgentUnsupported", capability: "promptCapabilities.image" })
      }))

    it.scopedLive("while nobody takes signals the agent's output is not read", () =>
      Effect.gen(function*() {
        const cwd = yield* folder
        const connection = yield* connect({ cwd })
        yield* say(connection, "flood written")
        const written = () => Number(fs.readFileSync(path.join(cwd, "written"), "utf8"))
        yield* connection.signals.take
        yield* eventually(() => fs.existsSync(path.join(cwd, "written")), "it has to wait")
        yield* Effect.sleep("500 millis")
        // bounded: twice the queue's capacity, and what fits into pipes and their buffers
        assert.isBelow(written(), 8000)
        const rest = yield* until(connection, (signal) => texts([signal])[0] === "200000")
        assert.strictEqual(rest.length, 199_999)
      }), 90_000)
  })

  describe("questions", () => {
    it.scopedLive("a permission is asked with the call's title and answered with the option that was chosen", () =>
      Effect.gen(function*() {
        const { before, reported, request } = yield* answered(
          "permission",
          Option.some({ action: "accept", content: { optionId: "yes" } })
        )
        assert.deepInclude({ ...request }, { kind: "permission", message: "Delete everything", toolCallId: "call_1" })
        assert.deepStrictEqual(before, [{ type: "ToolCallUpdated", toolCallId: "call_1", title: "Delete everything" }])
        assert.deepStrictEqual(reported, { result: { outcome: { outcome: "selected", optionId: "yes" } } })
      }))

    it.scopedLive("a permission without a title takes that of its tool call", () =>
      Effect.gen(function*() {
        const { request } = yield* answered("titled", Option.none())
        assert.strictEqual(request.message, "Run rm")
      }))

    it.scopedLive("a permission that is declined selects the agent's own rejection; one that nobody answers is cancelled", () =>
      Effect.gen(function*() {
        const declined = yield* answered("permission", Option.some({ action: "decline" }))
        assert.deepStrictEqual(declined.reported, { result: { outcome: { outcome: "selected", optionId: "no" } } })
        const cancelled = { result: { outcome: { outcome: "cancelled" } } }
        assert.deepStrictEqual((yield* answered("permission", Option.none())).reported, cancelled)
        assert.deepStrictEqual((yield* answered("permission", Option.some({ action: "cancel" }))).reported, cancelled)
        // an option that the agent did not offer is no permission
        const wrong = yield* answered("permission", Option.some({ action: "accept", content: { optionId: "all" } }))
        assert.deepStrictEqual(wrong.reported, cancelled)
      }))

    it.scopedLive("a form and a url are asked, and each answer goes back in the protocol's words", () =>
      Effect.gen(function*() {
        const form = yield* answered("form", Option.some({ action: "accept", content: { name: "Ada" } }))
        assert.deepInclude({ ...form.request }, { kind: "form", message: "Who?" })
        assert.deepStrictEqual(form.reported, { result: { action: "accept", content: { name: "Ada" } } })
        const url = yield* answered("url", Option.some({ action: "decline" }))
        assert.deepStrictEqual(url.request, { kind: "url", message: "Log in", url: "https://a.test/" })
        assert.deepStrictEqual(url.reported, { result: { action: "decline" } })
        assert.deepStrictEqual((yield* answered("url", Option.none())).reported, { result: { action: "cancel" } })
      }))

    it.scopedLive("a question that the agent takes back is withdrawn, and answered all the same", () =>
      Effect.gen(function*() {
        const connection = yield* connect()
        yield* say(connection, "withdraw")
        const { question } = yield* asked(connection)
        assert.deepStrictEqual(yield* question.elsewhere, {
          _tag: "Withdrawn",
          reason: "the agent took the question back"
        })
        assert.deepStrictEqual(reports(yield* untilTurnEnded(connection)), [{
          result: { outcome: { outcome: "cancelled" } }
        }])
        yield* question.reply(Option.none())
      }))

    it.scopedLive("a url that was completed is accepted by its completion", () =>
      Effect.gen(function*() {
        const connection = yield* connect()
        yield* say(connection, "completed")
        const { question } = yield* asked(connection)
        assert.deepStrictEqual(yield* question.elsewhere, { _tag: "Answered", action: "accept", by: "completion" })
        assert.deepStrictEqual(reports(yield* untilTurnEnded(connection)), [{
          result: { action: "accept", content: {} }
        }])
      }))

    it.scopedLive("a question of an unknown kind is refused with a warning", () =>
      Effect.gen(function*() {
        const connection = yield* connect()
        const signals = yield* turn(connection, "strange")
        assert.deepInclude(events(signals)[0], { type: "Warning", detail: "Think" })
        assert.include(texts(signals)[0], "-32602")
      }))

    it.scopedLive("EB7 a form that is not allowed, and a page that is none, are refused with the reason", () =>
      Effect.gen(function*() {
        const connection = yield* connect()
        const refused = (params: object) =>
          Effect.gen(function*() {
            const signals = yield* turn(connection, `call ${JSON.stringify(["elicitation/create", params])}`)
            assert.deepInclude(events(signals)[0], { type: "Warning", detail: "Who?" })
            return texts(signals)[0] ?? ""
          })
        const nested = { type: "object", properties: { a: { type: "object", properties: {} } } }
        const form = yield* refused({ mode: "form", message: "Who?", requestedSchema: nested })
        assert.include(form, "-32602")
        assert.match(form, /properties\.a/)
        assert.match(
          yield* refused({ mode: "url", message: "Who?", elicitationId: "e9", url: "javascript:alert(1)" }),
          /-32602.*https?/
        )
      }))

    it.scopedLive("what \"always\" is about is the kind of tool and the same words, where an option says always", () =>
      Effect.gen(function*() {
        const connection = yield* connect()
        const subjectOf = (toolCall: object, kind: string) =>
          Effect.gen(function*() {
            const params = { toolCall, options: [{ optionId: "a", name: "A", kind }] }
            yield* say(connection, `call ${JSON.stringify(["session/request_permission", params])}`)
            const { question } = yield* asked(connection)
            yield* question.reply(Option.none())
            yield* untilTurnEnded(connection)
            return question.request.kind === "permission" ? question.request.subject : undefined
          })
        const toolCall = { toolCallId: "c9", title: "rm -r x", kind: "delete" }
        assert.strictEqual(yield* subjectOf(toolCall, "allow_always"), "delete: rm -r x")
        assert.strictEqual(yield* subjectOf(toolCall, "allow_once"), undefined)
        assert.strictEqual(yield* subjectOf({ toolCallId: "c10" }, "reject_always"), undefined)
      }))

    it.scopedLive("a question before the session is open is cancelled rather than waited for", () =>
      Effect.gen(function*() {
        const connection = yield* connect({ script: { askEarly: true } })
        const signals = yield* turn(connection, "hello")
        assert.deepStrictEqual(events(signals).map((event) => event.type), ["ToolCallUpdated", "Warning", "TextChunk"])
      }))
  })

  describe("the handshake", () => {
    const replay = [
      { sessionUpdate: "user_message_chunk", content: { type: "text", text: "hi" } },
      { sessionUpdate: "agent_message_chunk", content: { type: "text", text: "hello" } }
    ]

    it.scopedLive("AG5 a session is loaded if the agent can, and what it replays is apart from what it says", () =>
      Effect.gen(function*() {
        const script = {
          capabilities: { loadSession: true },
          replay,
          begin: { modes: { currentModeId: "ask", availableModes: [] } }
        }
        const connection = yield* connect({ script, resume: "s9" })
        assert.deepInclude({ ...connection }, { how: "loaded", agentSessionId: "s9" })
        assert.deepStrictEqual(connection.replayed, [
          { type: "UserChunk", content: { type: "text", text: "hi" } },
          { type: "TextChunk", text: "hello" }
        ])
        assert.deepStrictEqual(connection.begins, [{ type: "ModeChanged", modeId: "ask", available: [] }])
        assert.deepStrictEqual(events(yield* turn(connection, "hello")), [{ type: "TextChunk", text: "hello" }])
      }))

    it.scopedLive("a session that the agent has forgotten is opened anew; one that it can only resume is resumed", () =>
      Effect.gen(function*() {
        const forgotten = yield* connect({
          // AG4: what it says of the new session before it has told its id is kept, what it says of the old one is not of this session
          script: { capabilities: { loadSession: true }, forgotten: true, replay, early: 2 },
          resume: "s9"
        })
        assert.deepInclude({ ...forgotten }, { how: "opened", agentSessionId: "s1", replayed: [] })
        assert.deepStrictEqual(texts(yield* Effect.replicateEffect(forgotten.signals.take, 2)), ["0", "1"])
        assert.deepStrictEqual(texts(yield* turn(forgotten, "hello")), ["hello"])
        const resumed = yield* connect({
          script: { capabilities: { sessionCapabilities: { resume: {} } } },
          resume: "s9"
        })
        assert.deepInclude({ ...resumed }, { how: "resumed", agentSessionId: "s9" })
        const neither = yield* connect({ resume: "s9" })
        assert.deepInclude({ ...neither }, { how: "opened", agentSessionId: "s1" })
      }))

    it.scopedLive("modes and options are told with the connection, and change by command", () =>
      Effect.gen(function*() {
        const begin = {
          modes: { currentModeId: "ask", availableModes: [{ id: "ask", name: "Ask", description: null }] },
          configOptions: [{ id: "fast", type: "boolean", currentValue: true }]
        }
        const connection = yield* connect({ script: { begin } })
        assert.deepStrictEqual(connection.begins, [
          { type: "ModeChanged", modeId: "ask", available: [{ id: "ask", name: "Ask" }] },
          { type: "ConfigChanged", options: begin.configOptions }
        ])
        yield* connection.setMode("code")
        yield* connection.setConfigOption("fast", false)
        yield* connection.setConfigOption("model", "big")
        const error = yield* Effect.flip(connection.setMode("no such"))
        assert.deepInclude({ ...error }, { _tag: "AgentRequestFailed", method: "session/set_mode", code: -32602 })
        assert.deepStrictEqual(events(yield* turn(connection, "hello")).slice(0, -1), [
          { type: "ModeChanged", modeId: "code" },
          { type: "ConfigChanged", options: [{ id: "fast", type: "boolean", value: false }] },
          { type: "ConfigChanged", options: [{ id: "model", value: "big" }] }
        ])
      }))

    it.scopedLive("a wanted login is done with the method of the configuration, or fails with those that are offered", () =>
      Effect.gen(function*() {
        const script = { login: "key", authMethods: [{ id: "key", name: "API key" }, { id: "web", name: "Browser" }] }
        const error = yield* failureOf({ script })
        assert.deepInclude(error, { _tag: "AgentAuthRequired", methods: script.authMethods })
        assert.strictEqual((yield* failureOf({ script, options: { authMethod: "web" } }))["_tag"], "AgentAuthRequired")
        const connection = yield* connect({ script, options: { authMethod: "key" } })
        assert.deepStrictEqual(texts(yield* turn(connection, "hello")), ["hello"])
      }))

    it.scopedLive("MCP servers are passed on in the protocol's form, if the agent can use them", () =>
      Effect.gen(function*() {
        const mcpServers = [
          { name: "files", command: "mcp-files", env: { A: "1" } },
          { type: "http", name: "web", url: "https://a.test/", headers: { B: "2" } }
        ] as const
        const error = yield* failureOf({ options: { mcpServers } })
        assert.deepInclude({ ...error }, { _tag: "AgentUnsupported", capability: "mcpCapabilities.http" })
        const connection = yield* connect({
          script: { echo: true, capabilities: { mcpCapabilities: { http: true } } },
          options: { mcpServers },
          cwd: "/tmp"
        })
        const [mode] = connection.begins ?? []
        assert.deepStrictEqual(mode?.type === "ModeChanged" ? JSON.parse(mode.modeId) : undefined, {
          cwd: "/tmp",
          mcpServers: [
            { name: "files", command: "mcp-files", args: [], env: [{ name: "A", value: "1" }] },
            { type: "http", name: "web", url: "https://a.test/", headers: [{ name: "B", value: "2" }] }
          ]
        })
      }))

    it.scopedLive("AG2 an agent that never answers is given up, with what it wrote to stderr", () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(connect({
          // not the fixture: on a busy machine Node is not up by then
          options: {
            command: "/bin/sh",
            args: ["-c", "printf %0100000d 0 >&2; exec sleep 1000"],
            startTimeout: Duration.seconds(1),
            grace: { stdin: Duration.zero, term: Duration.seconds(20), kill: Duration.seconds(20) }
          }
        }))
        assert.strictEqual(error._tag, "AgentStartTimeout")
        if (error._tag === "AgentStartTimeout") {
          assert.deepInclude({ ...error }, { millis: 1000, stderr: "0".repeat(64 * 1024) })
        }
      }))

    it.scopedLive("AG2 an agent that exits at once has died, with its exit code and stderr", () =>
      Effect.gen(function*() {
        const error = yield* failureOf({ script: { exit: 3 } })
        assert.deepInclude({ ...error }, {
          _tag: "AgentDied",
          exitCode: 3,
          signal: null,
          stderr: "cannot start: no licence\n"
        })
      }))

    it.scopedLive("an agent of another protocol version is refused", () =>
      Effect.gen(function*() {
        const error = yield* failureOf({ script: { protocolVersion: 2 } })
        assert.deepInclude({ ...error }, { _tag: "AgentUnsupported", capability: "protocol version 1" })
      }))

    it.scopedLive("what the agent remembers is listed, deleted and logged out of only where that is offered", () =>
      Effect.gen(function*() {
        const poor = yield* connect()
        assert.strictEqual((yield* Effect.flip(poor.listSessions({})))._tag, "AgentUnsupported")
        assert.strictEqual((yield* Effect.flip(poor.logout))._tag, "AgentUnsupported")
        const rich = yield* connect({ script: { capabilities: { sessionCapabilities: { list: {}, delete: {} } } } })
        assert.deepStrictEqual(yield* rich.listSessions({}), {
          sessions: [{ sessionId: "old", cwd: "/" }],
          nextCursor: "more"
        })
        yield* rich.deleteSession("old")
      }))

    it.live("a session that can be closed is closed before its agent is ended", () =>
      Effect.scoped(Effect.gen(function*() {
        const dir = yield* folder
        const file = path.join(dir, "closed")
        yield* Effect.scoped(
          connect({ script: { onClose: file, capabilities: { sessionCapabilities: { close: {} } } } })
        )
        assert.isTrue(fs.existsSync(file))
      })))
  })

  describe("misbehaviour", () => {
    it.scopedLive("AG2 an agent that crashes fails the signals after its last words, with exit code and stderr", () =>
      Effect.gen(function*() {
        const connection = yield* connect()
        yield* say(connection, "crash")
        const { error, said } = yield* ending(connection)
        assert.deepStrictEqual(texts(said), ["last words"])
        assert.deepInclude({ ...error }, { _tag: "AgentDied", exitCode: 7, signal: null, stderr: "about to crash\n" })
        // and whatever is asked of it then fails with the same
        assert.strictEqual((yield* Effect.flip(say(connection, "hello")))._tag, "AgentDied")
        assert.strictEqual((yield* Effect.flip(connection.setMode("x")))._tag, "AgentDied")
        yield* connection.cancel
      }))

    it.scopedLive("AG2 an agent that is killed fails the requests in flight, with the signal", () =>
      Effect.gen(function*() {
        const connection = yield* connect()
        const request = yield* Effect.fork(
          connection.setConfigOption("a", "b").pipe(Effect.zipRight(connection.setMode("x")), Effect.forever)
        )
        yield* say(connection, "kill")
        assert.deepInclude({ ...(yield* ending(connection)).error }, {
          _tag: "AgentDied",
          exitCode: null,
          signal: "SIGKILL"
        })
        assert.strictEqual((yield* Effect.flip(Fiber.join(request)))._tag, "AgentDied")
      }))

    it.scopedLive("AG2 an agent that closes its output and lives on is as good as dead", () =>
      Effect.gen(function*() {
        const connection = yield* connect()
        yield* say(connection, "mute")
        const { error } = yield* ending(connection)
        assert.deepInclude({ ...error }, { _tag: "AgentDied", exitCode: null, signal: null })
      }))

    it.scopedLive("AG2 a line that is no message fails the connection, quotes the line, and loses nothing before it", () =>
      Effect.gen(function*() {
        const connection = yield* connect()
        yield* say(connection, "garbage")
        const { error, said } = yield* ending(connection)
        assert.deepStrictEqual(texts(said), ["before"])
        assert.deepInclude({ ...error }, { _tag: "AgentProtocolError", detail: "Segmentation fault, just kidding" })
        const batch = yield* connect()
        yield* say(batch, "batch")
        assert.deepInclude({ ...(yield* ending(batch)).error }, { _tag: "AgentProtocolError", detail: "[]" })
      }))

    it.scopedLive("AG2 a message over the limit fails the connection, also one that never ends", () =>
      Effect.gen(function*() {
        const options = { maxMessageBytes: 100_000 }
        const huge = yield* connect({ options })
        assert.strictEqual((yield* turn(huge, "huge 90000")).length, 2)
        yield* say(huge, "huge 100001")
        assert.deepInclude({ ...(yield* ending(huge)).error }, { _tag: "AgentMessageTooLarge", limit: 100_000 })
        const endless = yield* connect({ options })
        yield* say(endless, "endless")
        assert.strictEqual((yield* ending(endless)).error._tag, "AgentMessageTooLarge")
      }))

    it.scopedLive("AG2 a response that is nested deeper than the stack fails the connection, and nothing else", () =>
      Effect.gen(function*() {
        const unmanageable = { _tag: "AgentProtocolError", detail: "" } as const
        for (const outcome of [`"result":$deep`, `"error":{"code":1,"message":"no","data":$deep}`]) {
          const connection = yield* connect()
          yield* say(connection, `raw {"jsonrpc":"2.0","id":$id,${outcome}}`)
          assert.deepInclude({ ...(yield* ending(connection)).error }, unmanageable)
        }
        const connecting = yield* Effect.flip(connect({ script: { deep: true } }))
        assert.deepInclude({ ...connecting }, unmanageable)
      }))

    it.scopedLive("AG2 a response without a result fails its turn; one to nothing that was asked is a warning, quoted", () =>
      Effect.gen(function*() {
        const connection = yield* connect()
        const empty = (yield* turn(connection, `raw {"jsonrpc":"2.0","id":$id}`)).at(-1)
        assert.deepNestedInclude(empty, { _tag: "TurnEnded", "result._tag": "Failed" })
        const done = `{"jsonrpc":"2.0","id":$id,"result":{"stopReason":"end_turn"}}`
        yield* turn(connection, `raw ${done}\n${done}\n{"jsonrpc":"2.0","id":"\\u001b[2J","result":{}}`)
        const warnings = events(yield* turn(connection, "hello")).slice(0, -1)
        assert.deepStrictEqual(
          warnings,
          ["3", `"\\u001b[2J"`].map((id) => ({
            type: "Warning",
            message: `the agent answered a request that was not open: ${id}`
          }))
        )
      }))

    it.scopedLive("blank lines are no fault, and every variant that is not known is kept", () =>
      Effect.gen(function*() {
        const connection = yield* connect()
        yield* turn(connection, "blank")
        const update = { sessionUpdate: "mood_update", mood: "bright", _meta: { a: 1 } }
        const signals = yield* turn(connection, `updates ${JSON.stringify([update, { sessionUpdate: "plan" }, 3])}`)
        assert.deepStrictEqual(events(signals), [
          { type: "Extension", name: "mood_update", payload: { sessionUpdate: "mood_update", mood: "bright" } },
          { type: "Extension", name: "plan", payload: { sessionUpdate: "plan" } },
          { type: "Extension", name: "session/update", payload: 3 }
        ])
      }))

    it.scopedLive("a request that Holdfast does not know is answered so", () =>
      Effect.gen(function*() {
        const connection = yield* connect()
        const [report] = texts(yield* turn(connection, `call ["vendor/thing",{}]`))
        assert.include(report, "-32601")
      }))
  })

  describe("the process", () => {
    const quick = { grace: { stdin: Duration.millis(200), term: Duration.millis(200), kill: Duration.seconds(20) } }

    it.live("AG1 an agent that ignores the end of stdin and SIGTERM is gone when the scope is closed", () =>
      Effect.gen(function*() {
        const pid = yield* Effect.scoped(Effect.gen(function*() {
          const connection = yield* connect({ script: { stay: true }, options: quick })
          return Number(reports(yield* turn(connection, "pid"))[0])
        }))
        assert.isFalse(isAlive(pid))
      }))

    it.live("AG1 a grandchild does not survive the scope", () =>
      Effect.gen(function*() {
        const pid = yield* Effect.scoped(Effect.gen(function*() {
          const connection = yield* connect({ options: quick })
          const [pid] = reports(yield* turn(connection, "grandchild"))
          assert.isTrue(isAlive(Number(pid)))
          return Number(pid)
        }))
        assert.isFalse(isAlive(pid))
      }))

    it.scopedLive("AG1 when the agent dies the rest of its group is ended, even what ignores SIGTERM and holds its pipes", () =>
      Effect.gen(function*() {
        const connection = yield* connect({ options: quick })
        yield* say(connection, "orphan")
        const { error, said } = yield* ending(connection)
        assert.deepInclude({ ...error }, { _tag: "AgentDied", exitCode: 3 })
        const pid = Number(reports(said)[0])
        yield* eventually(() => !isAlive(pid), "the grandchild is gone")
      }))

    it.live("AG1 interrupting a connect leaves nothing", () =>
      Effect.gen(function*() {
        const fiber = yield* Effect.fork(
          Effect.scoped(connect({ script: { initialize: "never", stay: true }, options: quick }))
        )
        yield* Effect.sleep("300 millis")
        yield* Fiber.interrupt(fiber)
      }))

    it.scopedLive("the agent's environment is what is allowed and what is given", () =>
      Effect.gen(function*() {
        process.env["HOLDFAST_TEST_SECRET"] = "hunter2"
        const connection = yield* connect({ options: { env: { GIVEN: "yes" } } })
        const env = reports(yield* turn(connection, "env"))[0] as Record<string, string>
        assert.notProperty(env, "HOLDFAST_TEST_SECRET")
        assert.strictEqual(env["GIVEN"], "yes")
        assert.strictEqual(env["PATH"], process.env["PATH"])
      }))

    it.live("signals end when the scope is closed", () =>
      Effect.gen(function*() {
        const connection = yield* Effect.scoped(connect())
        const [rest, done] = yield* connection.signals.takeAll
        assert.strictEqual(rest.length, 0)
        assert.isTrue(done)
      }))
  })
})
