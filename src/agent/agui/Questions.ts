/**
 * What an AG-UI run that stops for a person wants to know, as our questions, and our answers as what goes on with it. Pure.
 *
 * There are two ways to stop: interrupts, which are answered by `resume`, and calls of tools that a person is to answer, whose result is
 * the next message.
 *
 * @since 0.1.0
 */
import type { Interrupt, Message, ResumeEntry } from "@ag-ui/core"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { type ElicitationAnswer, type ElicitationRequest, PermissionOption } from "../../domain/Elicitation.js"
import { checkRequest } from "../../domain/ElicitationCheck.js"
import type { FormField, FormSchema } from "../../domain/Form.js"
import * as FormRules from "../../domain/FormRules.js"
import type { Unanswered } from "./ToolCalls.js"

/** What goes on with the run. @since 0.1.0 */
export type Reply =
  | { readonly _tag: "Resume"; readonly entry: ResumeEntry }
  | { readonly _tag: "Result"; readonly message: Message }

/** @since 0.1.0 */
export interface Question {
  readonly request: ElicitationRequest
  /** Milliseconds since the epoch. */
  readonly expiresAt: number | undefined
  readonly toReply: (answer: Option.Option<ElicitationAnswer>) => Reply
}

const Details = Schema.Struct({
  kind: Schema.optional(Schema.String),
  options: Schema.optional(Schema.Array(PermissionOption)),
  url: Schema.optional(Schema.String),
  sensitive: Schema.optional(Schema.Boolean)
})
const decodeDetails = Schema.decodeUnknownOption(Details)

const answerField = "answer"

/** For what has no form that can be shown. */
const anything = (message: string): ElicitationRequest => ({
  kind: "form",
  message,
  schema: { type: "object", properties: { [answerField]: { type: "string" } }, required: [answerField] }
})

const isApproval = ({ properties }: FormSchema): boolean =>
  Object.keys(properties).join() === "approved" && properties["approved"]?.type === "boolean"

const ours = (interrupt: Interrupt): typeof Details.Type | undefined =>
  Option.getOrUndefined(Option.flatMap(Option.fromNullable(interrupt.metadata?.["holdfast"]), decodeDetails))

/** An interrupt of a Holdfast says of what kind it is; of others it is seen by what they want back. */
const requestOf = (interrupt: Interrupt, message: string): ElicitationRequest => {
  const { reason, responseSchema } = interrupt
  const { kind, options, url } = ours(interrupt) ?? {}
  if (kind === "permission" && options !== undefined) return { kind, message, options }
  if (kind === "url" && url !== undefined) return { kind, message, url }
  if (kind === "confirmation") return { kind, message }
  if (responseSchema === undefined) {
    return reason === "input_required" ? anything(message) : { kind: "confirmation", message }
  }
  return Either.match(FormRules.parse(responseSchema), {
    onLeft: () => anything(message),
    onRight: (schema) =>
      kind !== "form" && isApproval(schema) ? { kind: "confirmation", message } : { kind: "form", message, schema }
  })
}

const payloadOf = (request: ElicitationRequest, { responseSchema }: Interrupt, content: Record<string, unknown>) => {
  switch (request.kind) {
    case "url":
    case "confirmation":
      return { approved: true }
    case "permission":
      return content
    case "form": {
      // what was asked for in words may be anything
      const isOfOurs = responseSchema === undefined || Either.isLeft(FormRules.parse(responseSchema))
      return isOfOurs ? parse(content[answerField]) : content
    }
  }
}

const parse = (text: unknown): unknown => {
  try {
    return typeof text === "string" ? JSON.parse(text) : text
  } catch {
    return text
  }
}

const entryOf = (
  interrupt: Interrupt,
  request: ElicitationRequest,
  answer: Option.Option<ElicitationAnswer>
): ResumeEntry => {
  const { id: interruptId } = interrupt
  const resolved = { interruptId, status: "resolved" as const }
  const action = Option.match(answer, { onNone: () => "cancel" as const, onSome: ({ action }) => action })
  const content = Option.match(answer, { onNone: () => ({}), onSome: ({ content = {} }) => content })
  if (action === "accept") return { ...resolved, payload: payloadOf(request, interrupt, content) }
  if (action === "decline" && (request.kind === "confirmation" || request.kind === "url")) {
    return { ...resolved, payload: { approved: false } }
  }
  // the protocol has no third answer; a Holdfast has
  return action === "decline" && ours(interrupt) !== undefined
    ? { ...resolved, metadata: { holdfast: { action: "decline" } } }
    : { interruptId, status: "cancelled" }
}

