/**
 * The questions of a host, between its form and ours: permissions of the agent, and what an agent asks through the host's MCP tool. Pure.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type { AnswerIssue, ElicitationAnswer, ElicitationRequest } from "../../domain/Elicitation.js"
import { checkRequest } from "../../domain/ElicitationCheck.js"
import type { Fields } from "./Wire.js"

const Offered = Schema.Struct({
  option_id: Schema.String,
  name: Schema.String,
  kind: Schema.optionalWith(Schema.String, { default: () => "" })
})

const Pending = Schema.Struct({
  request_id: Schema.NonEmptyString,
  pending_id: Schema.NonEmptyString,
  tool_call_id: Schema.optional(Schema.String),
  title: Schema.String,
  kind: Schema.String,
  options: Schema.Array(Offered)
})

/** A permission that the host holds open. @since 0.1.0 */
export interface Permission {
  readonly requestId: string
  readonly pendingId: string
  readonly request: Extract<ElicitationRequest, { kind: "permission" }>
}

const decodePending = Schema.decodeUnknownOption(Pending)

/** Of the event that announces it, or of an entry of the host's list: the two name their fields differently. @since 0.1.0 */
export const ofPermission = (fields: Fields): Permission | undefined => {
  const action = Predicate.isRecord(fields["action"]) ? fields["action"]["type"] : fields["action_type"]
  const decoded = decodePending({
    ...fields,
    title: fields["permission_title"] ?? fields["title"],
    options: fields["permission_options"] ?? fields["options"],
    kind: typeof action === "string" ? action : "other"
  })
  if (Option.isNone(decoded)) return undefined
  const { kind, options, pending_id: pendingId, request_id: requestId, title, tool_call_id: toolCallId } = decoded.value
  const request: Permission["request"] = {
    kind: "permission",
    message: title || "The agent asks for permission",
    options: options.map(({ kind, name, option_id: optionId }) => ({ optionId, name, kind })),
    ...(toolCallId === undefined ? {} : { toolCallId }),
    // what an "always" would be about: this kind of action with this very title, and nothing wider
    ...(title !== "" && options.some(({ kind }) => kind.endsWith("_always")) ? { subject: `${kind}: ${title}` } : {})
  }
  return checkRequest(request).length === 0 ? { requestId, pendingId, request } : undefined
}

/** The option that was chosen; none when the permission is to be cancelled. @since 0.1.0 */
export const toOption = ({ request }: Permission, answer: Option.Option<ElicitationAnswer>): string | undefined => {
  if (Option.isNone(answer) || answer.value.action === "cancel") return undefined
  const chosen = answer.value.action === "accept"
    ? request.options.find(({ optionId }) => optionId === answer.value.content?.["optionId"])
    : request.options.find(({ kind }) => kind.startsWith("reject"))
  return chosen?.optionId
}

const Asked = Schema.Struct({
  context: Schema.optional(Schema.NullOr(Schema.String)),
  questions: Schema.NonEmptyArray(Schema.Struct({
    id: Schema.NonEmptyString,
    title: Schema.optional(Schema.String),
    prompt: Schema.String,
    options: Schema.NonEmptyArray(Schema.Struct({
      option_id: Schema.NonEmptyString,
      label: Schema.String,
      description: Schema.optional(Schema.String)
    }))
  }))
})
/** What `mcp.ask_user_question` asks: questions with options, of which one is to be chosen. @since 0.1.0 */
export type Asked = typeof Asked.Type

const decodeAsked = Schema.decodeUnknownEither(Asked)

/** Beside the choice there is room for words of one's own, as the tool promises to its agent. */
const remark = (id: string) => `${id}_text`

/** @since 0.1.0 */
export const ofAsked = (
  payload: Fields
): Either.Either<{ readonly asked: Asked; readonly request: ElicitationRequest }, ReadonlyArray<AnswerIssue>> =>
  Either.flatMap(
    Either.mapLeft(decodeAsked(payload), ({ message }) => [{ path: [], message }]),
    (asked) => {
      const { context, questions } = asked
      const request: ElicitationRequest = {
        kind: "form",
        message: context || questions.map(({ prompt }) => prompt).join("\n"),
        schema: {
          properties: Object.fromEntries(questions.flatMap(({ id, options, prompt, title }) => [
            [id, {
              type: "string",
              title: title || prompt,
              description: prompt,
              oneOf: options.map(({ description, label, option_id }) => ({
                const: option_id,
                title: label,
                description
              }))
            }],
            [remark(id), { type: "string", title: "In your own words" }]
          ])),
          required: questions.map(({ id }) => id)
        }
      }
      const issues = checkRequest(request)
      return issues.length === 0 ? Either.right({ asked, request }) : Either.left(issues)
    }
  )

/** @since 0.1.0 */
export const toAnswers = ({ questions }: Asked, answer: Option.Option<ElicitationAnswer>): Fields => {
  if (Option.isNone(answer) || answer.value.action !== "accept") {
    const declined = Option.isSome(answer) && answer.value.action === "decline"
    return { answers: [], rejected: true, reject_reason: declined ? "the user declined to answer" : "nobody answered" }
  }
  const content = answer.value.content ?? {}
  return {
    answers: questions.map(({ id }) => ({
      question_id: id,
      selected_options: typeof content[id] === "string" ? [content[id]] : [],
      custom_text: typeof content[remark(id)] === "string" ? content[remark(id)] : ""
    }))
  }
}
