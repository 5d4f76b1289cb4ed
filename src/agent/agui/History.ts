/**
 * What the log has of a session, given back to its thread: an endpoint that remembers nothing is sent the conversation with each run, and a
 * gateway or a connection that was started anew has heard none of it.
 *
 * It is told as AG-UI events once more and heard by the thread's own reader, so that what is sent is what would be sent without the restart,
 * but for what no event carries: messages that a snapshot has changed, and names of results.
 *
 * @since 0.1.0
 */
import { type AGUIEvent, EventType } from "@ag-ui/core"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import type { SessionEvent } from "../../domain/AgentEvent.js"
import type { ContentBlock } from "../../domain/Content.js"
import type { StoredEvent } from "../../domain/StoredEvent.js"
import * as Conversation from "./Conversation.js"
import * as Decode from "./Decode.js"
import type { Thread } from "./Thread.js"

/** What the thread goes on with besides its messages, as the reader has put it into the log. */
const kept = /^agui\.(STATE_SNAPSHOT|STATE_DELTA|REASONING_ENCRYPTED_VALUE)$/

const fieldsOf = (type: string, payload: unknown): object => {
  switch (type) {
    case EventType.STATE_SNAPSHOT:
      return { snapshot: payload }
    case EventType.STATE_DELTA:
      return { delta: payload }
    default:
      return Predicate.isRecord(payload) ? payload : {}
  }
}

const ofExtension = (name: string, payload: unknown): ReadonlyArray<AGUIEvent> => {
  const type = kept.exec(name)?.[1]
  if (type === undefined) return []
  const decoded = Decode.decode(JSON.stringify({ ...fieldsOf(type, payload), type }))
  return Either.isRight(decoded) && decoded.right._tag === "Known" ? [decoded.right.event] : []
}

const text = (role: "assistant" | "user", messageId: string, delta: string): ReadonlyArray<AGUIEvent> => [
  { type: EventType.TEXT_MESSAGE_START, messageId, role },
  { type: EventType.TEXT_MESSAGE_CONTENT, messageId, delta }
]

/** Of one thread: `whole`, if the log has all of it. */
const translate = (whole: boolean) => {
  /** Calls that were begun: some agents fail, and for ever, with a result whose call is forgotten. */
  const begun = new Set<string>()
  /** Those whose input was told. */
  const given = new Set<string>()
  /** Changes fit nothing before it. */
  let hasState = whole

  const input = (toolCallId: string, value: unknown): ReadonlyArray<AGUIEvent> => {
    if (value === undefined || given.has(toolCallId)) return []
    given.add(toolCallId)
    const delta = typeof value === "string" ? value : JSON.stringify(value)
    return [{ type: EventType.TOOL_CALL_ARGS, toolCallId, delta }, { type: EventType.TOOL_CALL_END, toolCallId }]
  }

  return (event: SessionEvent, place: string): ReadonlyArray<AGUIEvent> => {
    switch (event.type) {
      case "UserChunk":
        return event.content.type === "text" ? text("user", event.messageId ?? `${place}-user`, event.content.text) : []
      case "TextChunk":
        return text("assistant", event.messageId ?? `${place}-text`, event.text)
      case "ThoughtChunk": {
        const messageId = event.messageId ?? `${place}-thought`
        return [
          { type: EventType.REASONING_MESSAGE_START, messageId, role: "reasoning" },
          { type: EventType.REASONING_MESSAGE_CONTENT, messageId, delta: event.text }
        ]
      }
      case "ToolCallStarted": {
        const { name, rawInput, title, toolCallId } = event
        begun.add(toolCallId)
        return [
          { type: EventType.TOOL_CALL_START, toolCallId, toolCallName: name ?? title },
          ...input(toolCallId, rawInput)
        ]
      }
      case "ToolCallUpdated":
        return input(event.toolCallId, event.rawInput)
      case "ToolCallEnded": {
        if (!begun.has(event.toolCallId)) return []
        const blocks = (event.content ?? []).flatMap((item): ReadonlyArray<ContentBlock> =>
          item.type === "content" ? [item.content] : []
        )
        const { content } = Conversation.ofPrompt("", blocks)
        return [{
          type: EventType.TOOL_CALL_RESULT,
          messageId: `${event.toolCallId}-result`,
          toolCallId: event.toolCallId,
          content: typeof content === "string" || Array.isArray(content) ? content : "",
          role: "tool"
        }]
      }
      case "Extension": {
        const told = ofExtension(event.name, event.payload)
        hasState ||= told.some(({ type }) => type === EventType.STATE_SNAPSHOT)
        return hasState ? told : told.filter(({ type }) => type !== EventType.STATE_DELTA)
      }
      default:
        return []
    }
  }
}

/**
 * Before anything else is heard, an event at a time: a log may be far longer than what of it is sent. The run that is open is the one that
 * the thread comes up for: its prompt is still to come.
 *
 * @since 0.1.0
 */
export const restore = <E, R>(
  { conversation, reader }: Pick<Thread, "conversation" | "reader">,
  stored: Stream.Stream<StoredEvent, E, R>
): Effect.Effect<void, E, R> => {
  const open = new Set<string>()
  let toEvents: ReturnType<typeof translate> | undefined
  const hear = ({ event, runId, seq }: StoredEvent) => {
    toEvents ??= translate(seq === 1)
    if (event.type === "RunStarted") {
      if (event.until !== undefined || event.prompt.length === 0) return
      const prompt = `${runId}-prompt`
      open.add(prompt)
      return conversation.add(Conversation.ofPrompt(prompt, event.prompt))
    }
    if (event.type === "RunEnded") open.delete(`${runId}-prompt`)
    for (const told of toEvents(event, runId ?? "between")) reader.read(told, undefined)
  }
  return Effect.map(Stream.runForEach(stored, (event) => Effect.sync(() => hear(event))), () => {
    for (const prompt of open) conversation.remove(prompt)
    // what was open is not any more
    reader.forget()
  })
}
