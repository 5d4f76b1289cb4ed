/**
 * The log of every session: numbers events, stores them, and only then shows them.
 *
 * ```ts
 * const log = yield* EventLog.EventLog
 * yield* log.append(sessionId, [{ event: { type: "TextChunk", text: "hello" }, runId }])
 * yield* log.tail({ session: sessionId, after: 0 }).pipe(Stream.runForEach((entry) => Console.log(entry.json)))
 * ```
 *
 * @since 0.1.0
 */
import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import * as SqlClient from "@effect/sql/SqlClient"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type {
  CursorExpired,
  EventLogClosed,
  EventLogUnavailable,
  SessionNotFound,
  StoreTooNew
} from "../domain/Errors.js"
import type { SessionId } from "../domain/Ids.js"
import type { Draft, SessionState } from "../domain/Session.js"
import type { EventStore, Listing, LogEntry } from "./EventStore.js"
import * as LiveEdge from "./LiveEdge.js"
import * as LogMetrics from "./LogMetrics.js"
import * as MemoryStore from "./MemoryStore.js"
import { careful, Observer } from "./Observer.js"
import * as Reader from "./Reader.js"
import * as Recovery from "./Recovery.js"
import * as SqlStore from "./SqlStore.js"
import * as Writer from "./Writer.js"

export type { LogEntry } from "./EventStore.js"
export {
  /** @since 0.1.0 */
  type Observe,
  /** @since 0.1.0 */
  Observer
} from "./Observer.js"
export type {
  /** @since 0.1.0 */
  Cursor,
  /** @since 0.1.0 */
  Page,
  /** @since 0.1.0 */
  Reader
} from "./Reader.js"

/** @since 0.1.0 */
export class EventLog extends Context.Tag("holdfast/EventLog")<EventLog, {
  /**
   * Stores the events in order, without another's in between, and returns the number of the last one. It waits until
   * they are stored (EL4); interrupting the caller does not take them back. The first event of a session must be
   * `SessionOpened`.
   */
  readonly append: (
    session: SessionId,
    events: ReadonlyArray<Draft>
  ) => Effect.Effect<number, SessionNotFound | EventLogClosed | EventLogUnavailable>
  /** The stored events after the cursor, page by page, up to the head at the time of the call. */
  readonly read: (
    cursor: Reader.Cursor
  ) => Stream.Stream<LogEntry, SessionNotFound | CursorExpired | EventLogUnavailable>
  /**
   * Replays and then follows, without a gap or a duplicate (EL2), for ever. A cursor past the head waits. A page is a
   * chunk: what is ready together arrives together; an empty one comes where the reader has caught up. It ends when
   * the log closes.
   */
  readonly tail: (
    cursor: Reader.Cursor
  ) => Stream.Stream<LogEntry, SessionNotFound | CursorExpired | EventLogUnavailable>
  /** What `read` or, with `follow`, `tail` gives, for an edge that serves many: a page costs it no fiber. */
  readonly reader: (
    cursor: Reader.Cursor,
    options: { readonly follow: boolean }
  ) => Effect.Effect<Reader.Reader, SessionNotFound | CursorExpired | EventLogUnavailable, Scope.Scope>
  /** The number of the last event. */
  readonly head: (session: SessionId) => Effect.Effect<number, SessionNotFound | EventLogUnavailable>
  /** The fold of the session's events up to its head. */
  readonly state: (session: SessionId) => Effect.Effect<SessionState, SessionNotFound | EventLogUnavailable>
  /** Sessions, newest first, after the one named, at most `limit`. */
  readonly sessions: (
    listing: Listing
  ) => Effect.Effect<ReadonlyArray<SessionState>, SessionNotFound | EventLogUnavailable>
  /**
   * Forgets the events before `oldest` (EL6): a cursor below gets `CursorExpired`. What is past the head, or gone
   * already, changes nothing.
   */
  readonly trim: (
    session: SessionId,
    oldest: number
  ) => Effect.Effect<void, SessionNotFound | EventLogClosed | EventLogUnavailable>
}>() {}

