/**
 * Runs schedule after schedule until one fails, all were tried, or the budget is used up.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Choices from "./Choices.js"
import * as Explanation from "./Explanation.js"
import type { Explorer } from "./Explorer.js"
import * as Run from "./Run.js"
import * as Search from "./Search.js"

/** @since 0.1.0 */
export interface Settings {
  readonly strategy: Search.Strategy
  /** How many at most; with `everyStep` at least one for each step. */
  readonly schedules: number
  readonly seed: number
  readonly granularity: "op" | "async"
  readonly everyStep: boolean
  readonly maxSteps: number
  readonly shrink: boolean
  /** Of the machine's clock. */
  readonly maxMillis: number
}

/** @since 0.1.0 */
export interface Result {
  readonly schedules: number
  readonly distinct: number
  readonly exhaustive: boolean
  /** Of the longest schedule. */
  readonly steps: number
  readonly interrupted: { readonly at: number; readonly of: number }
  readonly millis: number
  readonly found: Explanation.Explanation | undefined
}

/** The machine's, not that of a test. */
const live = Clock.make()

/** For how long other things of this process wait at a time, in milliseconds. */
const turn = 25

/** @since 0.1.0 */
export const explore = (program: Run.Program, settings: Settings): Effect.Effect<Result> =>
  Effect.suspend(() => {
    const { everyStep, granularity, maxMillis, maxSteps, seed, strategy } = settings
    const interrupting = everyStep && strategy._tag !== "Replay"
      ? Search.interrupting(() => Search.make(strategy, seed))
      : undefined
    const search = interrupting ?? Search.make(strategy, seed)
    const start = live.unsafeCurrentTimeMillis()
    const traces = new Set<number>()
    let schedules = 0
    let steps = 0
    let exhaustive = false
    let failed:
      | { readonly explorer: Explorer; readonly fault: Run.Fault; readonly choices: Choices.Choices }
      | undefined

    /** One schedule, if there is one; true when it was the last. */
    const next = (): boolean => {
      const budget = Math.max(settings.schedules, interrupting === undefined ? 0 : 1 + interrupting.steps())
      if (schedules >= budget || (schedules > 0 && live.unsafeCurrentTimeMillis() - start >= maxMillis)) return true
      const attempt = search.next()
      if (attempt === undefined) {
        exhaustive = strategy._tag === "Exhaustive"
        return true
      }
      const { explorer, fault } = Run.run(program, { ...attempt, granularity, maxSteps })
      schedules++
      traces.add(explorer.hash)
      steps = Math.max(steps, explorer.steps)
      const followed = search.tried(explorer)
      if (fault === undefined && followed) return false
      const { interruptAt, seed } = attempt
      failed = {
        explorer,
        fault: fault ?? { _tag: "Strays" },
        choices: { seed, granularity, interruptAt, list: explorer.answers.chosen }
      }
      return true
    }

    const batch = Effect.sync(() => {
      const until = live.unsafeCurrentTimeMillis() + turn
      do if (next()) return true
      while (live.unsafeCurrentTimeMillis() < until)
      return false
    })

    // a sleep of the machine's, so that timers and sockets of this process have their turn
    return Effect.tap(batch, (done) => done ? Effect.void : Effect.withClock(Effect.sleep(0), live)).pipe(
      Effect.repeat({ until: (done) => done }),
      Effect.zipRight(
        Effect.suspend(() =>
          failed === undefined ? Effect.succeed(undefined) : Explanation.explain(program, settings, failed)
        )
      ),
      Effect.map((found): Result => ({
        schedules,
        distinct: traces.size,
        exhaustive,
        steps,
        interrupted: { at: interrupting?.covered() ?? 0, of: interrupting?.steps() ?? 0 },
        millis: live.unsafeCurrentTimeMillis() - start,
        found
      }))
    )
  })
