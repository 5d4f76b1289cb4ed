/**
 * One fiber with one timer for everything that is due some day: it sleeps until the first of it is, and is gone when there is none.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"

/** Node's timers know no longer time. */
const longest = 2 ** 31 - 1

interface Sleeper {
  readonly until: number
  fiber: Fiber.RuntimeFiber<void> | undefined
}

/**
 * What is due is `sweep`'s business: it does what is due by the time that it is given, and says when something is next, in milliseconds of
 * the clock that `now` reads.
 *
 * The Effect that it makes is to be run, uninterruptibly, by whoever has made something due, with that time. The fiber ends with the scope.
 *
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(
  sweep: (now: number) => number | undefined,
  now: Effect.Effect<number> = Clock.currentTimeMillis
) {
  const scope = yield* Effect.scope
  const refs = yield* Effect.getFiberRefs
  let sleeper: Sleeper | undefined

  // of the one who happens to start it the fiber must keep nothing: not its context, which may be a whole request
  const detach = Effect.updateFiberRefs((fiberId, inherited) =>
    FiberRefs.updateAs(refs, {
      fiberRef: FiberRef.interruptedCause,
      fiberId,
      value: FiberRefs.getOrDefault(inherited, FiberRef.interruptedCause)
    })
  )

  const wakeAt = (at: number): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (sleeper !== undefined && sleeper.until <= at) return Effect.void
      sleeper?.fiber?.unsafeInterruptAsFork(FiberId.none)
      const self: Sleeper = { until: at, fiber: undefined }
      sleeper = self
      return Effect.map(Effect.forkIn(Effect.interruptible(sleep(self)), scope), (fiber) => {
        self.fiber = fiber
        // somebody may have taken its place before it had a fiber to interrupt
        if (sleeper !== self) fiber.unsafeInterruptAsFork(FiberId.none)
      })
    })

  const sleep = (self: Sleeper): Effect.Effect<void> =>
    detach.pipe(
      Effect.zipRight(now),
      Effect.flatMap((now) => Effect.sleep(Math.min(Math.max(self.until - now, 0), longest))),
      Effect.zipRight(now),
      Effect.flatMap((now) => {
        // who has taken its place since it woke does its work, too
        if (sleeper !== self) return Effect.void
        // one step: whoever makes something due after the sweep finds that nobody sleeps
        sleeper = undefined
        const next = sweep(now)
        return next === undefined ? Effect.void : wakeAt(next)
      })
    )

  return wakeAt
})
