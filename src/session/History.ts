/**
 * The whole of what the log still has of a session, decoded.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { EventLogUnavailable, SessionNotFound } from "../domain/Errors.js"
import type { SessionId } from "../domain/Ids.js"
import * as StoredEvent from "../domain/StoredEvent.js"
import type { EventLog, LogEntry } from "../log/EventLog.js"

/**
 * From the oldest event that is left, wherever the horizon is.
 *
 * @since 0.1.0
 */
export const events = (
  log: EventLog["Type"],
  session: SessionId,
  select: (entry: LogEntry) => boolean = () => true
): Stream.Stream<StoredEvent.StoredEvent, SessionNotFound | EventLogUnavailable> => {
  const from = (after: number): Stream.Stream<LogEntry, SessionNotFound | EventLogUnavailable> =>
    Stream.catchTag(log.read({ session, after }), "CursorExpired", ({ oldest }) => from(oldest - 1))
  return from(0).pipe(
    Stream.filter(select),
    // the log's own JSON: if it does not decode, something else wrote it
    Stream.mapEffect((entry) => Effect.orDie(StoredEvent.fromJson(entry.json)))
  )
}
