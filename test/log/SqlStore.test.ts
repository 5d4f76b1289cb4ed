import * as Reactivity from "@effect/experimental/Reactivity"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import * as SqlClient from "@effect/sql/SqlClient"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import { leakFreeFile } from "holdfast/testing/vitest"
import { SessionId } from "../../src/domain/Ids.js"
import * as Session from "../../src/domain/Session.js"
import * as EventLog from "../../src/log/EventLog.js"
import * as SqlStore from "../../src/log/SqlStore.js"
import { collect, follow, many, opened, other, said, session, settle } from "./fixture.js"
import * as Script from "./script.js"
import { suite } from "./suite.js"

leakFreeFile({ grace: "5 seconds" })

const folder = FileSystem.FileSystem.pipe(
  Effect.flatMap((fs) => fs.makeTempDirectoryScoped({ prefix: "holdfast-log-" })),
  Effect.provide(NodeContext.layer)
)
const file = Effect.map(folder, (folder) => `${folder}/log.db`)
const connect = (filename: string) => Effect.provide(SqliteClient.make({ filename }), Reactivity.layer)
const store = (sql: SqlClient.SqlClient) => Effect.provideService(SqlStore.make, SqlClient.SqlClient, sql)
const openFile = (filename: string) =>
  Effect.map(Layer.build(EventLog.layerSqlite({ filename })), Context.get(EventLog.EventLog))

suite("SQLite", file.pipe(Effect.flatMap(connect), Effect.flatMap(store)))

