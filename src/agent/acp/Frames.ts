/**
 * From bytes to JSON-RPC messages, one a line, with a bound: of a line that is too long no more than the limit is ever held.
 *
 * The SDK's own reader answers a malformed line and goes on. Here it is the end of the connection (AG2): an agent whose output is
 * mixed with something else would lose messages without anyone noticing.
 *
 * @see https://agentclientprotocol.com/protocol/transports
 * @since 0.1.0
 */
import type { AnyMessage } from "@agentclientprotocol/sdk"
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import { AgentMessageTooLarge, AgentProtocolError } from "../../domain/Errors.js"

/** @since 0.1.0 */
export type Frame = Either.Either<AnyMessage, AgentMessageTooLarge | AgentProtocolError>

const isMessage = (value: unknown): value is AnyMessage =>
  Predicate.isRecord(value) && value["jsonrpc"] === "2.0" && (typeof value["method"] === "string" || "id" in value)

const malformed = (line: string, what: string) => {
  const start = line.length > 200 ? `${line.slice(0, 200)}…` : line
  return Either.left(
    new AgentProtocolError({ detail: start, message: `the agent wrote a line that is ${what}: ${start}` })
  )
}

const parse = (line: string): Frame => {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return malformed(line, "not JSON")
  }
  return isMessage(value) ? Either.right(value) : malformed(line, "not a JSON-RPC 2.0 message")
}

/** @since 0.1.0 */
export interface Frames {
  /** The messages that end in this chunk, in order; a left is the last one. */
  readonly push: (chunk: Buffer) => Generator<Frame>
  /** The output has ended: its last line may lack the line feed. */
  readonly end: () => Generator<Frame>
}

/** @since 0.1.0 */
export const make = (limit: number): Frames => {
  let parts: Array<Buffer> = []
  let size = 0

  const tooLarge = () =>
    Either.left(
      new AgentMessageTooLarge({
        limit,
        message: `the agent wrote a message of more than ${limit} bytes, which is the limit`
      })
    )

  function* take(bytes: Buffer): Generator<Frame> {
    const line = (parts.length === 0 ? bytes : Buffer.concat([...parts, bytes])).toString("utf8")
    parts = []
    size = 0
    if (line.trim() !== "") yield parse(line)
  }

  return {
    *push(chunk) {
      let from = 0
      for (let to = chunk.indexOf(10); to !== -1; to = chunk.indexOf(10, from)) {
        if (size + to - from > limit) return yield tooLarge()
        yield* take(chunk.subarray(from, to))
        from = to + 1
      }
      size += chunk.length - from
      if (size > limit) {
        parts = []
        return yield tooLarge()
      }
      if (from < chunk.length) parts.push(chunk.subarray(from))
    },
    *end() {
      for (const frame of take(Buffer.alloc(0))) {
        // half a line is no fault of its own: it was cut off by the end of the process, which is told
        if (Either.isRight(frame)) yield frame
      }
    }
  }
}
