import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import * as Intake from "../../../src/lifecycle/stream/Intake.js"

leakFreeFile()

describe("Intake", () => {
  // many at once, because only then can what wakes the taker overtake it: a `Mailbox` loses seven of these messages (docs/effect.md)
  it.live("SM8 a taker that Effect's own scheduler puts off anywhere does not sleep over what comes meanwhile", () =>
    Effect.gen(function*() {
      const putOffAfter = Array.from({ length: 100 }, (_, operations) => operations + 1980)
      const taken = yield* Effect.forEach(putOffAfter, (operations) =>
        Effect.gen(function*() {
          const intake = Intake.make<number>(1)
          const busy = Effect.forEach(Array.from({ length: operations }), () => Effect.void, { discard: true })
          const taker = yield* Effect.fork(Effect.zipRight(busy, intake.take))
          yield* Effect.fork(Effect.sync(() => intake.push([operations])))
          return yield* Fiber.join(taker)
        }), { concurrency: "unbounded" })
      expect(taken).toStrictEqual(putOffAfter)
    }))
})
