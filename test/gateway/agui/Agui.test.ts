import { EventType, type Message } from "@ag-ui/core"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as Content from "../../../src/domain/Content.js"
import type { ElicitationAnswer, ElicitationRequest } from "../../../src/domain/Elicitation.js"
import { AgentDied } from "../../../src/domain/Errors.js"
import * as EventLog from "../../../src/log/EventLog.js"
import * as ScriptedAgent from "../../../src/testing/ScriptedAgent.js"
import { client, over, type Running, silent, start, texts } from "./fixture.js"

leakFreeFile()
silent()

const text = (text: string) => ({ type: "TextChunk", text }) as const
const died = new AgentDied({ exitCode: 3, signal: null, stderr: "", message: "it crashed" })
const { RUN_ERROR, RUN_FINISHED, RUN_STARTED } = EventType

/** The only session. */
const sessionOf = ({ sessions }: Running) =>
  Effect.flatMap(
    sessions.list({ status: Option.none(), after: Option.none(), limit: 2 }),
    ([session]) => Effect.orDie(Effect.fromNullable(session))
  )

/** Waits until the session's log holds an event of this type. */
const seen = (running: Running, type: string) =>
  Effect.flatMap(sessionOf(running), ({ id }) =>
    running.sessions.events({ session: id, after: 0 }).pipe(
      Stream.filter((entry) => entry.type === type),
      Stream.take(1),
      Stream.runDrain
    ))

