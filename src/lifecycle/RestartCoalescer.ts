/**
 * Restarts things that have a key: one cycle at a time for a key, and one for all who ask while another runs.
 *
 * It carries out what is asked for and supervises nothing: no cycle starts that nobody asked for.
 *
 * ```ts
 * const restarts = yield* RestartCoalescer.make({
 *   cycle: (agent: string, { causes }) => Effect.zipRight(stop(agent), boot(agent, causes)),
 *   policy: { settle: "10 seconds", intensity: { max: 5, within: "5 minutes" } }
 * })
 * yield* restarts.submit("reviewer", "changed") // accepted: a cycle that sees the change will start
 * yield* restarts.request("reviewer", "requested") // waits for the end of the cycle that covers it
 * ```
 *
 * What happens when is decided by the pure state machine in `restart/RestartState.ts`; `docs/lifecycle.md` has the picture.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import { type RestartCoalescerClosed, type RestartStorm, show } from "./restart/RestartErrors.js"
import * as RestartMetrics from "./restart/RestartMetrics.js"
import { type Policy, unsafeRules } from "./restart/RestartPolicy.js"
import * as RestartShell from "./restart/RestartShell.js"
import type { Cause, Covered, State } from "./restart/RestartState.js"
import type { Change } from "./restart/StateChanges.js"

export {
  /** @since 0.1.0 */
  RestartCancelled,
  /** @since 0.1.0 */
  RestartCoalescerClosed,
  /** @since 0.1.0 */
  RestartStorm
} from "./restart/RestartErrors.js"
export {
  /** @since 0.1.0 */
  type Policy,
  /** @since 0.1.0 */
  RestartPolicyInvalid
} from "./restart/RestartPolicy.js"
export type {
  /** @since 0.1.0 */
  Ticket,
  /** @since 0.1.0 */
  Unfinished
} from "./restart/RestartShell.js"
export type {
  /** @since 0.1.0 */
  Cause,
  /** @since 0.1.0 */
  Covered,
  /** @since 0.1.0 */
  State
} from "./restart/RestartState.js"
export type {
  /** @since 0.1.0 */
  Change
} from "./restart/StateChanges.js"

/** @since 0.1.0 */
export interface RestartCoalescer<in out K, out A, out E> {
  /**
   * Waits for the cycle that covers the request, and ends as it does. Interrupting it takes nothing back (RC4). A cycle that makes such a
   * request for its own key waits for itself: it has to `submit`.
   */
  readonly request: (key: K, cause: Cause) => Effect.Effect<A, E | RestartStorm | RestartShell.Unfinished>
  /** The request is accepted when this returns, which it does at once. */
  readonly submit: (
    key: K,
    cause: Cause
  ) => Effect.Effect<RestartShell.Ticket<A, E>, RestartStorm | RestartCoalescerClosed>
  readonly state: (key: K) => Effect.Effect<State>
  /**
   * What is busy when it starts, and then what each key that changes is at. Nobody waits for a subscriber: one that lags skips states, but
   * never the last one of a key that it knows as busy. It ends when the coalescer closes.
   */
  readonly changes: Stream.Stream<Change<K>>
  /**
   * Interrupts the cycle that runs and waits until it is gone. Who waits for it gets `RestartCancelled`, unless it ended otherwise. What is
   * pending starts then (RC2), and the cycle counts as no failure. Without a running cycle it does nothing.
   */
  readonly cancel: (key: K) => Effect.Effect<void>
  /**
   * Interrupts the cycle that runs, gives up what is pending and what is remembered of failures, and waits until the cycle is gone. All who
   * wait get `RestartCancelled`. What is asked for afterwards starts when the cycle is gone.
   */
  readonly forget: (key: K) => Effect.Effect<void>
  /** How many keys are in memory: those that are not idle, and those whose failures still count (RC7). */
  readonly size: Effect.Effect<number>
}

/** The counters: cycles started and failed, requests that shared the cycle of an earlier one, circuits opened. @since 0.1.0 */
export const metrics = {
  started: RestartMetrics.started,
  failed: RestartMetrics.failed,
  coalesced: RestartMetrics.coalesced,
  storms: RestartMetrics.storms
}

/**
 * `cycle` does the restart, and it is the only one of its key as long as it and all that it forked run. It has to bound its own finalizers:
 * closing and cancelling wait for them (RC6). A defect of it is logged and goes to those who wait (RC5).
 *
 * Cycles run with the context and the `FiberRef`s of the one who calls `make`, not of whoever happened to ask first, each in a span of its
 * own.
 *
 * A policy that depends on the key is asked for when the key ceases to be idle. One that makes no sense is a defect (`RestartPolicyInvalid`): here, or, if it depends on the key, of a request for that key.
 *
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*<K, A, E, R = never>(options: {
  readonly cycle: (key: K, covered: Covered) => Effect.Effect<A, E, R>
  readonly policy?: Policy | ((key: K) => Policy) | undefined
}): Effect.fn.Return<RestartCoalescer<K, A, E>, never, Scope.Scope | R> {
  const { cycle, policy = {} } = options
  const rules = typeof policy === "function" ? undefined : unsafeRules(policy)
  const rulesOf = (key: K) => rules ?? unsafeRules(typeof policy === "function" ? policy(key) : policy)

  const traced = (key: K, covered: Covered) =>
    Effect.suspend(() => cycle(key, covered)).pipe(
      Effect.tapDefect((cause) => Effect.logError(`restarting ${show(key)} ended with a defect`, cause)),
      Effect.withSpan("holdfast.restart", {
        root: true,
        attributes: { key: show(key), causes: covered.causes, requests: covered.requests }
      })
    )

  const shell = yield* RestartShell.make(traced, rulesOf)
  return {
    ...shell,
    request: (key, cause) => Effect.flatMap(shell.submit(key, cause), (ticket) => ticket.await)
  }
})
