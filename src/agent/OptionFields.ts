/**
 * What the options of several drivers have in common.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as ParseResult from "effect/ParseResult"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

/** `"30 seconds"`, as people write it. */
const DurationFromText = Schema.transformOrFail(Schema.String, Schema.DurationFromSelf, {
  decode: (text, _, ast) => {
    const duration = Duration.decodeUnknown(text)
    return duration._tag === "Some"
      ? ParseResult.succeed(duration.value)
      : ParseResult.fail(new ParseResult.Type(ast, text, `expected a duration such as "30 seconds", got "${text}"`))
  },
  encode: (duration) => ParseResult.succeed(`${Duration.toMillis(duration)} millis`)
})
/** How long something may take. @since 0.1.0 */
export const Wait = Schema.optional(Schema.Union(Schema.DurationFromSelf, DurationFromText))

/** Secrets are given `Redacted`. */
const Named = Schema.Record({
  key: Schema.String,
  value: Schema.Union(Schema.String, Schema.RedactedFromSelf(Schema.String))
})
/** Environment variables or headers, by their names. @since 0.1.0 */
export const Values = Schema.optional(Named)

/** @since 0.1.0 */
export const reveal = (values: typeof Named.Type | undefined): Record<string, string> =>
  Object.fromEntries(
    Object.entries(values ?? {}).map((
      [name, value]
    ) => [name, Redacted.isRedacted(value) ? Redacted.value(value) : value])
  )

/** An MCP server that the agent shall use. @since 0.1.0 */
export const McpServer = Schema.Union(
  Schema.Struct({
    type: Schema.Literal("http", "sse"),
    name: Schema.String,
    url: Schema.String,
    headers: Values
  }),
  Schema.Struct({
    type: Schema.optional(Schema.Literal("stdio")),
    name: Schema.String,
    command: Schema.String,
    args: Schema.optional(Schema.Array(Schema.String)),
    env: Values
  })
)
/** @since 0.1.0 */
export type McpServer = typeof McpServer.Type
