/**
 * An AG-UI run as the body of an HTTP response. As with the session's own events, nothing is read ahead of the client, and what is ready
 * together leaves in one write.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { LimitReached } from "../../domain/Errors.js"
import * as Intake from "../../lifecycle/stream/Intake.js"
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
  // of one: whoever offers waits until it is taken, so nothing is read ahead of the client
  const out = Intake.make<Uint8Array>(1)
  const end = () => out.end(Exit.void)
  yield* streams.admit(end)
  yield* groups.pipe(
    Stream.runForEachChunk((page) => Effect.forEach(writes(page), (bytes) => out.offer([bytes]), { discard: true })),
    Effect.catchAllCause((cause) =>
      (Cause.isDie(cause) ? Effect.logError : Effect.logDebug)("an AG-UI run ended early", cause)
    ),
    Effect.ensuring(Effect.sync(end)),
    Effect.forkScoped
  )
  const comment = encoding.heartbeat
  if (comment !== undefined) {
    // between groups, and one at most while the client takes nothing
    const beat = Effect.sync(() => {
      if (!out.full()) out.push([comment])
    })
    yield* beat.pipe(Effect.delay(heartbeat), Effect.forever, Effect.forkScoped)
  }
  const rest = Effect.flatMap(
    out.takeAll,
    ([writes, done]) => done && Chunk.isEmpty(writes) ? Effect.fail(Option.none()) : Effect.succeed(writes)
  )
  return Stream.concat(Stream.succeed(encoding.preamble), Stream.repeatEffectChunkOption(rest))
})
