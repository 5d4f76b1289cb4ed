/**
 * A model behind `/chat/completions`: what vLLM, Ollama, llama.cpp, LiteLLM and others mean by OpenAI's API. OpenAI's own package in
 * `@effect/ai` asks only its newer form, the Responses API, which they do not have.
 *
 * @since 0.1.0
 */
import * as AiError from "@effect/ai/AiError"
import * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Response from "@effect/ai/Response"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { createParser } from "eventsource-parser"
import * as ChatWire from "./ChatWire.js"

/** @since 0.1.0 */
export interface Options {
  readonly model: string
  /** OpenAI's own by default. */
  readonly baseUrl?: string | undefined
  readonly apiKey?: Redacted.Redacted | undefined
  readonly maxOutputTokens?: number | undefined
}

const place = { module: "ChatModel", method: "streamText" }

/** Of one event, in characters: whoever sends more sends no answer. */
const largest = 8 * 1024 * 1024

const malformed = (description: string, cause?: unknown) =>
  new AiError.MalformedOutput({ ...place, description, ...cause === undefined ? {} : { cause } })

const decode = Schema.decodeUnknown(Schema.parseJson(ChatWire.Chunk))

/** The data of each event. */
const events = <E>(text: Stream.Stream<string, E>): Stream.Stream<string, E | AiError.MalformedOutput> =>
  Stream.suspend(() => {
    const found: Array<string> = []
    let tooLarge = false
    const parser = createParser({
      onEvent: ({ data }) => found.push(data),
      onError: ({ type }) => {
        if (type === "max-buffer-size-exceeded") tooLarge = true
      },
      maxBufferSize: largest
    })
    return Stream.mapConcatEffect(text, (piece) =>
      Effect.suspend(() => {
        parser.feed(piece)
        return tooLarge
          ? Effect.fail(malformed(`one event of the answer is larger than ${largest} characters`))
          : Effect.succeed(found.splice(0))
      }))
  })

const parts = <E>(data: Stream.Stream<string, E>) =>
  Stream.suspend(() => {
    const reader = ChatWire.reader()
    let done = false
    return data.pipe(
      Stream.takeWhile((data) => !(done = data.trim() === "[DONE]")),
      Stream.mapConcatEffect((data) =>
        Effect.mapBoth(decode(data), {
          onFailure: (error) => malformed(`an event of the answer is not what one is: ${data.slice(0, 200)}`, error),
          onSuccess: reader.take
        })
      ),
      // in one chunk: for one call that is none of its tools, `@effect/ai` fails the chunk, and the loop reads what it held
      Stream.concat(Stream.suspend(() => Stream.fromIterable(reader.end(done))))
    )
  })

/** The answer at once; it is asked for as a stream all the same, which all servers have and nobody cuts off for its silence. */
const collected = Effect.fnUntraced(function*(answer: Stream.Stream<Response.StreamPartEncoded, AiError.AiError>) {
  const parts = yield* Stream.runCollect(answer)
  for (const part of parts) {
    if (part.type !== "error") continue
    const { error: cause } = part
    return yield* new AiError.UnknownError({ ...place, description: JSON.stringify(cause), cause })
  }
  const whole = ChatWire.whole(parts)
  return whole.some(({ type }) => type === "finish") ? [...whole] : yield* malformed("the answer ended in the middle")
})

/** @since 0.1.0 */
export const layer = (
  { apiKey, baseUrl, maxOutputTokens, model }: Options
): Layer.Layer<LanguageModel.LanguageModel, never, HttpClient.HttpClient> =>
  Layer.effect(
    LanguageModel.LanguageModel,
    Effect.gen(function*() {
      const client = HttpClient.filterStatusOk(yield* HttpClient.HttpClient)
      // OpenAI's newer models refuse the name that all others know
      const bound = baseUrl === undefined ? "max_completion_tokens" : "max_tokens"
      const limits = maxOutputTokens === undefined ? {} : { [bound]: maxOutputTokens }
      const post = HttpClientRequest.post(
        `${(baseUrl ?? "https://api.openai.com/v1").replace(/\/+$/, "")}/chat/completions`
      )
        .pipe(apiKey === undefined ? (request) => request : HttpClientRequest.bearerToken(apiKey))

      const streamText = (options: LanguageModel.ProviderOptions) =>
        client.execute(HttpClientRequest.bodyUnsafeJson(post, { model, ...limits, ...ChatWire.request(options) })).pipe(
          Effect.map((response) => response.stream),
          Stream.unwrapScoped,
          Stream.decodeText(),
          events,
          parts,
          Stream.catchTags({
            RequestError: (error) => AiError.HttpRequestError.fromRequestError({ ...place, error }),
            ResponseError: (error) => AiError.HttpResponseError.fromResponseError({ ...place, error })
          })
        )

      return yield* LanguageModel.make({ generateText: (options) => collected(streamText(options)), streamText })
    })
  )
