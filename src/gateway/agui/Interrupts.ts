/**
 * Questions as AG-UI's interrupts, and what resumes them as answers.
 *
 * An interrupt ends the run that tells of it while the turn waits. Its id names the question and the place in the log at which the reader
 * left, so the run that answers goes on exactly there: `eli_…@17`.
 *
 * @since 0.1.0
 */
import type { Interrupt } from "@ag-ui/core"
import * as Either from "effect/Either"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { AnswerIssue, Elicitation, ElicitationAnswer } from "../../domain/Elicitation.js"
import { ElicitationId } from "../../domain/Ids.js"
import type { ResumeEntry } from "./RunAgentInput.js"
import type { Question, State } from "./State.js"

/** @since 0.1.0 */
export const idOf = (elicitation: Elicitation, seq: number): string => `${elicitation.id}@${seq}`

/** A question by an interrupt's id; without a place where somebody took it from elsewhere. @since 0.1.0 */
export interface Named {
  readonly id: ElicitationId
  readonly seq: number | undefined
}

const decodeId = Schema.decodeUnknownOption(ElicitationId)

/** @since 0.1.0 */
export const parseId = (text: string): Option.Option<Named> => {
  const [, id, seq] = /^(\w+)(?:@(\d{1,15}))?$/.exec(text) ?? []
  return Option.map(
    decodeId(id),
    (id) => ({ id, seq: seq === undefined ? undefined : Number(seq) })
  )
}

const object = (properties: Record<string, unknown>): Record<string, unknown> => ({
  type: "object",
  properties,
  required: Object.keys(properties),
  additionalProperties: false
})

const approval = (title: string) => object({ approved: { type: "boolean", title } })

/** What an answer looks like, as a JSON Schema. */
const responseSchema = (elicitation: Elicitation): Record<string, unknown> => {
  switch (elicitation.kind) {
    case "permission":
      return object({
        optionId: {
          type: "string",
          enum: elicitation.options.map(({ optionId }) => optionId),
          enumNames: elicitation.options.map(({ name }) => name)
        }
      })
    case "form":
      return { ...elicitation.schema, type: "object" }
    case "url":
    case "confirmation":
      return approval(elicitation.message)
  }
}

/** The fields of a question that its kind has beside those of an interrupt. */
const details = (elicitation: Elicitation) => {
  switch (elicitation.kind) {
    case "permission":
      return { options: elicitation.options }
    case "url":
      return { url: elicitation.url }
    default:
      return {}
  }
}

const reasonOf = (elicitation: Elicitation, toolCallId: string | undefined): string => {
  switch (elicitation.kind) {
    case "permission":
      return toolCallId === undefined ? "confirmation" : "tool_call"
    case "form":
      return "input_required"
    case "url":
      return "holdfast:url"
    case "confirmation":
      return "confirmation"
  }
}

/** @since 0.1.0 */
export const of = (state: State, { elicitation, subagent }: Question): Interrupt => {
  const call = HashMap.get(state.calls, elicitation.toolCallId ?? "")
  const toolCallId = Option.isSome(call) && call.value._tag !== "Done" ? call.value.id : undefined
  return {
    id: idOf(elicitation, state.seq),
    reason: reasonOf(elicitation, toolCallId),
    message: elicitation.message,
    ...(toolCallId === undefined ? {} : { toolCallId }),
    responseSchema: responseSchema(elicitation),
    ...(elicitation.deadline === undefined ? {} : { expiresAt: elicitation.deadline }),
    metadata: {
      holdfast: {
        elicitationId: elicitation.id,
        kind: elicitation.kind,
        ...details(elicitation),
        ...(elicitation.sensitive === true ? { sensitive: true } : {})
      }
    },
    ...(subagent === undefined ? {} : { subagentRunId: subagent })
  }
}

// --------------------------------------------------------------------------------------------------- answers

const Approval = Schema.Union(Schema.Boolean, Schema.Struct({ approved: Schema.Boolean }))
const Content = Schema.Record({ key: Schema.String, value: Schema.Unknown })
/** The third answer, which AG-UI's two have no word for, beside what it carries. */
const Decline = Schema.Struct({ holdfast: Schema.Struct({ action: Schema.Literal("decline") }) })

const isDecline = Schema.is(Decline)
// with more in it, it says more than yes or no
const decodeApproval = Schema.decodeUnknownOption(Approval, { onExcessProperty: "error" })
const decodeContent = Schema.decodeUnknownOption(Content)

const approvedBy = (payload: unknown): boolean | undefined => {
  const decoded = decodeApproval(payload)
  if (Option.isNone(decoded)) return undefined
  return typeof decoded.value === "boolean" ? decoded.value : decoded.value.approved
}

/** The option that a plain yes or no means: rather once than for always. */
const optionOf = (elicitation: Extract<Elicitation, { kind: "permission" }>, approved: boolean): string | undefined => {
  const verb = approved ? "allow" : "reject"
  const option = ["once", "always"].flatMap((span) =>
    elicitation.options.filter(({ kind }) => kind === `${verb}_${span}`)
  )
  return option[0]?.optionId
}

const wrong = (message: string): Either.Either<never, ReadonlyArray<AnswerIssue>> =>
  Either.left([{ path: [], message }])

/**
 * What the entry answers, or what is wrong with it; whether the content fits the question is for `checkAnswer` to say.
 *
 * @since 0.1.0
 */
export const toAnswer = (
  elicitation: Elicitation,
  { metadata, payload, status }: ResumeEntry
): Either.Either<ElicitationAnswer, ReadonlyArray<AnswerIssue>> => {
  if (status === "cancelled") return Either.right({ action: "cancel" })
  if (isDecline(metadata)) return Either.right({ action: "decline" })
  const approved = approvedBy(payload)
  switch (elicitation.kind) {
    case "url":
    case "confirmation":
      return approved === undefined && payload !== undefined
        ? wrong("Expected { \"approved\": true | false }")
        : Either.right({ action: approved === false ? "decline" : "accept" })
    case "permission": {
      if (approved === undefined) break
      const optionId = optionOf(elicitation, approved)
      if (optionId !== undefined) return Either.right({ action: "accept", content: { optionId } })
      return approved ? wrong("there is no option that allows it; choose one") : Either.right({ action: "decline" })
    }
  }
  return Option.match(decodeContent(payload), {
    onNone: () => wrong("Expected an object that fits the interrupt's responseSchema"),
    onSome: (content) => Either.right({ action: "accept", content })
  })
}
