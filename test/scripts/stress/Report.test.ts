import { describe, expect, it } from "@effect/vitest"
import * as Report from "../../../scripts/stress/Report.js"

const line = (name: string, more: Partial<Report.Line> = {}): Report.Line => ({
  file: "test/lifecycle/StreamManager.interleave.test.ts",
  name,
  schedules: 1000,
  distinct: 900,
  exhaustive: false,
  millis: 500,
  ...more
})

const failure = { seed: 7, choices: "seed=7 14:1 0:2", reason: "an increment was lost\n  at somewhere" }

describe("parse", () => {
  it("leaves the line that is still written for later", () => {
    const [first, second] = [line("SM1 a"), line("SM2 b")].map((each) => `${JSON.stringify(each)}\n`)
    expect(Report.parse("")).toEqual([])
    expect(Report.parse(`${first}${second}`)).toEqual([line("SM1 a"), line("SM2 b")])
    expect(Report.parse(`${first}${second?.slice(0, 20)}`)).toEqual([line("SM1 a")])
  })
})

describe("latest", () => {
  it("takes the last line of each test, and tells tests of two files apart", () => {
    const running = line("SM1 a", { schedules: 10, running: true })
    const other = line("SM1 a", { file: "test/other.interleave.test.ts" })
    expect(Report.latest([running, other, line("SM1 a")])).toEqual([line("SM1 a"), other])
  })
})

describe("promisesOf", () => {
  it.each([
    ["SM3 of two one wins", ["SM3"]],
    ["RS1 RS2 cancel leaves one end", ["RS1", "RS2"]],
    ["RC2: no restart is lost", ["RC2"]],
    ["EB10, EB11", ["EB10", "EB11"]],
    ["a naive lock sends the second away", ["none"]],
    ["an SM3 in the middle", ["none"]]
  ])("%s", (name, promises) => {
    expect(Report.promisesOf(name)).toEqual(promises)
  })
})

describe("table", () => {
  it("has a row a promise, in the order of their numbers", () => {
    const lines = [
      line("SM10 a"),
      line("SM2 a", { exhaustive: true }),
      line("SM2 b", { schedules: 1234567 }),
      line("RC2 EB2 both", { exhaustive: true, failure })
    ]
    expect(Report.table(lines)).toBe([
      "promise  tests  schedules  distinct  exhaustive  failures",
      "EB2          1      1,000       900  yes                1",
      "RC2          1      1,000       900  yes                1",
      "SM2          2  1,235,567     1,800  1 of 2             0",
      "SM10         1      1,000       900  no                 0"
    ].join("\n"))
  })
})

describe("progress", () => {
  it("counts what runs, too", () => {
    const lines = [line("SM1 a"), line("SM2 a", { running: true }), line("SM3 a", { failure })]
    expect(Report.progress(lines, 2)).toBe("2 s  2 tests done, 1 running  3,000 schedules (1,500/s)  1 failed")
    expect(Report.progress([], 0)).toBe("0 s  0 tests done, 0 running  0 schedules (0/s)  0 failed")
  })
})

describe("explain", () => {
  it("says what it takes to see a failure again", () => {
    expect(Report.explain(line("SM3 of two one wins", { failure }))).toBe(
      `FAILED SM3 of two one wins
  test/lifecycle/StreamManager.interleave.test.ts, seed 7
  an increment was lost
    at somewhere
  to run it again, in the options of the test:
  strategy: Interleave.replay("seed=7 14:1 0:2")`
    )
  })
})