describe("a run", () => {
  it.scopedLive("text", () =>
    Effect.gen(function*() {
      const running = yield* start(({ say }) => Effect.zipRight(say(text("Hello")), say(text(" there"))))
      const { agent, say } = client(running)
      const ran = yield* say("hi")
      expect(ran.error).toBeUndefined()
      expect(ran.types).toEqual([
        RUN_STARTED,
        EventType.STATE_SNAPSHOT,
        EventType.TEXT_MESSAGE_START,
        EventType.TEXT_MESSAGE_CONTENT,
        EventType.TEXT_MESSAGE_CONTENT,
        EventType.TEXT_MESSAGE_END,
        RUN_FINISHED
      ])
      const { id } = yield* sessionOf(running)
      expect(ran.events[0]).toMatchObject({ threadId: "a thread", metadata: { holdfast: { sessionId: id } } })
      expect(ran.last).toMatchObject({ outcome: { type: "success" }, result: { stopReason: "end_turn" } })
      expect(texts(agent.messages)).toEqual(["user: hi", "assistant: Hello there"])
    }))

  it.scopedLive("reasoning, then text", () =>
    Effect.gen(function*() {
      const running = yield* start(({ say }) =>
        Effect.zipRight(say({ type: "ThoughtChunk", text: "Hm." }), say(text("Yes")))
      )
      const { agent, say } = client(running)
      expect((yield* say("hi")).error).toBeUndefined()
      expect(texts(agent.messages)).toEqual(["user: hi", "reasoning: Hm.", "assistant: Yes"])
    }))

  it.scopedLive("tools side by side, with their progress and results", () =>
    Effect.gen(function*() {
      const running = yield* start(({ say }) =>
        Effect.forEach(
          [
            {
              type: "ToolCallStarted",
              toolCallId: "a",
              title: "A",
              kind: "read",
              status: "pending",
              rawInput: { p: 1 }
            },
            { type: "ToolCallStarted", toolCallId: "b", title: "B", kind: "read", status: "pending" },
            { type: "ToolCallUpdated", toolCallId: "b", status: "in_progress", rawInput: { p: 2 } },
            { type: "TextChunk", text: "both run" },
            { type: "ToolCallEnded", toolCallId: "b", status: "completed", rawOutput: "two" },
            { type: "ToolCallEnded", toolCallId: "a", status: "failed", rawOutput: "one" }
          ] as const,
          say,
          { discard: true }
        )
      )
      const { agent, say } = client(running)
      expect((yield* say("go")).error).toBeUndefined()
      const told = agent.messages.map((message: Message) =>
        message.role === "assistant" && message.toolCalls !== undefined
          ? `call ${message.toolCalls[0]?.function.arguments}`
          : message.role === "activity"
          ? `${message.activityType} ${message.content["status"]}`
          : `${message.role} ${message.content}`
      )
      expect(told).toEqual([
        "user go",
        "call {\"p\":1}",
        "tool one",
        "call {\"p\":2}",
        "tool two",
        "holdfast.tool_call completed",
        "assistant both run"
      ])
    }))

  it.scopedLive("plan, usage, mode and commands are the state", () =>
    Effect.gen(function*() {
      const running = yield* start(({ say }) =>
        Effect.forEach(
          [
            { type: "PlanUpdated", entries: [{ content: "a", priority: "low", status: "pending" }] },
            { type: "UsageUpdated", used: 1, size: 2 },
            { type: "ModeChanged", modeId: "ask" },
            { type: "CommandsChanged", commands: [{ name: "x", description: "y" }] }
          ] as const,
          say,
          { discard: true }
        )
      )
      const { agent, say } = client(running)
      agent.setState({ mine: "kept" })
      expect((yield* say("go")).error).toBeUndefined()
      const { id } = yield* sessionOf(running)
      expect(agent.state).toMatchObject({
        mine: "kept",
        holdfast: {
          sessionId: id,
          agent: "scripted",
          plan: [{ content: "a" }],
          usage: { used: 1 },
          mode: { modeId: "ask" },
          commands: [{ name: "x" }],
          connection: { status: "connected" }
        }
      })
    }))

  it.scopedLive("an agent that fails is RUN_ERROR, one that dies too, and the thread goes on", () =>
    Effect.gen(function*() {
      const running = yield* start(({ content, die, say }) => {
        switch (Content.toText(content)) {
          case "fail":
            return Effect.zipRight(say(text("I ")), Effect.fail(died))
          case "die":
            return Effect.zipRight(say(text("I ")), die(died))
          default:
            return say(text("fine"))
        }
      })
      const { agent, say } = client(running)
      for (const how of ["fail", "die"]) {
        const ran = yield* say(how)
        expect(ran.error).toBeUndefined()
        expect(ran.types.slice(-2)).toEqual([EventType.TEXT_MESSAGE_END, RUN_ERROR])
        expect(ran.last).toMatchObject({ message: "it crashed", code: "AgentDied" })
      }
      const ran = yield* say("hello")
      expect(ran.last).toMatchObject({ type: RUN_FINISHED, outcome: { type: "success" } })
      expect(texts(agent.messages).at(-1)).toBe("assistant: fine")
    }))

  it.scopedLive("RS3 a closed connection stops nothing; a cancel does, and is told as such", () =>
    Effect.gen(function*() {
      const running = yield* start(({ say }) => Effect.zipRight(say(text("I start")), Effect.never))
      const first = client(running)
      const left = yield* first.say("go", {}, ({ type }) => {
        if (type === EventType.TEXT_MESSAGE_CONTENT) first.agent.abortRun()
      })
      expect(left.last).toMatchObject({ type: RUN_ERROR, code: "abort" })
      const { id, status } = yield* sessionOf(running)
      expect(status).toBe("running")

      const second = client(running)
      const joined = yield* Effect.fork(second.run({}, ({ type }) => {
        if (type === EventType.TEXT_MESSAGE_START) Effect.runFork(running.sessions.cancel(id))
      }))
      const ran = yield* Fiber.join(joined)
      expect(ran.error).toBeUndefined()
      expect(ran.last).toMatchObject({ type: RUN_FINISHED, outcome: { type: "cancelled" } })
      expect(texts(second.agent.messages)).toEqual(["user: go", "assistant: I start"])
    }))

  it.scopedLive("a thread is the same session in the gateway's next life, where a run that was lost is an error", () =>
    Effect.gen(function*() {
      const first = yield* Scope.make()
      const agent = yield* ScriptedAgent.make({
        turn: ({ content, say }) =>
          Effect.zipRight(say(text("I start")), Content.toText(content) === "hang" ? Effect.never : Effect.void)
      })
      const log = yield* Effect.map(Layer.build(EventLog.layerMemory), Context.get(EventLog.EventLog))
      const before = yield* Scope.extend(over(log, [agent]), first)
      const old = client(before)
      const cut = yield* Effect.fork(old.say("hang", { runId: "a run" }, ({ type }) => {
        if (type === EventType.TEXT_MESSAGE_CONTENT) Effect.runFork(Scope.close(first, Exit.void))
      }))
      // the official client takes a stream that just ends for a success
      expect((yield* Fiber.join(cut)).types.at(-1)).toBe(EventType.TEXT_MESSAGE_CONTENT)
      yield* Scope.close(first, Exit.void)

      const after = yield* over(log, [agent])
      const again = client(after)
      const lost = yield* again.say("hang", { runId: "a run" })
      expect(lost.last).toMatchObject({ type: RUN_ERROR, code: "Lost", message: "Holdfast was shut down" })
      const next = yield* again.say("hello")
      expect(next.last).toMatchObject({ type: RUN_FINISHED, outcome: { type: "success" } })
      expect(yield* after.sessions.list({ status: Option.none(), after: Option.none(), limit: 9 })).toHaveLength(1)
    }))
})

