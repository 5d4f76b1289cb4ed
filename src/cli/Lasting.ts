/**
 * A time as people write it: `30 minutes`, `16 millis`.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"

const decode = (value: unknown) =>
  typeof value !== "string" ? Option.none() : Option.filter(
    Duration.decodeUnknown(value),
    (duration) => Duration.isFinite(duration) && Duration.greaterThan(duration, Duration.zero)
  )

/** @since 0.1.0 */
export const Lasting = Schema.transformOrFail(Schema.Unknown, Schema.DurationFromSelf, {
  strict: true,
  decode: (value, _, ast) =>
    Option.match(decode(value), {
      onSome: (duration) => ParseResult.succeed(duration),
      onNone: () => ParseResult.fail(new ParseResult.Type(ast, value))
    }),
  encode: (duration) => ParseResult.succeed(`${Duration.toMillis(duration)} millis`)
}).annotations({
  message: ({ actual }) => ({
    message: `must be a time like "30 minutes", not ${JSON.stringify(actual)}`,
    override: true
  })
})
