/**
 * How many schedules there are, and which orders they have: counted by a model that knows nothing of Effect, or by hand, against what the
 * exhaustive search runs. A schedule that it leaves out, or runs twice, is a wrong count.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { Interleave } from "holdfast/testing"

// ---------------------------------------------------------------------------------------------- the model

/** A step writes its letters, of which there may be none; starts a thread that was not ready; or gives way after it. */
interface Step {
  readonly writes?: string
  readonly starts?: number
  readonly givesWay?: true
}

interface State {
  readonly done: ReadonlyArray<number>
  /** Who can go on and is not running, the one that was ready first at first. */
  readonly ready: ReadonlyArray<{ readonly thread: number; readonly gaveWay: boolean }>
  readonly running: number | undefined
  readonly written: string
  readonly preempted: number
}

/** What each schedule writes that puts a thread off at most so often. At `async` nobody is put off, but one that gives way may go on at once. */
const schedules = (
  threads: ReadonlyArray<ReadonlyArray<Step>>,
  bound: number,
  granularity: "op" | "async" = "op"
): ReadonlyArray<string> => {
  const go = (state: State): ReadonlyArray<string> => {
    if (state.preempted > bound) return []
    const { ready, running } = state
    if (running === undefined) {
      if (ready.length === 0) return [state.written]
      return ready.flatMap(({ gaveWay, thread }, index) =>
        step({
          ...state,
          ready: ready.filter((_, at) => at !== index),
          running: thread,
          preempted: state.preempted + (gaveWay && index > 0 ? 1 : 0)
        })
      )
    }
    const goesOn = step(state)
    if (granularity === "async") return goesOn
    return [
      ...goesOn,
      ...ready.flatMap(({ thread }, index) =>
        step({
          ...state,
          ready: [...ready.filter((_, at) => at !== index), { thread: running, gaveWay: false }],
          running: thread,
          preempted: state.preempted + 1
        })
      )
    ]
  }
  const step = (state: State): ReadonlyArray<string> => {
    const thread = state.running ?? 0
    const at = state.done[thread] ?? 0
    const { givesWay, starts, writes = "" } = threads[thread]?.[at] ?? {}
    const done = state.done.map((count, index) => index === thread ? count + 1 : count)
    const over = done[thread] === threads[thread]?.length
    const started = starts === undefined ? [] : [{ thread: starts, gaveWay: false }]
    const again = givesWay === true && !over ? [{ thread, gaveWay: true }] : []
    return go({
      ...state,
      done,
      ready: [...state.ready, ...started, ...again],
      running: over || givesWay === true ? undefined : thread,
      written: state.written + writes
    })
  }
  return go({
    done: threads.map(() => 0),
    ready: [{ thread: 0, gaveWay: false }],
    running: undefined,
    written: "",
    preempted: 0
  })
}

/** A search begins with few preemptions, and ends at its bound, or with the first bound that leaves nothing out. */
const searched = (model: (bound: number) => ReadonlyArray<string>, bound: number): ReadonlyArray<string> => {
  const all = model(Infinity).length
  const bounds = Number.isFinite(bound) ? Array.from({ length: bound + 1 }, (_, level) => level) : [0, 1, 2, Infinity]
  const enough = bounds.findIndex((level) => model(level).length === all)
  return bounds.slice(0, enough < 0 ? undefined : enough + 1).flatMap(model)
}

const sorted = (words: Iterable<string>) => [...words].sort()

// ---------------------------------------------------------------------------------------------- the real thing

/** What the program came to in each schedule, in the order in which they were run. */
const explored = <E>(program: Effect.Effect<string, E, Scope.Scope>, options: Interleave.Options) =>
  Effect.suspend(() => {
    const results: Array<string> = []
    const recorded = Effect.tap(program, (result) => Effect.sync(() => results.push(result)))
    return Effect.map(Effect.orDie(Interleave.check(recorded, options)), (report) => ({ report, results }))
  })

