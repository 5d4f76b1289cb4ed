/** Holdfast over the real host, and what the cases ask of it. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { AgentctlAgent, Content, EventLog, Ids, RunStream, Sessions } from "holdfast"
import type { Agent, AgentEvent, Elicitation } from "holdfast"
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import * as Detour from "./Detour.js"
import type { Host } from "./Host.js"

export type Event = AgentEvent.SessionEvent
const program = fileURLToPath(new URL("../../dist/main.js", import.meta.url))
const probeAgent = fileURLToPath(new URL("./agent.mjs", import.meta.url))

type Accepted = Effect.Effect.Success<ReturnType<Sessions.Sessions["Type"]["prompt"]>>

export interface Session {
  readonly id: string
  readonly folder: string
  readonly prompt: (text: string, whenBusy?: "steer") => Effect.Effect<Accepted, unknown>
  readonly finish: (run: Accepted) => Effect.Effect<ReadonlyArray<Event>, unknown>
  readonly turn: (text: string) => Effect.Effect<ReadonlyArray<Event>, unknown>
  /** Waits until the log has so many of the type. */
  readonly seen: (type: Event["type"], times: number) => Effect.Effect<ReadonlyArray<Event>, unknown>
  readonly seenWhere: (fits: (event: Event) => boolean) => Effect.Effect<Event, unknown>
  /** Waits for a question, and answers it. */
  readonly answer: (answer: Elicitation.ElicitationAnswer) => Effect.Effect<void, unknown>
  readonly cancel: Effect.Effect<void, unknown>
  readonly restart: Effect.Effect<unknown, unknown>
  readonly close: Effect.Effect<void, unknown>
  readonly setMode: (mode: string) => Effect.Effect<void, unknown>
  readonly setConfigOption: (option: string, value: string) => Effect.Effect<void, unknown>
  readonly workspace: Effect.Effect<Agent.Workspace, unknown>
}

export interface Client {
  readonly open: Effect.Effect<Session, unknown>
  /** Of the agent with models, options and MCP servers. */
  readonly openProbe: Effect.Effect<Session, unknown>
  /** A connection of that agent by itself, for what its driver has beyond the contract. */
  readonly connect: Effect.Effect<AgentctlAgent.AgentctlConnection, unknown>
  /** Another program of ours, with this nonce and the token that is kept. */
  readonly another: (nonce: string) => Effect.Effect<AgentctlAgent.AgentctlConnection, unknown, Scope.Scope>
  /** Cuts the streams of the session that was opened last. */
  readonly cut: Effect.Effect<void>
  readonly instanceUrl: () => string
  /** Those of the session that the host has. */
  readonly instances: (session: string) => Effect.Effect<ReadonlyArray<string>>
  /** A new life of the host, at the same port and with the same nonce. */
  readonly startHostAnew: Effect.Effect<void>
  readonly killHost: Effect.Effect<void>
}

/** A repository with one commit. */
const repository = (): string => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-conformance-work-"))
  fs.writeFileSync(path.join(folder, "a.txt"), "one\n")
  const git = (...args: ReadonlyArray<string>) => execFileSync("git", args, { cwd: folder })
  git("init", "-q")
  git("config", "user.email", "conformance@holdfast.example")
  git("config", "user.name", "conformance")
  git("add", "-A")
  git("commit", "-qm", "one")
  return folder
}

