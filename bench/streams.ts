/**
 * Closing a StreamManager with 10,000 idle streams, against interrupting as many bare fibers that sleep: what the registry, the scope of
 * each connection and the report of its end cost on top. Afterwards nothing may be left. And what an idle stream costs in memory.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as StreamManager from "../src/lifecycle/StreamManager.js"
import type { Result } from "./main.js"

const count = 10_000
const repetitions = 9
const keys = Array.from({ length: count }, (_, index) => `stream ${index}`)
const idle = Effect.sleep("1 hour")

/** Started, and how to end it all. */
type Side = () => Promise<() => Promise<unknown>>

/** Until all fibers have come to their sleep. */
const asleep = () => new Promise((resolve) => setTimeout(resolve, 100))

const streams: Side = async () => {
  const scope = Effect.runSync(Scope.make())
  const context = await Effect.runPromise(Layer.buildWithScope(StreamManager.layer, scope))
  const manager = Context.get(context, StreamManager.StreamManager)
  const spec: StreamManager.StreamSpec<void, never> = {
    connect: Effect.acquireRelease(Effect.void, () => Effect.void),
    run: () => idle
  }
  await Effect.runPromise(Effect.forEach(keys, (key) => manager.attach(key, spec), { discard: true }))
  await asleep()
  return () => Effect.runPromise(Scope.close(scope, Exit.void))
}

const bare: Side = async () => {
  const fibers = keys.map(() => Effect.runFork(idle))
  await asleep()
  return () => Effect.runPromise(Fiber.interruptAll(fibers))
}

const left = () =>
  Fiber.unsafeRoots().length + process.getActiveResourcesInfo().filter((resource) => resource === "Timeout").length

const timeToEnd = async (side: Side) => {
  const end = await side()
  const start = performance.now()
  await end()
  return performance.now() - start
}

const bytesEach = async (side: Side) => {
  globalThis.gc?.()
  const before = process.memoryUsage().heapUsed
  const end = await side()
  globalThis.gc?.()
  const bytes = (process.memoryUsage().heapUsed - before) / count
  await end()
  return bytes
}

const median = (numbers: ReadonlyArray<number>) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN

export default async (): Promise<ReadonlyArray<Result>> => {
  const before = left()
  const pairs: Array<{ readonly ours: number; readonly theirs: number }> = []
  // the first of each warms up
  for (let i = 0; i <= repetitions; i++) {
    const pair = { theirs: await timeToEnd(bare), ours: await timeToEnd(streams) }
    if (i > 0) pairs.push(pair)
  }
  const leftOver = left() - before
  const ratio = median(pairs.map(({ ours, theirs }) => ours / theirs))
  const memory = { theirs: await bytesEach(bare), ours: await bytesEach(streams) }
  return [
    {
      name: "streams: closing a manager of 10,000 idle streams, of interrupting 10,000 bare fibers",
      ratio,
      target: "<= 3, nothing left",
      ok: ratio <= 3 && leftOver <= 0,
      details: {
        "holdfast, ms": median(pairs.map(({ ours }) => ours)).toFixed(1),
        "bare, ms": median(pairs.map(({ theirs }) => theirs)).toFixed(1),
        "fibers and timers left": leftOver
      }
    },
    {
      name: "streams: memory of an idle stream, KB",
      ratio: memory.ours / 1024,
      target: "<= 10",
      ok: memory.ours / 1024 <= 10,
      details: { "a bare sleeping fiber, KB": (memory.theirs / 1024).toFixed(2) }
    }
  ]
}
