/**
 * The demo agent's process: its standard streams as the ACP SDK wants them, and the ways in which it can misbehave.
 *
 * It stands on `node:` alone: platform's `Command` puts children in a group of their own, and its streams tell nobody
 * when a byte has left.
 *
 * @since 0.1.0
 */
import * as acp from "@agentclientprotocol/sdk"
import * as Effect from "effect/Effect"
import { constVoid } from "effect/Function"
import type * as Scope from "effect/Scope"
import * as NodeChild from "node:child_process"
import { Readable } from "node:stream"
import { promisify } from "node:util"

// resolved when the bytes have left for the pipe: a slow reader slows the agent, and nothing said is lost by an exit
const write = promisify((chunk: string | Uint8Array, done: (error?: Error | null) => void) => {
  process.stdout.write(chunk, done)
})

/**
 * Messages on stdin and stdout. Reading stops when the scope closes, so that the process can end.
 *
 * @since 0.1.0
 */
export const stream: Effect.Effect<acp.Stream, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    // a client that is gone is seen by the write that fails; without a listener EPIPE would be an uncaught exception
    process.stdout.on("error", constVoid)
    return acp.ndJsonStream(
      new WritableStream<Uint8Array>({ write: (chunk) => write(chunk) }),
      Readable.toWeb(process.stdin)
    )
  }),
  () => Effect.sync(() => process.stdin.destroy())
)

/** Writes a line past the protocol. What was sent before it and waited for comes before it. @since 0.1.0 */
export const rawLine = (line: string): Effect.Effect<void> => Effect.ignore(Effect.tryPromise(() => write(`${line}\n`)))

/** Writes a last line to stderr and ends the process here and now. @since 0.1.0 */
export const exit = (code: number, lastLine: string): Effect.Effect<never> =>
  Effect.async(() => {
    process.stderr.write(`${lastLine}\n`, () => process.exit(code))
  })

/**
 * From now on SIGTERM changes nothing.
 *
 * @since 0.1.0
 */
export const ignoreSigterm: Effect.Effect<void> = Effect.sync(() => {
  // `runMain` interrupts the program on SIGTERM: its listener goes, ours only stands in the way of the default
  process.removeAllListeners("SIGTERM")
  process.on("SIGTERM", constVoid)
})

/**
 * Starts a process that ignores SIGTERM, stays for a day, and outlives this one. It is in this process's group, as a
 * tool's child behind `npx` is. Returns its pid once it is deaf.
 *
 * @since 0.1.0
 */
export const grandchild: Effect.Effect<number> = Effect.async((resume) => {
  // what a shell ignores stays ignored in what it becomes
  const child = NodeChild.spawn("/bin/sh", ["-c", "trap '' TERM; echo deaf; exec sleep 86400"], {
    stdio: ["ignore", "pipe", "ignore"]
  })
  child.on("error", (error) => resume(Effect.die(error)))
  child.stdout.once("data", () => {
    child.stdout.destroy()
    child.unref()
    resume(Effect.succeed(child.pid ?? 0))
  })
})
