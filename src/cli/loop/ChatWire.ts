/**
 * Chat completions as OpenAI's API has them, and the many servers that have nothing else of it: what is asked, and what the pieces of an
 * answer mean. Pure.
 *
 * @see https://platform.openai.com/docs/api-reference/chat
 * @since 0.1.0
 */
import type * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Prompt from "@effect/ai/Prompt"
import type * as Response from "@effect/ai/Response"
import * as Tool from "@effect/ai/Tool"
import * as Encoding from "effect/Encoding"
import * as Schema from "effect/Schema"

// -------------------------------------------------------------------------------------------------- the request

const base64 = (data: string | Uint8Array) => typeof data === "string" ? data : Encoding.encodeBase64(data)

const toContent = (part: Prompt.UserMessagePart): unknown => {
  if (part.type === "text") return { type: "text", text: part.text }
  const { data, fileName = "file", mediaType } = part
  if (data instanceof URL) return { type: "image_url", image_url: { url: data.href } }
  const [kind, format] = mediaType.split("/")
  switch (kind) {
    case "audio":
      return { type: "input_audio", input_audio: { data: base64(data), format: format === "mpeg" ? "mp3" : format } }
    case "image":
      return { type: "image_url", image_url: { url: `data:${mediaType};base64,${base64(data)}` } }
    default:
      return { type: "file", file: { filename: fileName, file_data: `data:${mediaType};base64,${base64(data)}` } }
  }
}

const textOf = (content: ReadonlyArray<Prompt.Part>) =>
  content.map((part) => part.type === "text" ? part.text : "").join("")

const written = (value: unknown) => typeof value === "string" ? value : JSON.stringify(value) ?? ""

const toMessages = (message: Prompt.Message): ReadonlyArray<unknown> => {
  switch (message.role) {
    case "system":
      return [{ role: "system", content: message.content }]
    case "user": {
      // a text is a text for all of them, a list of parts is not
      const plain = message.content.every(({ type }) => type === "text")
      return [{ role: "user", content: plain ? textOf(message.content) : message.content.map(toContent) }]
    }
    case "assistant": {
      const calls = message.content.flatMap((part) =>
        part.type === "tool-call"
          ? [{ id: part.id, type: "function", function: { name: part.name, arguments: written(part.params) } }]
          : []
      )
      return [{
        role: "assistant",
        content: textOf(message.content),
        ...calls.length === 0 ? {} : { tool_calls: calls }
      }]
    }
    case "tool":
      return message.content.map(({ id, result }) => ({ role: "tool", tool_call_id: id, content: written(result) }))
  }
}

const toTool = ({ description, name, parametersSchema }: Tool.Any) => ({
  type: "function",
  function: { name, description, parameters: Tool.getJsonSchemaFromSchemaAst(parametersSchema.ast) }
})

type Options = LanguageModel.ProviderOptions

const toChoice = (choice: Options["toolChoice"]): unknown =>
  typeof choice === "string"
    ? choice
    : "tool" in choice
    ? { type: "function", function: { name: choice.tool } }
    : choice.mode ?? "auto"

const toFormat = (format: Options["responseFormat"]) =>
  format.type === "text" ? {} : {
    response_format: {
      type: "json_schema",
      json_schema: { name: format.objectName, schema: Tool.getJsonSchemaFromSchemaAst(format.schema.ast) }
    }
  }

/** What the provider is asked, without the model and its options. What goes without saying is not said: not all know it. @since 0.1.0 */
export const request = (
  { prompt, responseFormat, toolChoice, tools }: Pick<Options, "prompt" | "responseFormat" | "toolChoice" | "tools">
) => ({
  messages: prompt.content.flatMap(toMessages),
  ...tools.length === 0 ? {} : { tools: tools.map(toTool) },
  ...tools.length === 0 || toolChoice === "auto" ? {} : { tool_choice: toChoice(toolChoice) },
  ...toFormat(responseFormat),
  stream: true,
  stream_options: { include_usage: true }
})

// --------------------------------------------------------------------------------------------------- the answer

const maybe = <A, I>(schema: Schema.Schema<A, I>) => Schema.optional(Schema.NullOr(schema))

/** One event of an answer: only what is read, and all of it may be missing, as servers differ. @since 0.1.0 */
export const Chunk = Schema.Struct({
  choices: maybe(Schema.Array(Schema.Struct({
    delta: maybe(Schema.Struct({
      content: maybe(Schema.String),
      /** A thought: DeepSeek's name for it, and vLLM's and OpenRouter's. */
      reasoning_content: maybe(Schema.String),
      reasoning: maybe(Schema.String),
      tool_calls: maybe(Schema.Array(Schema.Struct({
        index: maybe(Schema.Number),
        id: maybe(Schema.String),
        function: maybe(Schema.Struct({ name: maybe(Schema.String), arguments: maybe(Schema.String) }))
      })))
    })),
    finish_reason: maybe(Schema.String)
  }))),
  usage: maybe(Schema.Struct({
    prompt_tokens: maybe(Schema.Number),
    completion_tokens: maybe(Schema.Number),
    total_tokens: maybe(Schema.Number),
    prompt_tokens_details: maybe(Schema.Struct({ cached_tokens: maybe(Schema.Number) }))
  })),
  error: Schema.optional(Schema.Unknown)
})
/** @since 0.1.0 */
export type Chunk = typeof Chunk.Type

