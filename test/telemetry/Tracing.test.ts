import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { leakFreeFile } from "holdfast/testing/vitest"
import type { SessionEvent } from "../../src/domain/AgentEvent.js"
import { AgentDied } from "../../src/domain/Errors.js"
import { RunId } from "../../src/domain/Ids.js"
import { Traceparent } from "../../src/domain/Traceparent.js"
import { Observer } from "../../src/log/EventLog.js"
import * as MemoryStore from "../../src/log/MemoryStore.js"
import * as Tracing from "../../src/telemetry/Tracing.js"
import * as ScriptedAgent from "../../src/testing/ScriptedAgent.js"
import { many, open as openLog, opened, session } from "../log/fixture.js"
import * as Harness from "../session/Harness.js"
import * as Spans from "./spans.js"

leakFreeFile()

const died = new AgentDied({ exitCode: 3, signal: null, stderr: "hunter2", message: "the agent died: hunter2" })
const confirmation = { kind: "confirmation", message: "Really?" } as const

/** Everything in it is traced, by a tracer that keeps what it is told. */
const traced = Effect.fnUntraced(function*<A, E, R>(
  test: (spans: ReadonlyArray<Spans.Told>) => Effect.Effect<A, E, R>
) {
  const { ended, tracer } = Spans.recorder()
  yield* test(ended).pipe(
    Effect.provideServiceEffect(Observer, Tracing.make),
    Effect.withTracer(tracer)
  )
  expect(Spans.faults(ended)).toEqual([])
})

/** Spans are told when their events are stored, which is before anybody hears of these: but not before they are asked. */
const settle = Effect.repeatN(Effect.yieldNow(), 50)

const tool = (status: "completed" | "failed"): ReadonlyArray<SessionEvent & { readonly type: `ToolCall${string}` }> => [
  { type: "ToolCallStarted", toolCallId: "t", title: "read", name: "read", kind: "read", status: "pending" },
  { type: "ToolCallEnded", toolCallId: "t", status }
]

/** Does as the prompt says. */
const agent = ScriptedAgent.make({
  turn: ({ ask, content, die, say }) =>
    Effect.gen(function*() {
      const [started, ended] = tool("completed")
      const prompt = content[0]?.type === "text" ? content[0].text : ""
      if (started === undefined || ended === undefined) return
      yield* say(started)
      if (prompt === "ask") yield* ask(confirmation)
      if (prompt === "die") yield* die(died)
      if (prompt === "fail") yield* Effect.fail(died)
      if (prompt === "hang") yield* Effect.never
      yield* say(ended)
    })
})

