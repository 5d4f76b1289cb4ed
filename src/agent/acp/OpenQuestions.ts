/**
 * The questions of the agent that are not answered yet. Each is a request of the agent that is held open until someone answers, or
 * until it is settled otherwise: the agent takes it back (`$/cancel_request`), a URL was completed elsewhere, the connection ends.
 *
 * @since 0.1.0
 */
import * as acp from "@agentclientprotocol/sdk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import type { AgentEvent } from "../../domain/AgentEvent.js"
import type {
  AnswerIssue,
  ElicitationAnswer,
  ElicitationOutcome,
  ElicitationRequest
} from "../../domain/Elicitation.js"
import * as Issues from "../../domain/Issues.js"
import type { AgentSignal } from "../Agent.js"
import * as AcpQuestions from "./AcpQuestions.js"
import { settled } from "./AcpRpc.js"
import * as AcpUpdates from "./AcpUpdates.js"

/** Handlers: what they put into the queue is there when they return, what they return is the response. @since 0.1.0 */
export interface OpenQuestions {
  readonly permission: (
    params: acp.RequestPermissionRequest,
    signal: AbortSignal
  ) => Promise<acp.RequestPermissionResponse>
  readonly elicitation: (
    params: acp.CreateElicitationRequest,
    signal: AbortSignal
  ) => Promise<acp.CreateElicitationResponse>
  /** `elicitation/complete`: what the URL was for is done. */
  readonly completed: (elicitationId: string) => void
}

const completed: ElicitationOutcome = { _tag: "Answered", action: "accept", by: "completion" }

/** @since 0.1.0 */
export const make = (options: {
  readonly push: (signal: AgentSignal) => void
  readonly say: (event: AgentEvent) => void
  readonly run: <A>(effect: Effect.Effect<A>) => Promise<A>
  /** Whether the session is open: before that nobody can be asked, and the agent would wait for ever. */
  readonly isOpen: () => boolean
  /** What the agent called this tool call before. */
  readonly titleOf: (toolCallId: string) => string | undefined
  /** Of what kind the agent said that it is. */
  readonly kindOf?: ((toolCallId: string) => string | undefined) | undefined
}): OpenQuestions => {
  const { push, run, say } = options
  const urls = new Map<string, Deferred.Deferred<ElicitationOutcome>>()

  const ask = (
    request: ElicitationRequest,
    signal: AbortSignal,
    elicitationId?: string
  ): Effect.Effect<Option.Option<ElicitationAnswer>> => {
    if (!options.isOpen()) {
      say({
        type: "Warning",
        message: `a question that came before the session was open was cancelled: ${request.message}`
      })
      return Effect.succeedNone
    }
    const answer = Deferred.unsafeMake<Option.Option<ElicitationAnswer>>(FiberId.none)
    const elsewhere = Deferred.unsafeMake<ElicitationOutcome>(FiberId.none)
    signal.addEventListener(
      "abort",
      () =>
        Deferred.unsafeDone(
          elsewhere,
          Effect.succeed({ _tag: "Withdrawn", reason: "the agent took the question back" })
        )
    )
    if (elicitationId !== undefined) urls.set(elicitationId, elsewhere)
    push({
      _tag: "Asked",
      request,
      reply: (value) => Effect.asVoid(Deferred.succeed(answer, value)),
      elsewhere: Deferred.await(elsewhere)
    })
    // the protocol wants a response to a question that was taken back, too
    const withoutAnswer = Effect.map(
      Deferred.await(elsewhere),
      (outcome): Option.Option<ElicitationAnswer> =>
        outcome === completed ? Option.some({ action: "accept" }) : Option.none()
    )
    return Effect.ensuring(
      // the work of answering comes last, and it wakes the agent, which may take the processor at once: that the question was answered is
      // on its way to those who look by then
      Effect.zipLeft(Effect.raceFirst(Deferred.await(answer), withoutAnswer), settled),
      Effect.sync(() => elicitationId !== undefined && urls.delete(elicitationId))
    )
  }

  /** Tells both: the person, that something could not be asked, and the agent, why. */
  const refuse = (message: string) => (issues: ReadonlyArray<AnswerIssue>): never => {
    const why = Issues.toText(issues)
    say({ type: "Warning", message: `a question of the agent could not be asked: ${why}`, detail: message })
    throw acp.RequestError.invalidParams({ issues }, why)
  }

  return {
    permission: (params, signal) => {
      const { toolCallId, ...told } = params.toolCall
      const before = { title: options.titleOf(toolCallId), kind: options.kindOf?.(toolCallId) }
      if (Object.values(told).some((value) => value != null)) {
        AcpUpdates.toEvents({ ...told, toolCallId, sessionUpdate: "tool_call_update" }).forEach(say)
      }
      return Either.match(AcpQuestions.ofPermission(params, before), {
        onLeft: refuse(told.title ?? before.title ?? "a permission"),
        onRight: ({ request }) =>
          run(Effect.map(ask(request, signal), (answer) => AcpQuestions.toPermission(params, answer)))
      })
    },
    elicitation: (params, signal) =>
      Either.match(AcpQuestions.ofElicitation(params), {
        onLeft: refuse(params.message),
        onRight: ({ elicitationId, request }) =>
          run(Effect.map(ask(request, signal, elicitationId), AcpQuestions.toElicitation))
      }),
    completed: (elicitationId) => {
      const elsewhere = urls.get(elicitationId)
      if (elsewhere !== undefined) Deferred.unsafeDone(elsewhere, Effect.succeed(completed))
    }
  }
}
