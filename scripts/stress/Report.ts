/** What the tests under `Interleave` report, a line of JSON each, and the table that it comes to. Pure. */
import type { Line } from "../../src/testing/interleave/Stress.js"

export type { Line }

/** The last line of a file that is still written may be incomplete; it is left for later. */
export const parse = (text: string): ReadonlyArray<Line> =>
  text.split("\n").slice(0, -1).filter((line) => line !== "").map((line): Line => JSON.parse(line))

/** The last that each test has reported. */
export const latest = (lines: ReadonlyArray<Line>): ReadonlyArray<Line> => [
  ...new Map(lines.map((line) => [`${line.file}\0${line.name}`, line])).values()
]

/** The promises that a test's name begins with: `SM3 RC2 …` proves both. */
export const promisesOf = (name: string): ReadonlyArray<string> => {
  const words = name.split(/[ :,]+/)
  const end = words.findIndex((word) => !/^[A-Z]{2}\d+$/.test(word))
  const promises = words.slice(0, end === -1 ? words.length : end)
  return promises.length === 0 ? ["none"] : promises
}

export interface Row {
  readonly promise: string
  readonly tests: number
  readonly schedules: number
  readonly distinct: number
  /** How many of the tests have seen every schedule within their bounds. */
  readonly exhaustive: number
  readonly failures: number
}

const compare = (left: string, right: string) => left.localeCompare(right, "en", { numeric: true })

/** A row a promise, in the order of their numbers. A test of two promises is in both rows. */
export const rowsOf = (lines: ReadonlyArray<Line>): ReadonlyArray<Row> => {
  const rows = new Map<string, Row>()
  for (const line of lines) {
    for (const promise of promisesOf(line.name)) {
      const row = rows.get(promise) ?? { promise, tests: 0, schedules: 0, distinct: 0, exhaustive: 0, failures: 0 }
      rows.set(promise, {
        promise,
        tests: row.tests + 1,
        schedules: row.schedules + line.schedules,
        distinct: row.distinct + line.distinct,
        exhaustive: row.exhaustive + (line.exhaustive ? 1 : 0),
        failures: row.failures + (line.failure === undefined ? 0 : 1)
      })
    }
  }
  return [...rows.values()].sort((left, right) => compare(left.promise, right.promise))
}

const grouped = (count: number) => String(count).replace(/\B(?=(\d{3})+$)/g, ",")

const exhaustive = ({ exhaustive, tests }: Row) =>
  exhaustive === 0 ? "no" : exhaustive === tests ? "yes" : `${exhaustive} of ${tests}`

export const table = (lines: ReadonlyArray<Line>): string => {
  const head = ["promise", "tests", "schedules", "distinct", "exhaustive", "failures"]
  const cells = [
    head,
    ...rowsOf(lines).map((row) => [
      row.promise,
      String(row.tests),
      grouped(row.schedules),
      grouped(row.distinct),
      exhaustive(row),
      String(row.failures)
    ])
  ]
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  const isLeft = (column: number) => column === 0 || column === 4
  return cells.map((row) =>
    row.map((cell, column) => isLeft(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))
      .join("  ").trimEnd()
  ).join("\n")
}

/** The line that says how far it is after so many seconds. */
export const progress = (lines: ReadonlyArray<Line>, seconds: number): string => {
  const schedules = lines.reduce((sum, line) => sum + line.schedules, 0)
  const over = lines.filter(({ running }) => running !== true)
  const failures = lines.filter(({ failure }) => failure !== undefined).length
  return `${seconds.toFixed(0)} s  ${over.length} tests done, ${lines.length - over.length} running  ` +
    `${grouped(schedules)} schedules (${grouped(Math.round(schedules / Math.max(seconds, 1)))}/s)  ${failures} failed`
}

/** A failed test with what it takes to see it again. */
export const explain = ({ failure, file, name }: Line): string =>
  failure === undefined ? "" : [
    `FAILED ${name}`,
    `  ${file}, seed ${failure.seed}`,
    ...failure.reason.split("\n").slice(0, 8).map((line) => `  ${line}`),
    "  to run it again, in the options of the test:",
    `  strategy: Interleave.replay(${JSON.stringify(failure.choices)})`
  ].join("\n")
