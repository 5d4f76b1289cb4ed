/**
 * A question to a person as a request to the editor, and the editor's response as an answer. Pure.
 *
 * @see https://agentclientprotocol.com/protocol/v1/tool-calls#requesting-permission
 * @see https://agentclientprotocol.com/protocol/v1/elicitation
 * @since 0.1.0
 */
import * as acp from "@agentclientprotocol/sdk"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Elicitation, ElicitationAnswer } from "../../domain/Elicitation.js"
import * as McpElicitation from "../../domain/McpElicitation.js"

/** @since 0.1.0 */
export interface Asking {
  readonly method: string
  readonly params: Readonly<Record<string, unknown>>
  /** `None` for a response that is none. */
  readonly toAnswer: (response: unknown) => Option.Option<ElicitationAnswer>
}

type Choice = Pick<acp.PermissionOption, "optionId" | "name"> & { readonly kind: string }

const kinds: ReadonlyArray<acp.PermissionOptionKind> = ["allow_once", "allow_always", "reject_once", "reject_always"]

/** Some editors can be told to allow everything, and take the first option that says so: what is not known does not say so. */
const toKind = (kind: string): acp.PermissionOptionKind => kinds.find((each) => each === kind) ?? "reject_once"

const Permission = Schema.Struct({
  outcome: Schema.Union(
    Schema.Struct({ outcome: Schema.Literal("selected"), optionId: Schema.String }),
    Schema.Struct({ outcome: Schema.Literal("cancelled") })
  )
})
const decodePermission = Schema.decodeUnknownOption(Permission)

const permission = (
  question: Elicitation,
  call: Readonly<Record<string, unknown>>,
  choices: ReadonlyArray<Choice>,
  toAnswer: (optionId: string) => ElicitationAnswer
): Asking => ({
  method: acp.methods.client.session.requestPermission,
  params: {
    sessionId: question.sessionId,
    toolCall: { ...call, toolCallId: question.toolCallId ?? question.id, title: question.message },
    options: choices.map(({ kind, name, optionId }) => ({ optionId, name, kind: toKind(kind) }))
  },
  toAnswer: (response) =>
    Option.map(
      decodePermission(response),
      ({ outcome }) => outcome.outcome === "selected" ? toAnswer(outcome.optionId) : { action: "cancel" }
    )
})

const elicitation = (
  question: Extract<Elicitation, { readonly kind: "form" | "url" }>,
  toAnswer: (answer: ElicitationAnswer) => ElicitationAnswer
): Asking => ({
  method: acp.methods.client.elicitation.create,
  params: {
    sessionId: question.sessionId,
    ...(question.toolCallId === undefined ? {} : { toolCallId: question.toolCallId }),
    ...McpElicitation.toCreate({ request: question, externalId: question.id })
  },
  toAnswer: (response) => Option.map(Either.getRight(McpElicitation.fromResult(response)), toAnswer)
})

const yesOrNo: ReadonlyArray<Choice> = [
  { optionId: "accept", name: "Yes", kind: "allow_once" },
  { optionId: "decline", name: "No", kind: "reject_once" }
]

/**
 * `None` if the editor has not said that it can ask this; `call` is what is known of the tool call that the question is about.
 *
 * @since 0.1.0
 */
export const toRequest = (
  client: acp.ClientCapabilities,
  question: Elicitation,
  call: Readonly<Record<string, unknown>>
): Option.Option<Asking> => {
  switch (question.kind) {
    case "permission":
      return Option.some(
        permission(question, call, question.options, (optionId) => ({ action: "accept", content: { optionId } }))
      )
    case "confirmation":
      return Option.some(
        permission(question, call, yesOrNo, (optionId) => ({ action: optionId === "accept" ? "accept" : "decline" }))
      )
    case "form":
      return client.elicitation?.form == null ? Option.none() : Option.some(
        elicitation(question, ({ action, content = {} }) => action === "accept" ? { action, content } : { action })
      )
    case "url":
      return client.elicitation?.url == null
        ? Option.none()
        : Option.some(elicitation(question, ({ action }) => ({ action })))
  }
}
