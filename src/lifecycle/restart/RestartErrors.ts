/**
 * How a request for a restart fails, other than as its cycle does.
 *
 * @since 0.1.0
 */
import * as Inspectable from "effect/Inspectable"
import * as Schema from "effect/Schema"

/**
 * The circuit is open: too many cycles have failed, and nothing is tried until it has cooled down or a person asks (RC8).
 *
 * @since 0.1.0
 */
export class RestartStorm extends Schema.TaggedError<RestartStorm>()("RestartStorm", {
  key: Schema.String,
  /** How many cycles have failed of late. */
  failures: Schema.Number,
  retryAfterMillis: Schema.Number,
  message: Schema.String
}) {}

/** The cycle was interrupted, or its key was forgotten before it could start. @since 0.1.0 */
export class RestartCancelled extends Schema.TaggedError<RestartCancelled>()("RestartCancelled", {
  key: Schema.String,
  message: Schema.String
}) {}

/** The scope of the coalescer has closed (RC6). @since 0.1.0 */
export class RestartCoalescerClosed
  extends Schema.TaggedError<RestartCoalescerClosed>()("RestartCoalescerClosed", { message: Schema.String })
{}

/** A key as text. @since 0.1.0 */
export const show = (key: unknown): string => typeof key === "string" ? key : Inspectable.toStringUnknown(key, 0)

/** @since 0.1.0 */
export const storm = (key: unknown, failures: number, retryAfterMillis: number): RestartStorm =>
  new RestartStorm({
    key: show(key),
    failures,
    retryAfterMillis,
    message: `restarting ${
      show(key)
    } has failed ${failures} times; ask again in ${retryAfterMillis} ms, or let a person ask ("requested")`
  })

/** @since 0.1.0 */
export const cancelled = (key: unknown): RestartCancelled =>
  new RestartCancelled({
    key: show(key),
    message: `the restart of ${show(key)} was interrupted before it was over; ask again if it is still wanted`
  })

/** @since 0.1.0 */
export const closed = (): RestartCoalescerClosed =>
  new RestartCoalescerClosed({ message: "the restart coalescer is closed: nothing is restarted any more" })
