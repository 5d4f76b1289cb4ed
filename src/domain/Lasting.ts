/**
 * A time as people write it: `30 minutes`, `16 millis`.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"

/** Effect takes what is below zero for nothing at all. */
const decode = (value: unknown) =>
  typeof value !== "string" || value.startsWith("-")
    ? Option.none()
    : Option.filter(Duration.decodeUnknown(value), Duration.isFinite)

const time = (isRight: (duration: Duration.Duration) => boolean) =>
  Schema.transformOrFail(Schema.Unknown, Schema.DurationFromSelf, {
    strict: true,
    decode: (value, _, ast) =>
      Option.match(Option.filter(decode(value), isRight), {
        onSome: (duration) => ParseResult.succeed(duration),
        onNone: () => ParseResult.fail(new ParseResult.Type(ast, value))
      }),
    encode: (duration) => ParseResult.succeed(`${Duration.toMillis(duration)} millis`)
  }).annotations({
    message: ({ actual }) => ({
      message: `must be a time like "30 seconds", not ${JSON.stringify(actual)}`,
      override: true
    })
  })

/** Some time. @since 0.1.0 */
export const Lasting = time(Duration.greaterThan(Duration.zero))

/** Some time, or none: `0 seconds`. @since 0.1.0 */
export const LastingOrNone = time(() => true)
