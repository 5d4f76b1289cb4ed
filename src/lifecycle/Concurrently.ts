/**
 * Several at a time, with their results in order.
 *
 * `Effect.forEach` with a concurrency waits for ever when it is interrupted after it was called and before the fiber that it forks has had
 * its first turn (effect 3.22). Of a run that would be a cancel, and of a layer a close, that never ends.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"

/** When it is interrupted it goes on when all that it has begun is gone. @since 0.1.0 */
export const forEach = <A, B, R>(
  items: ReadonlyArray<A>,
  atOnce: number,
  f: (item: A) => Effect.Effect<B, never, R>
): Effect.Effect<ReadonlyArray<B>, never, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const permits = yield* Effect.makeSemaphore(Math.max(1, atOnce))
      const fibers = yield* Effect.forEach(
        items,
        (item) => Effect.fork(Effect.interruptible(permits.withPermits(1)(Effect.suspend(() => f(item)))))
      )
      return yield* Effect.ensuring(
        restore(Effect.forEach(fibers, (fiber) => Fiber.join(fiber))),
        Fiber.interruptAll(fibers)
      )
    })
  )
