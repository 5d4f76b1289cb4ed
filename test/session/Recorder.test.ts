import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { leakFreeFile } from "holdfast/testing/vitest"
import { RunId } from "../../src/domain/Ids.js"
import type { Draft } from "../../src/domain/Session.js"
import type * as Deltas from "../../src/session/Deltas.js"
import * as Recorder from "../../src/session/Recorder.js"
import * as Harness from "./Harness.js"

leakFreeFile()

const runId = RunId.make("run_1")
const text = (text: string): Draft => ({ event: { type: "TextChunk", text } })
const piece = (text: string): Deltas.Delta => ({ event: { type: "TextChunk", text } })
/** JSON has no such number. */
const unstorable: Draft = { event: { type: "Extension", name: "x", payload: 1n } }
const ended: Draft = { event: { type: "RunEnded", outcome: { _tag: "Cancelled" } }, runId }
const started: Draft = { event: { type: "RunStarted", prompt: [] }, runId: RunId.make("run_2") }

const setup = Effect.gen(function*() {
  const faulty = yield* Harness.faultyLog
  const id = yield* faulty.session
  const scope = yield* Scope.make()
  const recorder = yield* Scope.extend(Recorder.make(faulty.log, id, []), scope)
  const told = Effect.map(faulty.stored, (events) => events.map(Harness.label))
  return { ...faulty, recorder, told, close: Scope.close(scope, Exit.void) }
})

/** A log that has stored what it was given, and says so when the gate is opened. */
const gated = Effect.gen(function*() {
  const { log, session, stored } = yield* Harness.faultyLog
  const id = yield* session
  const gate = yield* Deferred.make<void>()
  const append: typeof log.append = (...args) => Effect.zipLeft(log.append(...args), Deferred.await(gate))
  return { log, stored, id, gate, recorder: yield* Recorder.make({ ...log, append }, id, []) }
})

