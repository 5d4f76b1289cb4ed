import * as acp from "@agentclientprotocol/sdk"
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { leakFreeFile } from "holdfast/testing/vitest"
import type { SessionEvent } from "../../../src/domain/AgentEvent.js"
import * as Content from "../../../src/domain/Content.js"
import type { ElicitationRequest } from "../../../src/domain/Elicitation.js"
import { AgentDied } from "../../../src/domain/Errors.js"
import { ElicitationId, SessionId } from "../../../src/domain/Ids.js"
import * as Hosting from "../../../src/gateway/acp/Hosting.js"
import * as ScriptedAgent from "../../../src/testing/ScriptedAgent.js"
import * as Harness from "../../session/Harness.js"
import * as Fixture from "./fixture.js"

leakFreeFile()

const permission: ElicitationRequest = {
  kind: "permission",
  message: "May I?",
  options: [{ optionId: "yes", name: "Allow", kind: "allow_once" }, { optionId: "no", name: "No", kind: "reject_once" }]
}
const form: ElicitationRequest = {
  kind: "form",
  message: "Who?",
  schema: { type: "object", properties: { name: { type: "string", minLength: 2 } }, required: ["name"] }
}

const died = new AgentDied({ exitCode: 3, signal: null, stderr: "", message: "boom" })

const modes = [{ id: "ask", name: "Ask" }, { id: "code", name: "Code" }]
const options = [
  { id: "fast", name: "Fast", type: "boolean", currentValue: true },
  {
    id: "model",
    name: "Model",
    type: "select",
    currentValue: "small",
    options: [{ value: "small", name: "Small" }, { value: "big", name: "Big" }]
  }
]

/** Says what its prompt tells: `say N`, `ask`, `form`, `both`, `wait`; anything else is repeated. */
const scripted = (gate: Effect.Effect<unknown> = Effect.never) =>
  ScriptedAgent.make({
    begins: [{ type: "ModeChanged", modeId: "ask", available: modes }, { type: "ConfigChanged", options }],
    turn: ({ ask, content, say }) => {
      const text = Content.toText(content)
      const [word, argument] = text.split(" ")
      const tell = (text: string) => say({ type: "TextChunk", text })
      const told = (request: ElicitationRequest) =>
        Effect.flatMap(ask(request), (answer) => tell(JSON.stringify(Option.getOrNull(answer))))
      switch (word) {
        case "say":
          return Effect.forEach(Array.from({ length: Number(argument) }, (_, n) => `${n} `), tell, { discard: true })
        case "ask":
          return told(permission)
        case "form":
          return told(form)
        case "both":
          return Effect.all([told(permission), told({ ...permission, message: "And?" })], {
            concurrency: 2,
            discard: true
          })
        case "wait":
          return Effect.zipRight(tell("waiting "), Effect.zipRight(gate, tell("done")))
        default:
          return tell(`you said ${text}`)
      }
    }
  })

/** Sessions with the scripted agent, and a first editor. */
const setting = (fixture: Fixture.Options = {}, gate?: Effect.Effect<unknown>) =>
  Effect.gen(function*() {
    const harness = yield* Harness.make([yield* scripted(gate)])
    const hosting = Hosting.ofSessions(harness.sessions)
    const editor = yield* Fixture.connect(hosting, fixture)
    return { ...harness, hosting, editor, another: (options?: Fixture.Options) => Fixture.connect(hosting, options) }
  })

const numbers = (count: number) => Array.from({ length: count }, (_, n) => `${n} `).join("")
const id = (sessionId: string) => SessionId.make(sessionId)

