/**
 * `npm run interop`: a real agent that needs no network, `codex-acp` against a mock of its model, through Holdfast. A permission, a
 * `kill -9` in the middle of a turn, a restart with `session/load`, and the next prompt; nothing may be in the log twice.
 *
 * Not a part of `npm test`: the agent is 223 MB. It is installed into a temporary folder and runs in a network namespace that has only
 * loopback (Linux, `unshare`).
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { AcpAgent, Content, EventLog, RunStream, Sessions } from "holdfast"
import * as assert from "node:assert/strict"
import { execFileSync, spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

const here = path.dirname(fileURLToPath(import.meta.url))
const folder = process.env["HOLDFAST_INTEROP"] ?? path.join(os.tmpdir(), "holdfast-interop")
const packages = ["@zed-industries/codex-acp@0.16.0", "@copilotkit/aimock@1.43.0"]
const modules = path.join(folder, "node_modules")

if (process.argv[2] !== "inside") {
  fs.mkdirSync(folder, { recursive: true })
  if (!fs.existsSync(path.join(modules, ".bin", "codex-acp"))) {
    console.error(`installing ${packages.join(" and ")} into ${folder}`)
    execFileSync("npm", ["install", "--no-save", "--prefix", folder, ...packages], { stdio: "inherit" })
  }
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1), "inside"]
  const { status } = spawnSync(
    "unshare",
    ["--net", "--map-root-user", "sh", "-c", "ip link set lo up && exec \"$@\"", "sh", ...again],
    { stdio: "inherit", env: { ...process.env, HOLDFAST_INTEROP: folder } }
  )
  process.exit(status ?? 1)
}

const model = Effect.acquireRelease(
  Effect.promise(async () => {
    const server = spawn(process.execPath, [
      path.join(here, "model.mjs"),
      path.join(modules, "@copilotkit/aimock/dist/index.js")
    ], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    for await (const line of server.stdout.setEncoding("utf8")) return { server, url: String(line).trim() }
    throw new Error("the model server did not start")
  }),
  ({ server }) => Effect.sync(() => server.kill("SIGKILL"))
)

/** The processes of codex that are below this one. */
const agentPids = () =>
  execFileSync("pgrep", ["-f", "codex-acp-linux|codex-acp$"], { encoding: "utf8" }).trim().split("\n").map(Number)
    .filter((pid) => pid !== process.pid)

const program = Effect.gen(function*() {
  const { url } = yield* model
  const work = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-interop-work-"))
  const home = path.join(work, "home")
  const cwd = path.join(work, "project")
  fs.mkdirSync(home)
  fs.mkdirSync(cwd)
  fs.writeFileSync(
    path.join(home, "config.toml"),
    `model = "gpt-4o"
model_provider = "aimock"
approval_policy = "on-request"
sandbox_mode = "read-only"

[model_providers.aimock]
name = "aimock"
base_url = "${url}/v1"
wire_api = "responses"
`
  )
  const runtime = Sessions.layer.pipe(
    Layer.provide([
      EventLog.layerSqlite({ filename: path.join(work, "events.db") }),
      AcpAgent.layer({
        codex: { command: path.join(modules, ".bin", "codex-acp"), env: { CODEX_HOME: home, OPENAI_API_KEY: "none" } }
      })
    ]),
    Layer.provide(NodeContext.layer)
  )

  yield* Effect.gen(function*() {
    const sessions = yield* Sessions.Sessions
    const { id } = yield* sessions.create({ agent: "codex", cwd })
    yield* Console.log("connected")

    /** Prompts, answers every permission with its first option, and returns the run's events. */
    const turn = (text: string, onChunk: (chunks: number) => void = () => {}) =>
      Effect.gen(function*() {
        let chunks = 0
        const run = yield* sessions.prompt(id, { content: [Content.text(text)] })
        const events = yield* RunStream.follow(sessions, id, run).pipe(
          Stream.map(({ event }) => event),
          Stream.tap((event) => {
            if (event.type === "TextChunk") onChunk(++chunks)
            if (event.type !== "ElicitationRequested" || event.elicitation.kind !== "permission") return Effect.void
            const optionId = event.elicitation.options[0]?.optionId
            return sessions.answer(id, event.elicitation.id, { action: "accept", content: { optionId } })
          }),
          Stream.runCollect
        )
        const all = [...events]
        const end = all.at(-1)
        const said = all.map((event) => event.type === "TextChunk" ? event.text : "").join("")
        return { all, said, outcome: end?.type === "RunEnded" ? end.outcome : undefined }
      })

    const first = yield* turn("write the note")
    assert.equal(first.outcome?._tag, "Completed")
    assert.ok(first.all.some((event) => event.type === "ElicitationRequested"), "it asked for permission")
    assert.equal(fs.readFileSync(path.join(cwd, "note.txt"), "utf8"), "written\n")
    yield* Console.log(`a permission was asked, answered, and the tool ran: ${first.said}`)

    const killed = yield* turn("count to many", (chunks) => {
      if (chunks === 5) { for (const pid of agentPids()) process.kill(pid, "SIGKILL") }
    })
    assert.equal(killed.outcome?._tag, "Failed")
    assert.match(killed.said, /number 0, number 1/)
    yield* Console.log(`killed in the middle of a turn: ${JSON.stringify(killed.outcome)}`)

    const before = yield* sessions.get(id)
    yield* Effect.flatten(sessions.restart(id, "requested"))
    const after = yield* turn("are you there again?")
    assert.equal(after.outcome?._tag, "Completed")
    assert.match(after.said, /Here I am again.$/)

    const history = yield* Effect.map(
      Stream.runCollect(sessions.history({ session: id, after: 0 })),
      (entries) => [...entries].map((entry) => JSON.parse(entry.json))
    )
    const connected = history.filter(({ event }) => event.type === "AgentConnected").map(({ event }) => event.how)
    assert.deepEqual(connected, ["opened", "loaded"])
    const replayed = history.filter(({ event, runId, seq }) =>
      seq > before.head && runId === undefined && /Chunk$|^Tool/.test(event.type)
    )
    assert.deepEqual(replayed, [], "nothing that the agent replayed is in the log twice")
    yield* Console.log(`restarted (${connected.join(", ")}): ${after.said}`)
    yield* sessions.close(id)
  }).pipe(Effect.provide(runtime))
  assert.throws(agentPids, "no process of the agent is left")
  yield* Console.log("nothing is left behind; interop passed")
})

NodeRuntime.runMain(Effect.scoped(program))
