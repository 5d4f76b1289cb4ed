/**
 * Answers what Node could not take for a request, or not in time, in the form of every other error: Node's own answers are empty.
 *
 * @since 0.1.0
 */
import * as Http from "node:http"
import { HeadTooLarge, type Refusal, RequestMalformed, RequestTimeout, toResponse } from "./GatewayError.js"

const refusalOf = (error: Error & { readonly code?: string }): Refusal => {
  switch (error.code) {
    case "HPE_HEADER_OVERFLOW":
      return new HeadTooLarge({ message: "the address and the headers are too large: 16 KiB is the limit" })
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new RequestTimeout({ message: "the request took too long to come" })
    default:
      return new RequestMalformed({ message: `the request is no HTTP: ${error.message}` })
  }
}

/** There is no request that it could be a response to, so it is written by hand. */
const toBytes = (refusal: Refusal): Buffer => {
  const { body, status } = toResponse(refusal)
  const bytes = body._tag === "Uint8Array" ? body.body : new Uint8Array(0)
  const head = [
    `HTTP/1.1 ${status} ${Http.STATUS_CODES[status]}`,
    "Content-Type: application/json",
    `Content-Length: ${bytes.byteLength}`,
    "Connection: close"
  ]
  return Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`), bytes])
}

/** @since 0.1.0 */
export const listen = (node: Http.Server): void => {
  /** The last of each connection. */
  const responses = new WeakMap<object, Http.ServerResponse>()
  node.on("request", (request, response) => responses.set(request.socket, response))
  node.on("clientError", (error, socket) => {
    const response = responses.get(socket)
    // an answer that has begun is not to be mixed with another
    const begun = response?.headersSent === true && !response.writableFinished
    if (socket.writable && !begun) socket.write(toBytes(refusalOf(error)))
    socket.destroy()
  })
}
