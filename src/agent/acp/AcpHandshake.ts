/**
 * From a running process to an open session: `initialize`, the login if one is wanted, and `session/load`, `resume` or `new`.
 *
 * @see https://agentclientprotocol.com/protocol/initialization
 * @since 0.1.0
 */
import * as acp from "@agentclientprotocol/sdk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import {
  AgentAuthRequired,
  type AgentError,
  AgentProtocolError,
  type AgentRequestFailed,
  AgentUnsupported
} from "../../domain/Errors.js"
import { reveal } from "../OptionFields.js"
import type { AcpAgentOptions, McpServer } from "./AcpOptions.js"
import type { AcpRpc } from "./AcpRpc.js"

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optional(Schema.NullOr(schema))
const flag = optional(Schema.Boolean)
/** A capability that is offered by being there at all. */
const offered = optional(Schema.Unknown)

const Capabilities = Schema.Struct({
  loadSession: flag,
  promptCapabilities: optional(Schema.Struct({ image: flag, audio: flag, embeddedContext: flag })),
  mcpCapabilities: optional(Schema.Struct({ http: flag, sse: flag })),
  sessionCapabilities: optional(Schema.Struct({ list: offered, delete: offered, resume: offered, close: offered })),
  auth: optional(Schema.Struct({ logout: offered }))
})
/** What the agent can do. @since 0.1.0 */
export type Capabilities = typeof Capabilities.Type

const Initialized = Schema.Struct({
  protocolVersion: Schema.Number,
  agentCapabilities: optional(Capabilities),
  authMethods: optional(Schema.Array(Schema.Struct({ id: Schema.String, name: Schema.String }))),
  agentInfo: optional(Schema.Struct({ name: Schema.String, version: optional(Schema.String) }))
})

const beginning = { modes: offered, configOptions: offered }
const Begun = Schema.NullOr(Schema.Struct(beginning))
const Opened = Schema.Struct({ sessionId: Schema.String, ...beginning })

/** The response to `method`, decoded. @since 0.1.0 */
export const decoder = <A, I>(method: string, schema: Schema.Schema<A, I>) => {
  const decode = Schema.decodeUnknownEither(schema)
  return (result: unknown): Either.Either<A, AgentProtocolError> =>
    Either.mapLeft(decode(result), (error) =>
      new AgentProtocolError({
        detail: JSON.stringify(result ?? null).slice(0, 200),
        message: `the agent's response to ${method} is malformed: ${error.message}`
      }))
}

/** @since 0.1.0 */
export interface Peer {
  readonly capabilities: Capabilities
  readonly authMethods: ReadonlyArray<{ readonly id: string; readonly name: string }>
  readonly name: string | undefined
  readonly version: string | undefined
}

const method = acp.methods.agent

/** Says what we can do, truly, and learns what the agent can. @since 0.1.0 */
export const initialize = (rpc: AcpRpc, options: AcpAgentOptions): Effect.Effect<Peer, AgentError> => {
  const clientCapabilities: acp.ClientCapabilities = {
    fs: { readTextFile: options.fs !== false, writeTextFile: options.fs !== false },
    terminal: options.terminal !== false,
    elicitation: { form: {}, url: {} },
    session: { configOptions: { boolean: {} }, notices: {}, compaction: {} }
  }
  const params: acp.InitializeRequest = {
    protocolVersion: acp.PROTOCOL_VERSION,
    clientCapabilities,
    clientInfo: { name: "holdfast", version: "0.1.0" }
  }
  return Effect.flatMap(
    rpc.request(method.initialize, params, decoder(method.initialize, Initialized)),
    (result) =>
      result.protocolVersion === acp.PROTOCOL_VERSION
        ? Effect.succeed({
          capabilities: result.agentCapabilities ?? {},
          authMethods: result.authMethods ?? [],
          name: result.agentInfo?.name,
          version: result.agentInfo?.version ?? undefined
        })
        : new AgentUnsupported({
          capability: `protocol version ${acp.PROTOCOL_VERSION}`,
          message:
            `the agent speaks version ${result.protocolVersion} of the protocol, Holdfast speaks ${acp.PROTOCOL_VERSION}`
        })
  )
}

