import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Store from "../../../src/cli/demo/Store.js"
import { text } from "../../../src/cli/demo/Turn.js"

const settings: Store.Settings = { type: "settings", at: "2026-01-01", cwd: "/", modeId: "plain", paceId: "readable" }
const said = (text_: string, at = "2026-01-02"): Store.Message => ({ type: "agent", at, content: [text(text_)] })

const inFolder = <A, E>(
  test: (folder: string, fs: FileSystem.FileSystem) => Effect.Effect<A, E, NodeContext.NodeContext>
) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    return yield* test(yield* fs.makeTempDirectoryScoped(), fs)
  }).pipe(Logger.withMinimumLogLevel(LogLevel.Error), Effect.provide(NodeContext.layer))

describe("the demo agent's store", () => {
  it.scopedLive("a record is what was written and appended", () =>
    inFolder((folder) =>
      Effect.gen(function*() {
        const store = yield* Store.make(folder)
        yield* store.write(Store.initial("one", settings))
        yield* store.append("one", said("hello"))
        yield* store.append("one", { ...settings, at: "2026-01-03", title: "A title" })
        const record = Option.getOrThrow(yield* store.load("one"))
        assert.deepStrictEqual(record.messages, [said("hello")])
        assert.deepStrictEqual([record.settings.title, record.updatedAt], ["A title", "2026-01-03"])
      })
    ))

  it.scopedLive("a line that was only half written is forgotten, and no other", () =>
    inFolder((folder, fs) =>
      Effect.gen(function*() {
        const store = yield* Store.make(folder)
        yield* store.write({ ...Store.initial("one", settings), messages: [said("whole")] })
        yield* fs.writeFileString(`${folder}/one.jsonl`, JSON.stringify(said("half")).slice(0, 20), { flag: "a" })
        assert.deepStrictEqual(Option.getOrThrow(yield* store.load("one")).messages, [said("whole")])
      })
    ))

  it.scopedLive("a session that grows without end keeps its last messages only", () =>
    inFolder((folder, fs) =>
      Effect.gen(function*() {
        const store = yield* Store.make(folder)
        yield* store.write(Store.initial("one", settings))
        for (let index = 0; index < 50; index++) yield* store.append("one", said(`${index}`.padEnd(200_000)))
        assert.isBelow(Number((yield* fs.stat(`${folder}/one.jsonl`)).size), 5_000_000)
        const { messages } = Option.getOrThrow(yield* store.load("one"))
        assert.deepStrictEqual(messages.at(-1), said("49".padEnd(200_000)))
      })
    ))

  it.scopedLive("of many sessions the oldest are removed", () =>
    inFolder((folder, fs) =>
      Effect.gen(function*() {
        const store = yield* Store.make(folder)
        for (let index = 0; index < 101; index++) {
          yield* store.write(Store.initial(`s${index}`, settings))
          yield* fs.utimes(`${folder}/s${index}.jsonl`, index, index)
        }
        const names = Effect.map(fs.readDirectory(folder), (names) => names.length)
        assert.strictEqual(yield* names, 101)
        const again = yield* Store.make(folder)
        assert.strictEqual(yield* names, 50)
        assert.isTrue(Option.isSome(yield* again.load("s100")))
        assert.isTrue(Option.isNone(yield* again.load("s0")))
      })
    ))

  it.scopedLive("an id is no path", () =>
    inFolder((folder, fs) =>
      Effect.gen(function*() {
        yield* fs.writeFileString(`${folder}/outside.jsonl`, JSON.stringify(settings))
        const store = yield* Store.make(`${folder}/inside`)
        assert.isTrue(Option.isNone(yield* store.load("../outside")))
        yield* store.remove("../outside")
        assert.isTrue(yield* fs.exists(`${folder}/outside.jsonl`))
      })
    ))

  it.scopedLive("an agent that cannot write forgets, and does not fail", () =>
    inFolder((folder, fs) =>
      Effect.gen(function*() {
        yield* fs.writeFileString(`${folder}/file`, "in the way")
        const store = yield* Store.make(`${folder}/file/state`)
        yield* store.write(Store.initial("one", settings))
        yield* store.append("one", said("hello"))
        assert.deepStrictEqual(yield* store.list, [])
      })
    ))
})
