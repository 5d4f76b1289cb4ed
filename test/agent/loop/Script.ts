/** A model in memory that says what a script wants, and an agent of the loop around it. */
import * as AiError from "@effect/ai/AiError"
import * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Prompt from "@effect/ai/Prompt"
import type * as Response from "@effect/ai/Response"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { AgentConnection, AgentSignal } from "../../../src/agent/Agent.js"
import type { Definition } from "../../../src/agent/loop/Definition.js"
import * as LoopAgent from "../../../src/agent/loop/LoopAgent.js"
import * as LoopModel from "../../../src/agent/loop/LoopModel.js"
import * as Toolset from "../../../src/agent/loop/Toolset.js"
import type { AgentEvent } from "../../../src/domain/AgentEvent.js"
import * as Content from "../../../src/domain/Content.js"
import type { ElicitationAnswer } from "../../../src/domain/Elicitation.js"
import { RunId, SessionId } from "../../../src/domain/Ids.js"
import * as EventLog from "../../../src/log/EventLog.js"

type Part = Response.StreamPartEncoded
/** What the model answers to one request. */
export type Turn = Stream.Stream<Part, AiError.AiError>

// ------------------------------------------------------------------------------------------------ what it says

const finish = (
  reason: "stop" | "tool-calls" | "length" | "content-filter" | "pause",
  input = 10,
  output = 5
): Part => ({
  type: "finish",
  reason,
  usage: { inputTokens: input, outputTokens: output, totalTokens: input + output }
})

export const parts = (...all: ReadonlyArray<Part>): Turn => Stream.fromIterable(all)

const chunks = (...deltas: ReadonlyArray<string>): ReadonlyArray<Part> => [
  { type: "text-start", id: "1" },
  ...deltas.map((delta): Part => ({ type: "text-delta", id: "1", delta })),
  { type: "text-end", id: "1" }
]

/** A whole answer, each delta a chunk of its own. */
export const says = (...deltas: ReadonlyArray<string>): Turn =>
  Stream.rechunk(parts(...chunks(...deltas), finish("stop")), 1)

export const saysUsing = (input: number, ...deltas: ReadonlyArray<string>): Turn =>
  parts(...chunks(...deltas), finish("stop", input))

/** Ends for this reason. */
export const ends = (reason: "length" | "content-filter" | "pause", ...deltas: ReadonlyArray<string>): Turn =>
  parts(...chunks(...deltas), finish(reason))

/** Wants these calls; the ids are the same each time, as of providers that are no better. */
export const calls = (...all: ReadonlyArray<readonly [name: string, args?: unknown]>): Turn =>
  parts(
    ...all.map(([name, params = {}], index): Part => ({ type: "tool-call", id: `call_${index}`, name, params })),
    finish("tool-calls")
  )

/** Breaks off in the middle: the connection is lost, and nobody says so. */
export const breaksOff = (...deltas: ReadonlyArray<string>): Turn =>
  Stream.rechunk(Stream.fromIterable(chunks(...deltas).slice(0, -1)), 1)

export const stalls = (...deltas: ReadonlyArray<string>): Turn => Stream.concat(breaksOff(...deltas), Stream.never)

export const fails = (error: AiError.AiError): Turn => Stream.fail(error)

const request = { method: "POST" as const, url: "http://model/v1", urlParams: [], hash: Option.none(), headers: {} }

export const status = (status: number, headers: Record<string, string> = {}, body = "") =>
  new AiError.HttpResponseError({
    module: "Script",
    method: "streamText",
    reason: "StatusCode",
    request,
    response: { status, headers },
    body
  })

export const unreachable = new AiError.HttpRequestError({
  module: "Script",
  method: "streamText",
  reason: "Transport",
  request,
  description: "connect ECONNREFUSED 127.0.0.1:1"
})

// ------------------------------------------------------------------------------------------------ the model

export interface Script {
  readonly model: LoopModel.LoopModel
  /** What was asked, the first request first, each as one text per message. */
  readonly asked: ReadonlyArray<ReadonlyArray<string>>
  readonly tools: ReadonlyArray<ReadonlyArray<string>>
}

const shown = (message: Prompt.Message): string => {
  if (message.role === "system") return `system: ${message.content}`
  const content: ReadonlyArray<Prompt.Part> = message.content
  return `${message.role}: ${
    content.map((part) => {
      switch (part.type) {
        case "text":
          return part.text
        case "tool-call":
          return `${part.name}(${JSON.stringify(part.params)})`
        case "tool-result":
          return `${part.isFailure ? "failed " : ""}${
            typeof part.result === "string" ? part.result : JSON.stringify(part.result)
          }`
        default:
          return part.type
      }
    }).join(" | ")
  }`
}