/** Events stored, size and time of a transaction, transactions that failed, and runs that ended, by outcome. @since 0.1.0 */
export const metrics = {
  events: LogMetrics.events,
  batch: LogMetrics.batch,
  seconds: LogMetrics.seconds,
  failures: LogMetrics.failures,
  ...LogMetrics.runs
}

/** @since 0.1.0 */
export interface Options {
  /** How much is kept of each session, at least; it is trimmed in coarse steps (EL6). Everything when left out. */
  readonly retention?: { readonly maxEvents: number } | undefined
}

/**
 * A log over a store that nobody else writes to. It first ends what a crash left open (EL5).
 *
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(store: EventStore, options: Options = {}) {
  const edge = LiveEdge.make()
  yield* Effect.addFinalizer(() => Effect.sync(edge.close))
  // its finalizer runs first: what it still stores is shown before the edge closes (EL7)
  const observe = careful(yield* Observer)
  const writer = yield* Writer.make(store, edge, options.retention?.maxEvents ?? Number.POSITIVE_INFINITY, observe)

  const state = (session: SessionId) => Effect.map(writer.stored(session), ({ state }) => state)
  const readers = Reader.make(store, edge, writer.stored)

  const read = (cursor: Reader.Cursor) =>
    Stream.unwrap(Effect.map(readers.upToHead(cursor), ({ next }) => Stream.repeatEffectChunkOption(pulled(next))))

  const tail = (cursor: Reader.Cursor) =>
    Stream.unwrapScoped(Effect.map(readers.following(cursor), (reader) => {
      const next = pulled(reader.next)
      let idle = false
      return Stream.repeatEffectChunkOption(Effect.suspend(() => {
        // EL3: a stream holds on to the last chunk that it gave, so a reader that waits is given an empty one
        idle = !idle && reader.waits()
        return idle ? Effect.succeed(Chunk.empty()) : next
      }))
    }))

  yield* Recovery.recover(store, writer, observe)

  return EventLog.of({
    append: writer.append,
    read,
    tail,
    reader: (cursor, { follow }) => follow ? readers.following(cursor) : readers.upToHead(cursor),
    head: (session) => Effect.map(state(session), ({ head }) => head),
    state,
    sessions: store.list,
    trim: writer.trim
  })
})

/** As `Stream` pulls. */
const pulled = (next: Reader.Reader["next"]) =>
  Effect.flatMap(
    Effect.mapError(next, Option.some),
    Option.match({ onNone: () => Effect.fail(Option.none()), onSome: Effect.succeed })
  )

/** A log that is gone with its process. @since 0.1.0 */
export const layerMemory: Layer.Layer<EventLog> = Layer.scoped(
  EventLog,
  Effect.flatMap(MemoryStore.make, (store) => make(store))
).pipe(Layer.orDie)

/**
 * A log in the database of the client that is provided. Its tables are `holdfast_…`. Do not append within a
 * transaction of that client: SQLite has one connection, and the log would wait for it.
 *
 * @since 0.1.0
 */
export const layerSql = (
  options: Options = {}
): Layer.Layer<EventLog, StoreTooNew | EventLogUnavailable, SqlClient.SqlClient> =>
  Layer.scoped(EventLog, Effect.flatMap(SqlStore.make, (store) => make(store, options)))

/**
 * A log in an SQLite file, which is made when it is not there. The folder must be there, and one process at a time may
 * hold it: see `DataFolder`.
 *
 * @since 0.1.0
 */
export const layerSqlite = (
  options: Options & { readonly filename: string }
): Layer.Layer<EventLog, StoreTooNew | EventLogUnavailable> =>
  Layer.provide(layerSql(options), Layer.scoped(SqlClient.SqlClient, sqlite(options.filename)))

const sqlite = (filename: string): Effect.Effect<SqlClient.SqlClient, EventLogUnavailable, Scope.Scope> =>
  SqliteClient.make({ filename }).pipe(
    // EL4: with a write-ahead log, a commit survives the end of the process without an fsync each
    Effect.tap((sql) => Effect.zipRight(sql`PRAGMA synchronous = NORMAL`, sql`PRAGMA busy_timeout = 5000`)),
    Effect.provide(Reactivity.layer),
    SqlStore.guard(`open ${filename}`)
  )
