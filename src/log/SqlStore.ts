/**
 * A store in an SQL database. SQLite is the one that it is made and tested for.
 *
 * Two tables: a row a session, with its state, and a row an event. Both are written in one transaction, so that the
 * state never says more or less than the events.
 *
 * @since 0.1.0
 */
import * as Migrator from "@effect/sql/Migrator"
import * as SqlClient from "@effect/sql/SqlClient"
import type { Connection, Row } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import type { Statement } from "@effect/sql/Statement"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { EventLogUnavailable, StoreTooNew } from "../domain/Errors.js"
import * as Issues from "../domain/Issues.js"
import * as Session from "../domain/Session.js"
import type { Advance, EventStore, LogEntry } from "./EventStore.js"
import { fitting, notFound, pageLimit } from "./EventStore.js"

const table = "holdfast_migrations"

const migrations: Readonly<Record<string, Effect.Effect<void, SqlError, SqlClient.SqlClient>>> = {
  "1_sessions_and_events": Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    // `ordinal` is the order in which sessions were opened, and a short name for the rows of events
    yield* sql`CREATE TABLE holdfast_sessions (
      ordinal INTEGER PRIMARY KEY,
      id TEXT NOT NULL UNIQUE,
      status TEXT NOT NULL,
      unfinished INTEGER NOT NULL,
      state TEXT NOT NULL
    )`
    // `size` stands before `json`: sizes are read without the pages that a long text overflows to
    yield* sql`CREATE TABLE holdfast_events (
      session INTEGER NOT NULL,
      seq INTEGER NOT NULL,
      type TEXT NOT NULL,
      size INTEGER NOT NULL,
      json TEXT NOT NULL,
      PRIMARY KEY (session, seq)
    )`
  })
}

/** The newest schema that this version knows. */
const supported = Math.max(...Object.keys(migrations).map((name) => Number.parseInt(name)))

/** What the driver said, without what was wrapped around it. @since 0.1.0 */
export const reason = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  const root = error instanceof SqlError ? error.cause : error
  return root instanceof Error ? root.message : String(root)
}

/**
 * Whatever goes wrong in the database as one error. Defects too: `@effect/sql` makes one of a failed COMMIT and of a
 * failed migration, and the SQLite driver throws when it cannot open its file.
 *
 * @since 0.1.0
 */
export const guard = (doing: string) => <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.catchAllCause(effect, (cause): Effect.Effect<never, EventLogUnavailable> =>
    Cause.isInterruptedOnly(cause)
      ? Effect.interrupt
      : Effect.fail(new EventLogUnavailable({ message: `the event log cannot ${doing}: ${reason(cause)}` })))

const prepare = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  // a schema newer than all of ours is left as it is
  yield* Migrator.make({})({ loader: Migrator.fromRecord(migrations), table })
  const rows = yield* sql<{ found: number }>`SELECT MAX(migration_id) AS found FROM ${sql(table)}`
  return rows[0]?.found ?? 0
})

const fromJson = Schema.decode(Schema.parseJson(Session.SessionState))

interface StateRow {
  readonly id: string
  readonly state: string
}

const decodeState = ({ id, state }: StateRow) =>
  Effect.mapError(fromJson(state), (error) => {
    const message = `its record of session ${id} is damaged: ${Issues.toText(Issues.ofError(error))}`
    return new EventLogUnavailable({ message })
  })

const encodeState = (state: Session.SessionState): string => {
  // its decoded form is its encoded form (this assignment is the proof)
  const encoded: typeof Session.SessionState.Encoded = state
  return JSON.stringify(encoded)
}

const rowOf = ({ state }: Advance) => ({
  id: state.id,
  status: Session.status(state),
  unfinished: Session.recovery(state, "").length > 0 ? 1 : 0,
  state: encodeState(state)
})

