import { expect, it } from "@effect/vitest"
import * as NodeFs from "node:fs"

const read = (path: string) => NodeFs.readFileSync(new URL(`../${path}`, import.meta.url), "utf8")
const blocks = (path: string) => Array.from(read(path).matchAll(/```ts\n([^]*?)```/g), ([, code]) => code)

it("the example in the README is docs/example.ts, which is compiled", () => {
  expect(blocks("README.md")[0]).toBe(read("docs/example.ts"))
})

it("the examples of docs/lifecycle.md are docs/lifecycle.ts, which is compiled", () => {
  const regions = read("docs/lifecycle.ts").matchAll(/\/\/ #region \w+\n([^]*?)\/\/ #endregion/g)
  expect(blocks("docs/lifecycle.md")).toStrictEqual(Array.from(regions, ([, code]) => code))
})
