/**
 * Finds the connections whose peer has gone quiet (SM7), all those of a manager with one fiber and one timer: what a fiber for each would
 * cost, thousands that hear nothing would have to pay. A beat moves no timer.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as Agenda from "../Agenda.js"
import * as Monotonic from "../Monotonic.js"
import * as Sweep from "../Sweep.js"
import * as Heartbeat from "./Heartbeat.js"

/** @since 0.1.0 */
export interface Watchdog {
  /**
   * The heartbeat of a connection that has just begun. `silent` is called, once, when there was no beat for `idle`; not after its scope has
   * been closed.
   */
  readonly watch: (
    idle: Duration.DurationInput,
    scope: Scope.Scope,
    silent: () => void
  ) => Effect.Effect<Heartbeat.Heartbeat>
}

interface Watched {
  readonly pulse: Heartbeat.Pulse
  readonly idle: number
  readonly silent: () => void
  entry: Agenda.Entry<Watched> | undefined
}

/** It ends with the scope, and sleeps only while there is somebody to watch. @since 0.1.0 */
export const make: Effect.Effect<Watchdog, never, Scope.Scope> = Effect.gen(function*() {
  const clock = yield* Effect.clock
  const agenda = Agenda.make<Watched>()

  /** Once for each so long, or when it may have been silent for it, and not with each beat. */
  const look = (watched: Watched, now: number) => {
    const left = watched.idle - watched.pulse.quiet(now)
    if (left > 0) watched.entry = agenda.add(now + left, watched)
    else watched.silent()
  }
  const wakeAt = yield* Sweep.make((now) => {
    for (let due = agenda.take(now); due !== undefined; due = agenda.take(now)) look(due, now)
    return agenda.next()
  }, Monotonic.now)

  return {
    watch: (idle, scope, silent) =>
      Effect.uninterruptible(Effect.suspend(() => {
        const pulse = new Heartbeat.Pulse(clock)
        const watched: Watched = { pulse, idle: Duration.toMillis(idle), silent, entry: undefined }
        const at = Monotonic.unsafeNow(clock) + watched.idle
        watched.entry = agenda.add(at, watched)
        const forget = Effect.sync(() => {
          if (watched.entry !== undefined) agenda.remove(watched.entry)
        })
        return Scope.addFinalizer(scope, forget).pipe(Effect.zipRight(wakeAt(at)), Effect.as(pulse))
      }))
  }
})
