import { describe, expect } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Mailbox from "effect/Mailbox"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as Ref from "effect/Ref"
import * as Runtime from "effect/Runtime"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Interleave } from "holdfast/testing"
import { it } from "holdfast/testing/vitest"
import { planted } from "./interleave/planted.js"

type Program = Effect.Effect<unknown, unknown, Scope.Scope>

const failed = (program: Program, options?: Interleave.Options) =>
  Effect.flatMap(Interleave.explore(program, options), (report) =>
    report._tag === "Failed"
      ? Effect.succeed(report)
      : Effect.dieMessage(`nothing was found in ${report.schedules} schedules`))

const passed = (program: Program, options?: Interleave.Options) => Effect.orDie(Interleave.check(program, options))

/** What the program came to in each schedule. */
const outcomes = <A, E>(program: Effect.Effect<A, E, Scope.Scope>, options: Interleave.Options) =>
  Effect.suspend(() => {
    const seen = new Set<string>()
    const record = Effect.map(
      Effect.exit(program),
      (exit) =>
        seen.add(Exit.isSuccess(exit) ? String(exit.value) : Exit.isInterrupted(exit) ? "interrupted" : "failed")
    )
    return Effect.map(passed(record, options), (report) => ({ seen: [...seen].sort(), report }))
  })

const increments = Effect.gen(function*() {
  const ref = yield* Ref.make(0)
  const increment = Effect.flatMap(Ref.get(ref), (n) => Ref.set(ref, n + 1))
  yield* Effect.all([increment, increment], { concurrency: 2 })
  const n = yield* Ref.get(ref)
  if (n !== 2) return yield* Effect.dieMessage("an increment was lost")
})

// ---------------------------------------------------------------------------------------------- what it finds

describe("planted bugs", () => {
  const budgets = {
    "check then act": { random: 60, pct: 300, preemptions: 1 },
    "published before it is registered": { random: 60, pct: 100, preemptions: 2 },
    "locks in opposite orders": { random: 10, pct: 50, preemptions: 1 },
    "lost wake-up": { random: 150, pct: 700, preemptions: 1 },
    "SubscriptionRef.set interrupted": { random: 145, pct: 700, preemptions: 1 }
  }
  const seeds = Arr.makeBy(4, (i) => 1 + i * 10_000)

  for (const [name, { fixed, naive }] of Object.entries(planted)) {
    const budget = budgets[name as keyof typeof budgets]

    for (const strategy of ["random", "pct"] as const) {
      it.live(`${name}: ${strategy} finds it within ${budget[strategy]} schedules, whatever the seed`, () =>
        Effect.forEach(
          seeds,
          (seed) =>
            failed(naive, { strategy: Interleave[strategy](), seed, schedules: budget[strategy], shrink: false })
        ))

      it.interleaved(`${name}: ${strategy} finds nothing in the repaired one`, () => fixed, {
        strategy: Interleave[strategy](),
        schedules: name.startsWith("SubscriptionRef") ? 100 : 500
      })
    }

    it.live(`${name}: what was found is found again by its choices, as it is and made plain`, () =>
      Effect.forEach(name.startsWith("SubscriptionRef") ? [true] : [true, false], (shrink) =>
        Effect.gen(function*() {
          const report = yield* failed(naive, { shrink })
          const again = yield* failed(naive, { strategy: Interleave.replay(report.choices) })
          expect(again).toMatchObject({ reason: report.reason, trace: report.trace, choices: report.choices })
        })))

    // its streams make too many steps for a search of all
    if (name.startsWith("SubscriptionRef")) continue

    it.live(`${name}: the exhaustive search finds it, and exhausts the repaired one`, () =>
      Effect.gen(function*() {
        const strategy = Interleave.exhaustive({ preemptions: budget.preemptions })
        const report = yield* failed(naive, { strategy })
        expect(report.schedule).toBeLessThan(200)
        const { exhaustive } = yield* passed(fixed, { strategy })
        expect(exhaustive).toBe(true)
      }))
  }

  it.finds("two fibers increment", () => increments, { within: 60 })
})

// ---------------------------------------------------------------------------------------------- what it tries

