/**
 * The HTTP client that brings traces to their collector: each request is bounded, and of a collector that does not take them the
 * operator is warned once.
 *
 * @since 0.1.0
 */
import * as OtlpSerialization from "@effect/opentelemetry/OtlpSerialization"
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"

/** How long a collector may take to answer. */
const patience = "5 seconds"

/** Without a password that may be in it. */
const toName = (url: string) => {
  const { host, pathname, protocol } = new URL(url)
  return `${protocol}//${host}${pathname}`
}

/** @since 0.1.0 */
export const client: Effect.Effect<HttpClient.HttpClient, never, HttpClient.HttpClient> = Effect.map(
  HttpClient.HttpClient,
  (client) => {
    let failing = false
    return HttpClient.transform(client, (send, request) => {
      const failed = (reason: string) =>
        Effect.suspend(() => {
          if (failing) return Effect.void
          failing = true
          return Effect.logWarning(
            `traces do not reach ${toName(request.url)}, and those that do not are dropped: ${reason}`
          )
        })
      const succeeded = Effect.suspend(() => {
        if (!failing) return Effect.void
        failing = false
        return Effect.logInfo(`traces reach ${toName(request.url)} again`)
      })
      return send.pipe(
        Effect.timeoutFail({
          duration: patience,
          onTimeout: () =>
            new HttpClientError.RequestError({ request, reason: "Transport", description: `no answer in ${patience}` })
        }),
        Effect.tap(({ status }) => status < 300 ? succeeded : failed(`it answered ${status}`)),
        Effect.tapErrorTag(
          "RequestError",
          ({ cause, description }) => failed(description ?? (cause instanceof Error ? cause.message : String(cause)))
        ),
        // at the end of the program nobody waits longer
        Effect.onInterrupt(() => failed("it had not answered when Holdfast ended"))
      )
    })
  }
)

/** `OtlpTracer` marks whatever failed as interrupted. */
const isFalseMark = (attribute: unknown) =>
  Predicate.hasProperty(attribute, "key") && (attribute.key === "status.interrupted" || attribute.key === "span.label")

const json = (data: unknown) =>
  HttpBody.text(
    JSON.stringify(data, (_, value) => Array.isArray(value) ? value.filter((item) => !isFalseMark(item)) : value),
    "application/json"
  )

/** OTLP in JSON. @since 0.1.0 */
export const serialization = OtlpSerialization.OtlpSerialization.of({ traces: json, metrics: json, logs: json })
