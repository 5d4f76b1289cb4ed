/** The parts of Interleave, each without the others. */
import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FC from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Choices from "../../../src/testing/interleave/Choices.js"
import * as Generators from "../../../src/testing/interleave/Generators.js"
import * as Oracle from "../../../src/testing/interleave/Oracle.js"
import * as Recording from "../../../src/testing/interleave/Recording.js"
import * as Run from "../../../src/testing/interleave/Run.js"
import * as Search from "../../../src/testing/interleave/Search.js"
import { shrink } from "../../../src/testing/interleave/Shrink.js"
import * as SourceLines from "../../../src/testing/interleave/SourceLines.js"
import * as Thread from "../../../src/testing/interleave/Thread.js"
import { VirtualClock } from "../../../src/testing/interleave/VirtualClock.js"
import { planted } from "./planted.js"

const run = (program: Run.Program, oracle: Oracle.Oracle, interruptAt?: number) =>
  Run.run(program, { oracle, seed: 1, granularity: "op", maxSteps: 100_000, interruptAt })

describe("Choices", () => {
  it("what is printed is read again, without the plain choices at its end", () => {
    const choices = FC.record({
      seed: FC.nat(),
      granularity: FC.constantFrom("op" as const, "async" as const),
      interruptAt: FC.option(FC.nat(), { nil: undefined }),
      list: FC.array(FC.nat({ max: 3 }))
    })
    FC.assert(FC.property(choices, (choices) => {
      let { list } = choices
      while (list.at(-1) === 0) list = list.slice(0, -1)
      expect(Choices.parse(Choices.print(choices))).toStrictEqual({ ...choices, list })
    }))
  })

  it("is short", () => {
    const list = [...Array.from({ length: 14 }, () => 0), 1, 2, 0, 1]
    expect(Choices.print({ seed: 3, granularity: "async", interruptAt: 12, list })).toBe(
      "seed=3 async interrupt@12 14:1 0:2 1:1"
    )
  })

  it("anything else is none", () => {
    for (const text of ["x", "1", "1:", ":1", "seed=", "seed=a", "interrupt@", "1:1,2:1", "9999999:1", "-1:2"]) {
      expect(Choices.parse(text), text).toBeUndefined()
    }
  })
})

describe("Oracle", () => {
  it("every schedule is run again by the list of its answers", () => {
    for (const { naive } of Object.values(planted)) {
      for (const seed of [1, 2, 3]) {
        for (const oracle of [Oracle.random(seed, 0.2), Oracle.pct(seed, 3, 100)]) {
          const first = run(naive, oracle)
          const again = run(naive, Oracle.listed(first.explorer.answers.chosen))
          expect(again.explorer.hash).toBe(first.explorer.hash)
          expect(again.explorer.steps).toBe(first.explorer.steps)
          expect(again.explorer.answers).toStrictEqual(first.explorer.answers)
          expect(again.fault?._tag).toBe(first.fault?._tag)
          first.explorer.clear()
          again.explorer.clear()
        }
      }
    }
  })

  it("an answer that is out of range is the last one in range", () => {
    const { explorer } = run(planted["lost wake-up"].fixed, Oracle.listed([99, 0, 99]))
    const { alternatives, chosen } = explorer.answers
    expect(chosen.slice(0, 3)).toStrictEqual([(alternatives[0] ?? 0) - 1, 0, (alternatives[2] ?? 0) - 1])
  })

  it("pct runs the fiber of the highest priority, and puts it last at a change point", () => {
    const threads = [0, 1, 2].map((id) => Thread.make({ id, fiber: undefined, parent: undefined, victim: false }))
    const without = (running: Thread.Thread) => threads.filter((thread) => thread !== running)
    const firsts = new Set<number>()
    const lengths = new Set<number>()
    for (let seed = 1; seed <= 50; seed++) {
      const oracle = Oracle.pct(seed, 3, 100)
      const first = threads[oracle.pick(threads)]!
      firsts.add(first.id)
      let running = first
      const order = [first.id]
      for (let step = 1; step <= 100; step++) {
        const chosen = oracle.preempt(running, without(running), step)
        if (chosen === 0) continue
        running = without(running)[chosen - 1]!
        order.push(running.id)
      }
      // two changes, which may be one: each has another successor, and who fell does not come again
      expect(new Set(order).size).toBe(order.length)
      lengths.add(order.length)
    }
    expect(lengths).toStrictEqual(new Set([2, 3]))
    expect(firsts).toStrictEqual(new Set([0, 1, 2]))
  })

  it("pct does not run for ever a fiber that gives way", () => {
    const threads = [0, 1].map((id) => Thread.make({ id, fiber: undefined, parent: undefined, victim: false }))
    for (let seed = 1; seed <= 20; seed++) {
      for (const spinning of threads) {
        const ready = [...threads.filter((thread) => thread !== spinning), { ...spinning, gaveWay: true }]
        expect(Oracle.pct(seed, 3, 100).pick(ready)).toBe(0)
      }
    }
  })
})

