import { describe, expect, it } from "@effect/vitest"
import * as Plan from "../../../scripts/stress/Plan.js"

describe("pattern", () => {
  const matches = (only: string, name: string) => new RegExp(Plan.pattern(only)).test(name)

  it("of a promise is that one, wherever it stands", () => {
    expect(matches("SM1", "group > SM1 a stream")).toBe(true)
    expect(matches("SM1", "SM10 a stream")).toBe(false)
    expect(matches("RS2", "RS1 RS2 both")).toBe(true)
  })

  it("of a kind of promise is all of them", () => {
    expect(matches("SM", "SM1 a stream")).toBe(true)
    expect(matches("SM", "SM10 a stream")).toBe(true)
    expect(matches("SM", "RC1 SMALL")).toBe(false)
  })

  it("of anything else is a part of the name, as it is written", () => {
    expect(matches("early (clean-up)", "SM4 early (clean-up)")).toBe(true)
    expect(matches("a.c", "SM4 abc")).toBe(false)
  })
})

describe("share", () => {
  const tests = (...counts: ReadonlyArray<number>) =>
    counts.flatMap((count, file) =>
      Array.from({ length: count }, (_, index) => ({ file: `${file}.ts`, name: `group > SM${index + 1} a` }))
    )

  /** How long it takes in the worst order, each test taking its share. */
  const worst = (counts: ReadonlyArray<number>, processes: number, each: number) => {
    const loads = Array.from({ length: processes }, () => 0)
    for (const count of counts.toSorted((a, b) => a - b)) {
      loads.sort((a, b) => a - b)
      loads[0] = (loads[0] ?? 0) + count * each
    }
    return Math.max(...loads)
  }

  it.each([[[1], 2], [[4], 2], [[3, 3], 2], [[1, 1, 8], 2], [[5, 4, 3, 2, 1], 2], [[7, 7, 7], 4], [[2, 9, 4], 1]])(
    "keeps files of %j tests, in %i processes, within the time",
    (counts, processes) => {
      const each = Plan.share(tests(...counts), processes, 10)
      expect(worst(counts, processes, each)).toBeLessThanOrEqual(10.000001)
      // and does not waste more than what the order may cost
      expect(worst(counts, processes, each)).toBeGreaterThan(5)
    }
  )

  it("counts only tests of a promise", () => {
    const naive = { file: "0.ts", name: "group > a naive lock sends the second away" }
    expect(Plan.share([...tests(2), naive, naive], 1, 10)).toBe(5)
    expect(Plan.share([naive], 2, 10)).toBe(10)
  })
})