describe("a question", () => {
  const permission = {
    kind: "permission",
    message: "May I?",
    toolCallId: "t",
    options: [
      { optionId: "yes", name: "Yes", kind: "allow_once" },
      { optionId: "no", name: "No", kind: "reject_once" }
    ]
  } as const
  const form = {
    kind: "form",
    message: "Who are you?",
    schema: {
      properties: { name: { type: "string", minLength: 2 }, age: { type: "integer", default: 7 } },
      required: ["name"]
    }
  } as const

  const told = (answer: Option.Option<ElicitationAnswer>) => text(`told ${JSON.stringify(Option.getOrNull(answer))}`)

  const asking = (...requests: ReadonlyArray<ElicitationRequest>) =>
    start(({ ask, say }) =>
      say({ type: "ToolCallStarted", toolCallId: "t", title: "rm", kind: "execute", status: "pending", rawInput: {} })
        .pipe(
          Effect.zipRight(
            Effect.forEach(requests, (request) => Effect.flatMap(ask(request), (answer) => say(told(answer))), {
              concurrency: "unbounded"
            })
          ),
          Effect.zipRight(say({ type: "ToolCallEnded", toolCallId: "t", status: "completed", rawOutput: "done" }))
        )
    )

  it.scopedLive("ends the run while the turn waits, and the answer carries on the same turn", () =>
    Effect.gen(function*() {
      const running = yield* asking(permission)
      const { agent, resume, say } = client(running)
      const asked = yield* say("go")
      expect(asked.error).toBeUndefined()
      const [interrupt] = agent.pendingInterrupts
      const start = asked.events.find(({ type }) => type === EventType.TOOL_CALL_START)
      expect(interrupt).toMatchObject({
        reason: "tool_call",
        message: "May I?",
        toolCallId: start?.type === EventType.TOOL_CALL_START ? start.toolCallId : "",
        responseSchema: { properties: { optionId: { enum: ["yes", "no"] } }, required: ["optionId"] },
        metadata: { holdfast: { kind: "permission", options: permission.options } }
      })
      const { run, status } = yield* sessionOf(running)
      expect(status).toBe("waiting")

      const ran = yield* resume(() => ({ status: "resolved", payload: { optionId: "yes" } }))
      expect(ran.error).toBeUndefined()
      expect(ran.events[0]).toMatchObject({ type: RUN_STARTED, metadata: { holdfast: { runId: run } } })
      // the call was told before: it is not told again, only answered
      expect(ran.types.filter((type) => /TOOL/.test(type))).toEqual([
        EventType.TOOL_CALL_START,
        EventType.TOOL_CALL_ARGS,
        EventType.TOOL_CALL_END,
        EventType.TOOL_CALL_RESULT
      ])
      expect(ran.last).toMatchObject({ outcome: { type: "success" } })
      expect(agent.pendingInterrupts).toEqual([])
      expect(texts(agent.messages)).toEqual([
        "user: go",
        "tool: done",
        "assistant: told {\"action\":\"accept\",\"content\":{\"optionId\":\"yes\"}}"
      ])
      const { id } = yield* sessionOf(running)
      const turns = yield* running.sessions.history({ session: id, after: 0 }).pipe(
        Stream.filter(({ type }) => type === "RunStarted"),
        Stream.runCount
      )
      expect(turns).toBe(1)
    }))

  const page = { kind: "url", message: "Look", url: "https://example.com/" } as const
  const answers: ReadonlyArray<readonly [string, ElicitationRequest, unknown, ElicitationAnswer]> = [
    ["a plain yes", permission, { approved: true }, { action: "accept", content: { optionId: "yes" } }],
    ["a plain no", permission, { approved: false }, { action: "accept", content: { optionId: "no" } }],
    ["a form, its defaults filled in", form, { name: "Ada" }, { action: "accept", content: { name: "Ada", age: 7 } }],
    ["a page", page, { approved: true }, { action: "accept" }],
    ["a page that nobody wants to see", page, false, { action: "decline" }],
    ["a yes or no", { kind: "confirmation", message: "Sure?" }, { approved: false }, { action: "decline" }]
  ]
  for (const [name, question, payload, answer] of answers) {
    it.scopedLive(name, () =>
      Effect.gen(function*() {
        const running = yield* asking(question)
        const { agent, resume, say } = client(running)
        yield* say("go")
        expect(agent.pendingInterrupts).toHaveLength(1)
        const ran = yield* resume(() => ({ status: "resolved", payload }))
        expect(ran.last).toMatchObject({ type: RUN_FINISHED, outcome: { type: "success" } })
        expect(texts(agent.messages)).toContain(`assistant: told ${JSON.stringify(answer)}`)
      }))
  }

  it.scopedLive("given up, and declined", () =>
    Effect.gen(function*() {
      const running = yield* asking(form)
      const { agent, resume, say } = client(running)
      yield* say("go")
      yield* resume(() => ({ status: "cancelled" }))
      yield* say("again")
      yield* resume(() => ({ status: "resolved", metadata: { holdfast: { action: "decline" } } }))
      expect(texts(agent.messages).filter((each) => each.startsWith("assistant"))).toEqual([
        "assistant: told {\"action\":\"cancel\"}",
        "assistant: told {\"action\":\"decline\"}"
      ])
    }))

  it.scopedLive("EB3 two at once are two interrupts, and each answer goes to its own", () =>
    Effect.gen(function*() {
      const running = yield* asking({ ...permission, message: "first" }, { ...form, message: "second" })
      const { agent, resume, run, say } = client(running)
      yield* say("go")
      // when both have been asked
      yield* running.sessions.events({ session: (yield* sessionOf(running)).id, after: 0 }).pipe(
        Stream.filter(({ type }) => type === "ElicitationRequested"),
        Stream.take(2),
        Stream.runDrain
      )
      agent.pendingInterrupts = []
      yield* run()
      expect(agent.pendingInterrupts.map(({ message }) => message).sort()).toEqual(["first", "second"])
      const ran = yield* resume(({ message }) => ({
        status: "resolved",
        payload: message === "first" ? { optionId: "no" } : { name: "Ada" }
      }))
      expect(ran.error).toBeUndefined()
      expect(ran.last).toMatchObject({ outcome: { type: "success" } })
      expect(texts(agent.messages).filter((each) => each.startsWith("assistant")).join()).toMatch(
        /(?=.*"optionId":"no")(?=.*"name":"Ada")/
      )
    }))

  it.scopedLive("EB7 a form that does not fit is a RUN_ERROR that says where, and stays open", () =>
    Effect.gen(function*() {
      const running = yield* asking({ ...permission, message: "first" }, form)
      const { agent, resume, run, say } = client(running)
      yield* say("go")
      yield* seen(running, "ElicitationRequested")
      agent.pendingInterrupts = []
      yield* run()
      const wrong = yield* resume(({ reason }) => ({
        status: "resolved",
        payload: reason === "input_required" ? { name: "A", colour: "red" } : { approved: true }
      }))
      expect(wrong.types).toEqual([RUN_ERROR])
      expect(wrong.last).toMatchObject({
        code: "ElicitationAnswerInvalid",
        message: expect.stringMatching(/name: Expected at least 2 characters.*colour/),
        metadata: { holdfast: { issues: expect.arrayContaining([expect.objectContaining({ path: ["name"] })]) } }
      })
      // nothing was answered, also of the others
      expect((yield* sessionOf(running)).pending).toBe(agent.pendingInterrupts.length)
      const ran = yield* resume(({ reason }) => ({
        status: "resolved",
        payload: reason === "input_required" ? { name: "Ada" } : { approved: true }
      }))
      expect(ran.error).toBeUndefined()
      expect(ran.last?.type).toBe(RUN_FINISHED)
    }))

  it.scopedLive("EB6 one that another has answered is a RUN_ERROR, and giving it up goes on", () =>
    Effect.gen(function*() {
      const running = yield* asking(permission)
      const { agent, resume, say } = client(running)
      yield* say("go")
      const { id } = yield* sessionOf(running)
      const [question] = yield* running.sessions.elicitations(id)
      const answer = { action: "accept", content: { optionId: "no" } } as const
      yield* running.sessions.answer(id, question!.id, answer)
      const late = yield* resume(() => ({ status: "resolved", payload: { optionId: "yes" } }))
      expect(late.last).toMatchObject({
        type: RUN_ERROR,
        code: "ElicitationAlreadySettled",
        metadata: { holdfast: { outcome: { _tag: "Answered", ...answer } } }
      })
      const ran = yield* resume(() => ({ status: "cancelled" }))
      expect(ran.last).toMatchObject({ outcome: { type: "success" } })
      expect(texts(agent.messages)).toContain(`assistant: told ${JSON.stringify(answer)}`)
    }))

  it.scopedLive("EB9 one that has expired is a RUN_ERROR, and giving it up goes on", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const running = yield* start(
        ({ ask, say }) =>
          Effect.flatMap(ask(permission), (answer) => Effect.zipRight(Deferred.await(gate), say(told(answer)))),
        {},
        { deadline: "1 second" }
      )
      const { agent, resume, say } = client(running)
      yield* say("go")
      expect(agent.pendingInterrupts[0]?.expiresAt).toMatch(/^\d{4}-/)
      yield* seen(running, "ElicitationSettled")
      // the official client would not send it
      agent.pendingInterrupts = agent.pendingInterrupts.map(({ expiresAt: _, ...interrupt }) => interrupt)
      const late = yield* resume(() => ({ status: "resolved", payload: { optionId: "yes" } }))
      expect(late.last).toMatchObject({ type: RUN_ERROR, code: "ElicitationAlreadySettled" })
      yield* Deferred.succeed(gate, undefined)
      const ran = yield* resume(() => ({ status: "cancelled" }))
      expect(ran.last).toMatchObject({ outcome: { type: "success" } })
      expect(texts(agent.messages)).toContain("assistant: told null")
    }))

  it.scopedLive("EB6 one that nobody asked is a RUN_ERROR", () =>
    Effect.gen(function*() {
      const running = yield* asking(permission)
      const { run, say } = client(running)
      const nowhere = yield* run({ resume: [{ interruptId: "eli_1@3", status: "cancelled" }] })
      expect(nowhere.last).toMatchObject({ type: RUN_ERROR, code: "SessionNotFound" })
      yield* say("go")
      for (const interruptId of ["eli_nobody@3", "eli_nobody", "nonsense", "eli_nobody@99999"]) {
        const other = client(running)
        const ran = yield* other.run({ resume: [{ interruptId, status: "resolved", payload: { approved: true } }] })
        expect(ran.last).toMatchObject({ type: RUN_ERROR, code: "ElicitationNotFound" })
      }
    }))

  it.scopedLive("the same answer may come twice, also when the turn is over", () =>
    Effect.gen(function*() {
      const running = yield* asking(form)
      const { agent, say } = client(running)
      yield* say("go")
      const resume = [{
        interruptId: agent.pendingInterrupts[0]!.id,
        status: "resolved" as const,
        payload: { name: "Ada" }
      }]
      const first = client(running)
      const ran = yield* first.run({ resume, runId: "the answer" })
      const second = client(running)
      const again = yield* second.run({ resume, runId: "the answer" })
      expect(again.error).toBeUndefined()
      expect(again.events).toEqual(ran.events)
    }))

  it.scopedLive("named without a place, it is answered, and the client is given the conversation", () =>
    Effect.gen(function*() {
      const running = yield* asking(permission)
      yield* client(running).say("go")
      const { id } = yield* sessionOf(running)
      const [question] = yield* running.sessions.elicitations(id)
      const other = client(running)
      const ran = yield* other.run({
        resume: [{ interruptId: question!.id, status: "resolved", payload: { approved: true } }]
      })
      expect(ran.error).toBeUndefined()
      expect(ran.last).toMatchObject({ outcome: { type: "success" } })
      expect(texts(other.agent.messages)[0]).toBe("user: go")
      expect(texts(other.agent.messages)).toContain("tool: done")
    }))

  it.scopedLive("what was said while the person thought is not lost", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const running = yield* start(({ ask, say }) =>
        Effect.all([
          Effect.flatMap(ask(permission), (answer) => say(told(answer))),
          Effect.zipRight(Deferred.await(gate), say({ type: "ThoughtChunk", text: "meanwhile" }))
        ], { concurrency: "unbounded", discard: true })
      )
      const { agent, resume, say } = client(running)
      yield* say("go")
      yield* Deferred.succeed(gate, undefined)
      yield* seen(running, "ThoughtChunk")
      const ran = yield* resume(() => ({ status: "resolved", payload: { approved: true } }))
      expect(ran.error).toBeUndefined()
      expect(texts(agent.messages).slice(1).map((each) => each.slice(0, 15))).toEqual([
        "reasoning: mean",
        "assistant: told"
      ])
    }))

  it.scopedLive("a turn that is cancelled while it waits", () =>
    Effect.gen(function*() {
      const running = yield* asking(permission)
      const { resume, say } = client(running)
      yield* say("go")
      yield* running.sessions.cancel((yield* sessionOf(running)).id)
      const ran = yield* resume(() => ({ status: "cancelled" }))
      expect(ran.last).toMatchObject({ type: RUN_FINISHED, outcome: { type: "cancelled" } })
    }))

  it.scopedLive("a new message while the turn is being stopped waits for its end, and is the next turn (CopilotKit's Stop)", () =>
    Effect.gen(function*() {
      const stopping = yield* Deferred.make<void>()
      const running = yield* start(({ content, say }) =>
        Content.toText(content) === "go"
          ? Effect.zipRight(say(text("I begin")), Effect.never).pipe(Effect.onInterrupt(() => Deferred.await(stopping)))
          : say(text("and here I am"))
      )
      const began = yield* Deferred.make<void>()
      const tell = ({ type }: { readonly type: string }) => {
        if (type === EventType.TEXT_MESSAGE_CONTENT) Deferred.unsafeDone(began, Exit.void)
      }
      yield* Effect.fork(client(running).say("go", {}, tell))
      yield* Deferred.await(began)
      const { id } = yield* sessionOf(running)
      yield* running.sessions.cancel(id)
      const { agent, say } = client(running)
      const next = yield* Effect.fork(say("next"))
      yield* Effect.sleep("50 millis")
      yield* Deferred.succeed(stopping, undefined)
      const ran = yield* Fiber.join(next)
      expect(ran.error).toBeUndefined()
      expect(ran.last).toMatchObject({ type: RUN_FINISHED, outcome: { type: "success" } })
      expect(texts(agent.messages).at(-1)).toBe("assistant: and here I am")
    }))

  it.scopedLive("a new message while it waits finds the session busy", () =>
    Effect.gen(function*() {
      const running = yield* asking(permission)
      yield* client(running).say("go")
      const ran = yield* client(running).say("more")
      expect(ran.error).toMatchObject({ status: 409, payload: { _tag: "SessionBusy" } })
    }))
})
