/**
 * The "always" of a permission: what a person has decided for every further question about the same subject. Pure.
 *
 * It is derived from the question and its outcome, both of which are in the log, so a session that wakes can be told what was decided:
 *
 * ```ts
 * const decisions = events.reduce(…, Decision.of(elicitation, outcome), …)
 * yield* bridge.remember(sessionId, decisions)
 * ```
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { ElicitationOutcome, ElicitationRequest } from "./Elicitation.js"

/** @since 0.1.0 */
export const Decision = Schema.Struct({
  subject: Schema.String,
  kind: Schema.Literal("allow_always", "reject_always"),
  /** The option that was chosen. */
  optionId: Schema.String
})
/** @since 0.1.0 */
export type Decision = typeof Decision.Type

/** A subject that is longer than this is not remembered: it is a text rather than a name. */
const maxSubject = 1000

const isAlways = Schema.is(Decision.fields.kind)

/**
 * What a person decided by this answer, if it was for always. Nothing sensitive is, and an answer that was itself given from memory
 * decides nothing anew.
 *
 * @since 0.1.0
 */
export const of = (request: ElicitationRequest, outcome: ElicitationOutcome): Option.Option<Decision> => {
  if (request.kind !== "permission" || request.sensitive === true || outcome._tag !== "Answered") return Option.none()
  const { options, subject } = request
  if (subject === undefined || subject === "" || subject.length > maxSubject) return Option.none()
  if (outcome.action !== "accept" || outcome.by !== undefined) return Option.none()
  const chosen = options.find((option) => option.optionId === outcome.content?.["optionId"])
  return chosen !== undefined && isAlways(chosen.kind)
    ? Option.some({ subject, kind: chosen.kind, optionId: chosen.optionId })
    : Option.none()
}

/**
 * The option that the decision means in another permission about the same subject: the one of its kind. Of several that are, the one
 * with the name that was chosen; if none has it, a person is asked again.
 *
 * @since 0.1.0
 */
export const optionOf = (decision: Decision, request: ElicitationRequest): Option.Option<string> => {
  if (request.kind !== "permission" || request.sensitive === true || request.subject !== decision.subject) {
    return Option.none()
  }
  const alike = request.options.filter((option) => option.kind === decision.kind)
  const [only] = alike.length === 1 ? alike : alike.filter((option) => option.optionId === decision.optionId)
  return Option.map(Option.fromNullable(only), (option) => option.optionId)
}