describe("Search", () => {
  it("exhaustive: no schedule twice within a bound, the bounds one after the other", () => {
    const search = Search.make({ _tag: "Exhaustive", preemptions: 2, faults: 0 }, 1)
    const bounds: Array<number> = []
    const seen: Array<Set<string>> = [new Set(), new Set(), new Set()]
    for (let next = search.next(); next !== undefined; next = search.next()) {
      const { explorer } = run(planted["published before it is registered"].fixed, next.oracle)
      const preemptions = explorer.answers.chosen.filter((choice, at) =>
        explorer.answers.costs[at] === -1 && choice > 0
      )
      // a schedule without any is the first of its bound
      if (preemptions.length === 0 && explorer.answers.chosen.every((choice) => choice === 0)) {
        bounds.push(bounds.length)
      }
      const schedules = seen[bounds.length - 1]
      const name = explorer.answers.chosen.join()
      expect(schedules?.has(name)).toBe(false)
      expect(preemptions.length).toBeLessThanOrEqual(bounds.length - 1)
      schedules?.add(name)
      search.tried(explorer)
    }
    expect(bounds).toStrictEqual([0, 1, 2])
    expect(seen.map(({ size }) => size)).toStrictEqual([...seen.map(({ size }) => size)].sort((a, b) => a - b))
  })
})

describe("Shrink", () => {
  it("keeps what it takes and nothing else", () => {
    // it fails when there is a 2 somewhere, and later a 1
    const fails = (list: ReadonlyArray<number>) => {
      const at = list.indexOf(2)
      return at >= 0 && list.indexOf(1, at) > at ? list : undefined
    }
    expect(shrink([1, 1, 0, 2, 3, 1, 2, 0, 1, 1, 0, 3, 0], fails).filter((choice) => choice > 0)).toStrictEqual([2, 1])
  })

  it("goes on from what was really chosen", () => {
    const tried: Array<string> = []
    const result = shrink([1, 1, 1, 1], (list) => {
      tried.push(list.join(""))
      return list[3] === 1 ? [0, 0, 0, 1, 0, 0] : undefined
    })
    expect(result).toStrictEqual([0, 0, 0, 1])
  })
})