describe("EventLog.layerSqlite", () => {
  it.scoped("a file that is closed and opened again has the same events with the same numbers", () =>
    Effect.gen(function*() {
      const filename = yield* file
      const read = (log: EventLog.EventLog["Type"]) => collect(log.read({ session, after: 0 }))
      const before = yield* Effect.scoped(Effect.gen(function*() {
        const log = yield* openFile(filename)
        yield* log.append(session, [opened, ...many(1000), said("\u2028 \u0000 🌊 \" \\")])
        yield* log.append(session, [{ event: { type: "SessionClosed", reason: "requested" } }])
        return yield* read(log)
      }))
      const log = yield* openFile(filename)
      expect(yield* read(log)).toStrictEqual(before)
      expect(yield* log.head(session)).toBe(1003)
      expect(yield* log.append(other, [opened])).toBe(1)
    }))

  it.scopedLive(
    "EL4 EL5 what a reader was shown is there after kill -9, and the run is lost",
    () =>
      Effect.gen(function*() {
        const fs = yield* FileSystem.FileSystem
        for (let round = 0; round < 2; round++) {
          const directory = yield* folder
          const [filename, shown] = [`${directory}/log.db`, `${directory}/shown`]
          const appender = yield* Script.run("appender.ts", filename, shown)
          yield* fs.stat(shown).pipe(
            Effect.retry(Schedule.spaced("20 millis"))
          )
          yield* Effect.sleep(yield* Random.nextIntBetween(1, 300))
          yield* appender.kill
          const lines = (yield* fs.readFileString(shown)).split("\n").slice(0, -1)
          const log = yield* openFile(filename)
          const entries = yield* collect(log.read({ session, after: 0 }))
          expect(entries.map(({ seq }) => seq)).toStrictEqual(entries.map((_, index) => index + 1))
          expect(entries.slice(0, lines.length).map(({ seq }) => `${seq}`)).toStrictEqual(lines)
          expect(entries.at(-1)?.json).toContain(`"outcome":{"_tag":"Lost"`)
          expect((yield* log.state(session)).run).toBe(null)
        }
      }).pipe(Effect.provide(NodeContext.layer)),
    60_000
  )

  it.scoped("a file that is no database, or that cannot be made, is an error that says so", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const filename = yield* file
      yield* fs.writeFileString(filename, "this is a diary, not a database\n".repeat(100))
      const [diary, nowhere] = yield* Effect.all([openFile(filename), openFile(`${filename}/log.db`)].map(Effect.flip))
      expect(diary).toMatchObject({ _tag: "EventLogUnavailable", message: expect.stringContaining("not a database") })
      expect(nowhere).toMatchObject({ _tag: "EventLogUnavailable", message: expect.stringContaining(filename) })
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scoped("a store that a newer Holdfast wrote is left as it is", () =>
    Effect.gen(function*() {
      const filename = yield* file
      yield* Effect.scoped(openFile(filename))
      const sql = yield* connect(filename)
      yield* sql`INSERT INTO holdfast_migrations (migration_id, name) VALUES (99, 'of_the_future')`
      const error = yield* Effect.flip(openFile(filename))
      expect(error).toMatchObject({ _tag: "StoreTooNew", found: 99, supported: 1 })
      expect(error.message).toMatch(/99.*up to 1/)
    }))
})

describe("SqlStore", () => {
  /** A store whose database refuses every event that holds the word. */
  const refusing = (refusal: string) =>
    Effect.gen(function*() {
      const sql = yield* connect(yield* file)
      const refusing = yield* store(sql)
      yield* sql`PRAGMA foreign_keys = ON`
      yield* sql`CREATE TABLE parents (id INTEGER PRIMARY KEY)`
      yield* sql`CREATE TABLE children (id INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)`
      yield* sql.unsafe(`CREATE TRIGGER refuse AFTER INSERT ON holdfast_events WHEN NEW.json LIKE '%poison%'
        BEGIN ${refusal}; END`)
      return refusing
    })
  // checked by COMMIT, which leaves the transaction open when it fails
  const atCommit = "INSERT INTO children VALUES (1)"

  it.scoped.each([
    ["a statement", "SELECT RAISE(ABORT, 'no poison here')"],
    ["COMMIT", atCommit]
  ])(
    "EL1 EL4 a transaction that fails at %s leaves nothing behind, and the next one works",
    ([, refusal]) =>
      Effect.gen(function*() {
        const log = yield* Effect.flatMap(refusing(refusal ?? ""), (store) => EventLog.make(store))
        yield* log.append(session, [opened])
        const { seen } = yield* follow(log)
        const error = yield* Effect.flip(log.append(session, [said("fine"), said("poison")]))
        expect(error).toMatchObject({
          _tag: "EventLogUnavailable",
          message: expect.stringMatching(/no poison|FOREIGN KEY/)
        })
        expect(yield* log.append(session, [said("fine")])).toBe(2)
        yield* settle
        expect(seen).toStrictEqual([1, 2])
        expect((yield* collect(log.read({ session, after: 0 }))).length).toBe(2)
        expect((yield* log.state(session)).head).toBe(2)
      })
  )

  it.scoped("EL4 no reader sees what a transaction has written and not committed", () =>
    Effect.gen(function*() {
      const store = yield* refusing(atCommit)
      const state = Session.initial(session)
      yield* store.commit([{ state, entries: [] }])
      const commit = Effect.exit(store.commit([{
        state: { ...state, head: 1 },
        entries: [{ seq: 1, type: "TextChunk", json: "poison" }]
      }]))
      // fibers take turns after so many operations, so that reads fall everywhere into the transaction
      for (let operations = 10; operations < 60; operations++) {
        const [reads] = yield* Effect.all([
          Effect.all(Array.from({ length: 20 }, () => store.load(session)), { concurrency: "unbounded" }),
          commit
        ], { concurrency: "unbounded" }).pipe(Effect.withMaxOpsBeforeYield(operations))
        expect(new Set(reads.map((read) => Option.getOrThrow(read).state.head))).toStrictEqual(new Set([0]))
      }
    }))

  it.scoped("a long trim is done in steps, and done", () =>
    Effect.gen(function*() {
      const sql = yield* connect(yield* file)
      const log = yield* Effect.flatMap(store(sql), (store) => EventLog.make(store))
      yield* log.append(session, [opened, ...many(7000)])
      yield* log.trim(session, 6500)
      expect(yield* sql`SELECT MIN(seq) AS first, COUNT(*) AS count FROM holdfast_events`).toStrictEqual([
        { first: 6500, count: 502 }
      ])
    }))

  it.scoped("EL5 a session whose record is damaged is named, and keeps no other from being listed and ended", () =>
    Effect.gen(function*() {
      const filename = yield* file
      const ids = ["ses_1", "ses_2", "ses_3", "ses_4"].map((id) => SessionId.make(id))
      yield* Effect.scoped(
        Effect.flatMap(openFile(filename), (log) => Effect.forEach(ids, (id) => log.append(id, [opened])))
      )
      const sql = yield* connect(filename)
      yield* sql`UPDATE holdfast_sessions SET unfinished = 1, state = json_set(state, '$.phase', 'dozing')
        WHERE id = 'ses_2'`
      yield* sql`UPDATE holdfast_sessions SET state = substr(state, 1, 40) WHERE id = 'ses_3'`
      const logged: Array<string> = []
      const logger = Logger.make(({ message }) => void logged.push(String(message)))
      yield* Effect.gen(function*() {
        const log = yield* openFile(filename)
        const list = (after: Option.Option<SessionId>, limit: number) =>
          Effect.map(log.sessions({ after, limit, status: Option.none() }), (states) => states.map(({ id }) => id))
        expect(yield* list(Option.none(), 2)).toStrictEqual(["ses_4", "ses_1"])
        expect(yield* list(Option.some(SessionId.make("ses_3")), 2)).toStrictEqual(["ses_1"])
        expect((yield* Effect.flip(log.append(SessionId.make("ses_2"), [said("hello")]))).message).toMatch(
          /^the event log cannot be read: its record of session ses_2 is damaged: phase: Expected /
        )
        expect((yield* log.state(SessionId.make("ses_1"))).phase).toBe("failed")
        expect(yield* log.append(SessionId.make("ses_1"), [said("hello")])).toBe(3)
      }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
      expect(logged.map((line) => /ses_\d/.exec(line)?.[0])).toStrictEqual(["ses_2", "ses_3"])
    }))

  it.scoped("the state is kept in the transaction of its events", () =>
    Effect.gen(function*() {
      const sql = yield* connect(yield* file)
      const log = yield* Effect.flatMap(store(sql), (store) => EventLog.make(store))
      yield* log.append(session, [opened, ...many(3)])
      const [row] = yield* sql<{ status: string; unfinished: number; state: string }>`
        SELECT status, unfinished, state FROM holdfast_sessions`
      const state = yield* log.state(session)
      expect(row).toMatchObject({ status: Session.status(state), unfinished: 1 })
      expect(JSON.parse(row?.state ?? "")).toStrictEqual(state)
    }))
})
