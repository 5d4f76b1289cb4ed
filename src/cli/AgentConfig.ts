/**
 * One agent of the configuration.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Record from "effect/Record"
import * as Schema from "effect/Schema"
import { AcpAgentOptions, McpServer } from "../agent/acp/AcpAgent.js"
import * as LoopConfig from "./loop/LoopConfig.js"
import * as Secret from "./Secret.js"

const later: ReadonlyArray<unknown> = ["agentctl", "agui"]

const Kind = Schema.Literal("acp", "loop").annotations({
  message: ({ actual }) => ({
    message: later.includes(actual)
      ? `the kind ${JSON.stringify(actual)} is not supported by this version; "acp" and "loop" are`
      : `must be a kind of agent ("acp" or "loop"), not ${JSON.stringify(actual)}`,
    override: true
  })
})

const Values = Schema.optionalWith(Schema.Record({ key: Schema.String, value: Secret.Secret }), { exact: true })
const [RemoteServer, LocalServer] = McpServer.members

const Acp = Schema.Struct({
  ...AcpAgentOptions.fields,
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

/** The kind is looked at first: of an agent of another kind all the other keys would be wrong too. @since 0.1.0 */
export const AgentConfig = Schema.Struct({ kind: Kind }, Schema.Record({ key: Schema.String, value: Schema.Unknown }))
  .pipe(
    Schema.compose(Schema.Union(Acp, LoopConfig.LoopConfig), { strict: false })
  )
/** @since 0.1.0 */
export type AgentConfig = typeof AgentConfig.Type

type McpServerConfig = NonNullable<typeof Acp.Type["mcpServers"]>[number]

/** What a driver is given. @since 0.1.0 */
export type Resolved =
  | { readonly kind: "acp"; readonly options: AcpAgentOptions }
  | { readonly kind: "loop"; readonly options: LoopConfig.Prepared }

/**
 * The options of the driver, with every secret read; the paths of secrets are relative to `folder`. It fails with what is wrong.
 *
 * @since 0.1.0
 */
export const resolve = (
  name: string,
  agent: AgentConfig,
  folder: string
): Effect.Effect<Resolved, string, FileSystem.FileSystem | Path.Path> =>
  agent.kind === "loop"
    ? Effect.map(LoopConfig.resolve(name, agent, folder), (options) => ({ kind: "loop", options }))
    : Effect.map(resolveAcp(agent, folder), (options) => ({ kind: "acp", options }))

const resolveAcp = Effect.fnUntraced(function*({ kind: _, ...agent }: typeof Acp.Type, folder: string) {
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
  return options
})
