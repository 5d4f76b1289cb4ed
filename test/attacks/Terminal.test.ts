/** What an agent says reaches a person's terminal as text: it repeats files and pages that others wrote. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as NodeFs from "node:fs"
import { createRequire } from "node:module"
import * as NodePath from "node:path"
import { fileURLToPath } from "node:url"
import * as Program from "../cli/program.js"
import { forbidden } from "./evil.js"

leakFreeFile({ grace: "5 seconds" })

const agent = fileURLToPath(new URL("hostileAgent.ts", import.meta.url))
const tsx = createRequire(import.meta.url).resolve("tsx")

/** A folder in which the hostile agent, and one that does not start, are configured. */
const folder = Effect.tap(Program.folder, (cwd) =>
  Effect.sync(() => {
    const command = { kind: "acp", command: process.execPath, args: ["--import", tsx, agent] }
    const agents = { hostile: command, dying: { ...command, args: [...command.args, "--die"] } }
    NodeFs.writeFileSync(NodePath.join(cwd, "holdfast.json"), JSON.stringify({ agents }))
  }))

const harmless = (output: string) => {
  for (const [what, pattern] of Object.entries(forbidden)) {
    expect(pattern.exec(output)?.[0], `${what} in ${JSON.stringify(output)}`).toBeUndefined()
  }
}

const shown = (output: string, ...names: ReadonlyArray<string>) => {
  for (const name of names) {
    expect(output).toContain(`${name}-begins`)
    expect(output).toContain(`<img src=x onerror=alert(1)>-${name}-ends`)
  }
}

const live = (
  name: string,
  test: Effect.Effect<void, unknown, NodeContext.NodeContext | Effect.Effect.Context<typeof Program.folder>>
) => it.scopedLive(name, () => Effect.provide(test, NodeContext.layer), 120_000)

describe("what a hostile agent says", () => {
  for (const terminal of [false, true]) {
    live(
      `is text to \`holdfast run\` ${terminal ? "on a terminal" : "in a pipe"}`,
      Effect.gen(function*() {
        const cwd = yield* folder
        const { code, stderr, stdout } = yield* Program.run(
          { cwd, terminal },
          "run",
          "--agent",
          "hostile",
          "--yes",
          "please"
        )
        harmless(stdout + stderr)
        shown(stdout, "message", "thought", "step", "permission", "allow_once", "failure", "stop")
        expect(stdout).toContain(" other half")
        expect(code).toBe(0)
      })
    )
  }

  live(
    "is text where it is asked about, on a terminal",
    Effect.gen(function*() {
      const cwd = yield* folder
      const running = yield* Program.start({ cwd, terminal: true }, "run", "--agent", "hostile", "please")
      yield* running.says(/reject_once-ends/)
      yield* running.type("\r")
      const { stdout } = yield* running.exit
      harmless(stdout)
      shown(stdout, "permission", "allow_once", "allow_always", "reject_once")
    })
  )

  live(
    "is text where it is why something failed",
    Effect.gen(function*() {
      const cwd = yield* folder
      const failed = yield* Program.run({ cwd }, "run", "--agent", "hostile", "--yes", "fail")
      harmless(failed.stdout + failed.stderr)
      shown(failed.stderr, "error")
      expect(failed.code).toBe(1)
      const dead = yield* Program.run({ cwd }, "run", "--agent", "dying", "please")
      harmless(dead.stdout + dead.stderr)
      shown(dead.stderr, "stderr")
      expect(dead.code).not.toBe(0)
      const probed = yield* Program.run({ cwd }, "agents", "--probe")
      harmless(probed.stdout + probed.stderr)
      shown(probed.stdout, "agent")
    })
  )

  live(
    "is text to those who attach, list and look up, and JSON to programs",
    Effect.gen(function*() {
      const cwd = yield* folder
      const gateway = yield* Program.start({ cwd }, "serve", "--port", "0")
      yield* gateway.says(/listening/)
      const url = /listening on (\S+)\n/.exec(gateway.stdout())?.[1] ?? ""
      const call = (path: string, body: unknown) =>
        Effect.promise(async () => {
          const headers = { "content-type": "application/json", connection: "close" }
          const response = await fetch(`${url}${path}`, { method: "POST", headers, body: JSON.stringify(body) })
          return await response.json() as { id: string }
        })
      const { id } = yield* call("/v1/sessions", { agent: "hostile" })
      yield* call(`/v1/sessions/${id}/runs`, { prompt: "please" })
      const attached = yield* Program.start({ cwd, terminal: true }, "attach", "--url", url, id)
      yield* attached.says(/reject_once-ends/)
      yield* attached.type("\r")
      yield* attached.says(/failure-ends/)
      harmless(attached.stdout())
      shown(attached.stdout(), "message", "thought", "permission", "allow_once", "failure")
      for (const command of [["sessions"], ["decisions", id], ["close", id]]) {
        const { stderr, stdout } = yield* Program.run({ cwd, terminal: true }, ...command, "--url", url)
        harmless(stdout + stderr)
      }
      const { stdout } = yield* Program.run({ cwd }, "sessions", "--json", "--url", url)
      expect(stdout).not.toContain("\u001b")
      // the gateway's own log is read on a terminal, too
      harmless(gateway.stderr())
    })
  )
})
