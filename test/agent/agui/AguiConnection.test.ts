import { describe, expect } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import * as Content from "../../../src/domain/Content.js"
import { RunId } from "../../../src/domain/Ids.js"
import * as FaultyNetwork from "../../../src/testing/FaultyNetwork.js"
import { finished, message, type Run, start, started, until } from "./server.js"
import { connect, texts } from "./support.js"

leakFreeFile()

const reply = (run: Run, text: string) =>
  run.send(started(run.input), ...message(run.input.runId, `m${run.number}`, text), finished(run.input))

describe("a turn", () => {
  it.scopedLive("is a run that is posted, and is over with it", () =>
    Effect.gen(function*() {
      const server = yield* start({ run: (run) => reply(run, "hello") })
      const agent = yield* connect({ url: server.url, token: "s3cret", forwardedProps: { model: "m" } })
      expect(agent).toMatchObject({ agentSessionId: "thread-test", how: "opened" })
      expect(yield* agent.turn("hi")).toStrictEqual({ _tag: "Stopped", stopReason: "end_turn" })
      expect(agent.said[0]).toStrictEqual({
        _tag: "Said",
        run: "run_1",
        event: { type: "TextChunk", text: "hello", messageId: "m1" }
      })
      expect(server.inputs[0]).toStrictEqual({
        threadId: "thread-test",
        runId: "run_1",
        protocolVersion: "1.0",
        state: {},
        messages: [{ id: "run_1-prompt", role: "user", content: "hi" }],
        tools: [],
        context: [],
        forwardedProps: { model: "m" }
      })
    }))

  it.scopedLive("sends the conversation so far, as agents that remember nothing need it", () =>
    Effect.gen(function*() {
      const server = yield* start({ run: (run) => reply(run, `answer ${run.number}`) })
      const agent = yield* connect({ url: server.url })
      yield* agent.turn("one")
      yield* agent.turn("two")
      expect(server.inputs[1]?.messages.map(({ id, role }) => `${role} ${id}`)).toStrictEqual([
        "user run_1-prompt",
        "assistant m1",
        "user run_2-prompt"
      ])
      const frugal = yield* connect({ url: server.url, maxHistoryCharacters: 0 })
      yield* frugal.turn("one")
      yield* frugal.turn("two")
      expect(server.inputs[3]?.messages).toHaveLength(1)
    }))

  it.scopedLive("goes on in its thread when the session comes back", () =>
    Effect.gen(function*() {
      const server = yield* start({ run: (run) => reply(run, "hello") })
      const agent = yield* connect({ url: server.url }, "a-thread")
      expect(agent).toMatchObject({ agentSessionId: "a-thread", how: "resumed" })
      yield* agent.turn("hi")
      expect(server.inputs[0]?.threadId).toBe("a-thread")
    }))

  it.scopedLive("is lost when the stream ends or breaks off before the run (ambient: viewers saw \"working\" for ever)", () =>
    Effect.gen(function*() {
      const runs: Array<Run> = []
      const server = yield* start({
        run: (run) => {
          runs.push(run)
          run.send(started(run.input), ...message(run.input.runId, `m${run.number}`, "partly"))
          if (run.number === 1) run.end()
          else run.raw("data: {\"type\":\"TEXT_MESS")
        }
      })
      const agent = yield* connect({ url: server.url })
      expect(yield* agent.turn("hi")).toMatchObject({ _tag: "Failed", error: { _tag: "AgentLost" } })
      yield* agent.prompt(RunId.make("run_2"), [Content.text("hi")])
      // a reset overtakes what is on its way
      yield* agent.take((signal) => signal._tag === "Said")
      runs[1]?.cut()
      expect(yield* agent.ended("run_2")).toMatchObject({ _tag: "Failed", error: { _tag: "AgentLost" } })
      // what was said before stays
      expect(texts(agent.events())).toStrictEqual(["partly", "partly"])
    }))

  it.scopedLive("is lost when its peer is gone without closing the connection", () =>
    Effect.gen(function*() {
      const server = yield* start({
        run: (run) => run.send(started(run.input), ...message(run.input.runId, "m1", "hello"))
      })
      const network = yield* FaultyNetwork.make({ port: server.port })
      const agent = yield* connect({ url: network.url, idle: Duration.seconds(1) })
      yield* agent.prompt(RunId.make("run_1"), [Content.text("hi")])
      yield* agent.take((signal) => signal._tag === "Said")
      yield* network.stall
      expect(yield* agent.ended("run_1")).toMatchObject({
        _tag: "Failed",
        error: { _tag: "AgentLost", message: expect.stringContaining("said nothing for 1s") }
      })
    }))

  it.scopedLive("waits for a server that is only starting", () =>
    Effect.gen(function*() {
      const server = yield* start({ run: (run) => reply(run, "hello") })
      const network = yield* FaultyNetwork.make({ port: 1 })
      const agent = yield* connect({ url: "http://127.0.0.1:1/", startTimeout: Duration.millis(100) })
      expect(yield* agent.turn("hi")).toMatchObject({ _tag: "Failed", error: { _tag: "AgentUnreachable" } })
      yield* network.retarget({ port: server.port })
      const later = yield* connect({ url: network.url })
      expect(yield* later.turn("hi")).toMatchObject({ _tag: "Stopped" })
    }))

  it.scopedLive("SM8 reads no faster than its signals are taken", () =>
    Effect.gen(function*() {
      let sent = 0
      const server = yield* start({
        run: (run) => {
          run.send(started(run.input), { type: "TEXT_MESSAGE_START", messageId: "m" })
          const frame = { type: "TEXT_MESSAGE_CONTENT", messageId: "m", delta: "x".repeat(10_000) }
          const more = setInterval(() => {
            if (run.isClosed() || sent > 6000) return clearInterval(more)
            for (let n = 0; n < 200; n++, sent++) run.send(frame)
          }, 1)
        }
      })
      const agent = yield* connect({ url: server.url })
      yield* agent.prompt(RunId.make("run_1"), [Content.text("hi")])
      yield* until("a lot was written", () => sent >= 6000)
      const [socket] = server.sockets
      // 60 MB were written, and most of it is still here: the kernel's buffers and 1024 signals are full
      expect(socket?.writableLength ?? 0).toBeGreaterThan(20_000_000)
      yield* agent.cancel
      yield* agent.ended("run_1")
    }))
})

