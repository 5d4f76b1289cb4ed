/**
 * Reads a connection and handles what came, each in a fiber of its own (SM8).
 *
 * A handler that waits holds up the handlers after it and not the reading: a response is found (`route`) while the one that asked for it
 * still runs. Between the two is a bounded buffer. A full one stops the reading, and so the peer; nothing is dropped.
 *
 * ```ts
 * run: (socket, heartbeat) =>
 *   Inbox.drain(socket.pull, {
 *     heartbeat,
 *     route: (frame) => calls.resolve(idOf(frame), frame), // not handled: somebody waits for it
 *     ended: () => calls.end("the socket was closed"),
 *     handle: (frame) => record(frame)
 *   })
 * ```
 *
 * @since 0.1.0
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Heartbeat from "./Heartbeat.js"
import * as Intake from "./Intake.js"

/**
 * What is ready to be read; waits until something is. An empty chunk is a sign of life and nothing else. Fails with `None` at the end.
 *
 * @since 0.1.0
 */
export type Pull<A, E> = Effect.Effect<Chunk.Chunk<A>, Option.Option<E>>

/**
 * Returns when the connection has ended and all that was read is handled, and fails then if the connection did; ends at once when a handler
 * fails. The reading lives in the connection's scope.
 *
 * A handler must not wait for what only more reading can bring when the buffer is full: give it a timeout.
 *
 * @since 0.1.0
 */
export const drain = <A, E, E2, R>(
  pull: Pull<A, E>,
  options: {
    readonly handle: (message: A) => Effect.Effect<void, E2, R>
    /** Looks at each message on the read loop, without waiting; what it answers true for is not handled. */
    readonly route?: ((message: A) => boolean) | undefined
    /** The reading is over, though not all may be handled: handlers that wait for a response must be told (`Requests`, SM9). */
    readonly ended?: (() => void) | undefined
    /** How many messages wait at most, beside those of one pull; 64 when left out. */
    readonly capacity?: number | undefined
    readonly heartbeat?: Heartbeat.Heartbeat | undefined
  }
): Effect.Effect<void, E | E2, R | Scope.Scope> =>
  Effect.gen(function*() {
    const { capacity = 64, ended, handle, heartbeat = Heartbeat.none, route } = options
    const inbox = Intake.make<A>(capacity)
    let over: Exit.Exit<never, Option.Option<E>> | undefined

    const read = Effect.flatMap(pull, (messages) => {
      inbox.push(route === undefined ? messages : Chunk.filter(messages, (message) => !route(message)))
      // SM7: who waits for room does not read, and then the silence is not the peer's
      return inbox.full() ? heartbeat.hold(inbox.room) : heartbeat.beat
    })
    yield* Effect.forever(read).pipe(
      Effect.onExit((exit) =>
        Effect.sync(() => {
          over = exit
          ended?.()
          inbox.end(Exit.void)
        })
      ),
      Effect.forkScoped
    )

    const next = Effect.matchEffect(inbox.take, {
      onFailure: () => Effect.succeed(false),
      onSuccess: (message) => Effect.as(handle(message), true)
    })
    yield* Effect.repeat(next, { while: (more) => more })

    // a burst that came before the end is handled before the end is told
    if (over === undefined) return
    yield* Effect.catchAll(over, Option.match({ onNone: () => Effect.void, onSome: Effect.fail }))
  })
