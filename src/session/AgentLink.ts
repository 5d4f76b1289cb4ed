/**
 * Keeps at most one agent connection for a session: starts it when it is needed, tells what it says, and notices when it is gone.
 *
 * One fiber owns a connection from its dial to the end of its process. Whoever wants the agent gone interrupts that fiber and waits
 * for it, so there is no path on which a connection outlives the link.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as FiberRefs from "effect/FiberRefs"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { AgentConnection, AgentSignal } from "../agent/Agent.js"
import { AgentDied, type AgentError, type AgentNotFound } from "../domain/Errors.js"
import * as Detach from "./Detach.js"

/** Why a link has no agent. @since 0.1.0 */
export type LinkError = AgentError | AgentNotFound

/** @since 0.1.0 */
export interface AgentLink {
  /** The connection; dials if there is none. Interrupting the one who dials stops the dial. */
  readonly get: Effect.Effect<AgentConnection, LinkError>
  /** The connection, if there is one; it may be about to end, but `disconnected` has not been told yet. */
  readonly current: Effect.Effect<Option.Option<AgentConnection>>
  /** Ends the connection, or the dial, and returns when nothing of it is left. */
  readonly drop: (reason: string) => Effect.Effect<void>
}

interface Keeper {
  readonly fiber: Fiber.RuntimeFiber<void>
  readonly ready: Deferred.Deferred<AgentConnection, LinkError>
  /** Why it ends. From then on its connection is given to no one. */
  ending: string | undefined
}

/** The agent is not there, and nobody saw it fail. @since 0.1.0 */
export const gone = (reason: string): AgentDied =>
  new AgentDied({ exitCode: null, signal: null, stderr: "", message: `the agent is gone: ${reason}` })

/**
 * `connected` and `disconnected` record what happened; `handle` gets the signals in order, and is not called again before it is done.
 * A defect in `connected` or `handle` ends the connection. It is given the connection's scope. `disconnected` comes after
 * everything of the connection is closed and before the next one is dialed.
 *
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(options: {
  readonly dial: Effect.Effect<AgentConnection, LinkError, Scope.Scope>
  readonly connected: (connection: AgentConnection) => Effect.Effect<void>
  readonly handle: (signals: Chunk.Chunk<AgentSignal>, connection: Scope.Scope) => Effect.Effect<void>
  readonly disconnected: (reason: string, error: Option.Option<LinkError>) => Effect.Effect<void>
  /** What the connection's fiber runs with, in place of what the one who asked for the agent had. */
  readonly fiberRefs: FiberRefs.FiberRefs
}) {
  const scope = yield* Effect.scope
  const dialing = yield* Effect.makeSemaphore(1)
  let keeper: Keeper | undefined

  const pump = (connection: AgentConnection, within: Scope.Scope): Effect.Effect<void, AgentError> =>
    Effect.flatMap(
      connection.signals.takeAll,
      ([signals, done]) =>
        Effect.zipRight(options.handle(signals, within), done ? Effect.void : pump(connection, within))
    )

  const keep = (self: Keeper) => {
    let dialed = false
    const open = Effect.gen(function*() {
      dialed = true
      const connection = yield* options.dial
      // the first thing to happen when it ends: closing it can take seconds, and meanwhile a prompt must not be given to it
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          self.ending ??= "the session's scope was closed"
        })
      )
      yield* Effect.uninterruptible(options.connected(connection))
      yield* Deferred.succeed(self.ready, connection)
      return connection
    })
    // the scope is in no fiber's context while the agent is silent: an idle session would pay for that with half its memory
    const life = (within: Scope.Scope) =>
      Effect.flatMap(Scope.extend(open, within), (connection) => pump(connection, within)).pipe(
        Effect.tap(() => {
          self.ending = "it closed its connection"
        })
      )
    const ended = (exit: Exit.Exit<void, LinkError>) => {
      const error = Exit.isFailure(exit) ? Cause.failureOption(exit.cause) : Option.none()
      const defect = Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause) && Option.isNone(error)
      const reason = Option.isSome(error)
        ? error.value.message
        : defect
        ? "an internal error; the gateway's log has the cause"
        : self.ending ?? "the session's scope was closed"
      return (defect ? Effect.logError("the agent's connection ended with a defect", exit.cause) : Effect.void).pipe(
        // the link's own scope was closed before there was anything to tell of
        Effect.zipRight(dialed ? options.disconnected(reason, error) : Effect.void),
        Effect.ensuring(Effect.suspend(() => {
          keeper = undefined
          return Deferred.fail(self.ready, Option.getOrElse(error, () => gone(reason)))
        }))
      )
    }
    // the scope is closed when `ended` runs: whoever hears of the end finds nothing left of the connection (RS2)
    return Effect.flatMap(Scope.make(), (within) =>
      Effect.interruptible(life(within)).pipe(
        Effect.onExit((exit) => Scope.close(within, exit)),
        // also what goes wrong while it closes: `ended` must be told of every end
        Effect.exit,
        Effect.flatMap(ended)
      ))
  }

  const start = Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const ready = yield* Deferred.make<AgentConnection, LinkError>()
      const self = yield* Deferred.make<Keeper>()
      // forked in an uninterruptible region, so that it tells its end even when it is interrupted before its first step; it waits
      // for `self`, so that it cannot end before it is registered
      const fiber = yield* Deferred.await(self).pipe(
        Effect.tap(() => Detach.to(options.fiberRefs)),
        Effect.flatMap(keep),
        Effect.forkIn(scope)
      )
      const mine: Keeper = { fiber, ready, ending: undefined }
      keeper = mine
      yield* Deferred.succeed(self, mine)
      return yield* Effect.onInterrupt(restore(Deferred.await(ready)), () => end(mine, "nobody waits for it any more"))
    })
  )

  const end = (keeper: Keeper, reason: string) =>
    Effect.suspend(() => {
      keeper.ending ??= reason
      return Effect.asVoid(Fiber.interrupt(keeper.fiber))
    })

  const link: AgentLink = {
    get: dialing.withPermits(1)(
      Effect.suspend(() => {
        if (keeper === undefined) return start
        return keeper.ending === undefined
          ? Deferred.await(keeper.ready)
          : Effect.zipRight(Fiber.await(keeper.fiber), start)
      })
    ),
    current: Effect.suspend(() =>
      keeper === undefined ? Effect.succeedNone : Effect.flatMap(
        Deferred.poll(keeper.ready),
        Option.match({ onNone: () => Effect.succeedNone, onSome: Effect.option })
      )
    ),
    drop: (reason) => Effect.suspend(() => keeper === undefined ? Effect.void : end(keeper, reason))
  }
  return link
})
