/**
 * The MCP servers that an agent shall use, in the host's form, and what the host says of those that it does not pass on.
 *
 * @since 0.1.0
 */
import type { AgentEvent } from "../../domain/AgentEvent.js"
import * as OptionFields from "../OptionFields.js"
import { type Fields, fieldsOf, string } from "./Wire.js"

/** @since 0.1.0 */
export const toHost = (servers: ReadonlyArray<OptionFields.McpServer> = []): ReadonlyArray<Fields> =>
  servers.map((server) =>
    "url" in server
      ? { name: server.name, type: server.type, url: server.url, headers: OptionFields.reveal(server.headers) }
      : {
        name: server.name,
        type: "stdio",
        command: server.command,
        args: server.args ?? [],
        env: OptionFields.reveal(server.env)
      }
  )

/** Of the host's report on one of them: the agent works on without it, and somebody should know. @since 0.1.0 */
export const leftOut = (fields: Fields): AgentEvent | undefined => {
  const { error, kind, reason_code, server_name, source } = fieldsOf(fields["mcp_attachment"])
  // the host's own server is its own affair
  if (kind !== "filtered" && kind !== "failed" || source === "kandev") return undefined
  const why = string(error) ?? string(reason_code) ?? "the host does not say why"
  return { type: "Warning", message: `the agent is without its MCP server ${String(server_name)}: ${why}` }
}
