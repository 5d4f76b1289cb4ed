/**
 * Milliseconds by a clock that never goes back, for how long something lasts. The wall clock is for what is told: when it is set back by an
 * hour, whoever measures with it waits for an hour.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** @since 0.1.0 */
export const unsafeNow = (clock: Clock.Clock): number => Number(clock.unsafeCurrentTimeNanos() / 1_000_000n)

/** @since 0.1.0 */
export const now: Effect.Effect<number> = Effect.clockWith((clock) => Effect.sync(() => unsafeNow(clock)))
