/**
 * One fiber with one timer for everything that is due some day.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"

/** Node's timers know no longer time. */
const longest = 2 ** 31 - 1

/** @since 0.1.0 */
export interface Sweep {
  /** Says that something is due. Never waits; to be called in the step that made it so. */
  readonly ring: (at: number) => void
  /** To be run after something was found due for the first time: until then there is no fiber. */
  readonly start: Effect.Effect<void>
}

/**
 * `sweep` does what is due by the time that it is given, and says when something is next, in milliseconds since the epoch. The fiber
 * ends with the scope.
 *
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(sweep: (now: number) => number | undefined) {
  const scope = yield* Effect.scope
  const refs = yield* Effect.getFiberRefs
  let started = false
  let bell = Deferred.unsafeMake<void>(FiberId.none)
  let next: number | undefined = undefined
  const wake = () => Deferred.unsafeDone(bell, Effect.void)

  const round = Clock.currentTimeMillis.pipe(
    Effect.map((now) => {
      // one step: a ring that comes after the sweep finds the new bell and the new time
      bell = Deferred.unsafeMake(FiberId.none)
      next = sweep(now)
      return next === undefined ? undefined : Math.min(Math.max(next - now, 0), longest)
    }),
    Effect.flatMap((wait) =>
      wait === undefined ? Deferred.await(bell) : Effect.acquireUseRelease(
        Effect.fork(Effect.interruptible(Effect.zipRight(Effect.sleep(wait), Effect.sync(wake)))),
        () => Deferred.await(bell),
        Fiber.interrupt
      )
    )
  )

  // of the one who happens to start it the fiber must keep nothing: not its context, which may be a whole request
  const detach = Effect.updateFiberRefs((fiberId, inherited) =>
    FiberRefs.updateAs(refs, {
      fiberRef: FiberRef.interruptedCause,
      fiberId,
      value: FiberRefs.getOrDefault(inherited, FiberRef.interruptedCause)
    })
  )

  const self: Sweep = {
    ring: (at) => {
      if (next === undefined || at < next) wake()
    },
    start: Effect.suspend(() => {
      if (started) return Effect.void
      started = true
      return Effect.zipRight(detach, Effect.forever(round)).pipe(Effect.interruptible, Effect.forkIn(scope))
    })
  }
  return self
})
