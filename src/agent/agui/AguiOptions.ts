/**
 * How one AG-UI endpoint is configured, as a library gives it and as a configuration file says it.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { Count, CountOrNone, Values, Wait } from "../OptionFields.js"

const Endpoint = Schema.String.pipe(
  Schema.filter((text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined
    if (url?.protocol !== "http:" && url?.protocol !== "https:") {
      return "must be an absolute http or https address"
    }
    // it is told in messages
    return url.username === "" && url.password === "" ||
      "must not have a password in it; that goes into headers or token"
  })
)

/** @since 0.1.0 */
export const AguiAgentOptions = Schema.Struct({
  /** Where runs are posted. */
  url: Endpoint,
  /**
   * What the agent says while no run is open, as an event stream. `{threadId}` in it is where the thread's name belongs; without it the
   * name is added to the path.
   */
  events: Schema.optional(Endpoint),
  /** Where a POST of `{ thread_id }` interrupts the run of a thread. Without it a cancel only closes the run's request. */
  interrupt: Schema.optional(Endpoint),
  /** Sent with each request. */
  headers: Values,
  /** Sent as `Authorization: Bearer …`. */
  token: Schema.optional(Schema.Union(Schema.String, Schema.RedactedFromSelf(Schema.String))),
  description: Schema.optional(Schema.String),
  /** Sent with each run, as it is. */
  forwardedProps: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown })),
  /** Tools whose calls are questions to a person; case and punctuation do not count. `AskUserQuestion` by default. */
  askTools: Schema.optional(Schema.Array(Schema.String)),
  /** How long a run waits for an endpoint at which nobody listens yet; 10 seconds by default. */
  startTimeout: Wait,
  /** How long a run may say nothing, comments included, until it is taken for lost; 10 minutes by default. */
  idle: Wait,
  /** As `idle`, for `events`, which are then asked for again; 90 seconds by default. */
  eventsIdle: Wait,
  /** How long a run that was told to stop may take to end by itself, where it can be told; 2 seconds by default. */
  cancelGrace: Wait,
  /** Of one event, in characters; 10 Mi by default. */
  maxEventCharacters: Count,
  /** How much of the conversation is sent with a run, in characters, oldest turns left out; 512 Ki by default. 0: the prompt only. */
  maxHistoryCharacters: CountOrNone
})
/** @since 0.1.0 */
export type AguiAgentOptions = typeof AguiAgentOptions.Type

/** @since 0.1.0 */
export const defaults = {
  askTools: ["AskUserQuestion"],
  startTimeout: Duration.seconds(10),
  idle: Duration.minutes(10),
  eventsIdle: Duration.seconds(90),
  cancelGrace: Duration.seconds(2),
  maxEventCharacters: 10 * 1024 * 1024,
  maxHistoryCharacters: 512 * 1024
}
