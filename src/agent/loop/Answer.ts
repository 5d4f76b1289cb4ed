/**
 * One answer of a model, read as it comes: what it says is passed on at once, what it wants to call is kept until it is done.
 *
 * @since 0.1.0
 */
import type * as AiError from "@effect/ai/AiError"
import * as Prompt from "@effect/ai/Prompt"
import * as Response from "@effect/ai/Response"
import * as AiTool from "@effect/ai/Tool"
import * as Toolkit from "@effect/ai/Toolkit"
import * as Arr from "effect/Array"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { AgentEvent } from "../../domain/AgentEvent.js"
import { IdSource } from "../../domain/Ids.js"
import * as Heartbeat from "../../lifecycle/stream/Heartbeat.js"
import type { LoopModel } from "./LoopModel.js"
import * as ModelError from "./ModelError.js"
import type { Tool } from "./Toolset.js"

/** A call that the model wants made. @since 0.1.0 */
export interface Proposed {
  /** As the log knows it: of our own making, since some providers give the same ids again. */
  readonly id: string
  readonly name: string
  /** What the model gave: an object, or whatever it was that is none. */
  readonly args: unknown
}

/** @since 0.1.0 */
export interface Answer {
  readonly text: string
  readonly calls: ReadonlyArray<Proposed>
  readonly finish: Response.FinishReason
  /** Tokens of the prompt and of the answer, as far as the provider told. */
  readonly usage: { readonly input: number; readonly output: number; readonly cached: number } | undefined
}

/** The tools as the model is told of them; their arguments are checked by the tools, not here. */
const described = new WeakMap<Tool, AiTool.Any>()

const describe = (tool: Tool): AiTool.Any => {
  const known = described.get(tool)
  if (known !== undefined) return known
  const parametersSchema = Schema.Unknown.annotations({ jsonSchema: tool.parameters })
  const made = Object.assign(AiTool.make(tool.name, { description: tool.description }), { parametersSchema })
  described.set(tool, made)
  return made
}

const RawCall = Schema.Struct({
  type: Schema.Literal("tool-call"),
  id: Schema.String,
  name: Schema.String,
  params: Schema.Unknown,
  providerExecuted: Schema.optionalWith(Schema.Boolean, { default: () => false })
})

type Part = Response.StreamPart<Record<string, AiTool.Any>> | typeof RawCall.Type

const asPart = Schema.decodeUnknownOption(Schema.Union(RawCall, Response.StreamPart(Toolkit.empty)))

/**
 * `@effect/ai` refuses a whole chunk for one call of a tool that is not there. What the chunk held is in the error; the stream is over.
 */
const refused = (error: AiError.AiError): ReadonlyArray<Part> => {
  if (error._tag !== "MalformedOutput" || !ParseResult.isParseError(error.cause)) return []
  const { actual } = error.cause.issue
  return Chunk.isChunk(actual) ? Arr.filterMap(Chunk.toReadonlyArray(actual), (part) => asPart(part)) : []
}

/** The tools are described to the model, and the loop makes the calls. */
const toolkit = (tools: ReadonlyArray<Tool>): Toolkit.WithHandler<Record<string, AiTool.Any>> => ({
  tools: Object.fromEntries(tools.map((tool) => [tool.name, describe(tool)])),
  handle: (name) => Effect.dieMessage(`the loop calls ${name} itself`)
})

/**
 * Runs until one of both is done, and goes on when both are gone, also when it is interrupted itself, which `raceFirst` does not.
 */
const until = <A, E>(work: Effect.Effect<A, E>, over: Effect.Effect<never, E>): Effect.Effect<A, E> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const done = yield* Deferred.make<A, E>()
      const fibers = yield* Effect.forEach([work, over], (effect) =>
        Effect.fork(Effect.intoDeferred(Effect.interruptible(effect), done)))
      const exit = yield* Effect.exit(restore(Deferred.await(done)))
      yield* Fiber.interruptAll(fibers)
      return yield* exit
    })
  )

/**
 * `say` may wait, which is no silence of the model.
 *
 * @since 0.1.0
 */
