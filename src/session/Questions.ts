/**
 * A question of the agent, from its asking to its reply: announced in the log, settled there, and answered to the agent, each once.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { AgentSignal } from "../agent/Agent.js"
import type { RunOutcome, SessionEvent } from "../domain/AgentEvent.js"
import * as Decision from "../domain/Decision.js"
import type { Elicitation, ElicitationAnswer, ElicitationOutcome } from "../domain/Elicitation.js"
import type { RunId, SessionId } from "../domain/Ids.js"
import type { ElicitationBridge } from "../lifecycle/ElicitationBridge.js"
import type { Recorder } from "./Recorder.js"

const settledEvent = (elicitation: Elicitation, outcome: ElicitationOutcome): SessionEvent => ({
  type: "ElicitationSettled",
  elicitationId: elicitation.id,
  outcome,
  ...Option.match(Decision.of(elicitation, outcome), { onNone: () => ({}), onSome: (decision) => ({ decision }) })
})

const toAnswer = (outcome: ElicitationOutcome): Option.Option<ElicitationAnswer> => {
  if (outcome._tag !== "Answered") return Option.none()
  const { action, content } = outcome
  return Option.some(content === undefined ? { action } : { action, content })
}

/** Whose agent asks. @since 0.1.0 */
export interface Session {
  readonly sessionId: SessionId
  readonly bridge: ElicitationBridge["Type"]
  readonly recorder: Recorder
  /** How runs end when the session does; absent while it goes on. */
  readonly retired: RunOutcome | undefined
}

/**
 * Returns when the question is announced, so that what the agent says after it comes after it in the log. The question itself lives in
 * the scope that is given: closing it withdraws the question and replies so (EB4).
 *
 * @since 0.1.0
 */
export const ask = Effect.fnUntraced(function*(
  signal: Extract<AgentSignal, { _tag: "Asked" }>,
  options: {
    readonly session: Session
    readonly runId: RunId | undefined
    readonly scope: Scope.Scope
  }
) {
  const { runId, scope, session } = options
  const { bridge, recorder, sessionId } = session

  // an agent that is ended with its session has taken nothing back
  const whyEnded = (outcome: ElicitationOutcome): ElicitationOutcome => {
    const end = session.retired
    if (end === undefined || outcome._tag !== "Withdrawn") return outcome
    return { _tag: "Withdrawn", reason: end._tag === "Lost" ? end.reason : "the session was closed" }
  }

  const announced = yield* Deferred.make<void>()
  yield* bridge.ask({
    sessionId,
    runId,
    request: signal.request,
    elsewhere: signal.elsewhere,
    announce: (elicitation) =>
      Effect.zipRight(
        recorder.say(() => [{ event: { type: "ElicitationRequested", elicitation }, runId }]),
        Deferred.succeed(announced, void 0)
      ),
    settled: (elicitation, outcome) => recorder.end({ event: settledEvent(elicitation, whyEnded(outcome)), runId })
  }).pipe(
    Effect.map(toAnswer),
    Effect.catchAll((error) =>
      Effect.as(
        recorder.say(() => [{ event: { type: "Warning", message: error.message }, runId }]),
        Option.none()
      )
    ),
    Effect.onExit((exit) => signal.reply(Exit.isSuccess(exit) ? exit.value : Option.none())),
    Effect.ensuring(Deferred.succeed(announced, void 0)),
    Effect.forkIn(scope)
  )
  yield* Deferred.await(announced)
})
