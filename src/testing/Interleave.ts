/**
 * Finds the order of events in which a concurrent program breaks.
 *
 * ```ts
 * const program = Effect.gen(function*() {
 *   const ref = yield* Ref.make(0)
 *   const increment = Effect.flatMap(Ref.get(ref), (n) => Ref.set(ref, n + 1))
 *   yield* Effect.all([increment, increment], { concurrency: 2 })
 *   if ((yield* Ref.get(ref)) !== 2) return yield* Effect.die("an increment was lost")
 * })
 *
 * const report = yield* Interleave.explore(program, { strategy: Interleave.exhaustive({ preemptions: 2 }) })
 * ```
 *
 * The program runs again and again, each time in another order: under a scheduler that decides before each operation which
 * fiber goes on, a clock that jumps from timer to timer, and a `Random` with a seed. A schedule has failed when the program fails
 * or dies, when nothing in it can go on, when it never ends, and when a fiber outlives its scope. The report says how to run that
 * very schedule again, and shows it line by line.
 *
 * `docs/testing.md` is the guide. Under vitest: `it.interleaved` of `holdfast/testing/vitest`.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Choices from "./interleave/Choices.js"
import * as Exploration from "./interleave/Exploration.js"
import { Explorer, markVictim } from "./interleave/Explorer.js"
import type * as Search from "./interleave/Search.js"

// ---------------------------------------------------------------------------------------------- how to search

/** Which schedules are tried. @since 0.1.0 */
export type Strategy = Search.Strategy

/** Returns the number, or throws what is wrong with it. */
const within = (of: string, value: number, least: number, most = Infinity): number => {
  if (value >= least && value <= most && (most === 1 || value === Infinity || Number.isInteger(value))) return value
  const right = most === 1 ? `a number from ${least} to 1` : `a whole number from ${least}`
  throw new Error(`Interleave: ${of} must be ${right}, and not ${value}`)
}

/**
 * At each step the running fiber is put off with probability `preempt`, 0.2 by default; who goes on instead is drawn, too.
 *
 * @since 0.1.0
 */
export const random = (options: { readonly preempt?: number } = {}): Strategy => ({
  _tag: "Random",
  preempt: within("preempt", options.preempt ?? 0.2, 0, 1)
})

/**
 * Fibers get random priorities and the highest runs; at `depth - 1` random steps (2 by default) it becomes the lowest. It finds a bug that
 * takes `depth` events in the right order with a probability that hardly depends on how many fibers there are.
 *
 * @since 0.1.0
 */
export const pct = (options: { readonly depth?: number } = {}): Strategy => ({
  _tag: "Pct",
  depth: within("depth", options.depth ?? 3, 1)
})

/**
 * Every schedule with at most `preemptions` switches away from a fiber that could have gone on (no bound by default) and at most `faults`
 * faults of `maybe` (3 by default). `exhaustive` in the report is true when none is left.
 *
 * @since 0.1.0
 */
export const exhaustive = (
  options: { readonly preemptions?: number; readonly faults?: number } = {}
): Strategy => ({
  _tag: "Exhaustive",
  preemptions: within("preemptions", options.preemptions ?? Infinity, 0),
  faults: within("faults", options.faults ?? 3, 0)
})

/**
 * One schedule, that of a failure: the `choices` it printed. Throws when `choices` is not such a text.
 *
 * @since 0.1.0
 */
export const replay = (choices: string): Strategy => {
  const parsed = Choices.parse(choices)
  if (parsed === undefined) {
    throw new Error(`Interleave.replay takes the choices of a failure, such as "seed=1 14:1 0:2", and not "${choices}"`)
  }
  return { _tag: "Replay", choices: parsed }
}

/** How many schedules `exhaustive` tries at most, if nothing else is said. @since 0.1.0 */
export const exhaustiveSchedules = 100_000

