/**
 * That what `Operation` leaves out makes no difference: a search that chooses before each operation of Effect, whatever it is, finds the
 * same outcomes, in more schedules.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { Interleave } from "holdfast/testing"
import { vi } from "vitest"
import type * as Operation from "../../../src/testing/interleave/Operation.js"

const search = vi.hoisted(() => ({ everywhere: false }))
vi.mock("../../../src/testing/interleave/Operation.js", async (importOriginal) => {
  const original = await importOriginal<typeof Operation>()
  const weigh: typeof Operation.weigh = (...args) => search.everywhere ? "acts" : original.weigh(...args)
  return { ...original, weigh }
})

interface World {
  /** Writes a word. */
  readonly say: (word: string) => Effect.Effect<void>
  readonly gate: Deferred.Deferred<void>
  /** Whom it can interrupt. */
  readonly other: () => Fiber.Fiber<unknown>
}

/** What one party does while the other one says "b" and "B". */
const parties: Record<string, (world: World) => Effect.Effect<unknown>> = {
  "two steps": ({ say }) => Effect.zipRight(say("a"), say("A")),
  "a generator, with a value and an Option in it": ({ say }) =>
    Effect.gen(function*() {
      yield* say("a")
      yield* Effect.succeed(1)
      yield* Effect.yieldNow()
      yield* say("A")
    }),
  "a failure that is caught": ({ say }) =>
    Effect.catchAll(Effect.zipRight(say("a"), Effect.fail("no")), () => say("caught")),
  "uninterruptible": ({ say }) => Effect.uninterruptible(Effect.zipRight(say("a"), say("A"))),
  "interruptible in uninterruptible": ({ say }) =>
    Effect.uninterruptible(Effect.zipRight(
      Effect.interruptible(Effect.gen(function*() {
        yield* say("a")
      })),
      say(".")
    )),
  "a mask": ({ say }) => Effect.uninterruptibleMask((restore) => Effect.zipRight(say("a"), restore(say("A")))),
  "ensuring": ({ say }) => Effect.ensuring(say("a"), say(".")),
  "onInterrupt": ({ say }) => Effect.onInterrupt(Effect.zipRight(say("a"), say("A")), () => say("⊘")),
  "acquireUseRelease": ({ say }) => Effect.acquireUseRelease(say("("), () => say("a"), () => say(")")),
  "a fork that is joined": ({ say }) => Effect.flatMap(Effect.fork(say("a")), Fiber.join),
  "a daemon": ({ say }) => Effect.zipRight(Effect.forkDaemon(say("a")), say("A")),
  "a loop": ({ say }) => Effect.repeatN(say("a"), 1),
  "a Deferred": ({ gate, say }) => Effect.zipRight(Deferred.await(gate), say("a")),
  "an interruption of the other": ({ other, say }) =>
    Effect.zipRight(Effect.suspend(() => Fiber.interruptFork(other())), say("a"))
}

const outcomes = (party: (world: World) => Effect.Effect<unknown>, options: Interleave.Options) => {
  const seen = new Set<string>()
  const program = Effect.gen(function*() {
    let said = ""
    const say = (word: string) => Effect.sync(() => void (said += word))
    const gate = yield* Deferred.make<void>()
    let other: Fiber.Fiber<unknown> = Fiber.void
    const one = yield* Interleave.victim(party({ say, gate, other: () => other }))
    const two = yield* Effect.fork(
      Effect.zipRight(say("b"), Effect.zipRight(Deferred.succeed(gate, undefined), say("B")))
    )
    other = two
    const exits = [yield* Fiber.await(one), yield* Fiber.await(two)]
    const ends = exits.map((exit) => Exit.isSuccess(exit) ? "ok" : Cause.isInterrupted(exit.cause) ? "⊘" : "failed")
    seen.add(`${said} ${ends.join(" ")}`)
  })
  return Effect.map(Effect.orDie(Interleave.check(program, options)), ({ exhaustive, schedules }) => {
    expect(exhaustive).toBe(true)
    return { seen: [...seen].sort(), schedules }
  })
}

describe("to be put off before every operation tells no more", () => {
  const strategy = Interleave.exhaustive({ preemptions: 1 })
  for (const [name, party] of Object.entries(parties)) {
    for (const interruptAt of [undefined, "every-step"] as const) {
      it.live(interruptAt === undefined ? name : `${name}, interrupted at each step`, () =>
        Effect.gen(function*() {
          const few = yield* outcomes(party, { strategy, interruptAt })
          search.everywhere = true
          const all = yield* Effect.ensuring(
            outcomes(party, { strategy, interruptAt }),
            Effect.sync(() => search.everywhere = false)
          )
          expect(few.seen).toStrictEqual(all.seen)
          expect(few.schedules).toBeLessThan(all.schedules)
        }))
    }
  }
})
