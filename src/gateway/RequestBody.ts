/**
 * Reads a request's JSON body up to a limit.
 *
 * Platform's own limit destroys the socket, so that the client sees a reset where it should see a 413; and it gives the
 * body up to nobody when the gateway goes down. This reader answers first and discards what still comes.
 *
 * @since 0.1.0
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import type * as HttpApiError from "@effect/platform/HttpApiError"
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Effect from "effect/Effect"
import { BodyTooLarge, type Draining, draining, requestInvalid } from "./GatewayError.js"

/** @since 0.1.0 */
export const tooLarge = (limit: number): BodyTooLarge =>
  new BodyTooLarge({ limit, message: `the body is larger than ${limit} bytes, which is the limit` })

/** One callback a part and no fiber, as every command comes through here. */
const read = (request: HttpServerRequest.HttpServerRequest, limit: number, down: AbortSignal) =>
  Effect.async<Buffer, BodyTooLarge | HttpApiError.HttpApiDecodeError | Draining>((resume) => {
    const source = NodeHttpServerRequest.toIncomingMessage(request)
    const parts: Array<Uint8Array> = []
    let size = 0
    const stop = () => {
      source.off("data", onData).off("end", onEnd).off("close", onClose)
      down.removeEventListener("abort", onDown)
    }
    const refuse = (error: BodyTooLarge | HttpApiError.HttpApiDecodeError | Draining) => {
      stop()
      // an unread rest would keep the connection from its next request; `requestTimeout` bounds how long it may come
      source.resume()
      resume(Effect.fail(error))
    }
    const onData = (part: Uint8Array) => {
      size += part.byteLength
      if (size > limit) refuse(tooLarge(limit))
      else parts.push(part)
    }
    const onEnd = () => {
      stop()
      resume(Effect.sync(() => Buffer.concat(parts)))
    }
    const onClose = () => refuse(requestInvalid("the body ended early"))
    const onDown = () => refuse(draining())
    if (down.aborted) return onDown()
    if (source.destroyed && !source.readableEnded) return onClose()
    source.on("data", onData).once("end", onEnd).once("close", onClose)
    down.addEventListener("abort", onDown)
    return Effect.sync(stop)
  })

const utf8 = new TextDecoder("utf-8", { fatal: true })

/** How deep a body may nest: whatever looks into it does so recursively. */
const maxDepth = 100

const isTooDeep = (value: unknown): boolean => {
  let level = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > maxDepth) return true
    level = level.flatMap((value) => typeof value === "object" && value !== null ? Object.values(value) : [])
  }
  return false
}

const parse = (bytes: Buffer): Effect.Effect<unknown, HttpApiError.HttpApiDecodeError> => {
  // no body is an empty object, so that what it lacks can be named
  if (bytes.length === 0) return Effect.succeed({})
  return Effect.try({
    try: (): unknown => JSON.parse(utf8.decode(bytes)),
    catch: (cause) =>
      requestInvalid(
        cause instanceof SyntaxError ? `the body is not JSON: ${cause.message}` : "the body is not UTF-8"
      )
  }).pipe(Effect.filterOrFail(
    (value) => !isTooDeep(value),
    () => requestInvalid(`the body is nested deeper than ${maxDepth} levels`)
  ))
}

/**
 * The request's body is from now on read up to `limit` bytes, and no longer than until `down`. Its errors are those of the API:
 * `HttpApiBuilder` sends what it finds declared, also when it comes as a defect.
 *
 * @since 0.1.0
 */
export const limit = (request: HttpServerRequest.HttpServerRequest, limit: number, down: AbortSignal): void => {
  // a request with this one as its prototype would be of a shape of its own, and slow wherever it is looked at
  Object.defineProperty(request, "json", { value: Effect.flatMap(read(request, limit, down), parse) })
}
