/**
 * How a host refuses, and what that means for the agent behind it.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import type { AgentError } from "../../domain/Errors.js"
import {
  AgentAuthRequired,
  AgentLost,
  AgentMessageTooLarge,
  AgentProtocolError,
  AgentRequestFailed
} from "../../domain/Errors.js"
import type { WebSocketError } from "../../lifecycle/stream/WebSocketSource.js"

/**
 * - `Unreachable`: no answer: refused, no such host, TLS, too slow.
 * - `Unauthorized`: the token, or the nonce, is not the host's (any more).
 * - `Gone`: the host does not know the instance, or another one has its port now.
 * - `Redirected`: the answer is somewhere else. It is not followed, because the token would go there.
 * - `Refused`: it says no, and `message` says why.
 * - `Malformed`: what it says is not what its version of the protocol has.
 *
 * @since 0.1.0
 */
export class HostError extends Schema.TaggedError<HostError>()("HostError", {
  reason: Schema.Literal("Unreachable", "Unauthorized", "Gone", "Redirected", "Refused", "Malformed"),
  /** The route, as in `POST /api/v1/start`. */
  method: Schema.String,
  status: Schema.optional(Schema.Number),
  message: Schema.String
}) {}

/** What the session is told. @since 0.1.0 */
export const toAgentError = ({ message, method, reason, status }: HostError): AgentError => {
  switch (reason) {
    case "Unreachable":
    case "Gone":
      return new AgentLost({ message })
    case "Unauthorized":
      return new AgentAuthRequired({ methods: [], message })
    case "Malformed":
      return new AgentProtocolError({ detail: method, message })
    case "Redirected":
    case "Refused":
      return new AgentRequestFailed({ method, code: status ?? 0, message })
  }
}

/**
 * The end of a socket after which no other one helps; `undefined` when it may be dialed again.
 *
 * @since 0.1.0
 */
export const final = (error: HostError | WebSocketError, limit: number): AgentError | undefined => {
  if (error._tag === "HostError") {
    // a host that was started anew knows neither the token nor the instance
    return error.reason === "Unauthorized" || error.reason === "Gone"
      ? new AgentLost({ message: error.message })
      : error.reason === "Unreachable"
      ? undefined
      : toAgentError(error)
  }
  const { message, reason, status } = error
  if (reason === "Refused") {
    return status === 401 || status === 404
      ? new AgentLost({ message })
      : status !== undefined && status < 500
      ? new AgentProtocolError({ detail: String(status), message })
      : undefined
  }
  if (reason !== "Invalid") return undefined
  return message.includes("Max payload size exceeded")
    ? new AgentMessageTooLarge({
      limit,
      message: `the host sent a frame of more than ${limit} bytes, which is the limit`
    })
    : new AgentProtocolError({ detail: reason, message })
}
