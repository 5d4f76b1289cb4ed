/**
 * What a stream is doing, and what it does next: data and a pure function. `Keeper` does what they say.
 *
 * ```
 * Connecting ──Dialed──▶ Connected            Closing ──Settled──▶ BackingOff ──Woken──▶ Connecting
 *     └──────────┴── Over, GivenUp, Stopped ──▶ Closing ──Settled──▶ Ended
 * ```
 *
 * From `Closing` on the connection is given to nobody; `Settled` comes when everything of it is closed.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Backoff from "./Backoff.js"

/**
 * How a peer said that it closes: what `run` may return. A close frame's code (1000 and 1001 are ends, not failures), an end of file.
 *
 * @since 0.1.0
 */
export interface StreamEnd {
  readonly message: string
  readonly code?: number | undefined
}

/**
 * Why a connection ended (SM6).
 *
 * - `Clean`: `run` returned.
 * - `Failed`: the dial or `run` failed, or the probe did.
 * - `Defect`: one of them died, or closing the connection did. The manager has logged the cause.
 * - `Interrupted`: `run` or the dial interrupted itself.
 * - `TimedOut`: the dial took longer than `connectTimeout`.
 * - `Silent`: no sign of life came for `idle` (SM7).
 * - `Detached`, `Closed`: it was asked for, by `detach` or by the end of the manager's scope.
 *
 * @since 0.1.0
 */
export type Reason = "Clean" | "Failed" | "Defect" | "Interrupted" | "TimedOut" | "Silent" | "Detached" | "Closed"

/** How a connection ended, or a stream. @since 0.1.0 */
export interface End<E> {
  readonly reason: Reason
  /** Whether somebody asked for it: `detach`, or the end of the manager's scope. */
  readonly requested: boolean
  /** One sentence for people. */
  readonly message: string
  /** What failed or died; also what went wrong while a connection closed that was asked to. */
  readonly cause?: Cause.Cause<E> | undefined
  /** How the peer said that it closes. */
  readonly said?: StreamEnd | undefined
  /** The dial's number, as in `Status`. */
  readonly attempt: number
  /** Whether the dial had succeeded. */
  readonly connected: boolean
}

/**
 * What a stream is doing, for those who watch it. `attempt` counts the dials in a row since a connection was healthy, from 1. A
 * stream is `Connected` until everything of the connection is closed, and `BackingOff` already knows the number of the next dial.
 *
 * @since 0.1.0
 */
export type Status<E> =
  | { readonly _tag: "Connecting"; readonly attempt: number }
  | {
    readonly _tag: "Connected"
    readonly attempt: number
    /** Milliseconds since the epoch. */
    readonly since: number
  }
  | {
    readonly _tag: "BackingOff"
    readonly attempt: number
    readonly delay: Duration.Duration
    readonly end: End<E>
  }
  | { readonly _tag: "Ended"; readonly end: End<E> }

/** An end that somebody else than the connection decided. @since 0.1.0 */
export interface Verdict<E> {
  readonly reason: "Detached" | "Closed" | "Silent" | "TimedOut" | "Failed"
  readonly message: string
  readonly cause?: Cause.Cause<E> | undefined
}

/** What the stream was told to stop for. @since 0.1.0 */
export interface Stop {
  readonly reason: "Detached" | "Closed"
  readonly message: string
}

/** @since 0.1.0 */
export type State<A, E> =
  | { readonly _tag: "Connecting"; readonly status: Extract<Status<E>, { _tag: "Connecting" }> }
  | {
    readonly _tag: "Connected"
    readonly status: Extract<Status<E>, { _tag: "Connected" }>
    readonly connection: A
  }
  | {
    readonly _tag: "Closing"
    /** What is shown meanwhile. */
    readonly status: Exclude<Status<E>, { _tag: "Ended" }>
    /** Who decided, if it was not the connection itself. */
    readonly verdict: Verdict<E> | undefined
    /** After this one nothing more is dialed. */
    readonly stop: Stop | undefined
    /** How many milliseconds the connection was up. */
    readonly upFor: number
  }
  | { readonly _tag: "BackingOff"; readonly status: Extract<Status<E>, { _tag: "BackingOff" }> }
  | { readonly _tag: "Ended"; readonly status: Extract<Status<E>, { _tag: "Ended" }> }

