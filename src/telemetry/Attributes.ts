/**
 * What spans tell of what happened: ids, kinds and outcomes, and nothing that was said (EB11).
 *
 * @since 0.1.0
 */
import type { RunOutcome, RunStarted, ToolCallEnded, ToolCallStarted } from "../domain/AgentEvent.js"
import type { Elicitation, ElicitationOutcome } from "../domain/Elicitation.js"

/** @since 0.1.0 */
export type Attributes = Readonly<Record<string, string | number | boolean>>

/** An agent's own word, which may be of any length. */
const word = (text: string) => text.slice(0, 256)

const given = (attributes: Readonly<Record<string, string | undefined>>): Attributes =>
  Object.fromEntries(
    Object.entries(attributes).flatMap(([key, value]) => value === undefined ? [] : [[key, word(value)]])
  )

/** Of a run that begins; `holdfast.agent` is who works in it, where that is not the session's own agent. @since 0.1.0 */
export const ofRun = ({ agent, parentRunId, until }: typeof RunStarted.Type): Attributes =>
  given({ "holdfast.agent": agent, "holdfast.run.parent.id": parentRunId, "holdfast.run.until": until })

/** Of a run: with the kind of its failure, if it failed. @since 0.1.0 */
export const ofOutcome = (
  outcome: RunOutcome
): { readonly attributes: Attributes; readonly failure: string | undefined } => ({
  attributes: given({
    "holdfast.run.outcome": outcome._tag,
    "holdfast.run.stop_reason": outcome._tag === "Completed" ? outcome.stopReason : undefined
  }),
  failure: outcome._tag === "Failed" ? word(outcome.error._tag) : outcome._tag === "Lost" ? "Lost" : undefined
})

/** A title quotes what the call is about, so it is left out. @since 0.1.0 */
export const ofToolCall = (
  { kind, name, toolCallId }: typeof ToolCallStarted.Type | typeof ToolCallEnded.Type
): Attributes => given({ "gen_ai.tool.call.id": toolCallId, "gen_ai.tool.name": name, "holdfast.tool.kind": kind })

/** @since 0.1.0 */
export const ofQuestion = ({ id, kind, toolCallId }: Elicitation): Attributes =>
  given({ "holdfast.elicitation.id": id, "holdfast.elicitation.kind": kind, "gen_ai.tool.call.id": toolCallId })

/** @since 0.1.0 */
export const ofAnswer = (outcome: ElicitationOutcome): Attributes =>
  given({
    "holdfast.elicitation.outcome": outcome._tag,
    ...outcome._tag === "Answered"
      ? { "holdfast.elicitation.action": outcome.action, "holdfast.elicitation.by": outcome.by ?? "person" }
      : {}
  })
