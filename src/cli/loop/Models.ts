/**
 * The models that a configuration names, by the packages of their providers. These are built into the program; who composes the library
 * brings the provider of their choice.
 *
 * @since 0.1.0
 */
import * as AnthropicClient from "@effect/ai-anthropic/AnthropicClient"
import * as AnthropicLanguageModel from "@effect/ai-anthropic/AnthropicLanguageModel"
import * as OpenAiClient from "@effect/ai-openai/OpenAiClient"
import * as OpenAiLanguageModel from "@effect/ai-openai/OpenAiLanguageModel"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as EffectConfig from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as LoopModel from "../../agent/loop/LoopModel.js"
import type { CliError } from "../CliError.js"
import * as DemoModel from "../demo/model/DemoModel.js"
import * as ChatModel from "./ChatModel.js"
import type { PreparedModel } from "./LoopConfig.js"

type OpenAi = Omit<PreparedModel, "provider">

/** The provider's package takes an answer that failed for one that is done. */
const failing = Layer.effect(
  OpenAiClient.OpenAiClient,
  Effect.map(OpenAiClient.OpenAiClient, (client) => ({
    ...client,
    createResponseStream: (options: Parameters<typeof client.createResponseStream>[0]) =>
      Stream.map(client.createResponseStream(options), (event) => {
        if (event.type !== "response.failed") return event
        const { response: { error }, sequence_number } = event
        const { code = "failed", message = "the answer failed" } = error ?? {}
        return new OpenAiClient.ResponseErrorEvent({ type: "error", code, message, param: null, sequence_number })
      })
  }))
)

const responses = ({ apiKey, baseUrl, maxOutputTokens, model }: OpenAi) =>
  OpenAiLanguageModel.layer({
    model,
    // nothing of a conversation is left at the provider: the log has it. Tools have the schemas that they have
    config: {
      store: false,
      strict: false,
      ...maxOutputTokens === undefined ? {} : { max_output_tokens: maxOutputTokens }
    }
  }).pipe(Layer.provide(failing), Layer.provide(OpenAiClient.layer({ apiKey, apiUrl: baseUrl })))

const isOpenAi = (url: string) => /(^|\.)openai\.com$/.test(new URL(url).hostname)

/** Whoever has OpenAI's API and is not OpenAI has chat completions; few have the newer form. */
const openAi = (model: OpenAi) => {
  const { api = model.baseUrl === undefined || isOpenAi(model.baseUrl) ? "responses" : "chat" } = model
  return api === "chat" ? ChatModel.layer(model) : responses(model)
}

const anthropic = ({ apiKey, baseUrl, maxOutputTokens, model }: PreparedModel) =>
  AnthropicLanguageModel.layer({
    model,
    config: maxOutputTokens === undefined ? {} : { max_tokens: maxOutputTokens }
  }).pipe(Layer.provide(AnthropicClient.layer({ apiKey, apiUrl: baseUrl })))

/** The demo's model runs in this process, on a port that is free. */
const demo = (model: PreparedModel) =>
  Layer.unwrapScoped(Effect.gen(function*() {
    const pace = yield* Effect.orElseSucceed(EffectConfig.number("HOLDFAST_DEMO_PACE"), () => 1)
    const { url } = yield* DemoModel.make({ port: 0, pace })
    return openAi({ api: "responses", ...model, baseUrl: url })
  }))

const layers = { openai: openAi, anthropic, demo }

/**
 * It has connections of its own, which end with the scope. They are undici's: of an answer that is cut off, the client over `node:http`
 * does not see the end, and the model would only seem to be silent.
 *
 * @since 0.1.0
 */
export const make = (model: PreparedModel): Effect.Effect<LoopModel.LoopModel, CliError, Scope.Scope> =>
  LoopModel.make(model.model, Layer.provide(layers[model.provider](model), NodeHttpClient.layerUndici), model)