/** @since 0.1.0 */
export type Event<A, E> =
  /** The back-off is over. */
  | { readonly _tag: "Woken" }
  | { readonly _tag: "Dialed"; readonly connection: A; readonly now: number }
  /** The dial or `run` came to an end of its own. */
  | { readonly _tag: "Over"; readonly now: number }
  /** The connection is ended from outside, the stream goes on. */
  | { readonly _tag: "GivenUp"; readonly verdict: Verdict<E>; readonly now: number }
  /** The stream is ended. */
  | { readonly _tag: "Stopped"; readonly stop: Stop; readonly now: number }
  /** Everything of the connection is closed. `atLeast` is the delay that the peer asked for. */
  | { readonly _tag: "Settled"; readonly end: End<E>; readonly chance: number; readonly atLeast: Duration.Duration }

/** @since 0.1.0 */
export const initial: State<never, never> = { _tag: "Connecting", status: { _tag: "Connecting", attempt: 1 } }

/** The end that was asked for. @since 0.1.0 */
export const stopped = (stop: Stop, attempt: number): End<never> => ({
  reason: stop.reason,
  requested: true,
  message: stop.message,
  attempt,
  connected: false
})

/** The number of the dial that it is about, and whether that dial had succeeded. @since 0.1.0 */
export const place = <A, E>({ status }: State<A, E>): { readonly attempt: number; readonly connected: boolean } =>
  status._tag === "Ended"
    ? { attempt: status.end.attempt, connected: status.end.connected }
    : { attempt: status.attempt, connected: status._tag === "Connected" }

/** Nothing is dialed after this, so the key may be given to a successor that waits for the end (SM10). @since 0.1.0 */
export const isFinal = <A, E>(state: State<A, E>, redial: "never" | Backoff.Policy): boolean =>
  state._tag === "Ended" || (state._tag === "Closing" && (state.stop !== undefined || redial === "never"))

const closing = <A, E>(state: Exclude<State<A, E>, { _tag: "Closing" | "Ended" }>, now: number) => ({
  _tag: "Closing" as const,
  status: state.status,
  verdict: undefined,
  stop: undefined,
  upFor: state._tag === "Connected" ? now - state.status.since : 0
})

/**
 * The state after the event; the same object when the event changes nothing, because it came too late.
 *
 * @since 0.1.0
 */
export const transition = <A, E>(
  redial: "never" | Backoff.Policy,
  state: State<A, E>,
  event: Event<A, E>
): State<A, E> => {
  switch (event._tag) {
    case "Woken":
      return state._tag === "BackingOff"
        ? { _tag: "Connecting", status: { _tag: "Connecting", attempt: state.status.attempt } }
        : state
    case "Dialed":
      // SM2: a dial that was told to end does not become a connection, however well it went
      return state._tag === "Connecting"
        ? {
          _tag: "Connected",
          status: { _tag: "Connected", attempt: state.status.attempt, since: event.now },
          connection: event.connection
        }
        : state
    case "Over":
      return state._tag === "Connecting" || state._tag === "Connected" ? closing(state, event.now) : state
    case "GivenUp":
      return state._tag === "Connecting" || state._tag === "Connected"
        ? { ...closing(state, event.now), verdict: event.verdict }
        : state
    case "Stopped":
      if (state._tag === "Ended") return state
      // SM6: a connection that ends already has its own reason; it is only not followed by another one
      if (state._tag === "Closing") return state.stop === undefined ? { ...state, stop: event.stop } : state
      return { ...closing(state, event.now), verdict: event.stop, stop: event.stop }
    case "Settled": {
      if (state._tag !== "Closing") return state
      const { end } = event
      if (redial === "never") return { _tag: "Ended", status: { _tag: "Ended", end } }
      if (state.stop !== undefined) {
        return {
          _tag: "Ended",
          status: { _tag: "Ended", end: end.requested ? end : stopped(state.stop, end.attempt) }
        }
      }
      // SM5: clean ends too; a peer that hangs up at once would else be dialed in a tight loop
      const attempt = Backoff.nextAttempt(redial, end.attempt, state.upFor)
      const delay = Duration.max(Backoff.delay(redial, attempt, event.chance), event.atLeast)
      return { _tag: "BackingOff", status: { _tag: "BackingOff", attempt, delay, end } }
    }
  }
}
