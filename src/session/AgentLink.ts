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
import type * as Scope from "effect/Scope"
import type { AgentConnection, AgentSignal } from "../agent/Agent.js"
import { AgentDied, type AgentError, type AgentNotFound } from "../domain/Errors.js"
import type {
  End as EndOfStream,
  StreamEnd,
  StreamHandle,
  StreamManager,
  StreamSpec
} from "../lifecycle/StreamManager.js"

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
  /** As `drop`, and nothing is dialed any more. */
  readonly close: Effect.Effect<void>
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
 * Whose agent it is. `connected` and `disconnected` record what happened; `handle` gets the signals in order, and is not called again before
 * it is done. A defect in `connected` or `handle` ends the connection. It is given the connection's scope. `disconnected` comes after
 * everything of the connection is closed and before the next one is dialed.
 *
 * @since 0.1.0
 */
export interface Owner {
  readonly streams: StreamManager["Type"]
  /** The stream's name: the session's. */
  readonly key: string
  readonly dial: Effect.Effect<AgentConnection, LinkError, Scope.Scope>
  readonly connected: (connection: AgentConnection) => Effect.Effect<void>
  readonly handle: (signals: Chunk.Chunk<AgentSignal>, connection: Scope.Scope) => Effect.Effect<void>
  readonly disconnected: (end: End) => Effect.Effect<void>
}

/** A class for the sake of memory: each session has one, and most are idle. */
class Link implements AgentLink, StreamSpec<AgentConnection, LinkError> {
  private handle: StreamHandle<AgentConnection, LinkError> | undefined
  private attaching: Deferred.Deferred<void> | undefined
  private closed = false

  constructor(private readonly owner: Owner) {}

  // ------------------------------------------------------------------------------------- for the session

  get get(): Effect.Effect<AgentConnection, LinkError> {
    return Effect.flatMap(
      this.attached,
      ({ ended, ready }) =>
        Effect.catchTag(ready, "StreamEnded", () => Effect.flatMap(ended, ({ message }) => Effect.fail(gone(message))))
    )
  }

  get current(): Effect.Effect<Option.Option<AgentConnection>> {
    return Effect.suspend(() => this.handle?.current ?? Effect.succeedNone)
  }

  drop(reason: string): Effect.Effect<void> {
    return this.owner.streams.detach(this.owner.key, reason)
  }

  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.closed = true
      return this.drop(closing)
    })
  }

  /** Whoever finds the stream attached finds its handle, too. */
  private get attached(): Effect.Effect<StreamHandle<AgentConnection, LinkError>, LinkError> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.suspend(() => {
        if (this.closed) return Effect.fail(gone(closing))
        if (this.attaching !== undefined) return Effect.zipRight(restore(Deferred.await(this.attaching)), this.attached)
        const over = this.attaching = Deferred.unsafeMake<void>(FiberId.none)
        return this.owner.streams.attach(this.owner.key, this).pipe(
          Effect.tap((attached) => {
            this.handle = attached
          }),
          Effect.catchTags({
            StreamAlreadyAttached: () =>
              this.handle === undefined ? Effect.fail(gone("another has its name")) : Effect.succeed(this.handle),
            StreamManagerClosed: () => Effect.fail(gone("Holdfast is shutting down"))
          }),
          Effect.ensuring(Effect.suspend(() => {
            this.attaching = undefined
            return Deferred.succeed(over, void 0)
          }))
        )
      })
    )
  }

  // ------------------------------------------------------------------------------------------ the stream

  /** Whether it is dialed again, and when, is for those to say who need an agent, and for `Restarts`. */
  get redial(): "never" {
    return "never"
  }

  get connect(): Effect.Effect<AgentConnection, LinkError, Scope.Scope> {
    const { owner } = this
    return Effect.tap(owner.dial, (connection) => Effect.uninterruptible(owner.connected(connection)))
  }

  run(connection: AgentConnection): Effect.Effect<StreamEnd, AgentError, Scope.Scope> {
    return Effect.scopeWith((within) =>
      Effect.as(this.pump(connection, within), { message: "it closed its connection" })
    )
  }

  onEnd({ cause, connected, message, requested }: EndOfStream<LinkError>): Effect.Effect<void> {
    return this.owner.disconnected({
      reason: message,
      error: cause === undefined || requested ? Option.none() : Cause.failureOption(cause),
      lost: connected && !requested
    })
  }

  private pump(connection: AgentConnection, within: Scope.Scope): Effect.Effect<void, AgentError> {
    return Effect.flatMap(
      connection.signals.takeAll,
      ([signals, done]) =>
        Effect.zipRight(this.owner.handle(signals, within), done ? Effect.void : this.pump(connection, within))
    )
  }
}

/** It is its owner's to close. @since 0.1.0 */
export const make = (owner: Owner): AgentLink => new Link(owner)
