import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import { assert, describe, expect, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as AgentSet from "../../src/cli/AgentSet.js"
import type { CliError } from "../../src/cli/CliError.js"
import * as Config from "../../src/cli/Config.js"
import { Program } from "../../src/cli/Program.js"

interface Given {
  readonly name?: string
  readonly file?: string
  readonly env?: Readonly<Record<string, string>>
  readonly flags?: Parameters<typeof Config.load>[1]
}

const program = Program.of({ version: "1.2.3", command: "/usr/bin/node", args: ["main.js"] })

/** Loads a configuration from a folder of its own and goes on with it. */
const using = <A, E, R>(
  { env = {}, file = "", flags = {}, name = "holdfast.yaml" }: Given,
  use: (loaded: Config.Loaded) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const folder = yield* Effect.orDie(fs.makeTempDirectoryScoped())
    yield* Effect.orDie(fs.writeFileString(path.join(folder, name), file))
    yield* Effect.orDie(fs.writeFileString(path.join(folder, "key"), "s3cret\n"))
    return yield* use(yield* Config.load(Option.some(path.join(folder, name)), flags))
  }).pipe(
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries({ PATH: "", ...env })))),
    Effect.provideService(Program, program),
    Effect.scoped,
    Effect.provide(NodeContext.layer)
  )

const settings = (given: Given) => using(given, (loaded) => Effect.succeed(loaded.settings))
const agents = (given: Given) => using(given, AgentSet.offers)

const acp = (offer: AgentSet.Offer | undefined) => offer?.kind === "acp" ? offer.options : undefined