/** The last one is given again for ever: a script that ends would be a model that fails. */
export const make = (
  turns: ReadonlyArray<Turn | ((prompt: Prompt.Prompt) => Turn)>,
  options: LoopModel.Options & { readonly name?: string } = {}
): Effect.Effect<Script> => {
  const asked: Array<ReadonlyArray<string>> = []
  const tools: Array<ReadonlyArray<string>> = []
  return Effect.map(
    LanguageModel.make({
      generateText: () => Effect.dieMessage("the loop streams"),
      streamText: (options) => {
        const turn = turns[Math.min(asked.length, turns.length - 1)] ?? Stream.dieMessage("no script")
        asked.push(options.prompt.content.map(shown))
        tools.push(options.tools.map(({ name }) => name))
        return typeof turn === "function" ? turn(options.prompt) : turn
      }
    }),
    (service) => ({ model: LoopModel.of(options.name ?? "script", service, options), asked, tools })
  )
}

// ------------------------------------------------------------------------------------------------ the agent

export const runId = Schema.decodeSync(RunId)("run_1")
export const sessionId = Schema.decodeSync(SessionId)("ses_1")

export const connect = (definition: Definition, resume?: string) =>
  Effect.gen(function*() {
    const agent = yield* LoopAgent.make(definition)
    return yield* agent.connect({ sessionId, cwd: "/", resume: Option.fromNullable(resume) })
  }).pipe(Effect.provide(EventLog.layerMemory))

type Reply = ElicitationAnswer | "nobody" | "waits"

/** Takes signals until the run's end, that one included; `reply` answers what is asked. */
export const untilEnd = (
  connection: AgentConnection,
  run: RunId = runId,
  reply: (asked: Extract<AgentSignal, { _tag: "Asked" }>) => Reply = () => "nobody"
) =>
  Effect.gen(function*() {
    const signals: Array<AgentSignal> = []
    while (true) {
      const signal = yield* connection.signals.take
      signals.push(signal)
      if (signal._tag === "Asked") {
        const answer = reply(signal)
        if (answer !== "waits") yield* signal.reply(answer === "nobody" ? Option.none() : Option.some(answer))
      }
      if (signal._tag === "TurnEnded" && signal.run === run) return signals
    }
  })

export const prompt = (connection: AgentConnection, text: string, run: RunId = runId) =>
  connection.prompt(run, [Content.text(text)])

/** The whole turn of one prompt. */
export const turn = (
  connection: AgentConnection,
  text: string,
  reply?: Parameters<typeof untilEnd>[2]
) => Effect.zipRight(prompt(connection, text), untilEnd(connection, runId, reply))

export const events = (signals: ReadonlyArray<AgentSignal>): ReadonlyArray<AgentEvent> =>
  signals.flatMap((signal) => signal._tag === "Said" ? [signal.event] : [])

export const ofType = <Type extends AgentEvent["type"]>(signals: ReadonlyArray<AgentSignal>, type: Type) =>
  events(signals).filter((event): event is Extract<AgentEvent, { type: Type }> => event.type === type)

export const said = (signals: ReadonlyArray<AgentSignal>): string =>
  ofType(signals, "TextChunk").map(({ text }) => text).join("")

export const warnings = (signals: ReadonlyArray<AgentSignal>): ReadonlyArray<string> =>
  ofType(signals, "Warning").map(({ message }) => message)

/** How the run ended: its stop reason, or the error's tag and message. */
export const endOf = (signals: ReadonlyArray<AgentSignal>, run: RunId = runId): string => {
  const ends = signals.flatMap((signal) => signal._tag === "TurnEnded" && signal.run === run ? [signal.result] : [])
  const [result] = ends
  if (result === undefined || ends.length > 1) return `${ends.length} ends`
  return result._tag === "Stopped" ? result.stopReason : `${result.error._tag}: ${result.error.message}`
}

// ------------------------------------------------------------------------------------------------ its tools

export const tool = (
  name: string,
  call: Toolset.Tool["call"] = () => Effect.succeed(Toolset.text(`${name} done`)),
  options: Partial<Toolset.Tool> = {}
): Toolset.Tool => ({
  name,
  description: name,
  parameters: { type: "object", properties: {} },
  readOnly: true,
  call,
  ...options
})

export const tools = (...all: ReadonlyArray<Toolset.Tool>): ReadonlyArray<Toolset.Toolset> => [Toolset.of("tools", all)]
