/**
 * One schedule under `Interleave`, against the same program run plainly: what the scheduler that asks at each operation, the virtual clock
 * and the search cost on top. And one whose trace is recorded. What has been recorded can be printed later; how long that takes, with
 * the search for the lines in the sources, is told beside it, because it is done once, for the schedule that failed.
 *
 * The program is one of about 50 steps, of the kind that is explored: two fibers that share a `Ref`, one of which waits for the other.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Ref from "effect/Ref"
import * as Interleave from "../src/testing/Interleave.js"
import * as Oracle from "../src/testing/interleave/Oracle.js"
import * as Recording from "../src/testing/interleave/Recording.js"
import * as Run from "../src/testing/interleave/Run.js"
import * as SourceLines from "../src/testing/interleave/SourceLines.js"
import type { Result } from "./main.js"

const program = Effect.gen(function*() {
  const ref = yield* Ref.make(0)
  const add = Ref.update(ref, (n) => n + 1)
  const worker = yield* Effect.fork(add)
  yield* add
  yield* Fiber.join(worker)
  if ((yield* Ref.get(ref)) !== 2) return yield* Effect.die("an increment was lost")
})

const runs = 2000
const repetitions = 9

/** Returns how often it ran the program. */
type Side = () => Promise<number>

const plain: Side = async () => {
  for (let i = 0; i < runs; i++) await Effect.runPromise(program)
  return runs
}

/** An exhaustive search may end before. */
const explored = (strategy: Interleave.Strategy): Side => async () => {
  let schedules = 0
  while (schedules < runs) {
    const report = await Effect.runPromise(Interleave.explore(program, { strategy, schedules: runs }))
    if (report._tag === "Failed") throw new Error(report.reason)
    schedules += report.schedules
  }
  return schedules
}

const steps = async () => {
  const report = await Effect.runPromise(Interleave.explore(program, { schedules: 1 }))
  return report.steps
}

const record = (length: number, seed: number) => {
  const recording = Recording.make(length)
  const oracle = Oracle.random(seed, 0.2)
  const { explorer } = Run.run(program, {
    oracle,
    seed,
    granularity: "op",
    interruptAt: undefined,
    maxSteps: 1000,
    recorder: recording
  })
  explorer.clear()
  return recording
}

/** Every trace could be printed: all are kept until the end of the round. */
const recorded = (length: number): Side => async () => {
  const kept = Array.from({ length: runs }, (_, seed) => record(length, seed))
  return kept.length
}

const prints = 20

/** As for a failure: V8's inspector is opened for the one trace. */
const printed = (length: number): Side => async () => {
  const kept = Array.from({ length: prints }, (_, seed) => record(length, seed))
  for (const recording of kept) {
    const sources = SourceLines.open()
    if (!recording.print(sources).includes("yield* Fiber.join(worker)")) throw new Error("the trace lacks a line")
    sources.close()
  }
  return prints
}

/** Microseconds each. */
const timed = async (side: Side) => {
  const start = performance.now()
  const count = await side()
  return (performance.now() - start) * 1000 / count
}

const median = (numbers: ReadonlyArray<number>) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN

export default async (): Promise<ReadonlyArray<Result>> => {
  const length = await steps()
  const sides = {
    plain,
    random: explored(Interleave.random()),
    exhaustive: explored(Interleave.exhaustive({ preemptions: 3 })),
    recorded: recorded(length),
    printed: printed(length)
  }
  const rounds: Array<Record<keyof typeof sides, number>> = []
  // the first warms up
  for (let i = 0; i <= repetitions; i++) {
    const round = {
      plain: await timed(sides.plain),
      random: await timed(sides.random),
      exhaustive: await timed(sides.exhaustive),
      recorded: await timed(sides.recorded),
      printed: await timed(sides.printed)
    }
    if (i > 0) rounds.push(round)
  }
  const micros = (side: keyof typeof sides) => median(rounds.map((round) => round[side]))
  const ratio = (side: keyof typeof sides) => median(rounds.map((round) => round[side] / round.plain))
  const details = {
    steps: length,
    "plain, µs": micros("plain").toFixed(0),
    "random, µs": micros("random").toFixed(0),
    "exhaustive, µs": micros("exhaustive").toFixed(0)
  }
  const [random, exhaustive, withTrace] = [ratio("random"), ratio("exhaustive"), ratio("recorded")]
  return [
    {
      name: "interleave: one random schedule, of a plain run",
      ratio: random,
      target: "<= 5",
      ok: random <= 5,
      details
    },
    {
      name: "interleave: one schedule of an exhaustive search, of a plain run",
      ratio: exhaustive,
      target: "<= 5",
      ok: exhaustive <= 5,
      details: {}
    },
    {
      name: "interleave: one schedule with its trace recorded, to be printed later, of a plain run",
      ratio: withTrace,
      target: "<= 10",
      ok: withTrace <= 10,
      details: {
        "recorded, µs": micros("recorded").toFixed(0),
        "printing one, once for the schedule that failed, ms": (micros("printed") / 1000).toFixed(1)
      }
    }
  ]
}
