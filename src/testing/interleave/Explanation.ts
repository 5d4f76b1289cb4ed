/**
 * Of a schedule that fails: the plainest one that fails in the same way, why, and what happens in it.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Choices from "./Choices.js"
import type { Explorer } from "./Explorer.js"
import * as Oracle from "./Oracle.js"
import * as Recording from "./Recording.js"
import * as Run from "./Run.js"
import * as Search from "./Search.js"
import { deviations, plainer, shrink, trim } from "./Shrink.js"
import * as SourceLines from "./SourceLines.js"

/** @since 0.1.0 */
export interface Explanation {
  readonly seed: number
  /** Read by `Choices.parse`. */
  readonly choices: string
  readonly fault: Run.Fault["_tag"] | "Outside"
  readonly reason: string
  readonly trace: string
}

/** @since 0.1.0 */
export interface Failed {
  readonly explorer: Explorer
  readonly fault: Run.Fault
  readonly choices: Choices.Choices
}

/** How many steps a shrinking may take, and how long something real has to show itself, in milliseconds. */
const patience = { steps: 2_000_000, outside: 100 }

const live = Clock.make()

/** @since 0.1.0 */
export const explain = (
  program: Run.Program,
  options: { readonly maxSteps: number; readonly shrink: boolean },
  failed: Failed
): Effect.Effect<Explanation> =>
  Effect.suspend(() => {
    const { maxSteps } = options
    const wanted = Run.kind(failed.fault)
    const { steps } = failed.explorer
    failed.explorer.clear()

    const again = (oracle: Oracle.Oracle, { granularity, seed }: Choices.Choices, interruptAt: number | undefined) =>
      Run.run(program, { oracle, seed, granularity, interruptAt, maxSteps })

    const choices = options.shrink && failed.fault._tag !== "Strays"
      ? plainest(failed.choices, (oracle, interruptAt) => {
        const { explorer, fault } = again(oracle, failed.choices, interruptAt)
        const fails = fault !== undefined && Run.kind(fault) === wanted
        const { steps } = explorer
        explorer.clear()
        return { explorer, steps, fails }
      })
      : failed.choices

    const recording = Recording.make(steps)
    const { granularity, interruptAt, seed } = choices
    const oracle = Oracle.listed(choices.list)
    const last = Run.run(program, { oracle, seed, granularity, interruptAt, maxSteps, recorder: recording })
    const fault = last.fault ?? failed.fault
    const sources = SourceLines.open()
    const reason = Run.describe(fault, (thread) => recording.wait(sources, thread))
    const trace = recording.print(sources)
    sources.close()

    const told = (tag: Explanation["fault"], because: string): Explanation => ({
      seed,
      choices: Choices.print(choices),
      fault: tag,
      reason: because,
      trace
    })
    const mayWaitOutside = fault._tag === "Deadlock" || fault._tag === "Outlives"
    return (mayWaitOutside ? Effect.withClock(Effect.sleep(patience.outside), live) : Effect.void).pipe(
      Effect.map(() => {
        const outside = mayWaitOutside && last.explorer.stirs
        last.explorer.clear()
        if (outside) {
          return told(
            "Outside",
            `it waits for something outside of the explorer: a native promise, a real timer, I/O\n${reason}`
          )
        }
        return told(
          fault._tag,
          last.fault === undefined
            ? `${reason}\n(with the same choices it did not fail again: the program is not deterministic)`
            : reason
        )
      })
    )
  })

/** Runs a schedule, and says whether it fails in the same way. */
type Try = (oracle: Oracle.Oracle, interruptAt: number | undefined) => {
  readonly explorer: Explorer
  readonly steps: number
  readonly fails: boolean
}

const plainest = (found: Choices.Choices, run: Try): Choices.Choices => {
  // counted in steps and not in seconds: a failure is told in the same way on every machine
  let steps = 0
  const late = () => steps > patience.steps
  const attempt: Try = (oracle, interruptAt) => {
    const tried = run(oracle, interruptAt)
    steps += tried.steps
    return tried
  }
  // perhaps it takes no interruption
  const interruptAt = attempt(Oracle.listed(found.list), undefined).fails ? undefined : found.interruptAt
  const fewer = shrink(found.list, (list) => {
    if (late()) return undefined
    const { explorer, fails } = attempt(Oracle.listed(list), interruptAt)
    return fails ? explorer.answers.chosen : undefined
  })
  // what is left may be a detour: perhaps one preemption does it, in another place
  const search = Search.make({ _tag: "Exhaustive", preemptions: 1, faults: 1 }, found.seed)
  for (let next = search.next(); next !== undefined && deviations(fewer).length > 1 && !late(); next = search.next()) {
    const { explorer, fails } = attempt(next.oracle, interruptAt)
    const list = trim(explorer.answers.chosen)
    if (fails && plainer(list, fewer)) return { ...found, interruptAt, list }
    search.tried(explorer)
  }
  return { ...found, interruptAt, list: fewer }
}
