/**
 * What a log is measured by. All are updated once a transaction.
 *
 * @since 0.1.0
 */
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"
import type { RunOutcome } from "../domain/AgentEvent.js"

/** @since 0.1.0 */
export const events = Metric.counter("holdfast_events_appended", {
  description: "Events that have been stored",
  incremental: true
})

/** @since 0.1.0 */
export const batch = Metric.histogram(
  "holdfast_append_batch_events",
  MetricBoundaries.fromIterable([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048]),
  "Events that were stored in one transaction"
)

/** @since 0.1.0 */
export const seconds = Metric.histogram(
  "holdfast_append_seconds",
  MetricBoundaries.fromIterable([0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]),
  "How long the store took for one transaction"
)

/** @since 0.1.0 */
export const failures = Metric.counter("holdfast_append_failures", {
  description: "Transactions that the store did not take",
  incremental: true
})

const ended = Metric.counter("holdfast_runs_ended", { description: "Runs that have ended", incremental: true })

/** @since 0.1.0 */
export const runs: Readonly<Record<RunOutcome["_tag"], Metric.Metric.Counter<number>>> = {
  Completed: Metric.tagged(ended, "outcome", "Completed"),
  Failed: Metric.tagged(ended, "outcome", "Failed"),
  Cancelled: Metric.tagged(ended, "outcome", "Cancelled"),
  Lost: Metric.tagged(ended, "outcome", "Lost")
}

/** @since 0.1.0 */
export const committed = (
  { events: count, outcomes }: { readonly events: number; readonly outcomes: ReadonlyArray<RunOutcome["_tag"]> },
  nanos: bigint
): void => {
  events.unsafeUpdate(count, [])
  batch.unsafeUpdate(count, [])
  seconds.unsafeUpdate(Number(nanos) / 1e9, [])
  for (const outcome of outcomes) runs[outcome].unsafeUpdate(1, [])
}
