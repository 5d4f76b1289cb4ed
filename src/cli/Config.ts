/**
 * What the program is configured with: the file `holdfast.json` or `holdfast.yaml`, overridden by variables `HOLDFAST_…`, overridden by
 * flags.
 *
 * ```yaml
 * port: 4455
 * token: { fromEnv: GATEWAY_TOKEN }
 * limits: { sessions: 100 }
 * agents:
 *   claude: { kind: acp, command: claude-agent-acp, env: { ANTHROPIC_API_KEY: { fromEnv: ANTHROPIC_API_KEY } } }
 * ```
 *
 * Each fault is one line with its source and path, and those of one source are found at once. A variable's name is the path in
 * capitals, as `HOLDFAST_ALLOWED_HOSTS` and `HOLDFAST_LIMITS_SESSIONS`; its lists are separated by commas.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Arr from "effect/Array"
import * as EffectConfig from "effect/Config"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import { getSomes } from "effect/Record"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Yaml from "yaml"
import { Lasting } from "../domain/Lasting.js"
import * as AgentConfig from "./AgentConfig.js"
import { type CliError, unusable } from "./CliError.js"
import * as Faults from "./Faults.js"
import * as Logging from "./Logging.js"
import * as Secret from "./Secret.js"

const rule = (what: string) => ({
  message: ({ actual }: ParseResult.ParseIssue) => ({
    message: `must be ${what}, not ${JSON.stringify(actual)}`,
    override: true
  })
})

const Port = Schema.Int.pipe(Schema.between(0, 65535)).annotations(rule("a port from 0 to 65535"))
const Positive = Schema.Int.pipe(Schema.positive()).annotations(rule("a whole number from 1"))
const address = (example: string) =>
  Schema.String.pipe(
    Schema.filter((url) => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol))
  ).annotations(rule(`an address like ${example}`))

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

const Limits = Schema.Struct({
  sessions: optional(Positive),
  queuedPrompts: optional(Positive),
  promptLength: optional(Positive),
  pendingQuestions: optional(Positive),
  bodyBytes: optional(Positive),
  eventStreams: optional(Positive),
  connections: optional(Positive),
  /** Tickets that wait to be used. */
  tickets: optional(Positive),
  /** How long the head of a request may take to come, and all of it, in seconds. */
  headersTimeout: optional(Positive),
  requestTimeout: optional(Positive)
})

/** All times in seconds. */
const Questions = Schema.Struct({
  /** After this time a question expires. */
  deadline: optional(Positive),
  /** A question that nobody is there to see is decided after this time, and how; left out: it waits. */
  unattendedAfter: optional(Positive),
  unattendedThen: optional(Schema.Literal("decline", "cancel").annotations(rule("decline or cancel")))
})

const Restarts = Schema.Struct({
  /** How long after a restart a report that the agent looks dead starts no other. */
  settle: optional(Positive),
  /** More than `max` failed restarts within `within` stop those that nobody asked for, for `coolDown`. */
  max: optional(Positive),
  within: optional(Positive),
  coolDown: optional(Positive)
})

/** Sessions that are idle for this long give up their agents; `false`: never. */
const Idle = Schema.Union(Schema.Struct({ after: Lasting }), Schema.Literal(false)).annotations({
  message: () => ({ message: "must be false, or { after: \"30 minutes\" }", override: true })
})

const choice = <const Choices extends readonly [string, ...ReadonlyArray<string>]>(choices: Choices) =>
  Schema.Literal(...choices).annotations(rule(`one of ${choices.join(", ")}`))

const Log = Schema.Struct({
  format: optional(choice(Logging.formats)),
  level: optional(choice(Logging.levels))
})

const Telemetry = Schema.Struct({
  /** Where traces are sent; left out: nowhere. */
  otlp: optional(Schema.Struct({
    url: optional(address("http://127.0.0.1:4318")),
    headers: optional(Schema.Record({ key: Schema.String, value: Secret.Secret }))
  })),
  serviceName: optional(Schema.NonEmptyString),
  /** The share of traces that is sent. */
  sampling: optional(Schema.Number.pipe(Schema.between(0, 1)).annotations(rule("a number from 0 to 1")))
})

