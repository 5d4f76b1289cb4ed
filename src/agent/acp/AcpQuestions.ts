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
import type { ElicitationAnswer, ElicitationRequest } from "../../domain/Elicitation.js"
import { checkRequest } from "../../domain/ElicitationCheck.js"
import * as FormRules from "../../domain/FormRules.js"
import * as Issues from "../../domain/Issues.js"

/** `title` is that of the tool call, if the agent told it before. @since 0.1.0 */
export const ofPermission = (params: acp.RequestPermissionRequest, title: string | undefined): ElicitationRequest => {
  const { kind, toolCallId } = params.toolCall
  const what = params.toolCall.title ?? title
  return {
    kind: "permission",
    message: what ?? "The agent asks for permission",
    toolCallId,
    // "always" is about the same words for the same kind of tool, and not a word more
    ...(what !== undefined && params.options.some((option) => option.kind.endsWith("_always"))
      ? { subject: kind == null ? what : `${kind}: ${what}` }
      : {}),
    options: params.options.map(({ kind, name, optionId }) => ({ kind, name, optionId }))
  }
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

/** A question to a person, and for one by URL the id by which the agent may say that it is settled. @since 0.1.0 */
export interface Question {
  readonly request: ElicitationRequest
  readonly elicitationId?: string | undefined
}

/** A left says why this question cannot be put to anyone. @since 0.1.0 */
export const ofElicitation = (params: acp.CreateElicitationRequest): Either.Either<Question, string> => {
  const asked = {
    message: params.message,
    ..."toolCallId" in params && typeof params.toolCallId === "string" ? { toolCallId: params.toolCallId } : {}
  }
  if (params.mode === "form" && "requestedSchema" in params) {
    return Either.mapBoth(FormRules.parse(params.requestedSchema), {
      onLeft: (issues) => `its form is not allowed: ${Issues.toText(issues)}`,
      onRight: (schema) => ({ request: { kind: "form", ...asked, schema } })
    })
  }
  if (params.mode === "url" && "url" in params && typeof params.url === "string") {
    const elicitationId = "elicitationId" in params ? String(params["elicitationId"]) : undefined
    const request: ElicitationRequest = { kind: "url", ...asked, url: params.url }
    const issues = checkRequest(request)
    return issues.length === 0 ? Either.right({ request, elicitationId }) : Either.left(Issues.toText(issues))
  }
  return Either.left(`its mode "${params.mode}" is not known`)
}

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
