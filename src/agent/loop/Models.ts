/**
 * Asks a model, again if that helps, and another one if it does not.
 *
 * @since 0.1.0
 */
import type * as Prompt from "@effect/ai/Prompt"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { AgentEvent } from "../../domain/AgentEvent.js"
import type { AgentError } from "../../domain/Errors.js"
import * as Backoff from "../../lifecycle/stream/Backoff.js"
import * as Answer from "./Answer.js"
import { brokeOff } from "./Conversation.js"
import type { Limits } from "./Definition.js"
import type { LoopModel } from "./LoopModel.js"
import type { ModelFailed } from "./ModelError.js"
import type { Tool } from "./Toolset.js"

/** @since 0.1.0 */
export interface Asked {
  /** A refusal as too long fails at once: whoever asks makes it shorter first. Otherwise another model may take it. */
  readonly canShorten?: boolean | undefined
  readonly messages: () => ReadonlyArray<Prompt.Message>
  readonly tools: ReadonlyArray<Tool>
  readonly say: (events: ReadonlyArray<AgentEvent>) => Effect.Effect<void>
}

/** @since 0.1.0 */
export interface Models {
  /** Of the model by that name: it refuses what is longer, whatever was said of it. In tokens. */
  readonly learn: (model: string, size: number) => void
  /** The one that would be asked now. */
  readonly next: Effect.Effect<LoopModel>
  /** Fails with the error of the last one that was asked. */
  readonly ask: (
    asked: Asked
  ) => Effect.Effect<{ readonly model: LoopModel; readonly answer: Answer.Answer }, AgentError>
}

const backoff = Backoff.make({ base: "500 millis", cap: "10 seconds" })

/** Which of them cool down is known to all sessions of the agent. @since 0.1.0 */
export const make = (
  models: readonly [LoopModel, ...ReadonlyArray<LoopModel>],
  limits: Limits
): Models => {
  const coolUntil = new Map<LoopModel, number>()
  const learned = new Map<string, number>()

  const asKnown = (model: LoopModel): LoopModel => {
    const contextSize = Math.min(model.contextSize, learned.get(model.name) ?? model.contextSize)
    return contextSize === model.contextSize ? model : { ...model, contextSize }
  }
  const learn: Models["learn"] = (model, size) => {
    if (size > 0) learned.set(model, Math.min(size, learned.get(model) ?? size))
  }

  /** Those that do not cool down, in their order, or the first one if all do. */
  const candidates = Effect.map(Clock.currentTimeMillis, (now): readonly [LoopModel, ...ReadonlyArray<LoopModel>] => {
    const [first, ...rest] = models.filter((model) => (coolUntil.get(model) ?? 0) <= now)
    return first === undefined ? [models[0]] : [first, ...rest]
  })

  const attempt = (model: LoopModel, asked: Asked, number: number): Effect.Effect<Answer.Answer, ModelFailed> => {
    let spoke = false
    let wrote = false
    const say = (events: ReadonlyArray<AgentEvent>) => {
      spoke = true
      wrote ||= events.some(({ type }) => type === "TextChunk")
      return asked.say(events)
    }
    return Answer.read({ model, messages: asked.messages(), tools: asked.tools, idle: limits.idle, say }).pipe(
      Effect.tapError(({ message }) =>
        spoke
          ? asked.say([{
            type: "Warning",
            // of a thought alone there is nothing to take back
            ...wrote ? { kind: brokeOff } : {},
            message: "the answer broke off and does not count",
            detail: message
          }])
          : Effect.void
      ),
      Effect.catchAll((failed) =>
        Effect.flatMap(Random.next, (chance) => {
          const wait = failed.retryAfter ?? Duration.toMillis(Backoff.delay(backoff, number + 1, chance))
          return failed.transient && number < limits.attempts && wait <= Duration.toMillis(limits.patience)
            ? Effect.zipRight(Effect.sleep(wait), attempt(model, asked, number + 1))
            : Effect.fail(failed)
        })
      )
    )
  }

  const coolDown = (model: LoopModel, { retryAfter = 0, transient }: ModelFailed) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      if (transient) coolUntil.set(model, now + Math.max(retryAfter, Duration.toMillis(limits.coolDown)))
    })

  const ask = (
    [model, ...others]: readonly [LoopModel, ...ReadonlyArray<LoopModel>],
    asked: Asked
  ): ReturnType<Models["ask"]> =>
    Effect.suspend(() => attempt(model, asked, 1)).pipe(
      Effect.map((answer) => ({ model: asKnown(model), answer })),
      Effect.catchAll((failed) => {
        if (failed.error._tag === "AgentContextExceeded" && asked.canShorten === true) return Effect.fail(failed.error)
        return Effect.zipRight(
          coolDown(model, failed),
          Effect.suspend(() => {
            const [next, ...rest] = others
            if (next === undefined) return Effect.fail(failed.error)
            const message = `the model "${model.name}" failed, "${next.name}" is asked instead`
            return Effect.zipRight(
              asked.say([{ type: "Warning", kind: "model_fallback", message, detail: failed.message }]),
              ask([next, ...rest], asked)
            )
          })
        )
      })
    )

  return {
    learn,
    next: Effect.map(candidates, ([model]) => asKnown(model)),
    ask: (asked) => Effect.flatMap(candidates, (models) => ask(models, asked))
  }
}
