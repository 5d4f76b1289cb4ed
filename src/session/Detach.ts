/**
 * Frees a fiber of what it inherited.
 *
 * A session is opened by a request and outlives it. A fiber that the request forks, and every finalizer that it adds, holds the request's
 * context, annotations and span, down to its socket, for as long as the session is there.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"

/**
 * From here on the fiber has `refs` in place of what it inherited. An interruption that waits for it is kept: Effect keeps that in a
 * `FiberRef`, too.
 *
 * @since 0.1.0
 */
export const to = (refs: FiberRefs.FiberRefs): Effect.Effect<void> =>
  Effect.updateFiberRefs((fiberId, inherited) =>
    FiberRefs.updateAs(refs, {
      fiberRef: FiberRef.interruptedCause,
      fiberId,
      value: FiberRefs.getOrDefault(inherited, FiberRef.interruptedCause)
    })
  )
