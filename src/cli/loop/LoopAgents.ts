/**
 * Agents of the kind `loop`, made of what a configuration says.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Agent } from "../../agent/Agent.js"
import * as CommandHook from "../../agent/loop/CommandHook.js"
import type { Definition } from "../../agent/loop/Definition.js"
import * as LoopAgent from "../../agent/loop/LoopAgent.js"
import type { LoopModel } from "../../agent/loop/LoopModel.js"
import * as McpToolset from "../../agent/loop/mcp/McpToolset.js"
import { ProcessLedger } from "../../agent/process/ProcessLedger.js"
import type { SessionId } from "../../domain/Ids.js"
import type { EventLog } from "../../log/EventLog.js"
import type { CliError } from "../CliError.js"
import type { Prepared, PreparedModel } from "./LoopConfig.js"
import * as Models from "./Models.js"

const define = (prepared: Prepared): Effect.Effect<Definition, CliError, Scope.Scope> =>
  Effect.gen(function*() {
    const ledger = Option.getOrUndefined(yield* Effect.serviceOption(ProcessLedger))
    const owned = ledger === undefined ? {} : { ledger }
    /** Agents that share a model share its connections. */
    const models = new Map<PreparedModel, LoopModel>()
    const toModel = (model: PreparedModel) =>
      Effect.suspend(() => {
        const known = models.get(model)
        if (known !== undefined) return Effect.succeed(known)
        return Effect.tap(Models.make(model), (made) => models.set(model, made))
      })
    const toDefinition = (
      { agents, hooks, models: [first, ...others], servers, ...rest }: Prepared
    ): Effect.Effect<Definition, CliError, Scope.Scope> =>
      Effect.gen(function*() {
        return {
          ...rest,
          model: [yield* toModel(first), ...yield* Effect.forEach(others, toModel)],
          tools: servers.map((server) => McpToolset.make(server, owned)),
          hooks: hooks.map(([point, options]) => CommandHook.make(point, { ...options, ...owned })),
          agents: yield* Effect.forEach(agents, toDefinition)
        }
      })
    return yield* toDefinition(prepared)
  })

/** @since 0.1.0 */
export const make = (prepared: Prepared): Effect.Effect<Agent, CliError, Scope.Scope | EventLog> =>
  Effect.flatMap(define(prepared), LoopAgent.make)

const all = (prepared: Prepared): ReadonlyArray<Prepared> => [prepared, ...prepared.agents.flatMap(all)]

/**
 * Opens every MCP server of the agent and of its sub-agents, and tells how many tools each has. It fails with what is wrong with the first
 * that cannot be used. The model is not asked: that may cost.
 *
 * @since 0.1.0
 */
export const probe = (
  prepared: Prepared,
  place: { readonly sessionId: SessionId; readonly cwd: string }
): Effect.Effect<ReadonlyArray<string>, { readonly message: string }, Scope.Scope> =>
  Effect.gen(function*() {
    const servers = all(prepared).flatMap(({ servers }) => servers)
    const tools = yield* Effect.forEach(servers, (server) =>
      Effect.gen(function*() {
        const list = yield* McpToolset.make(server).open({ ...place, warn: () => Effect.void })
        return `${server.name} (${(yield* list).length} tools)`
      }), { concurrency: 4 })
    return [...tools, ...prepared.agents.map(({ name }) => `agent ${name}`)]
  })