describe("Tracing", () => {
  it.scoped("a run with a tool call and a question is a tree, with the numbers of the events that it begins and ends with", () =>
    traced((spans) =>
      Effect.gen(function*() {
        const { asked, finish, open, sessions } = yield* Harness.make([yield* agent])
        const id = yield* open
        const run = yield* sessions.prompt(id, {
          content: [{ type: "text", text: "ask" }],
          traceparent: Traceparent.make("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        })
        yield* sessions.answer(id, yield* asked(id), { action: "accept" })
        yield* finish(id, run)
        yield* settle
        expect(Spans.render(spans)).toBe([
          "holdfast.stream.dial ..2",
          "holdfast.run Completed end_turn 3..8",
          "  holdfast.tool_call read completed 4..7",
          "  holdfast.elicitation confirmation Answered accept 5..6"
        ].join("\n"))
        const found = spans.find(({ name }) => name === "holdfast.run")
        expect(found?.links).toEqual([["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"]])
        expect(found?.attributes).toMatchObject({
          "holdfast.session.id": id,
          "holdfast.run.id": run.runId,
          "holdfast.agent": "scripted"
        })
      })
    ))

  it.scoped("RS1 on each end of a run its trace is complete", () =>
    traced((spans) =>
      Effect.gen(function*() {
        const { finish, open, prompt, seen, sessions } = yield* Harness.make([yield* agent])
        const end = Effect.fnUntraced(function*(text: string, then: "wait" | "cancel" | "restart" | "close") {
          const id = yield* open
          const run = yield* prompt(id, text)
          yield* seen(id, "ToolCallStarted")
          if (then === "cancel") yield* sessions.cancel(id)
          if (then === "restart") yield* Effect.flatten(sessions.restart(id, "requested"))
          if (then === "close") yield* sessions.close(id)
          yield* finish(id, run)
          yield* settle
          const own = spans.filter(({ attributes }) => attributes["holdfast.run.id"] === run.runId)
          return [then, ...Spans.render(own).split("\n")]
        })
        expect([
          yield* end("go on", "wait"),
          yield* end("fail", "wait"),
          yield* end("die", "wait"),
          yield* end("hang", "cancel"),
          yield* end("hang", "restart"),
          yield* end("hang", "close")
        ]).toEqual([
          ["wait", "holdfast.run Completed end_turn 3..6", "  holdfast.tool_call read completed 4..5"],
          ["wait", "holdfast.run Failed AgentDied 3..5", "  holdfast.tool_call read true Unfinished 4..5"],
          ["wait", "holdfast.run Failed AgentDied 3..6", "  holdfast.tool_call read true Unfinished 4..6"],
          ["cancel", "holdfast.run Cancelled 3..5", "  holdfast.tool_call read true Unfinished 4..5"],
          ["restart", "holdfast.run Cancelled 3..7", "  holdfast.tool_call read true Unfinished 4..7"],
          ["close", "holdfast.run Cancelled 3..6", "  holdfast.tool_call read true Unfinished 4..6"]
        ])
        expect(JSON.stringify(spans, (_, value) => typeof value === "bigint" ? String(value) : value)).not.toContain(
          "hunter2"
        )
      })
    ))

  it.scoped("a run that Holdfast's own end ends is lost, and its trace is complete", () =>
    traced((spans) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const { open, prompt, seen } = yield* Scope.extend(
          Effect.flatMap(agent, (agent) => Harness.make([agent])),
          scope
        )
        const id = yield* open
        yield* prompt(id, "hang")
        yield* seen(id, "ToolCallStarted")
        yield* Scope.close(scope, Exit.void)
        expect(Spans.render(spans)).toBe([
          "holdfast.stream.dial ..2",
          "holdfast.run Lost Lost 3..6",
          "  holdfast.tool_call read true Unfinished 4..6"
        ].join("\n"))
      })
    ))

  it.scoped("EL5 a run that a crash left open is told whole by the next start, however long it is, and once", () =>
    traced((spans) =>
      Effect.gen(function*() {
        const store = yield* MemoryStore.make
        const runId = RunId.make("run_1")
        const { log } = yield* openLog(store)
        yield* log.append(session, [opened, ...many(700)])
        yield* log.append(session, [
          { event: { type: "RunStarted", prompt: [] }, runId },
          ...tool("failed").map((event) => ({ event, runId })),
          ...many(1200),
          { event: { type: "ToolCallStarted", toolCallId: "u", title: "", status: "pending" }, runId }
        ])
        expect(spans).toEqual([])
        // what the first life knew is gone with it
        const later = yield* openLog(store).pipe(Effect.provideServiceEffect(Observer, Tracing.make))
        expect(yield* later.log.head(session)).toBe(1907)
        expect(Spans.render(spans)).toBe([
          "holdfast.run Lost Lost 702..1907",
          "  holdfast.tool_call read failed ToolCallFailed 703..704",
          "  holdfast.tool_call true Unfinished 1905..1907"
        ].join("\n"))
      })
    ))

  it.scoped("EL5 so are the runs within it, and those in the background", () =>
    traced((spans) =>
      Effect.gen(function*() {
        const store = yield* MemoryStore.make
        const runId = RunId.make("run_1")
        const child = RunId.make("run_2")
        const background = RunId.make("run_3")
        const { log } = yield* openLog(store)
        yield* log.append(session, [
          opened,
          { event: { type: "RunStarted", prompt: [], until: "session" }, runId: background },
          ...many(700),
          { event: { type: "RunStarted", prompt: [] }, runId },
          ...tool("completed").map((event) => ({ event, runId })),
          ...many(700),
          { event: { type: "RunStarted", prompt: [], until: "parent", parentRunId: runId }, runId: child },
          ...tool("failed").map((event) => ({ event, runId: child }))
        ])
        const later = yield* openLog(store).pipe(Effect.provideServiceEffect(Observer, Tracing.make))
        expect(yield* later.log.head(session)).toBe(1412)
        expect(Spans.render(spans)).toBe([
          "holdfast.run Lost Lost 2..1411",
          "holdfast.run Lost Lost 703..1412",
          "  holdfast.tool_call read completed 704..705",
          "  holdfast.run Lost Lost 1406..1410",
          "    holdfast.tool_call read failed ToolCallFailed 1407..1408"
        ].join("\n"))
      })
    ))

  it.scoped("of a run whose beginning was trimmed nothing is told", () =>
    traced((spans) =>
      Effect.gen(function*() {
        const store = yield* MemoryStore.make
        const { log } = yield* openLog(store)
        yield* log.append(session, [opened, { event: { type: "RunStarted", prompt: [] }, runId: RunId.make("run_1") }])
        yield* log.append(session, many(1500))
        yield* log.trim(session, 10)
        yield* openLog(store).pipe(Effect.provideServiceEffect(Observer, Tracing.make))
        expect(spans).toEqual([])
      })
    ))

  it.scoped("a restart is a trace with the dial in it, and has its numbers; so has one that fails", () =>
    traced((spans) =>
      Effect.gen(function*() {
        const gate = yield* Deferred.make<void>()
        const { open, sessions } = yield* Harness.make([
          yield* ScriptedAgent.make({
            onConnect: ({ attempt }) =>
              attempt === 1 ? Effect.void : attempt === 2 ? Deferred.await(gate) : Effect.fail(died),
            turn: () => Effect.void
          })
        ])
        const id = yield* open
        const restarted = yield* sessions.restart(id, "requested")
        yield* TestClock.adjust("3 seconds")
        yield* Deferred.succeed(gate, void 0)
        yield* restarted
        yield* Effect.exit(Effect.flatten(sessions.restart(id, "requested")))
        yield* settle
        expect(Spans.render(spans)).toBe([
          "holdfast.stream.dial ..2",
          "holdfast.restart 3..7",
          "  holdfast.stream.dial ..6",
          "holdfast.restart 8..11",
          "  holdfast.stream.dial"
        ].join("\n"))
        for (const span of spans) expect(span.attributes["holdfast.session.id"]).toBe(id)
        expect(spans.map(({ failed, name }) => [name, failed])).toEqual([
          ["holdfast.stream.dial", false],
          ["holdfast.stream.dial", false],
          ["holdfast.restart", false],
          ["holdfast.stream.dial", true],
          ["holdfast.restart", true]
        ])
      })
    ))

  it.scoped("the first dial of a stream is inside the span of who needs it", () =>
    traced((spans) =>
      Effect.gen(function*() {
        const { open } = yield* Harness.make([yield* agent])
        yield* Effect.withSpan(open, "caller")
        yield* settle
        expect(Spans.render(spans)).toBe(["caller", "  holdfast.stream.dial ..2"].join("\n"))
      })
    ))

  it.scoped("an observer that fails harms nobody: neither a start, nor those whose appends come after", () =>
    Effect.gen(function*() {
      const store = yield* MemoryStore.make
      const runId = RunId.make("run_1")
      const { log: before } = yield* openLog(store)
      yield* before.append(session, [opened, { event: { type: "RunStarted", prompt: [] }, runId }])
      const told: Array<number> = []
      const { log } = yield* openLog(store).pipe(
        Effect.provideService(Observer, (_, entries) => {
          for (const { seq } of entries) told.push(seq)
          throw new Error("a bug")
        })
      )
      // the open run is told again, and what ends it; then two transactions, as one takes no more than 2,048 events
      expect(told).toEqual([2, 3, 4])
      const heads = yield* Effect.all([log.append(session, many(2048)), log.append(session, many(2))], {
        concurrency: "unbounded"
      })
      expect(heads).toEqual([2052, 2054])
      expect(told.length).toBe(2053)
    }))
})