/** @since 0.1.0 */
export const Settings = Schema.Struct({
  /** Where the gateway listens. */
  host: optional(Schema.NonEmptyString),
  port: optional(Port),
  token: optional(Secret.Secret),
  allowedHosts: optional(Schema.Array(Schema.NonEmptyString)),
  allowedOrigins: optional(Schema.Array(Schema.NonEmptyString)),
  /** The folders in which sessions may work, with all that is in them; any when it is left out. */
  roots: optional(Schema.NonEmptyArray(Schema.NonEmptyString)),
  /** The folder of the database. */
  data: optional(Schema.NonEmptyString),
  /** How long the end of everything may take when the gateway is told to stop, in seconds. */
  grace: optional(Positive),
  limits: optional(Limits),
  /** How many events of a session are kept, at least; all of them when it is left out. */
  retention: optional(Schema.Struct({ maxEvents: Positive })),
  questions: optional(Questions),
  restarts: optional(Restarts),
  idle: optional(Idle),
  log: optional(Log),
  telemetry: optional(Telemetry),
  /** Whether `/metrics` is open to who has no token. */
  metrics: optional(Schema.Struct({ public: optional(Schema.Boolean.annotations(rule("true or false"))) })),
  /** Where the commands that need a running gateway find it. */
  url: optional(address("http://127.0.0.1:4455")),
  /** The agent that is meant when none is named. */
  agent: optional(Schema.NonEmptyString)
})
/** @since 0.1.0 */
export type Settings = typeof Settings.Type

const File = Schema.Struct({
  ...Settings.fields,
  agents: optional(
    Schema.Record({ key: Schema.String, value: AgentConfig.AgentConfig }).pipe(
      Schema.filter((agents) => Object.keys(agents).every((name) => name.trim() !== "") || "an agent must have a name")
    )
  )
})

// ----------------------------------------------------------------------------------------------- decoding

const strict = { errors: "all", onExcessProperty: "error" } as const

const decode = <A, I>(
  schema: Schema.Schema<A, I>,
  input: unknown,
  where: (path: ReadonlyArray<PropertyKey>) => string
) =>
  Either.mapLeft(
    Schema.decodeUnknownEither(schema, strict)(input),
    ({ issue }) => unusable(...Faults.ofIssue(issue).map(({ message, path }) => `${where(path)}: ${message}`))
  )

const list = (text: string) => text.split(",").map((item) => item.trim())
// what is no number is left as it is, for the schema to complain about
const number = (text: string) => /^\d+(\.\d+)?$/.test(text) ? Number(text) : text
const boolean = (text: string) => text === "true" || (text === "false" ? false : text)
const same = (text: string) => text

const readers: ReadonlyArray<readonly [path: ReadonlyArray<string>, read: (text: string) => unknown]> = [
  [["host"], same],
  [["port"], number],
  [["token"], same],
  [["allowedHosts"], list],
  [["allowedOrigins"], list],
  [["roots"], list],
  [["data"], same],
  [["grace"], number],
  ...Object.keys(Limits.fields).map((limit) => [["limits", limit], number] as const),
  [["retention", "maxEvents"], number],
  [["questions", "deadline"], number],
  [["questions", "unattendedAfter"], number],
  [["questions", "unattendedThen"], same],
  ...Object.keys(Restarts.fields).map((key) => [["restarts", key], number] as const),
  [["idle"], boolean],
  [["idle", "after"], same],
  ...Object.keys(Log.fields).map((key) => [["log", key], same] as const),
  [["telemetry", "otlp", "url"], same],
  [["telemetry", "serviceName"], same],
  [["telemetry", "sampling"], number],
  [["metrics", "public"], boolean],
  [["url"], same],
  [["agent"], same]
]

const variable = (path: ReadonlyArray<PropertyKey>): string =>
  ["HOLDFAST", ...path.filter((part) => typeof part === "string")].join("_")
    .replace(/[a-z](?=[A-Z])/g, "$&_").toUpperCase()

interface Tree {
  [key: string]: unknown
}

const put = (into: Tree, [key = "", ...inner]: ReadonlyArray<string>, value: unknown): void => {
  if (inner.length === 0) {
    into[key] = value
    return
  }
  const below: Tree = Predicate.isRecord(into[key]) ? into[key] : {}
  into[key] = below
  put(below, inner, value)
}

const environment: Effect.Effect<Settings, CliError> = Effect.gen(function*() {
  const given: Tree = {}
  for (const [path, read] of readers) {
    const value = yield* Effect.option(EffectConfig.nonEmptyString(variable(path)))
    if (Option.isSome(value)) put(given, path, read(value.value))
  }
  return yield* decode(Settings, given, variable)
})

