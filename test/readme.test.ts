import { expect, it } from "@effect/vitest"
import * as NodeFs from "node:fs"

it("the example in the README is docs/example.ts, which is compiled", () => {
  const read = (path: string) => NodeFs.readFileSync(new URL(`../${path}`, import.meta.url), "utf8")
  expect(/```ts\n([^]*?)```/.exec(read("README.md"))?.[1]).toBe(read("docs/example.ts"))
})
