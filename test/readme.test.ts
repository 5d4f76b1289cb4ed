import { expect, it } from "@effect/vitest"
import * as NodeFs from "node:fs"

const read = (path: string) => NodeFs.readFileSync(new URL(`../${path}`, import.meta.url), "utf8")
const blocks = (path: string) => Array.from(read(path).matchAll(/```ts\n([^]*?)```/g), ([, code]) => code)

it("the example in the README is docs/example.ts, which is compiled", () => {
  expect(blocks("README.md")[0]).toBe(read("docs/example.ts"))
})

it.each(["lifecycle", "loop"])("the examples of docs/%s.md are docs/%s.ts, which is compiled", (name) => {
  const regions = read(`docs/${name}.ts`).matchAll(/\/\/ #region \w+\n([^]*?)\/\/ #endregion/g)
  expect(blocks(`docs/${name}.md`)).toStrictEqual(Array.from(regions, ([, code]) => code))
})
