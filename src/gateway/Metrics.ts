/**
 * What `GET /metrics` tells.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import * as RestartCoalescer from "../lifecycle/RestartCoalescer.js"
import * as StreamManager from "../lifecycle/StreamManager.js"
import * as EventLog from "../log/EventLog.js"
import { Sessions } from "../session/Sessions.js"
import * as ProcessMetrics from "../telemetry/ProcessMetrics.js"
import * as Prometheus from "../telemetry/Prometheus.js"
import type { EventStreams } from "./EventStream.js"

/** A metric is in Effect's registry from the moment at which it is first looked at; one that is there only later hides its first step. */
const register = Effect.forEach(
  [EventLog.metrics, RestartCoalescer.metrics, StreamManager.metrics].flatMap((metrics) => Object.values(metrics)),
  (metric) => Metric.value<unknown, unknown, unknown>(metric),
  { discard: true }
)

/**
 * The text, made anew each time it is asked for.
 *
 * @since 0.1.0
 */
export const make: (
  streams: EventStreams
) => Effect.Effect<Effect.Effect<string>, never, Sessions | Scope.Scope> = Effect.fnUntraced(function*(streams) {
  const sessions = yield* Sessions
  const ofProcess = yield* ProcessMetrics.make
  yield* register
  return Effect.gen(function*() {
    const counts = yield* sessions.counts
    return Prometheus.render([
      Prometheus.gaugeBy("holdfast_sessions", "Live sessions by status", "status", counts.sessions),
      Prometheus.gauge("holdfast_questions_pending", "Questions that wait for an answer", counts.questions),
      Prometheus.gauge("holdfast_event_streams_open", "Event streams that clients have open", yield* streams.count),
      ...Prometheus.ofSnapshot(yield* Metric.snapshot),
      ...yield* ofProcess
    ])
  })
})
