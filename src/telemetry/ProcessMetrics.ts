/**
 * How this process does, under the names that Node's dashboards know. Everything is read when it is asked for.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks"
import * as Prometheus from "./Prometheus.js"

/** How often the event loop is looked at, in milliseconds. */
const resolution = 20

/** Node measures the time between two looks, which are `resolution` apart when nothing holds them up. */
const lag = (nanos: number) => Math.max(0, nanos / 1e9 - resolution / 1000)

const lags = (histogram: IntervalHistogram): ReadonlyArray<Prometheus.Family> => {
  if (histogram.count === 0) return []
  const since = "since the last scrape"
  return [
    Prometheus.gauge(
      "nodejs_eventloop_lag_p50_seconds",
      `The median lag of the event loop ${since}`,
      lag(histogram.percentile(50))
    ),
    Prometheus.gauge(
      "nodejs_eventloop_lag_p99_seconds",
      `The lag of the event loop that 1 % exceeded ${since}`,
      lag(histogram.percentile(99))
    ),
    Prometheus.gauge(
      "nodejs_eventloop_lag_max_seconds",
      `The greatest lag of the event loop ${since}`,
      lag(histogram.max)
    )
  ]
}

/**
 * Reads the figures. The event loop is watched from the first time on, so that it costs nothing where nobody asks.
 *
 * @since 0.1.0
 */
export const make: Effect.Effect<Effect.Effect<ReadonlyArray<Prometheus.Family>>, never, Scope.Scope> = Effect.gen(
  function*() {
    let histogram: IntervalHistogram | undefined
    yield* Effect.addFinalizer(() => Effect.sync(() => histogram?.disable()))
    return Effect.sync(() => {
      if (histogram === undefined) {
        histogram = monitorEventLoopDelay({ resolution })
        histogram.enable()
      }
      const eventLoop = lags(histogram)
      histogram.reset()
      const { external, heapTotal, heapUsed, rss } = process.memoryUsage()
      const { system, user } = process.cpuUsage()
      return [
        ...eventLoop,
        Prometheus.gauge("process_resident_memory_bytes", "Resident memory", rss),
        Prometheus.gauge("nodejs_heap_size_used_bytes", "Used memory of the JavaScript heap", heapUsed),
        Prometheus.gauge("nodejs_heap_size_total_bytes", "Memory of the JavaScript heap", heapTotal),
        Prometheus.gauge("nodejs_external_memory_bytes", "Memory outside the JavaScript heap", external),
        Prometheus.counter("process_cpu_seconds", "CPU time, of user and system", (user + system) / 1e6),
        Prometheus.gauge(
          "process_start_time_seconds",
          "When the process started, in Unix time",
          performance.timeOrigin / 1000
        )
      ]
    })
  }
)
