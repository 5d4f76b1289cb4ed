/** Runs a TypeScript file of this folder as a process of its own, which is killed when the scope closes. */
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

export const run = Effect.fnUntraced(function*(name: string, ...args: ReadonlyArray<string>) {
  const script = fileURLToPath(new URL(name, import.meta.url))
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, ["--import", "tsx", script, ...args], { stdio: ["ignore", "pipe", "inherit"] })
    ),
    (child) => killed(child)
  )
  return {
    pid: child.pid ?? 0,
    /** The first line that it prints. */
    line: Effect.map(Effect.promise(() => once(child.stdout, "data")), ([data]) => String(data).trim()),
    kill: killed(child)
  }
})

const killed = (child: ReturnType<typeof spawn>) =>
  Effect.promise(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill("SIGKILL")
    await once(child, "exit")
  })
