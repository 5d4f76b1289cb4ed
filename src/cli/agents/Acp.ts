/**
 * An agent that speaks ACP, as the configuration says it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { AcpAgentOptions, McpServer } from "../../agent/acp/AcpAgent.js"
import * as AgentFields from "./AgentFields.js"

const [RemoteServer, LocalServer] = McpServer.members

/** @since 0.1.0 */
export const Acp = Schema.Struct({
  ...AcpAgentOptions.fields,
  kind: Schema.Literal("acp"),
  env: AgentFields.Secrets,
  mcpServers: Schema.optionalWith(
    Schema.Array(Schema.Union(
      Schema.Struct({ ...RemoteServer.fields, headers: AgentFields.Secrets }),
      Schema.Struct({ ...LocalServer.fields, env: AgentFields.Secrets })
    )),
    { exact: true }
  )
})
/** @since 0.1.0 */
export type Acp = typeof Acp.Type

type Server = NonNullable<Acp["mcpServers"]>[number]

/** The options of the driver, with every secret read; it fails with what is wrong. @since 0.1.0 */
export const resolve = Effect.fnUntraced(function*({ kind, ...agent }: Acp, folder: string) {
  const { all } = AgentFields.reader(folder)
  const server = (server: Server): AgentFields.Read<McpServer> =>
    "url" in server
      ? Effect.map(all(`mcpServers.${server.name}.headers`, server.headers), (headers) => ({ ...server, headers }))
      : Effect.map(all(`mcpServers.${server.name}.env`, server.env), (env) => ({ ...server, env }))
  const options: AcpAgentOptions = {
    ...agent,
    env: yield* all("env", agent.env),
    mcpServers: yield* Effect.forEach(agent.mcpServers ?? [], server)
  }
  return { kind, options }
})
