/**
 * How one MCP server is configured, as a library gives it and as a configuration file says it.
 *
 * @since 0.1.0
 */
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

/** Secrets are given `Redacted`. */
const Values = Schema.Record({
  key: Schema.String,
  value: Schema.Union(Schema.String, Schema.RedactedFromSelf(Schema.String))
})

const Seconds = Schema.optional(Schema.Number.pipe(Schema.positive()))

const shared = {
  /** Tools are called `name__tool`. */
  name: Schema.NonEmptyString,
  /** From the dial until the tools are known, in seconds; 30 by default. */
  startTimeout: Seconds,
  /**
   * How long a call may go without a sign of life, in seconds; 120 by default. Progress is one; while a person is asked the clock stands
   * still.
   */
  callTimeout: Seconds
}

/** A server that is a process of the session; it works in the session's folder. @since 0.1.0 */
export const LocalServer = Schema.Struct({
  ...shared,
  /** A path, or a name that is looked up in PATH. */
  command: Schema.NonEmptyString,
  args: Schema.optional(Schema.Array(Schema.String)),
  /** On top of the allowed part of the gateway's own environment. */
  env: Schema.optional(Values)
})

/** A server that is reached over streamable HTTP. @since 0.1.0 */
export const RemoteServer = Schema.Struct({
  ...shared,
  url: Schema.String.pipe(Schema.filter((url) => URL.canParse(url) && /^https?:/.test(url), {
    message: () => "must be an address like http://127.0.0.1:3001/mcp"
  })),
  headers: Schema.optional(Values)
})

/** @since 0.1.0 */
export const McpServer = Schema.Union(RemoteServer, LocalServer)
/** @since 0.1.0 */
export type McpServer = typeof McpServer.Type

/** @since 0.1.0 */
export const reveal = (values: typeof Values.Type | undefined): Record<string, string> =>
  Object.fromEntries(
    Object.entries(values ?? {}).map((
      [name, value]
    ) => [name, Redacted.isRedacted(value) ? Redacted.value(value) : value])
  )
