/**
 * One agent of the configuration.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { AcpAgentOptions } from "../agent/acp/AcpOptions.js"
import type { Coalesce } from "../agent/Agent.js"
import type { AgentctlOptions } from "../agent/agentctl/AgentctlOptions.js"
import type { AguiAgentOptions } from "../agent/agui/AguiOptions.js"
import { Lasting } from "../domain/Lasting.js"
import * as Acp from "./agents/Acp.js"
import * as Agentctl from "./agents/Agentctl.js"
import * as Agui from "./agents/Agui.js"
import * as LoopConfig from "./loop/LoopConfig.js"

const kinds = ["acp", "agentctl", "agui", "loop"] as const

const Kind = Schema.Literal(...kinds).annotations({
  message: ({ actual }) => ({
    message: `must be a kind of agent (${kinds.join(", ")}), not ${JSON.stringify(actual)}`,
    override: true
  })
})

/** What an agent of every kind can have. */
const shared = {
  coalesce: Schema.optionalWith(
    Schema.Union(Schema.Struct({ every: Lasting }), Schema.Literal(false)).annotations({
      message: () => ({ message: "must be false, or { every: \"16 millis\" }", override: true })
    }),
    { exact: true }
  )
}

const Known = Schema.Union(
  Schema.Struct({ ...Acp.Acp.fields, ...shared }),
  Schema.Struct({ ...Agentctl.Agentctl.fields, ...shared }),
  Schema.Struct({ ...Agui.Agui.fields, ...shared }),
  Schema.Struct({ ...LoopConfig.LoopConfig.fields, ...shared })
)

/** The kind is looked at first: of an agent of another kind all the other keys would be wrong too. @since 0.1.0 */
export const AgentConfig = Schema.Struct({ kind: Kind }, Schema.Record({ key: Schema.String, value: Schema.Unknown }))
  .pipe(
    Schema.compose(Known, { strict: false })
  )
/** @since 0.1.0 */
export type AgentConfig = typeof AgentConfig.Type

/** A frame of a screen: what a person sees of a text that is being told. @since 0.1.0 */
export const frame: Coalesce = { every: Duration.millis(16) }

/** What the driver of its kind is made of. @since 0.1.0 */
export type Resolved =
  | { readonly kind: "acp"; readonly options: AcpAgentOptions }
  | { readonly kind: "agentctl"; readonly options: AgentctlOptions }
  | { readonly kind: "agui"; readonly options: AguiAgentOptions }
  | { readonly kind: "loop"; readonly options: LoopConfig.Prepared }

/**
 * The options of the driver, with every secret read; the paths of secrets are relative to `folder`. It fails with what is wrong.
 *
 * @since 0.1.0
 */
export const resolve = (
  name: string,
  { coalesce: _, ...agent }: AgentConfig,
  folder: string
): Effect.Effect<Resolved, string, FileSystem.FileSystem | Path.Path> => {
  switch (agent.kind) {
    case "acp":
      return Acp.resolve(agent, folder)
    case "agentctl":
      return Agentctl.resolve(agent, folder)
    case "agui":
      return Agui.resolve(agent, folder)
    case "loop":
      return Effect.map(LoopConfig.resolve(name, agent, folder), (options) => ({ kind: "loop", options }))
  }
}
