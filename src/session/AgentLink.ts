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
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { AgentConnection, AgentSignal } from "../agent/Agent.js"
import { AgentDied, type AgentError, type AgentNotFound } from "../domain/Errors.js"

/** Why a link has no agent. @since 0.1.0 */
export type LinkError = AgentError | AgentNotFound

/** @since 0.1.0 */
export interface AgentLink {
  /** The connection; dials if there is none. Interrupting the one who dials stops the dial. */
  readonly get: Effect.Effect<AgentConnection, LinkError>
  /** The connection if there is one now. */
  readonly current: Effect.Effect<Option.Option<AgentConnection>>
  /** Ends the connection, or the dial, and returns when nothing of it is left. */
  readonly drop: (reason: string) => Effect.Effect<void>
}

interface Keeper {
  readonly fiber: Fiber.RuntimeFiber<void>
  readonly ready: Deferred.Deferred<AgentConnection, LinkError>
  reason: string
  /** The connection has ended, its scope is still closing. */
  ending: boolean
}

/**
 * `connected` and `disconnected` record what happened; `handle` gets the signals in order, and is not called again before it is done.
 * All of them may not fail: a defect in them ends the connection. The scope of `handle` is the connection's.
 *
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(options: {
  readonly dial: Effect.Effect<AgentConnection, LinkError, Scope.Scope>
  readonly connected: (connection: AgentConnection) => Effect.Effect<void>
  readonly handle: (signals: Chunk.Chunk<AgentSignal>) => Effect.Effect<void, never, Scope.Scope>
  readonly disconnected: (reason: string, error: Option.Option<LinkError>) => Effect.Effect<void>
}) {
  const scope = yield* Effect.scope
  const dialing = yield* Effect.makeSemaphore(1)
  let keeper: Keeper | undefined

  const pump = (connection: AgentConnection): Effect.Effect<void, AgentError, Scope.Scope> =>
    Effect.flatMap(
      connection.signals.takeAll,
      ([signals, done]) => Effect.zipRight(options.handle(signals), done ? Effect.void : pump(connection))
    )

  const keep = (ready: Deferred.Deferred<AgentConnection, LinkError>, self: () => Keeper) =>
    Effect.interruptible(Effect.scoped(Effect.gen(function*() {
      const connection = yield* options.dial
      yield* Effect.uninterruptible(options.connected(connection))
      yield* Deferred.succeed(ready, connection)
      yield* Effect.ensuring(
        pump(connection),
        Effect.sync(() => {
          self().ending = true
        })
      )
    }))).pipe(
      Effect.exit,
      // the scope is closed by now: whoever hears of the end finds nothing left of the connection (RS2)
      Effect.flatMap((exit) => {
        const error = Exit.isFailure(exit) ? Cause.failureOption(exit.cause) : Option.none()
        const defect = Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause) && Option.isNone(error)
        return (defect ? Effect.logError("the agent's connection ended with a defect", exit.cause) : Effect.void).pipe(
          Effect.zipRight(Effect.sync(() => {
            keeper = undefined
          })),
          Effect.zipRight(options.disconnected(
            Option.match(error, { onNone: () => self().reason, onSome: (e) => e.message }),
            error
          )),
          Effect.zipRight(Deferred.fail(
            ready,
            Option.getOrElse(
              error,
              () =>
                new AgentDied({
                  exitCode: null,
                  signal: null,
                  stderr: "",
                  message: `the agent was ended: ${self().reason}`
                })
            )
          ))
        )
      }),
      Effect.asVoid
    )

  const start = Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const ready = yield* Deferred.make<AgentConnection, LinkError>()
      // forked in an uninterruptible region, so that it tells its end even when it is interrupted before its first step
      const fiber = yield* Effect.forkIn(keep(ready, () => mine), scope)
      const mine: Keeper = { fiber, ready, reason: "the session's scope was closed", ending: false }
      keeper = mine
      return yield* Effect.onInterrupt(restore(Deferred.await(ready)), () => Fiber.interrupt(fiber))
    })
  )

  const link: AgentLink = {
    get: dialing.withPermits(1)(
      Effect.suspend(() => {
        if (keeper === undefined) return start
        return keeper.ending ? Effect.zipRight(Fiber.await(keeper.fiber), start) : Deferred.await(keeper.ready)
      })
    ),
    current: Effect.suspend(() =>
      keeper === undefined ? Effect.succeed(Option.none()) : Effect.flatMap(
        Deferred.poll(keeper.ready),
        Option.match({
          onNone: () => Effect.succeed(Option.none()),
          onSome: (connection) => Effect.option(connection)
        })
      )
    ),
    drop: (reason) =>
      Effect.suspend(() => {
        if (keeper === undefined) return Effect.void
        keeper.reason = reason
        return Effect.asVoid(Fiber.interrupt(keeper.fiber))
      })
  }
  return link
})
