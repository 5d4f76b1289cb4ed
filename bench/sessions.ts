/**
 * What an idle session costs in memory. The agent is in memory too, so that no process is counted; the log is SQLite, as in the program.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Agent, EventLog, Sessions } from "holdfast"
import { ScriptedAgent } from "holdfast/testing"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import type { Result } from "./main.js"

const count = 1000

/** In bytes, after everything that can be collected is. */
const memory = Effect.promise(async () => {
  for (let i = 0; i < 4; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    globalThis.gc?.()
  }
  const { heapUsed, rss } = process.memoryUsage()
  return { heap: heapUsed, rss }
})

const measure = Effect.gen(function*() {
  const sessions = yield* Sessions.Sessions
  const open = (many: number) =>
    Effect.forEach(Array.from({ length: many }), () => sessions.create({ agent: "scripted", cwd: os.tmpdir() }), {
      concurrency: 16,
      discard: true
    })
  // code is compiled and pages are cached before the count begins
  yield* open(200)
  const before = yield* memory
  yield* open(count)
  const after = yield* memory
  return { heap: (after.heap - before.heap) / count / 1024, rss: (after.rss - before.rss) / count / 1024 }
})

export default async (): Promise<Result> => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-bench-"))
  const agents = Layer.unwrapEffect(
    Effect.map(ScriptedAgent.make({ turn: () => Effect.void }), (agent) => Agent.layer([agent]))
  )
  const runtime = Sessions.layerWith({ maxSessions: count + 200 }).pipe(
    Layer.provide([EventLog.layerSqlite({ filename: path.join(folder, "bench.db") }), agents]),
    Layer.provide(NodeContext.layer)
  )
  const { heap, rss } = await Effect.runPromise(Effect.provide(measure, runtime))
  fs.rmSync(folder, { recursive: true })
  const each = Math.max(heap, rss)
  return {
    name: "sessions: memory of an idle session, KB",
    ratio: each,
    target: "< 20",
    ok: each < 20,
    details: { "heap, KB": heap.toFixed(1), "resident, KB": rss.toFixed(1) }
  }
}
