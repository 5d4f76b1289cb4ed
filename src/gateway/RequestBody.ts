/**
 * Reads a request's JSON body up to a limit.
 *
 * Platform's own limit destroys the socket, so that the client sees a reset where it should see a 413; and it gives the
 * body up to nobody when the gateway goes down. This reader answers first and discards what still comes.
 *
 * @since 0.1.0
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as NodeStream from "@effect/platform-node/NodeStream"
import type * as HttpApiError from "@effect/platform/HttpApiError"
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { BodyTooLarge, type Draining, requestInvalid } from "./GatewayError.js"

/** @since 0.1.0 */
export const tooLarge = (limit: number): BodyTooLarge =>
  new BodyTooLarge({ limit, message: `the body is larger than ${limit} bytes, which is the limit` })

const read = (request: HttpServerRequest.HttpServerRequest, limit: number) =>
  Effect.suspend(() => {
    const source = NodeHttpServerRequest.toIncomingMessage(request)
    const parts: Array<Uint8Array> = []
    let size = 0
    return NodeStream.fromReadable<HttpApiError.HttpApiDecodeError>(
      () => source,
      () => requestInvalid("the body ended early"),
      { closeOnDone: false }
    ).pipe(
      Stream.runForEach((part) => {
        size += part.byteLength
        if (size > limit) return Effect.fail(tooLarge(limit))
        parts.push(part)
        return Effect.void
      }),
      // an unread rest would keep the connection from its next request; `requestTimeout` bounds how long it may come
      Effect.onError(() => Effect.sync(() => source.resume())),
      Effect.map(() => Buffer.concat(parts).toString("utf8"))
    )
  })

const parse = (text: string) =>
  // no body is an empty object, so that what it lacks can be named
  text === "" ? Effect.succeed<unknown>({}) : Effect.try({
    try: (): unknown => JSON.parse(text),
    catch: (cause) => requestInvalid(`the body is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`)
  })

/**
 * The request with a body that is read up to `limit` bytes, and no longer than until `draining` fails. Its errors are
 * those of the API: `HttpApiBuilder` sends what it finds declared, also when it comes as a defect.
 *
 * @since 0.1.0
 */
export const limited = (
  request: HttpServerRequest.HttpServerRequest,
  limit: number,
  draining: Effect.Effect<never, Draining>
): HttpServerRequest.HttpServerRequest => {
  const json = Effect.flatMap(Effect.raceFirst(read(request, limit), draining), parse)
  return Object.create(request, { json: { value: json } })
}
