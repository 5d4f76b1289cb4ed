/**
 * The folder in which a standalone gateway keeps what it must not lose, held by one gateway at a time.
 *
 * ```ts
 * const Log = Layer.unwrapEffect(
 *   Effect.map(DataFolder.DataFolder, ({ database }) => EventLog.layerSqlite({ filename: database }))
 * )
 * Log.pipe(Layer.provide(DataFolder.layer(".holdfast")), Layer.provide(NodeContext.layer))
 * ```
 *
 * It is held by a lock of the operating system on a file in it, which goes with its process, however that ends. The
 * file is never deleted, so two gateways cannot hold two files of one name. The pid beside it is only for the message.
 *
 * @since 0.1.0
 */
import * as Reactivity from "@effect/experimental/Reactivity"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import type * as SqlConnection from "@effect/sql/SqlConnection"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { DataFolderHeld, DataFolderUnusable } from "../domain/Errors.js"
import * as Folder from "./Folder.js"
import * as SqlStore from "./SqlStore.js"

/** @since 0.1.0 */
export class DataFolder extends Context.Tag("holdfast/DataFolder")<DataFolder, {
  /** Absolute, as are the others. */
  readonly folder: string
  /** The file of the event log. */
  readonly database: string
  /** The folder for the records of agent processes. */
  readonly agents: string
}>() {}

const Pid = Schema.compose(Schema.NumberFromString, Schema.Int)

const code = (error: unknown): unknown => Predicate.hasProperty(error, "code") ? error.code : undefined

const runs = (pid: number): boolean => {
  try {
    return pid > 0 && process.kill(pid, 0)
  } catch (error) {
    return code(error) === "EPERM" // another user's
  }
}

/** A connection of its own to a file of its own; the lock that it takes goes with it. */
const open = Effect.fnUntraced(function*(filename: string) {
  const client = yield* SqliteClient.make({ filename, disableWAL: true })
  return yield* client.reserve
}, Effect.provide(Reactivity.layer))

/** Takes the lock, or finds it taken. */
const begin = (connection: SqlConnection.Connection) =>
  Effect.forEach(
    [
      // who holds the folder holds it for long: there is nothing to wait for
      "PRAGMA busy_timeout = 0",
      "PRAGMA journal_mode = MEMORY",
      "BEGIN EXCLUSIVE",
      // never committed; but without a write SQLite is content with a file that it may only read, and locks nothing
      "PRAGMA user_version = 1"
    ],
    (statement) => connection.execute(statement, [], undefined),
    { discard: true }
  ).pipe(
    Effect.as("taken" as const),
    Effect.catchAll((error) =>
      String(code(error.cause)).startsWith("SQLITE_BUSY") ? Effect.succeed("held" as const) : Effect.fail(error)
    )
  )

/**
 * Makes the folder when it is not there, for its owner only, and holds it until the scope closes.
 *
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(name: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = path.resolve(name)
  const pidFile = path.join(folder, "gateway.pid")

  /** The driver throws when it cannot open a file, so what is wrong with the folder comes as a defect too. */
  const usable = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.catchAllCause(effect, (cause) =>
      Effect.fail(
        new DataFolderUnusable({
          folder,
          message: `the data folder ${folder} must be a folder that this user may write to: ${SqlStore.reason(cause)}`
        })
      ))

  /** Fails with the pid that the holder has written, 0 when there is none. */
  const held = fs.readFileString(pidFile).pipe(
    Effect.flatMap(Schema.decode(Pid)),
    Effect.orElseSucceed(() => 0),
    Effect.flatMap((pid) =>
      Effect.fail(
        new DataFolderHeld({
          folder,
          pid,
          message:
            `the data folder ${folder} is held by the gateway with pid ${pid}: stop that one, or use another folder`
        })
      )
    )
  )

  yield* usable(Effect.sync(() => Folder.make(folder, 0o700)))
  const connection = yield* usable(open(path.join(folder, "lock.db")))
  yield* Effect.flatMap(usable(begin(connection)), (result) => result === "held" ? held : Effect.void).pipe(
    // a holder that is just coming or just going: its pid is not there yet, or no longer true
    Effect.retry({
      while: (error) => error._tag === "DataFolderHeld" && !runs(error.pid),
      schedule: Schedule.intersect(Schedule.spaced("20 millis"), Schedule.recurs(50))
    })
  )
  yield* Effect.acquireRelease(
    usable(fs.writeFileString(pidFile, String(process.pid), { mode: 0o600 })),
    () => Effect.ignore(fs.remove(pidFile))
  )
  return DataFolder.of({ folder, database: path.join(folder, "holdfast.db"), agents: path.join(folder, "agents") })
})

/** @since 0.1.0 */
export const layer = (
  folder: string
): Layer.Layer<DataFolder, DataFolderHeld | DataFolderUnusable, FileSystem.FileSystem | Path.Path> =>
  Layer.scoped(DataFolder, make(folder))
