/**
 * One turn of an agent as one scoped Effect: whatever happens inside, its questions are closed, its end is recorded once, and then it
 * is over (RS1, RS2).
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { RunOutcome } from "../domain/AgentEvent.js"
import type { ContentBlock } from "../domain/Content.js"
import { toInfo } from "../domain/Errors.js"
import type { RunId } from "../domain/Ids.js"
import type { LinkError } from "./AgentLink.js"

/** @since 0.1.0 */
export interface Run {
  readonly id: RunId
  readonly content: ReadonlyArray<ContentBlock>
  /** What the run opens lives here: its questions, the watch over its cancellation. */
  readonly scope: Scope.CloseableScope
  /** Completed by whoever learns first how the turn ended. */
  readonly done: Deferred.Deferred<RunOutcome>
  /** Completed when `RunEnded` is recorded. */
  readonly ended: Deferred.Deferred<void>
  /** The tool calls that it started: a late update of an older one is not given to it (RS6). */
  readonly tools: Set<string>
  /** The prompt is on its way and the turn's end has not been seen: what the agent says belongs to this run. */
  speaking: boolean
  cancelled: boolean
}

/** @since 0.1.0 */
export const make = (id: RunId, content: ReadonlyArray<ContentBlock>): Effect.Effect<Run> =>
  Effect.map(
    Effect.all([Scope.make(), Deferred.make<RunOutcome>(), Deferred.make<void>()]),
    ([scope, done, ended]) => ({
      id,
      content,
      scope,
      done,
      ended,
      tools: new Set<string>(),
      speaking: false,
      cancelled: false
    })
  )

/**
 * How a run that was asked to cancel ended: an agent that fails or dies over its cancellation was cancelled all the same; one that had
 * finished before it heard of it has completed.
 *
 * @since 0.1.0
 */
export const settle = (run: Run, outcome: RunOutcome): RunOutcome =>
  (outcome._tag === "Completed" && outcome.stopReason === "cancelled") || (run.cancelled && outcome._tag === "Failed")
    ? { _tag: "Cancelled" }
    : outcome

/** @since 0.1.0 */
export const info = (error: LinkError) =>
  error._tag === "AgentNotFound" ? { _tag: error._tag, message: error.message, agent: error.agent } : toInfo(error)

/** @since 0.1.0 */
export const failed = (error: LinkError): RunOutcome => ({
  _tag: "Failed",
  error: info(error)
})

/**
 * Runs the turn to its end. `open` sends the prompt, `close` closes the run's scope and records the outcome; `interrupted` is the outcome when the run is
 * interrupted from outside, which only its session does.
 *
 * @since 0.1.0
 */
export const execute = (run: Run, options: {
  readonly open: Effect.Effect<void, LinkError>
  readonly close: (outcome: RunOutcome) => Effect.Effect<void>
  readonly interrupted: () => RunOutcome
}): Effect.Effect<void> =>
  Effect.interruptible(
    // the end may be known before the prompt is out: the run was cancelled while its agent was still starting
    Effect.raceFirst(Deferred.await(run.done), Effect.zipRight(options.open, Deferred.await(run.done)))
  ).pipe(
    Effect.exit,
    Effect.flatMap((exit): Effect.Effect<RunOutcome> => {
      if (Exit.isSuccess(exit)) return Effect.succeed(exit.value)
      if (Cause.isInterruptedOnly(exit.cause)) return Effect.sync(options.interrupted)
      return Option.match(Cause.failureOption(exit.cause), {
        onSome: (error) => Effect.succeed(failed(error)),
        // RS1 holds for defects too; the boundary is the run, the cause goes to the operator's log
        onNone: () =>
          Effect.as(
            Effect.logError("a run ended with a defect", exit.cause),
            { _tag: "Failed", error: { _tag: "Defect", message: "an internal error; the gateway's log has the cause" } }
          )
      })
    }),
    Effect.flatMap((outcome) =>
      Effect.ensuring(options.close(settle(run, outcome)), Deferred.succeed(run.ended, void 0))
    ),
    Effect.uninterruptible
  )
