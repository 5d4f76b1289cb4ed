/**
 * The parts of an answer as OpenAI's API sends them: the events of a stream, or one body. Pure.
 *
 * @see https://platform.openai.com/docs/api-reference
 * @since 0.1.0
 */
import type { Part } from "./Scripts.js"

/** One form of the API. @since 0.1.0 */
export interface Wire {
  /** The data of each event, in order. */
  readonly events: (id: string, model: string, parts: ReadonlyArray<Part>) => ReadonlyArray<string>
  readonly body: (id: string, model: string, parts: ReadonlyArray<Part>) => unknown
}

/** As a model says it: word by word, arguments in pieces. */
const pieces = (text: string): ReadonlyArray<string> => text.match(/\s*\S+\s*/g) ?? [text]

const size = (parts: ReadonlyArray<Part>) =>
  parts.reduce((sum, part) => sum + pieces(part._tag === "Call" ? part.args : part.text).length, 0)

const textOf = (parts: ReadonlyArray<Part>) => parts.map((part) => part._tag === "Text" ? part.text : "").join("")

// -------------------------------------------------------------------------------------------- chat completions

const chatUsage = (parts: ReadonlyArray<Part>) => {
  const tokens = size(parts)
  return { prompt_tokens: 10, completion_tokens: tokens, total_tokens: 10 + tokens }
}

const finish = (parts: ReadonlyArray<Part>) => parts.some(({ _tag }) => _tag === "Call") ? "tool_calls" : "stop"

const toolCalls = (id: string, parts: ReadonlyArray<Part>) =>
  parts.flatMap((part) => part._tag === "Call" ? [part] : []).map(({ args, name }, index) => ({
    id: `call_${id}_${index}`,
    type: "function",
    function: { name, arguments: args }
  }))

/** `POST /v1/chat/completions`; the usage is the last event before `[DONE]`. @since 0.1.0 */
export const chat: Wire = {
  events: (id, model, parts) => {
    const chunk = (delta: unknown, finish_reason: string | null = null) =>
      JSON.stringify({ id, object: "chat.completion.chunk", model, choices: [{ index: 0, delta, finish_reason }] })
    const calls = toolCalls(id, parts).flatMap((call, index) => [
      chunk({ tool_calls: [{ index, ...call, function: { ...call.function, arguments: "" } }] }),
      ...pieces(call.function.arguments).map((piece) =>
        chunk({ tool_calls: [{ index, function: { arguments: piece } }] })
      )
    ])
    const texts = parts.flatMap((part) =>
      part._tag === "Call"
        ? []
        : pieces(part.text).map((content) => chunk(part._tag === "Text" ? { content } : { reasoning_content: content }))
    )
    return [
      chunk({ role: "assistant", content: "" }),
      ...texts,
      ...calls,
      chunk({}, finish(parts)),
      JSON.stringify({ id, object: "chat.completion.chunk", model, choices: [], usage: chatUsage(parts) }),
      "[DONE]"
    ]
  },
  body: (id, model, parts) => {
    const calls = toolCalls(id, parts)
    const message = { role: "assistant", content: textOf(parts), ...calls.length === 0 ? {} : { tool_calls: calls } }
    return {
      id,
      object: "chat.completion",
      model,
      choices: [{ index: 0, message, finish_reason: finish(parts) }],
      usage: chatUsage(parts)
    }
  }
}

// --------------------------------------------------------------------------------------------------- responses

const response = (id: string, model: string, output: ReadonlyArray<unknown>, parts?: ReadonlyArray<Part>) => ({
  id,
  object: "response",
  created_at: 0,
  status: parts === undefined ? "in_progress" : "completed",
  error: null,
  incomplete_details: null,
  instructions: null,
  metadata: {},
  model,
  output,
  parallel_tool_calls: true,
  temperature: 1,
  tool_choice: "auto",
  tools: [],
  top_p: 1,
  ...parts === undefined ? {} : {
    usage: {
      input_tokens: 10,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: size(parts),
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 10 + size(parts)
    }
  }
})

const outputItem = (id: string, part: Part, index: number, begun = false) => {
  const status = begun ? "in_progress" : "completed"
  switch (part._tag) {
    case "Text": {
      const content = [{ type: "output_text", text: part.text, annotations: [] }]
      return { type: "message", id: `msg_${id}_${index}`, role: "assistant", status, content: begun ? [] : content }
    }
    case "Thought": {
      const summary = [{ type: "summary_text", text: part.text }]
      return { type: "reasoning", id: `rs_${id}_${index}`, status, summary: begun ? [] : summary }
    }
    case "Call": {
      const { args, name } = part
      const call_id = `call_${id}_${index}`
      return { type: "function_call", id: `fc_${id}_${index}`, call_id, name, status, arguments: begun ? "" : args }
    }
  }
}

/** `POST /v1/responses`. @since 0.1.0 */
export const responses: Wire = {
  events: (id, model, parts) => {
    let sequence = 0
    const event = (type: string, fields: unknown) =>
      JSON.stringify({ type, sequence_number: sequence++, ...Object(fields) })
    const deltas = (part: Part, index: number) => {
      const place = { output_index: index, item_id: outputItem(id, part, index).id }
      switch (part._tag) {
        case "Text":
          return pieces(part.text).map((delta) =>
            event("response.output_text.delta", { ...place, content_index: 0, delta, logprobs: [] })
          )
        case "Thought":
          return pieces(part.text).map((delta) =>
            event("response.reasoning_summary_text.delta", { ...place, summary_index: 0, delta })
          )
        case "Call":
          return pieces(part.args).map((delta) => event("response.function_call_arguments.delta", { ...place, delta }))
      }
    }
    return [
      event("response.created", { response: response(id, model, []) }),
      ...parts.flatMap((part, index) => [
        event("response.output_item.added", { output_index: index, item: outputItem(id, part, index, true) }),
        ...deltas(part, index),
        event("response.output_item.done", { output_index: index, item: outputItem(id, part, index) })
      ]),
      event("response.completed", {
        response: response(id, model, parts.map((part, index) => outputItem(id, part, index)), parts)
      })
    ]
  },
  body: (id, model, parts) => response(id, model, parts.map((part, index) => outputItem(id, part, index)), parts)
}