describe("exhaustive", () => {
  /** Every order of the steps of two fibers, and how often in it one is put off that could have gone on. */
  const orders = (left: string, right: string, last = "", switches = 0): ReadonlyArray<readonly [string, number]> => {
    if (left === "" && right === "") return [["", 0]]
    const take = (from: string, other: string, isLeft: boolean) =>
      from === "" ? [] : orders(isLeft ? from.slice(1) : other, isLeft ? other : from.slice(1), from[0]).map((
        [rest, count]
      ): readonly [string, number] => [
        `${from[0]}${rest}`,
        count + (last !== "" && last !== from[0] && other.includes(last) ? 1 : 0) + switches
      ])
    return [...take(left, right, true), ...take(right, left, false)]
  }

  /** Two fibers that write their letter three times. */
  const letters = Effect.gen(function*() {
    let written = ""
    const write = (letter: string) =>
      Effect.fork(Effect.gen(function*() {
        for (let i = 0; i < 3; i++) yield* Effect.sync(() => written += letter)
      }))
    // forked in one step: the one that forks takes no part
    const fibers = [yield* write("a"), yield* write("b")]
    yield* Fiber.awaitAll(fibers)
    return written
  })

  it.live("without a bound it tries every order", () =>
    Effect.gen(function*() {
      const twoLetters = Effect.gen(function*() {
        let written = ""
        const write = (letter: string) => Effect.sync(() => written += letter)
        const other = yield* Effect.fork(Effect.zipRight(write("b"), write("b")))
        yield* write("a")
        yield* write("a")
        yield* Fiber.await(other)
        return written
      })
      const { report, seen } = yield* outcomes(twoLetters, { strategy: Interleave.exhaustive() })
      expect(report.exhaustive).toBe(true)
      expect(seen).toStrictEqual(orders("aa", "bb").map(([order]) => order).sort())
    }))

  it.live("with a bound every order within it, at least", () =>
    Effect.forEach([0, 1, 2], (preemptions) =>
      Effect.gen(function*() {
        const { report, seen } = yield* outcomes(letters, { strategy: Interleave.exhaustive({ preemptions }) })
        expect(report.exhaustive).toBe(true)
        const within = orders("aaa", "bbb").filter(([, count]) => count <= preemptions).map(([order]) => order)
        expect(seen).toEqual(expect.arrayContaining(within))
        if (preemptions === 0) expect(seen).toStrictEqual(["aaabbb", "bbbaaa"])
      })))

  it.live("it is not exhaustive when the budget ends before", () =>
    Effect.gen(function*() {
      const report = yield* passed(letters, { strategy: Interleave.exhaustive(), schedules: 10 })
      expect(report).toMatchObject({ schedules: 10, exhaustive: false })
    }))

  it.live("it tries every choice, and the faults up to their bound", () =>
    Effect.gen(function*() {
      const call = (name: string) =>
        Interleave.maybe(name, Effect.succeed("well"), { fail: "refused", die: "bug", interrupt: true })
      const all = yield* outcomes(
        Effect.gen(function*() {
          const size = yield* Interleave.choose("size", [1, 2, 3])
          const exits = yield* Effect.forEach(["one", "two"], (name) => Effect.exit(call(name)))
          return `${size} ${
            exits.map((exit) => Exit.isSuccess(exit) ? "." : Exit.isInterrupted(exit) ? "i" : "!").join("")
          }`
        }),
        { strategy: Interleave.exhaustive({ faults: 1 }) }
      )
      expect(all.report.exhaustive).toBe(true)
      expect(all.seen).toStrictEqual(
        [1, 2, 3].flatMap((size) => ["!.", ".!", "..", ".i", "i."].map((faults) => `${size} ${faults}`))
      )
      // 3 sizes; none, or one of 3 faults at one of 2 places
      expect(all.report.schedules).toBe(3 * (1 + 2 * 3))
    }))

  it.live("a fiber that spins with yieldNow gives way: the search ends", () =>
    Effect.gen(function*() {
      const report = yield* passed(
        Effect.gen(function*() {
          const ready = yield* Ref.make(false)
          const spins = yield* Effect.yieldNow().pipe(
            Effect.zipRight(Ref.get(ready)),
            Effect.repeat({ until: (is) => is }),
            Effect.fork
          )
          yield* Effect.yieldNow()
          yield* Ref.set(ready, true)
          yield* Fiber.join(spins)
        }),
        { strategy: Interleave.exhaustive({ preemptions: 2 }) }
      )
      expect(report.exhaustive).toBe(true)
    }))
})

