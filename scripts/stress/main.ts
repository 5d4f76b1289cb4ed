/**
 * `npm run stress`: every lifecycle test under `Interleave` (`test/**` + `/*.interleave.test.ts`) with many more schedules than in `npm test`,
 * and a table of what was tried, a row a promise. Exit code 1 if a schedule failed; the seed and the choices that repeat it are printed.
 *
 * `--schedules N` each, `--seed S`, `--minutes M` for all together, `--only SM3` (or `SM`, or a part of a name).
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as Flags from "../flags.js"
import * as Progress from "../progress.js"
import * as Plan from "./Plan.js"
import * as Report from "./Report.js"
import * as Vitest from "./Vitest.js"

const flags = () => {
  const { minutes, only, schedules, seed } = Flags.parse(process.argv.slice(2), {
    schedules: { type: "string", default: "10000" },
    seed: { type: "string", default: "1" },
    minutes: { type: "string" },
    only: { type: "string" }
  })
  return {
    schedules: Flags.whole("schedules", schedules, 1),
    seed: Flags.whole("seed", seed, 0),
    minutes: minutes === undefined ? undefined : Flags.minutes("minutes", minutes),
    pattern: only === undefined ? undefined : Plan.pattern(only),
    only
  }
}

type Failed = Awaited<Vitest.Running["ended"]>

const print = (lines: ReadonlyArray<Report.Line>, failed: Failed) => {
  if (lines.length > 0) console.log(Report.table(lines))
  for (const line of lines) if (line.failure !== undefined) console.log(`\n${Report.explain(line)}`)
  for (const { file, message, name } of failed) {
    console.log(`\nFAILED ${name}\n  ${path.relative(Vitest.root, file)}\n${message}`)
  }
}

/** Begun and not ended in its share of the time, and much longer: it is stuck in one schedule. */
const stuck = (lines: ReadonlyArray<Report.Line>): Failed =>
  lines.filter(({ running }) => running === true).map(({ file, name, schedules }) => ({
    file,
    name,
    message: `  it was stopped in schedule ${schedules + 1} or after it: it did not end in time`
  }))

/** The slower the machine, the more. */
const unreached = (tests: ReadonlyArray<Plan.Test>, lines: ReadonlyArray<Report.Line>) =>
  tests.filter(Plan.explores).filter(({ file, name }) =>
    !lines.some((line) => file.endsWith(line.file) && name.endsWith(line.name))
  ).length

const main = async () => {
  const { minutes, only, pattern, schedules, seed } = flags()
  const started = performance.now()
  const tests = await Vitest.list(pattern)
  if (tests.length === 0) throw new Flags.UsageError(`no test is named like "${only}"`)

  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-stress-"))
  const report = path.join(folder, "report.jsonl")
  fs.writeFileSync(report, "")
  const seconds = () => (performance.now() - started) / 1000
  // what has passed already was for finding them
  const rest = minutes === undefined ? undefined : Math.max(minutes - seconds() / 60, minutes / 10)
  const share = rest === undefined ? undefined : Plan.share(tests, os.availableParallelism(), rest)

  const running = Vitest.run({
    pattern,
    files: [...new Set(tests.map(({ file }) => file))],
    folder,
    env: {
      INTERLEAVE_REPORT: report,
      INTERLEAVE_SCHEDULES: String(schedules),
      INTERLEAVE_SEED: String(seed),
      ...(share === undefined ? {} : { INTERLEAVE_MINUTES: String(share) })
    }
  })
  const lines = () => Report.latest(Report.parse(fs.readFileSync(report, "utf8")))
  const progress = Progress.make()
  const timer = setInterval(() => progress.show(Report.progress(lines(), seconds())), 250)
  let stopped: "by hand" | "too late" | undefined
  const stop = (why: typeof stopped) => {
    stopped ??= why
    running.kill()
  }
  // a test that does not keep to its share explores nothing, or is stuck in one schedule
  const late = rest === undefined ? undefined : setTimeout(stop, 1.25 * rest * 60_000 + 30_000, "too late")
  process.once("SIGINT", () => stop("by hand")).once("SIGTERM", () => stop("by hand"))
  try {
    const ended = await running.ended
    progress.end()
    const told = lines()
    const known = told.filter(({ failure }) => failure !== undefined)
    // what failed under Interleave has told so itself
    const others = stopped === "too late"
      ? stuck(told)
      : stopped === undefined
      ? ended.filter((test) => !known.some(({ name }) => name === test.name))
      : []
    print(told, others)
    const failures = known.length + others.length
    console.log(`\n${told.length} tests, ${failures === 0 ? "no schedule fails" : `${failures} failed`}`)
    if (stopped === "too late") console.log(`out of time: ${unreached(tests, told)} tests were not reached`)
    if (stopped === "by hand") console.log("stopped before the end")
    process.exitCode = stopped === "by hand" ? 130 : failures === 0 ? 0 : 1
  } finally {
    clearInterval(timer)
    clearTimeout(late)
    running.kill()
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

try {
  await main()
} catch (error) {
  if (!(error instanceof Flags.UsageError)) throw error
  console.error(error.message)
  process.exitCode = 2
}
