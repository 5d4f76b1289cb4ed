/** What waits to be taken, in every order of those who bring it and those who take it. */
import { describe, expect } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { Interleave } from "holdfast/testing"
import { it } from "holdfast/testing/vitest"
import * as Intake from "../../../src/lifecycle/stream/Intake.js"

/** Brings all of them, each when the one before it has left room. */
const bring = (intake: Intake.Intake<number, string>, numbers: ReadonlyArray<number>) =>
  Effect.forEach(numbers, (number) => intake.offer([number]), { discard: true })

const takeOneByOne = (intake: Intake.Intake<number, string>) => {
  const taken: Array<number> = []
  return Effect.forever(Effect.tap(intake.take, (number) => Effect.sync(() => taken.push(number)))).pipe(
    Effect.catchTag("NoSuchElementException", () => Effect.succeed(taken))
  )
}

describe("Intake", () => {
  it.interleaved(
    "SM8 nobody sleeps over what comes, and nobody waits for room that there is",
    () =>
      Effect.gen(function*() {
        const intake = Intake.make<number, string>(1)
        const taking = yield* Effect.fork(takeOneByOne(intake))
        yield* bring(intake, [1, 2, 3])
        intake.end(Exit.void)
        expect(yield* Fiber.join(taking)).toStrictEqual([1, 2, 3])
      }),
    { strategy: Interleave.exhaustive({ preemptions: 2 }) }
  )

  it.interleaved("SM8 what waits together is taken together, in order, and the end comes with the last or after it", () =>
    Effect.gen(function*() {
      const intake = Intake.make<number, string>(2)
      yield* Effect.fork(
        Effect.zipRight(bring(intake, [1, 2, 3, 4, 5]), Effect.sync(() => intake.end(Exit.void)))
      )
      const taken: Array<number> = []
      for (let done = false; !done;) {
        const [numbers, over] = yield* intake.takeAll
        expect(numbers.length > 0 || over).toBe(true)
        taken.push(...numbers)
        done = over
      }
      expect(taken).toStrictEqual([1, 2, 3, 4, 5])
      expect(yield* intake.takeAll).toStrictEqual([Chunk.empty(), true])
    }))

  it.interleaved(
    "SM8 of two who take, one may be interrupted anywhere: the other gets all but what the first has in its hands",
    () =>
      Effect.gen(function*() {
        const intake = Intake.make<number, string>(1)
        const first: Array<number> = []
        yield* Interleave.victim(
          Effect.forever(Effect.tap(intake.take, (number) => Effect.sync(() => first.push(number))))
        )
        const second = yield* Effect.fork(takeOneByOne(intake))
        yield* bring(intake, [1, 2, 3])
        intake.end(Exit.void)
        const taken = [...first, ...(yield* Fiber.join(second))]
        expect(new Set(taken).size).toBe(taken.length)
        expect(taken.length).toBeGreaterThanOrEqual(2)
      }),
    { interruptAt: "every-step" }
  )

  it.interleaved("SM8 of two who bring, each is held up, and what each brings keeps its order", () =>
    Effect.gen(function*() {
      const intake = Intake.make<number, string>(1)
      const bringing = [yield* Effect.fork(bring(intake, [1, 2, 3])), yield* Effect.fork(bring(intake, [11, 12, 13]))]
      const taking = yield* Effect.fork(takeOneByOne(intake))
      yield* Fiber.joinAll(bringing)
      intake.end(Exit.void)
      const taken = yield* Fiber.join(taking)
      expect(taken.filter((number) => number < 10)).toStrictEqual([1, 2, 3])
      expect(taken.filter((number) => number > 10)).toStrictEqual([11, 12, 13])
    }))

  it.interleaved("a failure comes after what was pushed before it, to everybody who takes", () =>
    Effect.gen(function*() {
      const intake = Intake.make<number, string>(8)
      const taking = yield* Effect.fork(Effect.exit(takeOneByOne(intake)))
      intake.push([1])
      intake.end(Exit.fail("cut"))
      intake.push([2])
      intake.end(Exit.fail("too late"))
      expect(yield* Fiber.join(taking)).toStrictEqual(Exit.fail("cut"))
      yield* intake.room
      expect(yield* Effect.exit(intake.takeAll)).toStrictEqual(Exit.fail("cut"))
    }))
})