/** @since 0.1.0 */
export const ofInterrupt = (interrupt: Interrupt): Question => {
  const message = interrupt.message ?? `The agent waits for an answer (${interrupt.reason})`
  const asked = requestOf(interrupt, message)
  const safe = checkRequest(asked).length === 0 ? asked : anything(message)
  const request: ElicitationRequest = {
    ...safe,
    ...(interrupt.toolCallId === undefined ? {} : { toolCallId: interrupt.toolCallId }),
    ...(ours(interrupt)?.sensitive === true ? { sensitive: true } : {})
  }
  const expires = Date.parse(interrupt.expiresAt ?? "")
  return {
    request,
    expiresAt: Number.isNaN(expires) ? undefined : expires,
    toReply: (answer) => ({ _tag: "Resume", entry: entryOf(interrupt, request, answer) })
  }
}

// ------------------------------------------------------------------------------------- tools that a person answers

/** The name as the agents' own frontends compare it: case and punctuation do not count. @since 0.1.0 */
export const isForPerson = (name: string, names: ReadonlyArray<string>): boolean => {
  const plain = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, "")
  return names.some((each) => plain(each) === plain(name))
}

const Asked = Schema.Struct({
  questions: Schema.NonEmptyArray(Schema.Struct({
    question: Schema.String,
    header: Schema.optional(Schema.String),
    multiSelect: Schema.optional(Schema.Boolean),
    options: Schema.optionalWith(
      Schema.Array(Schema.Struct({ label: Schema.String, description: Schema.optional(Schema.String) })),
      { default: () => [] }
    )
  }))
})
type Asked = typeof Asked.Type.questions[number]

const fieldOf = ({ header, multiSelect, options, question }: Asked): FormField => {
  const titles = { title: header ?? question, description: question }
  const choices = options.map(({ description, label }) => ({
    const: label,
    title: label,
    ...(description === undefined ? {} : { description })
  }))
  if (choices.length === 0) return { type: "string", ...titles }
  return multiSelect === true
    ? { type: "array", ...titles, items: { anyOf: choices } }
    : { type: "string", ...titles, oneOf: choices }
}

const textOf = (value: unknown): string =>
  Array.isArray(value) ? value.map(String).join(", ") : typeof value === "string" ? value : JSON.stringify(value ?? "")

/** A call that waits for a person: of a tool that asks questions in the form that coding agents have for it, or of any other. @since 0.1.0 */
export const ofCall = ({ id, input, name }: Unanswered, newId: string): Question => {
  const questions: ReadonlyArray<Asked> = Option.match(Schema.decodeUnknownOption(Asked)(input), {
    onNone: () => [],
    onSome: ({ questions }) => questions
  })
  const names = questions.map((_, index) => `question${index + 1}`)
  const form: ElicitationRequest = {
    kind: "form",
    message: questions.map(({ question }) => question).join("\n"),
    schema: {
      type: "object",
      properties: Object.fromEntries(questions.map((question, index) => [names[index] ?? "", fieldOf(question)])),
      required: names
    }
  }
  const isForm = questions.length > 0 && checkRequest(form).length === 0
  const told = Predicate.isRecord(input) && typeof input["question"] === "string"
    ? input["question"]
    : `${name} waits for a person's answer: ${textOf(input)}`
  const request: ElicitationRequest = { ...isForm ? form : anything(told), toolCallId: id }
  const result = ({ action, content = {} }: ElicitationAnswer): string => {
    if (action !== "accept") return action === "decline" ? "The user declined to answer." : "The user gave no answer."
    if (!isForm) return textOf(content[answerField])
    const answers = questions.map(({ question }, index) => [question, textOf(content[names[index] ?? ""])] as const)
    return answers.length === 1
      ? answers[0]?.[1] ?? ""
      : answers.map(([question, answer]) => `${question} ${answer}`).join("\n")
  }
  return {
    request,
    expiresAt: undefined,
    toReply: (answer) => ({
      _tag: "Result",
      message: {
        id: newId,
        role: "tool",
        toolCallId: id,
        content: result(Option.getOrElse(answer, (): ElicitationAnswer => ({ action: "cancel" })))
      }
    })
  }
}
