/**
 * A tracer that says less: of errors their kind and not their words, of HTTP requests neither headers nor query, and of all traces the
 * share that is asked for (EB11).
 *
 * Whatever makes spans here knows more than may be sent: an error's message quotes what an agent wrote, a header is a secret.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Tracer from "effect/Tracer"

/** Roots of traces; what nobody asked for, as the statements of a migration, is none. */
const isRoot = (name: string) => name.startsWith("holdfast.") || name.startsWith("http.server ")

const isPrivate = (key: string) => /^(url\.(full|query)$|http\.(request|response)\.header\.)/.test(key)

/** By the trace's own id, as OpenTelemetry's ratio sampler does. */
const isDrawn = (traceId: string, ratio: number) => Number.parseInt(traceId.slice(-8), 16) < ratio * 2 ** 32

const kindOf = (cause: Cause.Cause<unknown>): string => {
  const error = Option.getOrUndefined(Cause.failureOption(cause))
  if (Predicate.hasProperty(error, "_tag") && typeof error._tag === "string") return error._tag
  return Cause.isDie(cause) ? "Defect" : "Failure"
}

const discreet = (span: Tracer.Span): Tracer.Span =>
  Object.create(span, {
    attribute: {
      value: (key: string, value: unknown) => {
        if (!isPrivate(key)) span.attribute(key, value)
      }
    },
    event: { value: () => {} },
    end: {
      value: (time: bigint, exit: Exit.Exit<unknown, unknown>) => {
        if (Exit.isSuccess(exit) || Cause.isInterruptedOnly(exit.cause)) return span.end(time, exit)
        const kind = kindOf(exit.cause)
        span.attribute("error.type", kind)
        span.end(time, Exit.fail(kind))
      }
    }
  })

/** It is never ended, so it is never sent. */
const unsampled = (span: Tracer.Span): Tracer.Span =>
  Object.create(span, { sampled: { value: false }, end: { value: () => {} } })

/**
 * `ratio`: the share of traces that is sent, from 0 to 1. A trace that somebody else began is sent if they say so.
 *
 * @since 0.1.0
 */
export const make = (tracer: Tracer.Tracer, ratio: number): Tracer.Tracer =>
  Tracer.make({
    context: (execute, fiber) => tracer.context(execute, fiber),
    span: (name, parent, ...rest) => {
      const span = tracer.span(name, parent, ...rest)
      const sampled = Option.isSome(parent) ? parent.value.sampled : isRoot(name) && isDrawn(span.traceId, ratio)
      return sampled ? discreet(span) : unsampled(span)
    }
  })
