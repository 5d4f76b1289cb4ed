import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as DataFolder from "../../src/log/DataFolder.js"
import * as Script from "./script.js"

leakFreeFile({ grace: "5 seconds" })

const temporary = Effect.flatMap(
  FileSystem.FileSystem,
  (fs) => fs.makeTempDirectoryScoped({ prefix: "holdfast-data-" })
)

/** Permissions do not bind root, so root asks as nobody. */
const unprivileged = Effect.acquireRelease(
  Effect.sync(() => process.geteuid?.() === 0 ? process.seteuid?.(65534) : undefined),
  () => Effect.sync(() => process.getuid?.() === 0 ? process.seteuid?.(0) : undefined)
)

const test = (
  name: string,
  effect: () => Effect.Effect<
    void,
    unknown,
    NodeContext.NodeContext | Scope.Scope
  >
) => it.scopedLive(name, () => Effect.provide(effect(), NodeContext.layer))

describe("DataFolder", () => {
  test("a folder that is not there is made, for its owner only", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const folder = `${yield* temporary}/a/b`
      expect(yield* DataFolder.make(folder)).toStrictEqual({
        folder,
        database: `${folder}/holdfast.db`,
        agents: `${folder}/agents`
      })
      expect((yield* fs.stat(folder)).mode & 0o777).toBe(0o700)
    }))

  test("a folder that is held is held once, and free when its scope has closed", () =>
    Effect.gen(function*() {
      const folder = yield* temporary
      yield* Effect.scoped(Effect.gen(function*() {
        yield* DataFolder.make(folder)
        const error = yield* Effect.flip(DataFolder.make(folder))
        expect(error).toMatchObject({ _tag: "DataFolderHeld", folder, pid: process.pid })
        expect(error.message).toContain(`pid ${process.pid}`)
      }))
      yield* DataFolder.make(folder)
    }))

  test("another process that holds it is named, and kill -9 of that one frees it", () =>
    Effect.gen(function*() {
      const folder = yield* temporary
      const holder = yield* Script.run("holder.ts", folder)
      expect(yield* holder.line).toBe("holds")
      const error = yield* Effect.flip(DataFolder.make(folder))
      expect(error).toMatchObject({ _tag: "DataFolderHeld", pid: holder.pid })
      yield* holder.kill
      yield* DataFolder.make(folder)
      // and what a dead holder wrote names nobody else
      expect(yield* Effect.flip(DataFolder.make(folder))).toMatchObject({ pid: process.pid })
    }))

  test("a holder that has not written its pid yet is waited for, so that nobody else is named", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* temporary
      yield* DataFolder.make(folder)
      for (const before of ["999999999", "", "0"]) {
        yield* fs.writeFileString(`${folder}/gateway.pid`, before)
        const refused = yield* Effect.fork(Effect.flip(DataFolder.make(folder)))
        yield* Effect.sleep(50)
        yield* fs.writeFileString(`${folder}/gateway.pid`, String(process.pid))
        expect(yield* Fiber.join(refused)).toMatchObject({ _tag: "DataFolderHeld", pid: process.pid })
      }
    }))

  test("of several that start at once on what a killed one left, exactly one holds it, and the others name it", () =>
    Effect.gen(function*() {
      const folder = yield* temporary
      const dead = yield* Script.run("holder.ts", folder)
      yield* dead.line
      yield* dead.kill
      const holders = yield* Effect.forEach([1, 2, 3], () => Script.run("holder.ts", folder))
      const lines = yield* Effect.forEach(holders, ({ line }) => line, { concurrency: "unbounded" })
      const winner = holders[lines.indexOf("holds")]
      expect(lines.toSorted()).toStrictEqual([...Array(2).fill(`held by ${winner?.pid}`), "holds"])
    }))

  test("what is no folder, or lies under no folder, cannot be used", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const file = `${yield* temporary}/file`
      yield* fs.writeFileString(file, "")
      for (const folder of [file, `${file}/under`]) {
        const error = yield* Effect.flip(DataFolder.make(folder))
        expect(error).toMatchObject({ _tag: "DataFolderUnusable", folder })
        expect(error.message).toContain("must be a folder that this user may write to")
      }
    }))

  test("a folder that may not be written to cannot be used", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* temporary
      yield* fs.chmod(folder, 0o555)
      yield* Effect.scoped(Effect.gen(function*() {
        yield* unprivileged
        expect(yield* Effect.flip(DataFolder.make(folder))).toMatchObject({ _tag: "DataFolderUnusable", folder })
        expect(yield* Effect.flip(DataFolder.make(`${folder}/new`))).toMatchObject({ _tag: "DataFolderUnusable" })
      }))
    }))

  test("a folder whose lock belongs to another user and is read-only cannot be used", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* temporary
      yield* Effect.scoped(DataFolder.make(folder))
      yield* fs.chmod(`${folder}/lock.db`, 0o444)
      yield* fs.chmod(folder, 0o777)
      yield* Effect.scoped(Effect.gen(function*() {
        yield* unprivileged
        expect(yield* Effect.flip(DataFolder.make(folder))).toMatchObject({ _tag: "DataFolderUnusable", folder })
      }))
    }))
})