describe("choose and maybe", () => {
  it.effect("outside of an exploration the plain alternative is taken", () =>
    Effect.gen(function*() {
      expect(yield* Interleave.choose("size", [7, 8, 9])).toBe(7)
      expect(yield* Interleave.maybe("call", Effect.succeed("well"), { fail: "refused", hang: true })).toBe("well")
    }))

  it.live("what was chosen is in the trace of a failure", () =>
    Effect.gen(function*() {
      const { trace } = yield* failed(
        Effect.gen(function*() {
          const size = yield* Interleave.choose("size", [1, 2, 3])
          yield* Interleave.maybe("the dial", Effect.void, { fail: `refused ${size}` })
        }),
        { strategy: Interleave.exhaustive() }
      )
      expect(trace).toContain("size: 1")
      expect(trace).toContain("the dial: fails")
    }))

  it.live("one that hangs, and for which nobody has a deadline, is a deadlock", () =>
    Effect.gen(function*() {
      const dial = Interleave.maybe("the dial", Effect.void, { hang: true })
      expect(yield* failed(dial)).toMatchObject({ fault: "Deadlock" })
      yield* passed(Effect.timeoutOption(dial, "5 seconds"))
    }))
})

describe("interruptAt", () => {
  /** Something is taken, used and given back. */
  const use = (careful: boolean, waits: Effect.Effect<void>) =>
    Effect.gen(function*() {
      let taken = 0
      const take = Effect.sync(() => taken++)
      const give = Effect.sync(() => taken--)
      const fiber = yield* Interleave.victim(
        careful
          ? Effect.acquireUseRelease(take, () => waits, () => give)
          : Effect.zipRight(take, Effect.ensuring(waits, give))
      )
      yield* Effect.yieldNow()
      yield* Fiber.await(fiber)
      if (taken !== 0) return yield* Effect.dieMessage("it was not given back")
    })

  it.live("it finds the step between a resource and its release", () =>
    Effect.gen(function*() {
      const report = yield* failed(use(false, Effect.void), { interruptAt: "every-step" })
      expect(report.choices).toMatch(/interrupt@\d+/)
      expect(report.trace).toMatch(/#1 \(victim\)\n.*take = Effect\.sync.*\n {4}is interrupted/)
      const again = yield* failed(use(false, Effect.void), { strategy: Interleave.replay(report.choices) })
      expect(again.trace).toBe(report.trace)
    }))

  it.live("it interrupts at each step, also while it waits, and says so", () =>
    Effect.forEach(
      [Interleave.random(), Interleave.exhaustive({ preemptions: 1 })],
      (strategy) =>
        Effect.gen(function*() {
          const report = yield* passed(use(true, Effect.sleep("1 second")), {
            strategy,
            schedules: strategy._tag === "Random" ? 1 : 100_000,
            interruptAt: "every-step"
          })
          expect(report.interrupted.of).toBeGreaterThan(10)
          expect(report.interrupted.at).toBe(report.interrupted.of)
          expect(report.exhaustive).toBe(strategy._tag === "Exhaustive")
        })
    ))

  it.live("it finds what is not undone when the interruption comes during the wait", () =>
    failed(
      Effect.gen(function*() {
        const waiting = new Set<() => void>()
        const fiber = yield* Interleave.victim(Effect.async<void>((resume) => {
          const wake = () => resume(Effect.void)
          waiting.add(wake)
          // no canceller
        }))
        yield* Effect.sleep("1 second")
        if (fiber.unsafePoll() !== null && waiting.size > 0) return yield* Effect.dieMessage("still registered")
        for (const wake of waiting) wake()
      }),
      { interruptAt: "every-step", strategy: Interleave.exhaustive({ preemptions: 0 }) }
    ))

  it.live("while it waits for a time, also later than at once", () =>
    Effect.gen(function*() {
      const { seen } = yield* outcomes(
        Effect.gen(function*() {
          const fiber = yield* Interleave.victim(Effect.sleep("1 minute"))
          const ticks = yield* Ref.make(0)
          yield* Effect.fork(
            Effect.forever(Effect.zipRight(Effect.sleep("20 seconds"), Ref.update(ticks, (n) => n + 1)))
          )
          yield* Fiber.await(fiber)
          return yield* Ref.get(ticks)
        }),
        { interruptAt: "every-step", strategy: Interleave.exhaustive({ preemptions: 2 }), schedules: 3000 }
      )
      expect(seen).toEqual(expect.arrayContaining(["0", "1", "2"]))
    }))

  it.live("what the victim takes and loses is found", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        const jobs = yield* Queue.unbounded<string>()
        const done: Array<string> = []
        const worker = yield* Interleave.victim(
          Effect.forever(Effect.flatMap(Queue.take(jobs), (job) => Effect.sync(() => done.push(job))))
        )
        yield* Queue.offerAll(jobs, ["a", "b"])
        yield* Effect.sleep("1 second")
        yield* Fiber.interrupt(worker)
        const left = Chunk.toReadonlyArray(yield* Queue.takeAll(jobs))
        if (done.length + left.length !== 2) return yield* Effect.dieMessage("a job was lost")
      })
      yield* failed(program, { interruptAt: "every-step" })
    }))
})

