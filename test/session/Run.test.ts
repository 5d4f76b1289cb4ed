import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as Content from "../../src/domain/Content.js"
import { AgentDied, AgentLost } from "../../src/domain/Errors.js"
import { RunId } from "../../src/domain/Ids.js"
import * as Run from "../../src/session/Run.js"

leakFreeFile()

const died = new AgentDied({ exitCode: 3, signal: null, stderr: "", message: "the agent died" })
const lost = { _tag: "Lost", reason: "shut down" } as const

/** Runs a turn that opens like this, and tells what happens to it. */
const setup = Effect.fnUntraced(function*(open: Effect.Effect<void, AgentDied | AgentLost>) {
  const told: Array<string> = []
  const run = yield* Run.make(RunId.make("run_1"), [Content.text("hi")])
  const fiber = yield* Effect.fork(Run.execute(run, {
    open: Effect.onInterrupt(
      open,
      () => Effect.zipRight(Effect.sleep("1 second"), Effect.sync(() => void told.push("opening stopped")))
    ),
    close: (outcome) => Effect.sync(() => void told.push(outcome._tag)),
    interrupted: () => lost
  }))
  yield* TestClock.adjust("10 millis")
  return { run, fiber, told, end: Effect.zipRight(TestClock.adjust("1 second"), Fiber.await(fiber)) }
})

describe("RS1 a run is closed once, whatever happens", () => {
  it.effect("when its turn ends", () =>
    Effect.gen(function*() {
      const { end, run, told } = yield* setup(Effect.void)
      expect(told).toStrictEqual([])
      yield* Deferred.succeed(run.done, { _tag: "Completed", stopReason: "end_turn" })
      yield* end
      expect(told).toStrictEqual(["Completed"])
      expect(yield* Deferred.isDone(run.ended)).toBe(true)
    }))

  it.effect("when the prompt fails, or is a bug", () =>
    Effect.gen(function*() {
      for (const open of [Effect.fail(died), Effect.die("a bug")]) {
        const { end, told } = yield* setup(open)
        yield* end
        expect(told).toStrictEqual(["Failed"])
      }
    }))

  it.effect("as Lost when its agent is out of reach: nobody can tell what became of the turn", () =>
    Effect.gen(function*() {
      const unreachable = new AgentLost({ message: "the host is gone" })
      const { end, run, told } = yield* setup(Effect.fail(unreachable))
      yield* end
      expect(told).toStrictEqual(["Lost"])
      expect(yield* Deferred.await(run.done)).toStrictEqual({ _tag: "Lost", reason: "the host is gone" })
      expect(Run.failed(unreachable)).toStrictEqual({ _tag: "Lost", reason: "the host is gone" })
    }))

  it.effect("RS2 when it ends, or is interrupted, while it opens: the opening is over first", () =>
    Effect.gen(function*() {
      const cancelled = yield* setup(Effect.never)
      yield* Deferred.succeed(cancelled.run.done, { _tag: "Cancelled" })
      yield* cancelled.end
      expect(cancelled.told).toStrictEqual(["opening stopped", "Cancelled"])
      const interrupted = yield* setup(Effect.never)
      yield* Fiber.interruptFork(interrupted.fiber)
      yield* interrupted.end
      expect(interrupted.told).toStrictEqual(["opening stopped", "Lost"])
    }))

  it.effect("when it is interrupted before its first step, if it was forked as its session does", () =>
    Effect.gen(function*() {
      const told: Array<string> = []
      const run = yield* Run.make(RunId.make("run_1"), [])
      const fiber = yield* Effect.uninterruptible(Effect.fork(Run.execute(run, {
        open: Effect.void,
        close: (outcome) => Effect.sync(() => void told.push(outcome._tag)),
        interrupted: () => lost
      })))
      yield* Fiber.interrupt(fiber)
      expect(told).toStrictEqual(["Lost"])
    }))

  it.effect("its end is told also when it cannot be closed", () =>
    Effect.gen(function*() {
      const run = yield* Run.make(RunId.make("run_1"), [])
      yield* Deferred.succeed(run.done, { _tag: "Cancelled" })
      yield* Effect.exit(
        Run.execute(run, { open: Effect.void, close: () => Effect.die("a bug"), interrupted: () => lost })
      )
      expect(yield* Deferred.isDone(run.ended)).toBe(true)
    }))
})

describe("how a run that was asked to cancel ended", () => {
  it.effect("as Cancelled if it fails over it, and as Completed if it was done before it heard", () =>
    Effect.gen(function*() {
      const run = yield* Run.make(RunId.make("run_1"), [])
      const completed = { _tag: "Completed", stopReason: "end_turn" } as const
      expect(Run.settle(run, Run.failed(died))._tag).toBe("Failed")
      expect(Run.settle(run, { _tag: "Completed", stopReason: "cancelled" })._tag).toBe("Cancelled")
      run.cancelled = true
      expect(Run.settle(run, Run.failed(died))._tag).toBe("Cancelled")
      expect(Run.settle(run, completed)).toBe(completed)
      expect(Run.settle(run, lost)).toBe(lost)
    }))
})
