/**
 * The MCP servers of an agent, as the configuration says them.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { McpServer } from "../../agent/OptionFields.js"
import * as AgentFields from "./AgentFields.js"

const [RemoteServer, LocalServer] = McpServer.members

const Servers = Schema.Array(Schema.Union(
  Schema.Struct({ ...RemoteServer.fields, headers: AgentFields.Secrets }),
  Schema.Struct({ ...LocalServer.fields, env: AgentFields.Secrets })
))
/** @since 0.1.0 */
export const McpServers = Schema.optionalWith(Servers, { exact: true })
/** @since 0.1.0 */
export type McpServers = typeof Servers.Type

/** With every secret read. @since 0.1.0 */
export const resolve = (servers: McpServers = [], folder: string): AgentFields.Read<ReadonlyArray<McpServer>> => {
  const { all } = AgentFields.reader(folder)
  return Effect.forEach(servers, (server): AgentFields.Read<McpServer> =>
    "url" in server
      ? Effect.map(all(`mcpServers.${server.name}.headers`, server.headers), (headers) => ({ ...server, headers }))
      : Effect.map(all(`mcpServers.${server.name}.env`, server.env), (env) => ({ ...server, env })))
}
