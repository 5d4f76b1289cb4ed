/**
 * An agent of your own, in this process: a model, instructions, tools, and a loop that lets them work.
 *
 * ```ts
 * const Clock = Toolkit.make(Tool.make("now", { description: "What time it is", success: Schema.String }))
 *
 * const clerk = Effect.gen(function*() {
 *   const model = yield* LoopModel.make("gpt-5", OpenAiLanguageModel.layer({ model: "gpt-5" }))
 *   return yield* LoopAgent.make({
 *     name: "clerk",
 *     model,
 *     instructions: "You answer briefly.",
 *     tools: [ToolkitTools.fromToolkit(Clock, Clock.toLayer({ now: () => Effect.map(DateTime.now, DateTime.formatIso) }))]
 *   })
 * })
 * ```
 *
 * It is hosted like every other: its sessions have a log, its questions reach people, its turns can be cancelled and steered.
 * `docs/loop.md` is the guide.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { AgentEvent } from "../../domain/AgentEvent.js"
import { type AgentError, AgentRequestFailed, AgentUnsupported } from "../../domain/Errors.js"
import * as Intake from "../../lifecycle/stream/Intake.js"
import { EventLog } from "../../log/EventLog.js"
import {
  type Agent,
  type AgentConnection,
  Agents,
  type AgentSignal,
  type ConnectOptions,
  makeAgents
} from "../Agent.js"
import { type Definition, limitsOf } from "./Definition.js"
import * as Delegating from "./Delegation.js"
import * as Desk from "./Desk.js"
import * as History from "./History.js"
import * as HookRunner from "./HookRunner.js"
import * as Models from "./Models.js"
import * as Permissions from "./Permissions.js"
import * as Voice from "./Voice.js"

export type {
  /** @since 0.1.0 */
  Definition,
  /** @since 0.1.0 */
  Delegation,
  /** @since 0.1.0 */
  Limits
} from "./Definition.js"
export type {
  /** @since 0.1.0 */
  Permissions,
  /** @since 0.1.0 */
  Rule
} from "./Permissions.js"

/** What all sessions of an agent share: above all, which models cool down. */
const trainer = () => {
  const trained = new WeakMap<Definition, Desk.Trained>()
  return (definition: Definition): Desk.Trained => {
    const known = trained.get(definition)
    if (known !== undefined) return known
    const limits = limitsOf(definition)
    const made: Desk.Trained = {
      definition,
      limits,
      models: Models.make("service" in definition.model ? [definition.model] : definition.model, limits),
      hooks: HookRunner.make(definition.hooks ?? []),
      judge: Permissions.make(definition.permissions)
    }
    trained.set(definition, made)
    return made
  }
}

/** Whether it has something to start with the session; one that has not comes up for its first turn. */
const starts = ({ hooks = [], tools = [] }: Definition): boolean =>
  tools.some(({ lazy }) => lazy !== true) ||
  hooks.some(({ point }) => point === "SessionStart" || point === "SessionEnd")

/** Everyone to whom the conversation can be handed, from hand to hand; only the agent itself if nobody hands over. */
const successors = (root: Definition): ReadonlyMap<string, Definition> => {
  const found = new Map([[root.name, root]])
  for (const { agents = [], delegation = Delegating.standard } of found.values()) {
    if (delegation.includes("handoff")) agents.forEach((agent) => found.has(agent.name) || found.set(agent.name, agent))
  }
  return found
}

const modes = (all: ReadonlyMap<string, Definition>, active: Definition): ReadonlyArray<AgentEvent> =>
  all.size === 1 ? [] : [{
    type: "ModeChanged",
    modeId: active.name,
    available: [...all.values()].map(({ description, name }) => ({ id: name, name, description }))
  }]

/**
 * The log is where an agent that comes up again learns what was said: it keeps nothing of its own.
 *
 * @since 0.1.0
 */
export const make = (definition: Definition): Effect.Effect<Agent, never, EventLog> =>
  Effect.map(EventLog, (log) => {
    const train = trainer()
    const { description = "", name } = definition
    const all = successors(definition)

    const connect = (
      { cwd, resume, sessionId }: ConnectOptions
    ): Effect.Effect<AgentConnection, AgentError, Scope.Scope> =>
      Effect.gen(function*() {
        const scope = yield* Effect.scope
        // also of a session that begins the log may know something: its title
        const history = yield* History.load(log, sessionId).pipe(
          Effect.catchTags({
            SessionNotFound: () => Effect.succeed(undefined),
            EventLogUnavailable: ({ message }) =>
              Effect.fail(new AgentRequestFailed({ method: "connect", code: -32603, message }))
          })
        )
        const how = Option.isNone(resume) ? "opened" : "loaded"
        const signals = Intake.make<AgentSignal, AgentError>(64)
        // nobody listens any more: what waits to be heard is dropped
        const silent = Effect.sync(() => signals.end(Exit.void))
        yield* Scope.addFinalizer(scope, silent)
        let active = all.get(history?.active ?? name) ?? definition
        let desk: Desk.Desk | undefined
        // thousands of sessions may be idle: what only a turn needs is made for the first one
        const awake = Effect.suspend(() =>
          desk !== undefined ? Effect.succeed(desk) : Desk.make({
            place: { sessionId, cwd, voice: Voice.make(signals) },
            active,
            history: history ?? History.none(),
            how,
            train
          }).pipe(
            Scope.extend(scope),
            // runs before the desk's: who waits to be heard would hold them up
            Effect.zipLeft(Scope.addFinalizer(scope, silent)),
            Effect.map((made) => desk ??= made)
          )
        )
        if (starts(active)) yield* Effect.flatMap(awake, ({ start }) => start)

        const connection: AgentConnection = {
          agentSessionId: sessionId,
          how,
          name,
          replayed: [],
          begins: modes(all, active),
          signals,
          prompt: (run, content) => Effect.uninterruptible(Effect.flatMap(awake, (desk) => desk.prompt(run, content))),
          cancel: Effect.suspend(() => desk?.cancel ?? Effect.void),
          cancelRun: (run) => Effect.suspend(() => desk?.cancelRun(run) ?? Effect.void),
          steer: (run, content) => Effect.suspend(() => desk?.steer(run, content) ?? Effect.succeed(false)),
          setMode: (modeId) =>
            Effect.suspend((): Effect.Effect<void, AgentError> => {
              const next = all.get(modeId)
              if (next === undefined) {
                const message = `${name} has no mode "${modeId}"; there are: ${[...all.keys()].join(", ")}`
                return Effect.fail(new AgentUnsupported({ capability: "mode", message }))
              }
              active = next
              desk?.handOver(next)
              return signals.offer([{ _tag: "Said", event: Delegating.modeOf(next), run: undefined }])
            }),
          setConfigOption: (configId) =>
            Effect.fail(
              new AgentUnsupported({ capability: "configOption", message: `${name} has no option "${configId}"` })
            )
        }
        return connection
      })

    return { name, kind: "loop", description, connect }
  })

/** The agents of an application that has no others. @since 0.1.0 */
export const layer = (...definitions: ReadonlyArray<Definition>): Layer.Layer<Agents, never, EventLog> =>
  Layer.effect(Agents, Effect.map(Effect.forEach(definitions, make), makeAgents))
