/** Each field of an agent's configuration with a value that it cannot have: what is said of it, in one line, and never in a schema's words. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as NodeFs from "node:fs"
import * as Acp from "../../src/cli/agents/Acp.js"
import * as Agentctl from "../../src/cli/agents/Agentctl.js"
import * as Agui from "../../src/cli/agents/Agui.js"
import { ExitCode } from "../../src/cli/CliError.js"
import * as Config from "../../src/cli/Config.js"
import * as LoopConfig from "../../src/cli/loop/LoopConfig.js"
import { temporary } from "../program.js"

const kinds = {
  acp: { fields: Acp.Acp.fields, right: { command: "agent" } },
  agentctl: { fields: Agentctl.Agentctl.fields, right: { url: "http://127.0.0.1:39429" } },
  agui: { fields: Agui.Agui.fields, right: { url: "http://127.0.0.1:8001/" } },
  loop: { fields: LoopConfig.LoopConfig.fields, right: { model: { provider: "demo", model: "m" } } }
}

/** What is said of each of the agents, which are in one file. */
const lines = (agents: ReadonlyArray<object>) =>
  Effect.gen(function*() {
    const file = `${yield* temporary}/holdfast.json`
    NodeFs.writeFileSync(file, JSON.stringify({ agents: Object.fromEntries(agents.entries()) }))
    const { exitCode, lines } = yield* Effect.flip(Config.load(Option.some(file), {}))
    expect(exitCode).toBe(ExitCode.unusable)
    return agents.map((_, index) => {
      const where = `${file}: agents.${index}.`
      return lines.filter((line) => line.startsWith(where)).map((line) => line.slice(where.length))
    })
  }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))

const values = [null, 7, 1.5, -1, true, "", "no such thing", [7], [{}], [[]], {}, { a: 7 }, { a: {} }]

/** What nobody would understand who has not read the sources. */
const jargon = /Expected|actual|readonly|Self|\[|\]|└|├|\n|undefined|NonEmpty|minLength|positive\(|Record/

describe("a field of an agent that holds what it cannot", () => {
  for (const [kind, { fields, right }] of Object.entries(kinds)) {
    it.effect(`of the kind ${kind} is named, with what would be right`, () =>
      Effect.gen(function*() {
        const tried = [...Object.keys(fields), "coalesce"].filter((field) => field !== "kind")
          .flatMap((field) => values.map((value) => ({ field, value })))
        const said = yield* lines(tried.map(({ field, value }) => ({ kind, ...right, [field]: value })))
        for (const [index, { field, value }] of tried.entries()) {
          // no field may be `null`
          if (value === null) expect(said[index], field).toHaveLength(1)
          for (const line of said[index] ?? []) {
            expect(line).toMatch(
              new RegExp(`^${field}(\\.[\\w.]+)?: (must (be|not) .+|is missing|is unexpected, expected: .+)$`)
            )
            expect(line.replace(/, not .*/, "")).not.toMatch(jargon)
          }
        }
      }))
  }

  const table: ReadonlyArray<readonly [kind: keyof typeof kinds, agent: object, ...lines: ReadonlyArray<string>]> = [
    ["acp", { command: 5 }, "command: must be a text that is not empty, not 5"],
    ["acp", { command: "" }, "command: must be a text that is not empty, not \"\""],
    ["acp", { args: "--acp" }, "args: must be a list, not \"--acp\""],
    ["acp", { args: ["-y", 5] }, "args.1: must be a text, not 5"],
    ["acp", { env: { KEY: 5 } }, "env.KEY: must be a text, { fromEnv: NAME } or { fromFile: PATH }"],
    ["acp", { env: [] }, "env: must be an object, not a list"],
    ["acp", { fs: "yes" }, "fs: must be true or false, not \"yes\""],
    ["acp", { maxMessageBytes: 0 }, "maxMessageBytes: must be a whole number from 1, not 0"],
    ["acp", { maxMessageBytes: 1.5 }, "maxMessageBytes: must be a whole number from 1, not 1.5"],
    ["acp", { startTimeout: 5 }, "startTimeout: must be a time like \"30 seconds\", not 5"],
    ["acp", { grace: { term: "soon" } }, "grace.term: must be a time like \"30 seconds\", not \"soon\""],
    ["acp", { grace: "5 seconds" }, "grace: must be an object, not a text"],
    ["acp", { mcpServers: { name: "x" } }, "mcpServers: must be a list, not an object"],
    ["acp", { mcpServers: [{ name: "x" }] }, "mcpServers.0.command: is missing"],
    ["acp", { mcpServers: [{ name: "x", type: "http" }] }, "mcpServers.0.url: is missing"],
    [
      "acp",
      { mcpServers: [{ name: "x", type: "ftp", url: "http://h/" }] },
      "mcpServers.0.type: must be \"http\" or \"sse\", not \"ftp\""
    ],
    [
      "acp",
      { mcpServers: ["npx server"] },
      "mcpServers.0: must be an object with type, name, url or an object with name, command, not a text"
    ],
    ["agentctl", { url: 5 }, "url: must be an address such as \"http://127.0.0.1:39429\", not 5"],
    ["agentctl", { nonce: 5 }, "nonce: must be a text, { fromEnv: NAME } or { fromFile: PATH }"],
    ["agentctl", { tokenFile: "" }, "tokenFile: must be a text that is not empty, not \"\""],
    ["agui", { url: 5 }, "url: must be a text, not 5"],
    ["agui", { url: "ftp://h" }, "url: must be an absolute http or https address"],
    ["agui", { forwardedProps: [] }, "forwardedProps: must be an object, not a list"],
    ["agui", { askTools: "Ask" }, "askTools: must be a list, not \"Ask\""],
    ["agui", { maxHistoryCharacters: -1 }, "maxHistoryCharacters: must be a whole number from 0, not -1"],
    ["loop", { model: "gpt" }, "model: must be an object with provider, model, not a text"],
    [
      "loop",
      { permissions: { allow: [5] } },
      "permissions.allow.0: must be a text that is not empty or an object with tool, not 5"
    ],
    ["loop", { limits: { compactAt: -1 } }, "limits.compactAt: must be a positive number, not -1"]
  ]
  it.effect("is said in words for people", () =>
    Effect.gen(function*() {
      const said = yield* lines(table.map(([kind, agent]) => ({ kind, ...kinds[kind].right, ...agent })))
      expect(said).toStrictEqual(table.map(([, , ...said]) => said))
    }))
})
