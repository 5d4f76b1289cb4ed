/** Spans that somebody was told of, and the trees that they make. */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"

export interface Told {
  readonly traceId: string
  readonly spanId: string
  readonly parent: string | undefined
  readonly name: string
  /** In nanoseconds. */
  readonly start: bigint
  readonly end: bigint
  readonly failed: boolean
  readonly exit?: Exit.Exit<unknown, unknown>
  readonly attributes: Readonly<Record<string, unknown>>
  /** Trace and span id of each. */
  readonly links: ReadonlyArray<readonly [string, string]>
}

/** A tracer that keeps what has ended. */
export const recorder = () => {
  const ended: Array<Told> = []
  let ids = 0
  // the last digits of an id are as random as those of a real one, which a sampler looks at
  const traceIdOf = (id: number) => `trace-${id}-${((id * 2654435761) % 2 ** 32).toString(16).padStart(8, "0")}`
  const tracer = Tracer.make({
    context: (execute) => execute(),
    span: (name, parent, context, links, startTime, kind) => {
      const attributes = new Map<string, unknown>()
      const spanId = `span${++ids}`
      const traceId = Option.match(parent, { onNone: () => traceIdOf(ids), onSome: ({ traceId }) => traceId })
      const span: Tracer.Span = {
        _tag: "Span",
        name,
        spanId,
        traceId,
        parent,
        context,
        status: { _tag: "Started", startTime },
        attributes,
        links,
        sampled: true,
        kind,
        attribute: (key, value) => void attributes.set(key, value),
        event: () => {},
        addLinks: () => {},
        end: (end, exit) =>
          void ended.push({
            traceId,
            spanId,
            parent: Option.getOrUndefined(parent)?.spanId,
            name,
            start: startTime,
            end,
            exit,
            failed: Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause),
            attributes: Object.fromEntries(attributes),
            links: links.map(({ span }) => [span.traceId, span.spanId])
          })
      }
      return span
    }
  })
  return { tracer, ended }
}

const shown = [
  "holdfast.run.outcome",
  "holdfast.run.stop_reason",
  "gen_ai.tool.name",
  "holdfast.tool.status",
  "holdfast.unfinished",
  "holdfast.elicitation.kind",
  "holdfast.elicitation.outcome",
  "holdfast.elicitation.action",
  "http.route",
  "error.type"
]

const line = ({ attributes, name }: Told) => {
  const [start, end] = [attributes["holdfast.seq.start"], attributes["holdfast.seq.end"]]
  const words = shown.flatMap((key) => attributes[key] === undefined ? [] : [String(attributes[key])])
  const seqs = start === undefined && end === undefined ? [] : [`${start ?? ""}..${end ?? ""}`]
  return [name, ...words, ...seqs].join(" ")
}

/**
 * The trees, one span a line, what is inside a span below it; in the order in which they began. The log's times are milliseconds: in
 * one of them a request, which has no number, comes first.
 */
export const render = (spans: ReadonlyArray<Told>): string => {
  const millis = ({ start }: Told) => Number(start / 1_000_000n)
  const sequence = ({ attributes }: Told) => Number(attributes["holdfast.seq.start"] ?? 0)
  const inOrder = spans.toSorted((a, b) => millis(a) - millis(b) || sequence(a) - sequence(b))
  const below = (parent: Told | undefined): ReadonlyArray<string> =>
    inOrder.filter((span) =>
      parent === undefined ? !spans.some(({ spanId }) => spanId === span.parent) : span.parent === parent.spanId
    ).flatMap((span) => [line(span), ...below(span).map((text) => `  ${text}`)])
  return below(undefined).join("\n")
}

/** What is wrong with the trees: a span that is not inside its parent, in another trace, or twice there. */
export const faults = (spans: ReadonlyArray<Told>): ReadonlyArray<string> => {
  const byId = new Map(spans.map((span) => [span.spanId, span]))
  return [
    ...byId.size === spans.length ? [] : ["a span id is there twice"],
    ...spans.flatMap((span) => {
      const parent = span.parent === undefined ? undefined : byId.get(span.parent)
      return [
        ...span.end < span.start ? [`${span.name} ends before it begins`] : [],
        ...parent !== undefined && parent.traceId !== span.traceId ? [`${span.name} is in another trace`] : [],
        ...parent !== undefined && (span.start < parent.start || span.end > parent.end)
          ? [`${span.name} is not within ${parent.name}`]
          : []
      ]
    })
  ]
}
