/**
 * A span of time in the options of a driver: a `Duration`, or a text as people write it, `"30 seconds"`.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"

const DurationFromText = Schema.transformOrFail(Schema.String, Schema.DurationFromSelf, {
  decode: (text, _, ast) => {
    const duration = Duration.decodeUnknown(text)
    return duration._tag === "Some"
      ? ParseResult.succeed(duration.value)
      : ParseResult.fail(new ParseResult.Type(ast, text, `expected a duration such as "30 seconds", got "${text}"`))
  },
  encode: (duration) => ParseResult.succeed(`${Duration.toMillis(duration)} millis`)
})

/** @since 0.1.0 */
export const Wait = Schema.optional(Schema.Union(Schema.DurationFromSelf, DurationFromText))
