/**
 * From an agent to the log, through two drivers: 100,000 chunks of an agent behind an agentctl host, over its WebSocket, against as many of
 * an ACP agent over stdio. Each is stored on SQLite; host and agent are processes of their own.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { AcpAgent, type Agent, AgentctlAgent, Content, EventLog, Sessions } from "holdfast"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import type { Result } from "./main.js"
import { median } from "./relay.js"
import { agentctlHost, demoAgent } from "./support/Program.js"

const chunks = Number(process.env["HOLDFAST_BENCH_CHUNKS"] ?? 100_000)
const rounds = 3

/** The rates of the rounds in chunks a second, and by how many MB the process has grown at most after the first. */
const measure = (agents: Layer.Layer<Agent.Agents>) =>
  Effect.gen(function*() {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-bench-"))),
      (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
    )
    const runtime = Sessions.layer.pipe(
      Layer.provide([EventLog.layerSqlite({ filename: path.join(folder, "bench.db") }), agents]),
      Layer.provide(NodeContext.layer)
    )
    return yield* Effect.gen(function*() {
      const sessions = yield* Sessions.Sessions
      const { id } = yield* sessions.create({ agent: "bench" })
      const run = Effect.fnUntraced(function*(count: number) {
        const start = performance.now()
        const { seq } = yield* sessions.prompt(id, { content: [Content.text(`/stream ${count}`)] })
        const entries = yield* sessions.events({ session: id, after: seq }).pipe(
          Stream.takeUntil(({ type }) => type === "RunEnded"),
          Stream.mapChunks((chunk) =>
            Chunk.of(Chunk.reduce(chunk, 0, (sum, { type }) => type === "TextChunk" ? sum + 1 : sum))
          ),
          Stream.runSum
        )
        if (entries !== count) return yield* Effect.dieMessage(`${entries} of ${count} chunks are in the log`)
        return count / ((performance.now() - start) / 1000)
      })
      yield* run(1000)
      yield* run(chunks)
      globalThis.gc?.()
      const before = process.memoryUsage().rss
      let peak = before
      const sampler = setInterval(() => peak = Math.max(peak, process.memoryUsage().rss), 20)
      const rates: Array<number> = []
      for (let round = 0; round < rounds; round++) rates.push(yield* run(chunks))
      clearInterval(sampler)
      return { rate: median(rates), growth: (peak - before) / 1024 / 1024 }
    }).pipe(Effect.provide(runtime))
  }).pipe(Effect.scoped, Effect.runPromise)

export default async (): Promise<ReadonlyArray<Result>> => {
  const host = await agentctlHost()
  const theirs = await measure(AcpAgent.layer({ bench: demoAgent }))
  const ours = await measure(AgentctlAgent.layer({ bench: { url: host.url, nonce: Redacted.make("once") } }))
  await host.stop()
  const ratio = ours.rate / theirs.rate
  return [
    {
      name: "agentctl: events a second, host to log, of the ACP driver's",
      ratio,
      target: ">= 0.5",
      ok: ratio >= 0.5,
      details: { "agentctl, events/s": Math.round(ours.rate), "acp, events/s": Math.round(theirs.rate) }
    },
    {
      name: `agentctl: growth of memory over ${rounds * chunks} chunks, MB`,
      ratio: ours.growth,
      target: "< 100",
      ok: ours.growth < 100,
      details: { "acp, MB": Math.round(theirs.growth) }
    }
  ]
}