export const make = Effect.fnUntraced(function*(host: Host) {
  const detour = yield* Detour.make(host.url)
  const state = yield* Effect.acquireRelease(
    Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-conformance-state-"))),
    (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
  )
  // each is a program of its own for the host, whose nonce is good once: the token is what they share
  const common = {
    url: detour.url,
    nonce: Redacted.make(host.nonce),
    tokenFile: path.join(state, "token"),
    command: process.execPath,
    outage: Duration.seconds(5)
  }
  const probe = {
    ...common,
    args: [probeAgent],
    mcpServers: [
      { name: "files", command: "mcp-files", args: ["/srv"], env: { KEY: Redacted.make("secret") } },
      { type: "http" as const, name: "search", url: "http://127.0.0.1:9/mcp", headers: { "x-key": "1" } },
      { type: "sse" as const, name: "old", url: "http://127.0.0.1:9/sse" }
    ]
  }
  const agents = AgentctlAgent.layer({
    host: {
      ...common,
      args: [program, "demo-agent"],
      env: { HOLDFAST_DEMO_STATE: path.join(state, "demo.json") }
    },
    probe
  })
  const layer = Sessions.layerWith({}).pipe(
    Layer.provide([EventLog.layerSqlite({ filename: path.join(state, "events.db") }), agents]),
    Layer.provide(NodeContext.layer)
  )
  const sessions = yield* Effect.map(Layer.build(layer), Context.get(Sessions.Sessions))

  const open = (agent: "host" | "probe") =>
    Effect.gen(function*() {
      const cwd = repository()
      const { id } = yield* sessions.create({ agent, cwd })
      const events = sessions.events({ session: id, after: 0 }).pipe(
        Stream.map(({ json }): Event => JSON.parse(json).event)
      )
      const collect = <E>(stream: Stream.Stream<Event, E>) =>
        Effect.map(Stream.runCollect(stream), Chunk.toReadonlyArray)
      const prompt = (text: string, whenBusy?: "steer") =>
        sessions.prompt(id, { content: [Content.text(text)], whenBusy })
      const finish = (run: Accepted) =>
        collect(RunStream.follow(sessions, id, run).pipe(Stream.map(({ event }) => event)))
      const session: Session = {
        id,
        folder: cwd,
        prompt,
        finish,
        turn: (text) => Effect.flatMap(prompt(text), finish),
        seen: (type, times) => collect(events.pipe(Stream.filter((event) => event.type === type), Stream.take(times))),
        seenWhere: (fits) => Effect.flatten(Stream.runHead(Stream.filter(events, fits))),
        answer: (answer) =>
          Effect.flatMap(
            Effect.flatten(Stream.runHead(Stream.filter(events, (event) => event.type === "ElicitationRequested"))),
            (event) =>
              event.type === "ElicitationRequested" ? sessions.answer(id, event.elicitation.id, answer) : Effect.void
          ),
        cancel: sessions.cancel(id),
        restart: Effect.flatten(sessions.restart(id, "requested")),
        close: sessions.close(id),
        setMode: (mode) => sessions.setMode(id, mode),
        setConfigOption: (option, value) => sessions.setConfigOption(id, option, value),
        workspace: sessions.workspace(id)
      }
      yield* Effect.addFinalizer(() =>
        Effect.zipRight(
          Effect.ignore(sessions.close(id)),
          Effect.sync(() => fs.rmSync(cwd, { recursive: true, force: true }))
        )
      )
      return session
    })
  const connect = (options: AgentctlAgent.AgentctlOptions) =>
    Effect.gen(function*() {
      const agent = yield* Effect.provide(AgentctlAgent.make("another", options), NodeHttpClient.layer)
      return yield* agent.connect({ sessionId: yield* Ids.freshSessionId, cwd: state, resume: Option.none() })
    })
  const scope = yield* Effect.scope
  const client: Client = {
    open: Effect.provideService(open("host"), Scope.Scope, scope),
    openProbe: Effect.provideService(open("probe"), Scope.Scope, scope),
    connect: Effect.provideService(connect(probe), Scope.Scope, scope),
    another: (nonce) => connect({ ...common, args: [program, "demo-agent"], nonce: Redacted.make(nonce) }),
    cut: Effect.suspend(() => detour.networks.at(-1)?.cut ?? Effect.void),
    instanceUrl: () => detour.networks.at(-1)?.url ?? "",
    instances: detour.instances,
    startHostAnew: Effect.zipRight(host.kill, host.start),
    killHost: host.kill
  }
  return client
})
