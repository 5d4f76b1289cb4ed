/** The processes that are measured: the built program, and the bare relay. */
import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))

const program = path.join(root, "dist/main.js")

/** The agent behind both sides. */
export const demoAgent = { command: process.execPath, args: [program, "demo-agent"] }

export interface Server {
  readonly url: string
  /** Resident memory now, in MB. */
  readonly rss: () => number
  readonly stop: () => Promise<void>
}

const listening = (child: ChildProcess) =>
  new Promise<string>((resolve, reject) => {
    let output = ""
    child.stdout?.on("data", (data: Buffer) => {
      const url = /listening on (\S+)/.exec(output += data)?.[1]
      if (url !== undefined) resolve(url)
    })
    child.once("exit", (code) => reject(new Error(`the server ended with ${code}: ${output}`)))
  })

const start = async (args: ReadonlyArray<string>): Promise<Server> => {
  const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "inherit"] })
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()))
  return {
    url: await listening(child),
    rss: () => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1024,
    stop: () => {
      child.kill("SIGTERM")
      return exited
    }
  }
}

/** `holdfast serve` with its own SQLite in a fresh folder, and the demo agent. */
export const gateway = async (): Promise<Server> => {
  const data = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-bench-"))
  const server = await start([program, "serve", "--port", "0", "--data", data])
  return {
    ...server,
    stop: () => server.stop().finally(() => fs.rmSync(data, { recursive: true }))
  }
}

/** The same agent on the ACP SDK and `node:http`, with nothing in between. */
export const bareRelay = (): Promise<Server> =>
  start(["--import", "tsx", fileURLToPath(new URL("bareRelay.ts", import.meta.url))])

/** AG-UI's interrupt and resume with nothing behind them. */
export const bareAgui = (): Promise<Server> =>
  start(["--import", "tsx", fileURLToPath(new URL("bareAgui.ts", import.meta.url))])
