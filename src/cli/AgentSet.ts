/**
 * The agents that the program offers: the configured ones, the demo, and the well-known ones that are installed.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import * as EffectConfig from "effect/Config"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Record from "effect/Record"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as AcpAgent from "../agent/acp/AcpAgent.js"
import { type Agent, Agents, makeAgents } from "../agent/Agent.js"
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
}

/** The variables that are set, as an agent is given them. */
const variables = (names: ReadonlyArray<string>): Effect.Effect<Record<string, Redacted.Redacted>> =>
  Effect.all(Record.fromIterableWith(names, (name) => [name, Effect.option(EffectConfig.redacted(name))])).pipe(
    Effect.map(Record.getSomes)
  )

const configured = ({ agents, folder }: Config.Loaded) =>
  Effect.forEach(Object.entries(agents), ([name, agent]) =>
    AgentConfig.resolve(name, agent, folder).pipe(
      Effect.map((resolved): Offer => ({ name, from: "configured", ...resolved })),
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
        (env): Offer => ({ name, from: "installed", kind: "acp", options: { command, args, env, description } })
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

/** @since 0.1.0 */
export const layer = (
  loaded: Config.Loaded
): Layer.Layer<Agents, CliError, Program | FileSystem.FileSystem | Path.Path | EventLog> =>
  Layer.scoped(
    Agents,
    Effect.flatMap(offers(loaded), (all) => Effect.map(Effect.forEach(all, make), makeAgents))
  )

/** Whoever configures no agent of the loop does not load it: its models' packages take half a second. @since 0.1.0 */
export const loopAgents = Effect.promise(() => import("./loop/LoopAgents.js"))

const make = (offer: Offer): Effect.Effect<Agent, CliError, Scope.Scope | EventLog> =>
  offer.kind === "loop"
    ? Effect.flatMap(loopAgents, (loop) => loop.make(offer.options))
    : AcpAgent.make(offer.name, offer.options)
