/**
 * The conversation as a client has it that was told everything: the messages of `MESSAGES_SNAPSHOT`.
 *
 * It applies the events of the translator as the official client does, so that a snapshot and what follows it make the same conversation
 * as the events from the beginning.
 *
 * @since 0.1.0
 */
import { type AGUIEvent, EventType, type JsonPatchOperation, type Message, type UserMessage } from "@ag-ui/core"
import * as AguiPart from "../../domain/AguiPart.js"
import type { ContentBlock } from "../../domain/Content.js"
import * as RunAgentInput from "./RunAgentInput.js"
import type { Step } from "./Translator.js"

/** Owned by one reader, who changes it in place. @since 0.1.0 */
export interface Conversation {
  messages: Array<Message>
  /** Where a message is, by its id; a tool call's is that of its message. */
  readonly byId: Map<string, Message>
}

/** @since 0.1.0 */
export const make = (): Conversation => ({ messages: [], byId: new Map() })

const add = ({ byId, messages }: Conversation, message: Message) => {
  messages.push(message)
  byId.set(message.id, message)
}

const toUserMessage = (id: string, prompt: ReadonlyArray<ContentBlock>): UserMessage => {
  const parts = prompt.filter(RunAgentInput.isForPeople).map(AguiPart.fromBlock)
  const texts = parts.flatMap((part) => part.type === "text" ? [part.text] : [])
  return { id, role: "user", content: texts.length === parts.length ? texts.join("\n") : parts }
}

/** `add` at the end of a list appends, on a field it sets: the two that the translator writes. */
const patch = (content: Record<string, unknown>, { path, ...operation }: JsonPatchOperation) => {
  const [, field = "", end] = path.split("/")
  const value: unknown = "value" in operation ? operation.value : undefined
  const list = content[field]
  if (end === undefined) content[field] = value
  else if (Array.isArray(list)) list.push(value)
}

const by = ({ subagentRunId }: { readonly subagentRunId?: string }) =>
  subagentRunId === undefined ? {} : { subagentRunId }

const append = (conversation: Conversation, id: string, text: string) => {
  const message = conversation.byId.get(id)
  if (message?.role === "assistant" || message?.role === "user" || message?.role === "reasoning") {
    message.content = `${typeof message.content === "string" ? message.content : ""}${text}`
  }
}

const apply = (conversation: Conversation, event: AGUIEvent): void => {
  const { byId, messages } = conversation
  switch (event.type) {
    case EventType.TEXT_MESSAGE_START:
      return add(conversation, {
        id: event.messageId,
        role: event.role === "user" ? "user" : "assistant",
        content: "",
        ...by(event)
      })
    case EventType.REASONING_MESSAGE_START:
      return add(conversation, { id: event.messageId, role: "reasoning", content: "", ...by(event) })
    case EventType.TEXT_MESSAGE_CONTENT:
    case EventType.REASONING_MESSAGE_CONTENT:
      return append(conversation, event.messageId, event.delta)
    case EventType.TOOL_CALL_START:
      return add(conversation, {
        id: event.toolCallId,
        role: "assistant",
        toolCalls: [{
          id: event.toolCallId,
          type: "function",
          function: { name: event.toolCallName, arguments: "" },
          ...(event.metadata === undefined ? {} : { metadata: event.metadata })
        }],
        ...by(event)
      })
    case EventType.TOOL_CALL_ARGS: {
      const message = byId.get(event.toolCallId)
      const call = message?.role === "assistant" ? message.toolCalls?.[0] : undefined
      if (call !== undefined) call.function.arguments += event.delta
      return
    }
    case EventType.TOOL_CALL_RESULT: {
      // it stands behind its call
      const owner = byId.get(event.toolCallId)
      const at = owner === undefined ? messages.length : messages.lastIndexOf(owner) + 1
      const message: Message = {
        id: event.messageId,
        toolCallId: event.toolCallId,
        role: "tool",
        content: event.content,
        ...(event.metadata === undefined ? {} : { metadata: event.metadata }),
        ...by(event)
      }
      messages.splice(at, 0, message)
      byId.set(message.id, message)
      return
    }
    case EventType.ACTIVITY_SNAPSHOT: {
      const known = byId.get(event.messageId)
      const content = structuredClone(event.content)
      if (known?.role === "activity") {
        known.content = content
        delete known.subagentRunId
        Object.assign(known, by(event))
      } else {
        const { activityType, messageId } = event
        add(conversation, { id: messageId, role: "activity", activityType, content, ...by(event) })
      }
      return
    }
    case EventType.ACTIVITY_DELTA: {
      const known = byId.get(event.messageId)
      if (known?.role === "activity") { for (const operation of event.patch) patch(known.content, operation) }
      return
    }
  }
}

/** What a step adds. The prompt of a turn is a message of the user, which its own client has already. @since 0.1.0 */
export const follow = (conversation: Conversation, { begins, events, state }: Step): void => {
  if (begins && state.asked.length > 0) add(conversation, toUserMessage(`${state.session}:${state.seq}`, state.asked))
  for (const event of events) apply(conversation, event)
}

/** Characters of JSON that one snapshot may have: the official client takes no frame of more than 10 Mi. */
const limit = 4 * 1024 * 1024

/** The newest messages, as many as fit, and how many are left out. @since 0.1.0 */
export const newest = (
  messages: ReadonlyArray<Message>
): { readonly messages: Array<Message>; readonly left: number } => {
  let size = 0
  let first = messages.length
  while (first > 0) {
    size += JSON.stringify(messages[first - 1]).length
    // one that is alone too large is better than nothing
    if (size > limit && first < messages.length) break
    first--
  }
  return { messages: messages.slice(first), left: first }
}
