/**
 * `holdfast agents`: what sessions can be opened with, and with `--probe` which of them start and what they can do.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import type { HttpClient } from "@effect/platform/HttpClient"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as AcpAgent from "../../agent/acp/AcpAgent.js"
import type { AgentConnection } from "../../agent/Agent.js"
import * as AgentctlAgent from "../../agent/agentctl/AgentctlAgent.js"
import * as AguiAgent from "../../agent/agui/AguiAgent.js"
import * as ProcessLedger from "../../agent/process/ProcessLedger.js"
import { freshSessionId } from "../../domain/Ids.js"
import * as AgentSet from "../AgentSet.js"
import * as Ansi from "../Ansi.js"
import * as Config from "../Config.js"
import * as Flags from "../Flags.js"
import * as LastResort from "../LastResort.js"
import { Screen } from "../Screen.js"
import * as Signals from "../Signals.js"
import * as Table from "../Table.js"

/** Agents that are started at once. */
const concurrency = 4

/** What a probe found, in words. */
const abilities = ({ capabilities }: AcpAgent.AcpConnection): ReadonlyArray<string> => {
  const { loadSession, mcpCapabilities, promptCapabilities, sessionCapabilities } = capabilities
  const found: Record<string, unknown> = {
    load: loadSession,
    resume: sessionCapabilities?.resume,
    list: sessionCapabilities?.list,
    image: promptCapabilities?.image,
    audio: promptCapabilities?.audio,
    context: promptCapabilities?.embeddedContext,
    "mcp-http": mcpCapabilities?.http,
    "mcp-sse": mcpCapabilities?.sse
  }
  return Object.entries(found).flatMap(([name, offered]) => offered == null || offered === false ? [] : [name])
}

/** What a host says of its agent, as the others say it. */
const words: Readonly<Record<string, string>> = { embedded_context: "context", prompt_queueing: "steer" }

const modes = ({ begins = [] }: AgentConnection) =>
  begins.flatMap((event) => event.type === "ModeChanged" ? event.available?.map((mode) => mode.id) ?? [] : [])

interface Probe {
  readonly ok: boolean
  readonly name?: string
  readonly version?: string
  readonly abilities?: ReadonlyArray<string>
  readonly modes?: ReadonlyArray<string>
  readonly error?: string
  /** Why less was found than could be. */
  readonly note?: string
}

const found = (connection: AgentConnection, abilities: ReadonlyArray<string>): Probe => ({
  ok: true,
  ...(connection.name === undefined ? {} : { name: connection.name }),
  ...(connection.version === undefined ? {} : { version: connection.version }),
  abilities,
  modes: modes(connection)
})

/** Starts the agent, opens a session here and ends it again. Bounded by the agent's own `startTimeout`. */
const probe = (data: string) => (offer: AgentSet.Offer): Effect.Effect<Probe, never, Path.Path | HttpClient> =>
  Effect.gen(function*() {
    const place = { sessionId: yield* freshSessionId, cwd: (yield* Path.Path).resolve(".") }
    const session = { ...place, resume: Option.none() }
    switch (offer.kind) {
      case "acp": {
        const agent = yield* AcpAgent.make(offer.name, offer.options)
        const connection = yield* agent.connect(session)
        return found(connection, abilities(connection))
      }
      case "agentctl": {
        const { options } = offer
        const agent = yield* AgentctlAgent.make(offer.name, {
          ...options,
          tokenFile: options.tokenFile ?? AgentSet.tokenFile(data, options.url)
        })
        if (yield* agent.once) {
          yield* agent.health
          return { ok: true, note: "the host is there; its nonce was not tried, as it is good for one handshake" }
        }
        const connection = yield* agent.connect(session)
        return found(connection, [
          ...connection.supports().map((name) => words[name] ?? name),
          "shell",
          "processes",
          "git"
        ])
      }
      case "agui":
        return { ok: true, abilities: yield* AguiAgent.probe(offer.options) }
      case "loop": {
        const loop = yield* AgentSet.loopAgents
        return {
          ok: true,
          name: offer.options.models[0].model,
          abilities: yield* loop.probe(offer.options, place)
        }
      }
    }
  }).pipe(
    Effect.scoped,
    Effect.catchAll(({ message }) => Effect.succeed({ ok: false, error: message }))
  )

const told = (kind: string, probe: Probe): string =>
  probe.ok
    ? Ansi.oneLine(
      [
        probe.name ?? "",
        probe.version ?? "",
        ...probe.abilities?.length ? [`${kind === "loop" ? "with" : "can"} ${probe.abilities.join(", ")};`] : [],
        ...probe.modes?.length ? [`modes ${probe.modes.join(", ")}`] : [],
        ...probe.note === undefined ? [] : [probe.note]
      ].join(" ").trim()
    ).replace(/;$/, "")
    : Ansi.oneLine(probe.error ?? "")

/** @since 0.1.0 */
export const command = Command.make("agents", {
  config: Flags.config,
  probe: Options.boolean("probe").pipe(Options.withDescription("Start each, and tell what it can do")),
  json: Flags.json
}, (flags) =>
  Effect.gen(function*() {
    const screen = yield* Screen
    const loaded = yield* Config.load(flags.config, {})
    const offers = yield* AgentSet.offers(loaded)
    const first = AgentSet.defaultAgent(loaded)
    const probes = flags.probe
      ? yield* Effect.forEach(offers, probe(loaded.settings.data ?? ".holdfast"), { concurrency }).pipe(
        Effect.provide(Layer.provide(LastResort.layer, Layer.succeed(ProcessLedger.ProcessLedger, ProcessLedger.none)))
      )
      : []
    const all = offers.map((offer, index) => ({
      name: offer.name,
      kind: offer.kind,
      from: offer.from,
      command: AgentSet.where(offer),
      default: offer.name === first,
      ...(flags.probe ? { probe: probes[index] } : {})
    }))
    if (flags.json) return yield* screen.write(all.map((agent) => `${JSON.stringify(agent)}\n`).join(""))
    const paint = Ansi.palette(screen.color)
    const rows = all.map((
      agent
    ) => [agent.default ? `${agent.name} *` : agent.name, agent.kind, agent.from, agent.command.join(" ")])
    if (!flags.probe) return yield* screen.write(Table.render(["AGENT", "KIND", "FROM", "COMMAND"], rows))
    yield* screen.write(Table.render(
      ["AGENT", "KIND", "FROM", "PROBE"],
      rows.map(([name = "", kind = "", from = ""], index) => {
        const found = probes[index] ?? { ok: false }
        return [name, kind, from, `${found.ok ? paint.green("✔") : paint.red("✖")} ${told(kind, found)}`]
      })
    ))
  }).pipe(Effect.provide(Signals.layer("10 seconds")))).pipe(
    Command.withDescription(
      "List the agents: configured, built in and found on the PATH; * is the one meant when none is named"
    )
  )
