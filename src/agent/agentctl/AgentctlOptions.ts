/**
 * How one agent behind an agentctl host is configured, as a library gives it and as a configuration file says it.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { Count, McpServer, Wait } from "../OptionFields.js"

const Secret = Schema.optional(Schema.RedactedFromSelf(Schema.String))

const HttpUrl = Schema.String.pipe(
  Schema.filter((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), {
    message: ({ actual }) => `must be an address such as "http://127.0.0.1:39429", not ${JSON.stringify(actual)}`
  })
)

/** @since 0.1.0 */
export const AgentctlOptions = Schema.Struct({
  /** Of the host's control server. */
  url: HttpUrl,
  /** Exchanged for a token, once in the host's life. */
  nonce: Secret,
  /** A token that was got before; with it no nonce is needed. */
  token: Secret,
  /** The file in which the token is kept that the nonce was exchanged for, for the next process: the nonce is good for one. */
  tokenFile: Schema.optional(Schema.NonEmptyString),
  /** The agent's program and its arguments, on the host; the host's own default when left out. */
  command: Schema.optional(Schema.NonEmptyString),
  args: Schema.optional(Schema.Array(Schema.String)),
  /** Of the agent. */
  env: Schema.optional(
    Schema.Record({ key: Schema.String, value: Schema.Union(Schema.String, Schema.RedactedFromSelf(Schema.String)) })
  ),
  /** On top of the host's own: what it cannot pass on is told as a `Warning`. */
  mcpServers: Schema.optional(Schema.Array(McpServer)),
  /** The working folder on the host; the session's own when left out, and one that is relative is taken from there. */
  workspace: Schema.optional(Schema.NonEmptyString),
  description: Schema.optional(Schema.String),
  /** From the first request until the session is open; 60 seconds by default. */
  startTimeout: Wait,
  /** How long the host may take to end what a session leaves there, before it is left behind with a warning in the log; 5 seconds by default. */
  leaveTimeout: Wait,
  /** How long the host may say nothing, though it is asked for a sign of life, until its connection is taken for cut; 45 seconds by default. */
  idle: Wait,
  /** How long the host may be out of reach before it is given up; 30 seconds by default. */
  outage: Wait,
  /** After how much silence a turn within which the connection was cut is given up; 5 minutes by default. */
  turnSilence: Wait,
  /** Of one frame, in bytes; 16 MiB by default. */
  maxMessageBytes: Count
})
/** @since 0.1.0 */
export type AgentctlOptions = typeof AgentctlOptions.Type
