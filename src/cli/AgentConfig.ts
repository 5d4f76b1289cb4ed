/**
 * One agent of the configuration.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Record from "effect/Record"
import * as Schema from "effect/Schema"
import { AcpAgentOptions, McpServer } from "../agent/acp/AcpAgent.js"
import type { AgentctlOptions } from "../agent/agentctl/AgentctlAgent.js"
import * as Agentctl from "./agents/Agentctl.js"
import * as Secret from "./Secret.js"

const later: ReadonlyArray<unknown> = ["agui", "loop"]
const kinds = ["acp", "agentctl"] as const
const named = kinds.map((kind) => `"${kind}"`).join(", ")

const Kind = Schema.Literal(...kinds).annotations({
  message: ({ actual }) => ({
    message: later.includes(actual)
      ? `the kind ${JSON.stringify(actual)} is not supported by this version; there are ${named}`
      : `must be a kind of agent (${named}), not ${JSON.stringify(actual)}`,
    override: true
  })
})

const Values = Schema.optionalWith(Schema.Record({ key: Schema.String, value: Secret.Secret }), { exact: true })
const [RemoteServer, LocalServer] = McpServer.members

/** What an agent of every kind can have. */
const shared = {
  coalesce: Schema.optionalWith(
    Schema.Union(Schema.Struct({ every: Lasting }), Schema.Literal(false)).annotations({
      message: () => ({ message: "must be false, or { every: \"16 millis\" }", override: true })
    }),
    { exact: true }
  )
}

const Acp = Schema.Struct({
  ...AcpAgentOptions.fields,
  ...shared,
  kind: Schema.Literal("acp"),
  env: Values,
  mcpServers: Schema.optionalWith(
    Schema.Array(Schema.Union(
      Schema.Struct({ ...RemoteServer.fields, headers: Values }),
      Schema.Struct({ ...LocalServer.fields, env: Values })
    )),
    { exact: true }
  )
})

const Agui = Schema.Struct({
  ...AguiAgentOptions.fields,
  kind: Schema.Literal("agui"),
  headers: Values,
  token: Schema.optionalWith(Secret.Secret, { exact: true })
})

/** The kind is looked at first: of an agent of another kind all the other keys would be wrong too. @since 0.1.0 */
export const AgentConfig = Schema.Struct({ kind: Kind }, Schema.Record({ key: Schema.String, value: Schema.Unknown }))
  .pipe(
    Schema.compose(Schema.Union(Acp, Agentctl.Agentctl), { strict: false })
  )
/** @since 0.1.0 */
export type AgentConfig = typeof AgentConfig.Type

/** A frame of a screen: what a person sees of a text that is being told. @since 0.1.0 */
export const frame: Coalesce = { every: Duration.millis(16) }

type McpServerConfig = NonNullable<typeof Acp.Type["mcpServers"]>[number]

/** What a driver is made with. @since 0.1.0 */
export type Resolved =
  | { readonly kind: "acp"; readonly options: AcpAgentOptions }
  | { readonly kind: "agentctl"; readonly options: AgentctlOptions }

/**
 * The options of the driver, with every secret read; the paths of secrets are relative to `folder`. It fails with what is wrong.
 *
 * @since 0.1.0
 */
export const resolve = (
  agent: AgentConfig,
  folder: string
): Effect.Effect<Resolved, string, FileSystem.FileSystem | Path.Path> =>
  agent.kind === "acp" ? resolveAcp(agent, folder) : Agentctl.resolve(agent, folder)

const resolveAcp = Effect.fnUntraced(function*({ kind, ...agent }: typeof Acp.Type, folder: string) {
  const values = (where: string, secrets: Readonly<Record<string, Secret.Secret>> = {}) =>
    Effect.all(
      Record.map(secrets, (secret, name) =>
        Effect.mapError(Secret.reveal(secret, folder), (fault) => `${where}.${name}: ${fault}`))
    )
  const server = (server: McpServerConfig): Effect.Effect<McpServer, string, FileSystem.FileSystem | Path.Path> =>
    "url" in server
      ? Effect.map(values(`mcpServers.${server.name}.headers`, server.headers), (headers) => ({ ...server, headers }))
      : Effect.map(values(`mcpServers.${server.name}.env`, server.env), (env) => ({ ...server, env }))
  const options: AcpAgentOptions = {
    ...agent,
    env: yield* values("env", agent.env),
    mcpServers: yield* Effect.forEach(agent.mcpServers ?? [], server)
  }
  return { kind, options }
})
