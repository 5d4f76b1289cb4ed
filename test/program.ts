/** The built program as a user runs it, and HTTP as curl speaks it. */
import * as Effect from "effect/Effect"
import * as NodeChild from "node:child_process"
import * as NodeFs from "node:fs"
import * as Http from "node:http"
import * as Net from "node:net"
import * as NodeOs from "node:os"
import * as NodePath from "node:path"
import { fileURLToPath } from "node:url"

/** Built before the tests, see vitest.config.ts. */
export const main = fileURLToPath(new URL("../dist/main.js", import.meta.url))

/** A folder that is gone when the scope closes. */
export const temporary = Effect.acquireRelease(
  Effect.sync(() => NodeFs.mkdtempSync(NodePath.join(NodeOs.tmpdir(), "holdfast-main-"))),
  (folder) => Effect.sync(() => NodeFs.rmSync(folder, { recursive: true, force: true }))
)

export interface Exited {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Running {
  readonly process: NodeChild.ChildProcess
  readonly output: () => { readonly stdout: string; readonly stderr: string }
  readonly exited: Effect.Effect<Exited>
}

/** A run of the program; killed when the scope closes, if it has not ended by then. */
export const start = (args: ReadonlyArray<string>, options: { cwd?: string; env?: Record<string, string> } = {}) =>
  Effect.acquireRelease(
    Effect.sync((): Running => {
      const child = NodeChild.spawn(process.execPath, [main, ...args], {
        cwd: options.cwd,
        env: { ...process.env, HOLDFAST_DEMO_PACE: "0", NO_COLOR: "1", ...options.env },
        stdio: ["pipe", "pipe", "pipe"]
      })
      let [stdout, stderr] = ["", ""]
      child.stdout.setEncoding("utf8").on("data", (text) => stdout += text)
      child.stderr.setEncoding("utf8").on("data", (text) => stderr += text)
      const exit = new Promise<Exited>((resolve) => child.once("close", (code, signal) => resolve({ code, signal })))
      return { process: child, output: () => ({ stdout, stderr }), exited: Effect.promise(() => exit) }
    }),
    ({ exited, process }) => Effect.zipRight(Effect.sync(() => process.kill("SIGKILL")), exited)
  )

/** Looks until there is something to see, for a minute. */
export const eventually = <A>(look: () => A | undefined | false): Effect.Effect<A> => {
  const again: Effect.Effect<A> = Effect.suspend(() => {
    const found = look()
    return found === undefined || found === false ? Effect.delay(again, "10 millis") : Effect.succeed(found)
  })
  return again.pipe(Effect.timeout("1 minute"), Effect.orDie)
}

/**
 * A port for what is started there more than once. It is below those that the system gives to whoever asks for any: nobody else has it
 * while nothing listens there.
 */
export const ownPort: Effect.Effect<number> = Effect.suspend(() => {
  const port = 10_000 + Math.floor(Math.random() * 20_000)
  return Effect.async<boolean>((resume) => {
    const server = Net.createServer()
    server.once("error", () => resume(Effect.succeed(false)))
    server.listen(port, "127.0.0.1", () => server.close(() => resume(Effect.succeed(true))))
  }).pipe(Effect.flatMap((free) => free ? Effect.succeed(port) : ownPort))
})

/** A gateway with its data in `data`, listening. */
export const gateway = (data: string, env: Record<string, string> = {}, port = 0) =>
  Effect.gen(function*() {
    const running = yield* start(["serve", "--port", String(port), "--data", data], { cwd: data, env })
    const url = yield* eventually(() => {
      const { stderr, stdout } = running.output()
      if (running.process.exitCode !== null) throw new Error(`the gateway exited: ${stderr}`)
      return /listening on (\S+)\n/.exec(stdout)?.[1]
    })
    const request = (method: string, path: string, body?: unknown) =>
      Effect.promise(async () => {
        const response = await fetch(`${url}${path}`, {
          method,
          ...body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }
        })
        const text = await response.text()
        return { status: response.status, body: text === "" ? undefined : JSON.parse(text) }
      })
    return {
      ...running,
      url,
      request,
      open: (agent = "demo") =>
        Effect.map(request("POST", "/v1/sessions", { agent, cwd: data }), ({ body }): string => body.id),
      /** Behind the turn that may be open still: its last words are heard before its end is. */
      prompt: (session: string, prompt: string) =>
        request("POST", `/v1/sessions/${session}/runs`, { prompt, whenBusy: "queue" }),
      /** All stored events after the cursor, up to the head. */
      history: (session: string, after = 0) =>
        Effect.promise(async () => {
          const response = await fetch(`${url}/v1/sessions/${session}/events?follow=false&after=${after}`, {
            headers: { accept: "application/x-ndjson" }
          })
          return (await response.text()).split("\n").filter((line) => line !== "").map((line) => JSON.parse(line))
        })
    }
  })

export interface Frame {
  readonly id: number
  readonly data: { readonly event: { readonly type: string }; readonly seq: number }
}

/**
 * Reads whole SSE frames until `done` says so, or the server ends the response; then cuts the connection as it is. `lastEventId` goes
 * into the header.
 */
export const follow = (
  url: string,
  options: { readonly lastEventId?: number; readonly done: (frame: Frame) => boolean }
): Effect.Effect<ReadonlyArray<Frame>> =>
  Effect.async((resume) => {
    const frames: Array<Frame> = []
    let rest = ""
    const request = Http.get(url, {
      agent: false,
      headers: options.lastEventId === undefined ? {} : { "last-event-id": String(options.lastEventId) }
    })
    const end = () => {
      request.destroy()
      resume(Effect.succeed(frames))
    }
    request.on("error", end)
    request.on("response", (response) => {
      response.setEncoding("utf8")
      response.on("end", end)
      response.on("error", end)
      response.on("data", (text: string) => {
        const parts = (rest + text).split("\n\n")
        rest = parts.pop() ?? ""
        for (const part of parts) {
          const id = /^id: (\d+)$/m.exec(part)?.[1]
          const data = /^data: (.*)$/m.exec(part)?.[1]
          if (id === undefined || data === undefined) continue
          const frame: Frame = { id: Number(id), data: JSON.parse(data) }
          frames.push(frame)
          if (options.done(frame)) return end()
        }
      })
    })
    return Effect.sync(() => request.destroy())
  })

/** The living processes of this run of a test file whose command line or environment holds the text: others run the same tests. */
export const processesWith = (text: string): ReadonlyArray<number> =>
  NodeFs.readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((name) => {
    try {
      const alive = !/^State:\s+[ZX]/m.test(NodeFs.readFileSync(`/proc/${name}/status`, "utf8"))
      const environment = NodeFs.readFileSync(`/proc/${name}/environ`, "utf8")
      const command = NodeFs.readFileSync(`/proc/${name}/cmdline`, "utf8")
      const ours = environment.split("\0").includes(`XDG_HOLDFAST_TEST=${process.env["XDG_HOLDFAST_TEST"]}`)
      return alive && ours && `${command}\0${environment}`.includes(text) && Number(name) !== process.pid
        ? [Number(name)]
        : []
    } catch {
      return [] // gone in the meantime
    }
  })
