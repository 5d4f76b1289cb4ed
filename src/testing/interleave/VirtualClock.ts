/**
 * A clock that stands still until somebody moves it, and then goes from one timer to the next.
 *
 * `TestClock` is not it: its warning fiber sleeps on the live clock.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

interface Timer {
  readonly at: number
  readonly fire: () => void
}

/** @since 0.1.0 */
export interface VirtualClock extends Clock.Clock {
  /** Moves to the next timer and fires all that are due then. False when there is none that ever comes. */
  readonly advance: () => boolean
  /** Whether there is such a timer. */
  readonly waiting: () => boolean
}

/** It starts at 0. @since 0.1.0 */
export const make = (): VirtualClock => {
  let now = 0
  // in the order in which they were set
  const timers = new Set<Timer>()
  const earliest = () => {
    let next = Infinity
    for (const { at } of timers) next = Math.min(next, at)
    return next
  }
  return {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => now,
    currentTimeMillis: Effect.sync(() => now),
    unsafeCurrentTimeNanos: () => nanos(now),
    currentTimeNanos: Effect.sync(() => nanos(now)),
    sleep: (duration) =>
      Effect.async<void>((resume) => {
        const timer = { at: now + Duration.toMillis(duration), fire: () => resume(Effect.void) }
        timers.add(timer)
        return Effect.sync(() => timers.delete(timer))
      }),
    waiting: () => earliest() < Infinity,
    advance: () => {
      const next = earliest()
      if (next === Infinity) return false
      now = next
      // together: one by one, the explorer would never see them race
      for (const timer of timers) {
        if (timer.at > now) continue
        timers.delete(timer)
        timer.fire()
      }
      return true
    }
  }
}

const nanos = (millis: number): bigint => BigInt(Math.round(millis * 1_000_000))
