/**
 * How the AG-UI route refuses, beside what every route does. It is a file of its own because clients bundle the API.
 *
 * @since 0.1.0
 */
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as Schema from "effect/Schema"

/** The thread is a session of another agent than the one that was called. @since 0.1.0 */
export class ThreadOfOtherAgent extends Schema.TaggedError<ThreadOfOtherAgent>()(
  "ThreadOfOtherAgent",
  { threadId: Schema.String, agent: Schema.String, message: Schema.String },
  HttpApiSchema.annotations({ status: 409 })
) {}

/** The run id was used in this thread before, for another prompt. @since 0.1.0 */
export class RunIdTaken extends Schema.TaggedError<RunIdTaken>()(
  "RunIdTaken",
  { runId: Schema.String, message: Schema.String },
  HttpApiSchema.annotations({ status: 409 })
) {}
