/**
 * What streams are counted by.
 *
 * @since 0.1.0
 */
import * as Metric from "effect/Metric"

/** @since 0.1.0 */
export const dials = Metric.counter("holdfast_stream_dials", { description: "Dials of streams", incremental: true })

/** @since 0.1.0 */
export const failures = Metric.counter("holdfast_stream_failures", {
  description: "Ends of dials and connections that nobody asked for and that were not clean",
  incremental: true
})

/** @since 0.1.0 */
export const live = Metric.gauge("holdfast_streams_live", { description: "Streams that are connected" })

/** @since 0.1.0 */
export const drained = Metric.counter("holdfast_streams_drained", {
  description: "Streams that were asked to end, with nothing left of them",
  incremental: true
})
