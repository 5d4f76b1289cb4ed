/**
 * An event with its place in the log.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { SessionEvent } from "./AgentEvent.js"
import { RunId, SessionId } from "./Ids.js"

/**
 * `seq` numbers the events of one session from 1, without holes (EL1). `runId` is absent for what happened outside a run. `at` is
 * when the log accepted it, ISO 8601 in UTC.
 *
 * @since 0.1.0
 */
export const StoredEvent = Schema.Struct({
  seq: Schema.Positive.pipe(Schema.int()),
  sessionId: SessionId,
  runId: Schema.optional(RunId),
  at: Schema.String,
  event: SessionEvent
})
/** @since 0.1.0 */
export type StoredEvent = typeof StoredEvent.Type

/**
 * A stored event from its JSON.
 *
 * @since 0.1.0
 */
export const fromJson = Schema.decode(Schema.parseJson(StoredEvent))
