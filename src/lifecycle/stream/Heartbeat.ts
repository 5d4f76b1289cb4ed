/**
 * Finds out that a peer has gone quiet (SM7): a half-open connection fails no read, it only says nothing any more.
 *
 * `beat` is called on every sign of life. `silence` completes when there was none for `idle`; with a `probe` the peer is asked for one
 * before that.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Monotonic from "../Monotonic.js"

/**
 * What the one who reads a connection tells.
 *
 * @since 0.1.0
 */
export interface Heartbeat {
  /** A sign of life came. Never fails, never waits. */
  readonly beat: Effect.Effect<void>
  /**
   * Stops the clock for as long as the effect runs: who does not read hears nothing, and that is no silence of the peer. To be put
   * around whatever a full buffer holds up.
   */
  readonly hold: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/** For a connection that nobody watches. @since 0.1.0 */
export const none: Heartbeat = { beat: Effect.void, hold: (effect) => effect }

/**
 * What is known of the signs of life. A class for the sake of memory, as each of thousands of idle connections has one.
 *
 * @since 0.1.0
 */
export class Pulse implements Heartbeat {
  private last: number
  private held = 0

  constructor(private readonly clock: Clock.Clock) {
    this.last = Monotonic.unsafeNow(clock)
  }

  get beat(): Effect.Effect<void> {
    return Effect.sync(() => {
      this.last = Monotonic.unsafeNow(this.clock)
    })
  }

  /** A property, as it may be taken off. */
  readonly hold = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        this.held++
      }),
      () => effect,
      () =>
        Effect.sync(() => {
          this.held--
          this.last = Monotonic.unsafeNow(this.clock)
        })
    )

  /** For how long nothing was heard, in milliseconds. */
  quiet(now: number): number {
    return this.held > 0 ? 0 : now - this.last
  }
}

/** @since 0.1.0 */
export interface Watched extends Heartbeat {
  /** Completes once the peer has been silent for `idle`. It runs in the connection's scope, where it also forks its probes. */
  readonly silence: Effect.Effect<void>
}

/** @since 0.1.0 */
export const make = Effect.fnUntraced(function*(options: {
  readonly idle: Duration.DurationInput
  /** `send` is run after every so long without a beat; when it succeeds, that is one. */
  readonly probe?: {
    readonly every: Duration.DurationInput
    readonly send: Effect.Effect<void>
  } | undefined
  readonly scope: Scope.Scope
}) {
  const { probe, scope } = options
  const clock = yield* Effect.clock
  const idle = Duration.toMillis(options.idle)
  const every = probe === undefined ? idle : Duration.toMillis(probe.every)
  const pulse = new Pulse(clock)
  let probing = false

  // a probe that hangs is one that no answer came to: the deadline does not wait for it
  const sendProbe = probe === undefined ? Effect.void : Effect.suspend(() => {
    probing = true
    return Effect.forkIn(
      Effect.ensuring(
        Effect.zipRight(probe.send, pulse.beat),
        Effect.sync(() => {
          probing = false
        })
      ),
      scope
    )
  })

  const silence: Effect.Effect<void> = Effect.suspend(() => {
    const quiet = pulse.quiet(Monotonic.unsafeNow(clock))
    if (quiet >= idle) return Effect.void
    const asks = probe !== undefined && quiet >= every && !probing
    // it sleeps as long as is left, so a beat costs no timer
    const next = Math.min(idle - quiet, quiet < every ? every - quiet : every)
    return Effect.zipRight(asks ? sendProbe : Effect.void, Effect.zipRight(Effect.sleep(next), silence))
  })

  const watched: Watched = { beat: pulse.beat, hold: pulse.hold, silence }
  return watched
})
