/**
 * What a stream is made of, and what its owner holds of it.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type * as Backoff from "./Backoff.js"
import type * as Heartbeat from "./Heartbeat.js"
import type * as State from "./State.js"

/** The stream has ended; nothing is dialed any more. @since 0.1.0 */
export class StreamEnded extends Schema.TaggedError<StreamEnded>()("StreamEnded", {
  key: Schema.String,
  reason: Schema.String,
  /** Whether somebody asked for it. */
  requested: Schema.Boolean,
  message: Schema.String
}) {}

/** @since 0.1.0 */
export interface StreamSpec<A, E> {
  /**
   * Dials. What it opens lives in the scope, which is closed when the connection ends, before the next dial and before `detach`
   * returns.
   */
  readonly connect: Effect.Effect<A, E, Scope.Scope>
  /**
   * Consumes the connection until it ends, in the connection's scope. When it returns, the peer has ended it (and may have said how).
   * It is interrupted when the stream is detached, and when the peer is silent.
   */
  readonly run: (
    connection: A,
    heartbeat: Heartbeat.Heartbeat
  ) => Effect.Effect<State.StreamEnd | void, E, Scope.Scope>
  /**
   * `never`: one dial, and after its end the key is free. Otherwise it is dialed again after every end, also a clean one (SM5).
   * `Backoff.standard` when left out.
   */
  readonly redial?: "never" | Backoff.Policy | undefined
  /**
   * The shortest delay before the next dial, when the peer asks for one: the `retry` of server-sent events. Asked after each end; must not
   * wait.
   */
  readonly redialAfter?: Effect.Effect<Duration.Duration> | undefined
  /** A dial that takes longer is given up (`TimedOut`). A dial may take for ever when it is left out. */
  readonly connectTimeout?: Duration.DurationInput | undefined
  /** A connection without a `beat` for so long is given up (`Silent`, SM7). Left out, it may be silent for ever. */
  readonly idle?: Duration.DurationInput | undefined
  /** Asks a peer that was silent for `every` for a sign of life; success is a beat, a failure ends the connection. Needs `idle`. */
  readonly probe?: {
    readonly every: Duration.DurationInput
    readonly send: (connection: A) => Effect.Effect<void, E>
  } | undefined
  /**
   * Hears of the end of each dial, failed ones too (SM6): once, when everything of it is closed, before the next one and before `detach`
   * returns. It cannot be interrupted.
   */
  readonly onEnd?: ((end: State.End<E>) => Effect.Effect<void>) | undefined
}

/** @since 0.1.0 */
export interface StreamHandle<A, E> {
  readonly key: string
  /**
   * The current connection; waits for one. When the stream has ended it fails: with the error of its last connection, if it failed, and
   * otherwise with `StreamEnded`.
   */
  readonly ready: Effect.Effect<A, E | StreamEnded>
  /** The current connection, never one whose closing has begun. */
  readonly current: Effect.Effect<Option.Option<A>>
  /**
   * What the stream does now, and each change until it has ended. A slow observer misses changes and costs nothing: it sees the latest
   * one.
   */
  readonly status: Stream.Stream<State.Status<E>>
  /** Waits for the end of the stream: everything of it is closed. */
  readonly ended: Effect.Effect<State.End<E>>
}