/** Forks them, and waits in one piece until the last has ended: it takes no part in what they do. */
const together = (make: (write: (letter: string) => Effect.Effect<void>) => ReadonlyArray<Effect.Effect<unknown>>) =>
  Effect.gen(function*() {
    let written = ""
    const parties = make((letter) => Effect.sync(() => void (written += letter)))
    const fibers: Array<Fiber.RuntimeFiber<unknown>> = []
    for (const party of parties) fibers.push(yield* Effect.fork(party))
    yield* Effect.async<void>((resume) => {
      let left = fibers.length
      for (const fiber of fibers) fiber.addObserver(() => --left === 0 && resume(Effect.void))
    })
    return written
  })

/** So many letters, one a step; the last step is also the end of the fiber. */
const writer = (write: (letter: string) => Effect.Effect<void>, letter: string, times: number): Effect.Effect<void> =>
  times === 1 ? write(letter) : Effect.zipRight(write(letter), writer(write, letter, times - 1))

/** The program of `together`: a fork is two steps (fork, go on with the fiber), the wait is two (register, wait). */
const main = (parties: number): ReadonlyArray<Step> => [
  ...Array.from({ length: parties }, (_, party) => [{ starts: party + 1 }, {}]).flat(),
  {},
  {}
]
const letters = (letter: string, times: number): ReadonlyArray<Step> =>
  Array.from({ length: times }, () => ({ writes: letter }))

const choose = (n: number, k: number): number => k === 0 ? 1 : choose(n - 1, k - 1) * n / k

describe("every order of steps", () => {
  it.live("of two fibers, with and without a bound: as many schedules as there are, each once", () =>
    Effect.forEach([[1, 1], [1, 2], [2, 2], [3, 2]] as const, ([a, b]) =>
      Effect.gen(function*() {
        const model = (bound: number) => schedules([main(2), letters("a", a), letters("b", b)], bound)
        // by hand: the second fiber's steps fall among the last 2 of main or after them, the first one's among the last 4 and those
        expect(model(Infinity).length).toBe(choose(2 + 1 + b, b) * choose(4 + 1 + b + a, a))

        for (const preemptions of [0, 1, 2, 3, Infinity]) {
          const { report, results } = yield* explored(
            together((write) => [writer(write, "a", a), writer(write, "b", b)]),
            { strategy: Interleave.exhaustive({ preemptions }) }
          )
          expect(sorted(results)).toStrictEqual(sorted(searched(model, preemptions)))
          expect(report).toMatchObject({ exhaustive: true, distinct: model(preemptions).length })
        }
      })))

  it.live("of three fibers", () =>
    Effect.gen(function*() {
      const three = yield* explored(
        together((write) => [write("a"), write("b"), write("c")]),
        { strategy: Interleave.exhaustive({ preemptions: 2 }) }
      )
      const model = (bound: number) => schedules([main(3), letters("a", 1), letters("b", 1), letters("c", 1)], bound)
      expect(sorted(three.results)).toStrictEqual(sorted(searched(model, 2)))
      expect(three.report).toMatchObject({ exhaustive: true, distinct: model(2).length })
      expect(new Set(three.results).size).toBe(6)
    }))
})

