/**
 * An AG-UI run as the body of an HTTP response. As with the session's own events, nothing is read ahead of the client, and what is ready
 * together leaves in one write.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { ServerResponse } from "node:http"
import type { LimitReached } from "../../domain/Errors.js"
import type { EventStreams } from "../EventStream.js"
import type { Draining } from "../GatewayError.js"
import * as ResponseBody from "../ResponseBody.js"
import type { Encoding } from "./Encoding.js"
import type { ReadError } from "./Projection.js"
import type { View } from "./View.js"

/** In bytes. A write is as large as this and one group at most. */
const writeSize = 64 * 1024

/** Whole groups, joined into as few writes as `writeSize` allows. */
const writes = (groups: ReadonlyArray<Uint8Array>): ReadonlyArray<Uint8Array> => {
  const joined: Array<Uint8Array> = []
  let parts: Array<Uint8Array> = []
  let size = 0
  const join = () => {
    const [first, ...others] = parts
    if (first !== undefined) joined.push(others.length === 0 ? first : Buffer.concat(parts))
    parts = []
    size = 0
  }
  for (const group of groups) {
    parts.push(group)
    size += group.byteLength
    if (size >= writeSize) join()
  }
  join()
  return joined
}

/**
 * What follows the head of the response: written to `out` itself, as all that lies in between would be most of what an answer costs.
 *
 * It ends when the run does, when the log fails (the client's next request is told why) and when the gateway closes. It takes one of the
 * gateway's places for event streams until the scope closes.
 *
 * @since 0.1.0
 */
export const open = Effect.fnUntraced(function*(options: {
  readonly streams: EventStreams
  readonly heartbeat: Duration.DurationInput
  readonly encoding: Encoding
  readonly view: View
  readonly out: ServerResponse
}): Effect.fn.Return<ResponseBody.Written, LimitReached | Draining, Scope.Scope> {
  const { encoding, heartbeat, out, streams, view } = options
  const scope = yield* Effect.scope
  let over = false
  let wake = () => {}
  const end = () => {
    over = true
    wake()
  }
  yield* streams.admit(end)

  // of a client that left nothing is heard here: its request is interrupted
  const give = (bytes: Uint8Array) =>
    Effect.async<void>((resume) => {
      if (over || out.write(bytes)) return resume(Effect.void)
      const drained = () => resume(Effect.void)
      out.once("drain", drained)
      return Effect.sync(() => out.off("drain", drained))
    })
  const tell: Effect.Effect<void, ReadError> = Effect.flatMap(
    view.next,
    Option.match({
      onNone: () => Effect.void,
      onSome: (groups) => Effect.zipRight(Effect.forEach(writes(groups), give, { discard: true }), tell)
    })
  )
  const toldAll = tell.pipe(
    Effect.catchAllCause((cause) =>
      (Cause.isDie(cause) ? Effect.logError : Effect.logDebug)("an AG-UI run ended early", cause)
    ),
    Effect.ensuring(Effect.sync(end))
  )
  const ended = Effect.async<void>((resume) => {
    if (over) return resume(Effect.void)
    wake = () => resume(Effect.void)
  })
  const comment = encoding.heartbeat
  if (comment !== undefined) {
    // one at most while the client takes nothing
    const beat = Effect.sync(() => {
      if (!over && out.headersSent && out.writableLength === 0) out.write(comment)
    })
    yield* beat.pipe(Effect.delay(heartbeat), Effect.forever, Effect.forkScoped)
  }
  return new ResponseBody.Written(Effect.suspend(() => {
    if (encoding.preamble.length === 0) out.flushHeaders()
    else out.write(encoding.preamble)
    return Effect.forkIn(toldAll, scope).pipe(
      Effect.tap(ended),
      Effect.flatMap(Fiber.interrupt),
      Effect.zipRight(ResponseBody.end(out))
    )
  }))
})
