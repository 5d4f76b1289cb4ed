import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { it } from "holdfast/testing/vitest"
import * as Sweep from "../../src/lifecycle/Sweep.js"
import * as Questions from "./questions.js"

/** What is due, and when it was swept; and how many sleep at the moment. */
const setup = Effect.gen(function*() {
  const clock = yield* Effect.clock
  const { sleeps, watching } = Questions.watched(clock)
  const started = yield* clock.currentTimeMillis
  let due: ReadonlyArray<number> = []
  const swept: Array<readonly [due: number, at: number]> = []
  const wakeAt = yield* Effect.withClock(
    Sweep.make((now) => {
      for (const at of due) if (at <= now) swept.push([at - started, now - started])
      due = due.filter((at) => at > now)
      return due.length === 0 ? undefined : Math.min(...due)
    }),
    watching
  )
  return {
    sleeps,
    swept,
    /** Makes something due, so many milliseconds after the start. */
    add: (millis: number) =>
      Effect.uninterruptible(Effect.suspend(() => {
        due = [...due, started + millis]
        return wakeAt(started + millis)
      }))
  }
})

it.interleaved(
  "EB9 whatever is made due in whatever order is swept on time, by one fiber with one timer",
  () =>
    Effect.gen(function*() {
      const { add, sleeps, swept } = yield* setup
      yield* Effect.fork(add(3000))
      yield* Effect.fork(add(2000))
      yield* Effect.fork(add(1000))
      // who comes at the very moment at which something else is due
      yield* Effect.fork(Effect.zipRight(Effect.sleep("1 second"), add(1500)))
      // at 500, 1250, 1750 and 2500
      for (const millis of [500, 750, 500, 750]) {
        yield* Effect.sleep(millis)
        expect(sleeps).toHaveLength(1)
      }
      yield* Effect.sleep("2 seconds")
      expect(sleeps).toHaveLength(0)
      expect(swept.map(([due]) => due)).toStrictEqual([1000, 1500, 2000, 3000])
      for (const [due, at] of swept) expect(at).toBe(due)
    }),
  { schedules: 1000 }
)