/** @since 0.1.0 */
export interface Options {
  /** `random()` by default. */
  readonly strategy?: Strategy | undefined
  /** How many schedules at most; 500 by default, 100,000 for `exhaustive`. */
  readonly schedules?: number | undefined
  /** Of the schedules that are drawn, and of the program's `Random`; 1 by default. */
  readonly seed?: number | undefined
  /** What a step is: one operation of Effect, or what a fiber does until it waits. `op` by default. */
  readonly granularity?: "op" | "async" | undefined
  /** Interrupts the fiber that `victim` started, once in a schedule, at each of its steps; at least one schedule each. */
  readonly interruptAt?: "every-step" | undefined
  /** A longer schedule never ends; 100,000 by default. */
  readonly maxSteps?: number | undefined
  /** Whether a failing schedule is made as plain as possible; true by default. */
  readonly shrink?: boolean | undefined
  /** Stops after this long on the machine's clock. No bound by default. */
  readonly timeBox?: Duration.DurationInput | undefined
}

// ---------------------------------------------------------------------------------------------- what comes out

interface Explored {
  /** How many schedules were run. */
  readonly schedules: number
  /** How many of them differ in who ran when. */
  readonly distinct: number
  /** Of the longest. */
  readonly steps: number
  /** With `interruptAt`: at how many of the victim's steps it was interrupted, and how many it has. */
  readonly interrupted: { readonly at: number; readonly of: number }
  /** How long it took on the machine's clock. */
  readonly millis: number
}

/** @since 0.1.0 */
export interface Passed extends Explored {
  readonly _tag: "Passed"
  /** There is no other schedule within the bounds of the strategy. */
  readonly exhaustive: boolean
}

/**
 * - `Failure`: the program failed or died
 * - `Deadlock`: it has not ended, and nothing in it can go on
 * - `Livelock`: it takes more than `maxSteps` steps
 * - `Outlives`: it has ended, and a fiber that it started has not
 * - `Outside`: it waits for a native promise, a real timer or I/O, of which the explorer knows nothing
 * - `Strays`: it does not do the same when the same is chosen
 *
 * @since 0.1.0
 */
export type Fault = "Failure" | "Deadlock" | "Livelock" | "Outlives" | "Outside" | "Strays"

/** @since 0.1.0 */
export interface Failed extends Explored {
  readonly _tag: "Failed"
  /** Which schedule failed, counted from 1. */
  readonly schedule: number
  /** Of the program's `Random` in that schedule. */
  readonly seed: number
  /** For `replay`. */
  readonly choices: string
  readonly fault: Fault
  readonly reason: string
  /** What happens in it: who ran, which lines, who was put off. */
  readonly trace: string
}

/** @since 0.1.0 */
export type Report = Passed | Failed

/** @since 0.1.0 */
export class InterleaveFailure extends Schema.TaggedError<InterleaveFailure>()("InterleaveFailure", {
  schedule: Schema.Number,
  seed: Schema.Number,
  choices: Schema.String,
  reason: Schema.String,
  trace: Schema.String,
  message: Schema.String
}) {}

/**
 * Explores and tells what it found.
 *
 * @since 0.1.0
 */
export const explore = <E>(
  program: Effect.Effect<unknown, E, Scope.Scope>,
  options: Options = {}
): Effect.Effect<Report> =>
  Effect.suspend(() => {
    const strategy = options.strategy ?? random()
    const everyStep = options.interruptAt === "every-step"
    const settings = {
      strategy,
      granularity: strategy._tag === "Replay" ? strategy.choices.granularity : options.granularity ?? "op",
      schedules: within(
        "schedules",
        options.schedules ?? (strategy._tag === "Exhaustive" ? exhaustiveSchedules : 500),
        1
      ),
      seed: within("seed", options.seed ?? 1, 0),
      everyStep,
      maxSteps: within("maxSteps", options.maxSteps ?? 100_000, 1),
      shrink: options.shrink ?? strategy._tag !== "Replay",
      maxMillis: Duration.toMillis(options.timeBox ?? Infinity)
    }
    return Effect.map(Exploration.explore(program, settings), ({ exhaustive, found, ...explored }): Report => {
      if (found !== undefined) return { _tag: "Failed", ...explored, schedule: explored.schedules, ...found }
      if (everyStep && strategy._tag !== "Replay" && explored.interrupted.of === 0) {
        throw new Error(
          "Interleave: interruptAt is set, and there is nobody to interrupt: fork the fiber with Interleave.victim"
        )
      }
      return { _tag: "Passed", ...explored, exhaustive }
    })
  })

