/**
 * A run, and one turn of an agent as one scoped Effect: whatever happens inside, its questions are closed, its end is recorded once, and
 * then it is over (RS1, RS2).
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { ErrorInfo, RunOutcome } from "../domain/AgentEvent.js"
import type { ContentBlock } from "../domain/Content.js"
import { toInfo } from "../domain/Errors.js"
import type { RunId } from "../domain/Ids.js"
import type { Traceparent } from "../domain/Traceparent.js"
import type { LinkError } from "./AgentLink.js"

/** A turn, or a run that the agent opened itself. @since 0.1.0 */
export interface Run {
  readonly id: RunId
  /** The run that it is nested in, and does not outlive. */
  readonly parent: Run | undefined
  readonly content: ReadonlyArray<ContentBlock>
  /** Where its prompt stands in the caller's trace. */
  readonly traceparent: Traceparent | undefined
  /** What the run opens lives here: its questions, the watch over its cancellation. */
  readonly scope: Scope.CloseableScope
  /** Completed by whoever learns first how the turn ended. */
  readonly done: Deferred.Deferred<RunOutcome>
  /** Completed when `RunEnded` is recorded. */
  readonly ended: Deferred.Deferred<void>
  /** Its prompt is on its way, or the agent has opened it, and its end has not been seen: what the agent says can belong to it. */
  speaking: boolean
  cancelled: boolean
}

const of = (fields: Pick<Run, "id" | "parent" | "content" | "traceparent" | "speaking" | "cancelled">) =>
  Effect.map(
    Effect.all([Scope.make(), Deferred.make<RunOutcome>(), Deferred.make<void>()]),
    ([scope, done, ended]): Run => ({ ...fields, scope, done, ended })
  )

/** @since 0.1.0 */
export const make = (
  id: RunId,
  content: ReadonlyArray<ContentBlock>,
  traceparent?: Traceparent
): Effect.Effect<Run> => of({ id, parent: undefined, content, traceparent, speaking: false, cancelled: false })

/** One that the agent has opened. What is nested in a run that is to stop is to stop, too. @since 0.1.0 */
export const opened = (id: RunId, content: ReadonlyArray<ContentBlock>, parent: Run | undefined): Effect.Effect<Run> =>
  of({ id, parent, content, traceparent: undefined, speaking: true, cancelled: parent?.cancelled ?? false })

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
export const info = (error: LinkError): ErrorInfo =>
  error._tag === "AgentNotFound" ? { _tag: error._tag, message: error.message, agent: error.agent } : toInfo(error)

/** What the log keeps of a cause; a defect's own words go to the operator's log only. @since 0.1.0 */
export const infoOfCause = (cause: Cause.Cause<LinkError>): ErrorInfo =>
  Option.match(Cause.failureOption(cause), {
    onSome: info,
    onNone: () =>
      Cause.isInterruptedOnly(cause)
        ? { _tag: "Interrupted", message: "it was stopped" }
        : { _tag: "Defect", message: "an internal error; the gateway's log has the cause" }
  })

/** @since 0.1.0 */
export const failed = (error: LinkError): RunOutcome => ({ _tag: "Failed", error: info(error) })

/**
 * Runs the turn to its end. `open` sends the prompt, `close` closes the run's scope and records the outcome; `interrupted` is the
 * outcome when the run is interrupted from outside, which only its session does.
 *
 * @since 0.1.0
 */
export const execute = (run: Run, options: {
  readonly open: Effect.Effect<void, LinkError>
  readonly close: (outcome: RunOutcome) => Effect.Effect<void>
  readonly interrupted: () => RunOutcome
}): Effect.Effect<void> =>
  Effect.gen(function*() {
    const opening = yield* Effect.interruptible(options.open).pipe(
      // RS1 holds for defects too: the boundary is the run
      Effect.tapDefect((cause) => Effect.logError("a run ended with a defect", cause)),
      Effect.catchAllCause((cause) => Deferred.succeed(run.done, { _tag: "Failed", error: infoOfCause(cause) })),
      Effect.fork
    )
    // the end may be known before the prompt is out: the run was cancelled while its agent was still starting
    const exit = yield* Effect.exit(Effect.interruptible(Deferred.await(run.done)))
    // not `raceFirst`, which goes on before its losers are gone when it is interrupted itself (RS2)
    yield* Fiber.interrupt(opening)
    yield* options.close(settle(run, Exit.isSuccess(exit) ? exit.value : options.interrupted()))
  }).pipe(
    Effect.ensuring(Deferred.succeed(run.ended, void 0)),
    Effect.uninterruptible
  )