describe("Recorder", () => {
  it.scoped("what cannot be recorded does not begin", () =>
    Effect.gen(function*() {
      const { fail, recorder, told } = yield* setup
      yield* fail(true)
      expect((yield* Effect.flip(recorder.begin(started)))._tag).toBe("EventLogUnavailable")
      yield* fail(false)
      expect(yield* recorder.begin(started)).toBe(2)
      expect(yield* told).toStrictEqual(["SessionOpened", "RunStarted"])
    }))

  it.scoped("what was said is offered again while the store fails for a moment, and whose it is is decided then", () =>
    Effect.gen(function*() {
      const { fail, recorder, stored } = yield* setup
      yield* fail(true)
      let owner: RunId | undefined = runId
      const saying = yield* Effect.fork(recorder.say(() => [{ ...text("hi"), runId: owner }]))
      yield* TestClock.adjust("1 second")
      yield* fail(false)
      owner = undefined
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(saying)
      const [, said] = yield* stored
      expect(said?.event).toStrictEqual({ type: "TextChunk", text: "hi" })
      expect(said?.runId).toBeUndefined()
    }))

  it.scoped("a log that takes nothing for long ends whoever speaks", () =>
    Effect.gen(function*() {
      const { fail, recorder } = yield* setup
      yield* fail(true)
      const saying = yield* Effect.fork(Effect.exit(recorder.say(() => [text("hi")])))
      yield* TestClock.adjust("10 seconds")
      expect(Exit.isFailure(yield* Fiber.join(saying))).toBe(true)
    }))

  it.scoped("RS1 an end that the log does not take is stored before anything else of the session", () =>
    Effect.gen(function*() {
      const { fail, recorder, told } = yield* setup
      yield* fail(true)
      yield* recorder.end(ended)
      yield* Effect.flip(recorder.begin(started))
      yield* fail(false)
      yield* recorder.begin(started)
      expect(yield* told).toStrictEqual(["SessionOpened", "RunEnded(Cancelled)", "RunStarted"])
    }))

  it.scoped("RS1 and it is stored when the log takes events again, though nothing else happens", () =>
    Effect.gen(function*() {
      const { close, fail, recorder, told } = yield* setup
      // more than once: who pays once pays again
      for (const times of [1, 2]) {
        yield* fail(true)
        yield* recorder.end(ended)
        yield* TestClock.adjust("20 seconds")
        yield* fail(false)
        yield* TestClock.adjust("5 seconds")
        expect((yield* told).filter((type) => type === "RunEnded(Cancelled)")).toHaveLength(times)
      }
      yield* close
      expect(yield* told).toHaveLength(3)
    }))

  it.scoped("an end that is owed is stored at the latest when the session closes", () =>
    Effect.gen(function*() {
      const { close, fail, recorder, told } = yield* setup
      yield* fail(true)
      yield* recorder.end(ended)
      yield* fail(false)
      yield* close
      expect(yield* told).toStrictEqual(["SessionOpened", "RunEnded(Cancelled)"])
    }))

  it.scoped("what an earlier life of the session owes is stored at once", () =>
    Effect.gen(function*() {
      const { log, session, stored } = yield* Harness.faultyLog
      yield* Recorder.make(log, yield* session, [ended])
      yield* TestClock.adjust("10 millis")
      expect((yield* stored).map(Harness.label)).toStrictEqual(["SessionOpened", "RunEnded(Cancelled)"])
    }))

  it.scoped("nothing is stored twice by many who write at once, and an end keeps its place", () =>
    Effect.gen(function*() {
      const { fail, recorder, told } = yield* setup
      yield* fail(true)
      yield* recorder.end(ended)
      yield* fail(false)
      yield* Effect.all(
        [recorder.begin(started), recorder.say(() => [text("a")]), recorder.end(ended), recorder.begin(started)],
        { concurrency: "unbounded", discard: true }
      )
      const all = yield* told
      expect(all[1]).toBe("RunEnded(Cancelled)")
      expect(all).toHaveLength(6)
    }))

  it.scoped("what is owed waits for what is stored next and comes before it, what comes while the log is busy included", () =>
    Effect.gen(function*() {
      const { gate, id, log, recorder, stored } = yield* gated
      recorder.owe([text("a")])
      expect(yield* log.head(id)).toBe(1)
      const beginning = yield* Effect.fork(recorder.begin(started))
      yield* Effect.repeat(Effect.zipRight(Effect.yieldNow(), log.head(id)), { until: (head) => head === 3 })
      recorder.owe([text("b")])
      yield* Deferred.succeed(gate, void 0)
      expect(yield* Fiber.join(beginning)).toBe(3)
      yield* recorder.letGo
      expect((yield* stored).map(Harness.label)).toStrictEqual([
        "SessionOpened",
        "TextChunk",
        "RunStarted",
        "TextChunk"
      ])
    }))

  it.scoped("a piece that is held back is not lost with another of its message that is on its way to the log", () =>
    Effect.gen(function*() {
      const { gate, id, log, recorder, stored } = yield* gated
      expect(recorder.hold(piece("a"))).toBe(true)
      const letting = yield* Effect.fork(recorder.letGo)
      yield* Effect.repeat(Effect.zipRight(Effect.yieldNow(), log.head(id)), { until: (head) => head === 2 })
      expect(recorder.hold(piece("b"))).toBe(true)
      recorder.owe([text("c"), started])
      yield* Deferred.succeed(gate, void 0)
      yield* Fiber.join(letting)
      yield* recorder.letGo
      expect((yield* stored).slice(1).map(({ event }) => "text" in event ? event.text : event.type)).toStrictEqual([
        "a",
        "bc",
        "RunStarted"
      ])
    }))

  it.scoped("RS1 what no log can hold keeps nothing else out of it", () =>
    Effect.gen(function*() {
      const { recorder, stored } = yield* setup
      recorder.owe([text("a"), unstorable, text("b")])
      expect(Exit.isSuccess(yield* Effect.exit(recorder.say(() => [text("c")])))).toBe(true)
      // of what is said now, whoever says it hears
      expect(Exit.isFailure(yield* Effect.exit(recorder.say(() => [unstorable])))).toBe(true)
      yield* recorder.end(ended)
      expect((yield* stored).slice(1).map(({ event }) => "text" in event ? event.text : event.type)).toStrictEqual([
        "a",
        "Warning",
        "b",
        "c",
        "RunEnded"
      ])
    }))
})
