/**
 * An AG-UI run as the body of an HTTP response. As with the session's own events, hardly anything is read ahead of the client, and what is
 * ready together leaves in one write.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { Readable } from "node:stream"
import type { LimitReached } from "../../domain/Errors.js"
import type { EventStreams } from "../EventStream.js"
import type { Draining } from "../GatewayError.js"
import type { Encoding } from "./Encoding.js"
import type { ReadError } from "./Projection.js"
import type { View } from "./View.js"

/** In bytes. A write is as large as this and one group at most. */
const writeSize = 64 * 1024

/** In writes: how far a client may lag before nothing more is read for it. */
const ahead = 4

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
}): Effect.fn.Return<Readable, LimitReached | Draining, Scope.Scope> {
  const { encoding, heartbeat, streams, view } = options
  let over = false
  let taken = () => {}

  const end = () => {
    if (over) return
    over = true
    body.push(null)
  }
  /** Waits if the client lags. */
  const give = (bytes: Uint8Array) =>
    Effect.async<void>((resume) => {
      if (over || body.push(bytes)) return resume(Effect.void)
      taken = () => resume(Effect.void)
    })
  // an object is a write, which may be empty; what is made within a turn of the event loop leaves together
  const body: Readable = new Readable({ objectMode: true, highWaterMark: ahead, read: () => taken() })
  body.push(encoding.preamble)
  yield* streams.admit(end)
  yield* Effect.addFinalizer(() => Effect.sync(() => body.destroy()))
  const tell: Effect.Effect<void, ReadError> = Effect.flatMap(
    view.next,
    Option.match({
      onNone: () => Effect.void,
      onSome: (groups) => Effect.zipRight(Effect.forEach(writes(groups), give, { discard: true }), tell)
    })
  )
  yield* tell.pipe(
    Effect.catchAllCause((cause) =>
      (Cause.isDie(cause) ? Effect.logError : Effect.logDebug)("an AG-UI run ended early", cause)
    ),
    Effect.ensuring(Effect.sync(end)),
    Effect.forkScoped
  )
  const comment = encoding.heartbeat
  if (comment !== undefined) {
    // one at most while the client takes nothing
    const beat = Effect.sync(() => {
      if (!over && body.readableLength === 0) body.push(comment)
    })
    yield* beat.pipe(Effect.delay(heartbeat), Effect.forever, Effect.forkScoped)
  }
  return body
})
