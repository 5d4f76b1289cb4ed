/**
 * The tool calls of an AG-UI agent: its input comes in pieces, its result as a message of its own, perhaps in a later run.
 *
 * @since 0.1.0
 */
import { type AGUIEvent, type ContentPart, EventType, type Message } from "@ag-ui/core"
import type { AgentEvent } from "../../domain/AgentEvent.js"
import type { ContentBlock, ToolContent } from "../../domain/Content.js"
import * as Ours from "./Ours.js"

type Told = Extract<
  AGUIEvent,
  { type: "TOOL_CALL_START" | "TOOL_CALL_ARGS" | "TOOL_CALL_END" | "TOOL_CALL_RESULT" }
>

/** A call that has no result. @since 0.1.0 */
export interface Unanswered {
  readonly id: string
  readonly name: string
  readonly input: unknown
}

interface Call {
  readonly name: string
  text: string
  input: unknown
  /** Its input was told. */
  given: boolean
}

/** A thread's. @since 0.1.0 */
export interface ToolCalls {
  readonly tell: (event: Told) => ReadonlyArray<AgentEvent>
  /** A person has answered it; the agent may repeat the answer as the call's result. */
  readonly answer: (result: Message) => ReadonlyArray<AgentEvent>
  /** Those without a result, in order. */
  readonly unanswered: () => ReadonlyArray<Unanswered>
  readonly forget: () => void
}

/** Characters of input; more is not taken for one. */
const longest = 8 * 1024 * 1024

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const toBlock = (part: ContentPart): ContentBlock => {
  if (part.type === "text") return { type: "text", text: part.text }
  const { source, type } = part
  if (source.type === "data") {
    return type === "image" || type === "audio"
      ? { type, data: source.value, mimeType: source.mimeType }
      : {
        type: "resource",
        resource: { uri: `data:${source.mimeType}`, blob: source.value, mimeType: source.mimeType }
      }
  }
  const { mimeType } = source
  return {
    type: "resource_link",
    name: source.value,
    uri: source.value,
    ...(mimeType === undefined ? {} : { mimeType })
  }
}

const toContent = (content: string | ReadonlyArray<ContentPart>): ReadonlyArray<ToolContent> =>
  typeof content === "string"
    ? content === "" ? [] : [{ type: "content", content: { type: "text", text: content } }]
    : content.map((part) => ({ type: "content", content: toBlock(part) }))

/** @since 0.1.0 */
export const make = (): ToolCalls => {
  const calls = new Map<string, Call>()
  const answered = new Set<string>()

  const begin = (event: Extract<Told, { type: "TOOL_CALL_START" }>): ReadonlyArray<AgentEvent> => {
    const { toolCallId, toolCallName } = event
    // a run that goes on with another opens again what is open
    if (calls.has(toolCallId)) return []
    calls.set(toolCallId, { name: toolCallName, text: "", input: undefined, given: false })
    return [{ type: "ToolCallStarted", toolCallId, status: "pending", ...Ours.describeCall(event) }]
  }

  const give = (toolCallId: string, call: Call): ReadonlyArray<AgentEvent> => {
    if (call.given || call.text === "") return []
    call.given = true
    if (call.text.length > longest) {
      const message = `the input of the tool call ${toolCallId} is not told: it is larger than ${longest} characters`
      return [{ type: "ToolCallUpdated", toolCallId, status: "in_progress" }, { type: "Warning", message }]
    }
    const rawInput = call.input = parse(call.text)
    return [{ type: "ToolCallUpdated", toolCallId, status: "in_progress", rawInput }]
  }

  const tell = (event: Told): ReadonlyArray<AgentEvent> => {
    const { toolCallId } = event
    const call = calls.get(toolCallId)
    switch (event.type) {
      case EventType.TOOL_CALL_START:
        return begin(event)
      case EventType.TOOL_CALL_ARGS:
        if (call !== undefined && call.text.length <= longest) call.text += event.delta
        return []
      case EventType.TOOL_CALL_END:
        return call === undefined ? [] : give(toolCallId, call)
      case EventType.TOOL_CALL_RESULT:
        calls.delete(toolCallId)
        if (answered.delete(toolCallId)) return []
        return [{
          type: "ToolCallEnded",
          toolCallId,
          status: Ours.statusOf(event),
          content: toContent(event.content)
        }]
    }
  }
  return {
    tell,
    answer: (result) => {
      if (result.role !== "tool") return []
      const { content, toolCallId } = result
      calls.delete(toolCallId)
      answered.add(toolCallId)
      return [{ type: "ToolCallEnded", toolCallId, status: "completed", content: toContent(content) }]
    },
    unanswered: () => [...calls].map(([id, { input, name }]) => ({ id, name, input })),
    forget: () => {
      calls.clear()
      answered.clear()
    }
  }
}
