/** The worked example of docs/testing.md, which is run from there; `scripts/pack.mjs` runs it as a user of the package does. */
import { describe, expect, it } from "@effect/vitest"
import * as fs from "node:fs"
import "../../../docs/tokens.test.js"

describe("docs/testing.md", () => {
  it("shows the worked example as it is", () => {
    const read = (name: string) => fs.readFileSync(new URL(`../../../docs/${name}`, import.meta.url), "utf8")
    const compiled = `${read("tokens.ts")}${read("tokens.test.ts")}`.replace(/^ +/gm, "")
    const example = /### A race, found and mended\n([^]*?)\n### /.exec(read("testing.md"))?.[1] ?? ""
    const blocks = [...example.matchAll(/```ts\n([^]*?)```/g)].map(([, block = ""]) => block.replace(/^ +/gm, ""))
    expect(blocks.length).toBeGreaterThan(4)
    for (const block of blocks) expect(compiled).toContain(block)
  })
})
