/**
 * What a `MESSAGES_SNAPSHOT` has that was not said before: some agents do not stream, and tell their messages only so. Pure.
 *
 * A snapshot is the whole conversation. Only what stands behind the prompt of this run is this run's, and of that only what is new; where
 * the prompt is not found, as in the snapshot of a server that gives messages names of its own, everything is taken for known.
 *
 * @since 0.1.0
 */
import { type AGUIEvent, EventType, type Message } from "@ag-ui/core"
import type { Conversation } from "./Conversation.js"

const toEvents = (message: Message): ReadonlyArray<AGUIEvent> => {
  const { id: messageId } = message
  switch (message.role) {
    case "assistant": {
      const { content = "", toolCalls = [] } = message
      return [
        { type: EventType.TEXT_MESSAGE_CONTENT, messageId, delta: content },
        ...toolCalls.flatMap(({ function: called, id: toolCallId, metadata }): ReadonlyArray<AGUIEvent> => [
          {
            type: EventType.TOOL_CALL_START,
            toolCallId,
            toolCallName: called.name,
            ...(metadata === undefined ? {} : { metadata })
          },
          { type: EventType.TOOL_CALL_ARGS, toolCallId, delta: called.arguments },
          { type: EventType.TOOL_CALL_END, toolCallId }
        ])
      ]
    }
    case "reasoning":
      return [{ type: EventType.REASONING_MESSAGE_CONTENT, messageId, delta: message.content }]
    case "tool": {
      const { content, metadata, toolCallId } = message
      return [{
        type: EventType.TOOL_CALL_RESULT,
        messageId,
        toolCallId,
        content,
        ...(metadata === undefined ? {} : { metadata })
      }]
    }
    default:
      return []
  }
}

/** @since 0.1.0 */
export const unseen = (conversation: Conversation, messages: ReadonlyArray<Message>): ReadonlyArray<AGUIEvent> => {
  const prompt = conversation.prompted()
  const at = messages.findIndex(({ id }) => id === prompt)
  return at === -1
    ? []
    : messages.slice(at + 1).flatMap((message) =>
      // a result may be there under another name
      conversation.find(message.id) === undefined && !conversation.hasResult(message) ? toEvents(message) : []
    )
}
