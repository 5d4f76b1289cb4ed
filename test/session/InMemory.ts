/**
 * A session under `Interleave`: over a log in memory, without a disk and with ids that are the same in every schedule.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import { expect } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Agent } from "../../src/agent/Agent.js"
import * as Agents from "../../src/agent/Agent.js"
import * as Content from "../../src/domain/Content.js"
import { IdSource } from "../../src/domain/Ids.js"
import * as StoredEvent from "../../src/domain/StoredEvent.js"
import * as EventLog from "../../src/log/EventLog.js"
import * as Sessions from "../../src/session/Sessions.js"
import * as Harness from "./Harness.js"

/** Every working folder is there. */
const platform = Layer.merge(
  FileSystem.layerNoop({ stat: () => Effect.succeed({ type: "Directory" } as FileSystem.File.Info) }),
  Path.layer
)

/** Ids without chance, and no word of the agents that are killed. */
export const repeatable = <A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    let n = 0
    return program.pipe(
      Effect.provideService(IdSource, { next: (prefix) => Effect.sync(() => `${prefix}_${++n}`) }),
      Logger.withMinimumLogLevel(LogLevel.None)
    )
  })

/** One open session of the agent. The log outlives the sessions, so that it tells how they ended. */
export const make = Effect.fnUntraced(function*(agent: Agent) {
  const log = yield* Effect.map(Layer.build(EventLog.layerMemory), Context.get(EventLog.EventLog))
  const scope = yield* Scope.make()
  const layer = Sessions.layer.pipe(
    Layer.provide([Layer.succeed(EventLog.EventLog, log), Agents.layer([agent]), platform])
  )
  const sessions = yield* Effect.map(Scope.extend(Layer.build(layer), scope), Context.get(Sessions.Sessions))
  // it is there also when its agent is gone before it was ready
  yield* Effect.exit(sessions.create({ agent: agent.name }))
  const [session] = yield* sessions.list({ status: Option.none(), after: Option.none(), limit: 1 })
  const { id } = yield* Effect.fromNullable(session)
  return {
    sessions,
    id,
    prompt: (text: string, whenBusy?: "refuse" | "queue" | "steer") =>
      sessions.prompt(id, { content: [Content.text(text)], whenBusy }),
    shutdown: Scope.close(scope, Exit.void),
    history: log.read({ session: id, after: 0 }).pipe(
      Stream.mapEffect((entry) => StoredEvent.fromJson(entry.json)),
      Stream.runCollect,
      Effect.map(Chunk.toReadonlyArray)
    )
  }
})

/** @see make */
export type InMemory = Effect.Effect.Success<ReturnType<typeof make>>

/** What holds of the log of any session when all is over. */
export const checkHistory = (history: ReadonlyArray<StoredEvent.StoredEvent>): void => {
  const story = history.map(Harness.label).join(" ")
  const accepted = new Set<string>()
  const over = new Set<string>()
  const questions = new Map<string, string | undefined>()
  let turn: string | undefined
  /** The runs that the agent opened, and what they are nested in. */
  const opened = new Map<string | undefined, string | undefined>()
  const isOpen = (run: string | undefined) => run !== undefined && (run === turn || opened.has(run))
  const must = (truth: boolean, promise: string) => expect(truth, `${promise}: ${story}`).toBe(true)
  for (const { event, runId } of history) {
    must(
      runId === undefined || event.type === "RunQueued" || event.type === "RunStarted" || event.type === "RunDropped" ||
        isOpen(runId),
      `RS6 ${event.type} belongs to a run that is open`
    )
    must(runId === undefined || !over.has(runId), `RS1 nothing of a run comes after its end, but ${event.type} does`)
    switch (event.type) {
      case "RunQueued":
      case "RunStarted":
        accepted.add(runId ?? "")
        if (event.type === "RunQueued") break
        if (event.until !== undefined) {
          must(
            event.until === "session" || isOpen(event.parentRunId),
            "RS6 what is nested is within a run that is open"
          )
          must(!isOpen(runId), "RS1 a run begins once")
          opened.set(runId, event.until === "parent" ? event.parentRunId : undefined)
          break
        }
        must(turn === undefined, "RS5 one turn at a time")
        turn = runId
        break
      case "RunDropped":
      case "RunEnded":
        must(![...opened.values()].includes(runId ?? "none"), "RS2 what is nested in a run has ended before it")
        if (event.type === "RunEnded" && !opened.delete(runId)) {
          must(turn === runId, "RS1 what ends has begun")
          turn = undefined
        }
        must(![...questions.values()].includes(runId), "RS2 a run's questions have ended before it")
        over.add(runId ?? "")
        break
      case "ElicitationRequested":
        must(runId === undefined || isOpen(runId), "EB4 a question is of a run that is open")
        questions.set(event.elicitation.id, runId)
        break
      case "ElicitationSettled":
        must(questions.get(event.elicitationId) === runId, "EB3 a question ends in the run that asked it")
        must(questions.delete(event.elicitationId), "EB2 a question ends once")
        break
    }
  }
  must(accepted.size === over.size, "RS1 every run has an end")
  must(questions.size === 0, "EB4 every question has an end")
}
