/**
 * The conversation of a thread, as the agent is sent it with each run: many AG-UI agents remember nothing, and know what they are sent.
 *
 * It is the fold of the prompts and of what the agent says, as the official client makes it, and bounded: the oldest turns are left out.
 *
 * @since 0.1.0
 */
import { type AGUIEvent, EventType, type Message } from "@ag-ui/core"
import * as AguiPart from "../../domain/AguiPart.js"
import type { ContentBlock } from "../../domain/Content.js"

/** A thread's. @since 0.1.0 */
export interface Conversation {
  readonly add: (message: Message) => void
  readonly remove: (id: string) => void
  readonly apply: (event: AGUIEvent) => void
  /** The newest turns that fit, oldest first. The last message is always among them. */
  readonly toSend: () => Array<Message>
  readonly find: (id: string) => Message | undefined
  /** Whether it is a result, and its call has one. */
  readonly hasResult: (message: Message) => boolean
  /** The name of what was prompted last. */
  readonly prompted: () => string | undefined
}

/** A prompt as the user's message. @since 0.1.0 */
export const ofPrompt = (id: string, content: ReadonlyArray<ContentBlock>): Message => {
  const parts = content.map(AguiPart.fromBlock)
  const texts = parts.flatMap((part) => part.type === "text" ? [part.text] : [])
  return { id, role: "user", content: texts.length === parts.length ? texts.join("\n") : parts }
}

/** Characters of one message that are kept. */
const longest = 1024 * 1024

/** Messages that are kept between two runs, whatever their size. */
const most = 2000

const append = (text: string | undefined, delta: string): string =>
  text === undefined ? delta : text.length < longest ? text + delta : text

/** @since 0.1.0 */
export const make = (options: { readonly maxCharacters: number }): Conversation => {
  let messages: Array<Message> = []

  const find = (id: string) => messages.findLast((message) => message.id === id)
  const add = (message: Message) => {
    if (find(message.id) !== undefined) return
    messages.push(message)
    // a turn without end
    if (messages.length > 2 * most) messages = messages.slice(-most)
  }

  const call = (id: string) => {
    for (const message of messages.toReversed()) {
      const found = message.role === "assistant" ? message.toolCalls?.find((call) => call.id === id) : undefined
      if (found !== undefined) return found
    }
    return undefined
  }

  const beginCall = (
    { parentMessageId, toolCallId, toolCallName }: Extract<AGUIEvent, { type: "TOOL_CALL_START" }>
  ) => {
    if (call(toolCallId) !== undefined) return
    const parent = parentMessageId === undefined ? undefined : find(parentMessageId)
    const begun = { id: toolCallId, type: "function" as const, function: { name: toolCallName, arguments: "" } }
    if (parent?.role === "assistant") parent.toolCalls = [...parent.toolCalls ?? [], begun]
    // what a parent names that is no message of ours is a call: of a sub-agent
    else {add({
        id: parent === undefined ? parentMessageId ?? toolCallId : toolCallId,
        role: "assistant",
        toolCalls: [begun]
      })}
  }

  const encrypt = (
    { encryptedValue, entityId, subtype }: Extract<AGUIEvent, { type: "REASONING_ENCRYPTED_VALUE" }>
  ) => {
    const entity = subtype === "tool-call" ? call(entityId) : find(entityId)
    if (entity !== undefined && !("activityType" in entity)) entity.encryptedValue = encryptedValue
  }

  const apply = (event: AGUIEvent): void => {
    switch (event.type) {
      case EventType.TEXT_MESSAGE_START:
        return add({ id: event.messageId, role: event.role ?? "assistant", content: "" })
      case EventType.REASONING_MESSAGE_START:
        return add({ id: event.messageId, role: "reasoning", content: "" })
      case EventType.TEXT_MESSAGE_CONTENT:
      case EventType.REASONING_MESSAGE_CONTENT: {
        const message = find(event.messageId)
        if (message === undefined || message.role === "activity" || message.role === "tool") return
        if (typeof message.content !== "object") message.content = append(message.content, event.delta)
        return
      }
      case EventType.TOOL_CALL_START:
        return beginCall(event)
      case EventType.TOOL_CALL_ARGS: {
        const called = call(event.toolCallId)
        if (called !== undefined) called.function.arguments = append(called.function.arguments, event.delta)
        return
      }
      case EventType.TOOL_CALL_RESULT:
        return add({ id: event.messageId, role: "tool", toolCallId: event.toolCallId, content: event.content })
      case EventType.REASONING_ENCRYPTED_VALUE:
        return encrypt(event)
      case EventType.MESSAGES_SNAPSHOT:
        // activities are for those who look, not for agents
        messages = event.messages.filter(({ role }) => role !== "activity")
        return
      default:
        return
    }
  }

  const toSend = () => {
    let size = 0
    let first = messages.length - 1
    for (let at = first; at >= 0; at--) {
      size += JSON.stringify(messages[at]).length
      if (size > options.maxCharacters) break
      // whole turns only: a result without its call is more than some agents can bear
      if (messages[at]?.role === "user" || at === 0) first = at
    }
    messages = messages.slice(Math.max(0, first))
    return messages
  }
  return {
    add,
    remove: (id) => {
      messages = messages.filter((message) => message.id !== id)
    },
    apply,
    toSend,
    find,
    hasResult: (result) =>
      result.role === "tool" &&
      messages.some((message) => message.role === "tool" && message.toolCallId === result.toolCallId),
    prompted: () => messages.findLast(({ role }) => role === "user")?.id
  }
}
