/**
 * A question to a person and its answer.
 *
 * Four kinds: `permission` (choose one of the agent's options), `form` (fill a flat schema), `url` (go there and come back) and
 * `confirmation` (yes or no).
 *
 * @see https://modelcontextprotocol.io/specification/2025-11-25/client/elicitation
 * @since 0.1.0
 */
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { FormSchema } from "./Form.js"
import { ElicitationId, RunId, SessionId } from "./Ids.js"

export { AnswerIssue, choicesOf, FormField, FormSchema } from "./Form.js"
export { checkForm } from "./FormCheck.js"

/** @since 0.1.0 */
export const PermissionOption = Schema.Struct({
  optionId: Schema.String,
  name: Schema.String,
  /** ACP's `allow_once allow_always reject_once reject_always`; other values pass through. */
  kind: Schema.String
})

const asked = {
  message: Schema.String,
  toolCallId: Schema.optional(Schema.String),
  /** Where nobody can tell which call asked: all that may have, `toolCallId` being one of them. */
  possibleToolCallIds: Schema.optional(Schema.Array(Schema.String)),
  /** The answer is a secret: it reaches no log, span or store (EB11). */
  sensitive: Schema.optional(Schema.Boolean)
}

const Permission = {
  kind: Schema.Literal("permission"),
  ...asked,
  options: Schema.Array(PermissionOption),
  /** What "always" is about, if one of the options says so: the next permission with this subject is answered alike. */
  subject: Schema.optional(Schema.String)
}
const Form = { kind: Schema.Literal("form"), ...asked, schema: FormSchema }
const Url = { kind: Schema.Literal("url"), ...asked, url: Schema.String }
const Confirmation = { kind: Schema.Literal("confirmation"), ...asked }

/**
 * What an agent wants to know.
 *
 * @since 0.1.0
 */
export const ElicitationRequest = Schema.Union(
  Schema.Struct(Permission),
  Schema.Struct(Form),
  Schema.Struct(Url),
  Schema.Struct(Confirmation)
)
/** @since 0.1.0 */
export type ElicitationRequest = typeof ElicitationRequest.Type

const registered = {
  id: ElicitationId,
  sessionId: SessionId,
  /** The run that asked; absent for a question between runs. */
  runId: Schema.optional(RunId),
  /** When it expires, ISO 8601. */
  deadline: Schema.optional(Schema.String)
}

/**
 * A question that was asked.
 *
 * @since 0.1.0
 */
export const Elicitation = Schema.Union(
  Schema.Struct({ ...registered, ...Permission }),
  Schema.Struct({ ...registered, ...Form }),
  Schema.Struct({ ...registered, ...Url }),
  Schema.Struct({ ...registered, ...Confirmation })
)
/** @since 0.1.0 */
export type Elicitation = typeof Elicitation.Type

/** As it was sent: of a field named `__proto__`, `Schema.Record` would make what the answer inherits from. */
const AnswerContent = Schema.declare(
  (input): input is { readonly [field: string]: unknown } => Predicate.isRecord(input),
  {
    identifier: "AnswerContent",
    description: "the fields of an answer by their names",
    jsonSchema: { type: "object" },
    arbitrary: () => (fc) => fc.dictionary(fc.string(), fc.jsonValue())
  }
)

/**
 * What a person sends back. To a permission: `content: { optionId }`.
 *
 * @since 0.1.0
 */
export const ElicitationAnswer = Schema.Struct({
  action: Schema.Literal("accept", "decline", "cancel"),
  content: Schema.optional(AnswerContent)
})
/** @since 0.1.0 */
export type ElicitationAnswer = typeof ElicitationAnswer.Type

/**
 * How a question ended: exactly one of these (EB2). `by` tells who answered if it was not a person: an "always" of before (`memory`), the
 * policy for questions that nobody attends to (`policy`), or the page itself, whose completion notice came (`completion`).
 *
 * @since 0.1.0
 */
export const ElicitationOutcome = Schema.Union(
  Schema.TaggedStruct("Answered", {
    ...ElicitationAnswer.fields,
    by: Schema.optional(Schema.Literal("memory", "policy", "completion"))
  }),
  Schema.TaggedStruct("Withdrawn", { reason: Schema.String }),
  Schema.TaggedStruct("Expired", {})
)
/** @since 0.1.0 */
export type ElicitationOutcome = typeof ElicitationOutcome.Type

/**
 * The outcome as it may be recorded: of a sensitive answer only that it was given (EB11).
 *
 * @since 0.1.0
 */
export const recordable = (
  question: { readonly sensitive?: boolean | undefined },
  outcome: ElicitationOutcome
): ElicitationOutcome => {
  if (question.sensitive !== true || outcome._tag !== "Answered") return outcome
  const { content: _, ...told } = outcome
  return told
}
