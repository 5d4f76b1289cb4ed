/** Vitest as a process of its own, with a group of its own: it is ended with all its workers, also in the middle of a schedule. */
import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import type { Test } from "./Plan.js"

export const root = fileURLToPath(new URL("../..", import.meta.url))

const vitest = path.join(root, "node_modules/vitest/vitest.mjs")
const config = ["--root", root, "--config", path.join(root, "scripts/stress/vitest.config.ts")]

const start = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>>) => {
  const child = spawn(process.execPath, [vitest, ...args, ...config], {
    cwd: root,
    env: { ...process.env, NO_COLOR: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true
  })
  let [stdout, stderr] = ["", ""]
  child.stdout.setEncoding("utf8").on("data", (text: string) => stdout += text)
  child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text)
  const exit = new Promise<number | null>((resolve, reject) => child.once("error", reject).once("close", resolve))
  return { child, exit, output: () => ({ stdout, stderr }) }
}

const kill = ({ pid }: ChildProcess) => {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL")
  } catch {
    // it has ended
  }
}

const narrowed = (pattern: string | undefined) => pattern === undefined ? [] : ["--testNamePattern", pattern]

/** The tests whose name matches. */
export const list = async (pattern: string | undefined): Promise<ReadonlyArray<Test>> => {
  const { exit, output } = start(["list", "--json", ...narrowed(pattern)], {})
  const code = await exit
  const { stderr, stdout } = output()
  if (code !== 0) throw new Error(`vitest could not list the tests:\n${stderr}${stdout}`)
  return JSON.parse(stdout)
}

export interface Running {
  /** What went wrong beside the schedules: a file that cannot be loaded, a test that failed and did not report. */
  readonly ended: Promise<ReadonlyArray<{ readonly file: string; readonly name: string; readonly message: string }>>
  readonly kill: () => void
}

interface Results {
  readonly testResults: ReadonlyArray<{
    readonly name: string
    readonly status: string
    readonly message: string
    readonly assertionResults: ReadonlyArray<{
      readonly title: string
      readonly status: string
      readonly failureMessages?: ReadonlyArray<string>
    }>
  }>
}

export const run = (options: {
  readonly pattern: string | undefined
  readonly files: ReadonlyArray<string>
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
}): Running => {
  const file = path.join(options.folder, "results.json")
  const { child, exit, output } = start([
    "run",
    ...options.files,
    ...narrowed(options.pattern),
    "--reporter=json",
    `--outputFile.json=${file}`
  ], options.env)
  const ended = async () => {
    const code = await exit
    if (!fs.existsSync(file)) {
      const { stderr, stdout } = output()
      return [{ file: "", name: "vitest", message: `ended with ${code}:\n${stderr}${stdout}` }]
    }
    const { testResults }: Results = JSON.parse(fs.readFileSync(file, "utf8"))
    return testResults.flatMap(({ assertionResults, message, name: file, status }) => {
      const failed = assertionResults.filter((test) => test.status === "failed")
      return failed.length === 0 && status === "failed"
        ? [{ file, name: "the file itself", message }]
        : failed.map(({ failureMessages = [], title }) => ({ file, name: title, message: failureMessages.join("\n") }))
    })
  }
  return { ended: ended(), kill: () => kill(child) }
}