/** The lines that are printed, with the folders left out. */
const faults = <A>(effect: Effect.Effect<A, CliError>) =>
  Effect.map(
    Effect.either(effect),
    Either.match({
      onLeft: (error) => error.lines.map((line) => line.replace(/(?<![:/])\/\S*\//g, "")),
      onRight: () => ["no fault"]
    })
  )

describe("Config", () => {
  it.effect("flags are above variables, which are above the file", () =>
    Effect.gen(function*() {
      const file = "{ host: a, port: 1, limits: { sessions: 1, bodyBytes: 2 } }"
      const env = { HOLDFAST_PORT: "2", HOLDFAST_LIMITS_SESSIONS: "5", HOLDFAST_ALLOWED_HOSTS: "x.example, y.example" }
      expect(yield* settings({ file, env, flags: { port: Option.some(3), host: Option.none() } })).toEqual({
        host: "a",
        port: 3,
        limits: { sessions: 5, bodyBytes: 2 },
        questions: {},
        restarts: {},
        log: {},
        telemetry: { otlp: {} },
        metrics: {},
        allowedHosts: ["x.example", "y.example"]
      })
      expect((yield* settings({ file, env })).port).toBe(2)
      expect((yield* settings({ file })).port).toBe(1)
    }))

  it.effect("what is told of itself is set by flag, variables and file, each setting for itself", () =>
    Effect.gen(function*() {
      const file = [
        "log: { format: pretty, level: debug }",
        "telemetry: { otlp: { url: \"http://a:4318\", headers: { k: { fromEnv: K } } }, serviceName: s, sampling: 0.5 }",
        "metrics: { public: false }"
      ].join("\n")
      const env = {
        HOLDFAST_LOG_FORMAT: "logfmt",
        HOLDFAST_LOG_LEVEL: "warning",
        HOLDFAST_TELEMETRY_OTLP_URL: "https://b:4318",
        HOLDFAST_TELEMETRY_SAMPLING: "0.25",
        HOLDFAST_METRICS_PUBLIC: "true"
      }
      expect(yield* settings({ file, env, flags: { log: Option.some({ format: "json" }) } })).toMatchObject({
        log: { format: "json", level: "warning" },
        telemetry: {
          otlp: { url: "https://b:4318", headers: { k: { fromEnv: "K" } } },
          serviceName: "s",
          sampling: 0.25
        },
        metrics: { public: true }
      })
    }))

  it.effect("what cannot be told so is a fault with its name", () =>
    Effect.gen(function*() {
      const file = "{ log: { format: xml, levle: info }, telemetry: { otlp: { url: ftp://a }, sampling: 2 } }"
      expect(yield* faults(settings({ file }))).toEqual([
        "holdfast.yaml: log.levle: is unexpected, expected: \"format\" | \"level\"",
        "holdfast.yaml: log.format: must be one of json, pretty, logfmt, not \"xml\"",
        "holdfast.yaml: telemetry.otlp.url: must be an address like http://127.0.0.1:4318, not \"ftp://a\"",
        "holdfast.yaml: telemetry.sampling: must be a number from 0 to 1, not 2"
      ])
      expect(yield* faults(settings({ file: "{ agents: { ' ': { kind: acp, command: a } } }" }))).toEqual([
        "holdfast.yaml: agents: an agent must have a name"
      ])
      const env = { HOLDFAST_METRICS_PUBLIC: "yes", HOLDFAST_LOG_LEVEL: "loud" }
      expect(yield* faults(settings({ env }))).toEqual([
        "HOLDFAST_LOG_LEVEL: must be one of all, trace, debug, info, warning, error, fatal, none, not \"loud\"",
        "HOLDFAST_METRICS_PUBLIC: must be true or false, not \"yes\""
      ])
    }))

  it.effect("how questions and restarts are paced can be set by variables, too", () =>
    Effect.gen(function*() {
      const file = "questions: { deadline: 60 }\nrestarts: { max: 2 }"
      const env = {
        HOLDFAST_QUESTIONS_UNATTENDED_AFTER: "30",
        HOLDFAST_QUESTIONS_UNATTENDED_THEN: "decline",
        HOLDFAST_RESTARTS_COOL_DOWN: "5"
      }
      expect(yield* settings({ file, env })).toMatchObject({
        questions: { deadline: 60, unattendedAfter: 30, unattendedThen: "decline" },
        restarts: { max: 2, coolDown: 5 }
      })
      expect(yield* faults(settings({ env: { HOLDFAST_QUESTIONS_UNATTENDED_THEN: "maybe" } }))).toStrictEqual([
        "HOLDFAST_QUESTIONS_UNATTENDED_THEN: must be decline or cancel, not \"maybe\""
      ])
    }))

  it.effect("a path in the file is relative to the file", () =>
    Effect.gen(function*() {
      const { data, folder } = yield* using(
        { file: "data: store" },
        ({ folder, settings }) => Effect.succeed({ folder, data: settings.data })
      )
      expect(data).toBe(`${folder}/store`)
      expect((yield* settings({ flags: { data: Option.some("store") } })).data).toBe("store")
    }))

  it.effect("an empty variable is none, and an empty file is no fault", () =>
    Effect.gen(function*() {
      expect(yield* settings({ env: { HOLDFAST_PORT: "" } })).toEqual({
        limits: {},
        questions: {},
        restarts: {},
        log: {},
        telemetry: { otlp: {} },
        metrics: {}
      })
    }))

  it.effect("JSON is read as well", () =>
    Effect.gen(function*() {
      expect((yield* settings({ name: "holdfast.json", file: `{ "port": 1 }` })).port).toBe(1)
    }))

  it.effect("an unknown key is named with its file, and every fault of a file is found at once", () =>
    Effect.gen(function*() {
      const found = yield* faults(settings({ file: "prot: 1\nport: 70000\nagents: { a: { kind: acp, comand: x } }" }))
      expect(found).toHaveLength(4)
      expect(found).toEqual(expect.arrayContaining([
        expect.stringMatching(/^holdfast.yaml: prot: is unexpected, expected: "host" \| "port"/),
        "holdfast.yaml: port: must be a port from 0 to 65535, not 70000",
        expect.stringMatching(/^holdfast.yaml: agents.a.comand: is unexpected, expected: "command"/),
        "holdfast.yaml: agents.a.command: is missing"
      ]))
    }))

  it.effect("a variable and a flag that are wrong are named as they were given", () =>
    Effect.gen(function*() {
      const env = { HOLDFAST_PORT: "abc", HOLDFAST_LIMITS_QUEUED_PROMPTS: "0" }
      expect(yield* faults(settings({ env }))).toEqual([
        "HOLDFAST_PORT: must be a port from 0 to 65535, not \"abc\"",
        "HOLDFAST_LIMITS_QUEUED_PROMPTS: must be a whole number from 1, not 0"
      ])
      expect(yield* faults(settings({ flags: { url: Option.some("localhost") } }))).toEqual([
        "--url: must be an address like http://127.0.0.1:4455, not \"localhost\""
      ])
    }))

  it.effect("a file that is no YAML, or no JSON, is told with line and column", () =>
    Effect.gen(function*() {
      expect(yield* faults(settings({ file: "port: 1\nhost: a: b" }))).toEqual([
        expect.stringMatching(/^holdfast.yaml:2:7: /)
      ])
      expect(yield* faults(settings({ name: "holdfast.json", file: "{\n  \"port\": 1,\n" }))).toEqual([
        expect.stringMatching(/^holdfast.json:3:1: /)
      ])
      expect(yield* faults(settings({ file: "port: 1\nport: 2" }))).toEqual([
        expect.stringMatching(/^holdfast.yaml:2:1: .*unique/)
      ])
    }))

  it.effect("what is no list, or has no keys, is told in a line, however much could stand there", () =>
    Effect.gen(function*() {
      expect(yield* faults(settings({ file: "holdfast" }))).toEqual([
        "holdfast.yaml: must be an object, not a text"
      ])
      expect(yield* faults(settings({ file: "agents: []\nlimits: 5\nroots: /tmp\nallowedHosts: { a: 1 }" }))).toEqual([
        "holdfast.yaml: allowedHosts: must be a list, not an object",
        "holdfast.yaml: roots: must be a list, not \"/tmp\"",
        "holdfast.yaml: limits: must be an object, not 5",
        "holdfast.yaml: agents: must be an object, not a list"
      ])
    }))

  it.effect("a file that is not there is named", () =>
    Effect.gen(function*() {
      const missing = Config.load(Option.some("/nowhere/holdfast.yaml"), {}).pipe(Effect.provide(NodeContext.layer))
      expect(yield* faults(missing)).toEqual(["holdfast.yaml: cannot be read: NotFound"])
    }))

  it.effect("a kind of agent that this version cannot drive is said to be so, and nothing else about it", () =>
    Effect.gen(function*() {
      expect(
        yield* faults(settings({ file: "agents: { a: { kind: cloud, url: x }, c: { command: x } }" }))
      )
        .toEqual([
          "holdfast.yaml: agents.a.kind: must be a kind of agent (acp, agentctl, agui, loop), not \"cloud\"",
          "holdfast.yaml: agents.c.kind: is missing"
        ])
    }))

  it.effect("every option of an ACP agent can be given", () =>
    Effect.gen(function*() {
      const file = `
agents:
  a:
    kind: acp
    command: agent
    args: [--acp]
    startTimeout: 5 seconds
    terminal: false
    env: { PLAIN: x, KEY: { fromEnv: SECRET }, FILE: { fromFile: key } }
    mcpServers:
      - { name: local, command: server, env: { KEY: { fromEnv: SECRET } } }
      - { name: remote, type: http, url: "http://x.example", headers: { authorization: { fromFile: ./key } } }
`
      const [agent] = yield* agents({ file, env: { SECRET: "hush" } })
      expect(agent).toMatchObject({ name: "a", from: "configured", options: { command: "agent", terminal: false } })
      // a secret does not show by accident
      expect(JSON.stringify(agent)).not.toMatch(/hush|s3cret/)
      const value = (secret: unknown) => Redacted.isRedacted(secret) ? Redacted.value(secret) : secret
      const options = acp(agent)
      expect(value(options?.env?.["KEY"])).toBe("hush")
      expect(value(options?.env?.["FILE"])).toBe("s3cret")
      const [local, remote] = options?.mcpServers ?? []
      expect(value(local !== undefined && "env" in local && local.env?.["KEY"])).toBe("hush")
      expect(value(remote !== undefined && "headers" in remote && remote.headers?.["authorization"])).toBe("s3cret")
    }))

  it.effect("the pace of an agent is a frame, another, or none; that of the demo is none", () =>
    Effect.gen(function*() {
      const agent = (coalesce: string) => `agents: { a: { kind: acp, command: x${coalesce} } }`
      const paceOf = (file: string) => Effect.map(agents({ file }), (all) => all.map(({ coalesce }) => coalesce))
      expect(yield* paceOf(agent(""))).toEqual([{ every: Duration.millis(16) }, false])
      expect(yield* paceOf(agent(", coalesce: { every: 50 millis }"))).toEqual([{ every: Duration.millis(50) }, false])
      expect(yield* paceOf(agent(", coalesce: false"))).toEqual([false, false])
      for (const wrong of ["true", "16", "{ every: 16 }", "{ every: soon }", "{ every: 0 millis }", "{}"]) {
        expect((yield* faults(settings({ file: agent(`, coalesce: ${wrong}`) }))).join()).toMatch(
          /^holdfast.yaml: agents\.a\.coalesce(\.every)?: (must be|is missing)/
        )
      }
    }))

  it.effect("every option of an AG-UI agent can be given, and what is wrong with one is said", () =>
    Effect.gen(function*() {
      const file = `
agents:
  remote:
    kind: agui
    url: "http://127.0.0.1:8001/"
    events: "http://127.0.0.1:8001/events"
    interrupt: "http://127.0.0.1:8001/interrupt"
    headers: { X-Ambient-Session-Token: { fromEnv: SECRET } }
    token: { fromFile: key }
    forwardedProps: { model: m }
    askTools: [AskUserQuestion]
    idle: 5 minutes
    maxHistoryCharacters: 0
`
      const [agent] = yield* agents({ file, env: { SECRET: "hush" } })
      expect(agent).toMatchObject({ name: "remote", kind: "agui", options: { url: "http://127.0.0.1:8001/" } })
      expect(JSON.stringify(agent)).not.toMatch(/hush|s3cret/)
      if (agent?.kind !== "agui") return
      const value = (secret: unknown) => Redacted.isRedacted(secret) ? Redacted.value(secret) : secret
      expect(value(agent.options.headers?.["X-Ambient-Session-Token"])).toBe("hush")
      expect(value(agent.options.token)).toBe("s3cret")
      const wrong = `
agents:
  a: { kind: agui, url: x }
  b: { kind: agui, url: "http://u:p@host/" }
  c: { kind: agui, url: "http://host/", command: x }
  d: { kind: agui }
`
      expect(yield* faults(settings({ file: wrong }))).toEqual([
        "holdfast.yaml: agents.a.url: must be an absolute http or https address",
        "holdfast.yaml: agents.b.url: must not have a password in it; that goes into headers or token",
        expect.stringMatching(/^holdfast\.yaml: agents\.c\.command: is unexpected, expected: "url" \| "events" \| /),
        "holdfast.yaml: agents.d.url: is missing"
      ])
    }))

  it.effect("every option of an agent behind an agentctl host can be given, and its faults are told with their place", () =>
    Effect.gen(function*() {
      const file = `
agents:
  h:
    kind: agentctl
    url: "http://127.0.0.1:39429"
    nonce: { fromEnv: SECRET }
    command: node
    args: [agent.js]
    env: { KEY: { fromFile: key } }
    workspace: .
    startTimeout: 5 seconds
    outage: 1 minute
    turnSilence: 10 minutes
    maxMessageBytes: 1000
    tokenFile: host.token
    mcpServers:
      - { name: files, command: mcp-files, env: { KEY: { fromFile: key } } }
      - { type: http, name: search, url: "https://search.example/mcp", headers: { key: { fromEnv: SECRET } } }
`
      const [agent] = yield* agents({ file, env: { SECRET: "hush" } })
      assert(agent?.kind === "agentctl")
      expect(agent.options.tokenFile).toMatch(/^\/.*host\.token$/)
      expect(agent.options.mcpServers).toMatchObject([{ name: "files" }, { name: "search", type: "http" }])
      expect(agent.options).toMatchObject({
        url: "http://127.0.0.1:39429",
        command: "node",
        workspace: ".",
        maxMessageBytes: 1000
      })
      expect(JSON.stringify(agent)).not.toMatch(/hush|s3cret/)
      expect(agent.options.nonce === undefined ? "" : Redacted.value(agent.options.nonce)).toBe("hush")
      const wrong = "agents: { h: { kind: agentctl, url: \"ftp://x\", nonse: x, token: { fromEvn: A } } }"
      expect(yield* faults(settings({ file: wrong }))).toEqual([
        expect.stringMatching(/^holdfast.yaml: agents.h.nonse: is unexpected, expected: "url" \| "nonce"/),
        "holdfast.yaml: agents.h.url: must be an address such as \"http://127.0.0.1:39429\", not \"ftp://x\"",
        "holdfast.yaml: agents.h.token: must be a text, { fromEnv: NAME } or { fromFile: PATH }"
      ])
      expect(yield* faults(agents({ file }))).toEqual(["agents.h.nonce: the variable SECRET is not set"])
    }))

  it.effect("idle sessions rest after a time that is written as people do, or never", () =>
    Effect.gen(function*() {
      const idle = (given: Given) => Effect.map(settings(given), ({ idle }) => idle)
      expect(yield* idle({})).toBeUndefined()
      expect(yield* idle({ file: "idle: { after: 5 minutes }" })).toEqual({ after: Duration.minutes(5) })
      expect(yield* idle({ file: "idle: false" })).toBe(false)
      const file = "idle: { after: 5 minutes }"
      expect(yield* idle({ file, env: { HOLDFAST_IDLE_AFTER: "1 hour" } })).toEqual({ after: Duration.hours(1) })
      expect(yield* idle({ file, env: { HOLDFAST_IDLE: "false" } })).toBe(false)
      expect(yield* faults(settings({ file: "idle: { after: soon }" }))).toEqual([
        "holdfast.yaml: idle: must be false, or { after: \"30 minutes\" }"
      ])
      expect((yield* faults(settings({ env: { HOLDFAST_IDLE_AFTER: "-1" } }))).join()).toContain("HOLDFAST_IDLE")
    }))

  it.effect("a secret that is not where it should be is named, with all the others", () =>
    Effect.gen(function*() {
      const file = `
token: { fromEnv: TOKEN }
agents:
  a: { kind: acp, command: x, env: { A: { fromEnv: NOT_SET } } }
  b: { kind: acp, command: x, env: { B: { fromFile: nothing } } }
  c: { kind: acp, command: x, env: { C: { fromEvn: X } } }
`
      const right = file.replace(/ {2}c: .*\n/, "")
      expect(yield* faults(agents({ file }))).toEqual([
        "holdfast.yaml: agents.c.env.C: must be a text, { fromEnv: NAME } or { fromFile: PATH }"
      ])
      expect(yield* faults(agents({ file: right }))).toEqual([
        "agents.a.env.A: the variable NOT_SET is not set",
        "agents.b.env.B: the file nothing cannot be read"
      ])
      expect(yield* faults(using({ file: right }, Config.token))).toEqual(["token: the variable TOKEN is not set"])
    }))

  it.effect("the demo agent is always there, as this very program, and is the default where none is configured", () =>
    Effect.gen(function*() {
      const [demo] = yield* agents({ env: { HOLDFAST_DEMO_PACE: "0" } })
      expect(demo).toMatchObject({
        name: "demo",
        from: "built in",
        options: { command: "/usr/bin/node", args: ["main.js", "demo-agent"] }
      })
      expect(Object.keys(acp(demo)?.env ?? {})).toEqual(["HOLDFAST_DEMO_PACE"])
      const byDefault = (given: Given) => using(given, (loaded) => Effect.succeed(AgentSet.defaultAgent(loaded)))
      const file = "agents: { b: { kind: acp, command: x }, a: { kind: acp, command: x } }"
      expect(yield* byDefault({})).toBe("demo")
      expect(yield* byDefault({ file })).toBe("b")
      expect(yield* byDefault({ file, env: { HOLDFAST_AGENT: "a" } })).toBe("a")
    }))
})
