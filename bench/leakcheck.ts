/**
 * What a check for leaks adds to the time of a small test: one that builds a log in memory, appends, and follows it with a fiber of its
 * own. The walk over fibers and processes is what every test of a suite would pay; the hook for handles is measured beside it.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestContext from "effect/TestContext"
import { RunId, SessionId } from "../src/domain/Ids.js"
import * as EventLog from "../src/log/EventLog.js"
import * as Fibers from "../src/testing/leak/Fibers.js"
import * as LeakCheck from "../src/testing/LeakCheck.js"
import type { Result } from "./main.js"

const tests = 20
const repetitions = 101
const appends = 20

const session = SessionId.make("ses_0000000000000000")
const runId = RunId.make("run_0000000000000000")

const test = Effect.gen(function*() {
  const log = yield* EventLog.EventLog
  yield* log.append(session, [{ event: { type: "SessionOpened", agent: "demo", cwd: "/" } }])
  const following = yield* Effect.fork(Stream.runDrain(Stream.take(log.tail({ session, after: 1 }), appends)))
  for (let i = 0; i < appends; i++) {
    yield* log.append(session, [{ event: { type: "TextChunk", text: `chunk ${i}` }, runId }])
  }
  yield* Fiber.join(following)
}).pipe(Effect.provide(EventLog.layerMemory), Effect.scoped)

const run = () => Effect.runPromise(Effect.provide(test, TestContext.TestContext))

/** As `leakFreeFile` does it. */
const checked = (options: LeakCheck.Options) => async () => {
  const end = Effect.runSync(LeakCheck.start(options))
  await run()
  await Effect.runPromise(end)
}

const variants = { bare: run, walk: checked({ handles: false }), hook: checked({}) }

/** Milliseconds of processor time a test: what else runs on the machine does not count. */
const timed = async (variant: () => Promise<void>) => {
  const start = process.cpuUsage()
  for (let i = 0; i < tests; i++) await variant()
  const { system, user } = process.cpuUsage(start)
  return (system + user) / 1000 / tests
}

const median = (numbers: ReadonlyArray<number>) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN

const walk = () => {
  const walks = 10_000
  const start = performance.now()
  for (let i = 0; i < walks; i++) Fibers.living()
  return (performance.now() - start) / walks * 1000
}

export default async (): Promise<Result> => {
  const rounds: Array<{ readonly bare: number; readonly walk: number; readonly hook: number }> = []
  // the first ones warm up; short rounds, so that what disturbs one of them disturbs few
  for (let i = -10; i < repetitions; i++) {
    const round = {
      bare: await timed(variants.bare),
      walk: await timed(variants.walk),
      hook: await timed(variants.hook)
    }
    if (i >= 0) rounds.push(round)
  }
  const ratio = median(rounds.map(({ bare, walk }) => walk / bare))
  return {
    name: "leakcheck: a small test with the walk over fibers and processes, of the same test without",
    ratio,
    target: "<= 1.1",
    ok: ratio <= 1.1,
    details: {
      "bare, ms": median(rounds.map(({ bare }) => bare)).toFixed(2),
      "with the walk, ms": median(rounds.map(({ walk }) => walk)).toFixed(2),
      "with the hook for handles too, ms": median(rounds.map(({ hook }) => hook)).toFixed(2),
      "one walk over the fibers, microseconds": walk().toFixed(1)
    }
  }
}