export const read = (options: {
  readonly model: LoopModel
  readonly messages: ReadonlyArray<Prompt.Message>
  readonly tools: ReadonlyArray<Tool>
  readonly idle: Duration.Duration
  readonly say: (events: ReadonlyArray<AgentEvent>) => Effect.Effect<void>
}): Effect.Effect<Answer, ModelError.ModelFailed> =>
  Effect.gen(function*() {
    const { idle, messages, model, say, tools } = options
    const ids = yield* IdSource
    const heartbeat = yield* Heartbeat.make({ idle, scope: yield* Effect.scope })
    const messageId = yield* ids.next("msg")
    /** Calls whose arguments have begun and not ended, by the provider's id. */
    const begun = new Map<string, { readonly name: string; args: string }>()
    const proposed: Array<Omit<Proposed, "id">> = []
    let text = ""
    let finish: Pick<Response.FinishPart, "reason"> & Partial<Response.FinishPart> | undefined
    let broken: unknown

    const take = (parts: Iterable<Part>): ReadonlyArray<AgentEvent> => {
      const events: Array<AgentEvent> = []
      const chunk = (type: "TextChunk" | "ThoughtChunk", delta: string) => {
        const last = events.at(-1)
        if (delta === "") return
        if (last?.type === type) events[events.length - 1] = { ...last, text: last.text + delta }
        else events.push({ type, text: delta, messageId })
      }
      for (const part of parts) {
        switch (part.type) {
          case "text-delta":
            text += part.delta
            chunk("TextChunk", part.delta)
            break
          case "reasoning-delta":
            chunk("ThoughtChunk", part.delta)
            break
          case "tool-params-start":
            if (!part.providerExecuted) begun.set(part.id, { name: part.name, args: "" })
            break
          case "tool-params-delta": {
            const call = begun.get(part.id)
            if (call !== undefined) call.args += part.delta
            break
          }
          case "tool-call":
            begun.delete(part.id)
            if (!part.providerExecuted) proposed.push({ name: part.name, args: part.params })
            break
          case "finish":
            finish = part
            break
          case "error":
            broken = part.error
            break
        }
      }
      return events
    }

    const hear = (parts: Iterable<Part>) =>
      Effect.suspend(() => {
        const events = take(parts)
        if (broken !== undefined) return Effect.fail(ModelError.said(model.name, broken))
        return events.length === 0 ? heartbeat.beat : heartbeat.hold(say(events))
      })

    const asked = Effect.suspend(() =>
      model.service.streamText({
        prompt: Prompt.fromMessages(messages),
        toolkit: toolkit(tools),
        disableToolCallResolution: true
      }).pipe(Stream.runForEachChunk(hear))
    )

    // the stream is over, but what it wanted to call is known: the model is told what was wrong with it
    const rescue = (error: AiError.AiError) =>
      Effect.gen(function*() {
        const rest = refused(error)
        const known = rest.some(({ type }) => type === "tool-call") || begun.size > 0
        if (error._tag !== "MalformedOutput" || !known) {
          return yield* Effect.fail(ModelError.of(model.name, error, yield* Clock.currentTimeMillis))
        }
        yield* hear(rest)
        for (const call of begun.values()) proposed.push(call)
        finish ??= { reason: "tool-calls" }
      })

    yield* until(
      asked.pipe(
        Effect.catchAll((error) => error._tag === "ModelFailed" ? Effect.fail(error) : rescue(error)),
        Effect.tapDefect((cause) => Effect.logError(`the provider of ${model.name} died`, cause)),
        Effect.catchAllDefect(() => Effect.fail(ModelError.died(model.name)))
      ),
      Effect.zipRight(
        heartbeat.silence,
        Effect.fail(ModelError.stalled(model.name, Duration.format(idle)))
      )
    )
    if (finish === undefined) return yield* Effect.fail(ModelError.said(model.name, "it ended in the middle"))
    const { reason, usage } = finish
    if (reason === "error") return yield* Effect.fail(ModelError.said(model.name, "it says that it has failed"))
    const calls = yield* Effect.forEach(proposed, (call) => Effect.map(ids.next("call"), (id) => ({ id, ...call })))
    const answer: Answer = {
      text,
      calls,
      finish: reason,
      // of a provider that does not count the loop makes a guess
      usage: usage?.inputTokens === undefined
        ? undefined
        : { input: usage.inputTokens, output: usage.outputTokens ?? 0, cached: usage.cachedInputTokens ?? 0 }
    }
    return answer
  }).pipe(Effect.scoped)