// -------------------------------------------------------------------------------------------------- files

/** YAML is a superset of JSON, so one parser reads both, and tells both where it stumbled. */
const parse = (file: string, text: string): Either.Either<unknown, CliError> => {
  const lines = new Yaml.LineCounter()
  const document = Yaml.parseDocument(text, { lineCounter: lines, prettyErrors: false })
  return document.errors.length === 0
    ? Either.right(document.toJS() ?? {})
    : Either.left(unusable(...document.errors.map((error) => {
      const { col, line } = lines.linePos(error.pos[0])
      return `${file}:${line}:${col}: ${error.message}`
    })))
}

const names = ["holdfast.json", "holdfast.yaml", "holdfast.yml"]

const find = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const here = yield* Effect.filter(names, (name) => Effect.orElseSucceed(fs.exists(name), () => false))
  if (here.length > 1) return yield* unusable(`${here.join(" and ")} are both here; keep one, or name it with --config`)
  return Option.fromNullable(here[0])
})

const readFile = Effect.fnUntraced(function*(named: Option.Option<string>) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const variable = yield* Effect.option(EffectConfig.nonEmptyString("HOLDFAST_CONFIG"))
  const chosen = Option.orElse(named, () => variable)
  const file = Option.isSome(chosen) ? chosen : yield* find
  if (Option.isNone(file)) return { folder: path.resolve("."), content: {} }
  const text = yield* Effect.mapError(
    fs.readFileString(file.value),
    (error) => unusable(`${file.value}: cannot be read: ${error._tag === "SystemError" ? error.reason : error.message}`)
  )
  const content = yield* Either.flatMap(
    parse(file.value, text),
    (raw) =>
      decode(File, raw, (path) => [file.value, ...(path.length === 0 ? [] : [path.map(String).join(".")])].join(": "))
  )
  return { folder: path.resolve(path.dirname(file.value)), content }
})

// ----------------------------------------------------------------------------------------------- loading

/** @since 0.1.0 */
export interface Loaded {
  readonly settings: Settings
  /** Of the file, or the current one: what relative paths of the file are relative to. */
  readonly folder: string
  readonly agents: Readonly<Record<string, AgentConfig.AgentConfig>>
}

/**
 * The configuration, with what is set in `flags` above everything else.
 *
 * @since 0.1.0
 */
export const load = (
  file: Option.Option<string>,
  flags: Readonly<Partial<Record<keyof Settings, Option.Option<unknown>>>>
): Effect.Effect<Loaded, CliError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function*() {
    const path = yield* Path.Path
    const { content: { agents = {}, ...settings }, folder }: { content: typeof File.Type; folder: string } =
      yield* readFile(file)
    const fromEnvironment = yield* environment
    const fromFlags = yield* decode(Settings, getSomes<string, unknown>({ ...flags }), (path) => `--${path.join(".")}`)
    const data = settings.data === undefined ? {} : { data: path.resolve(folder, settings.data) }
    const roots = settings.roots === undefined
      ? {}
      : { roots: Arr.map(settings.roots, (root) => path.resolve(folder, root)) }
    return {
      folder,
      agents,
      settings: {
        ...settings,
        ...data,
        ...roots,
        ...fromEnvironment,
        ...fromFlags,
        limits: { ...settings.limits, ...fromEnvironment.limits },
        questions: { ...settings.questions, ...fromEnvironment.questions },
        restarts: { ...settings.restarts, ...fromEnvironment.restarts },
        log: { ...settings.log, ...fromEnvironment.log, ...fromFlags.log },
        telemetry: {
          ...settings.telemetry,
          ...fromEnvironment.telemetry,
          otlp: { ...settings.telemetry?.otlp, ...fromEnvironment.telemetry?.otlp }
        },
        metrics: { ...settings.metrics, ...fromEnvironment.metrics }
      }
    }
  })

/** @since 0.1.0 */
export const token = (
  { folder, settings }: Loaded
): Effect.Effect<Option.Option<Redacted.Redacted>, CliError, FileSystem.FileSystem | Path.Path> =>
  settings.token === undefined
    ? Effect.succeedNone
    : Effect.asSome(Effect.mapError(Secret.reveal(settings.token, folder), (fault) => unusable(`token: ${fault}`)))
