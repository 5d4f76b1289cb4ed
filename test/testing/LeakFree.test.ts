/** Runs the files of `leak/`, in which leaks are planted, under a vitest of their own: the checks there have to fail. */
import { describe, expect, it } from "@effect/vitest"
import * as ChildProcess from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"

interface Outcome {
  readonly title: string
  readonly status: string
  readonly failureMessages: ReadonlyArray<string>
}

interface FileOutcome {
  readonly name: string
  readonly message: string
  readonly assertionResults: ReadonlyArray<Outcome>
}

const vitest = fileURLToPath(new URL("../../node_modules/vitest/vitest.mjs", import.meta.url))
const config = fileURLToPath(new URL("leak/vitest.config.ts", import.meta.url))

const run = async (pool: string): Promise<ReadonlyArray<FileOutcome>> => {
  const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "leak-free-"))
  const report = Path.join(folder, "report.json")
  const args = ["run", "--config", config, "--pool", pool, "--reporter", "json", "--outputFile", report]
  // not as the worker of another run
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("VITEST"))
  const env = { ...Object.fromEntries(own), LEAK_CHECK_MEETING: folder }
  await once(ChildProcess.spawn(process.execPath, [vitest, ...args], { stdio: "ignore", env }), "exit")
  const { testResults } = JSON.parse(Fs.readFileSync(report, "utf8")) as { testResults: ReadonlyArray<FileOutcome> }
  Fs.rmSync(folder, { recursive: true })
  return testResults
}

/** What is wrong with an outcome, going by the test's name. */
const problem = ({ failureMessages, status, title }: Outcome): ReadonlyArray<string> => {
  const said = failureMessages.join("\n").replaceAll(/ +/g, " ")
  if (title.startsWith("clean")) return status === "passed" ? [] : [`${title}: ${said}`]
  const missing = title.replace("leak: ", "").split(" · ").filter((words) => !said.includes(words))
  return status === "failed" && missing.length === 0 ? [] : [`${title}: ${missing.join(", ")} is not in: ${said}`]
}

// at once: most of their time is waiting for what is to end by itself
describe.concurrent.each(["forks", "threads"])("in the pool %s", (pool) => {
  it("a test fails for each kind of leak and passes when it is clean, in files that run in parallel", async () => {
    const files = await run(pool)
    const outcomes = files.flatMap(({ assertionResults }) => assertionResults)
    expect(outcomes.flatMap(problem)).toEqual([])
    expect(outcomes.filter(({ status }) => status === "failed").length).toBeGreaterThan(20)
    expect(outcomes.filter(({ status }) => status === "passed").length).toBeGreaterThan(15)
    // nothing is told twice, neither by the test and the file nor by the tests that come later
    const twice = outcomes.filter(({ title }) => title === "leak: fiber · twice")
    expect(twice.map(({ failureMessages }) => failureMessages.length)).toEqual([1])
    expect(outcomes.filter(({ title }) => title === "clean: while another file starts a process").length).toBe(1)
    expect(files.find(({ name }) => name.endsWith("noGrace.planted.ts"))).toMatchObject({
      status: "passed",
      message: ""
    })
    // what a hook left is told at the end of the file
    const file = files.find(({ name }) => name.endsWith("leakFreeFile.planted.ts"))
    expect(file?.message).toMatch(/1 leak[^]*setInterval, 999 ms of leftByHook/)
  }, 240_000)
})
