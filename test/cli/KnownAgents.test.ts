import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import { describe, expect, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as KnownAgents from "../../src/cli/KnownAgents.js"

const withPath = (path: string) => Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["PATH", path]])))

/** The names that are found when the PATH is a folder with these files. */
const found = (files: Readonly<Record<string, number>>) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped()
    for (const [name, mode] of Object.entries(files)) {
      yield* fs.writeFileString(`${folder}/${name}`, "#!/bin/sh\n")
      yield* fs.chmod(`${folder}/${name}`, mode)
    }
    yield* fs.makeDirectory(`${folder}/goose`)
    return yield* KnownAgents.installed.pipe(withPath(`/nowhere:${folder}`))
  }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))

describe("KnownAgents", () => {
  it.effect("what is on the PATH is offered, with the arguments by which it speaks the protocol", () =>
    Effect.gen(function*() {
      const agents = yield* found({ gemini: 0o755, "codex-acp": 0o755, opencode: 0o755, other: 0o755 })
      expect(agents.map(({ args, command, name }) => [name, command, ...args])).toEqual([
        ["codex", "codex-acp"],
        ["gemini", "gemini", "--acp"],
        ["opencode", "opencode", "acp"]
      ])
    }))

  it.effect("what cannot be executed is not offered, nor is a folder of that name", () =>
    Effect.gen(function*() {
      expect(yield* found({ gemini: 0o644 })).toEqual([])
    }))

  it.effect("of two commands for one agent the first is taken", () =>
    Effect.gen(function*() {
      const both = yield* found({ "claude-agent-acp": 0o755, "claude-code-acp": 0o755 })
      expect(both.map(({ command }) => command)).toEqual(["claude-agent-acp"])
      const old = yield* found({ "claude-code-acp": 0o755 })
      expect(old.map(({ command }) => command)).toEqual(["claude-code-acp"])
    }))

  it.effect("a relative entry of the PATH is no place to look", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* fs.makeTempDirectoryScoped({ directory: "." })
      yield* fs.writeFileString(`${folder}/gemini`, "", { mode: 0o755 })
      expect(yield* KnownAgents.installed.pipe(withPath(folder))).toEqual([])
    }).pipe(Effect.scoped, Effect.provide(NodeContext.layer)))
})
