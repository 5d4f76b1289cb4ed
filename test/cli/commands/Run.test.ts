import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { StoredEvent } from "../../../src/domain/StoredEvent.js"
import { main } from "../../program.js"
import * as Program from "../program.js"

const decode = Schema.decodeSync(Schema.parseJson(StoredEvent))

/** The processes whose parent is this one. */
const children = (pid: number) =>
  Effect.flatMap(FileSystem.FileSystem, (fs) => fs.readFileString(`/proc/${pid}/task/${pid}/children`)).pipe(
    Effect.map((text) => text.trim().split(" ").map(Number))
  )

/** Whether it runs; what waits to be reaped does not. */
const alive = (pid: number) =>
  Effect.flatMap(FileSystem.FileSystem, (fs) => fs.readFileString(`/proc/${pid}/stat`)).pipe(
    Effect.map((stat) => !/\) [ZX] /.test(stat)),
    Effect.orElseSucceed(() => false)
  )

const live = (name: string, test: Effect.Effect<void, unknown, NodeContext.NodeContext | Scope.Scope>) =>
  it.scopedLive(name, () => Effect.provide(test, NodeContext.layer), 120_000)

describe("holdfast run", () => {
  live(
    "streams, shows tool calls, accepts with --yes, and exits 0",
    Effect.gen(function*() {
      const cwd = yield* Program.folder
      const { code, stderr, stdout } = yield* Program.run({ cwd }, "run", "--yes", "/permission")
      expect(stdout).toBe(
        "? Launch the paper plane\n  accepted: allow_once\n✔ Launch the paper plane\n" +
          "You chose \"Allow once\" (allow_once): the paper plane is in the air.\n✔ completed\n"
      )
      expect(stderr).toBe("")
      expect(code).toBe(0)
    })
  )

  live(
    "declines what nobody can be asked, and says so",
    Effect.gen(function*() {
      const cwd = yield* Program.folder
      const { code, stderr, stdout } = yield* Program.run({ cwd }, "run", "/permission")
      expect(stdout).toContain("✖ Launch the paper plane")
      expect(stderr).toContain("declined \"Launch the paper plane\": nobody can be asked here; --yes accepts")
      expect(code).toBe(0)
    })
  )

  live(
    "--json prints the stored events from the first on, and nothing else",
    Effect.gen(function*() {
      const cwd = yield* Program.folder
      const { code, stdout } = yield* Program.run({ cwd }, "run", "--json", "/stream 100")
      const events = stdout.trimEnd().split("\n").map((line) => decode(line))
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
      expect(events.map(({ event }) => event.type)).toEqual(
        expect.arrayContaining(["SessionOpened", "AgentConnected", "RunStarted", "TextChunk"])
      )
      expect(events.at(-1)?.event).toEqual({
        type: "RunEnded",
        outcome: { _tag: "Completed", stopReason: "end_turn" }
      })
      expect(code).toBe(0)
    })
  )

  live(
    "exits 1 when the run fails, with the reason on stderr",
    Effect.gen(function*() {
      const cwd = yield* Program.folder
      const { code, stderr, stdout } = yield* Program.run({ cwd }, "run", "/crash")
      expect(stdout).toMatch(/\n✖ failed: the agent's process exited with code 3/)
      expect(stderr).toMatch(/^holdfast: the run failed: the agent's process exited with code 3.*\n$/)
      expect(code).toBe(1)
    })
  )

  live(
    "exits 2, with one line, on what cannot be tried",
    Effect.gen(function*() {
      const cwd = yield* Program.folder
      const fs = yield* FileSystem.FileSystem
      yield* fs.writeFileString(`${cwd}/holdfast.yaml`, "agents: { gone: { kind: acp, command: no-such-agent } }")
      const outcomes = yield* Effect.forEach(
        [
          ["--agent", "nobody", "hi"],
          ["--cwd", "/no/such/folder", "hi"],
          ["--agent", "demo", ""],
          ["--config", "no.yaml", "hi"],
          ["--yse"],
          ["two", "words"],
          []
        ],
        (args) => Program.run({ cwd }, "run", ...args),
        { concurrency: 2 }
      )
      expect(outcomes.map(({ code }) => code)).toEqual(outcomes.map(() => 2))
      expect(outcomes.map(({ stdout }) => stdout).join("")).toBe("")
      expect(outcomes.map(({ stderr }) => stderr)).toEqual([
        "holdfast: there is no agent \"nobody\"; there are: gone, demo\n",
        "holdfast: the working folder /no/such/folder is not a folder\n",
        "holdfast: the prompt is empty\n",
        "holdfast: no.yaml: cannot be read: NotFound\n",
        "holdfast: Received unknown flag: '--yse' (if it is the prompt, give it through stdin with -); see holdfast --help\n",
        "holdfast: Received unknown argument: 'words'; see holdfast --help\n",
        "holdfast: Missing argument <prompt>; see holdfast --help\n"
      ])
      const { code, stderr } = yield* Program.run({ cwd }, "run", "hi")
      expect(stderr).toMatch(/^holdfast: the command "no-such-agent" is not there: .*PATH \(.*\n$/)
      expect(code).toBe(1)
    })
  )

  live(
    "reads the prompt from stdin where it is -",
    Effect.gen(function*() {
      const cwd = yield* Program.folder
      const { code, stdout } = yield* Program.run({ cwd, stdin: "/stream 3" }, "run", "-")
      expect(stdout).toBe("chunk 1 chunk 2 chunk 3 \n✔ completed\n")
      expect(code).toBe(0)
    })
  )

  live(
    "is quiet when its reader leaves",
    Effect.gen(function*() {
      const cwd = yield* Program.folder
      const command = yield* Program.start({ cwd }, "run", "/stream 20000")
      yield* command.says(/chunk 1 /)
      yield* command.stopReading
      const { code, stderr } = yield* command.exit
      expect(stderr).toBe("")
      expect(code).toBe(141)
    })
  )

  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 143]] as const) {
    live(
      `AG1 ${signal} cancels the run, shows its end and leaves no process`,
      Effect.gen(function*() {
        const cwd = yield* Program.folder
        const command = yield* Program.start({ cwd }, "run", "/sleep 60")
        yield* command.says(/I sleep/)
        const agents = yield* children(command.pid)
        expect(agents.length).toBeGreaterThan(0)
        yield* command.signal(signal)
        const end = yield* command.exit
        expect(end.stdout).toMatch(/■ cancelled\n$/)
        expect(end.stderr).toContain("cancelling; Ctrl-C again quits at once")
        expect(end.code).toBe(code)
        expect(yield* Effect.forEach(agents, alive)).toEqual(agents.map(() => false))
      })
    )
  }

  live(
    "AG1 a second SIGINT quits at once, and still leaves no process of an agent that heeds nothing",
    Effect.gen(function*() {
      const cwd = yield* Program.folder
      const fs = yield* FileSystem.FileSystem
      const deaf = `trap "" TERM; "${process.execPath}" "${main}" demo-agent; sleep 600`
      const agents = { deaf: { kind: "acp", command: "sh", args: ["-c", deaf] } }
      yield* fs.writeFileString(`${cwd}/holdfast.json`, JSON.stringify({ agents }))
      const command = yield* Program.start({ cwd }, "run", "/hang")
      yield* command.says(/I hang/)
      const left = yield* children(command.pid)
      expect(left).not.toEqual([])
      yield* command.signal("SIGINT")
      yield* command.says(/Ctrl-C again/)
      yield* command.signal("SIGINT")
      const end = yield* command.exit
      expect(end.stdout).not.toContain("cancelled")
      expect(end.code).toBe(130)
      expect(yield* Effect.forEach(left, alive)).toEqual(left.map(() => false))
    })
  )

  live(
    "asks in a terminal, with the agent's options",
    Effect.gen(function*() {
      const cwd = yield* Program.folder
      const command = yield* Program.start({ cwd, terminal: true }, "run", "/permission")
      yield* command.says(/Reject/)
      yield* command.type("\u001b[B")
      yield* command.says(/❯\S* \S*Allow always/)
      yield* command.type("\r")
      const { code, stdout } = yield* command.exit
      expect(stdout).toContain("You chose \"Allow always\" (allow_always): the paper plane is in the air.")
      expect(code).toBe(0)
    })
  )

  live(
    "Ctrl-C in a prompt of the terminal cancels the run",
    Effect.gen(function*() {
      const cwd = yield* Program.folder
      const command = yield* Program.start({ cwd, terminal: true }, "run", "/permission")
      yield* command.says(/Reject/)
      yield* command.type("\u0003")
      const { code, stdout } = yield* command.exit
      // what the agent says of its call when nobody answers may come in between
      expect(stdout).toMatch(/withdrawn: [^]*\r\n.*■.* cancelled\r\n$/)
      expect(code).toBe(130)
    })
  )

  live(
    "--data keeps the session for a gateway, which nobody else may hold",
    Effect.gen(function*() {
      const cwd = yield* Program.folder
      const first = yield* Program.start({ cwd }, "run", "--data", "store", "/sleep 60")
      yield* first.says(/I sleep/)
      const second = yield* Program.run({ cwd }, "run", "--data", "store", "hi")
      expect(second.stderr).toMatch(
        new RegExp(`^holdfast: the data folder \\S+/store is held by .* ${first.pid}\\b.*\n$`)
      )
      expect(second.code).toBe(2)
      yield* first.signal("SIGINT")
      expect((yield* first.exit).code).toBe(130)
      const gateway = yield* Program.start({ cwd }, "serve", "--data", "store", "--port", "0")
      yield* gateway.says(/listening on/)
      const url = gateway.stdout().trim().split(" ").at(-1) ?? ""
      const { stdout } = yield* Program.run({ cwd }, "sessions", "--json", "--url", url)
      expect(JSON.parse(stdout)).toMatchObject({ agent: "demo", status: "idle" })
      yield* gateway.signal("SIGTERM")
      expect((yield* gateway.exit).code).toBe(0)
    })
  )
})
