/**
 * The restarts of one session's agent: one at a time, and those that are asked for while one runs share one more.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import type { LogError } from "../domain/Errors.js"
import type { LinkError } from "./AgentLink.js"
import type { Recorder } from "./Recorder.js"
import * as Run from "./Run.js"

/** Why an agent is started again. @since 0.1.0 */
export type Cause = "requested" | "changed" | "failed"

/** A restart that will start; it fails as the restart does. @since 0.1.0 */
export type Ticket = Deferred.Deferred<void, LinkError | LogError>

/**
 * `renew` ends the agent and starts it again. What is asked for is carried out in the scope; closing it ends the restart that runs.
 *
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(recorder: Recorder, renew: Effect.Effect<void, LinkError>) {
  const scope = yield* Effect.scope
  let last: Ticket | undefined
  let next: Ticket | undefined

  const cycle = (cause: Cause) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        yield* recorder.begin({ event: { type: "AgentRestarting", cause } })
        const exit = yield* Effect.exit(restore(renew))
        // what was begun is ended, also when the session is closed meanwhile
        yield* recorder.end({
          event: Exit.isSuccess(exit)
            ? { type: "AgentRestarted" }
            : { type: "AgentRestartFailed", error: Run.infoOfCause(exit.cause) }
        })
        return yield* exit
      })
    )

  /** Returns when the restart is accepted. */
  const request = (cause: Cause): Effect.Effect<Ticket> =>
    Effect.suspend(() => {
      // one that waits to start covers this request, too: it starts later (RC3)
      if (next !== undefined) return Effect.succeed(next)
      // registered before it can start, in one step with the look (RC2)
      const ticket: Ticket = Deferred.unsafeMake(FiberId.none)
      const before = last === undefined ? Effect.void : Effect.exit(Deferred.await(last))
      next = last = ticket
      return before.pipe(
        Effect.zipRight(Effect.sync(() => {
          next = undefined
        })),
        Effect.zipRight(cycle(cause)),
        Effect.tapDefect((cause) => Effect.logError("a restart ended with a defect", cause)),
        Effect.interruptible,
        // forked in an uninterruptible region: who waits hears also of a restart that is interrupted before its first step
        Effect.intoDeferred(ticket),
        Effect.forkIn(scope),
        Effect.as(ticket)
      )
    }).pipe(Effect.uninterruptible)

  return request
})
