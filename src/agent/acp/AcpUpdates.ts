/**
 * From `session/update` to events. Pure, total and lossless: a variant that is not known, or that does not have its form, becomes an
 * `Extension` with what was said.
 *
 * A known variant is brought into the event's fields and then decoded with the event's own schema, so that nothing enters the log
 * which could not be read from it. Decoding also drops `_meta` and whatever else the schemas do not name; a field that is `null` is as
 * good as absent.
 *
 * @see https://agentclientprotocol.com/protocol/prompt-turn
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Domain from "../../domain/AgentEvent.js"
import type { AgentEvent } from "../../domain/AgentEvent.js"
import { ToolContent } from "../../domain/Content.js"

type Fields = Readonly<Record<string, unknown>>

const isFields = (value: unknown): value is Fields => Predicate.isRecord(value)
const isString = (value: unknown) => typeof value === "string"

/** The fields that say something. */
const present = (value: unknown): Fields =>
  isFields(value)
    ? Object.fromEntries(
      Object.entries(value).filter(([key, value]) => value !== null && value !== undefined && key !== "_meta")
    )
    : {}

const decodeEvent = Schema.decodeUnknownEither(Domain.AgentEvent)

/** What an agent said that no event fits. @since 0.1.0 */
export const extension = (name: string, payload: unknown): AgentEvent => ({
  type: "Extension",
  name,
  payload: isFields(payload) ? present(payload) : payload ?? null
})

/** Nearly all that an agent says: it goes the shortest way. */
const textChunk = (update: unknown): AgentEvent | undefined => {
  if (!isFields(update)) return undefined
  const { content, messageId, sessionUpdate } = update
  if (sessionUpdate !== "agent_message_chunk" && sessionUpdate !== "agent_thought_chunk") return undefined
  if (!isFields(content) || content["type"] !== "text" || typeof content["text"] !== "string") return undefined
  return {
    type: sessionUpdate === "agent_message_chunk" ? "TextChunk" : "ThoughtChunk",
    text: content["text"],
    ...typeof messageId === "string" ? { messageId } : {}
  }
}

const chunk = (role: "agent" | "thought") => ({ content, messageId }: Fields): ReadonlyArray<Fields> => [
  { type: "ContentChunk", role, content, messageId }
]

const statuses = new Set<unknown>(["pending", "in_progress", "completed", "failed"])
const isToolContent = Schema.is(ToolContent)
const isLocation = (value: unknown) => isFields(value) && isString(value["path"])

/** As the protocol asks: a field of a tool call that is not understood is left out, and an item of its lists too. */
const toolCall = (fields: Fields): Fields => {
  const list = (key: string, fits: (item: unknown) => boolean) => {
    const value = fields[key]
    return Array.isArray(value) ? value.filter(fits) : undefined
  }
  return {
    ...fields,
    title: isString(fields["title"]) ? fields["title"] : undefined,
    name: isString(fields["name"]) ? fields["name"] : undefined,
    kind: isString(fields["kind"]) ? fields["kind"] : undefined,
    status: statuses.has(fields["status"]) ? fields["status"] : undefined,
    content: list("content", isToolContent),
    locations: list("locations", isLocation)
  }
}

const isOver = (fields: Fields) => fields["status"] === "completed" || fields["status"] === "failed"

const commands = (value: unknown) =>
  Array.isArray(value)
    ? value.filter(isFields).map((command) => ({
      ...present(command),
      ...(isFields(command["input"]) && isString(command["input"]["hint"]) ? { hint: command["input"]["hint"] } : {})
    }))
    : value

const configChanged = (options: unknown): Fields => ({
  type: "ConfigChanged",
  options: Array.isArray(options) ? options.filter(isFields).map(present) : options
})

const candidates: Readonly<Record<string, (fields: Fields) => ReadonlyArray<Fields>>> = {
  agent_message_chunk: chunk("agent"),
  agent_thought_chunk: chunk("thought"),
  user_message_chunk: (fields) => [{ type: "UserChunk", content: fields["content"], messageId: fields["messageId"] }],
  tool_call: (fields) => {
    const call = toolCall(fields)
    const started = { ...call, type: "ToolCallStarted", status: call["status"] ?? "pending" }
    // a call that is over as soon as it is told has a beginning and an end all the same
    return isOver(call)
      ? [started, { type: "ToolCallEnded", toolCallId: fields["toolCallId"], status: call["status"] }]
      : [started]
  },
  tool_call_update: (fields) => {
    const call = toolCall(fields)
    return [{ ...call, type: isOver(call) ? "ToolCallEnded" : "ToolCallUpdated" }]
  },
  plan: (fields) => [{ type: "PlanUpdated", entries: fields["entries"] }],
  available_commands_update: (fields) => [{ type: "CommandsChanged", commands: commands(fields["availableCommands"]) }],
  current_mode_update: (fields) => [{ type: "ModeChanged", modeId: fields["currentModeId"] }],
  config_option_update: (fields) => [configChanged(fields["configOptions"])],
  session_info_update: (fields) => {
    const { sessionUpdate, title, ...others } = fields
    return [
      ...(title === undefined ? [] : [{ type: "TitleChanged", title }]),
      ...(title !== undefined && Object.keys(others).length === 0 ? [] : [extension(String(sessionUpdate), others)])
    ]
  },
  usage_update: (fields) => [{ type: "UsageUpdated", ...fields }],
  notice: ({ description, severity, title }) => [{
    type: "Warning",
    message: severity === "info" || severity === undefined ? title : `${String(severity)}: ${String(title)}`,
    detail: description
  }]
}

/**
 * The events of one update, in order.
 *
 * @since 0.1.0
 */
export const toEvents = (update: unknown): ReadonlyArray<AgentEvent> => {
  const text = textChunk(update)
  if (text !== undefined) return [text]
  const name = isFields(update) && typeof update["sessionUpdate"] === "string"
    ? update["sessionUpdate"]
    : "session/update"
  const bring = Object.hasOwn(candidates, name) ? candidates[name] : undefined
  const events = bring === undefined ? [] : bring(present(update)).map((candidate) => decodeEvent(present(candidate)))
  const fit = events.flatMap((event) => Either.isRight(event) ? [event.right] : [])
  return fit.length > 0 && fit.length === events.length ? fit : [extension(name, update)]
}

/**
 * The modes and options that a session begins with.
 *
 * @since 0.1.0
 */
export const ofSession = (
  result: { readonly modes?: unknown; readonly configOptions?: unknown }
): ReadonlyArray<AgentEvent> => {
  const modes = present(result.modes)
  const available = Array.isArray(modes["availableModes"]) ? modes["availableModes"].map(present) : undefined
  return [
    ...(modes["currentModeId"] === undefined
      ? []
      : [{ type: "ModeChanged", modeId: modes["currentModeId"], available }]),
    ...(Array.isArray(result.configOptions) ? [configChanged(result.configOptions)] : [])
  ].map((candidate) => Either.getOrElse(decodeEvent(present(candidate)), () => extension("session", candidate)))
}