describe("granularity", () => {
  it.live("async: only what waits can be overtaken", () =>
    Effect.gen(function*() {
      yield* passed(increments, { granularity: "async" })
      const withGap = Effect.gen(function*() {
        const ref = yield* Ref.make(0)
        const increment = Ref.get(ref).pipe(
          Effect.tap(Effect.yieldNow()),
          Effect.flatMap((n) => Ref.set(ref, n + 1))
        )
        yield* Effect.all([increment, increment], { concurrency: 2 })
        if ((yield* Ref.get(ref)) !== 2) return yield* Effect.dieMessage("an increment was lost")
      })
      const report = yield* failed(withGap, { granularity: "async" })
      expect(report.choices).toContain("async")
      // the choices know their granularity
      expect(yield* failed(withGap, { strategy: Interleave.replay(report.choices) })).toMatchObject({
        reason: report.reason
      })
    }))

  it.live("async: interruption comes where the victim waits or goes on", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        const fiber = yield* Interleave.victim(Effect.repeatN(Effect.sleep("1 second"), 2))
        yield* Fiber.await(fiber)
      })
      const report = yield* passed(program, {
        granularity: "async",
        interruptAt: "every-step",
        strategy: Interleave.exhaustive({ preemptions: 0 })
      })
      // its start, three times "waits, goes on", and two times after the yield of `repeatN`
      expect(report.interrupted).toStrictEqual({ at: 9, of: 9 })
      expect(report.exhaustive).toBe(true)
    }))
})

// ---------------------------------------------------------------------------------------------- what it says

