/**
 * Writes responses so that a client that left takes its request's fiber with it.
 *
 * Platform hands Node a body that is whole and waits, uninterruptibly, for its `finish`. On a socket that broke
 * `finish` never comes, and the fiber is left for ever. Here it waits for the `close` that always comes, and only for a
 * client that has not taken everything at once.
 *
 * @since 0.1.0
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as HttpApp from "@effect/platform/HttpApp"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import type { ServerResponse } from "node:http"

/**
 * A body that is written to the response itself, whose head is out by then, and not by platform: for `HttpServerResponse.raw`. It ends
 * the response with `end`.
 *
 * @since 0.1.0
 */
export class Written {
  constructor(readonly write: Effect.Effect<void>) {}
}

/**
 * Ends the response, and waits until the client has taken it: a gateway that closes would cut off what is on its way.
 *
 * @since 0.1.0
 */
export const end = (out: ServerResponse, bytes?: Uint8Array): Effect.Effect<void> =>
  Effect.async((resume) => {
    const closed = () => resume(Effect.void)
    out.end(bytes)
    // of one that waits behind another on its connection no end is told
    if (out.writableLength === 0 || out.socket === null) return closed()
    out.once("close", closed)
    return Effect.sync(() => out.off("close", closed))
  })

const write: HttpApp.PreResponseHandler = (request, response) => {
  const out = NodeHttpServerRequest.toServerResponse(request)
  const { body, headers, status } = response
  const isHead = request.method === "HEAD"
  const whole = isHead || body._tag === "Uint8Array"
  const written = body._tag === "Raw" && body.body instanceof Written ? body.body.write : undefined
  if (out.headersSent || (!whole && written === undefined)) return Effect.succeed(response)
  out.writeHead(status, headers)
  return (written ?? end(out, !isHead && body._tag === "Uint8Array" ? body.body : undefined)).pipe(
    Effect.interruptible,
    // platform leaves a response alone that has ended
    Effect.ensuring(Effect.sync(() => out.end())),
    Effect.as(response)
  )
}

/** @since 0.1.0 */
export const interruptible = <E, R>(
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R> =>
  // the last of its kind, as the others set headers, and also for the answer to a request that was interrupted
  Effect.ensuring(app, HttpApp.appendPreResponseHandler(write))
