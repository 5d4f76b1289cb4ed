/**
 * Agents that speak the Agent Client Protocol over stdio: each session is a process of its own.
 *
 * ```ts
 * const agents = AcpAgent.layer({
 *   claude: { command: "claude-agent-acp", env: { ANTHROPIC_API_KEY: Redacted.make("…") } },
 *   demo: { command: "holdfast", args: ["demo-agent"], terminal: false }
 * })
 * ```
 *
 * With a `ProcessLedger` in the context, agents that a killed gateway left behind are ended at the next start.
 *
 * @see https://agentclientprotocol.com
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { AgentError } from "../../domain/Errors.js"
import { type Agent, Agents, type ConnectOptions, makeAgents } from "../Agent.js"
import * as ProcessLedger from "../process/ProcessLedger.js"
import { type AcpConnection, connect } from "./AcpConnection.js"
import type { AcpAgentOptions } from "./AcpOptions.js"

export type { AcpConnection } from "./AcpConnection.js"
export { AcpAgentOptions, McpServer } from "./AcpOptions.js"

/** @since 0.1.0 */
export interface AcpAgent extends Agent {
  readonly kind: "acp"
  readonly connect: (options: ConnectOptions) => Effect.Effect<AcpConnection, AgentError, Scope.Scope>
}

/** @since 0.1.0 */
export const make = (name: string, options: AcpAgentOptions): Effect.Effect<AcpAgent> =>
  Effect.map(Effect.serviceOption(ProcessLedger.ProcessLedger), (ledger) => ({
    name,
    kind: "acp",
    description: options.description ?? [options.command, ...options.args ?? []].join(" "),
    connect: (session) => connect(options, Option.getOrElse(ledger, () => ProcessLedger.none), session)
  }))

/** @since 0.1.0 */
export const layer = (agents: Readonly<Record<string, AcpAgentOptions>>): Layer.Layer<Agents> =>
  Layer.effect(
    Agents,
    Effect.map(Effect.forEach(Object.entries(agents), ([name, options]) => make(name, options)), makeAgents)
  )