describe("AcpServer", () => {
  describe("sessions", () => {
    it.scopedLive("a new session tells its modes and options, a prompt ends after the last update of its turn", () =>
      Effect.gen(function*() {
        const { editor } = yield* setting()
        expect(editor.initialized).toMatchObject({
          protocolVersion: 1,
          agentInfo: { name: "holdfast", version: "1.2.3" },
          agentCapabilities: { loadSession: true, sessionCapabilities: { list: {}, resume: {}, delete: {} } },
          authMethods: []
        })
        const session = yield* editor.open()
        expect(session.opened).toMatchObject({
          modes: { currentModeId: "ask", availableModes: modes },
          configOptions: options
        })
        const { stopReason } = yield* session.prompt("say 3000")
        expect([stopReason, session.said()]).toStrictEqual(["end_turn", numbers(3000)])
        // its own prompt is on the editor's screen already, and the modes were told
        expect(session.updates().map(({ sessionUpdate }) => sessionUpdate)).toStrictEqual(
          Array.from({ length: 3000 }, () => "agent_message_chunk")
        )
      }))

    it.scopedLive("what an agent says before its session is answered is told after the editor knows the session", () =>
      Effect.gen(function*() {
        const agent = yield* ScriptedAgent.make({
          onConnect: ({ say }) => say({ type: "TextChunk", text: "early" }),
          turn: () => Effect.void
        })
        const { sessions } = yield* Harness.make([agent])
        const editor = yield* Fixture.connect(Hosting.ofSessions(sessions))
        const session = yield* editor.open()
        yield* Fixture.until("what was said early", () => session.said() === "early")
        expect(editor.lines.findIndex((line) => line.includes("\"result\":{\"sessionId\""))).toBeLessThan(
          editor.lines.findIndex((line) => line.includes("early"))
        )
      }))

    it.scopedLive("session/load replays what was said, and follows: also a turn that somebody else has begun", () =>
      Effect.gen(function*() {
        const gate = yield* Deferred.make<void>()
        const { another, editor, prompt, seen } = yield* setting({}, Deferred.await(gate))
        const session = yield* editor.open()
        yield* session.prompt("say 600")
        yield* prompt(id(session.sessionId), "wait")
        yield* seen(id(session.sessionId), "TextChunk", 601)
        const loaded = yield* (yield* another()).load(session.sessionId)
        expect(loaded.opened).toMatchObject({ modes: { currentModeId: "ask" }, configOptions: options })
        expect([loaded.heard(), loaded.said()]).toStrictEqual(["say 600wait", `${numbers(600)}waiting `])
        yield* Deferred.succeed(gate, void 0)
        yield* Fixture.until("the end of the turn", () => loaded.said().endsWith("waiting done"))
        // the first editor sees the other's turn too, and its own prompt only once
        yield* Fixture.until("the same in the first", () => session.said() === loaded.said())
        expect(session.heard()).toBe("wait")
      }))

    it.scopedLive("a session that is loaded twice on one connection is told from the beginning, and once from there", () =>
      Effect.gen(function*() {
        const { editor } = yield* setting()
        const session = yield* editor.open()
        yield* session.prompt("hi")
        yield* editor.load(session.sessionId)
        expect(session.said()).toBe("you said hiyou said hi")
        yield* session.prompt("ho")
        expect(session.said()).toBe("you said hiyou said hiyou said ho")
      }))

    it.scopedLive("session/resume replays nothing, and tells the modes of now", () =>
      Effect.gen(function*() {
        const { another, editor } = yield* setting()
        const session = yield* editor.open()
        yield* session.prompt("before")
        yield* editor.call((agent) =>
          agent.request(acp.methods.agent.session.setMode, { sessionId: session.sessionId, modeId: "code" })
        )
        const resumed = yield* (yield* another()).resume(session.sessionId)
        expect(resumed.opened).toMatchObject({ modes: { currentModeId: "code" } })
        yield* resumed.prompt("after")
        expect(resumed.said()).toBe("you said after")
      }))

    it.scopedLive("several sessions go on at once over one connection", () =>
      Effect.gen(function*() {
        const { editor } = yield* setting()
        const sessions = yield* Effect.all(Array.from({ length: 5 }, () => editor.open()), { concurrency: "unbounded" })
        yield* Effect.forEach(sessions, (session) => session.prompt("say 500"), { concurrency: "unbounded" })
        for (const session of sessions) expect(session.said()).toBe(numbers(500))
      }))

    it.scopedLive(
      "the list has the agent's open sessions, newest first, page by page; one that is deleted is not in it",
      () =>
        Effect.gen(function*() {
          const { editor, open } = yield* setting()
          const ids = (yield* Effect.all(Array.from({ length: 103 }, () => open))).toReversed()
          const list = (params: acp.ListSessionsRequest) =>
            editor.call((agent) => agent.request(acp.methods.agent.session.list, params))
          const listed: Array<string> = []
          let cursor: string | null | undefined = null
          do {
            const page: acp.ListSessionsResponse = yield* list({ cursor })
            listed.push(...page.sessions.map(({ sessionId }) => sessionId))
            cursor = page.nextCursor
          } while (cursor != null)
          expect(listed).toStrictEqual(ids)
          const [gone = "", ...left] = ids
          yield* editor.call((agent) => agent.request(acp.methods.agent.session.delete, { sessionId: gone }))
          expect((yield* list({})).sessions[0]?.sessionId).toBe(left[0])
          expect((yield* list({ cwd: "/nowhere" })).sessions).toStrictEqual([])
          const other = yield* Fixture.connect((yield* setting()).hosting, { agent: "another" })
          const nothing = yield* other.call((agent) => agent.request(acp.methods.agent.session.list, {}))
          expect(nothing.sessions).toStrictEqual([])
        }),
      60_000
    )

    it.scopedLive("events that the log has not kept are told of, and the rest is replayed", () =>
      Effect.gen(function*() {
        const { editor, log } = yield* setting()
        const session = yield* editor.open()
        yield* session.prompt("say 10")
        yield* log.trim(id(session.sessionId), 12)
        const again = yield* editor.load(session.sessionId)
        expect(again.notices()).toStrictEqual(["what happened before event 12 is not kept any more"])
      }))
  })

  describe("settings", () => {
    it.scopedLive("a mode and an option are set where the agent is, and told to all who are attached", () =>
      Effect.gen(function*() {
        const { another, editor } = yield* setting()
        const session = yield* editor.open()
        const other = yield* (yield* another({ capabilities: {} })).load(session.sessionId)
        // a client that does not know boolean options is not shown any
        expect(other.opened.configOptions?.map((option) => option.id)).toStrictEqual(["model"])
        const { sessionId } = session
        yield* editor.call((agent) => agent.request(acp.methods.agent.session.setMode, { sessionId, modeId: "code" }))
        const { configOptions } = yield* editor.call((agent) =>
          agent.request(acp.methods.agent.session.setConfigOption, { sessionId, configId: "model", value: "big" })
        )
        expect(configOptions).toMatchObject([{ id: "fast", currentValue: true }, { id: "model", currentValue: "big" }])
        for (const each of [session, other]) {
          yield* Fixture.until("the update", () => each.updates().length >= 2)
          expect(each.updates()[0]).toMatchObject({ sessionUpdate: "current_mode_update", currentModeId: "code" })
        }
      }))
  })

  describe("prompts", () => {
    it.scopedLive("a cancel ends the prompt as cancelled, however soon it comes", () =>
      Effect.gen(function*() {
        const { editor, types } = yield* setting()
        const session = yield* editor.open()
        const first = yield* Effect.fork(session.prompt("wait"))
        yield* Fixture.until("the turn", () => session.said() === "waiting ")
        yield* session.cancel
        expect(yield* Fiber.join(first)).toStrictEqual({ stopReason: "cancelled" })
        // on the wire right behind the prompt
        const second = yield* Effect.fork(session.prompt("wait"))
        yield* Effect.yieldNow()
        yield* session.cancel
        expect(yield* Fiber.join(second)).toStrictEqual({ stopReason: "cancelled" })
        expect((yield* session.prompt("still there?")).stopReason).toBe("end_turn")
        expect((yield* types(id(session.sessionId))).filter((type) => type === "RunEnded(Completed)")).toHaveLength(1)
      }))

    it.scopedLive("a cancel is for the prompts before it: not for one behind a slow cancel, and for one that is not on its way yet", () =>
      Effect.gen(function*() {
        const { hosting } = yield* setting()
        const arrived = yield* Deferred.make<void>()
        let prompted = 0
        const editor = yield* Fixture.connect({
          ...hosting,
          prompt: (session, prompt) => Effect.suspend(() => (prompted += 1, hosting.prompt(session, prompt))),
          cancel: (session) => Effect.zipRight(Deferred.await(arrived), hosting.cancel(session))
        })
        // when this is answered, what was sent before it has been looked at
        const roundTrip = editor.call((agent) => agent.request(acp.methods.agent.session.list, {}))
        const session = yield* editor.open()
        yield* session.cancel
        const first = yield* Effect.fork(session.prompt("wait"))
        yield* Effect.zipRight(roundTrip, roundTrip)
        expect(prompted).toBe(0)
        yield* session.cancel
        const second = yield* Effect.fork(session.prompt("say 3"))
        yield* Effect.zipRight(roundTrip, roundTrip)
        yield* Deferred.succeed(arrived, void 0)
        expect(yield* Fiber.join(first)).toStrictEqual({ stopReason: "cancelled" })
        expect(yield* Fiber.join(second)).toStrictEqual({ stopReason: "end_turn" })
        expect([prompted, session.said()]).toStrictEqual([1, numbers(3)])
      }))

    it.scopedLive("a prompt whose request is taken back is cancelled, and answered so", () =>
      Effect.gen(function*() {
        const { editor, types } = yield* setting()
        const session = yield* editor.open()
        const controller = new AbortController()
        const prompt = yield* Effect.fork(
          Effect.flip(session.prompt("wait", { cancellationSignal: controller.signal }))
        )
        yield* Fixture.until("the turn", () => session.said() === "waiting ")
        controller.abort()
        expect((yield* Fiber.join(prompt)).code).toBe(-32800)
        expect((yield* types(id(session.sessionId))).at(-1)).toBe("RunEnded(Cancelled)")
      }))

    it.scopedLive("a prompt waits behind a turn that somebody else has begun", () =>
      Effect.gen(function*() {
        const gate = yield* Deferred.make<void>()
        const { editor, prompt, seen } = yield* setting({}, Deferred.await(gate))
        const session = yield* editor.open()
        yield* prompt(id(session.sessionId), "wait")
        const own = yield* Effect.fork(session.prompt("mine"))
        yield* seen(id(session.sessionId), "RunQueued")
        yield* Deferred.succeed(gate, void 0)
        expect(yield* Fiber.join(own)).toStrictEqual({ stopReason: "end_turn" })
        expect([session.heard(), session.said()]).toStrictEqual(["wait", "waiting doneyou said mine"])
      }))

    it.scopedLive("a turn that fails is an error of its prompt, and a notice for the others", () =>
      Effect.gen(function*() {
        const agent = yield* ScriptedAgent.make({ turn: ({ die }) => die(died) })
        const harness = yield* Harness.make([agent])
        const hosting = Hosting.ofSessions(harness.sessions)
        const [editor, watcher, plain] = yield* Effect.all([
          Fixture.connect(hosting),
          Fixture.connect(hosting),
          Fixture.connect(hosting, { capabilities: {} })
        ])
        const session = yield* editor.open()
        const watching = yield* watcher.load(session.sessionId)
        const reading = yield* plain.load(session.sessionId)
        const error = yield* Effect.flip(session.prompt("go"))
        expect(error).toMatchObject({ code: -32603, message: "the run failed: boom", data: { _tag: "AgentDied" } })
        // that the agent is brought back is told to all
        yield* Fixture.until("the notice", () => watching.notices().includes("the run failed: boom"))
        expect(session.notices()).not.toContain("the run failed: boom")
        yield* Fixture.until("the same as text", () => reading.said().includes("> Holdfast: the run failed: boom"))
      }))

    it.scopedLive("an editor that leaves in mid-turn leaves the turn alone", () =>
      Effect.gen(function*() {
        const gate = yield* Deferred.make<void>()
        const { another, editor, seen, types } = yield* setting({}, Deferred.await(gate))
        const session = yield* editor.open()
        yield* Effect.fork(Effect.ignore(session.prompt("wait")))
        yield* Fixture.until("the turn", () => session.said() === "waiting ")
        yield* editor.leave
        const loaded = yield* (yield* another()).load(session.sessionId)
        yield* Deferred.succeed(gate, void 0)
        yield* Fixture.until("the rest", () => loaded.said() === "waiting done")
        yield* seen(id(session.sessionId), "RunEnded")
        expect((yield* types(id(session.sessionId))).at(-1)).toBe("RunEnded(Completed)")
      }))

    it.scopedLive("RS5 a dropped prompt says why", () =>
      Effect.gen(function*() {
        const { editor, prompt, seen, sessions } = yield* setting()
        const session = yield* editor.open()
        yield* prompt(id(session.sessionId), "wait")
        const own = yield* Effect.fork(Effect.flip(session.prompt("mine")))
        yield* seen(id(session.sessionId), "RunQueued")
        yield* sessions.close(id(session.sessionId))
        expect((yield* Fiber.join(own)).message).toBe("the prompt was dropped: the session was closed")
        expect((yield* Effect.flip(session.prompt("more"))).message).toBe(`session ${session.sessionId} is closed`)
      }))

    it.scopedLive("EL2 a cursor that fails ends the prompt, and the next one goes on from where it was", () =>
      Effect.gen(function*() {
        const { hosting } = yield* setting()
        let broken = false
        const editor = yield* Fixture.connect({
          ...hosting,
          events: (session, after) =>
            hosting.events(session, after).pipe(
              Stream.tap(({ event }) => {
                if (event.type !== "TextChunk" || event.text !== "500 " || broken) return Effect.void
                broken = true
                return Effect.fail({ _tag: "LimitReached", message: "too many streams" })
              })
            )
        })
        const session = yield* editor.open()
        const error = yield* Effect.flip(session.prompt("say 1000"))
        expect(error).toMatchObject({ message: "too many streams", data: { _tag: "LimitReached" } })
        expect(session.said()).toBe(numbers(500))
        yield* session.prompt("again")
        expect(session.said()).toBe(`${numbers(1000)}you said again`)
      }))
  })

  describe("questions", () => {
    it.scopedLive("EB3 each question comes to the editor, and each answer to the one who asked", () =>
      Effect.gen(function*() {
        const { editor } = yield* setting()
        const session = yield* editor.open()
        const prompt = yield* Effect.fork(session.prompt("both"))
        const [first, second] = [yield* editor.asked(0), yield* editor.asked(1)]
        expect([first, second].map(({ params }) => params.toolCall?.title)).toStrictEqual(["May I?", "And?"])
        expect(first.params.options).toStrictEqual(permission.kind === "permission" ? permission.options : [])
        yield* second.answer(Fixture.select("no"))
        yield* first.answer(Fixture.select("yes"))
        yield* Fiber.join(prompt)
        expect(session.said()).toContain("{\"action\":\"accept\",\"content\":{\"optionId\":\"yes\"}}")
        expect(session.said()).toContain("{\"action\":\"accept\",\"content\":{\"optionId\":\"no\"}}")
      }))

    const stored = (...events: ReadonlyArray<SessionEvent>) =>
      events.map((event, index) => ({ seq: index + 1, sessionId: id("ses_1"), at: "2026-11-21T02:00:00.000Z", event }))
    const opened: SessionEvent = { type: "SessionOpened", agent: "scripted", cwd: "/" }
    const elicitationId = ElicitationId.make("eli_1")
    const requested: SessionEvent = {
      type: "ElicitationRequested",
      elicitation: { ...permission, id: elicitationId, sessionId: id("ses_1") }
    }

    it.scopedLive("AG4 what an agent says right behind its question comes behind it", () =>
      Effect.gen(function*() {
        const log = stored(opened, requested, { type: "TextChunk", text: "right behind" })
        const editor = yield* Fixture.connect(Fixture.ofEvents(log, 1))
        const session = yield* editor.load("ses_1")
        yield* editor.asked()
        yield* Fixture.until("what it said", () => session.said() === "right behind")
        const at = (text: string) => editor.lines.findIndex((line) => line.includes(text))
        expect(at("session/request_permission")).toBeLessThan(at("right behind"))
      }))

    it.scopedLive("EB8 a question that has ended before the editor came is not asked, wherever the pages of the log end", () =>
      Effect.gen(function*() {
        const settled: SessionEvent = { type: "ElicitationSettled", elicitationId, outcome: { _tag: "Expired" } }
        const log = stored(opened, requested, settled, { type: "TextChunk", text: "the end" })
        for (const [head, page] of [[4, 1], [4, 9], [1, 9]] as const) {
          const editor = yield* Fixture.connect(Fixture.ofEvents(log, head, page))
          const session = yield* editor.load("ses_1")
          yield* Fixture.until("the end", () => session.said() === "the end")
          expect(editor.questions).toStrictEqual([])
        }
      }))

    it.scopedLive("EB2 an answer that is given elsewhere takes the question back in every editor", () =>
      Effect.gen(function*() {
        const { another, asked, editor, sessions } = yield* setting()
        const other = yield* another()
        const session = yield* editor.open()
        yield* other.load(session.sessionId)
        const prompt = yield* Effect.fork(session.prompt("ask"))
        const both = [yield* editor.asked(), yield* other.asked()]
        yield* sessions.answer(id(session.sessionId), yield* asked(id(session.sessionId)), { action: "decline" })
        yield* Fiber.join(prompt)
        yield* Fixture.until("both are taken back", () => both.every(({ withdrawn }) => withdrawn()))
      }))

    it.scopedLive("EB2 of two editors one answers, and the other's question is taken back", () =>
      Effect.gen(function*() {
        const { another, editor } = yield* setting()
        const other = yield* another()
        const session = yield* editor.open()
        yield* other.load(session.sessionId)
        const prompt = yield* Effect.fork(session.prompt("ask"))
        const [mine, theirs] = [yield* editor.asked(), yield* other.asked()]
        yield* theirs.answer(Fixture.select("yes"))
        yield* Fiber.join(prompt)
        expect(session.said()).toContain("yes")
        yield* Fixture.until("it is taken back", mine.withdrawn)
        expect(theirs.withdrawn()).toBe(false)
      }))

    it.scopedLive("EB8 an editor that comes later is asked what still waits, and nothing else", () =>
      Effect.gen(function*() {
        const { another, editor } = yield* setting()
        const session = yield* editor.open()
        const settled = yield* Effect.fork(session.prompt("ask"))
        yield* Effect.flatMap(editor.asked(), ({ answer }) => answer(Fixture.select("no")))
        yield* Fiber.join(settled)
        const open = yield* Effect.fork(session.prompt("form"))
        yield* editor.asked(1)
        for (const attach of ["load", "resume"] as const) {
          const other = yield* another()
          yield* other[attach](session.sessionId)
          expect((yield* other.asked()).params).toMatchObject({ mode: "form", message: "Who?" })
          expect(other.questions).toHaveLength(1)
          if (attach === "resume") {
            yield* Effect.flatMap(other.asked(), ({ answer }) => answer({ action: "accept", content: { name: "Ann" } }))
          }
        }
        yield* Fiber.join(open)
        expect(session.said()).toContain("{\"name\":\"Ann\"}")
      }))

    it.scopedLive("EB7 a form that does not fit is asked again with its faults, a few times", () =>
      Effect.gen(function*() {
        const { asked, editor, sessions } = yield* setting()
        const session = yield* editor.open()
        const prompt = yield* Effect.fork(session.prompt("form"))
        for (let index = 0; index < 3; index++) {
          const question = yield* editor.asked(index)
          if (index > 0) expect(question.params.message).toMatch(/^Who\?\n\n.*name/s)
          yield* question.answer({ action: "accept", content: { name: "x" } })
        }
        yield* Fixture.until("a notice", () => session.notices().length > 0)
        expect(session.notices()[0]).toMatch(/still waits for an answer/)
        expect(editor.questions).toHaveLength(3)
        yield* sessions.answer(id(session.sessionId), yield* asked(id(session.sessionId)), { action: "cancel" })
        yield* Fiber.join(prompt)
      }))

    it.scopedLive("EB8 what the editor cannot ask, or will not, waits for somebody else", () =>
      Effect.gen(function*() {
        const { another, asked, editor, sessions } = yield* setting({ capabilities: { session: { notices: {} } } })
        const session = yield* editor.open()
        const refusing = yield* another()
        const other = yield* refusing.load(session.sessionId)
        const prompt = yield* Effect.fork(session.prompt("form"))
        yield* Effect.flatMap(refusing.asked(), ({ answer }) =>
          answer(acp.RequestError.methodNotFound("elicitation/create")))
        for (const each of [session, other]) {
          yield* Fixture.until("a notice", () =>
            each.notices().length > 0)
          expect(each.notices()[0]).toMatch(/waits for an answer/)
        }
        expect(editor.questions).toStrictEqual([])
        yield* sessions.answer(id(session.sessionId), yield* asked(id(session.sessionId)), {
          action: "accept",
          content: { name: "Bob" }
        })
        yield* Fiber.join(prompt)
        expect(session.said()).toContain("Bob")
      }))

    it.scopedLive("a cancel of the turn takes its questions back", () =>
      Effect.gen(function*() {
        const { editor } = yield* setting()
        const session = yield* editor.open()
        const prompt = yield* Effect.fork(session.prompt("ask"))
        const question = yield* editor.asked()
        yield* session.cancel
        expect((yield* Fiber.join(prompt)).stopReason).toBe("cancelled")
        yield* Fixture.until("it is taken back", question.withdrawn)
      }))
  })

  describe("an editor that does not read", () => {
    it.scopedLive("EL3 holds up nobody: the turn ends, others see it, and then it gets everything in order", () =>
      Effect.gen(function*() {
        const { another, editor, seen } = yield* setting()
        const session = yield* editor.open()
        const other = yield* (yield* another()).load(session.sessionId)
        yield* editor.reading.close
        const prompt = yield* Effect.fork(session.prompt("say 5000"))
        yield* seen(id(session.sessionId), "RunEnded")
        yield* Fixture.until("the other has it all", () => other.said() === numbers(5000))
        // one page waits to be written, and nothing is behind it
        expect(editor.waiting()).toBe(1)
        expect(session.said()).toBe("")
        yield* editor.reading.open
        yield* Fiber.join(prompt)
        expect(session.said()).toBe(numbers(5000))
      }))

    it.scopedLive("it can leave all the same", () =>
      Effect.gen(function*() {
        const { editor } = yield* setting()
        const session = yield* editor.open()
        yield* editor.reading.close
        yield* Effect.fork(Effect.ignore(session.prompt("say 5000")))
        yield* Fixture.until("it is stuck", () => editor.waiting() === 1)
        yield* editor.leave
      }))
  })

  describe("what is wrong is said", () => {
    it.scopedLive("of sessions, folders and prompts", () =>
      Effect.gen(function*() {
        const { editor, open, another } = yield* setting()
        const fault = (request: (agent: acp.ClientContext) => Promise<unknown>) =>
          Effect.map(Effect.flip(editor.call(request)), ({ code, message }) => [code, message])
        const { list: _, ...session } = acp.methods.agent.session
        const create = (cwd: string) => (agent: acp.ClientContext) =>
          agent.request(session.new, { cwd, mcpServers: [] })
        expect(yield* fault(create("src"))).toStrictEqual([-32602, "cwd must be an absolute path, not \"src\""])
        expect(yield* fault(create("/no/such"))).toStrictEqual([-32602, "the working folder /no/such is not a folder"])
        const load = (sessionId: string) => (agent: acp.ClientContext) =>
          agent.request(session.load, { sessionId, cwd: "/", mcpServers: [] })
        expect(yield* fault(load("ses_nowhere"))).toStrictEqual([-32002, "there is no session ses_nowhere"])
        expect(yield* fault(load("../../etc"))).toStrictEqual([-32002, "there is no session ../../etc"])
        const sessionId = yield* open
        expect(yield* fault((agent) => agent.request(session.prompt, { sessionId, prompt: [] }))).toStrictEqual([
          -32002,
          `session ${sessionId} is not open on this connection; session/load or session/resume opens it`
        ])
        yield* editor.load(sessionId)
        expect(yield* fault((agent) => agent.request(session.prompt, { sessionId, prompt: [] }))).toStrictEqual([
          -32602,
          "the prompt is empty"
        ])
        expect((yield* fault((agent) => agent.request(acp.methods.agent.authenticate, { methodId: "x" })))[0]).toBe(
          -32602
        )
        // a tab that is closed must not stop a turn: there is no such method
        expect((yield* fault((agent) => agent.request(session.close, { sessionId })))[0]).toBe(-32601)
        const stranger = yield* another({ agent: "stranger" })
        const error = yield* Effect.flip(stranger.open())
        expect([error.code, error.message]).toStrictEqual([
          -32602,
          "there is no agent \"stranger\"; there are: scripted"
        ])
      }))

    it.scopedLive("of MCP servers, which the agent has from elsewhere", () =>
      Effect.gen(function*() {
        const { editor } = yield* setting()
        const { sessionId } = yield* editor.call((agent): Promise<acp.NewSessionResponse> =>
          agent.request(acp.methods.agent.session.new, {
            cwd: "/",
            mcpServers: [{ name: "files", command: "mcp-files", args: [], env: [{ name: "KEY", value: "secret" }] }]
          })
        )
        yield* Fixture.until("a notice", () => editor.updates.length > 0)
        expect(editor.updates[0]).toMatchObject({
          sessionId,
          update: { sessionUpdate: "notice", severity: "warning", title: expect.stringContaining("(files)") }
        })
        expect(editor.lines.join("")).not.toContain("secret")
      }))
  })
})
