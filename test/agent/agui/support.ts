/**
 * A connection to an AG-UI server, and what it says.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { AgentConnection, AgentSignal } from "../../../src/agent/Agent.js"
import * as AguiAgent from "../../../src/agent/agui/AguiAgent.js"
import type { AgentEvent } from "../../../src/domain/AgentEvent.js"
import * as Content from "../../../src/domain/Content.js"
import { RunId, SessionId } from "../../../src/domain/Ids.js"

export const sessionId = SessionId.make("ses_test")

export interface Connected extends AgentConnection {
  /** Everything that was said so far. */
  readonly said: Array<AgentSignal>
  readonly events: () => ReadonlyArray<AgentEvent>
  /** Takes until one fits. */
  readonly take: (fits: (signal: AgentSignal) => boolean) => Effect.Effect<AgentSignal>
  /** As `take`, if none was taken already. */
  readonly has: (fits: (signal: AgentSignal) => boolean) => Effect.Effect<AgentSignal>
  /** Prompts, takes until the turn has ended, and returns how. */
  readonly turn: (text: string) => Effect.Effect<Extract<AgentSignal, { _tag: "TurnEnded" }>["result"]>
  readonly ended: (run: string) => Effect.Effect<Extract<AgentSignal, { _tag: "TurnEnded" }>["result"]>
}

const of = (connection: AgentConnection): Connected => {
  const said: Array<AgentSignal> = []
  let waiting: Array<AgentSignal> = []
  let runs = 0
  const take: Connected["take"] = (fits) =>
    Effect.suspend(() => {
      while (waiting.length > 0) {
        const signal = waiting.shift()
        if (signal === undefined) break
        said.push(signal)
        if (fits(signal)) return Effect.succeed(signal)
      }
      return Effect.flatMap(Effect.orDie(connection.signals.takeAll), ([signals, done]) => {
        waiting = [...Chunk.toReadonlyArray(signals)]
        return done && waiting.length === 0 ? Effect.dieMessage("the connection is gone") : take(fits)
      })
    })
  const ended = (run: string) =>
    Effect.flatMap(
      take((signal) => signal._tag === "TurnEnded" && signal.run === run),
      (signal) => signal._tag === "TurnEnded" ? Effect.succeed(signal.result) : Effect.dieMessage("no end")
    )
  return {
    ...connection,
    said,
    take,
    has: (fits) =>
      Effect.suspend(() => {
        const found = said.find(fits)
        return found === undefined ? take(fits) : Effect.succeed(found)
      }),
    ended,
    events: () => said.flatMap((signal) => signal._tag === "Said" ? [signal.event] : []),
    turn: (text) =>
      Effect.suspend(() => {
        const run = RunId.make(`run_${++runs}`)
        return Effect.zipRight(Effect.orDie(connection.prompt(run, [Content.text(text)])), ended(run))
      })
  }
}

export const connect = (options: AguiAgent.AguiAgentOptions, resume?: string) =>
  AguiAgent.make("remote", options).pipe(
    Effect.provide(NodeHttpClient.layer),
    Effect.flatMap((agent) => agent.connect({ sessionId, cwd: "/tmp", resume: Option.fromNullable(resume) })),
    Effect.orDie,
    Effect.map(of)
  )

/** The text of each message. */
export const texts = (events: ReadonlyArray<AgentEvent>): ReadonlyArray<string> => {
  const found = new Map<string, string>()
  for (const event of events) {
    if (event.type === "TextChunk") {
      found.set(event.messageId ?? "", (found.get(event.messageId ?? "") ?? "") + event.text)
    }
  }
  return [...found.values()]
}
