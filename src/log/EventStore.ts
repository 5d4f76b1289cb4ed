/**
 * What a log needs of a store: six commands on rows. Numbers, order, waking and waiting are the log's own
 * (`EventLog.make`), so a store for another database is a small thing, and the shared suite in `test/log/suite.ts`
 * says when it is right.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { SessionEvent } from "../domain/AgentEvent.js"
import { type EventLogUnavailable, SessionNotFound } from "../domain/Errors.js"
import type { SessionId } from "../domain/Ids.js"
import type { SessionState, SessionStatus } from "../domain/Session.js"

/**
 * One event as every reader gets it. `json` is the whole `StoredEvent`, encoded once, at append; readers on the event
 * path pass it on and decode nothing (`StoredEvent.fromJson` for those who want the value).
 *
 * @since 0.1.0
 */
export interface LogEntry {
  readonly seq: number
  readonly type: SessionEvent["type"]
  readonly json: string
}

/** A session as the store has it: the fold up to its head, and the number of the oldest event left. @since 0.1.0 */
export interface StoredSession {
  readonly state: SessionState
  readonly oldest: number
}

/** New events of one session, and its state after them. @since 0.1.0 */
export interface Advance {
  readonly state: SessionState
  readonly entries: ReadonlyArray<LogEntry>
}

/** A piece of a session's log: `after < seq <= upTo`, in order. @since 0.1.0 */
export interface Range {
  readonly session: SessionId
  readonly after: number
  readonly upTo: number
}

/** Which sessions are listed: newest first, those after the one named, at most `limit`. @since 0.1.0 */
export interface Listing {
  readonly status: Option.Option<SessionStatus>
  readonly after: Option.Option<SessionId>
  readonly limit: number
}

/** @since 0.1.0 */
export interface EventStore {
  readonly load: (session: SessionId) => Effect.Effect<Option.Option<StoredSession>, EventLogUnavailable>
  /** All or nothing (EL4). A session that is not there yet is made. */
  readonly commit: (advances: ReadonlyArray<Advance>) => Effect.Effect<void, EventLogUnavailable>
  /**
   * The beginning of the range, bounded in events and in characters, so that neither many nor huge events fill the
   * memory; at least one event if there is any. What has been trimmed is left out.
   */
  readonly page: (range: Range) => Effect.Effect<ReadonlyArray<LogEntry>, EventLogUnavailable>
  /** Here and in `unfinished` a session whose record is damaged is left out, with an error in the log that names it. */
  readonly list: (listing: Listing) => Effect.Effect<ReadonlyArray<SessionState>, SessionNotFound | EventLogUnavailable>
  /** The sessions for which `Session.recovery` has something to say (EL5). */
  readonly unfinished: Effect.Effect<ReadonlyArray<SessionState>, EventLogUnavailable>
  /** Deletes the events below `oldest`, which is at most the head. */
  readonly trim: (session: SessionId, oldest: number) => Effect.Effect<void, EventLogUnavailable>
}

/** The bounds of one page; `size` is in characters of JSON. @since 0.1.0 */
export const pageLimit = { events: 512, size: 1024 * 1024 }

/**
 * How many of these events, by their sizes, make a page: up to the first that fills it.
 *
 * @since 0.1.0
 */
export const fitting = (sizes: ReadonlyArray<number>): number => {
  let size = 0
  const last = sizes.findIndex((each) => (size += each) >= pageLimit.size)
  return Math.min(last === -1 ? sizes.length : last + 1, pageLimit.events)
}

/** @since 0.1.0 */
export const notFound = (sessionId: SessionId) =>
  new SessionNotFound({ sessionId, message: `there is no session ${sessionId}` })
