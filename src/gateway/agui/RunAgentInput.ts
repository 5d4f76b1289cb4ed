/**
 * What an AG-UI client sends to run an agent, and what of it reaches an agent behind Holdfast.
 *
 * Only what is acted on is checked: a client sends the whole conversation each time, and its own messages are not read again.
 *
 * @see https://docs.ag-ui.com/spec/1.0
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { ContentBlock } from "../../domain/Content.js"
import type { AnswerIssue } from "../../domain/Elicitation.js"

/** Clients of other languages send `null` for what is absent. */
const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true, nullable: true })
const list = <A, I>(schema: Schema.Schema<A, I>) =>
  Schema.optionalWith(Schema.Array(schema), { nullable: true, default: () => [] })

const Source = Schema.Union(
  Schema.Struct({ type: Schema.Literal("data"), value: Schema.String, mimeType: Schema.String }),
  Schema.Struct({ type: Schema.Literal("url"), value: Schema.String, mimeType: optional(Schema.String) }),
  Schema.Struct({ type: Schema.Literal("file"), value: Schema.String, provider: optional(Schema.String) })
)

const media = <Type extends string>(type: Type) => Schema.Struct({ type: Schema.Literal(type), source: Source })

const Part = Schema.Union(
  Schema.Struct({ type: Schema.Literal("text"), text: Schema.String }),
  media("image"),
  media("audio"),
  media("video"),
  media("document")
)
type Part = typeof Part.Type

const UserMessage = Schema.Struct({
  id: Schema.String,
  role: Schema.Literal("user"),
  content: Schema.Union(Schema.String, Schema.Array(Part))
})

const Instructions = Schema.Struct({
  id: Schema.String,
  role: Schema.Literal("system", "developer"),
  content: Schema.String
})

const OtherMessage = Schema.Struct({
  id: Schema.String,
  role: Schema.Literal("assistant", "tool", "activity", "reasoning")
})