/**
 * Explores, and fails with what a person needs to know when a schedule failed.
 *
 * @since 0.1.0
 */
export const check = <E>(
  program: Effect.Effect<unknown, E, Scope.Scope>,
  options: Options = {}
): Effect.Effect<Passed, InterleaveFailure> =>
  Effect.flatMap(
    explore(program, options),
    (report) => report._tag === "Passed" ? Effect.succeed(report) : Effect.fail(toFailure(report))
  )

/** What `check` fails with. @since 0.1.0 */
export const toFailure = ({ choices, reason, schedule, seed, trace }: Failed): InterleaveFailure => {
  const failure = new InterleaveFailure({
    schedule,
    seed,
    choices,
    reason,
    trace,
    message: `${reason}\n\nSchedule ${schedule} fails. To run it again:\n  strategy: Interleave.replay(${
      JSON.stringify(choices)
    })\n\n${trace}`
  })
  // the frames of the program are in the reason, and where the explorer makes this error helps nobody
  failure.stack = `${failure.name}: ${failure.message}`
  return failure
}

// ---------------------------------------------------------------------------------------------- in the program

/**
 * Forks, as `Effect.fork`; with `interruptAt` this fiber is the one that is interrupted.
 *
 * @since 0.1.0
 */
export const victim = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<Fiber.RuntimeFiber<A, E>, never, R> =>
  Effect.suspend(() => {
    const marked = Effect.suspend(() => effect)
    markVictim(marked)
    return Effect.fork(marked)
  })

/** Outside of an exploration nobody chooses, and the plain alternative is taken. */
const ask = (label: string, alternatives: ReadonlyArray<string>, faulty: boolean): Effect.Effect<number> =>
  Effect.map(
    FiberRef.get(FiberRef.currentScheduler),
    (scheduler) => scheduler instanceof Explorer ? scheduler.choose(label, alternatives, faulty) : 0
  )

/**
 * One of `alternatives`, as the explorer chooses; the first outside of an exploration.
 *
 * @since 0.1.0
 */
export const choose = <A>(label: string, alternatives: readonly [A, ...ReadonlyArray<A>]): Effect.Effect<A> =>
  Effect.map(
    ask(label, alternatives.map((alternative) => String(alternative)), false),
    (chosen) => alternatives[chosen] ?? alternatives[0]
  )

/** What may happen instead. @since 0.1.0 */
export interface Faults<E> {
  /** It fails with this. */
  readonly fail?: E
  /** It dies with this. */
  readonly die?: unknown
  /** It never ends. */
  readonly hang?: true
  /** The fiber that runs it is interrupted there. */
  readonly interrupt?: true
}

/**
 * `effect`, or one of the faults in its place, as the explorer chooses; `effect` outside of an exploration.
 *
 * @since 0.1.0
 */
export const maybe = <A, E, R, E2 = never>(
  label: string,
  effect: Effect.Effect<A, E, R>,
  faults: Faults<E2>
): Effect.Effect<A, E | E2, R> => {
  const alternatives: Array<readonly [string, Effect.Effect<A, E | E2, R>]> = [["goes well", effect]]
  if (faults.fail !== undefined) alternatives.push(["fails", Effect.fail(faults.fail)])
  if (faults.die !== undefined) alternatives.push(["dies", Effect.die(faults.die)])
  // without the timer with which `Effect.never` keeps the process alive
  if (faults.hang === true) alternatives.push(["hangs", Effect.async<never>(() => {})])
  if (faults.interrupt === true) alternatives.push(["is interrupted", Effect.interrupt])
  return Effect.flatMap(
    ask(label, alternatives.map(([name]) => name), true),
    (chosen) => alternatives[chosen]?.[1] ?? effect
  )
}
