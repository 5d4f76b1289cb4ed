/**
 * `npm run soak`: a gateway with 100 demo agents, 2,000 questions answered in random order while agents are killed and restarted, two
 * minutes long; then everything is closed, and nothing may be left. Exit code 1, with the evidence, if something is wrong.
 *
 * The seed repeats what is done, in its order; when an agent is slow is not in its hand. Linux only: it looks into `/proc`.
 */
import * as Flags from "../flags.js"
import * as Progress from "../progress.js"
import { type Report, soak } from "./Soak.js"

const flags = () => {
  const values = Flags.parse(process.argv.slice(2), {
    sessions: { type: "string", default: "100" },
    questions: { type: "string", default: "2000" },
    minutes: { type: "string", default: "2" },
    seed: { type: "string", default: "1" },
    json: { type: "boolean", default: false }
  })
  return {
    sessions: Flags.whole("sessions", values.sessions, 1),
    questions: Flags.whole("questions", values.questions, 1),
    minutes: Flags.minutes("minutes", values.minutes),
    seed: Flags.whole("seed", values.seed, 0),
    json: values.json
  }
}

const shown = 40

const print = ({ faults, figures }: Report, interrupted: boolean) => {
  const width = Math.max(...Object.keys(figures).map((name) => name.length))
  for (const [name, value] of Object.entries(figures)) console.log(`${name.padEnd(width)}  ${value}`)
  for (const fault of faults.slice(0, shown)) console.log(`WRONG  ${fault}`)
  if (faults.length > shown) console.log(`       and ${faults.length - shown} more`)
  const verdict = faults.length === 0 ? "nothing is left and nothing was mixed up: the soak passed" : "the soak FAILED"
  console.log(interrupted ? `${verdict}, as far as it went` : verdict)
}

const interrupt = new AbortController()
process.on("SIGINT", () => {
  // the second time at once
  if (interrupt.signal.aborted) process.exit(130)
  console.error("\nstopping; what has happened so far is judged")
  interrupt.abort()
})

try {
  const { json, ...options } = flags()
  const progress = Progress.make()
  const report = await soak({ ...options, onProgress: progress.show, signal: interrupt.signal })
  progress.end()
  if (json) console.log(JSON.stringify(report, undefined, 2))
  else print(report, interrupt.signal.aborted)
  process.exitCode = interrupt.signal.aborted ? 130 : report.faults.length === 0 ? 0 : 1
} catch (error) {
  if (!(error instanceof Flags.UsageError)) throw error
  console.error(error.message)
  process.exitCode = 2
}
