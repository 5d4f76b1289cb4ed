/**
 * Traces of runs, with whatever tracer there is: `@effect/opentelemetry`'s, or another.
 *
 * ```ts
 * EventLog.layerSqlite({ filename }).pipe(Layer.provide(Tracing.layer), Layer.provide(NodeSdk.layer(…)))
 * ```
 *
 * It observes the log and looks at the few events that begin or end something, so that tracing costs nothing on the way of the others.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Tracer from "effect/Tracer"
import type { SessionId } from "../domain/Ids.js"
import { StoredEvent } from "../domain/StoredEvent.js"
import * as Traceparent from "../domain/Traceparent.js"
import { type Observe, Observer } from "../log/EventLog.js"
import * as Trace from "./Trace.js"

const decode = Schema.decodeSync(Schema.parseJson(StoredEvent))

const nanos = (at: string) => BigInt(Date.parse(at)) * 1_000_000n

const toLink = (traceparent: Traceparent.Traceparent): Tracer.SpanLink => ({
  _tag: "SpanLink",
  span: Tracer.externalSpan(Traceparent.parts(traceparent)),
  attributes: {}
})

const tell = (tracer: Tracer.Tracer, span: Trace.Span, parent: Option.Option<Tracer.AnySpan>) => {
  const links = Option.match(span.link, { onNone: () => [], onSome: (link) => [toLink(link)] })
  const own = tracer.span(span.name, parent, Context.empty(), links, nanos(span.startedAt), "internal")
  for (const [key, value] of Object.entries(span.attributes)) own.attribute(key, value)
  if (Option.isSome(span.failure)) own.attribute("error.type", span.failure.value)
  for (const child of span.children) tell(tracer, child, Option.some(own))
  own.end(
    nanos(span.endedAt),
    Option.match(span.failure, { onNone: () => Exit.void, onSome: (failure) => Exit.fail({ _tag: failure }) })
  )
}

/**
 * The observer that tells the traces of a log to the current tracer.
 *
 * @since 0.1.0
 */
export const make: Effect.Effect<Observe> = Effect.map(Effect.tracer, (tracer) => {
  const open = new Map<SessionId, Trace.Traces>()
  return (session, entries) =>
    Effect.sync(() => {
      for (const { json, type } of entries) {
        if (!Trace.concerns(type)) continue
        const { complete, traces } = Trace.step(open.get(session.id) ?? Trace.empty, session, decode(json))
        if (Trace.isEmpty(traces)) open.delete(session.id)
        else open.set(session.id, traces)
        for (const span of complete) tell(tracer, span, Option.none())
      }
    })
})

/** @since 0.1.0 */
export const layer: Layer.Layer<Observer> = Layer.effect(Observer, make)
