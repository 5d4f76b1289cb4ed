/**
 * How the loop speaks: everything that it says is a signal of the driver contract, and whatever is a run ends as one.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import type * as Option from "effect/Option"
import type { AgentEvent } from "../../domain/AgentEvent.js"
import type { ElicitationAnswer, ElicitationOutcome, ElicitationRequest } from "../../domain/Elicitation.js"
import { type AgentError, AgentRequestFailed } from "../../domain/Errors.js"
import type { RunId } from "../../domain/Ids.js"
import type { Intake } from "../../lifecycle/stream/Intake.js"
import type { AgentSignal, TurnResult } from "../Agent.js"

/** @since 0.1.0 */
export interface Voice {
  /** Waits while nobody listens fast enough. After the connection's end it does nothing. */
  readonly say: (run: RunId | undefined, events: ReadonlyArray<AgentEvent>) => Effect.Effect<void>
  /** `None` if nobody will answer. Interrupting it takes the question back. */
  readonly ask: (
    run: RunId,
    request: ElicitationRequest,
    elsewhere?: Effect.Effect<ElicitationOutcome>
  ) => Effect.Effect<Option.Option<ElicitationAnswer>>
  readonly open: (opened: Omit<Extract<AgentSignal, { _tag: "RunOpened" }>, "_tag">) => Effect.Effect<void>
  /**
   * The one way to be a run: whatever becomes of `body`, what it opened is closed and the end is said, once, and nothing of the run after
   * it (RS1, RS2). The body's value is the stop reason.
   */
  readonly run: (
    id: RunId,
    body: Effect.Effect<string, AgentError>,
    /** Whether an interruption is what someone asked for. */
    cancelled: () => boolean
  ) => Effect.Effect<TurnResult>
}

const internal = (message: string) => new AgentRequestFailed({ method: "loop", code: -32603, message })

const toResult = (exit: Exit.Exit<string, AgentError>, cancelled: boolean): TurnResult => {
  if (Exit.isSuccess(exit)) return { _tag: "Stopped", stopReason: exit.value }
  if (cancelled && Cause.isInterrupted(exit.cause)) return { _tag: "Stopped", stopReason: "cancelled" }
  return Either.match(Cause.failureOrCause(exit.cause), {
    onLeft: (error) => ({ _tag: "Failed", error }),
    onRight: (cause) => ({
      _tag: "Failed",
      error: internal(
        Cause.isInterruptedOnly(cause)
          ? "the turn was interrupted from within"
          : "an internal error; the gateway's log has the cause"
      )
    })
  })
}

/** @since 0.1.0 */
export const make = (signals: Intake<AgentSignal, AgentError>): Voice => {
  const tell = (signal: AgentSignal) => signals.offer([signal])

  return {
    say: (run, events) =>
      events.length === 0
        ? Effect.void
        : signals.offer(events.map((event): AgentSignal => ({ _tag: "Said", event, run }))),
    ask: (run, request, elsewhere) =>
      Effect.suspend(() => {
        const answer = Deferred.unsafeMake<Option.Option<ElicitationAnswer>>(FiberId.none)
        const over = Deferred.unsafeMake<ElicitationOutcome>(FiberId.none)
        return tell({
          _tag: "Asked",
          run,
          request,
          reply: (value) => Effect.asVoid(Deferred.succeed(answer, value)),
          elsewhere: elsewhere === undefined
            ? Deferred.await(over)
            : Effect.raceFirst(Deferred.await(over), elsewhere)
        }).pipe(
          Effect.zipRight(Deferred.await(answer)),
          Effect.onInterrupt(() =>
            Deferred.succeed(over, { _tag: "Withdrawn", reason: "the agent took the question back" })
          )
        )
      }),
    open: (opened) => tell({ _tag: "RunOpened", ...opened }),
    run: (id, body, cancelled) =>
      Effect.interruptible(body).pipe(
        Effect.tapDefect((cause) => Effect.logError("a run of the loop died", cause)),
        Effect.exit,
        Effect.map((exit) => toResult(exit, cancelled())),
        Effect.tap((result) => tell({ _tag: "TurnEnded", run: id, result })),
        Effect.uninterruptible
      )
  }
}
