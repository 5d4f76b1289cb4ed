/**
 * The agent's questions, between the protocol's form and ours. Pure.
 *
 * @see https://agentclientprotocol.com/protocol/tool-calls#requesting-permission
 * @since 0.1.0
 */
import type * as acp from "@agentclientprotocol/sdk"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { AnswerIssue, ElicitationAnswer, ElicitationRequest } from "../../domain/Elicitation.js"
import { checkRequest } from "../../domain/ElicitationCheck.js"
import * as McpElicitation from "../../domain/McpElicitation.js"

/** What the agent told of a tool call before it asks about it. @since 0.1.0 */
export interface ToolCall {
  readonly title?: string | undefined
  readonly kind?: string | undefined
}

/** A question to a person, and for one by URL the id by which the agent may say that it is settled. @since 0.1.0 */
export interface Question {
  readonly request: ElicitationRequest
  readonly elicitationId?: string | undefined
}

/** A left has every reason for which it cannot be put to anyone. */
type Asked = Either.Either<Question, ReadonlyArray<AnswerIssue>>

/**
 * What an "always" would be about: this kind of tool call with this very title, and nothing wider. An agent that offers no "always"
 * gets none, and what has no title of its own is asked each time.
 */
const subjectOf = (params: acp.RequestPermissionRequest, { kind = "other", title }: ToolCall): string | undefined =>
  title !== undefined && params.options.some((option) => option.kind.endsWith("_always"))
    ? `${kind}: ${title}`
    : undefined

/** @since 0.1.0 */
export const ofPermission = (params: acp.RequestPermissionRequest, before: ToolCall = {}): Asked => {
  const { kind, title, toolCallId } = params.toolCall
  const toolCall = { kind: kind ?? before.kind, title: title ?? before.title }
  const subject = subjectOf(params, toolCall)
  const request: ElicitationRequest = {
    kind: "permission",
    message: toolCall.title ?? "The agent asks for permission",
    toolCallId,
    options: params.options.map(({ kind, name, optionId }) => ({ kind, name, optionId })),
    ...subject === undefined ? {} : { subject }
  }
  const issues = checkRequest(request)
  return issues.length === 0 ? Either.right({ request }) : Either.left(issues)
}

/** @since 0.1.0 */
export const toPermission = (
  params: acp.RequestPermissionRequest,
  answer: Option.Option<ElicitationAnswer>
): acp.RequestPermissionResponse => {
  const selected = (optionId: unknown): acp.RequestPermissionResponse =>
    params.options.some((option) => option.optionId === optionId) && typeof optionId === "string"
      ? { outcome: { outcome: "selected", optionId } }
      : { outcome: { outcome: "cancelled" } }
  if (Option.isNone(answer)) return selected(undefined)
  switch (answer.value.action) {
    case "accept":
      return selected(answer.value.content?.["optionId"])
    case "decline":
      return selected(params.options.find(({ kind }) => kind === "reject_once" || kind === "reject_always")?.optionId)
    case "cancel":
      return selected(undefined)
  }
}

/**
 * ACP's `elicitation/create` is MCP's, with a tool call that it may be about.
 *
 * @since 0.1.0
 */
export const ofElicitation = (params: acp.CreateElicitationRequest): Asked =>
  Either.map(McpElicitation.fromCreate(params), ({ externalId, request }) => ({
    request: {
      ...request,
      ..."toolCallId" in params && typeof params.toolCallId === "string" ? { toolCallId: params.toolCallId } : {}
    },
    elicitationId: externalId
  }))

/** Of an answer that was checked against the form (EB7): agents do not check what they get. @since 0.1.0 */
export const toElicitation = (answer: Option.Option<ElicitationAnswer>): acp.CreateElicitationResponse => {
  if (Option.isNone(answer) || answer.value.action === "cancel") return { action: "cancel" }
  if (answer.value.action === "decline") return { action: "decline" }
  const content: Record<string, acp.ElicitationContentValue> = {}
  for (const [name, value] of Object.entries(answer.value.content ?? {})) {
    if (isContentValue(value)) content[name] = value
  }
  return { action: "accept", content }
}

const isContentValue: (value: unknown) => value is acp.ElicitationContentValue = Schema.is(
  Schema.Union(Schema.String, Schema.Number, Schema.Boolean, Schema.mutable(Schema.Array(Schema.String)))
)
