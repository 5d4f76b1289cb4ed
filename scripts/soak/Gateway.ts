/** The built program, as a user starts it: on a free port, with its data in a folder. */
import { spawn } from "node:child_process"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import type { Mark } from "./Processes.js"

const program = fileURLToPath(new URL("../../dist/main.js", import.meta.url))

export interface Gateway {
  readonly pid: number
  readonly url: string
  /** What it logged. */
  readonly log: () => string
  /** How it ended, or `undefined` while it runs. */
  readonly ended: () => string | undefined
  /** SIGTERM; how it ended: `exit code 0` when all is well. */
  readonly stop: () => Promise<string>
  readonly kill: () => void
}

export const start = async (folder: string, mark: Mark, pace: string): Promise<Gateway> => {
  const child = spawn(process.execPath, [program, "serve", "--port", "0", "--data", path.join(folder, "data")], {
    cwd: folder,
    env: {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("HOLDFAST_"))),
      NO_COLOR: "1",
      HOLDFAST_DEMO_STATE: path.join(folder, "agents"),
      HOLDFAST_DEMO_PACE: pace,
      [mark.name]: mark.value
    },
    stdio: ["ignore", "pipe", "pipe"]
  })
  let [stdout, stderr] = ["", ""]
  let ended: string | undefined
  const exit = new Promise<string>((resolve) =>
    child.once("close", (code, signal) => resolve(ended = signal === null ? `exit code ${code}` : `signal ${signal}`))
  )
  child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text)
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const found = /listening on (\S+)\n/.exec(stdout += text)?.[1]
      if (found !== undefined) resolve(found)
    })
    child.once("error", reject)
    void exit.then((how) => reject(new Error(`the gateway ended with ${how}: ${stderr}`)))
  })
  return {
    pid: child.pid ?? 0,
    url,
    log: () => stderr,
    ended: () => ended,
    stop: () => {
      child.kill("SIGTERM")
      return exit
    },
    kill: () => void child.kill("SIGKILL")
  }
}
