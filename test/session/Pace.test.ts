/**
 * Texts that come in pieces: how many events they are, and that nothing else of the log changes.
 */
import { describe, expect } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { Interleave, ScriptedAgent } from "holdfast/testing"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import type { AgentSignal, Coalesce } from "../../src/agent/Agent.js"
import type { AgentEvent } from "../../src/domain/AgentEvent.js"
import * as Content from "../../src/domain/Content.js"
import { RunId } from "../../src/domain/Ids.js"
import type { StoredEvent } from "../../src/domain/StoredEvent.js"
import * as Deltas from "../../src/session/Deltas.js"
import * as RunStream from "../../src/session/RunStream.js"
import { withWallClock } from "../wallClock.js"
import * as Harness from "./Harness.js"
import * as InMemory from "./InMemory.js"

leakFreeFile()

const child = RunId.make("run_child")
const every: Coalesce = { every: Duration.millis(16) }
const confirmation = { kind: "confirmation", message: "Go on?" } as const
const hang = Effect.async<never>(() => {})

const text = (text: string, messageId?: string): AgentEvent => ({
  type: "TextChunk",
  text,
  ...(messageId === undefined ? {} : { messageId })
})
const thought = (text: string): AgentEvent => ({ type: "ThoughtChunk", text })
const said = (event: AgentEvent, run?: RunId): AgentSignal => ({ _tag: "Said", event, run })
const stopped = (run: RunId): AgentSignal => ({
  _tag: "TurnEnded",
  run,
  result: { _tag: "Stopped", stopReason: "end_turn" }
})

const setup = Effect.fnUntraced(function*(pace: Coalesce | "unsaid" = every) {
  const puppet = yield* Harness.puppet()
  const faulty = yield* Harness.faultyLog
  const scope = yield* Scope.make()
  const harness = yield* Scope.extend(
    Harness.over(faulty.log, [pace === "unsaid" ? puppet.agent : { ...puppet.agent, coalesce: pace }]),
    scope
  )
  yield* Effect.addFinalizer((exit) => Scope.close(scope, exit))
  const id = yield* harness.open
  const run = yield* harness.prompt(id)
  yield* TestClock.adjust("1 second")
  const later = (millis: number) => TestClock.adjust(millis)
  return {
    ...harness,
    ...puppet,
    fail: faulty.fail,
    id,
    run,
    later,
    shutdown: Scope.close(scope, Exit.void),
    /** One after the other, each handled before the next. */
    hear: (...signals: ReadonlyArray<AgentSignal>) =>
      Effect.forEach(signals, (signal) => Effect.zipRight(puppet.signal(signal), later(0)), { discard: true }),
    told: Effect.map(harness.history(id), (all) => all.slice(3).map(tell))
  }
})

const tell = (stored: StoredEvent) => "text" in stored.event ? stored.event.text : Harness.label(stored)

