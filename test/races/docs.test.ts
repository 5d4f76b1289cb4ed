/** docs/races.md shows the code that is tested, all of it, and points at tests that are there. */
import { describe, expect, it } from "@effect/vitest"
import * as NodeFs from "node:fs"

const read = (path: string) => NodeFs.readFileSync(new URL(`../../${path}`, import.meta.url), "utf8")
const themes = ["streams", "restarts", "questions", "runs"]
const naive = new Map(themes.map((theme) => [theme, read(`test/races/${theme}.ts`)]))
const tests = new Map(themes.map((theme) => [theme, read(`test/races/${theme}.interleave.test.ts`)]))

const chapters = read("docs/races.md").split(/^## /m).slice(1).flatMap((chapter) => {
  const code = /```ts\n([^]*?)\n```/.exec(chapter)?.[1]
  const title = chapter.slice(0, chapter.indexOf("\n"))
  const [, theme, test] =
    /test\/races\/(\w+)\.interleave\.test\.ts\), "([^"]+)"/.exec(chapter.replaceAll(/\s+/g, " ")) ?? []
  const choices = /^Replay: `([^`]+)`/m.exec(chapter)?.[1] ?? ""
  return code === undefined ? [] : [{ title, code, choices, theme: theme ?? "", test: test ?? "" }]
})

describe("docs/races.md", () => {
  it.each(chapters)("$title", ({ choices, code, test, theme, title }) => {
    expect(naive.get(theme)).toContain(`\n${code}\n`)
    expect(code.split("\n").length).toBeLessThanOrEqual(12)
    expect(tests.get(theme)).toContain(`describe("${title.charAt(0).toLowerCase()}${title.slice(1)}"`)
    expect(tests.get(theme)).toContain(`"${test}"`)
    expect(tests.get(theme)).toContain(`choices: "${choices}"`)
  })

  it("leaves none out", () => {
    const all = [...naive.values()].flatMap((source) =>
      [...source.matchAll(/^export const (\w+)/gm)].map(([, name]) => name)
    )
    const told = chapters.map(({ code }) => /^export const (\w+)/.exec(code)?.[1])
    expect(told.toSorted()).toStrictEqual(all.toSorted())
    expect(told.length).toBeGreaterThanOrEqual(18)
  })
})
