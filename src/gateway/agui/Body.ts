/**
 * An AG-UI run as the body of an HTTP response. As with the session's own events, nothing is read ahead of the client, and what is ready
 * together leaves in one write.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Chunk from "effect/Chunk"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Mailbox from "effect/Mailbox"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { LimitReached } from "../../domain/Errors.js"
import type { EventStreams } from "../EventStream.js"
import type { Draining } from "../GatewayError.js"
import type { Encoding } from "./Encoding.js"

/** In bytes. A write is as large as this and one group at most. */
const writeSize = 64 * 1024

/** Whole groups, joined into as few writes as `writeSize` allows. */
const writes = (groups: Chunk.Chunk<Uint8Array>): ReadonlyArray<Uint8Array> => {
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
export const open = Effect.fnUntraced(function*<E>(options: {
  readonly streams: EventStreams
  readonly heartbeat: Duration.DurationInput
  readonly encoding: Encoding
  readonly groups: Stream.Stream<Uint8Array, E>
}): Effect.fn.Return<Stream.Stream<Uint8Array>, LimitReached | Draining, Scope.Scope> {
  const { encoding, groups, heartbeat, streams } = options
  // capacity 0: an offer waits for a taker, so nothing is read ahead of the client
  const out = yield* Mailbox.make<Uint8Array>(0)
  yield* streams.admit(() => void out.unsafeDone(Exit.void))
  yield* groups.pipe(
    Stream.runForEachChunk((page) => Effect.forEach(writes(page), (bytes) => out.offer(bytes), { discard: true })),
    Effect.catchAllCause((cause) =>
      (Cause.isDie(cause) ? Effect.logError : Effect.logDebug)("an AG-UI run ended early", cause)
    ),
    Effect.ensuring(out.end),
    Effect.forkScoped
  )
  const comment = encoding.heartbeat
  if (comment !== undefined) {
    // taken only while the client waits for something, so never within a group, and never a heap of them
    yield* Effect.sync(() => out.unsafeOffer(comment)).pipe(Effect.delay(heartbeat), Effect.forever, Effect.forkScoped)
  }
  return Stream.concat(Stream.succeed(encoding.preamble), Mailbox.toStream(out))
})