describe("every order of what fibers do between two waits", () => {
  it.live("two and three fibers that give way: as many schedules as there are", () =>
    Effect.forEach([2, 3], (parties) =>
      Effect.gen(function*() {
        const names = ["a", "b", "c"].slice(0, parties)
        const segments = (letter: string): ReadonlyArray<Step> => [
          { writes: letter, givesWay: true },
          { writes: letter, givesWay: true },
          { writes: letter }
        ]
        const model = (bound: number) => schedules([main(parties), ...names.map(segments)], bound, "async")
        // by hand: 6! / 3! 3!, and 9! / 3! 3! 3!
        expect(model(Infinity).length).toBe(parties === 2 ? 20 : 1680)
        const program = together((write) =>
          names.map((letter) => {
            const once = Effect.zipLeft(write(letter), Effect.yieldNow())
            return Effect.zipRight(Effect.zipRight(once, once), write(letter))
          })
        )
        for (const bound of [0, 1, 2, Infinity]) {
          const { report, results } = yield* explored(program, {
            granularity: "async",
            strategy: Interleave.exhaustive({ preemptions: bound })
          })
          expect(sorted(results)).toStrictEqual(sorted(searched(model, bound)))
          expect(report).toMatchObject({ exhaustive: true, distinct: model(bound).length })
        }
      })))

  it.live("timers of one instant go off in every order, those of different ones in theirs", () =>
    Effect.gen(function*() {
      const sleeps = (
        write: (letter: string) => Effect.Effect<void>,
        letter: string,
        ...times: ReadonlyArray<number>
      ) => Effect.forEach(times, (time) => Effect.delay(write(letter), time), { discard: true })
      const at = (...times: ReadonlyArray<ReadonlyArray<number>>) =>
        explored(
          together((write) => times.map((its, index) => sleeps(write, ["a", "b", "c"][index] ?? "", ...its))),
          { granularity: "async", strategy: Interleave.exhaustive({ preemptions: 0 }) }
        )
      const orders = ({ results }: { readonly results: ReadonlyArray<string> }) => sorted(new Set(results))

      expect(orders(yield* at([1], [1], [1]))).toStrictEqual(["abc", "acb", "bac", "bca", "cab", "cba"])
      expect(orders(yield* at([1, 1], [1, 1]))).toStrictEqual(["abab", "abba", "baab", "baba"])
      expect(orders(yield* at([2], [1], [3]))).toStrictEqual(["bac"])
      // at 3 both are due, whoever set its timer first
      expect(orders(yield* at([1, 2], [2, 1]))).toStrictEqual(["abab", "abba"])
    }))
})

describe("every answer", () => {
  it.live("of each fiber, in each order; faults up to their bound", () =>
    Effect.gen(function*() {
      const program = together((write) =>
        ["a", "b"].map((letter) =>
          Effect.flatMap(
            Effect.exit(Interleave.maybe(letter, Effect.succeed(letter), { fail: "refused", die: "bug" })),
            (exit) => write(Exit.isSuccess(exit) ? letter : Cause.isDie(exit.cause) ? `${letter}!` : `${letter}?`)
          )
        )
      )
      const faults = (bound: number) =>
        ["a", "a!", "a?"].flatMap((a) => ["b", "b!", "b?"].map((b) => [a, b])).filter((words) =>
          words.filter((word) => word.length > 1).length <= bound
        )
      for (const bound of [0, 1, 2]) {
        const { report, results } = yield* explored(program, {
          granularity: "async",
          strategy: Interleave.exhaustive({ faults: bound })
        })
        const expected = faults(bound).flatMap(([a, b]) => [`${a}${b}`, `${b}${a}`])
        expect(expected.length).toBe([2, 10, 18][bound])
        expect(sorted(results)).toStrictEqual(sorted(expected))
        expect(report).toMatchObject({ exhaustive: true, schedules: expected.length })
      }
      // together with preemptions, neither takes of the other's bound
      const { report, results } = yield* explored(program, {
        strategy: Interleave.exhaustive({ preemptions: 1, faults: 1 })
      })
      expect(report.exhaustive).toBe(true)
      expect(new Set(results)).toStrictEqual(new Set(faults(1).flatMap(([a, b]) => [`${a}${b}`, `${b}${a}`])))
    }))
})

