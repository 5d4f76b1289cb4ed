/**
 * An agent of the kind `loop` in a configuration: a model, and what it may use.
 *
 * ```yaml
 * coder:
 *   kind: loop
 *   model: { provider: openai, model: gpt-5, apiKey: { fromEnv: OPENAI_API_KEY } }
 *   instructions: You change as little as possible.
 *   tools: [{ mcp: { name: files, command: npx, args: [-y, "@modelcontextprotocol/server-filesystem", "."] } }]
 * ```
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Record from "effect/Record"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as CommandHook from "../../agent/loop/CommandHook.js"
import type * as Definition from "../../agent/loop/Definition.js"
import * as Hooks from "../../agent/loop/Hooks.js"
import type { Price } from "../../agent/loop/LoopModel.js"
import { LocalServer, type McpServer, RemoteServer } from "../../agent/loop/mcp/McpOptions.js"
import type { Permissions } from "../../agent/loop/Permissions.js"
import * as Secret from "../Secret.js"

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

const rule = (what: string) => ({
  message: ({ actual }: { readonly actual: unknown }) => ({
    message: `must be ${what}, not ${JSON.stringify(actual)}`,
    override: true
  })
})

const choice = <const Choices extends readonly [string, ...ReadonlyArray<string>]>(choices: Choices) =>
  Schema.Literal(...choices).annotations(rule(`one of ${choices.join(", ")}`))

const Count = Schema.Int.pipe(Schema.positive()).annotations(rule("a whole number from 1"))
const Seconds = Schema.Number.pipe(Schema.positive()).annotations(rule("a number of seconds"))
const Secrets = Schema.Record({ key: Schema.String, value: Secret.Secret })
const Texts = Schema.Array(Schema.String)

// ---------------------------------------------------------------------------------------------- model

const modelFields = {
  /** `openai` is OpenAI's API, of OpenAI or of whoever has it; `demo` needs no network and no key. */
  provider: choice(["openai", "anthropic", "demo"]),
  /** Which form of OpenAI's API: `chat` by default where `baseUrl` is not OpenAI's, else `responses`. */
  api: optional(choice(["chat", "responses"])),
  model: Schema.NonEmptyString,
  /** Where the API is, when not at the provider: `http://127.0.0.1:11434/v1`. */
  baseUrl: optional(
    Schema.String.pipe(Schema.filter((url) => URL.canParse(url) && /^https?:/.test(url))).annotations(
      rule("an address like http://127.0.0.1:11434/v1")
    )
  ),
  apiKey: optional(Secret.Secret),
  /** In tokens. */
  contextSize: optional(Count),
  maxOutputTokens: optional(Count),
  /** Per million tokens. */
  price: optional(Schema.Struct({
    input: Schema.Number,
    output: Schema.Number,
    cachedInput: optional(Schema.Number),
    currency: optional(Schema.String)
  }))
}

const Model = Schema.Struct({
  ...modelFields,
  /** Asked in their order when the ones before them fail. */
  fallbacks: optional(Schema.Array(Schema.Struct(modelFields)))
})

// ---------------------------------------------------------------------------------------------- the agent

const Mcp = Schema.Union(
  Schema.Struct({ ...RemoteServer.fields, headers: optional(Secrets) }),
  Schema.Struct({ ...LocalServer.fields, env: optional(Secrets) })
)

const Hook = Schema.Struct({
  command: Schema.NonEmptyString,
  args: optional(Texts),
  env: optional(Secrets),
  /** The tools that it is for, a glob. */
  tools: optional(Schema.String),
  /** How long it may take, in seconds. */
  within: optional(Seconds)
})

const Rules = Schema.Array(Schema.Union(
  Schema.NonEmptyString,
  Schema.Struct({
    tool: Schema.NonEmptyString,
    args: optional(Schema.Record({ key: Schema.String, value: Schema.String }))
  })
))

const fields = {
  description: optional(Schema.String),
  instructions: optional(Schema.String),
  tools: optional(Schema.Array(Schema.Struct({ mcp: Mcp }))),
  hooks: optional(Schema.partialWith(
    Schema.Struct(Record.fromIterableWith(Hooks.points, (point) => [point, Schema.Array(Hook)])),
    { exact: true }
  )),
  permissions: optional(Schema.Struct({
    allow: optional(Rules),
    ask: optional(Rules),
    deny: optional(Rules),
    otherwise: optional(choice(["allow", "ask", "deny"]))
  })),
  delegation: optional(Schema.Array(choice(["transfer", "background", "handoff"]))),
  limits: optional(Schema.Struct({
    iterations: optional(Count),
    concurrency: optional(Count),
    repeats: optional(Count),
    resultSize: optional(Count),
    compactAt: optional(Schema.Number.pipe(Schema.positive())),
    attempts: optional(Count),
    idle: optional(Seconds),
    patience: optional(Seconds),
    coolDown: optional(Seconds),
    depth: optional(Count),
    background: optional(Count)
  })),
  titles: optional(choice(["prompt", "model", "off"]))
}

/** A sub-agent: without a model of its own it has its parent's. @since 0.1.0 */
export interface SubAgent extends Schema.Struct.Type<typeof fields> {
  readonly name: string
  readonly model?: typeof Model.Type
  readonly agents?: ReadonlyArray<SubAgent>
}

/** @since 0.1.0 */
export interface SubAgentEncoded extends Schema.Struct.Encoded<typeof fields> {
  readonly name: string
  readonly model?: typeof Model.Encoded
  readonly agents?: ReadonlyArray<SubAgentEncoded>
}

