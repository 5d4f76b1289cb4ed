/**
 * What a model is asked, of either form of OpenAI's API: the newest prompt, and what the tools have answered since.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"

/** @since 0.1.0 */
export interface Conversation {
  readonly model: string
  /** Whether the answer is wanted piece by piece. */
  readonly stream: boolean
  /** The last thing that a person, or the caller of a sub-agent, has said. */
  readonly prompt: string
  /** What the tools that were called since have answered. */
  readonly results: ReadonlyArray<string>
  /** The names of the tools that may be called. */
  readonly tools: ReadonlyArray<string>
}

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optional(Schema.NullOr(schema))

const Part = Schema.Struct({ text: optional(Schema.String) })

/** Text as it is, or in parts; those that are no text are passed over. */
const Text = Schema.Union(Schema.String, Schema.Array(Part))

const request = {
  model: Schema.String,
  stream: optional(Schema.Boolean)
}

const Chat = Schema.Struct({
  ...request,
  messages: Schema.Array(Schema.Struct({ role: Schema.String, content: optional(Text) })),
  tools: optional(Schema.Array(Schema.Struct({ function: Schema.Struct({ name: Schema.String }) })))
})

const Responses = Schema.Struct({
  ...request,
  input: Schema.Union(
    Schema.String,
    Schema.Array(Schema.Struct({
      type: optional(Schema.String),
      role: optional(Schema.String),
      content: optional(Text),
      output: optional(Text)
    }))
  ),
  tools: optional(Schema.Array(Schema.Struct({ name: optional(Schema.String) })))
})

const plain = (text: typeof Text.Type | null | undefined): string =>
  text == null ? "" : typeof text === "string" ? text : text.map((part) => part.text ?? "").join("")

type Message = { readonly by: "user" | "tool" | "other"; readonly text: string }

const make = (
  { model, stream }: { readonly model: string; readonly stream?: boolean | null | undefined },
  tools: ReadonlyArray<string>,
  messages: ReadonlyArray<Message>
): Conversation => {
  const last = messages.findLastIndex(({ by }) => by === "user")
  return {
    model,
    stream: stream ?? false,
    tools,
    prompt: messages[last]?.text ?? "",
    results: messages.slice(last + 1).flatMap(({ by, text }) => by === "tool" ? [text] : [])
  }
}

const decoded = <A, I>(schema: Schema.Schema<A, I>, convert: (request: A) => Conversation) => {
  const decode = Schema.decodeUnknownEither(schema)
  return (body: unknown): Either.Either<Conversation, string> =>
    Either.mapBoth(decode(body), { onLeft: ParseResult.TreeFormatter.formatErrorSync, onRight: convert })
}

/** Of `POST /v1/chat/completions`. @since 0.1.0 */
export const ofChat = decoded(Chat, (request) =>
  make(
    request,
    (request.tools ?? []).map((tool) => tool.function.name),
    request.messages.map(({ content, role }) => ({
      by: role === "user" || role === "tool" ? role : "other",
      text: plain(content)
    }))
  ))

/** Of `POST /v1/responses`. @since 0.1.0 */
export const ofResponses = decoded(Responses, (request) =>
  make(
    request,
    (request.tools ?? []).flatMap(({ name }) => name == null ? [] : [name]),
    typeof request.input === "string" ?
      [{ by: "user", text: request.input }] :
      request.input.map((item) =>
        item.type === "function_call_output"
          ? { by: "tool", text: plain(item.output) }
          : { by: item.role === "user" ? "user" : "other", text: plain(item.content) }
      )
  ))