describe("a cancel", () => {
  const hang = (run: Run) => run.send(started(run.input), ...message(run.input.runId, `m${run.number}`, "hello"))

  it.scopedLive("closes the request, and what the agent goes on to say is not heard", () =>
    Effect.gen(function*() {
      const runs: Array<Run> = []
      const server = yield* start({
        run: (run) => {
          runs.push(run)
          hang(run)
        }
      })
      const agent = yield* connect({ url: server.url })
      yield* agent.prompt(RunId.make("run_1"), [Content.text("hi")])
      yield* agent.take((signal) => signal._tag === "Said")
      yield* agent.cancel
      runs[0]?.send(...message("run_1", "late", "too late"))
      expect(yield* agent.ended("run_1")).toStrictEqual({ _tag: "Stopped", stopReason: "cancelled" })
      yield* until("the request is closed", () => runs[0]?.isClosed() === true)
      expect(texts(agent.events())).toStrictEqual(["hello"])
      // nothing happens between turns
      yield* agent.cancel
    }))

  it.scopedLive("tells the agent, where it can be told, and takes what it says until it has stopped", () =>
    Effect.gen(function*() {
      const runs: Array<Run> = []
      const server = yield* start({
        run: (run) => {
          runs.push(run)
          hang(run)
        }
      })
      const agent = yield* connect({ url: server.url, interrupt: `${server.url}interrupt` })
      yield* agent.prompt(RunId.make("run_1"), [Content.text("hi")])
      yield* agent.take((signal) => signal._tag === "Said")
      yield* agent.cancel
      yield* until("the agent was told", () => server.interrupts.length === 1)
      expect(server.interrupts).toStrictEqual([{ thread_id: "thread-test" }])
      runs[0]?.send(
        ...message("run_1", "last", "stopping"),
        finished(runs[0].input, { outcome: { type: "cancelled" } })
      )
      expect(yield* agent.ended("run_1")).toStrictEqual({ _tag: "Stopped", stopReason: "cancelled" })
      expect(texts(agent.events())).toStrictEqual(["hello", "stopping"])
    }))

  it.scopedLive("does not wait for an agent that was told and does not stop", () =>
    Effect.gen(function*() {
      const server = yield* start({ run: hang })
      const agent = yield* connect({
        url: server.url,
        interrupt: `${server.url}interrupt`,
        cancelGrace: Duration.millis(50)
      })
      yield* agent.prompt(RunId.make("run_1"), [Content.text("hi")])
      yield* agent.take((signal) => signal._tag === "Said")
      yield* agent.cancel
      expect(yield* agent.ended("run_1")).toStrictEqual({ _tag: "Stopped", stopReason: "cancelled" })
    }))
})

