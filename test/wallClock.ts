import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** Runs the effect with a wall clock that somebody sets: `ahead` says by how many milliseconds it is off whenever it is read. */
export const withWallClock = (ahead: () => number) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.clockWith((clock) => {
    const unsafeCurrentTimeMillis = () => clock.unsafeCurrentTimeMillis() + ahead()
    const currentTimeMillis = Effect.sync(unsafeCurrentTimeMillis)
    // everything else is the clock's own: a test clock is asked for more than a clock
    const set: Clock.Clock = Object.assign(Object.create(clock), {
      unsafeCurrentTimeMillis,
      currentTimeMillis,
      unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
      currentTimeNanos: clock.currentTimeNanos
    })
    return Effect.withClock(self, set)
  })