type Part = Response.StreamPartEncoded
type CallDelta = NonNullable<NonNullable<NonNullable<Chunk["choices"]>[number]["delta"]>["tool_calls"]>[number]

const reasons: Readonly<Record<string, Response.FinishReason>> = {
  stop: "stop",
  length: "length",
  content_filter: "content-filter",
  tool_calls: "tool-calls",
  function_call: "tool-calls",
  error: "error"
}

/** As they were written if they are no JSON: the loop tells the model so. Those of an answer that was cut off may have been some. */
const parsed = (args: string, cutOff: boolean): unknown => {
  try {
    return args.trim() === "" && !cutOff ? {} : JSON.parse(args)
  } catch {
    return args
  }
}

/** A whole answer, of the parts of its stream. @since 0.1.0 */
export const whole = (parts: Iterable<Part>): ReadonlyArray<Response.PartEncoded> => {
  let text = ""
  let thought = ""
  const rest: Array<Response.PartEncoded> = []
  for (const part of parts) {
    if (part.type === "text-delta") text += part.delta
    else if (part.type === "reasoning-delta") thought += part.delta
    else if (part.type === "tool-call" || part.type === "finish") rest.push(part)
  }
  return [
    ...thought === "" ? [] : [{ type: "reasoning", text: thought } as const],
    ...text === "" ? [] : [{ type: "text", text } as const],
    ...rest
  ]
}

/** @since 0.1.0 */
export interface Reader {
  readonly take: (chunk: Chunk) => ReadonlyArray<Part>
  /** The calls and the end; nothing of an answer that has not said that it is whole. `done`: its last event was `[DONE]`. */
  readonly end: (done: boolean) => ReadonlyArray<Part>
}

/** Of one answer. @since 0.1.0 */
export const reader = (): Reader => {
  const calls: Array<{ readonly id: string; readonly given: string; name: string; args: string }> = []
  const at = new Map<number, (typeof calls)[number]>()
  let reason: string | undefined
  let usage: Chunk["usage"]

  /** By its index; some servers give all calls the same one, or none, and another id. */
  const call = ({ function: what, id, index }: CallDelta, position: number): ReadonlyArray<Part> => {
    const place = index ?? position
    const known = at.get(place)
    const args = what?.arguments ?? ""
    const given = id ?? ""
    if (known !== undefined && (given === "" || given === known.given)) {
      known.args += args
      known.name ||= what?.name ?? ""
      return args === "" ? [] : [{ type: "tool-params-delta", id: known.id, delta: args }]
    }
    const begun = { id: `call_${calls.length}`, given, name: what?.name ?? "", args }
    calls.push(begun)
    at.set(place, begun)
    return [
      { type: "tool-params-start", id: begun.id, name: begun.name },
      ...args === "" ? [] : [{ type: "tool-params-delta", id: begun.id, delta: args } as const]
    ]
  }

  return {
    take: (chunk) => {
      if (chunk.error != null) return [{ type: "error", error: chunk.error }]
      usage = chunk.usage ?? usage
      const choice = chunk.choices?.[0]
      reason = choice?.finish_reason ?? reason
      const { content, reasoning, reasoning_content, tool_calls } = choice?.delta ?? {}
      const thought = reasoning_content ?? reasoning
      return [
        ...thought ? [{ type: "reasoning-delta", id: "thought", delta: thought } as const] : [],
        ...content ? [{ type: "text-delta", id: "text", delta: content } as const] : [],
        ...tool_calls?.flatMap(call) ?? []
      ]
    },
    end: (done) => {
      if (reason === undefined && !done) return []
      const finish: Part = {
        type: "finish",
        reason: reasons[reason ?? ""] ?? "unknown",
        usage: {
          inputTokens: usage?.prompt_tokens ?? undefined,
          outputTokens: usage?.completion_tokens ?? undefined,
          totalTokens: usage?.total_tokens ?? undefined,
          cachedInputTokens: usage?.prompt_tokens_details?.cached_tokens ?? undefined
        }
      }
      return [
        ...calls.map(({ args, id, name }): Part => ({
          type: "tool-call",
          id,
          name,
          params: parsed(args, reason === "length")
        })),
        finish
      ]
    }
  }
}