/** @since 0.1.0 */
export const authRequired = (peer: Peer, chosen?: string): AgentAuthRequired => {
  const offers = peer.authMethods.map(({ id, name }) => `${id} (${name})`).join(", ") || "none"
  return new AgentAuthRequired({
    methods: peer.authMethods.map(({ id, name }) => ({ id, name })),
    message: chosen === undefined
      ? `the agent wants a login: set authMethod to one that it offers, or log in with its own program; it offers: ${offers}`
      : `the agent still wants a login after "${chosen}"; it offers: ${offers}`
  })
}

/** An error response in our words. @since 0.1.0 */
export const toAgentError = (peer: Peer, error: AgentRequestFailed): AgentError =>
  error.code === -32000 ? authRequired(peer) : error

const nameValues = (values: Readonly<Record<string, string>>) =>
  Object.entries(values).map(([name, value]) => ({ name, value }))

const toMcpServer = (server: McpServer): acp.McpServer =>
  "url" in server
    ? { type: server.type, name: server.name, url: server.url, headers: nameValues(reveal(server.headers)) }
    : { name: server.name, command: server.command, args: [...server.args ?? []], env: nameValues(reveal(server.env)) }

const mcpServers = (peer: Peer, servers: ReadonlyArray<McpServer>) =>
  Effect.forEach(servers, (server) =>
    "url" in server && peer.capabilities.mcpCapabilities?.[server.type] !== true
      ? new AgentUnsupported({
        capability: `mcpCapabilities.${server.type}`,
        message: `the agent cannot use the MCP server ${server.name}: it does not speak ${server.type}`
      })
      : Effect.succeed(toMcpServer(server)))

/** What a session begins with: its modes and its options, in the agent's form. @since 0.1.0 */
export type Beginning = typeof Begun.Type

/** @since 0.1.0 */
export interface Open {
  readonly how: "opened" | "loaded" | "resumed"
  readonly agentSessionId: string
}

/**
 * Opens the session. `begin` is called where the response stands among the updates; `expect` before the agent is asked for a session, with
 * the name if it has one already, because the updates that come then may come before the response.
 *
 * @since 0.1.0
 */
export const open = (rpc: AcpRpc, peer: Peer, options: AcpAgentOptions, session: {
  readonly cwd: string
  readonly resume: Option.Option<string>
  readonly expect: (sessionId: string | undefined, how: Open["how"]) => void
  readonly begin: (sessionId: string, beginning: Beginning) => void
}): Effect.Effect<Open, AgentError> =>
  Effect.gen(function*() {
    const servers = yield* mcpServers(peer, options.mcpServers ?? [])
    const common = { cwd: session.cwd, mcpServers: servers }
    const { loadSession, sessionCapabilities } = peer.capabilities

    const create = Effect.suspend(() => {
      session.expect(undefined, "opened")
      return rpc.request(method.session.new, common, (result) =>
        Either.map(decoder(method.session.new, Opened)(result), (opened): Open => {
          session.begin(opened.sessionId, opened)
          return { how: "opened", agentSessionId: opened.sessionId }
        }))
    })

    const again = (name: "session/load" | "session/resume", how: "loaded" | "resumed", agentSessionId: string) =>
      Effect.suspend(() => {
        session.expect(agentSessionId, how)
        return rpc.request(name, { sessionId: agentSessionId, ...common }, (result) =>
          Either.map(decoder(name, Begun)(result ?? null), (begun): Open => {
            session.begin(agentSessionId, begun)
            return { how, agentSessionId }
          }))
      }).pipe(
        // -32002: the agent has forgotten it; our log has not
        Effect.catchIf((error) =>
          error._tag === "AgentRequestFailed" && error.code === -32002, () =>
          create)
      )

    const start = Option.match(session.resume, {
      onNone: () =>
        create,
      onSome: (agentSessionId) =>
        loadSession === true
          ? again(method.session.load, "loaded", agentSessionId)
          : sessionCapabilities?.resume != null
          ? again(method.session.resume, "resumed", agentSessionId)
          : create
    })

    const wantsLogin = (error: AgentError): error is AgentRequestFailed =>
      error._tag === "AgentRequestFailed" && error.code === -32000
    const { authMethod } = options
    return yield* Effect.catchIf(start, wantsLogin, () =>
      authMethod === undefined
        ? authRequired(peer)
        : rpc.request(method.authenticate, { methodId: authMethod }, Either.right).pipe(
          Effect.zipRight(start),
          Effect.catchIf(wantsLogin, () =>
            authRequired(peer, authMethod))
        ))
  })
