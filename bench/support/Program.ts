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

const start = async (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}): Promise<Server> => {
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"]
  })
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

/** A server with a fresh folder, which is gone with it. */
const withFolder = async (
  args: (folder: string) => ReadonlyArray<string>,
  env?: Readonly<Record<string, string>>
): Promise<Server & { folder: string }> => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-bench-"))
  const server = await start(args(folder), env)
  return {
    ...server,
    folder,
    stop: () => server.stop().finally(() => fs.rmSync(folder, { recursive: true }))
  }
}

const source = (url: URL) => ["--import", "tsx", fileURLToPath(url)]

/** `holdfast serve` with its own SQLite in a fresh folder, the demo agent, and these variables. */
export const gateway = (env?: Readonly<Record<string, string>>) =>
  withFolder((data) => [program, "serve", "--port", "0", "--data", data], env)

/** The same agent on the ACP SDK and `node:http`, with nothing in between. */
export const bareRelay = (): Promise<Server> => start(source(new URL("bareRelay.ts", import.meta.url)))

/** Holdfast from the library, with SQLite and an agent that needs no process. */
export const fanout = (): Promise<Server> =>
  withFolder((folder) => [...source(new URL("fanout.ts", import.meta.url)), path.join(folder, "bench.db")])

/** What `fanout` does, with nothing in between and nothing stored. */
export const bareFanout = (): Promise<Server> => start(source(new URL("bareFanout.ts", import.meta.url)))

/** The history of that database's only session, with nothing in between. */
export const bareHistory = (database: string): Promise<Server> =>
  start([...source(new URL("bareHistory.ts", import.meta.url)), database])

/** AG-UI's interrupt and resume with nothing behind them. */
export const bareAgui = (): Promise<Server> => start(source(new URL("bareAgui.ts", import.meta.url)))

/** The same with an agent's process and SQLite behind them, and nothing else. */
export const floorAgui = (): Promise<Server> =>
  withFolder((folder) => [...source(new URL("floorAgui.ts", import.meta.url)), path.join(folder, "bench.db")])

/** The agentctl host of the tests. */
export const agentctlHost = (): Promise<Server> => start(source(new URL("agentctlHost.ts", import.meta.url)))
