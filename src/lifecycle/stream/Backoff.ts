/**
 * How long to wait before a stream is dialed again (SM5): longer after each end in a row, never longer than `cap`, and never the same
 * for two streams that were cut at once.
 *
 * ```ts
 * Backoff.make({ base: "1 second", cap: "1 minute" })
 * ```
 *
 * A `Schedule` would not do: `Schedule.resetAfter` counts the time since the first step and not the time that a connection was up, so
 * a link that fails for ever starts anew every so often; and `Schedule.jittered` goes beyond the cap.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"

/** @since 0.1.0 */
export interface Policy {
  /** The longest delay before the first dial after an end. */
  readonly base: Duration.DurationInput
  /** How much longer each further one may be; at least 1. */
  readonly factor: number
  /** No delay is longer, jitter included. */
  readonly cap: Duration.DurationInput
  /** `full`: anything up to the delay, so that many streams that were cut at once do not come back at once. */
  readonly jitter: "full" | "none"
  /** A connection that was up for so long has proven healthy: the next delay starts from `base` again. */
  readonly healthyAfter: Duration.DurationInput
}

/** @since 0.1.0 */
export const standard: Policy = {
  base: "500 millis",
  factor: 2,
  cap: "30 seconds",
  jitter: "full",
  healthyAfter: "20 seconds"
}

/** The standard policy with some of it changed. @since 0.1.0 */
export const make = (options: Partial<Policy>): Policy => ({ ...standard, ...options })

/**
 * The number of the next dial. A dial counts how many there were in a row, itself included, since a connection was healthy. `upFor`, in
 * milliseconds, is how long the connection was up that has just ended; 0 if the dial failed.
 *
 * @since 0.1.0
 */
export const nextAttempt = (policy: Policy, attempt: number, upFor: number): number =>
  upFor >= Duration.toMillis(policy.healthyAfter) ? 1 : attempt + 1

/**
 * The delay before dial number `attempt`, when it is not the very first one. `chance` is from 0 up to 1.
 *
 * @since 0.1.0
 */
export const delay = (policy: Policy, attempt: number, chance: number): Duration.Duration => {
  const grown = Duration.toMillis(policy.base) * Math.max(1, policy.factor) ** Math.max(0, attempt - 2)
  const most = Math.min(grown, Duration.toMillis(policy.cap))
  return Duration.millis(policy.jitter === "full" ? most * chance : most)
}
