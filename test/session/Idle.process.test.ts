/**
 * A session over a real agent process that goes to sleep and wakes.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as AcpAgent from "../../src/agent/acp/AcpAgent.js"
import * as Harness from "./Harness.js"

leakFreeFile({ grace: "5 seconds" })

const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url))

const children = Effect.sync(() =>
  execFileSync("ps", ["-o", "args=", "--ppid", String(process.pid)], { encoding: "utf8" })
    .split("\n").filter((line) => line.includes("demo-agent"))
)

describe("a session over a process", () => {
  it.scopedLive(
    "gives the process up when it is idle, and has another with the next prompt",
    () =>
      Effect.gen(function*() {
        const agent = yield* AcpAgent.make("demo", { command: process.execPath, args: [main, "demo-agent"] })
        const { finish, open, prompt, seen, sessions } = yield* Harness.make([agent], { idle: { after: "2 seconds" } })
        const id = yield* open
        yield* Effect.flatMap(prompt(id, "/stream 3"), (run) => finish(id, run))
        expect(yield* children).toHaveLength(1)
        // not by its events: whoever follows them keeps it awake
        yield* Effect.repeat(Effect.zipRight(Effect.sleep("100 millis"), children), {
          until: ({ length }) => length === 0
        })
        yield* seen(id, "AgentDisconnected")
        expect((yield* sessions.get(id)).status).toBe("idle")
        const events = yield* Effect.flatMap(prompt(id, "/stream 3"), (run) => finish(id, run))
        expect(events.filter(({ event }) => event.type === "TextChunk")).toHaveLength(3)
        expect(yield* children).toHaveLength(1)
      }).pipe(Effect.provide(NodeContext.layer)),
    60_000
  )
})
