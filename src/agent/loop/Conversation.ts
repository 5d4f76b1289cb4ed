/**
 * What was said, as a model is to be told of it. It is made of the very events that the log holds: a conversation that goes on and one
 * that is read from the log again are the same.
 *
 * @since 0.1.0
 */
import * as Prompt from "@effect/ai/Prompt"
import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"
import * as Predicate from "effect/Predicate"
import type { AgentEvent } from "../../domain/AgentEvent.js"
import type { ContentBlock, ToolContent } from "../../domain/Content.js"
import * as Content from "../../domain/Content.js"

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
  /** Tokens of it: as the last model that was asked has counted them, and a guess for what came after that, or for all. */
  readonly used: () => number
  /** A model has counted it; `undefined`: the one that was asked did not say. */
  readonly counted: (tokens: number | undefined) => void
  readonly add: (event: AgentEvent) => void
  readonly user: (content: ReadonlyArray<ContentBlock>, messageId?: string) => void
  /** As a model takes it. A call without a result was interrupted, and is told so. */
  readonly messages: () => ReadonlyArray<Prompt.Message>
  /**
   * For a reader who is to summarise it: at most that share of it, or so many characters, with the newest last. Long pieces are cut, old
   * ones left out.
   */
  readonly transcript: (share: number, characters: number) => string
  /** What was answered last. */
  readonly lastText: () => string
}

/** As bytes: a provider may take a text for the id of a file that it has, and leave out what is none. */
const file = (mediaType: string, data: string) =>
  Prompt.filePart({ mediaType, data: Either.getOrElse(Encoding.decodeBase64(data), () => data) })

/** Half of a character that is written in two is none: whoever is sent one refuses the whole conversation. */
const textPart = (text: string) => Prompt.textPart({ text: wellFormed(text) })

const wellFormed = (text: string) => text.replace(/\p{Surrogate}/gu, "\uFFFD")

/** A text, or a file in base64. */
const read = (
  block: ContentBlock
): { readonly text: string } | { readonly mediaType: string; readonly data: string } => {
  switch (block.type) {
    case "text":
      return block
    case "image":
    case "audio":
      return { mediaType: block.mimeType, data: block.data }
    case "resource_link":
      return { text: `[${block.title ?? block.name}](${block.uri})` }
    case "resource":
      return "text" in block.resource
        ? { text: `${block.resource.uri}\n\n${block.resource.text}` }
        : { mediaType: block.resource.mimeType ?? "application/octet-stream", data: block.resource.blob }
  }
}

const toPart = (block: ContentBlock): Prompt.UserMessagePart => {
  const found = read(block)
  return "text" in found ? textPart(found.text) : file(found.mediaType, found.data)
}

const bytes = ({ length }: string) => Math.floor(length * 3 / 4)

/** A file by its kind and its size: as text it would be more than any context holds. */
const toWords = (block: ContentBlock): string => {
  const found = read(block)
  return "text" in found ? wellFormed(found.text) : `[${found.mediaType}, ${bytes(found.data)} bytes]`
}

/** What a tool shows that is no text, people see and the model is told of. */
const toResult = (content: ReadonlyArray<ToolContent> | undefined, rawOutput: unknown): unknown =>
  content === undefined || content.length === 0
    ? rawOutput ?? ""
    : content.map((each) => each.type === "content" ? toWords(each.content) : JSON.stringify(each)).join("\n")

const interrupted = { value: "the call was interrupted before it had a result", failed: true }

/** A model may want what no provider takes back: a name of other characters, arguments that are no object. */
const toCall = ({ args, id, name }: Call) =>
  Prompt.toolCallPart({
    id,
    name: toName(name),
    params: Predicate.isRecord(args) ? args : { invalid: args },
    providerExecuted: false
  })

const toValue = (value: unknown) => typeof value === "string" ? wellFormed(value) : value

const toName = (name: string) => name.replace(/[^\w-]/g, "_").slice(0, 64) || "_"

const toMessages = (step: Step): ReadonlyArray<Prompt.Message> => {
  // a text of blanks is none: there are providers that refuse it
  if (step.role === "user") {
    const parts = step.content.map(toPart).filter((part) => part.type !== "text" || part.text.trim() !== "")
    return [Prompt.userMessage({ content: parts.length === 0 ? [textPart("(an empty message)")] : parts })]
  }
  const { calls, text } = step
  const content = [...text.trim() === "" ? [] : [textPart(text)], ...calls.map(toCall)]
  if (content.length === 0) return []
  const said = Prompt.assistantMessage({ content })
  if (calls.length === 0) return [said]
  const results = calls.map(({ id, name, result: { failed, value } = interrupted }) =>
    Prompt.toolResultPart({
      id,
      name: toName(name),
      isFailure: failed,
      result: toValue(value),
      providerExecuted: false
    })
  )
  return [said, Prompt.toolMessage({ content: results })]
}

const written = (value: unknown): string => typeof value === "string" ? value : JSON.stringify(value) ?? ""

/** A step as a person would read it. */
const toPieces = (step: Step): ReadonlyArray<string> =>
  step.role === "user"
    ? [`User: ${step.content.map(toWords).join("\n")}`]
    : [
      ...step.text === "" ? [] : [`Assistant: ${step.text}`],
      ...step.calls.flatMap(({ args, name, result = interrupted }) => [
        `Assistant calls ${name}: ${written(args)}`,
        `${name} ${result.failed ? "failed" : "answers"}: ${written(result.value)}`
      ])
    ]

const leftOut = "[…]"

/** Tokens of a picture or a sound, about; of a text there is one for four characters. */
const perFile = 1500

const guessed = (step: Step): number => {
  const files = step.role === "user" ? step.content.filter((block) => "data" in read(block)).length : 0
  return toPieces(step).reduce((sum, { length }) => sum + length / 4, files * perFile)
}

/** @since 0.1.0 */
export const make = (): Conversation => {
  let steps: Array<Step> = []
  let count: { readonly tokens: number; readonly guess: number } | undefined
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

  const guess = () => Math.ceil(steps.reduce((sum, step) => sum + guessed(step), 0))

  const transcript = (share: number, characters: number) => {
    const pieces = steps.flatMap(toPieces)
    const all = pieces.reduce((sum, { length }) => sum + length, 0)
    let room = Math.ceil(Math.min(all, Math.max(share * all, characters)))
    // one result that is longer than all else shall not be all that is known
    const longest = room < all ? room / 4 : room
    const kept: Array<string> = []
    for (const piece of pieces.reverse()) {
      if (room <= 0) break
      const most = Math.min(longest, room)
      kept.push(piece.length <= most ? piece : `${Content.head(piece, most)}${leftOut}`)
      room -= Math.min(piece.length, most)
    }
    return [...kept.length < pieces.length ? [leftOut] : [], ...kept.reverse()].join("\n\n")
  }

  return {
    used: () => count === undefined ? guess() : Math.max(0, count.tokens + guess() - count.guess),
    counted: (tokens) => {
      count = tokens === undefined ? undefined : { tokens, guess: guess() }
    },
    transcript,
    add,
    user,
    messages: () => steps.flatMap(toMessages),
    lastText: () => {
      const last = steps.findLast((step) => step.role === "assistant")
      return last?.role === "assistant" ? last.text : ""
    }
  }
}
