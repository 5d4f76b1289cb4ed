/**
 * Agents of the loop, over models in memory: what an idle session costs, what the loop adds to each delta, and whether runs starve one another.
 */
import * as AiLanguageModel from "@effect/ai/LanguageModel"
import type * as Response from "@effect/ai/Response"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import {
  AcpAgent,
  Agent,
  Content,
  EventLog,
  type Ids,
  LoopAgent,
  LoopModel,
  RunStream,
  Sessions,
  Toolset
} from "holdfast"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import type { Result } from "./main.js"

type Part = Response.StreamPartEncoded

const idle = 1000
const deltas = 20_000
const runs = 100
const rounds = 3

const usage = { inputTokens: 1, outputTokens: 1, totalTokens: 2 }
const end = (reason: "stop" | "tool-calls"): Stream.Stream<Part> => Stream.succeed({ type: "finish", reason, usage })
const delta = (text: string): Part => ({ type: "text-delta", id: "1", delta: text })

/** The prompt says how many deltas; each is a chunk of its own, as from a socket. */
const fast = (count: number): Stream.Stream<Part> =>
  Stream.concat(Stream.rechunk(Stream.map(Stream.range(1, count), () => delta("a few words, ")), 1), end("stop"))

/** Three rounds of a hundred deltas, each telling when it came, and a tool call. */
const paced = (round: number): Stream.Stream<Part> =>
  Stream.concat(
    Stream.mapEffect(Stream.range(1, 100), () =>
      Effect.delay(Effect.sync(() => delta(`${performance.now()} `)), "10 millis")),
    round < 3
      ? Stream.concat(
        Stream.succeed<Part>({ type: "tool-call", id: "1", name: "look", params: { round } }),
        end("tool-calls")
      )
      : end("stop")
  )

const look: Toolset.Tool = {
  name: "look",
  description: "Looks",
  parameters: { type: "object" },
  readOnly: true,
  call: () => Effect.delay(Effect.succeed(Toolset.text("seen")), "5 millis")
}

const loopAgent = Effect.gen(function*() {
  const service = yield* AiLanguageModel.make({
    generateText: () => Effect.succeed([]),
    streamText: ({ prompt }) => {
      const said = prompt.content.filter(({ role }) => role === "assistant").length
      const [first] = prompt.content.flatMap((message) => message.role === "user" ? message.content : [])
      const text = first?.type === "text" ? first.text : ""
      return text === "paced" ? paced(said + 1) : fast(Number(text.replace("/stream ", "")))
    }
  })
  return yield* LoopAgent.make({
    name: "loop",
    model: LoopModel.of("scripted", service, { contextSize: 1e9 }),
    tools: [Toolset.of("tools", [look])],
    titles: "off"
  })
})

const demo = AcpAgent.make("acp", {
  command: process.execPath,
  args: [fileURLToPath(new URL("../dist/main.js", import.meta.url)), "demo-agent"]
})

const heap = Effect.promise(async () => {
  for (let i = 0; i < 4; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    globalThis.gc?.()
  }
  return process.memoryUsage().heapUsed
})

const open = (agent: string) =>
  Effect.flatMap(
    Sessions.Sessions,
    (sessions) => Effect.map(sessions.create({ agent, cwd: os.tmpdir() }), ({ id }) => id)
  )

const run = (session: Ids.SessionId, prompt: string) =>
  Stream.unwrap(
    Effect.map(Sessions.Sessions, (sessions) => RunStream.run(sessions, session, { content: [Content.text(prompt)] }))
  )

const memory = Effect.gen(function*() {
  const opened = (many: number) =>
    Effect.forEach(Array.from({ length: many }), () => open("loop"), { concurrency: 16, discard: true })
  yield* opened(200)
  const before = yield* heap
  yield* opened(idle)
  return ((yield* heap) - before) / idle / 1024
})

/** In microseconds a delta. */
const perDelta = (agent: string) =>
  Effect.gen(function*() {
    const session = yield* open(agent)
    yield* Stream.runDrain(run(session, "/stream 500"))
    const start = performance.now()
    yield* Stream.runDrain(run(session, `/stream ${deltas}`))
    return (performance.now() - start) * 1000 / deltas
  })

/** From a delta's arrival to its event, of so many runs at a time; the 99th percentile, in milliseconds. */
const gaps = (many: number) =>
  Effect.gen(function*() {
    const all: Array<number> = []
    yield* Effect.forEach(Array.from({ length: many }), () =>
      Effect.flatMap(open("loop"), (session) =>
        Stream.runForEach(run(session, "paced"), ({ event }) =>
          Effect.sync(() => {
            if (event.type !== "TextChunk") {
              return
            }
            const now = performance.now()
            for (const came of event.text.trim().split(" ")) {
              all.push(now - Number(came))
            }
          }))), { concurrency: "unbounded", discard: true })
    all.sort((a, b) =>
      a - b
    )
    return all[Math.floor(all.length * 0.99)] ?? NaN
  })

const median = (values: Array<number>) => values.sort((a, b) => a - b)[values.length >> 1] ?? NaN

const measure = Effect.gen(function*() {
  const each = yield* memory
  const ours: Array<number> = []
  const theirs: Array<number> = []
  for (let round = 0; round < rounds; round++) {
    ours.push(yield* perDelta("loop"))
    theirs.push(yield* perDelta("acp"))
  }
  const one = median([yield* gaps(1), yield* gaps(1), yield* gaps(1)])
  return { each, ours: median(ours), theirs: median(theirs), one, many: yield* gaps(runs) }
})

export default async (): Promise<ReadonlyArray<Result>> => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-bench-"))
  const runtime = Sessions.layerWith({ maxSessions: 2 * idle }).pipe(
    Layer.provide(Layer.effect(Agent.Agents, Effect.map(Effect.all([loopAgent, demo]), Agent.makeAgents))),
    Layer.provide([EventLog.layerSqlite({ filename: path.join(folder, "bench.db") }), NodeContext.layer])
  )
  const { each, many, one, ours, theirs } = await Effect.runPromise(Effect.provide(measure, runtime))
  fs.rmSync(folder, { recursive: true })
  return [
    {
      name: "loop: memory of an idle session, KB",
      ratio: each,
      target: "< 30",
      ok: each < 30,
      details: {}
    },
    {
      name: "loop: time of a delta from a model in memory to its reader, of a chunk's from an ACP agent",
      ratio: ours / theirs,
      target: "< 2",
      ok: ours / theirs < 2,
      details: { "loop, µs": ours.toFixed(1), "ACP, µs": theirs.toFixed(1) }
    },
    {
      name: `loop: p99 from a delta to its event with ${runs} runs, of that with one`,
      ratio: many / one,
      target: "< 10",
      ok: many / one < 10,
      details: { [`${runs} runs, ms`]: many.toFixed(1), "one run, ms": one.toFixed(1) }
    }
  ]
}