describe("a message that is told in pieces", () => {
  it.scoped("is recorded at once when it begins, and then once in its pace", () =>
    Effect.gen(function*() {
      const { hear, later, told } = yield* setup()
      yield* hear(said(text("a")))
      expect(yield* told).toStrictEqual(["a"])
      yield* hear(said(text("b")), said(text("c")))
      yield* later(15)
      yield* hear(said(text("d")))
      expect(yield* told).toStrictEqual(["a"])
      yield* later(1)
      expect(yield* told).toStrictEqual(["a", "bcd"])
      yield* later(5)
      yield* hear(said(text("e")))
      yield* later(11)
      expect(yield* told).toStrictEqual(["a", "bcd", "e"])
      // one that pauses begins at once again
      yield* later(16)
      yield* hear(said(text("f")))
      expect(yield* told).toStrictEqual(["a", "bcd", "e", "f"])
    }))

  it.scoped("is recorded in its pace also when the clock is set back by an hour", () =>
    Effect.suspend(() => {
      let ahead = 0
      return Effect.gen(function*() {
        const { hear, later, told } = yield* setup()
        yield* hear(said(text("a")))
        ahead = -3_600_000
        yield* hear(said(text("b")))
        yield* later(16)
        expect(yield* told).toStrictEqual(["a", "b"])
      }).pipe(withWallClock(() => ahead))
    }))

  it.scoped("is one event where its pieces come together", () =>
    Effect.gen(function*() {
      const { signal, later, told } = yield* setup()
      yield* signal(said(text("a")), said(text("b")), said(thought("c")), said(thought("d")), said(text("e")))
      yield* later(0)
      expect(yield* told).toStrictEqual(["ab", "cd", "e"])
    }))

  it.scoped("is stored before whatever else is said or happens", () =>
    Effect.gen(function*() {
      const { hear, id, prompt, run, sessions, told } = yield* setup()
      const asked: AgentSignal = { _tag: "Asked", request: confirmation, reply: () => Effect.void, elsewhere: hang }
      yield* hear(said(text("a")), said(text("b")))
      yield* hear(said({ type: "ModeChanged", modeId: "x" }), said(text("c")), said(text("d")))
      yield* hear(said(thought("e")), said(thought("f")), said(text("g", "m")), said(text("h", "m")))
      yield* hear(
        { _tag: "RunOpened", run: child, until: "parent", prompt: [] },
        said(text("i"), child),
        said(text("j"), child)
      )
      yield* hear(said(text("k")), said(text("l")), asked, said(text("m")), said(text("n")))
      yield* prompt(id, "later", "queue")
      yield* hear(said(text("o")), stopped(child), said(text("p")), said(text("q")))
      yield* sessions.cancel(id, run.runId)
      yield* hear(stopped(run.runId))
      expect(yield* told).toStrictEqual([
        "a",
        "b",
        "ModeChanged",
        "c",
        "d",
        "e",
        "f",
        "g",
        "h",
        "RunStarted",
        "i",
        "j",
        "k",
        "l",
        "ElicitationRequested",
        "mn",
        "RunQueued",
        "o",
        "RunEnded(Completed)",
        "pq",
        "ElicitationSettled",
        "RunEnded(Completed)",
        "RunStarted"
      ])
    }))

  for (
    const ending of ["the turn's end", "the agent's death", "a cancel that costs the agent", "a close", "a shutdown"]
  ) {
    it.scoped(`loses nothing at ${ending}, and stays in its run`, () =>
      Effect.gen(function*() {
        const { end, hear, history, id, later, log, run, sessions, shutdown } = yield* setup()
        if (ending === "a cancel that costs the agent") {
          yield* sessions.cancel(id)
          yield* later(9_990)
        }
        yield* hear(said(text("a")), said(text("b")))
        switch (ending) {
          case "the turn's end":
            yield* hear(stopped(run.runId))
            break
          case "the agent's death":
            yield* end
            break
          case "a cancel that costs the agent":
            yield* later(10)
            break
          case "a close":
            yield* sessions.close(id)
            break
          case "a shutdown":
            yield* shutdown
        }
        yield* later(0)
        const all = yield* ending === "a shutdown"
          ? Effect.scoped(Effect.flatMap(Harness.over(log, []), ({ history }) => history(id)))
          : history(id)
        expect(all.filter(({ runId }) => runId === run.runId).map(tell).slice(0, 3)).toStrictEqual([
          "RunStarted",
          "a",
          "b"
        ])
        InMemory.checkHistory(all)
      }))
  }

  it.scoped("loses nothing while the log takes nothing", () =>
    Effect.gen(function*() {
      const { fail, hear, later, run, told } = yield* setup()
      yield* hear(said(text("a")), said(text("b")))
      yield* fail(true)
      yield* later(16)
      yield* hear(said(text("c")), stopped(run.runId))
      yield* fail(false)
      yield* later(10_000)
      expect((yield* told).join("")).toBe("abcRunEnded(Completed)")
    }))

  it.scoped("is held back to a bound", () =>
    Effect.gen(function*() {
      const { hear, told } = yield* setup()
      const piece = "x".repeat(10 * 1024)
      yield* hear(said(text("a")), said(text(piece)), said(text(piece)), said(text(piece)))
      expect((yield* told).map(({ length }) => length)).toStrictEqual([1, piece.length, piece.length])
    }))

  it.scoped("between runs is not given to the turn that begins while it is held back", () =>
    Effect.gen(function*() {
      const { hear, history, id, later, prompt, run } = yield* setup()
      yield* hear(stopped(run.runId), said(text("a")), said(text("b")))
      yield* prompt(id, "again")
      yield* later(20)
      expect((yield* history(id)).filter(({ event }) => event.type === "TextChunk").map(({ runId }) => runId))
        .toStrictEqual([undefined, undefined])
    }))

  it.scoped("is an event for each piece where nothing is said of a pace", () =>
    Effect.gen(function*() {
      for (const coalesce of [false, "unsaid"] as const) {
        const { hear, told, signal, later } = yield* setup(coalesce)
        yield* hear(said(text("a")), said(text("b")))
        yield* signal(said(text("c")), said(text("d")))
        yield* later(0)
        expect(yield* told).toStrictEqual(["a", "b", "c", "d"])
      }
    }))
})

