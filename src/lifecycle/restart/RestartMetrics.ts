/**
 * What restarts are counted by.
 *
 * @since 0.1.0
 */
import * as Metric from "effect/Metric"

/** @since 0.1.0 */
export const started = Metric.counter("holdfast_restart_cycles_started", {
  description: "Restart cycles that have started",
  incremental: true
})

/** @since 0.1.0 */
export const failed = Metric.counter("holdfast_restart_cycles_failed", {
  description: "Restart cycles that have failed, died or interrupted themselves",
  incremental: true
})

/** @since 0.1.0 */
export const coalesced = Metric.counter("holdfast_restart_requests_coalesced", {
  description: "Requests for a restart that share the cycle of an earlier one",
  incremental: true
})

/** @since 0.1.0 */
export const storms = Metric.counter("holdfast_restart_storms", {
  description: "How often a restart circuit has opened",
  incremental: true
})
