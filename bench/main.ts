/**
 * Runs every bench of this folder, each in a process of its own so that memory figures are its own, and prints a table.
 *
 * `npm run bench` runs them all, `npm run bench -- relay` one; `--json` prints the results as JSON instead. A missed target is marked
 * and fails nothing: a figure depends on the machine.
 */
import { fork } from "node:child_process"
import * as fs from "node:fs"
import { fileURLToPath } from "node:url"

/**
 * What a bench found. `ratio` is against a bare implementation measured in the same run, or an absolute figure in the unit that
 * `name` tells; `target` is what it should be.
 */
export interface Result {
  readonly name: string
  readonly ratio: number
  readonly target: string
  readonly ok: boolean
  readonly details: Readonly<Record<string, string | number>>
}

const self = fileURLToPath(import.meta.url)

const measure = (bench: string) =>
  new Promise<ReadonlyArray<Result>>((resolve, reject) => {
    const child = fork(self, ["--measure", bench], {
      execArgv: ["--expose-gc", "--import", "tsx"],
      // without the paths of the project "holdfast" is what was built: what tsx makes of the sources is larger and slower
      env: { ...process.env, TSX_TSCONFIG_PATH: fileURLToPath(new URL("tsconfig.json", import.meta.url)) }
    })
    let results: ReadonlyArray<Result> | undefined
    child.once("message", (message) => results = message as ReadonlyArray<Result>)
    child.once(
      "exit",
      (code) => results === undefined ? reject(new Error(`${bench} ended with ${code}`)) : resolve(results)
    )
  })

const table = (results: ReadonlyArray<Result>) => {
  const rows = results.map(({ name, ok, ratio, target }) => [ok ? "ok" : "MISSED", name, ratio.toPrecision(3), target])
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  for (const [index, row] of rows.entries()) {
    console.log(row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd())
    for (const [key, value] of Object.entries(results[index]?.details ?? {})) console.log(`        ${key}: ${value}`)
  }
}

const [first, bench] = process.argv.slice(2)
if (first === "--measure") {
  const { default: run } = await import(`./${bench}.js`) as { default: () => Promise<Result | ReadonlyArray<Result>> }
  process.send?.([await run()].flat(), () => process.exit())
} else {
  const names = fs.readdirSync(new URL(".", import.meta.url), { withFileTypes: true })
    .filter((entry) => entry.name.endsWith(".ts") && entry.name !== "main.ts")
    .map((entry) => entry.name.replace(/\.ts$/, ""))
  const chosen = process.argv.slice(2).filter((argument) => argument !== "--json")
  const results: Array<Result> = []
  for (const name of chosen.length === 0 ? names : chosen) {
    try {
      results.push(...await measure(name))
    } catch (error) {
      results.push({ name, ratio: NaN, target: "a result", ok: false, details: { error: String(error) } })
    }
  }
  if (process.argv.includes("--json")) console.log(JSON.stringify(results, undefined, 2))
  else table(results)
}