/** Rows for one statement each, in powers of two: few statements, and few distinct ones to prepare. */
const slices = <A>(rows: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> => {
  const slices: Array<ReadonlyArray<A>> = []
  for (let from = 0; from < rows.length;) {
    const size = Math.min(2 ** Math.floor(Math.log2(rows.length - from)), 512)
    slices.push(rows.slice(from, from += size))
  }
  return slices
}

type Rows = ReadonlyArray<Record<string, unknown>>

/** The text of a statement for so many rows, made once: to make it costs more than to run it. */
const texts = (statement: (rows: Rows) => Statement<Row>) => {
  const known = new Map<number, string>()
  return (rows: Rows): string => {
    let text = known.get(rows.length)
    if (text === undefined) {
      text = statement(rows).compile()[0]
      known.set(rows.length, text)
    }
    return text
  }
}

/** Events that one DELETE takes: other work comes in between. */
const trimStep = 2000

/**
 * Brings the schema up to date; a store that a newer Holdfast wrote is left alone.
 *
 * @since 0.1.0
 */
export const make: Effect.Effect<EventStore, StoreTooNew | EventLogUnavailable, SqlClient.SqlClient> = Effect.gen(
  function*() {
    const sql = (yield* SqlClient.SqlClient).withoutTransforms()
    const found = yield* guard("prepare its store")(prepare)
    if (found > supported) {
      return yield* Effect.fail(
        new StoreTooNew({
          found,
          supported,
          message:
            `the store has schema ${found}, of a newer Holdfast; this one knows schemas up to ${supported}: upgrade it`
        })
      )
    }
    // EL4: SQLite has one connection, and a statement that slipped into the open transaction would read what may be
    // rolled back
    const alone = (yield* Effect.makeSemaphore(1)).withPermits(1)
    // no span a statement on the event path
    const exclusively = <A, E>(doing: string, effect: Effect.Effect<A, E>) =>
      guard(doing)(Effect.withTracerEnabled(alone(effect), false))

    const named = new Set<string>()
    /** A record that is damaged takes no other along: it is named in the log, once, and left out. */
    const statesOf = (rows: ReadonlyArray<StateRow>) =>
      Effect.map(
        Effect.forEach(rows, (row) =>
          decodeState(row).pipe(
            Effect.map((state) => [state]),
            Effect.catchAll(({ message }) => {
              if (named.has(row.id)) return Effect.succeed([])
              named.add(row.id)
              return Effect.as(Effect.logError(`a session is left out, the others are not concerned: ${message}`), [])
            })
          )),
        (states) => states.flat()
      )

    const numberOf = (session: string) => sql`(SELECT ordinal FROM holdfast_sessions WHERE id = ${session})`

    const upsert = texts((rows) =>
      sql`INSERT INTO holdfast_sessions ${sql.insert(rows)}
        ON CONFLICT (id) DO UPDATE SET
          status = excluded.status, unfinished = excluded.unfinished, state = excluded.state
        RETURNING ordinal, id`
    )
    const insert = texts((rows) => sql`INSERT INTO holdfast_events ${sql.insert(rows)}`)

    /** On a reserved connection, without the span and the savepoints of `withTransaction`: this is the event path. */
    const commit = (advances: ReadonlyArray<Advance>) => (connection: Connection) => {
      const run = (text: string, rows: Rows = []) => connection.execute(text, rows.flatMap(Object.values), undefined)
      return Effect.gen(function*() {
        yield* run("BEGIN")
        const ordinals = new Map<unknown, unknown>()
        for (const slice of slices(advances.map(rowOf))) {
          for (const { id, ordinal } of yield* run(upsert(slice), slice)) ordinals.set(id, ordinal)
        }
        const rows = advances.flatMap(({ entries, state }) => {
          const session = ordinals.get(state.id)
          return entries.map(({ json, seq, type }) => ({ session, seq, type, size: json.length, json }))
        })
        for (const slice of slices(rows)) yield* run(insert(slice), slice)
        yield* run("COMMIT")
      }).pipe(
        // a COMMIT that fails leaves SQLite's transaction open, and the next BEGIN would fail for it
        Effect.tapErrorCause(() => Effect.ignore(run("ROLLBACK"))),
        Effect.uninterruptible
      )
    }

    const store: EventStore = {
      load: (session) =>
        exclusively(
          "be read",
          Effect.flatMap(
            sql<StateRow & { oldest: number | null }>`SELECT id, state, (
                SELECT MIN(seq) FROM holdfast_events WHERE session = s.ordinal
              ) AS oldest FROM holdfast_sessions s WHERE id = ${session}`,
            ([row]) =>
              row === undefined ?
                Effect.succeedNone :
                Effect.map(
                  decodeState(row),
                  (state) => Option.some({ state, oldest: row.oldest ?? state.head + 1 })
                )
          )
        ),
      commit: (advances) => exclusively("be written", Effect.scoped(Effect.flatMap(sql.reserve, commit(advances)))),
      page: ({ after, session, upTo }) => {
        const within = sql`session = ${numberOf(session)} AND seq > ${after}`
        return exclusively(
          "be read",
          Effect.gen(function*() {
            const first = sql<{ seq: number; size: number }>`SELECT seq, size FROM holdfast_events
              WHERE ${within} AND seq <= ${upTo} ORDER BY seq LIMIT ${pageLimit.events}`
            const [all] = yield* sql<{ last: number | null; size: number }>`SELECT
              MAX(seq) AS last, TOTAL(size) AS size FROM (${first})`
            let last = all?.last ?? 0
            // hardly ever, and a row for each is what costs
            if (all !== undefined && all.size > pageLimit.size) {
              const sizes = yield* first
              last = sizes[fitting(sizes.map(({ size }) => size)) - 1]?.seq ?? 0
            }
            return yield* sql<LogEntry>`SELECT seq, type, json FROM holdfast_events
              WHERE ${within} AND seq <= ${last} ORDER BY seq`
          })
        )
      },
      list: Effect.fnUntraced(function*({ after, limit, status }) {
        let before = Number.MAX_SAFE_INTEGER
        if (Option.isSome(after)) {
          const [row] = yield* exclusively(
            "be read",
            sql<{ ordinal: number }>`SELECT ordinal FROM holdfast_sessions WHERE id = ${after.value}`
          )
          if (row === undefined) return yield* Effect.fail(notFound(after.value))
          before = row.ordinal
        }
        let found: ReadonlyArray<Session.SessionState> = []
        while (true) {
          const rows = yield* exclusively(
            "be read",
            sql<StateRow & { ordinal: number }>`SELECT ordinal, id, state FROM holdfast_sessions
              WHERE ordinal < ${before} ${Option.isSome(status) ? sql`AND status = ${status.value}` : sql``}
              ORDER BY ordinal DESC LIMIT ${limit - found.length}`
          )
          const states = yield* statesOf(rows)
          found = [...found, ...states]
          const last = rows.at(-1)
          // what is left out makes no page shorter: a short one is the last
          if (last === undefined || states.length === rows.length) return found
          before = last.ordinal
        }
      }),
      unfinished: exclusively(
        "be read",
        Effect.flatMap(
          sql<StateRow>`SELECT id, state FROM holdfast_sessions WHERE unfinished = 1 ORDER BY ordinal`,
          statesOf
        )
      ),
      trim: (session, oldest) =>
        Effect.gen(function*() {
          const rows = yield* sql<{ first: number | null }>`SELECT MIN(seq) AS first FROM holdfast_events
            WHERE session = ${numberOf(session)}`
          const next = Math.min((rows[0]?.first ?? oldest) + trimStep, oldest)
          yield* sql`DELETE FROM holdfast_events WHERE session = ${numberOf(session)} AND seq < ${next}`
          return next
        }).pipe(
          (once) => exclusively("be trimmed", once),
          Effect.repeat({ until: (next) => next >= oldest }),
          Effect.asVoid
        )
    }
    return store
  }
)