describe("the report", () => {
  it.live("is the same for the same seed", () =>
    Effect.forEach(
      [increments, planted["lost wake-up"].fixed],
      (program) =>
        Effect.gen(function*() {
          const explore = Effect.map(Interleave.explore(program, { seed: 7 }), ({ millis: _, ...report }) => report)
          expect(yield* explore).toStrictEqual(yield* explore)
        })
    ))

  it.live("a failure: the reason, the choices and the lines of the program, as plain as possible", () =>
    Effect.gen(function*() {
      const { choices, message, reason, trace } = yield* Effect.flip(Interleave.check(increments))
      expect(reason).toContain("an increment was lost")
      expect(reason).not.toContain("node_modules")
      // one fiber is put off once
      expect(choices).toMatch(/^seed=\d+ \d+:1$/)
      expect(trace.match(/✂/g)).toHaveLength(1)
      expect(trace).toContain("test/testing/Interleave.test.ts:")
      expect(trace).toContain("yield* Effect.all([increment, increment], { concurrency: 2 })")
      expect(trace).toContain("const increment = Effect.flatMap(Ref.get(ref), (n) => Ref.set(ref, n + 1))")
      for (const part of [reason, trace, `Interleave.replay("${choices}")`]) expect(message).toContain(part)
    }))

  it.live("a deadlock: where each fiber waits", () =>
    Effect.gen(function*() {
      const { fault, reason } = yield* failed(planted["locks in opposite orders"].naive)
      expect(fault).toBe("Deadlock")
      const [, ...waits] = reason.split("\n")
      expect(waits).toHaveLength(3)
      expect(waits[0]).toMatch(/#0 program waits for #1 left .* at .*planted\.ts:\d+ {2}yield\* Fiber\.join\(left\)/)
      expect(waits[1]).toMatch(/#1 left waits.*planted\.ts:\d+/)
      expect(waits[2]).toMatch(/#2 right waits.*planted\.ts:\d+/)
    }))

  it.live("a livelock: where each fiber is, and that quickly", () =>
    Effect.gen(function*() {
      const spin = Effect.gen(function*() {
        const ref = yield* Ref.make(0)
        yield* Effect.repeat(Ref.get(ref), { until: (n) => n > 0 })
      })
      const { fault, reason, steps } = yield* failed(spin, { maxSteps: 5000 })
      expect(fault).toBe("Livelock")
      expect(steps).toBeLessThan(5010)
      expect(reason).toContain("5000 steps")
      expect(reason).toContain("yield* Effect.repeat(Ref.get(ref)")
    }))

  it.live("a livelock, when all that still happens is a heartbeat", () =>
    Effect.gen(function*() {
      const { fault, reason } = yield* failed(
        Effect.gen(function*() {
          yield* Effect.forkScoped(Effect.forever(Effect.sleep("1 second")))
          const never = yield* Deferred.make<void>()
          yield* Deferred.await(never)
        }),
        { maxSteps: 5000 }
      )
      expect(fault).toBe("Livelock")
      expect(reason).toContain("yield* Deferred.await(never)")
    }))

  it.live("fibers that outlive the scope, by name", () =>
    Effect.gen(function*() {
      const { fault, reason } = yield* failed(
        Effect.forkDaemon(Effect.sleep("1 hour").pipe(Effect.withSpan("poll")))
      )
      expect(fault).toBe("Outlives")
      expect(reason).toContain("#1 poll waits")
    }))

  const outside = {
    "a native promise": Effect.promise(() => Promise.resolve(1)),
    "a real timer": Effect.async<void>((resume) => void setTimeout(() => resume(Effect.void), 20)),
    "a fiber of the default runtime": Effect.gen(function*() {
      const done = yield* Deferred.make<void>()
      Effect.runFork(Effect.zipRight(Effect.sleep("10 millis"), Deferred.succeed(done, undefined)))
      yield* Deferred.await(done)
    })
  }
  for (const [name, program] of Object.entries(outside)) {
    it.live(`it says when the program waits for ${name}`, () =>
      Effect.gen(function*() {
        const { fault, reason } = yield* failed(Effect.gen(function*() {
          yield* program
        }))
        expect(fault).toBe("Outside")
        expect(reason).toContain("outside of the explorer")
        expect(reason).toMatch(/#0 program waits.*Interleave\.test\.ts:\d+/)
      }))
  }

  it.live("it says when the program is not deterministic", () =>
    Effect.gen(function*() {
      let runs = 0
      const program = Effect.gen(function*() {
        yield* Effect.all(Arr.makeBy(1 + runs++ % 3, () => Effect.void), { concurrency: "unbounded" })
      })
      expect(yield* failed(program, { strategy: Interleave.exhaustive() })).toMatchObject({ fault: "Strays" })
      // also when the answer that it went by is one of another question
      const another = Effect.suspend(() => Interleave.choose("size", runs++ % 2 === 0 ? [1, 2] : [1, 2, 3]))
      runs = 0
      expect(yield* failed(another, { strategy: Interleave.exhaustive() })).toMatchObject({ fault: "Strays" })
      // or of the same one, later
      const later = Effect.zipRight(
        Effect.suspend(() => runs++ % 2 === 0 ? Effect.void : Effect.asVoid(Effect.yieldNow())),
        Interleave.choose("size", [1, 2])
      )
      runs = 0
      expect(yield* failed(later, { strategy: Interleave.exhaustive() })).toMatchObject({ fault: "Strays" })
      let failures = 0
      const once = Effect.suspend(() => failures++ === 0 ? Effect.die("only once") : Effect.void)
      expect((yield* failed(once)).reason).toContain("not deterministic")
    }))

  it.live("what the program logs is in the trace, and nowhere else", () =>
    Effect.gen(function*() {
      const printed: Array<unknown> = []
      const log = console.log
      console.log = (...words: ReadonlyArray<unknown>) => void printed.push(words)
      const { trace } = yield* failed(
        Effect.logWarning("the link is", "down").pipe(Effect.zipRight(Effect.fail("down")))
      ).pipe(Effect.ensuring(Effect.sync(() => console.log = log)))
      expect(trace).toContain("logs WARN: the link is down")
      expect(printed).toStrictEqual([])
    }))

  it.effect("choices that are none are refused with what would be right", () =>
    Effect.sync(() => {
      expect(() => Interleave.replay("17:x")).toThrow("such as \"seed=1 14:1 0:2\", and not \"17:x\"")
    }))

  it.live("options that make no sense are refused with what would be right", () =>
    Effect.gen(function*() {
      expect(() => Interleave.random({ preempt: 20 })).toThrow("preempt must be a number from 0 to 1, and not 20")
      expect(() => Interleave.pct({ depth: 0 })).toThrow("depth must be a whole number from 1, and not 0")
      expect(() => Interleave.exhaustive({ preemptions: -1 })).toThrow("preemptions must be a whole number from 0")
      expect(() => Interleave.exhaustive({ faults: 0.5 })).toThrow("faults must be a whole number from 0")
      const refused = (options: Interleave.Options) =>
        Effect.map(Effect.flip(Effect.sandbox(Interleave.explore(Effect.void, options))), Cause.pretty)
      // none would pass any program
      expect(yield* refused({ schedules: 0 })).toContain("schedules must be a whole number from 1, and not 0")
      expect(yield* refused({ maxSteps: NaN })).toContain("maxSteps must be a whole number from 1, and not NaN")
      expect(yield* refused({ seed: -1 })).toContain("seed must be a whole number from 0, and not -1")
    }))

  it.live("a program of another version of Effect is refused, and not said to hold in every order", () =>
    Effect.gen(function*() {
      const other: Effect.Effect<void> = Object.create(Effect.void, {
        [Effect.EffectTypeId]: { value: { ...Effect.void[Effect.EffectTypeId], _V: "3.0.0" } }
      })
      const cause = yield* Effect.flip(Effect.sandbox(Interleave.explore(Effect.andThen(Effect.void, () => other))))
      expect(Cause.pretty(cause)).toMatch(/made with effect 3\.0\.0, and holdfast\/testing uses \d.*npm ls effect/)
    }))

  it.live("what is no effect fails as it does in Effect", () =>
    Effect.gen(function*() {
      const nothing: Effect.Effect<void> = JSON.parse("null")
      expect((yield* failed(Effect.flatMap(Effect.void, () => nothing))).reason).toContain("Not a valid effect: null")
    }))

  it.live("a program without a victim is not said to bear an interruption at every step", () =>
    Effect.gen(function*() {
      const cause = yield* Effect.flip(Effect.sandbox(Interleave.explore(increments.pipe(Effect.ignore), {
        interruptAt: "every-step",
        strategy: Interleave.exhaustive({ preemptions: 0 })
      })))
      expect(Cause.pretty(cause)).toContain("there is nobody to interrupt: fork the fiber with Interleave.victim")
    }))
})

// ---------------------------------------------------------------------------------------------- what it controls

describe("a program under it", () => {
  it.live("time goes from timer to timer, and timers of one instant race", () =>
    Effect.gen(function*() {
      const { seen } = yield* outcomes(
        Effect.gen(function*() {
          let log = ""
          const at = (letter: string, seconds: number) =>
            Effect.delay(Effect.sync(() => log += letter), `${seconds} seconds`)
          yield* Effect.all([at("b", 3600), at("a", 1), at("c", 3600)], { concurrency: "unbounded" })
          return `${log} ${yield* Clock.currentTimeMillis}`
        }),
        {}
      )
      expect(seen).toStrictEqual(["abc 3600000", "acb 3600000"])
    }))

  it.live("timeouts and schedules are exact", () =>
    Effect.gen(function*() {
      const { seen } = yield* outcomes(
        Effect.gen(function*() {
          const slow = yield* Effect.timeoutOption(Effect.sleep("3 seconds"), "2 seconds")
          let tries = 0
          yield* Effect.suspend(() => tries++ < 3 ? Effect.fail("no") : Effect.void).pipe(
            Effect.retry(Schedule.exponential("1 second"))
          )
          return `${Option.isNone(slow)} ${tries} ${yield* Clock.currentTimeMillis}`
        }),
        { schedules: 50 }
      )
      expect(seen).toStrictEqual(["true 4 9000"])
    }))

  it.live("Random follows the seed", () =>
    Effect.gen(function*() {
      const draw = outcomes(Random.nextIntBetween(0, 1000), { schedules: 3, seed: 5 })
      const one = yield* draw
      expect(one.seen).toHaveLength(3)
      expect((yield* draw).seen).toStrictEqual(one.seen)
    }))

  class Store extends Context.Tag("test/Store")<Store, { readonly add: Effect.Effect<number> }>() {}

  const unyielding = Effect.withMaxOpsBeforeYield(Infinity)

  const kinds: Record<string, Effect.Effect<void, unknown, Scope.Scope>> = {
    "a Queue and a Deferred": Effect.gen(function*() {
      const queue = yield* Queue.bounded<number>(1)
      const done = yield* Deferred.make<number>()
      yield* Effect.forkScoped(
        Effect.flatMap(Effect.replicateEffect(Queue.take(queue), 3), (all) => Deferred.succeed(done, all.length))
      )
      yield* Queue.offerAll(queue, [1, 2, 3])
      expect(yield* Deferred.await(done)).toBe(3)
    }),
    "a Mailbox, which wakes its taker without a fiber": Effect.gen(function*() {
      const mailbox = yield* Mailbox.make<number>()
      const taker = yield* Effect.fork(Effect.replicateEffect(unyielding(mailbox.take), 3))
      yield* Effect.forEach([1, 2, 3], (n) => Effect.zipRight(Effect.yieldNow(), mailbox.offer(n)))
      expect(yield* Fiber.join(taker)).toStrictEqual([1, 2, 3])
    }),
    "a Semaphore": Effect.gen(function*() {
      const semaphore = yield* Effect.makeSemaphore(1)
      let inside = 0
      const enter = semaphore.withPermits(1)(Effect.gen(function*() {
        expect(++inside).toBe(1)
        yield* Effect.yieldNow()
        inside--
      }))
      yield* Effect.all([enter, enter, enter], { concurrency: "unbounded" })
    }),
    "a Stream": Effect.gen(function*() {
      const merged = yield* Stream.make(1, 2, 3).pipe(
        Stream.merge(Stream.make(4, 5, 6)),
        Stream.mapEffect((n) => Effect.as(Effect.sleep(n), n), { concurrency: 2 }),
        Stream.runCollect
      )
      expect(Chunk.toReadonlyArray(merged).reduce((sum, n) => sum + n, 0)).toBe(21)
    }),
    "a Layer, shared by two": Effect.gen(function*() {
      let made = 0
      const layer = Layer.scoped(Store, Effect.sync(() => ({ add: Effect.sync(() => ++made) })))
      const user = Layer.effectDiscard(Effect.flatMap(Store, ({ add }) => add))
      yield* Layer.build(Layer.mergeAll(user, Layer.fresh(user)).pipe(Layer.provide(layer)))
      expect(made).toBe(2)
    }),
    "Effect.runtime and Runtime.runFork": Effect.gen(function*() {
      const runtime = yield* Effect.runtime()
      const ref = yield* Ref.make(0)
      const add = Effect.zipRight(Effect.yieldNow(), Ref.update(ref, (n) => n + 1))
      const fibers = [Runtime.runFork(runtime, add), Runtime.runFork(runtime, add)]
      yield* Effect.forEach(fibers, Fiber.join)
      expect(yield* Ref.get(ref)).toBe(2)
    }),
    "a FiberSet and forkIn": Effect.gen(function*() {
      const scope = yield* Effect.scope
      const fork = yield* FiberSet.makeRuntime<never>()
      const ref = yield* Ref.make(0)
      const add = Ref.update(ref, (n) => n + 1)
      const fibers = [fork(add), yield* Effect.forkIn(add, scope), yield* Effect.forkScoped(add)]
      yield* Effect.forEach(fibers, Fiber.join)
      expect(yield* Ref.get(ref)).toBe(3)
    })
  }
  for (const [name, program] of Object.entries(kinds)) {
    it.live(`${name}: every fiber is under control`, () =>
      Effect.gen(function*() {
        const report = yield* passed(program, { schedules: 200 })
        expect(report.distinct).toBeGreaterThan(name.includes("Layer") ? 0 : 50)
      }))
  }

  // `take` looks for a message and then registers its fiber: between the two it may yield, and who offers there wakes nobody
  it.finds("effect's Mailbox: a taker sleeps although a message is there", () =>
    Effect.gen(function*() {
      const mailbox = yield* Mailbox.make<number>()
      const taker = yield* Effect.fork(mailbox.take)
      yield* mailbox.offer(1)
      yield* Fiber.join(taker)
    }), { within: 100 })

  it.interleaved("what says that it never yields is never put off", () =>
    Effect.gen(function*() {
      const ref = yield* Ref.make(0)
      const increment = unyielding(Effect.flatMap(Ref.get(ref), (n) => Ref.set(ref, n + 1)))
      yield* Effect.all([increment, increment], { concurrency: 2 })
      expect(yield* Ref.get(ref)).toBe(2)
    }), { strategy: Interleave.exhaustive({ preemptions: 1 }) })

  it.live("a fiber that starts on its parent's stack can be put off there", () =>
    Effect.gen(function*() {
      const { seen } = yield* outcomes(
        Effect.gen(function*() {
          const fork = yield* FiberSet.makeRuntime<never>()
          let log = ""
          const child = Effect.zipRight(Effect.sync(() => log += "a"), Effect.sync(() => log += "b"))
          const fiber = yield* Effect.sync(() => {
            const fiber = fork(child)
            log += "."
            return fiber
          })
          yield* Fiber.await(fiber)
          return log
        }),
        { strategy: Interleave.exhaustive({ preemptions: 2 }) }
      )
      expect(seen).toStrictEqual(["a.b", "ab."])
    }))
})

// ---------------------------------------------------------------------------------------------- what it costs

describe("an exploration", () => {
  it.live("leaves no fiber behind, also when it fails", () =>
    Effect.gen(function*() {
      const before = new Set(Fiber.unsafeRoots())
      yield* failed(Effect.forkDaemon(Effect.never))
      yield* failed(planted["locks in opposite orders"].naive)
      yield* failed(Effect.forkDaemon(
        Effect.addFinalizer(() => Effect.sleep("1 second")).pipe(Effect.zipRight(Effect.never), Effect.scoped)
      ))
      expect(
        Fiber.unsafeRoots().filter((fiber) => !before.has(fiber))
      ).toStrictEqual([])
    }))

  it.live("lets others have their turn, and can be interrupted", () =>
    Effect.gen(function*() {
      const start = Date.now()
      const result = yield* passed(planted["lost wake-up"].fixed, { schedules: 10_000_000 }).pipe(
        Effect.timeoutOption("200 millis")
      )
      expect(Option.isNone(result)).toBe(true)
      expect(Date.now() - start).toBeLessThan(5000)
    }))

  it.live("ends with its time box", () =>
    Effect.gen(function*() {
      const report = yield* passed(planted["lost wake-up"].fixed, { schedules: 10_000_000, timeBox: "200 millis" })
      expect(report.schedules).toBeGreaterThan(0)
      expect(report.millis).toBeLessThan(5000)
    }))
})