/** @since 0.1.0 */
export const ResumeEntry = Schema.Struct({
  interruptId: Schema.String,
  status: Schema.Literal("resolved", "cancelled"),
  payload: Schema.optional(Schema.Unknown),
  metadata: optional(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
})
/** @since 0.1.0 */
export type ResumeEntry = typeof ResumeEntry.Type

const Id = Schema.String.pipe(Schema.minLength(1), Schema.maxLength(255))

/** @since 0.1.0 */
export const RunAgentInput = Schema.Struct({
  threadId: Id,
  runId: Id,
  protocolVersion: optional(Schema.String),
  parentRunId: optional(Schema.String),
  state: Schema.optional(Schema.Unknown),
  messages: Schema.Array(Schema.Union(UserMessage, Instructions, OtherMessage)),
  tools: list(Schema.Struct({ name: Schema.String })),
  context: list(Schema.Struct({ description: Schema.String, value: Schema.String })),
  forwardedProps: Schema.optional(Schema.Unknown),
  resume: list(ResumeEntry)
}).annotations({ parseOptions: { errors: "all" } })
/** @since 0.1.0 */
export type RunAgentInput = typeof RunAgentInput.Type

const Record = Schema.Record({ key: Schema.String, value: Schema.Unknown })

/** `forwardedProps.holdfast`: what a session that is made for the thread is opened with. @since 0.1.0 */
export const Props = Schema.Struct({
  cwd: Schema.optional(Schema.String),
  title: Schema.optional(Schema.String)
}).annotations({ parseOptions: { errors: "all", onExcessProperty: "error" } })

const isRecord = Schema.is(Record)
const fields = (value: unknown): Readonly<Record<string, unknown>> => isRecord(value) ? value : {}

/** @since 0.1.0 */
export const propsOf = ({ forwardedProps }: RunAgentInput): unknown => fields(forwardedProps)["holdfast"] ?? {}

/** The document that the client has of its application, beside ours. @since 0.1.0 */
export const stateOf = ({ state }: RunAgentInput): Readonly<Record<string, unknown>> => fields(state)

/** What the client has of the conversation that no agent has. @since 0.1.0 */
export const instructionsOf = ({ messages }: RunAgentInput): ReadonlyArray<typeof Instructions.Type> =>
  messages.flatMap((message) => message.role === "system" || message.role === "developer" ? [message] : [])

/** Those of the user at the end. */
const lastMessages = ({ messages }: RunAgentInput): ReadonlyArray<typeof UserMessage.Type> => {
  const last = messages.findLastIndex(({ role }) => role !== "user")
  return messages.slice(last + 1).flatMap((message) => message.role === "user" ? [message] : [])
}

const toBlock = (part: Part): ContentBlock | string => {
  if (part.type === "text") return { type: "text", text: part.text }
  const { source, type } = part
  if (source.type === "file") return "a provider's file handle means nothing to the agent; send the data or a URL"
  if (source.type === "url") {
    return {
      type: "resource_link",
      name: source.value,
      uri: source.value,
      ...(source.mimeType === undefined ? {} : { mimeType: source.mimeType })
    }
  }
  const { mimeType, value } = source
  return type === "image" || type === "audio"
    ? { type, data: value, mimeType }
    : { type: "resource", resource: { uri: `data:${mimeType}`, blob: value, mimeType } }
}

/**
 * What the user said last, a list of blocks for each message, and the context as text that is for the agent and not for a person to read. A
 * left tells what no agent can be given.
 *
 * @since 0.1.0
 */
export const saidIn = (
  input: RunAgentInput
): Either.Either<Said, ReadonlyArray<AnswerIssue>> => {
  const messages = lastMessages(input)
  const first = input.messages.length - messages.length
  const issues: Array<AnswerIssue> = []
  const said = messages.map(({ content }, index): ReadonlyArray<ContentBlock> => {
    if (typeof content === "string") return [{ type: "text", text: content }]
    return content.flatMap((part, at) => {
      const block = toBlock(part)
      if (typeof block !== "string") return [block]
      issues.push({ path: ["messages", `${first + index}`, "content", `${at}`, "source"], message: block })
      return []
    })
  })
  const context = input.context.map(({ description, value }): ContentBlock => ({
    type: "text",
    text: `${description}\n${value}`,
    annotations: { audience: ["assistant"] }
  }))
  return issues.length === 0 ? Either.right({ said, context }) : Either.left(issues)
}

/** @since 0.1.0 */
export interface Said {
  readonly said: ReadonlyArray<ReadonlyArray<ContentBlock>>
  readonly context: ReadonlyArray<ContentBlock>
}

/** What the context of a run says is for its agent only. @since 0.1.0 */
export const isForPeople = ({ annotations }: ContentBlock): boolean =>
  !(typeof annotations === "object" && annotations !== null && "audience" in annotations &&
    Array.isArray(annotations.audience) && !annotations.audience.includes("user"))

const endsWith = (blocks: ReadonlyArray<ContentBlock>, end: ReadonlyArray<ContentBlock>): boolean =>
  end.length > 0 && JSON.stringify(blocks.slice(-end.length)) === JSON.stringify(end)

/** Whether this is what a turn was asked, by whichever of the messages that were new then. @since 0.1.0 */
export const isAsked = (said: Said["said"], asked: ReadonlyArray<ContentBlock>): boolean =>
  endsWith(said.flat(), asked.filter(isForPeople))

/**
 * The prompt; empty where nothing was said. Of several messages at the end all are new, but where the agent said nothing in its last turn,
 * what that turn was asked stands among them.
 *
 * @since 0.1.0
 */
export const promptOf = ({ context, said }: Said, asked: ReadonlyArray<ContentBlock>): ReadonlyArray<ContentBlock> => {
  if (said.length === 0) return []
  const answered = said.slice(0, -1).findLastIndex((_, index) => isAsked(said.slice(0, index + 1), asked))
  return [...said.slice(answered + 1).flat(), ...context]
}

/**
 * What a client may expect of this run and does not get, a sentence each.
 *
 * @since 0.1.0
 */
export const notPassed = (input: RunAgentInput): ReadonlyArray<string> => {
  const named = (names: ReadonlyArray<string>) => names.join(", ")
  const state = Object.keys(stateOf(input)).filter((key) => key !== "holdfast")
  const props = Object.keys(fields(input.forwardedProps)).filter((key) => key !== "holdfast")
  const roles = new Set(input.messages.map(({ role }) => role).filter((role) => /^(system|developer)$/.test(role)))
  return [
    ...(input.tools.length === 0
      ? []
      : [`the agent cannot call the client's tools: ${named(input.tools.map(({ name }) => name))}`]),
    ...(roles.size === 0
      ? []
      : [`${named([...roles])} messages are not given to the agent; its own instructions hold`]),
    ...(state.length === 0 ? [] : [`the agent is not given the client's state: ${named(state)}`]),
    ...(props.length === 0 ? [] : [`forwardedProps that nothing reads: ${named(props)}`])
  ]
}
