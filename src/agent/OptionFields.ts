/**
 * What the options of several drivers have in common.
 *
 * @since 0.1.0
 */
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { LastingOrNone } from "../domain/Lasting.js"

/** How long something may take. @since 0.1.0 */
export const Wait = Schema.optional(Schema.Union(Schema.DurationFromSelf, LastingOrNone))

const whole = (from: 0 | 1) =>
  Schema.optional(
    Schema.Int.pipe(Schema.greaterThanOrEqualTo(from)).annotations({
      message: ({ actual }) => ({
        message: `must be a whole number from ${from}, not ${JSON.stringify(actual)}`,
        override: true
      })
    })
  )
/** How many. @since 0.1.0 */
export const Count = whole(1)
/** How many, or none at all. @since 0.1.0 */
export const CountOrNone = whole(0)

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
