/**
 * An agent that speaks ACP, as the configuration says it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { AcpAgentOptions } from "../../agent/acp/AcpOptions.js"
import * as AgentFields from "./AgentFields.js"
import * as McpServers from "./McpServers.js"

/** @since 0.1.0 */
export const Acp = Schema.Struct({
  ...AcpAgentOptions.fields,
  kind: Schema.Literal("acp"),
  env: AgentFields.Secrets,
  mcpServers: McpServers.McpServers
})
/** @since 0.1.0 */
export type Acp = typeof Acp.Type

/** The options of the driver, with every secret read; it fails with what is wrong. @since 0.1.0 */
export const resolve = Effect.fnUntraced(function*({ kind, ...agent }: Acp, folder: string) {
  const { all } = AgentFields.reader(folder)
  const options: AcpAgentOptions = {
    ...agent,
    env: yield* all("env", agent.env),
    mcpServers: yield* McpServers.resolve(agent.mcpServers, folder)
  }
  return { kind, options }
})
