import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Interleave } from "holdfast/testing"
import { it } from "holdfast/testing/vitest"
import * as Notifier from "../../../src/lifecycle/elicitation/Notifier.js"

it.interleaved(
  "EB8 EB5 who hears of changes has looked after the last one (exhaustive: all schedules with two preemptions)",
  () =>
    Effect.gen(function*() {
      const notifier = Notifier.make()
      let [now, seen] = [0, -1]
      const looking = yield* Effect.fork(
        Effect.forever(Effect.zipRight(notifier.listen(), Effect.sync(() => seen = now)))
      )
      const change = Effect.sync(() => {
        now++
        notifier.notify()
      })
      yield* Effect.zipRight(change, change)
      // when nothing can go on any more but time
      yield* Effect.sleep("1 second")
      expect(seen).toBe(2)
      yield* Fiber.interrupt(looking)
    }),
  { strategy: Interleave.exhaustive({ preemptions: 2 }), exhaustive: true },
  120_000
)

it.interleaved(
  "EB8 one who leaves at any step takes no other's news along",
  () =>
    Effect.gen(function*() {
      const notifier = Notifier.make()
      const [mine, theirs] = [notifier.listen(), notifier.listen()]
      yield* Effect.zipRight(mine, theirs)
      const leaving = yield* Interleave.victim(mine)
      const staying = yield* Effect.fork(theirs)
      yield* Effect.sync(notifier.notify)
      yield* Fiber.join(staying)
      yield* Fiber.await(leaving)
    }),
  { interruptAt: "every-step", strategy: Interleave.exhaustive({ preemptions: 2 }), exhaustive: true }
)
