/**
 * Runs every check that CI runs: the `check:…` scripts of package.json, one line each, and what a failed one said. The last line
 * counts checks and tests.
 *
 * `npm test` runs them all, `npm test -- lint types` only those that are named.
 */
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

process.chdir(fileURLToPath(new URL("..", import.meta.url)))

const { scripts } = JSON.parse(fs.readFileSync("package.json", "utf8"))
// side by side; within a lane in order, because the package is what was built
const lanes = [["effects", "unused", "committed"], ["lint", "floors", "build", "package"]]
const chosen = process.argv.slice(2)
for (const name of chosen) {
  if (scripts[`check:${name}`] === undefined) throw new Error(`there is no check "${name}"`)
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-check-"))
const report = path.join(folder, "tests.json")
/** Each failed test's name, and what it said. */
const failures = []
let passed = 0
let failed = 0

const run = (command, stdio) =>
  new Promise((resolve) => {
    let output = ""
    const PATH = `${path.resolve("node_modules/.bin")}${path.delimiter}${process.env.PATH}`
    const child = spawn(command, {
      shell: true,
      stdio: ["ignore", stdio, stdio],
      env: { ...process.env, PATH, ...(stdio === "pipe" ? { NO_COLOR: "1" } : {}) }
    })
    child.stdout?.on("data", (data) => output += data)
    child.stderr?.on("data", (data) => output += data)
    child.on("close", (code) => resolve({ ok: code === 0, output }))
  })

const check = async (name, { flags = "", stdio = "pipe" } = {}) => {
  const start = performance.now()
  const { ok, output } = await run(`${scripts[`check:${name}`]} ${flags}`, stdio)
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  console.log(`${ok ? "ok  " : "FAIL"} ${name.padEnd(10)} ${seconds.padStart(6)} s`)
  if (!ok) console.log(output)
  return ok
}

const runLane = async (names) => {
  for (const name of names) {
    if (chosen.length > 0 && !chosen.includes(name)) continue
    if (await check(name)) passed++
    else failed++
  }
}

const runTests = async () => {
  const ok = await check("tests", {
    flags: `--reporter=default --reporter=json --outputFile.json=${report}`,
    stdio: "inherit"
  })
  const { numPassedTests = 0, testResults = [] } = fs.existsSync(report)
    ? JSON.parse(fs.readFileSync(report, "utf8"))
    : {}
  for (const { assertionResults, message, name, status } of testResults) {
    const file = path.relative(process.cwd(), name)
    const tests = assertionResults.filter((test) => test.status === "failed")
    for (const { failureMessages, fullName } of tests) {
      failures.push([`${file}: ${fullName}`, failureMessages.join("\n")])
    }
    // a file that cannot be loaded, or that leaves a process behind, fails without a failed test
    if (status === "failed" && tests.length === 0) failures.push([file, message])
  }
  passed += numPassedTests
  failed += ok ? 0 : Math.max(1, failures.length)
}

await runLane(["types"])
// what does not compile is not worth a look by the others
if (failed === 0) {
  await Promise.all(lanes.map(runLane))
  if (chosen.length === 0 || chosen.includes("tests")) await runTests()
  // not beside others: it uses every core, and what it gets done depends on that
  await runLane(["stress"])
}

fs.rmSync(folder, { recursive: true })
// once more in brief: whoever sees only the end of a long output sees which, and why
for (const [name, message] of failures) {
  console.log(`FAIL ${name}\n     ${message.trim().split("\n", 3).join("\n     ").slice(0, 500)}`)
}
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
