/**
 * A model as the loop asks it: an `@effect/ai` language model with a name, and what is known of its context and its price.
 *
 * ```ts
 * const model = yield* LoopModel.make("gpt-5", OpenAiLanguageModel.layer({ model: "gpt-5" }), { contextSize: 400_000 })
 * ```
 *
 * @since 0.1.0
 */
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"

/** Per million tokens. @since 0.1.0 */
export interface Price {
  readonly input: number
  readonly output: number
  /** Of input that the provider had in its cache; as any other by default. */
  readonly cachedInput?: number | undefined
  /** ISO 4217; USD by default. */
  readonly currency?: string | undefined
}

/** @since 0.1.0 */
export interface LoopModel {
  readonly name: string
  readonly service: LanguageModel.Service
  /** In tokens. */
  readonly contextSize: number
  readonly price: Price | undefined
}

/** @since 0.1.0 */
export interface Options {
  /** 128,000 tokens by default. */
  readonly contextSize?: number | undefined
  readonly price?: Price | undefined
}

/** From a service that is there. @since 0.1.0 */
export const of = (
  name: string,
  service: LanguageModel.Service,
  { contextSize = 128_000, price }: Options = {}
): LoopModel => ({ name, service, contextSize, price })

/** From a provider's layer, which lives as long as the scope. @since 0.1.0 */
export const make = <E, R>(
  name: string,
  layer: Layer.Layer<LanguageModel.LanguageModel, E, R>,
  options: Options = {}
): Effect.Effect<LoopModel, E, R | Scope.Scope> =>
  Effect.map(Layer.build(layer), (context) => of(name, Context.get(context, LanguageModel.LanguageModel), options))
