/**
 * Writes responses so that a client that left takes its request's fiber with it.
 *
 * Platform hands Node a body that is whole and waits, uninterruptibly, for its `finish`. On a socket that broke
 * `finish` never comes, and the fiber is left for ever. The body of a stream is written interruptibly; the answer to a
 * `HEAD` is written here.
 *
 * @since 0.1.0
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

const streamed = (response: HttpServerResponse.HttpServerResponse) =>
  response.body._tag === "Uint8Array"
    ? HttpServerResponse.setBody(
      response,
      HttpBody.stream(Stream.succeed(response.body.body), response.body.contentType, response.body.contentLength)
    )
    : response

/** @since 0.1.0 */
export const interruptible = <E, R>(
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | HttpServerRequest.HttpServerRequest> =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
    if (request.method !== "HEAD") return Effect.map(app, streamed)
    const out = NodeHttpServerRequest.toServerResponse(request)
    return app.pipe(
      Effect.tap(({ headers, status }) => Effect.sync(() => out.writeHead(status, headers))),
      // platform leaves a response alone that has ended
      Effect.ensuring(Effect.sync(() => out.end()))
    )
  })
