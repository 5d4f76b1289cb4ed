/**
 * The races of restarts: `Interleave` finds each in the naive code, and none in `RestartCoalescer`. docs/races.md tells of them.
 */
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { Interleave } from "holdfast/testing"
import { it } from "holdfast/testing/vitest"
import * as RestartCoalescer from "../../src/lifecycle/RestartCoalescer.js"
import { itFinds } from "./found.js"
import * as naive from "./restarts.js"

interface Coalescer {
  /** May return before the restart that covers it is over. */
  readonly request: Effect.Effect<unknown, unknown>
}

type Subject<R> = (cycle: Effect.Effect<void>) => Effect.Effect<Coalescer, never, R>

const holdfast = (cycle: Effect.Effect<void>) =>
  Effect.map(
    RestartCoalescer.make({ cycle: () => cycle }),
    (restarts) => ({ request: restarts.request("agent", "changed") })
  ).pipe(Logger.withMinimumLogLevel(LogLevel.None))

/**
 * Two writers change an input and ask for a restart each. A cycle reads its inputs when it starts, so when all is over the last one
 * must have read the last input (RC2).
 */
const lastInputIsRead = <R>(subject: Subject<R>, cycle: Effect.Effect<void> = Effect.yieldNow()) => () =>
  Effect.gen(function*() {
    let [input, read] = [0, 0]
    const { request } = yield* subject(Effect.suspend(() => {
      read = input
      return cycle
    }))
    const write = Effect.zipRight(Effect.sync(() => input++), Effect.exit(request))
    const writers = yield* Effect.all([Effect.fork(write), Effect.fork(write)])
    yield* Effect.forEach(writers, Fiber.await)
    yield* Effect.sleep("1 hour")
    expect(read).toBe(input)
  })

describe("a restart dropped by try-lock", () => {
  itFinds("a naive lock sends the second away", lastInputIsRead(naive.tryLock), {
    within: 50,
    choices: "seed=5",
    reason: "expected 1 to be 2"
  })

  it.interleaved("RC2 every change is followed by a cycle", lastInputIsRead(holdfast))
})

describe("a lost wake-up when the drain loop ends", () => {
  itFinds("a naive loop looks, and then leaves", lastInputIsRead(naive.drainLoop), {
    within: 500,
    choices: "seed=24 7:2 6:2 1:2",
    reason: "expected 1 to be 2"
  })

  it.interleaved("RC2 leaving and seeing nothing pending are one step", lastInputIsRead(holdfast), {
    strategy: Interleave.pct()
  })
})

describe("pending lost when a cycle dies", () => {
  const scenario = <R>(subject: Subject<R>) =>
    lastInputIsRead(subject, Interleave.maybe("cycle", Effect.yieldNow(), { die: "the cycle has a bug" }))

  itFinds(
    "a naive clean-up forgets who asked meanwhile",
    scenario((cycle) => Effect.sync(() => ({ request: naive.pendingDiesToo(cycle) }))),
    { within: 100, choices: "seed=3 20:1 1:1", reason: "expected 1 to be 2" }
  )

  it.interleaved("RC2 RC5 who asked while a cycle died gets one of its own", scenario(holdfast))
})

describe("a health probe restarts a booting agent for ever", () => {
  const scenario = <R>(
    subject: (
      boot: Effect.Effect<void>
    ) => Effect.Effect<
      { readonly request: Effect.Effect<unknown, unknown>; readonly probe: Effect.Effect<unknown, unknown> },
      never,
      R
    >
  ) =>
  () =>
    Effect.gen(function*() {
      let boots = 0
      const { probe, request } = yield* subject(Effect.suspend(() => {
        boots++
        return Effect.sleep("30 seconds")
      }))
      yield* Effect.fork(request)
      yield* Effect.fork(Effect.forever(Effect.zipRight(Effect.sleep("10 seconds"), Effect.exit(probe))))
      yield* Effect.sleep("10 minutes")
      expect(boots).toBe(1)
    })

  itFinds(
    "a naive probe asks for one more while it boots",
    scenario((boot) => Effect.sync(() => naive.impatientProbe(boot))),
    { within: 5, choices: "seed=1", reason: "expected 20 to be 1" }
  )

  it.interleaved(
    "RC9 a boot covers what its health probe asks for",
    scenario(Effect.fnUntraced(function*(boot) {
      let healthy = false
      const restarts = yield* RestartCoalescer.make({
        cycle: () =>
          Effect.suspend(() => {
            healthy = false
            return Effect.zipRight(boot, Effect.sync(() => healthy = true))
          })
      })
      return {
        request: restarts.request("agent", "requested"),
        probe: Effect.suspend(() => healthy ? Effect.void : restarts.request("agent", "failed"))
      }
    }))
  )
})
