/**
 * Appends of 100 sessions through the log, durable, against a bare loop over the same driver: the same rows in
 * transactions of the same size, by multi-row inserts that are prepared once.
 *
 * A round of the log goes the whole way: `append` is called, the events are encoded, stored and answered for, the
 * session's state is kept. The bare loop is given its events as values too, and encodes them.
 */
import Sqlite from "better-sqlite3"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { RunId, SessionId } from "../src/domain/Ids.js"
import type { Draft } from "../src/domain/Session.js"
import * as EventLog from "../src/log/EventLog.js"
import type { Result } from "./main.js"

const sessions = Array.from({ length: 100 }, (_, index) => SessionId.make(`ses_${String(index).padStart(16, "0")}`))
const runId = RunId.make("run_0000000000000000")
/** Events of one append; a transaction has those of all sessions. */
const batch = 10
const rounds = 25
const repetitions = 9

const drafts: ReadonlyArray<Draft> = Array.from({ length: batch }, (_, index) => ({
  event: { type: "TextChunk", text: `${"The tide went out, and the holdfast held. ".repeat(3)}${index}` },
  runId
}))
const events = sessions.length * batch * rounds

const throughLog = async (filename: string) => {
  const scope = Effect.runSync(Scope.make())
  const layer = EventLog.layerSqlite({ filename })
  const log = Context.get(await Effect.runPromise(Layer.buildWithScope(layer, scope)), EventLog.EventLog)
  const all = (each: (session: SessionId) => Effect.Effect<unknown, unknown>) =>
    Effect.runPromise(Effect.forEach(sessions, each, { concurrency: "unbounded", discard: true }))
  await all((session) => log.append(session, [{ event: { type: "SessionOpened", agent: "demo", cwd: "/" } }]))
  return {
    run: () => all((session) => Effect.repeatN(log.append(session, drafts), rounds - 1)),
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

const bare = (filename: string) => {
  const db = new Sqlite(filename)
  db.pragma("journal_mode = WAL")
  db.pragma("synchronous = NORMAL")
  db.exec(`CREATE TABLE events (
    session INTEGER NOT NULL, seq INTEGER NOT NULL, type TEXT NOT NULL, size INTEGER NOT NULL, json TEXT NOT NULL,
    PRIMARY KEY (session, seq)
  )`)
  const perStatement = 100
  const insert = db.prepare(`INSERT INTO events VALUES ${Array(perStatement).fill("(?,?,?,?,?)").join(",")}`)
  let head = 0
  const transaction = db.transaction(() => {
    const at = new Date().toISOString()
    let values: Array<unknown> = []
    for (const [index, sessionId] of sessions.entries()) {
      for (const [position, { event, runId }] of drafts.entries()) {
        const seq = head + position + 1
        const json = JSON.stringify({ seq, sessionId, runId, at, event })
        values.push(index, seq, event.type, json.length, json)
        if (values.length === perStatement * 5) {
          insert.run(...values)
          values = []
        }
      }
    }
    head += batch
  })
  return {
    run: () => {
      for (let round = 0; round < rounds; round++) transaction()
      return Promise.resolve()
    },
    close: () => Promise.resolve(db.close())
  }
}

const timed = async (run: () => Promise<unknown>) => {
  const start = performance.now()
  await run()
  return events / ((performance.now() - start) / 1000)
}

const median = (numbers: ReadonlyArray<number>) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN

export default async (): Promise<Result> => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-append-"))
  const log = await throughLog(path.join(folder, "log.db"))
  const loop = bare(path.join(folder, "bare.db"))
  const pairs: Array<{ readonly ours: number; readonly theirs: number }> = []
  try {
    // the first of each warms up
    for (let i = 0; i <= repetitions; i++) {
      const pair = { theirs: await timed(loop.run), ours: await timed(log.run) }
      if (i > 0) pairs.push(pair)
    }
  } finally {
    await log.close()
    await loop.close()
    fs.rmSync(folder, { recursive: true })
  }
  const ratio = median(pairs.map(({ ours, theirs }) => ours / theirs))
  return {
    name: "append: events stored through the log, of a bare loop over the driver",
    ratio,
    target: ">= 0.5",
    ok: ratio >= 0.5,
    details: {
      "holdfast, events/s": Math.round(median(pairs.map(({ ours }) => ours))),
      "bare, events/s": Math.round(median(pairs.map(({ theirs }) => theirs)))
    }
  }
}