describe("a question", () => {
  const interrupt = { id: "int1", reason: "tool_approval", message: "Allow rm?" }
  const asking = (interrupts: ReadonlyArray<object>) => (run: Run) => {
    if (run.number === 1) {
      run.send(started(run.input), finished(run.input, { outcome: { type: "interrupt", interrupts } }))
    } else reply(run, "thanks")
  }

  it.scopedLive("keeps the run open, and its answer goes on with it", () =>
    Effect.gen(function*() {
      const form = {
        id: "int2",
        reason: "input_required",
        responseSchema: { type: "object", properties: { name: { type: "string" } }, required: ["name"] }
      }
      const server = yield* start({ run: asking([interrupt, form]) })
      const agent = yield* connect({ url: server.url })
      yield* agent.prompt(RunId.make("run_1"), [Content.text("hi")])
      const first = yield* agent.take((signal) => signal._tag === "Asked")
      const second = yield* agent.take((signal) => signal._tag === "Asked")
      expect(first).toMatchObject({ run: "run_1", request: { kind: "confirmation", message: "Allow rm?" } })
      expect(second).toMatchObject({ run: "run_1", request: { kind: "form", schema: form.responseSchema } })
      if (second._tag === "Asked") yield* second.reply(Option.some({ action: "accept", content: { name: "Ada" } }))
      // every open interrupt is answered in one resume
      expect(server.inputs).toHaveLength(1)
      if (first._tag === "Asked") yield* first.reply(Option.some({ action: "decline" }))
      expect(yield* agent.ended("run_1")).toStrictEqual({ _tag: "Stopped", stopReason: "end_turn" })
      expect(server.inputs[1]).toMatchObject({
        threadId: "thread-test",
        runId: "run_1-2",
        parentRunId: "run_1",
        resume: [
          { interruptId: "int1", status: "resolved", payload: { approved: false } },
          { interruptId: "int2", status: "resolved", payload: { name: "Ada" } }
        ]
      })
      expect(texts(agent.events())).toStrictEqual(["thanks"])
    }))

  it.scopedLive("that nobody answers is given up, and the agent hears of it", () =>
    Effect.gen(function*() {
      const server = yield* start({ run: asking([interrupt]) })
      const agent = yield* connect({ url: server.url })
      yield* agent.prompt(RunId.make("run_1"), [Content.text("hi")])
      yield* agent.take((signal) => signal._tag === "Asked")
      yield* agent.cancel
      expect(yield* agent.ended("run_1")).toStrictEqual({ _tag: "Stopped", stopReason: "cancelled" })
      expect(server.inputs[1]?.resume).toStrictEqual([{ interruptId: "int1", status: "cancelled" }])
    }))

  it.scopedLive("has an end on the agent's side when it expires", () =>
    Effect.gen(function*() {
      const expiresAt = new Date(Date.now() + 50).toISOString()
      const server = yield* start({ run: asking([{ ...interrupt, expiresAt }]) })
      const agent = yield* connect({ url: server.url })
      yield* agent.prompt(RunId.make("run_1"), [Content.text("hi")])
      const asked = yield* agent.take((signal) => signal._tag === "Asked")
      if (asked._tag !== "Asked") return
      expect(yield* asked.elsewhere).toStrictEqual({ _tag: "Expired" })
      yield* asked.reply(Option.none())
      yield* agent.ended("run_1")
      expect(server.inputs[1]?.resume).toStrictEqual([{ interruptId: "int1", status: "cancelled" }])
    }))

  it.scopedLive("may be a call of a tool, whose result is the next message", () =>
    Effect.gen(function*() {
      const questions = [{
        question: "Which colour?",
        header: "Colour",
        options: [{ label: "red" }, { label: "blue", description: "like the sea" }]
      }]
      const server = yield* start({
        run: (run) => {
          if (run.number > 1) {
            // the runner tells the answer again, as the result of the call that it had halted
            return run.send(
              started(run.input),
              { type: "TOOL_CALL_RESULT", messageId: "c1-result", toolCallId: "c1", content: "blue", role: "tool" },
              ...message(run.input.runId, "m2", "blue it is"),
              finished(run.input)
            )
          }
          run.send(
            started(run.input),
            { type: "TOOL_CALL_START", toolCallId: "c1", toolCallName: "ask_user_question" },
            { type: "TOOL_CALL_ARGS", toolCallId: "c1", delta: JSON.stringify({ questions }) },
            { type: "TOOL_CALL_END", toolCallId: "c1", result: null, error: null },
            finished(run.input)
          )
        }
      })
      const agent = yield* connect({ url: server.url })
      yield* agent.prompt(RunId.make("run_1"), [Content.text("hi")])
      const asked = yield* agent.take((signal) => signal._tag === "Asked")
      expect(asked).toMatchObject({ request: { kind: "form", toolCallId: "c1", message: "Which colour?" } })
      if (asked._tag === "Asked") {
        yield* asked.reply(Option.some({ action: "accept", content: { question1: "blue" } }))
      }
      expect(yield* agent.ended("run_1")).toMatchObject({ _tag: "Stopped" })
      expect(server.inputs[1]?.messages.at(-1)).toStrictEqual({
        id: "c1-answer",
        role: "tool",
        toolCallId: "c1",
        content: "blue"
      })
      expect(agent.events().filter(({ type }) => type === "ToolCallEnded")).toHaveLength(1)
    }))
})