describe("VirtualClock", () => {
  it.effect("moves to the next timer and fires all that are due", () =>
    Effect.gen(function*() {
      const clock = new VirtualClock()
      const fired: Array<number> = []
      const sleep = (millis: number) =>
        Effect.fork(Effect.tap(clock.sleep(Duration.millis(millis)), () => Effect.sync(() => fired.push(millis))))
      const fibers = yield* Effect.forEach([20, 10, 20, Infinity], sleep)
      yield* Effect.yieldNow()
      expect(clock.advance()).toBe(true)
      yield* Effect.yieldNow()
      expect([clock.unsafeCurrentTimeMillis(), ...fired]).toStrictEqual([10, 10])
      expect(clock.waits).toBe(true)
      expect(clock.advance()).toBe(true)
      yield* Effect.yieldNow()
      expect([clock.unsafeCurrentTimeMillis(), ...fired]).toStrictEqual([20, 10, 20, 20])
      expect(yield* clock.currentTimeNanos).toBe(20_000_000n)
      // a sleep without end is no timer
      expect([clock.waits, clock.advance()]).toStrictEqual([false, false])
      yield* Fiber.interruptAll(fibers)
    }))

  it.effect("an interrupted sleep is no timer any more", () =>
    Effect.gen(function*() {
      const clock = new VirtualClock()
      const fiber = yield* Effect.fork(clock.sleep(Duration.seconds(1)))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      expect(clock.waits).toBe(false)
    }))
})

describe("SourceLines", () => {
  it("finds functions of the program, and nothing of packages", () => {
    const sources = SourceLines.open()
    const marked = () => "marked"
    try {
      expect(sources.find(marked)).toMatchObject({
        file: "test/testing/interleave/parts.test.ts",
        text: "const marked = () => \"marked\""
      })
      expect(sources.find(Effect.map)).toBeUndefined()
      expect(sources.find(Run.run)).toBeUndefined()
      expect(sources.find(Array.from)).toBeUndefined()
    } finally {
      sources.close()
    }
  })

  it("finds where a generator stood, after it has moved on", () => {
    const walk = new Generators.Walk((function*() {
      yield* Effect.void
      yield* Option
        .some(() => [function*() {
          yield* Effect.succeed("{[(")
        }])
        .pipe(Option.map((f) => f))
      // another one, in between
      new Generators.Walk(Effect.void[Symbol.iterator]()).next(undefined)
      yield* Effect.fail("no")
    })())
    const stood: Array<Generators.Yield | undefined> = []
    const { prepareStackTrace, stackTraceLimit } = Error
    const stop = Generators.listen()
    for (let done = false; !done;) {
      done = walk.next(undefined).done === true
      stood.push(walk.at)
    }
    stop()
    // nobody listens any more
    const deaf = new Generators.Walk(Effect.void[Symbol.iterator]())
    deaf.next(undefined)
    expect(deaf.at).toBeUndefined()

    const sources = SourceLines.open()
    try {
      const lines = () => stood.map((at) => sources.at(at?.frame)?.text)
      expect(lines()).toStrictEqual([
        "yield* Effect.void",
        "yield* Option",
        "yield* Effect.fail(\"no\")",
        "yield* Effect.fail(\"no\")"
      ])
      expect(lines()).toStrictEqual(lines())
    } finally {
      sources.close()
    }
    expect([Error.prepareStackTrace, Error.stackTraceLimit]).toStrictEqual([prepareStackTrace, stackTraceLimit])
  })
})

describe("Recording", () => {
  it("of many schedules, each is printed afterwards as it was", () => {
    const record = (seed: number) => {
      const recording = Recording.make(100)
      const { explorer, fault } = Run.run(planted["lost wake-up"].naive, {
        oracle: Oracle.random(seed, 0.2),
        seed,
        granularity: "op",
        maxSteps: 1000,
        interruptAt: undefined,
        recorder: recording
      })
      return { recording, explorer, fault }
    }
    const print = ({ recording }: ReturnType<typeof record>) => {
      const sources = SourceLines.open()
      const trace = recording.print(sources)
      sources.close()
      return trace
    }
    const seeds = Array.from({ length: 20 }, (_, seed) => seed)
    const atOnce = seeds.map((seed) => print(record(seed)))
    expect(new Set(atOnce).size).toBeGreaterThan(15)
    expect(atOnce[0]).toContain("yield* Effect.all([request, request], { concurrency: 2 })")
    const recorded = seeds.map(record)
    for (const { explorer } of recorded) explorer.clear()
    expect(recorded.map(print)).toStrictEqual(atOnce)
  })
})
