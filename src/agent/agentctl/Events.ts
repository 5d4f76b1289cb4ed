/**
 * From the events of a host to ours. Pure, total and lossless: a type that is not known, or that does not have its form, becomes an
 * `Extension` with what was said.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Domain from "../../domain/AgentEvent.js"
import type { AgentEvent } from "../../domain/AgentEvent.js"
import { ToolContent } from "../../domain/Content.js"
import { type Fields, fieldsOf, string } from "./Wire.js"

const decodeEvent = Schema.decodeUnknownEither(Domain.AgentEvent)
const isToolContent = Schema.is(ToolContent)

/** The fields that say something. */
const present = (fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null))

/** Each event of the host has these four, whatever it is about. @since 0.1.0 */
export const supports = "supports_"

/** @since 0.1.0 */
export const extension = (type: string, fields: Fields): AgentEvent => ({
  type: "Extension",
  name: `agentctl/${type}`,
  payload: Object.fromEntries(
    Object.entries(fields).filter(([name]) => name !== "type" && !name.startsWith(supports))
  )
})

const list = (value: unknown): ReadonlyArray<Fields> => Array.isArray(value) ? value.filter(Predicate.isRecord) : []

const kinds: Readonly<Record<string, string>> = {
  read_file: "read",
  modify_file: "edit",
  shell_exec: "execute",
  code_search: "search",
  http_request: "fetch"
}

const statuses: Readonly<Record<string, string>> = {
  pending: "pending",
  pending_permission: "pending",
  in_progress: "in_progress",
  complete: "completed",
  completed: "completed",
  error: "failed",
  failed: "failed",
  cancelled: "failed"
}

const toolContent = ({ new_text, old_text, terminal_id, ...item }: Fields): unknown =>
  present({ ...item, newText: new_text, oldText: old_text, terminalId: terminal_id })

const toolCall = (fields: Fields): Fields => {
  const normalized = fieldsOf(fields["normalized"])
  const what = string(normalized["kind"]) ?? ""
  const detail = normalized[what]
  const contents = fields["tool_call_contents"]
  return present({
    toolCallId: fields["tool_call_id"],
    name: string(fields["tool_name"]) || undefined,
    title: string(fields["tool_title"]) || undefined,
    kind: what === "" ? undefined : kinds[what] ?? "other",
    status: statuses[string(fields["tool_status"]) ?? ""],
    content: Array.isArray(contents)
      ? list(contents).map(toolContent).filter((item) => isToolContent(item))
      : undefined,
    rawInput: detail,
    rawOutput: fieldsOf(detail)["output"]
  })
}

const isOver = ({ status }: Fields) => status === "completed" || status === "failed"

/** What the host keeps for itself: the beginning of a turn and of a session are told otherwise. */
const silent: ReadonlySet<string> = new Set([
  "turn_started",
  "session_status",
  "agent_capabilities",
  "foreground_idle"
])

/** Known, and without an event of ours. */
const passed: ReadonlySet<string> = new Set([
  "agent_plan",
  "background_complete",
  "rate_limit",
  "session_model_fallback",
  "session_info",
  "auth_required"
])

const candidates: Readonly<Record<string, (fields: Fields) => ReadonlyArray<Fields>>> = {
  message_chunk: ({ content_blocks, protocol_message_id: messageId, role, text }) => [
    ...(string(text) || list(content_blocks).length === 0
      ? [
        role === "user"
          ? { type: "UserChunk", content: { type: "text", text } }
          : { type: "TextChunk", text, messageId }
      ]
      : []),
    ...list(content_blocks).filter((block) => block["type"] !== "text")
      .map((content) => ({ type: "ContentChunk", role: "agent", content, messageId }))
  ],
  reasoning: ({ protocol_message_id: messageId, reasoning_summary, reasoning_text }) => [
    { type: "ThoughtChunk", text: reasoning_text ?? reasoning_summary, messageId }
  ],
  tool_call: (fields) => {
    const call = toolCall(fields)
    const status = call["status"] ?? "pending"
    const started = { ...call, type: "ToolCallStarted", title: call["title"] ?? call["name"] ?? "a tool", status }
    return isOver(call) ? [started, { type: "ToolCallEnded", toolCallId: call["toolCallId"], status }] : [started]
  },
  tool_update: (fields) => {
    const call = toolCall(fields)
    return [{ ...call, type: isOver(call) ? "ToolCallEnded" : "ToolCallUpdated" }]
  },
  plan: ({ plan_entries }) => [{
    type: "PlanUpdated",
    entries: list(plan_entries).map(({ description, priority, status }) => ({
      content: description,
      priority: string(priority) || "medium",
      status
    }))
  }],
  context_window: ({ context_window_size: size, context_window_used: used }) => [{ type: "UsageUpdated", used, size }],
  available_commands: ({ available_commands }) => [{
    type: "CommandsChanged",
    commands: list(available_commands).map(({ description, input_hint: hint, name }) =>
      present({ name, description: description ?? "", hint })
    )
  }],
  session_mode: ({ available_modes: available, current_mode_id: modeId }) => [
    { type: "ModeChanged", modeId, available: Array.isArray(available) ? list(available).map(present) : undefined }
  ],
  session_model_selection_warning: (fields) => [
    {
      type: "Warning",
      message: string(fields["error"]) ?? "the model that was asked for was not taken",
      detail: string(fields["text"])
    }
  ]
}

/** Nearly all that an agent says: it goes the shortest way. @since 0.1.0 */
export const chunk = (type: string, fields: Fields): AgentEvent | undefined => {
  const messageId = fields["protocol_message_id"]
  const text = type === "message_chunk" ? fields["text"] : type === "reasoning" ? fields["reasoning_text"] : undefined
  if (typeof text !== "string" || fields["content_blocks"] !== undefined || fields["role"] === "user") return undefined
  return {
    type: type === "reasoning" ? "ThoughtChunk" : "TextChunk",
    text,
    ...(typeof messageId === "string" ? { messageId } : {})
  }
}

/**
 * The events of one of the host's, in order; none when it is not for the log.
 *
 * @since 0.1.0
 */
export const toEvents = (type: string, fields: Fields): ReadonlyArray<AgentEvent> => {
  const text = chunk(type, fields)
  if (text !== undefined) return [text]
  if (silent.has(type)) return []
  const bring = Object.hasOwn(candidates, type) ? candidates[type] : undefined
  const decoded = bring === undefined ? [] : bring(fields).map((candidate) => decodeEvent(present(candidate)))
  const events = decoded.flatMap((event) => Either.isRight(event) ? [event.right] : [])
  return events.length > 0 && events.length === decoded.length ? events : [extension(type, fields)]
}

/** Whether this version has a word for it, or knows that it has none. @since 0.1.0 */
export const isKnown = (type: string): boolean =>
  Object.hasOwn(candidates, type) || silent.has(type) || passed.has(type)