describe("any story", () => {
  const event = FastCheck.constantFrom<AgentEvent>(
    text("a"),
    text("b"),
    text("c", "m"),
    thought("d"),
    { type: "ModeChanged", modeId: "x" }
  )
  const steps = FastCheck.array(
    FastCheck.tuple(FastCheck.array(event, { minLength: 1, maxLength: 4 }), FastCheck.constantFrom(0, 3, 16, 40)),
    { maxLength: 12 }
  )
  const tellAll = (story: ReadonlyArray<readonly [ReadonlyArray<AgentEvent>, number]>, coalesce: Coalesce) =>
    Effect.gen(function*() {
      const { history, id, later, run, signal } = yield* setup(coalesce)
      for (const [events, pause] of story) {
        yield* signal(...events.map((event) => said(event)))
        yield* later(0)
        yield* later(pause)
      }
      yield* signal(stopped(run.runId))
      yield* later(20)
      return Deltas.joined(
        (yield* history(id)).slice(3, -1).map(({ event, runId }) => ({ event, runId: runId && child }))
      )
    }).pipe(Effect.scoped)

  it.scoped("is the same with and without a pace, but for the pieces", () =>
    Effect.forEach(
      FastCheck.sample(steps, { numRuns: 20, seed: 5 }),
      (story) =>
        Effect.gen(function*() {
          expect(yield* tellAll(story, every)).toStrictEqual(yield* tellAll(story, false))
        }),
      { discard: true }
    ))
})

describe("a text that is held back, under Interleave", () => {
  it.interleaved(
    "RS1 nothing of it is lost and nothing comes after its run's end, whatever happens at any step",
    () =>
      Effect.gen(function*() {
        const agent = yield* ScriptedAgent.make({
          turn: ({ content, open, say }) =>
            Content.toText(content) === "hang" ? hang : Effect.gen(function*() {
              yield* Effect.forEach(["a", "b", "c"], (piece) => say(text(piece)), { discard: true })
              yield* open(
                { until: "parent", run: child },
                ({ say }) => Effect.forEach(["d", "e", "f"], (piece) => say(text(piece)), { discard: true })
              )
              yield* Effect.forEach(["g", "h"], (piece) => say(text(piece)), { discard: true })
            })
        })
        const session = yield* InMemory.make({ ...agent, coalesce: every })
        const run = yield* session.prompt("tell")
        // somebody else writes to the log all the while
        const others = yield* Interleave.victim(
          Effect.zipRight(session.prompt("hang", "queue"), Effect.zipRight(Clock.sleep("16 millis"), hang))
        )
        yield* Stream.runDrain(RunStream.follow(session.sessions, session.id, run))
        yield* session.shutdown
        yield* Fiber.interrupt(others)
        const history = yield* session.history
        InMemory.checkHistory(history)
        const words = (id: RunId) =>
          history.filter(({ event, runId }) => event.type === "TextChunk" && runId === id).map(tell).join("")
        expect([words(run.runId), words(child)]).toStrictEqual(["abcgh", "def"])
      }).pipe(InMemory.repeatable),
    { schedules: 100, interruptAt: "every-step" }
  )
})
