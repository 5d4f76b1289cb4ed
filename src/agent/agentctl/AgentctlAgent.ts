/**
 * Agents behind an agentctl host, which runs them somewhere else and is reached over HTTP and WebSockets. Each session is an instance of its
 * own there, with a shell, processes and git beside the agent.
 *
 * ```ts
 * const agents = AgentctlAgent.layer({
 *   host: { url: "http://127.0.0.1:39429", nonce: Redacted.make("…"), command: "claude-agent-acp" }
 * })
 * ```
 *
 * @since 0.1.0
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { AgentError } from "../../domain/Errors.js"
import { type Agent, Agents, type ConnectOptions, makeAgents } from "../Agent.js"
import { type AgentctlConnection, connect } from "./AgentctlConnection.js"
import type { AgentctlOptions } from "./AgentctlOptions.js"
import * as Control from "./Control.js"
import { toAgentError } from "./HostError.js"
import * as Http from "./Http.js"
import * as Instances from "./Instances.js"
import * as KeptToken from "./KeptToken.js"

export type { AgentctlConnection } from "./AgentctlConnection.js"
export { AgentctlOptions } from "./AgentctlOptions.js"

/** @since 0.1.0 */
export interface AgentctlAgent extends Agent {
  readonly kind: "agentctl"
  /** Whether the host is there; needs no token. */
  readonly health: Effect.Effect<void, AgentError>
  /** Whether the first connection takes the nonce, which is good for one. */
  readonly once: Effect.Effect<boolean>
  readonly connect: (options: ConnectOptions) => Effect.Effect<AgentctlConnection, AgentError, Scope.Scope>
}

/** With a client of your own: one that follows redirects would take the token along. @since 0.1.0 */
export const make = (
  name: string,
  options: AgentctlOptions
): Effect.Effect<AgentctlAgent, never, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const { nonce, token, tokenFile, url } = options
    const kept = tokenFile === undefined ? KeptToken.none : KeptToken.inFile(tokenFile)
    const control = yield* Control.make(options, yield* Http.make, kept)
    const host = { control, instances: Instances.make(control, options.leaveTimeout) }
    return {
      name,
      kind: "agentctl",
      health: Effect.mapError(control.health, toAgentError),
      once: Effect.map(Effect.orElseSucceed(kept.read, () => undefined), (before) =>
        nonce !== undefined && token === undefined && before === undefined),
      description: options.description ?? `${options.command ?? "an agent"} behind ${new URL(url).origin}`,
      connect: (session) =>
        connect(options, host, session)
    }
  })

/** @since 0.1.0 */
export const layer = (agents: Readonly<Record<string, AgentctlOptions>>): Layer.Layer<Agents> =>
  Layer.effect(
    Agents,
    Effect.map(Effect.forEach(Object.entries(agents), ([name, options]) => make(name, options)), makeAgents)
  ).pipe(Layer.provide(NodeHttpClient.layer))
