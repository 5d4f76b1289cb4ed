/**
 * `npm run stress` in the tests that it runs: the environment says how many schedules, and a file hears how they went.
 *
 * - `INTERLEAVE_SCHEDULES`, `INTERLEAVE_SEED`: in the place of the test's own; an exhaustive search gets no fewer than it has
 * - `INTERLEAVE_MINUTES`: how long one test may take
 * - `INTERLEAVE_REPORT`: a file to which each test appends a line of JSON when it begins, now and then, and when it has ended
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as fs from "node:fs"
import * as Interleave from "../Interleave.js"

/** A line of the report. @since 0.1.0 */
export interface Line {
  /** Relative to the project. */
  readonly file: string
  readonly name: string
  readonly schedules: number
  /** Of the schedules how many differ; 0 while it runs. */
  readonly distinct: number
  readonly exhaustive: boolean
  readonly millis: number
  /** The test has not ended: a later line of it replaces this one. */
  readonly running?: true
  readonly failure?: { readonly seed: number; readonly choices: string; readonly reason: string }
}

const number = (name: string, least: number): number | undefined => {
  const text = process.env[name] ?? ""
  if (text === "") return undefined
  // also what is no number is not at least
  if (!(Number(text) >= least)) throw new Error(`${name} must be a number from ${least}, not "${text}"`)
  return Number(text)
}

/** Whether the environment says how long a test runs: then its own timeout does not hold. @since 0.1.0 */
export const isAsked = (): boolean =>
  ["INTERLEAVE_SCHEDULES", "INTERLEAVE_MINUTES"].some((name) => (process.env[name] ?? "") !== "")

/** @since 0.1.0 */
export interface Options extends Interleave.Options {
  /**
   * The test fails unless every schedule within the bounds of the strategy was tried. With that many schedules it is not cut short but
   * by the time that the environment allows; then it says in the report that it was not exhaustive.
   */
  readonly exhaustive?: true | undefined
}

/** The options of a test, as the environment changes them. @since 0.1.0 */
export const options = ({ exhaustive, ...own }: Options): Interleave.Options => {
  const asked = number("INTERLEAVE_SCHEDULES", 1)
  const minutes = number("INTERLEAVE_MINUTES", 0)
  const seed = number("INTERLEAVE_SEED", 0)
  const least = own.schedules ?? (exhaustive === true ? Infinity : Interleave.exhaustiveSchedules)
  const schedules = exhaustive === true || (own.strategy?._tag === "Exhaustive" && asked !== undefined)
    ? Math.max(asked ?? 0, least)
    : asked
  return {
    ...own,
    ...(schedules === undefined ? {} : { schedules }),
    ...(seed === undefined ? {} : { seed }),
    ...(minutes === undefined ? {} : { timeBox: Duration.minutes(minutes) })
  }
}

/** A test that promised to try all has not. */
const incomplete = (own: Options, { exhaustive, schedules }: Interleave.Passed) =>
  own.exhaustive === true && !exhaustive && number("INTERLEAVE_MINUTES", 0) === undefined
    ? Effect.dieMessage(`not every schedule was tried: there are more than ${schedules}`)
    : Effect.void

/** How often a test that runs tells how far it is, in milliseconds. */
const breath = 1000

/** The machine's. */
const live = Clock.make()

/**
 * `Interleave.check`, with what the environment says.
 *
 * @since 0.1.0
 */
export const check = <E>(
  program: () => Effect.Effect<unknown, E, Scope.Scope>,
  own: Options,
  test: { readonly file: string; readonly name: string }
): Effect.Effect<Interleave.Passed, Interleave.InterleaveFailure> =>
  Effect.suspend(() => {
    const report = process.env["INTERLEAVE_REPORT"] ?? ""
    if (report === "") {
      return Effect.tap(Interleave.check(Effect.suspend(program), options(own)), (passed) => incomplete(own, passed))
    }
    const { file, name } = test
    const write = (line: Line) => fs.appendFileSync(report, `${JSON.stringify(line)}\n`)
    const start = live.unsafeCurrentTimeMillis()
    const running = (schedules: number) =>
      write({
        file,
        name,
        schedules,
        distinct: 0,
        exhaustive: false,
        millis: live.unsafeCurrentTimeMillis() - start,
        running: true
      })
    let told = start
    let begun = 0
    running(0)
    // evaluated once in each schedule
    const counted = Effect.suspend(() => {
      begun++
      const now = live.unsafeCurrentTimeMillis()
      if (now - told >= breath) {
        told = now
        running(begun - 1)
      }
      return program()
    })
    return Interleave.explore(counted, options(own)).pipe(
      Effect.flatMap((result) => {
        const { distinct, millis, schedules } = result
        const line = { file, name, schedules, distinct, millis }
        if (result._tag === "Passed") {
          write({ ...line, exhaustive: result.exhaustive })
          return Effect.as(incomplete(own, result), result)
        }
        const { choices, reason, seed } = result
        write({ ...line, exhaustive: false, failure: { seed, choices, reason } })
        return Effect.fail(Interleave.toFailure(result))
      })
    )
  })
