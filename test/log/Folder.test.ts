import { describe, expect, it } from "@effect/vitest"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as Folder from "../../src/log/Folder.js"

leakFreeFile()

describe("a folder", () => {
  it("is made with those that are missing above it, and may be there", () => {
    const root = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-folder-"))
    try {
      const folder = path.join(root, "a/b/c")
      for (const each of [folder, folder, path.join(root, "a/b/d")]) Folder.make(each, 0o700)
      expect(fs.statSync(folder).mode & 0o777).toBe(0o700)
      expect(fs.statSync(path.dirname(folder)).mode & 0o777).toBe(0o700)
    } finally {
      fs.rmSync(root, { recursive: true })
    }
  })

  // Node's own `recursive` does not return from the first one
  it.each(["/proc/holdfast/data", "/dev/null/data", `${import.meta.filename}/data`])(
    "that cannot be made is an error: %s",
    (folder) => {
      expect(() => Folder.make(folder)).toThrow(/ENOENT|ENOTDIR/)
    }
  )
})
