/**
 * Effect's metrics, and figures that are asked for at the moment, in Prometheus' text form.
 *
 * ```ts
 * Prometheus.render([...Prometheus.ofSnapshot(yield* Metric.snapshot), Prometheus.gauge("up", "It is up", 1)])
 * ```
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 * @since 0.1.0
 */
import * as MetricKeyType from "effect/MetricKeyType"
import type * as MetricPair from "effect/MetricPair"
import * as MetricState from "effect/MetricState"
import * as Option from "effect/Option"

/** @since 0.1.0 */
export const contentType = "text/plain; version=0.0.4; charset=utf-8"

type Labels = ReadonlyArray<readonly [name: string, value: string]>

interface Sample {
  /** What comes after the family's name. */
  readonly suffix: string
  readonly labels: Labels
  readonly value: number | bigint
}

/** All samples of one name. @since 0.1.0 */
export interface Family {
  readonly name: string
  readonly help: string
  readonly type: "counter" | "gauge" | "histogram" | "summary"
  readonly samples: ReadonlyArray<Sample>
}

const sample = (value: number | bigint, labels: Labels = [], suffix = ""): Sample => ({ suffix, labels, value })

/** @since 0.1.0 */
export const gauge = (name: string, help: string, value: number): Family => ({
  name,
  help,
  type: "gauge",
  samples: [sample(value)]
})

/** A gauge with one sample for each value of a label. @since 0.1.0 */
export const gaugeBy = (
  name: string,
  help: string,
  label: string,
  values: Readonly<Record<string, number>>
): Family => ({
  name,
  help,
  type: "gauge",
  samples: Object.entries(values).map(([key, value]) => sample(value, [[label, key]]))
})

/** `name` without `_total`. @since 0.1.0 */
export const counter = (name: string, help: string, value: number): Family => ({
  name: total(name),
  help,
  type: "counter",
  samples: [sample(value)]
})

const total = (name: string) => name.endsWith("_total") ? name : `${name}_total`

// ---------------------------------------------------------------------------------------- Effect's metrics

const ofState = (
  { metricKey, metricState }: MetricPair.MetricPair.Untyped,
  labels: Labels
): Pick<Family, "type" | "samples"> | undefined => {
  if (MetricState.isCounterState(metricState)) {
    // what may go down is no counter to Prometheus
    const rises = MetricKeyType.isCounterKey(metricKey.keyType) && metricKey.keyType.incremental
    return { type: rises ? "counter" : "gauge", samples: [sample(metricState.count, labels)] }
  }
  if (MetricState.isGaugeState(metricState)) return { type: "gauge", samples: [sample(metricState.value, labels)] }
  if (MetricState.isFrequencyState(metricState)) {
    const samples = Array.from(metricState.occurrences, ([word, count]) => sample(count, [...labels, ["key", word]]))
    return { type: "counter", samples }
  }
  const sums = [sample(0, labels, "_sum"), sample(0, labels, "_count")]
  if (MetricState.isHistogramState(metricState)) {
    const { buckets, count, sum } = metricState
    return {
      type: "histogram",
      samples: [
        ...buckets.filter(([bound]) => Number.isFinite(bound)).map(([bound, below]) =>
          sample(below, [...labels, ["le", String(bound)]], "_bucket")
        ),
        sample(count, [...labels, ["le", "+Inf"]], "_bucket"),
        ...sums.map((each) => ({ ...each, value: each.suffix === "_sum" ? sum : count }))
      ]
    }
  }
  if (MetricState.isSummaryState(metricState)) {
    const { count, quantiles, sum } = metricState
    return {
      type: "summary",
      samples: [
        ...quantiles.map(([quantile, value]) =>
          sample(Option.getOrElse(value, () => NaN), [...labels, ["quantile", String(quantile)]])
        ),
        ...sums.map((each) => ({ ...each, value: each.suffix === "_sum" ? sum : count }))
      ]
    }
  }
  return undefined
}

/** What the registry holds. Of two metrics with one name and different types only the first is told. @since 0.1.0 */
export const ofSnapshot = (pairs: Iterable<MetricPair.MetricPair.Untyped>): ReadonlyArray<Family> => {
  const families = new Map<string, Family>()
  for (const pair of pairs) {
    const { description, name, tags } = pair.metricKey
    const state = ofState(pair, tags.map(({ key, value }) => [key, value]))
    if (state === undefined) continue
    const fullName = state.type === "counter" ? total(name) : name
    const { help, samples, type } = families.get(fullName) ??
      { help: Option.getOrElse(description, () => ""), samples: [], type: state.type }
    if (type !== state.type) continue
    families.set(fullName, { name: fullName, help, type, samples: [...samples, ...state.samples] })
  }
  return Array.from(families.values())
}

// ---------------------------------------------------------------------------------------------- the text

const metricName = (name: string) => name.replace(/[^a-zA-Z0-9_:]/g, "_").replace(/^(?=\d)/, "_")
const labelName = (name: string) => metricName(name).replaceAll(":", "_")

const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\"": "\\\"" }
const escapeHelp = (text: string) => text.replace(/[\\\n]/g, (character) => escapes[character] ?? "")
const escapeLabel = (text: string) => text.replace(/[\\\n"]/g, (character) => escapes[character] ?? "")

const number = (value: number | bigint) => value === Infinity ? "+Inf" : value === -Infinity ? "-Inf" : String(value)

const line = (name: string, { labels, suffix, value }: Sample) => {
  const text = labels.map(([key, value]) => `${labelName(key)}="${escapeLabel(value)}"`).join(",")
  return `${name}${suffix}${text === "" ? "" : `{${text}}`} ${number(value)}\n`
}

/** Families without samples are left out. @since 0.1.0 */
export const render = (families: ReadonlyArray<Family>): string =>
  families.filter(({ samples }) => samples.length > 0).map(({ help, name, samples, type }) => {
    const safe = metricName(name)
    const head = `${help === "" ? "" : `# HELP ${safe} ${escapeHelp(help)}\n`}# TYPE ${safe} ${type}\n`
    return head + samples.map((each) => line(safe, each)).join("")
  }).join("")
