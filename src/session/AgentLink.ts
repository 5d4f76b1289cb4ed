/**
 * At most one agent connection for a session: started when it is needed, and told of when it is gone.
 *
 * `StreamManager` keeps it: a dial belongs to the session and not to the one who asked first, and there is no path on which a connection
 * outlives the link.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { AgentConnection, AgentSignal } from "../agent/Agent.js"
import { AgentDied, type AgentError, type AgentNotFound } from "../domain/Errors.js"
import type { StreamHandle, StreamManager, StreamSpec } from "../lifecycle/StreamManager.js"

/** Why a link has no agent. @since 0.1.0 */
export type LinkError = AgentError | AgentNotFound

/** @since 0.1.0 */
export interface AgentLink {
  /** The connection; dials if there is none. Interrupting the one who waits does not stop the dial. */
  readonly get: Effect.Effect<AgentConnection, LinkError>
  /** The connection, if there is one; it may be about to end, but `disconnected` has not been told yet. */
  readonly current: Effect.Effect<Option.Option<AgentConnection>>
  /** Ends the connection, or the dial, and returns when nothing of it is left. */
  readonly drop: (reason: string) => Effect.Effect<void>
}

/** How a connection ended. @since 0.1.0 */
export interface End {
  readonly reason: string
  readonly error: Option.Option<LinkError>
  /** It was up, and nobody asked for its end. */
  readonly lost: boolean
}

/** The agent is not there, and nobody saw it fail. @since 0.1.0 */
export const gone = (reason: string): AgentDied =>
  new AgentDied({ exitCode: null, signal: null, stderr: "", message: `the agent is gone: ${reason}` })

const closing = "the session's scope was closed"

/**
 * `connected` and `disconnected` record what happened; `handle` gets the signals in order, and is not called again before it is done.
 * A defect in `connected` or `handle` ends the connection. It is given the connection's scope. `disconnected` comes after
 * everything of the connection is closed and before the next one is dialed.
 *
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(options: {
  readonly streams: StreamManager["Type"]
  /** The stream's name: the session's. */
  readonly key: string
  readonly dial: Effect.Effect<AgentConnection, LinkError, Scope.Scope>
  readonly connected: (connection: AgentConnection) => Effect.Effect<void>
  readonly handle: (signals: Chunk.Chunk<AgentSignal>, connection: Scope.Scope) => Effect.Effect<void>
  readonly disconnected: (end: End) => Effect.Effect<void>
}) {
  const { key, streams } = options
  let handle: StreamHandle<AgentConnection, LinkError> | undefined
  let attaching: Deferred.Deferred<void> | undefined
  let closed = false

  const pump = (connection: AgentConnection, within: Scope.Scope): Effect.Effect<void, AgentError> =>
    Effect.flatMap(
      connection.signals.takeAll,
      ([signals, done]) =>
        Effect.zipRight(options.handle(signals, within), done ? Effect.void : pump(connection, within))
    )

  const spec: StreamSpec<AgentConnection, LinkError> = {
    // whether it is dialed again, and when, is for those to say who need an agent, and for `Restarts`
    redial: "never",
    connect: Effect.tap(options.dial, (connection) => Effect.uninterruptible(options.connected(connection))),
    run: (connection) =>
      Effect.scopeWith((within) => Effect.as(pump(connection, within), { message: "it closed its connection" })),
    onEnd: ({ cause, connected, message, requested }) =>
      options.disconnected({
        reason: message,
        error: cause === undefined || requested ? Option.none() : Cause.failureOption(cause),
        lost: connected && !requested
      })
  }

  // whoever finds the stream attached finds its handle, too
  const attached: Effect.Effect<StreamHandle<AgentConnection, LinkError>, LinkError> = Effect.uninterruptibleMask(
    (restore) =>
      Effect.suspend(() => {
        if (closed) return Effect.fail(gone(closing))
        if (attaching !== undefined) return Effect.zipRight(restore(Deferred.await(attaching)), attached)
        const over = attaching = Deferred.unsafeMake<void>(FiberId.none)
        return streams.attach(key, spec).pipe(
          Effect.tap((attached) => {
            handle = attached
          }),
          Effect.catchTags({
            StreamAlreadyAttached: () =>
              handle === undefined ? Effect.fail(gone("another has its name")) : Effect.succeed(handle),
            StreamManagerClosed: () => Effect.fail(gone("Holdfast is shutting down"))
          }),
          Effect.ensuring(Effect.suspend(() => {
            attaching = undefined
            return Deferred.succeed(over, void 0)
          }))
        )
      })
  )

  // no `Effect.addFinalizer`, here and in `SessionRuntime`: what it keeps of the fiber is more than an idle session should cost
  yield* Scope.addFinalizer(
    yield* Effect.scope,
    Effect.suspend(() => {
      closed = true
      return streams.detach(key, closing)
    })
  )

  const link: AgentLink = {
    get: Effect.flatMap(
      attached,
      ({ ended, ready }) =>
        Effect.catchTag(ready, "StreamEnded", () => Effect.flatMap(ended, ({ message }) => Effect.fail(gone(message))))
    ),
    current: Effect.suspend(() => handle?.current ?? Effect.succeedNone),
    drop: (reason) => streams.detach(key, reason)
  }
  return link
})
