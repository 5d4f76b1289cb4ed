/**
 * What was said, as a model is to be told of it. It is made of the very events that the log holds: a conversation that goes on and one
 * that is read from the log again are the same.
 *
 * @since 0.1.0
 */
import * as Prompt from "@effect/ai/Prompt"
import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"
import type { AgentEvent } from "../../domain/AgentEvent.js"
import type { ContentBlock, ToolContent } from "../../domain/Content.js"

interface Call {
  readonly id: string
  readonly name: string
  readonly args: unknown
  result?: { readonly value: unknown; readonly failed: boolean }
}

type Step =
  | { readonly role: "user"; readonly content: ReadonlyArray<ContentBlock>; readonly messageId: string | undefined }
  | { readonly role: "assistant"; text: string; readonly messageId: string | undefined; readonly calls: Array<Call> }

/** What the loop knows by the `kind` of a `Warning`: the answer so far does not count, it is asked for again. @since 0.1.0 */
export const brokeOff = "answer_broke_off"

/** As `brokeOff`: what the user said last is not for the model. @since 0.1.0 */
export const promptRefused = "prompt_refused"

/** @since 0.1.0 */
export interface Conversation {
  /** Tokens of it, as the last model that was asked has counted them; a guess before that. */
  used: number
  readonly add: (event: AgentEvent) => void
  readonly user: (content: ReadonlyArray<ContentBlock>, messageId?: string) => void
  /** As a model takes it. A call without a result was interrupted, and is told so. */
  readonly messages: () => ReadonlyArray<Prompt.Message>
  /** How many tokens it may be, for one that no model has counted. */
  readonly guess: () => number
  /** What was answered last. */
  readonly lastText: () => string
}

/** As bytes: a provider may take a text for the id of a file that it has, and leave out what is none. */
const file = (mediaType: string, data: string) =>
  Prompt.filePart({ mediaType, data: Either.getOrElse(Encoding.decodeBase64(data), () => data) })

const toPart = (block: ContentBlock): Prompt.UserMessagePart => {
  switch (block.type) {
    case "text":
      return Prompt.textPart({ text: block.text })
    case "image":
    case "audio":
      return file(block.mimeType, block.data)
    case "resource_link":
      return Prompt.textPart({ text: `[${block.title ?? block.name}](${block.uri})` })
    case "resource":
      return "text" in block.resource
        ? Prompt.textPart({ text: `${block.resource.uri}\n\n${block.resource.text}` })
        : file(block.resource.mimeType ?? "application/octet-stream", block.resource.blob)
  }
}

/** One text where it is only text, which every provider takes. */
const toResult = (content: ReadonlyArray<ToolContent> | undefined, rawOutput: unknown): unknown => {
  if (content === undefined || content.length === 0) return rawOutput ?? ""
  const texts = content.flatMap((each) =>
    each.type === "content" && each.content.type === "text" ? [each.content.text] : []
  )
  return texts.length === content.length ? texts.join("\n") : content
}

const interrupted = { value: "the call was interrupted before it had a result", failed: true }

const toMessages = (step: Step): ReadonlyArray<Prompt.Message> => {
  if (step.role === "user") return [Prompt.userMessage({ content: step.content.map(toPart) })]
  const { calls, text } = step
  const said = Prompt.assistantMessage({
    content: [
      ...(text === "" ? [] : [Prompt.textPart({ text })]),
      ...calls.map(({ args: params, id, name }) => Prompt.toolCallPart({ id, name, params, providerExecuted: false }))
    ]
  })
  if (calls.length === 0) return [said]
  const results = calls.map(({ id, name, result: { failed, value } = interrupted }) =>
    Prompt.toolResultPart({ id, name, isFailure: failed, result: value, providerExecuted: false })
  )
  return [said, Prompt.toolMessage({ content: results })]
}

/** @since 0.1.0 */
export const make = (): Conversation => {
  let steps: Array<Step> = []
  const open = new Map<string, Call>()

  const user = (content: ReadonlyArray<ContentBlock>, messageId?: string) => {
    const last = steps.at(-1)
    if (last?.role === "user" && messageId !== undefined && last.messageId === messageId) {
      steps[steps.length - 1] = { ...last, content: [...last.content, ...content] }
    } else steps.push({ role: "user", content: [...content], messageId })
  }

  const answer = (belongs: (step: Extract<Step, { role: "assistant" }>) => boolean, messageId?: string) => {
    const last = steps.at(-1)
    if (last?.role === "assistant" && belongs(last)) return last
    const step = { role: "assistant" as const, text: "", messageId, calls: [] }
    steps.push(step)
    return step
  }

  const add = (event: AgentEvent): void => {
    switch (event.type) {
      case "TextChunk":
        answer(({ calls, messageId }) => calls.length === 0 && messageId === event.messageId, event.messageId).text +=
          event.text
        return
      case "ToolCallStarted": {
        const call: Call = { id: event.toolCallId, name: event.name ?? event.title, args: event.rawInput ?? {} }
        open.set(call.id, call)
        // the calls of one answer have all begun before one of them has ended
        answer(({ calls }) => calls.every(({ result }) => result === undefined)).calls.push(call)
        return
      }
      case "ToolCallEnded": {
        const call = open.get(event.toolCallId)
        open.delete(event.toolCallId)
        if (call !== undefined) {
          call.result = { value: toResult(event.content, event.rawOutput), failed: event.status === "failed" }
        }
        return
      }
      case "UserChunk":
        return user([event.content], event.messageId)
      case "ContextCompacted": {
        const last = steps.findLast(({ role }) => role === "user")
        steps = [{
          role: "user",
          content: [{ type: "text", text: `What happened so far:\n\n${event.summary}` }],
          messageId: undefined
        }]
        if (last !== undefined) steps.push(last)
        return
      }
      case "Warning": {
        const last = steps.at(-1)
        if (event.kind === promptRefused && last?.role === "user") steps.pop()
        if (event.kind === brokeOff && last?.role === "assistant" && last.calls.length === 0) steps.pop()
      }
    }
  }

  return {
    used: 0,
    add,
    user,
    messages: () => steps.flatMap(toMessages),
    guess: () => Math.ceil(JSON.stringify(steps).length / 4),
    lastText: () => {
      const last = steps.findLast((step) => step.role === "assistant")
      return last?.role === "assistant" ? last.text : ""
    }
  }
}