const SubAgent: Schema.Schema<SubAgent, SubAgentEncoded> = Schema.Struct({
  ...fields,
  name: Schema.NonEmptyString,
  model: optional(Model),
  agents: optional(Schema.Array(Schema.suspend((): Schema.Schema<SubAgent, SubAgentEncoded> => SubAgent)))
})

/** @since 0.1.0 */
export const LoopConfig = Schema.Struct({
  ...fields,
  kind: Schema.Literal("loop"),
  model: Model,
  agents: optional(Schema.Array(SubAgent))
})
/** @since 0.1.0 */
export type LoopConfig = typeof LoopConfig.Type

// ---------------------------------------------------------------------------------------------- resolved

/** @since 0.1.0 */
export interface PreparedModel extends Omit<Schema.Struct.Type<typeof modelFields>, "apiKey" | "price"> {
  readonly apiKey: Redacted.Redacted | undefined
  readonly price?: Price
}

/** The agent with every secret read. @since 0.1.0 */
export interface Prepared {
  readonly name: string
  readonly description: string | undefined
  readonly instructions: string | undefined
  readonly models: readonly [PreparedModel, ...ReadonlyArray<PreparedModel>]
  readonly servers: ReadonlyArray<McpServer>
  readonly hooks: ReadonlyArray<readonly [point: Hooks.HookPoint, options: CommandHook.Options]>
  readonly permissions: Permissions | undefined
  readonly delegation: ReadonlyArray<Definition.Delegation> | undefined
  readonly limits: Partial<Definition.Limits> | undefined
  readonly titles: Definition.Definition["titles"]
  readonly agents: ReadonlyArray<Prepared>
}

type Resolved<A> = Effect.Effect<A, string, FileSystem.FileSystem | Path.Path>

const toLimits = (
  { coolDown, idle, patience, ...counts }: NonNullable<Schema.Struct.Type<typeof fields>["limits"]>
): Partial<Definition.Limits> => ({
  ...counts,
  ...coolDown === undefined ? {} : { coolDown: Duration.seconds(coolDown) },
  ...idle === undefined ? {} : { idle: Duration.seconds(idle) },
  ...patience === undefined ? {} : { patience: Duration.seconds(patience) }
})

/** Paths of secrets are relative to `folder`. It fails with what is wrong, and where below the agent. @since 0.1.0 */
export const resolve = (name: string, config: LoopConfig, folder: string): Resolved<Prepared> => {
  const secret = (where: string, secret: Secret.Secret) =>
    Effect.mapError(Secret.reveal(secret, folder), (fault) => `${where}: ${fault}`)
  const secrets = (where: string, secrets: typeof Secrets.Type = {}) =>
    Effect.all(Record.map(secrets, (value, name) => secret(`${where}.${name}`, value)))

  const toModel = (
    where: string,
    { apiKey, ...model }: Schema.Struct.Type<typeof modelFields>
  ): Resolved<PreparedModel> =>
    model.provider === "anthropic" && model.api !== undefined
      ? Effect.fail(`${where}.api: is a form of OpenAI's API, ${model.provider} has its own`)
      : apiKey === undefined
      ? Effect.succeed({ ...model, apiKey: undefined })
      : Effect.map(secret(`${where}.apiKey`, apiKey), (apiKey) => ({ ...model, apiKey }))

  const toModels = (where: string, { fallbacks = [], ...first }: typeof Model.Type): Resolved<Prepared["models"]> =>
    Effect.gen(function*() {
      const others = yield* Effect.forEach(fallbacks, (model, index) => toModel(`${where}.fallbacks.${index}`, model))
      return [yield* toModel(where, first), ...others]
    })

  const toServer = (where: string, server: typeof Mcp.Type): Resolved<McpServer> =>
    "url" in server
      ? Effect.map(secrets(`${where}.headers`, server.headers), (headers) => ({ ...server, headers }))
      : Effect.map(secrets(`${where}.env`, server.env), (env) => ({ ...server, env }))

  const toAgent = (
    where: string,
    name: string,
    config: Omit<SubAgent, "name">,
    inherited: Prepared["models"] | undefined
  ): Resolved<Prepared> =>
    Effect.gen(function*() {
      const models = config.model === undefined ? inherited : yield* toModels(`${where}model`, config.model)
      if (models === undefined) return yield* Effect.fail(`${where}model: is missing`)
      return {
        name,
        description: config.description,
        instructions: config.instructions,
        models,
        servers: yield* Effect.forEach(config.tools ?? [], ({ mcp }) => toServer(`${where}tools.${mcp.name}`, mcp)),
        hooks: yield* Effect.forEach(
          Hooks.points.flatMap((point) => (config.hooks?.[point] ?? []).map((hook) => [point, hook] as const)),
          ([point, { env, within, ...hook }]) =>
            Effect.map(secrets(`${where}hooks.${point}.env`, env), (env) =>
              [point, { ...hook, env, ...within === undefined ? {} : { within: Duration.seconds(within) } }] as const)
        ),
        permissions: config.permissions,
        delegation: config.delegation,
        limits: config.limits && toLimits(config.limits),
        titles: config.titles,
        agents: yield* Effect.forEach(config.agents ?? [], (agent) =>
          toAgent(`${where}agents.${agent.name}.`, agent.name, agent, models))
      }
    })
  return toAgent("", name, config, undefined)
}
