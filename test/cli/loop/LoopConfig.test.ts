import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as NodeFs from "node:fs"
import * as AgentSet from "../../../src/cli/AgentSet.js"
import * as Config from "../../../src/cli/Config.js"
import { Program } from "../../../src/cli/Program.js"
import { temporary } from "../../program.js"

const offers = (file: string, env: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function*() {
    const folder = yield* temporary
    const path = `${folder}/holdfast.yaml`
    NodeFs.writeFileSync(path, file)
    NodeFs.writeFileSync(`${folder}/key`, "s3cret\n")
    return yield* AgentSet.offers(yield* Config.load(Option.some(path), {}))
  }).pipe(
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries({ PATH: "", ...env })))),
    Effect.provideService(Program, { version: "1.2.3", command: "node", args: ["main.js"] }),
    Effect.provide(NodeContext.layer)
  )

const faults = (file: string) =>
  Effect.map(Effect.flip(offers(file)), ({ lines }) => lines.map((line) => line.replace(/(?<![:/])\/\S*\//g, "")))

describe("an agent of the kind loop, in a configuration", () => {
  it.scoped("has its models, servers, hooks and sub-agents, with every secret read and none that shows", () =>
    Effect.gen(function*() {
      const [offer] = yield* offers(
        `
agents:
  coder:
    kind: loop
    model:
      provider: openai
      model: big
      baseUrl: http://127.0.0.1:11434/v1
      apiKey: { fromEnv: KEY }
      price: { input: 1.25, output: 10 }
      fallbacks: [{ provider: anthropic, model: other, apiKey: { fromFile: key } }]
    tools:
      - mcp: { name: files, command: files-server, env: { TOKEN: { fromEnv: KEY } } }
      - mcp: { name: search, url: "https://mcp.example/mcp", headers: { authorization: { fromFile: key } }, callTimeout: 5 }
    hooks: { PreToolUse: [{ command: ./guard, tools: "files__*", within: 2 }], Stop: [{ command: ./done }] }
    permissions: { allow: [files__read], deny: [{ tool: "*", args: { path: "/etc/*" } }], otherwise: deny }
    limits: { idle: 2.5, iterations: 3 }
    agents: [{ name: helper, agents: [{ name: clerk, model: { provider: demo, model: demo } }] }]
`,
        { KEY: "hush" }
      )
      expect(JSON.stringify(offer)).not.toMatch(/hush|s3cret/)
      if (offer?.kind !== "loop") return expect.fail("no agent of the loop")
      const { agents: [helper], hooks, limits, models, permissions, servers } = offer.options
      expect(models).toMatchObject([{ provider: "openai", price: { input: 1.25 } }, { provider: "anthropic" }])
      expect(models.map(({ apiKey }) => apiKey && Redacted.value(apiKey))).toEqual(["hush", "s3cret"])
      expect(servers).toMatchObject([{ name: "files", command: "files-server" }, { name: "search", callTimeout: 5 }])
      expect(hooks.map(([point, { command }]) => [point, command])).toEqual([["PreToolUse", "./guard"], [
        "Stop",
        "./done"
      ]])
      expect(permissions?.otherwise).toBe("deny")
      expect(limits).toEqual({ idle: expect.anything(), iterations: 3 })
      expect(helper?.models).toBe(models)
      expect(helper?.agents[0]?.models).toMatchObject([{ provider: "demo" }])
    }))

  it.scoped("every key that is not known is named, and every value that makes no sense, with its place", () =>
    Effect.gen(function*() {
      const found = yield* faults(`
agents:
  a: { kind: loop, model: { provider: openai, model: m, temprature: 1 } }
  b: { kind: loop, model: { provider: gemini, model: m }, hooks: { PreTool: [] } }
  c: { kind: loop, model: { provider: demo, model: m, baseUrl: here }, limits: { iterations: 0 }, agents: [{ nme: x }] }
  d: { kind: loop }
  e: { kind: loop, model: { provider: demo, model: m }, permissions: { otherwise: maybe } }
`)
      expect(found).toEqual([
        expect.stringMatching(/^holdfast\.yaml: agents\.a\.model\.temprature: is unexpected/),
        expect.stringMatching(/^holdfast\.yaml: agents\.b\.hooks\.PreTool: is unexpected/),
        "holdfast.yaml: agents.b.model.provider: must be one of openai, anthropic, demo, not \"gemini\"",
        "holdfast.yaml: agents.c.limits.iterations: must be a whole number from 1, not 0",
        "holdfast.yaml: agents.c.model.baseUrl: must be an address like http://127.0.0.1:11434/v1, not \"here\"",
        expect.stringMatching(/^holdfast\.yaml: agents\.c\.agents\.0\.nme: is unexpected/),
        "holdfast.yaml: agents.c.agents.0.name: is missing",
        "holdfast.yaml: agents.d.model: is missing",
        "holdfast.yaml: agents.e.permissions.otherwise: must be one of allow, ask, deny, not \"maybe\""
      ])
    }))

  it.scoped("a form of OpenAI's API is asked of no other provider", () =>
    Effect.gen(function*() {
      const model = (provider: string, api: string) =>
        `{ kind: loop, model: { provider: ${provider}, model: m, api: ${api} } }`
      expect(yield* faults(`agents: { a: ${model("openai", "completions")} }`)).toEqual([
        "holdfast.yaml: agents.a.model.api: must be one of chat, responses, not \"completions\""
      ])
      expect(yield* faults(`agents: { a: ${model("openai", "chat")}, b: ${model("anthropic", "chat")} }`)).toEqual([
        "agents.b.model.api: is a form of OpenAI's API, anthropic has its own"
      ])
    }))

  it.scoped("a secret that is not there is named with its place in the agent", () =>
    Effect.gen(function*() {
      const model = "{ provider: demo, model: m, apiKey: { fromEnv: A } }"
      expect(
        yield* faults(
          `agents: { a: { kind: loop, model: ${model} }, b: { kind: loop, model: { provider: demo, model: m }, \
agents: [{ name: c, tools: [{ mcp: { name: s, command: s, env: { K: { fromEnv: B } } } }] }] } }`
        )
      ).toEqual([
        "agents.a.model.apiKey: the variable A is not set",
        "agents.b.agents.c.tools.s.env.K: the variable B is not set"
      ])
    }))
})
