import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import * as Program from "../program.js"

const live = (name: string, test: Effect.Effect<void, unknown, NodeContext.NodeContext | Scope.Scope>) =>
  it.scopedLive(name, () => Effect.provide(test, NodeContext.layer), 120_000)

const write = (path: string, text: string) =>
  Effect.flatMap(FileSystem.FileSystem, (fs) => fs.writeFileString(path, text))

/** Something that listens already. */
const busyPort = Effect.acquireRelease(
  Effect.async<Net.Server>((resume) => {
    const server = Net.createServer().listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) => Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
).pipe(Effect.map((server) => {
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0
}))

describe("holdfast serve", () => {
  live(
    "prints exactly one line, and a signal ends it well",
    Effect.gen(function*() {
      const cwd = yield* Program.folder
      const ends = yield* Effect.forEach(["SIGTERM", "SIGINT"] as const, (signal) =>
        Effect.gen(function*() {
          const gateway = yield* Program.start({ cwd }, "serve", "--port", "0", "--data", signal)
          yield* gateway.says(/listening/)
          yield* gateway.signal(signal)
          return yield* gateway.exit
        }))
      for (const { code, stdout } of ends) {
        expect(stdout).toMatch(/^holdfast listening on http:\/\/127\.0\.0\.1:\d+\n$/)
        expect(code).toBe(0)
      }
    })
  )

  live(
    "what keeps it from starting is one line and exit code 2",
    Effect.gen(function*() {
      const cwd = yield* Program.folder
      const port = yield* busyPort
      yield* write(`${cwd}/file`, "no folder")
      const serve = (...args: ReadonlyArray<string>) => Program.run({ cwd }, "serve", ...args)
      const ends = yield* Effect.all([
        serve("--data", "a", "--port", String(port)),
        serve("--data", "b", "--port", "0", "--host", "0.0.0.0"),
        serve("--data", "file", "--port", "0"),
        serve("--data", "/proc/holdfast", "--port", "0"),
        serve("--port", "x"),
        serve("--port", "70000"),
        Program.run({ cwd, env: { HOLDFAST_PORT: "x" } }, "serve")
      ], { concurrency: 2 })
      expect(ends.map(({ stdout }) => stdout).join("")).toBe("")
      expect(ends.map(({ stderr }) => stderr)).toEqual([
        `holdfast: 127.0.0.1:${port} is in use by another program; choose another port\n`,
        expect.stringMatching(/^holdfast: 0\.0\.0\.0 is within reach of other machines: .* token\n$/),
        expect.stringMatching(/^holdfast: the data folder \S+\/file must be a folder.*\n$/),
        expect.stringMatching(/^holdfast: the data folder \/proc\/holdfast must be a folder.*ENOENT.*\n$/),
        "holdfast: 'x' is not a integer; see holdfast --help\n",
        "holdfast: --port: must be a port from 0 to 65535, not 70000\n",
        "holdfast: HOLDFAST_PORT: must be a port from 0 to 65535, not \"x\"\n"
      ])
      expect(ends.map(({ code }) => code)).toEqual(ends.map(() => 2))
    })
  )

  live(
    "the configuration of the folder is used, and each of its faults is a line",
    Effect.gen(function*() {
      const cwd = yield* Program.folder
      const port = yield* busyPort
      yield* write(`${cwd}/holdfast.yaml`, `prot: 1\nport: ${port}\nagents: { a: { kind: cloud } }`)
      const wrong = yield* Program.run({ cwd }, "serve")
      expect(wrong.stderr.split("\n")).toEqual([
        expect.stringMatching(/^holdfast: holdfast.yaml: prot: is unexpected, expected: "host"/),
        "holdfast: holdfast.yaml: agents.a.kind: must be a kind of agent (acp, agentctl, agui, loop), not \"cloud\"",
        ""
      ])
      expect(wrong.code).toBe(2)

      yield* write(
        `${cwd}/holdfast.yaml`,
        `port: ${port}\nagents: { a: { kind: acp, command: x, env: { K: { fromEnv: K_E_Y } } } }`
      )
      expect((yield* Program.run({ cwd }, "serve")).stderr).toBe(
        "holdfast: agents.a.env.K: the variable K_E_Y is not set\n"
      )
      expect((yield* Program.run({ cwd, env: { K_E_Y: "k" } }, "serve")).stderr).toMatch(/is in use/)

      yield* write(`${cwd}/holdfast.json`, "{}")
      expect((yield* Program.run({ cwd }, "serve")).stderr).toBe(
        "holdfast: holdfast.json and holdfast.yaml are both here; keep one, or name it with --config\n"
      )
    })
  )

  live(
    "a token, from a file too, is asked for by the gateway and given by the commands",
    Effect.gen(function*() {
      const cwd = yield* Program.folder
      yield* write(`${cwd}/token`, "s3cret\n")
      yield* write(`${cwd}/holdfast.yaml`, "token: { fromFile: token }")
      const gateway = yield* Program.start({ cwd }, "serve", "--port", "0")
      yield* gateway.says(/listening/)
      const url = gateway.stdout().trim().split(" ").at(-1) ?? ""
      const elsewhere = yield* Program.folder
      const [without, withFile, withFlag, withVariable] = yield* Effect.all([
        Program.run({ cwd: elsewhere }, "sessions", "--url", url),
        Program.run({ cwd }, "sessions", "--url", url),
        Program.run({ cwd: elsewhere }, "sessions", "--url", url, "--token", "s3cret"),
        Program.run({ cwd: elsewhere, env: { HOLDFAST_TOKEN: "s3cret", HOLDFAST_URL: url } }, "sessions")
      ], { concurrency: 2 })
      expect(without.stderr).toMatch(/^holdfast: .* give the token of http:\S+ with --token or HOLDFAST_TOKEN\n$/)
      expect([without, withFile, withFlag, withVariable].map(({ code }) => code)).toEqual([2, 0, 0, 0])
    })
  )

  live(
    "a second signal ends it at once, while an agent takes its time",
    Effect.gen(function*() {
      const cwd = yield* Program.folder
      const gateway = yield* Program.start({ cwd }, "serve", "--port", "0")
      yield* gateway.says(/listening/)
      const url = gateway.stdout().trim().split(" ").at(-1) ?? ""
      const created = yield* Effect.promise(() =>
        fetch(`${url}/v1/sessions`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ agent: "demo", cwd })
        }).then((response) => response.text())
      ).pipe(Effect.map((text) => JSON.parse(text)))
      // an agent that ignores both the end of stdin and SIGTERM costs four seconds
      yield* Program.run({ cwd }, "attach", "--url", url, "--prompt", "/stay", created.id)
      yield* gateway.signal("SIGTERM")
      yield* Effect.sleep("300 millis")
      expect(gateway.exited()).toBe(false)
      yield* gateway.signal("SIGTERM")
      const [took, { code }] = yield* Effect.timed(gateway.exit)
      expect(code).toBe(143)
      expect(Duration.toSeconds(took)).toBeLessThan(3)
    })
  )
})
