/**
 * The time and the timers as they were when this module was loaded: a test may have put others in their place since, and a leak
 * checker has to wait in earnest.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"

const { clearTimeout: clear, setImmediate: soon, setTimeout: after } = globalThis
const { now: read } = Date

/** Milliseconds since the epoch. */
export const now = (): number => read()

/** Waits, whatever `Clock` the fiber has, and then until what has been closed is told so. */
export const pause = (millis: number): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    const timer = after(() => soon(() => resume(Effect.void)), millis)
    return Effect.sync(() => clear(timer))
  })
