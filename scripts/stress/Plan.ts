/** Which tests are run, and for how long each. Pure. */
import { promisesOf } from "./Report.js"

export interface Test {
  readonly file: string
  /** With the names of the groups it is in: `group > name`. */
  readonly name: string
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")

/**
 * As a regular expression over a test's full name: a promise (`SM3`), all promises of a kind (`SM`), or else a part of the name. `SM1` is
 * not `SM10`.
 */
export const pattern = (only: string): string =>
  /^[A-Z]{2}\d+$/.test(only) ? `\\b${only}\\b` : /^[A-Z]{2}$/.test(only) ? `\\b${only}\\d+\\b` : escaped(only)

/** Whether it proves a promise; the others in these files show a race and are over at once. */
export const explores = ({ name }: Test): boolean => promisesOf(name.split(" > ").at(-1) ?? "")[0] !== "none"

/**
 * How many minutes each test may take, so that all are over in `minutes`. A file is run by one process and the files are shared out
 * as processes become free, so the last one may begin when the others are nearly done.
 */
export const share = (tests: ReadonlyArray<Test>, processes: number, minutes: number): number => {
  const files = new Map<string, number>()
  for (const { file } of tests.filter(explores)) files.set(file, (files.get(file) ?? 0) + 1)
  const counts = [...files.values()]
  const all = counts.reduce((sum, count) => sum + count, 0)
  const most = Math.max(1, ...counts)
  return minutes / Math.max(1, (all - most) / processes + most)
}
