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
import { AguiAgentOptions } from "../agent/agui/AguiAgent.js"
import * as Secret from "./Secret.js"

const later: ReadonlyArray<unknown> = ["agentctl", "loop"]
const kinds = ["acp", "agui"] as const
const known = kinds.map((kind) => `"${kind}"`).join(", ")

const Kind = Schema.Literal(...kinds).annotations({
  message: ({ actual }) => ({
    message: later.includes(actual)
      ? `the kind ${JSON.stringify(actual)} is not supported by this version; there are ${known}`
      : `must be a kind of agent (${known}), not ${JSON.stringify(actual)}`,
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
    Schema.compose(Schema.Union(Acp, Agui), { strict: false })
  )
/** @since 0.1.0 */
export type AgentConfig = typeof AgentConfig.Type

/** A frame of a screen: what a person sees of a text that is being told. @since 0.1.0 */
export const frame: Coalesce = { every: Duration.millis(16) }

type McpServerConfig = NonNullable<typeof Acp.Type["mcpServers"]>[number]

/** What the driver of its kind is made of. @since 0.1.0 */
export type Resolved =
  | { readonly kind: "acp"; readonly options: AcpAgentOptions }
  | { readonly kind: "agui"; readonly options: AguiAgentOptions }

const values = (folder: string) => (where: string, secrets: Readonly<Record<string, Secret.Secret>> = {}) =>
  Effect.all(
    Record.map(
      secrets,
      (secret, name) => Effect.mapError(Secret.reveal(secret, folder), (fault) => `${where}.${name}: ${fault}`)
    )
  )

const resolveAcp = Effect.fnUntraced(function*({ kind: _, ...agent }: typeof Acp.Type, folder: string) {
  const revealed = values(folder)
  const server = (server: McpServerConfig): Effect.Effect<McpServer, string, FileSystem.FileSystem | Path.Path> =>
    "url" in server
      ? Effect.map(revealed(`mcpServers.${server.name}.headers`, server.headers), (headers) => ({ ...server, headers }))
      : Effect.map(revealed(`mcpServers.${server.name}.env`, server.env), (env) => ({ ...server, env }))
  const options: AcpAgentOptions = {
    ...agent,
    env: yield* revealed("env", agent.env),
    mcpServers: yield* Effect.forEach(agent.mcpServers ?? [], server)
  }
  return options
})

const resolveAgui = Effect.fnUntraced(function*({ kind: _, token, ...agent }: typeof Agui.Type, folder: string) {
  const options: AguiAgentOptions = {
    ...agent,
    headers: yield* values(folder)("headers", agent.headers),
    ...token === undefined
      ? {}
      : { token: yield* Effect.mapError(Secret.reveal(token, folder), (fault) => `token: ${fault}`) }
  }
  return options
})

/**
 * The options of the driver, with every secret read; the paths of secrets are relative to `folder`. It fails with what is wrong.
 *
 * @since 0.1.0
 */
export const resolve = (
  agent: AgentConfig,
  folder: string
): Effect.Effect<Resolved, string, FileSystem.FileSystem | Path.Path> => {
  switch (agent.kind) {
    case "acp":
      return Effect.map(resolveAcp(agent, folder), (options) => ({ kind: "acp", options }))
    case "agui":
      return Effect.map(resolveAgui(agent, folder), (options) => ({ kind: "agui", options }))
  }
}
