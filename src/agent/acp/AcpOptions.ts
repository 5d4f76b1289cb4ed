/**
 * How one ACP agent is configured, as a library gives it and as a configuration file says it.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { Count, McpServer, Values, Wait } from "../OptionFields.js"

export { McpServer } from "../OptionFields.js"

/** @since 0.1.0 */
export const AcpAgentOptions = Schema.Struct({
  /** A path, or a name that is looked up in PATH. */
  command: Schema.NonEmptyString,
  args: Schema.optional(Schema.Array(Schema.String)),
  /** On top of the allowed part of the gateway's own environment. */
  env: Values,
  description: Schema.optional(Schema.String),
  /** The login to choose, by its id, when the agent wants one. */
  authMethod: Schema.optional(Schema.String),
  mcpServers: Schema.optional(Schema.Array(McpServer)),
  /** Lets the agent read and write files below the session's working folder through Holdfast. On by default. */
  fs: Schema.optional(Schema.Boolean),
  /** Lets the agent run commands through Holdfast. On by default. */
  terminal: Schema.optional(Schema.Boolean),
  /** From the spawn until the session is open; 30 seconds by default. */
  startTimeout: Wait,
  /** Of one message of the agent, in bytes; 16 MiB by default. */
  maxMessageBytes: Count,
  /** How long the end waits after closing stdin, after SIGTERM and after SIGKILL; 2 seconds each by default. */
  grace: Schema.optional(Schema.Struct({ stdin: Wait, term: Wait, kill: Wait }))
})
/** @since 0.1.0 */
export type AcpAgentOptions = typeof AcpAgentOptions.Type
