/**
 * The agents that the program offers: the configured ones, the demo, and the well-known ones that are installed.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type { HttpClient } from "@effect/platform/HttpClient"
import type * as Path from "@effect/platform/Path"
import * as EffectConfig from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Record from "effect/Record"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as AcpAgent from "../agent/acp/AcpAgent.js"
import { type Agent, Agents, type Coalesce, makeAgents } from "../agent/Agent.js"
import * as AgentctlAgent from "../agent/agentctl/AgentctlAgent.js"
import * as AguiAgent from "../agent/agui/AguiAgent.js"
import type { EventLog } from "../log/EventLog.js"
import * as AgentConfig from "./AgentConfig.js"
import { type CliError, unusable } from "./CliError.js"
import type * as Config from "./Config.js"
import * as KnownAgents from "./KnownAgents.js"
import { Program } from "./Program.js"

/** @since 0.1.0 */
export type Offer = AgentConfig.Resolved & {
  readonly name: string
  readonly from: "configured" | "built in" | "installed"
  /** At which pace what it says is recorded. */
  readonly coalesce: Coalesce
}

/** What runs it, where it is, or what it thinks with. @since 0.1.0 */
export const where = (offer: Offer): ReadonlyArray<string> => {
  switch (offer.kind) {
    case "acp":
      return [offer.options.command, ...offer.options.args ?? []]
    case "agentctl":
      return [offer.options.url, ...offer.options.command === undefined ? [] : [offer.options.command]]
    case "agui":
      return [offer.options.url]
    case "loop":
      return [`model ${offer.options.models[0].model}`]
  }
}

/** The variables that are set, as an agent is given them. */
const variables = (names: ReadonlyArray<string>): Effect.Effect<Record<string, Redacted.Redacted>> =>
  Effect.all(Record.fromIterableWith(names, (name) => [name, Effect.option(EffectConfig.redacted(name))])).pipe(
    Effect.map(Record.getSomes)
  )

const configured = ({ agents, folder }: Config.Loaded) =>
  Effect.forEach(Object.entries(agents), ([name, agent]) =>
    AgentConfig.resolve(name, agent, folder).pipe(
      Effect.map((resolved): Offer => ({
        name,
        from: "configured",
        coalesce: agent.coalesce ?? AgentConfig.frame,
        ...resolved
      })),
      Effect.mapError((fault) => `agents.${name}.${fault}`),
      Effect.either
    )).pipe(Effect.flatMap((results) => {
      const faults = results.flatMap((result) => Either.isLeft(result) ? [result.left] : [])
      return faults.length === 0
        ? Effect.succeed(results.flatMap((result) => Either.isRight(result) ? [result.right] : []))
        : unusable(...faults)
    }))

const demo = Effect.gen(function*() {
  const program = yield* Program
  const offer: Offer = {
    name: "demo",
    from: "built in",
    kind: "acp",
    // who has it stream a number of chunks means to see that number
    coalesce: false,
    options: {
      command: program.command,
      args: [...program.args, "demo-agent"],
      env: yield* variables(["HOLDFAST_DEMO", "HOLDFAST_DEMO_PACE", "HOLDFAST_DEMO_STATE"]),
      description: "The demo: no network, no key; /help lists what it can show"
    }
  }
  return offer
})

const installed = Effect.flatMap(
  KnownAgents.installed,
  (agents) =>
    Effect.forEach(agents, ({ args, command, description, keys, name }) =>
      Effect.map(
        variables(keys),
        (env): Offer => ({
          name,
          from: "installed",
          kind: "acp",
          coalesce: AgentConfig.frame,
          options: { command, args, env, description }
        })
      ))
)

/**
 * Of several with one name the configured one is meant.
 *
 * @since 0.1.0
 */
export const offers = (
  loaded: Config.Loaded
): Effect.Effect<ReadonlyArray<Offer>, CliError, Program | FileSystem.FileSystem | Path.Path> =>
  Effect.map(Effect.all([configured(loaded), Effect.map(demo, (demo) => [demo]), installed]), (groups) => {
    const all = groups.flat()
    return all.filter((offer, index) => all.findIndex((other) => other.name === offer.name) === index)
  })

/** The agent that is meant when none is named. @since 0.1.0 */
export const defaultAgent = ({ agents, settings }: Config.Loaded): string =>
  settings.agent ?? Object.keys(agents)[0] ?? "demo"

/** Whoever configures no agent of the loop does not load it: its models' packages take half a second. @since 0.1.0 */
export const loopAgents = Effect.promise(() => import("./loop/LoopAgents.js"))

/**
 * Where the token of a host is kept, unless the configuration says otherwise: one for all agents behind it, as it takes its nonce once.
 *
 * @since 0.1.0
 */
export const tokenFile = (data: string, url: string): string =>
  `${data}/tokens/${new URL(url).origin.replaceAll(/[^\w.-]+/g, "-")}`

/** Half of what the end of everything may take: what is in flight at the gateway ends before the sessions. */
const leaveTimeout = ({ settings: { grace = 10 } }: Config.Loaded) => Duration.seconds(grace / 2)

const driver = (
  offer: Offer,
  loaded: Config.Loaded,
  data: Option.Option<string>
): Effect.Effect<Agent, CliError, Scope.Scope | EventLog | HttpClient> => {
  switch (offer.kind) {
    case "acp":
      return AcpAgent.make(offer.name, offer.options)
    case "agentctl":
      return AgentctlAgent.make(offer.name, {
        ...offer.options,
        leaveTimeout: offer.options.leaveTimeout ?? leaveTimeout(loaded),
        tokenFile: offer.options.tokenFile ??
          Option.getOrUndefined(Option.map(data, (data) => tokenFile(data, offer.options.url)))
      })
    case "agui":
      return AguiAgent.make(offer.name, offer.options)
    case "loop":
      return Effect.flatMap(loopAgents, (loop) => loop.make(offer.options))
  }
}

/** `data` is the folder in which what agents need to come back is kept, if there is one. @since 0.1.0 */
export const layer = (
  loaded: Config.Loaded,
  data: Option.Option<string> = Option.none()
): Layer.Layer<Agents, CliError, Program | FileSystem.FileSystem | Path.Path | EventLog | HttpClient> =>
  Layer.scoped(
    Agents,
    Effect.flatMap(offers(loaded), (all) =>
      Effect.map(
        Effect.forEach(
          all,
          (offer) => Effect.map(driver(offer, loaded, data), (agent) => ({ ...agent, coalesce: offer.coalesce }))
        ),
        makeAgents
      ))
  )