describe("every point at which a fiber can be interrupted", () => {
  /** What the victim has written and how it ended, in each of the schedules. */
  const interrupted = (
    make: (write: (letter: string) => Effect.Effect<void>) => Effect.Effect<unknown>,
    options: Interleave.Options = {}
  ) =>
    Effect.map(
      explored(
        Effect.gen(function*() {
          let written = ""
          const fiber = yield* Interleave.victim(make((letter) => Effect.sync(() => void (written += letter))))
          const exit = yield* Fiber.await(fiber)
          return `${written}${Exit.isSuccess(exit) ? "" : Cause.isInterruptedOnly(exit.cause) ? "⊘" : "!"}`
        }),
        { interruptAt: "every-step", strategy: Interleave.exhaustive({ preemptions: 0 }), ...options }
      ),
      ({ report, results }) => {
        expect(report.exhaustive).toBe(true)
        expect(report.interrupted.at).toBe(report.interrupted.of)
        return { steps: report.interrupted.of, results: sorted(results) }
      }
    )

  // `victim` itself is the first step of its fiber
  const start = 1

  it.live("before the first step, and before each other one", () =>
    Effect.forEach([1, 2, 5], (n) =>
      Effect.gen(function*() {
        const { results, steps } = yield* interrupted((write) => writer(write, "a", n))
        expect(steps).toBe(start + n)
        const prefixes = Array.from({ length: n }, (_, length) => `${"a".repeat(length)}⊘`)
        expect(results).toStrictEqual(sorted(["⊘", ...prefixes, "a".repeat(n)]))
      })))

  it.live("in a region that cannot be interrupted, where it takes effect at the end", () =>
    Effect.gen(function*() {
      const n = 3
      const { results, steps } = yield* interrupted((write) => Effect.uninterruptible(writer(write, "a", n)))
      // to enter the region, its steps, and the end of the fiber
      expect(steps).toBe(start + 1 + n + 1)
      expect(results).toStrictEqual(sorted(["⊘", "⊘", ...Array.from({ length: n + 1 }, () => "aaa⊘"), "aaa"]))
    }))

  it.live("before a resource is taken, never between that and its release, and while it is used", () =>
    Effect.gen(function*() {
      const { results } = yield* interrupted((write) =>
        Effect.acquireUseRelease(write("("), () => Effect.zipRight(write("a"), write("b")), () => write(")"))
      )
      expect(sorted(new Set(results))).toStrictEqual(sorted(["⊘", "()⊘", "(a)⊘", "(ab)⊘", "(ab)"]))
    }))

  it.live("while it waits: at once, after others have run, and after each timer", () =>
    Effect.gen(function*() {
      const { results, steps } = yield* interrupted(
        (write) => Effect.zipRight(Effect.asVoid(Effect.sleep(3)), write("a")),
        { granularity: "async" }
      )
      // its start, the wait, and what follows it
      expect(steps).toBe(3)
      expect(results).toStrictEqual(sorted(["⊘", "⊘", "⊘", "a"]))
    }))

  it.live("with others, the interruption comes in each order with their steps", () =>
    Effect.gen(function*() {
      const { report, results } = yield* explored(
        Effect.gen(function*() {
          let written = ""
          const write = (letter: string) => Effect.sync(() => void (written += letter))
          const victim = yield* Interleave.victim(Effect.onInterrupt(writer(write, "a", 2), () => write("⊘")))
          const other = yield* Effect.fork(writer(write, "b", 2))
          yield* Fiber.await(victim)
          yield* Fiber.await(other)
          return written
        }),
        { interruptAt: "every-step", strategy: Interleave.exhaustive({ preemptions: 2 }) }
      )
      expect(report.exhaustive).toBe(true)
      const shuffles = (left: string, right: string): ReadonlyArray<string> =>
        left === "" || right === ""
          ? [left + right]
          : [
            ...shuffles(left.slice(1), right).map((rest) => left.charAt(0) + rest),
            ...shuffles(left, right.slice(1)).map((rest) => right.charAt(0) + rest)
          ]
      // interrupted before `onInterrupt` begins, at its first step or at its second, or not at all
      const all = ["", "⊘", "a⊘", "aa"].flatMap((its) => shuffles(its, "bb"))
      expect(sorted(new Set(results))).toStrictEqual(sorted(new Set(all)))
    }))
})
