import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"
import { leakFreeFile } from "holdfast/testing/vitest"
import parse from "parse-prometheus-text-format"
import * as Prometheus from "../../src/telemetry/Prometheus.js"

leakFreeFile()

/** What a scrape tells of the metrics whose names begin so. */
const scrape = (prefix: string) =>
  Effect.map(
    Metric.snapshot,
    (pairs) =>
      Prometheus.render(Prometheus.ofSnapshot(pairs.filter(({ metricKey }) => metricKey.name.startsWith(prefix))))
  )

describe("Prometheus", () => {
  it.effect("each kind of Effect's metrics is what Prometheus takes it for", () =>
    Effect.gen(function*() {
      const bounds = MetricBoundaries.fromIterable([0.1, 1, 10])
      const histogram = Metric.histogram("kinds_histogram", bounds, "how long")
      const summary = Metric.summary({
        name: "kinds_summary",
        maxAge: "1 minute",
        maxSize: 10,
        error: 0,
        quantiles: [0.5, 0.99]
      })
      yield* Metric.incrementBy(Metric.counter("kinds_counter", { incremental: true, description: "how many" }), 3)
      yield* Metric.incrementBy(Metric.counter("kinds_balance"), -2)
      yield* Metric.incrementBy(Metric.counter("kinds_big", { bigint: true, incremental: true }), 2n ** 60n)
      yield* Metric.set(Metric.gauge("kinds_gauge"), 0.5)
      yield* Effect.forEach([0.1, 0.5, 5, 50], (value) => Metric.update(histogram, value))
      yield* Effect.forEach([7, 7, 7], (value) => Metric.update(summary, value))
      yield* Effect.forEach(["a", "b", "a"], (word) => Metric.update(Metric.frequency("kinds_words"), word))
      const text = yield* scrape("kinds_")
      const families = Object.fromEntries(parse(text).map(({ name, ...family }) => [name, family]))
      expect(families).toEqual({
        kinds_counter_total: { help: "how many", type: "COUNTER", metrics: [{ value: "3" }] },
        kinds_balance: { help: "", type: "GAUGE", metrics: [{ value: "-2" }] },
        kinds_big_total: { help: "", type: "COUNTER", metrics: [{ value: String(2n ** 60n) }] },
        kinds_gauge: { help: "", type: "GAUGE", metrics: [{ value: "0.5" }] },
        kinds_histogram: {
          help: "how long",
          type: "HISTOGRAM",
          metrics: [{ buckets: { "0.1": "1", "1": "2", "10": "3", "+Inf": "4" }, count: "4", sum: "55.6" }]
        },
        kinds_summary: {
          help: "",
          type: "SUMMARY",
          metrics: [{ quantiles: { "0.5": "7", "0.99": "7" }, count: "3", sum: "21" }]
        },
        kinds_words_total: {
          help: "",
          type: "COUNTER",
          metrics: [{ value: "2", labels: { key: "a" } }, { value: "1", labels: { key: "b" } }]
        }
      })
      // the parser sorts them in; the format wants the sum and the count last, and cumulative buckets with +Inf
      expect(text).toContain([
        "# HELP kinds_histogram how long",
        "# TYPE kinds_histogram histogram",
        "kinds_histogram_bucket{le=\"0.1\"} 1",
        "kinds_histogram_bucket{le=\"1\"} 2",
        "kinds_histogram_bucket{le=\"10\"} 3",
        "kinds_histogram_bucket{le=\"+Inf\"} 4",
        "kinds_histogram_sum 55.6",
        "kinds_histogram_count 4",
        ""
      ].join("\n"))
    }))

  it.effect("the samples of one name stand together, whatever labels they have", () =>
    Effect.gen(function*() {
      const runs = Metric.counter("together_runs", { incremental: true })
      yield* Metric.increment(Metric.tagged(runs, "outcome", "Lost"))
      yield* Metric.increment(Metric.gauge("together_other"))
      yield* Metric.increment(Metric.tagged(runs, "outcome", "Failed"))
      expect((yield* scrape("together_")).match(/^together_runs.*\n(?:together_runs.*\n)*/gm)).toEqual([
        "together_runs_total{outcome=\"Lost\"} 1\ntogether_runs_total{outcome=\"Failed\"} 1\n"
      ])
    }))

  it.effect("of one name with two kinds only the first is told, as a parser refuses the second", () =>
    Effect.gen(function*() {
      yield* Metric.set(Metric.tagged(Metric.gauge("twice"), "is", "a gauge"), 1)
      yield* Metric.update(Metric.histogram("twice", MetricBoundaries.fromIterable([1])), 1)
      const families = parse(yield* scrape("twice"))
      expect(families.length).toBe(1)
    }))

  it("names, help texts and label values are escaped, and a parser reads back what they were", () => {
    const nasty = "C:\\temp\n\"quoted\" {curly}=,# ünï"
    const text = Prometheus.render([
      Prometheus.gaugeBy("nasty", "a \\ and a\nline", "path", { [nasty]: 1, "": 2 }),
      Prometheus.gaugeBy("1bad-name", "", "bad-label:x", { ok: 1 }),
      { name: "empty", help: "nothing", type: "gauge", samples: [] }
    ])
    expect(parse(text)).toEqual([
      {
        name: "nasty",
        help: "a \\ and a\nline",
        type: "GAUGE",
        metrics: [{ value: "1", labels: { path: nasty } }, { value: "2", labels: { path: "" } }]
      },
      { name: "_1bad_name", help: "", type: "GAUGE", metrics: [{ value: "1", labels: { bad_label_x: "ok" } }] }
    ])
    expect(text.split("\n").length).toBe(3 + 1 + 2 + 1)
  })

  it("numbers that are none are written as Prometheus reads them", () => {
    const values = { nan: NaN, up: Infinity, down: -Infinity, tiny: 1e-9, huge: 1e300 }
    const text = Prometheus.render([Prometheus.gaugeBy("n", "", "is", values)])
    expect(text.split("\n").slice(1, -1).map((line) => line.split(" ")[1])).toEqual([
      "NaN",
      "+Inf",
      "-Inf",
      "1e-9",
      "1e+300"
    ])
  })
})
