/**
 * An agent behind an agentctl host, as the configuration says it.
 *
 * @since 0.1.0
 */
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { AgentctlOptions } from "../../agent/agentctl/AgentctlOptions.js"
import * as AgentFields from "./AgentFields.js"
import * as McpServers from "./McpServers.js"

/** @since 0.1.0 */
export const Agentctl = Schema.Struct({
  ...AgentctlOptions.fields,
  kind: Schema.Literal("agentctl"),
  nonce: AgentFields.OneSecret,
  token: AgentFields.OneSecret,
  env: AgentFields.Secrets,
  mcpServers: McpServers.McpServers
})
/** @since 0.1.0 */
export type Agentctl = typeof Agentctl.Type

/** The options of the driver, with every secret read; it fails with what is wrong. @since 0.1.0 */
export const resolve = Effect.fnUntraced(function*({ kind, ...agent }: Agentctl, folder: string) {
  const { all, one } = AgentFields.reader(folder)
  const options: AgentctlOptions = {
    ...agent,
    nonce: yield* one("nonce", agent.nonce),
    token: yield* one("token", agent.token),
    env: yield* all("env", agent.env),
    mcpServers: yield* McpServers.resolve(agent.mcpServers, folder),
    tokenFile: agent.tokenFile === undefined ? undefined : (yield* Path.Path).resolve(folder, agent.tokenFile)
  }
  return { kind, options }
})
