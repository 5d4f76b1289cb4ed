/**
 * AG-UI events as bytes: SSE, or protobuf for those who name it.
 *
 * The events of one event of the log are a group. Its number is the SSE id, which only the last frame of the group has: a client that is cut
 * off within a group has not seen its id, and is given the group again.
 *
 * @since 0.1.0
 */
import type { AGUIEvent } from "@ag-ui/core"
import * as Effect from "effect/Effect"

/** @since 0.1.0 */
export interface Encoding {
  readonly contentType: string
  /** Before the first event; it sends the headers. */
  readonly preamble: Uint8Array
  /** What an idle stream shows that it lives by, where the form has something that is no event. */
  readonly heartbeat: Uint8Array | undefined
  readonly encode: (group: ReadonlyArray<AGUIEvent>, seq: number) => Uint8Array
}

const encoder = new TextEncoder()

/** @since 0.1.0 */
export const sse: Encoding = {
  contentType: "text/event-stream",
  preamble: encoder.encode("retry: 1000\n\n"),
  heartbeat: encoder.encode(": heartbeat\n\n"),
  encode: (group, seq) => {
    let text = ""
    for (const [index, event] of group.entries()) {
      if (index === group.length - 1) text += `id: ${seq}\n`
      text += `data: ${JSON.stringify(event)}\n\n`
    }
    return encoder.encode(text)
  }
}

const protobufType = "application/vnd.ag-ui.event+proto"

/** Loaded for the first who asks for it: few do, and it is as large as the gateway. */
const protobuf: Effect.Effect<Encoding> = Effect.map(
  Effect.promise(() => import("@ag-ui/encoder")),
  ({ EventEncoder }) => {
    const events = new EventEncoder()
    return {
      contentType: protobufType,
      preamble: new Uint8Array(0),
      heartbeat: undefined,
      // its own conversion of JSON values knows no `undefined`
      encode: (group) => Buffer.concat(group.map((event) => events.encodeProtobuf(JSON.parse(JSON.stringify(event)))))
    }
  }
)

/**
 * Whoever does not name protobuf gets SSE: curl and a bare `fetch` accept everything and can read only that.
 *
 * @since 0.1.0
 */
export const accepted = (accept: string | undefined): Effect.Effect<Encoding> =>
  accept?.toLowerCase().includes(protobufType) === true ? protobuf : Effect.succeed(sse)
