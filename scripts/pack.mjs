/**
 * Checks the package as users get it: packs `dist`, which must be built, lets publint and attw look at the tarball, starts the program and
 * uses the test kit from it in an empty folder: the worked example of docs/testing.md has to pass there, and planted bugs have to be found.
 */
import { execFileSync, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-pack-"))
const run = (command, ...args) =>
  execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })

const planted = `
import { Effect } from "effect"
import { it } from "holdfast/testing/vitest"
import * as fs from "node:fs"

it.interleaved("race", () => Effect.gen(function*() {
  let n = 0
  const increment = Effect.flatMap(Effect.sync(() => n), (read) => Effect.sync(() => n = read + 1))
  yield* Effect.all([increment, increment], { concurrency: 2 })
  if (n !== 2) return yield* Effect.die("an increment was lost")
}))
it.leakFree("fiber", () => Effect.forkDaemon(Effect.withSpan(Effect.never, "poll")))
it.leakFree("watcher", () => Effect.sync(() => void fs.watch(".")))
`

/** What a failure has to say, by the name of the planted test. */
const expected = {
  race: /an increment was lost[^]*Interleave\.replay\([^]*planted\.test\.ts:9 +yield\* Effect\.all/,
  fiber: /1 leak[^]*spans +poll/,
  watcher: /watcher fs\.watch[^]*planted\.test\.ts:13/
}

const useTestKit = (tarball) => {
  const user = path.join(folder, "user")
  fs.mkdirSync(user)
  fs.writeFileSync(path.join(user, "package.json"), JSON.stringify({ private: true, type: "module" }))
  // the versions that are installed here: a new one of theirs is none of this check's business
  const others = ["effect", "vitest", "@effect/vitest"].map((name) =>
    `${name}@${JSON.parse(fs.readFileSync(`node_modules/${name}/package.json`, "utf8")).version}`
  )
  const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"]
  run("npm", "install", "--prefix", user, ...quiet, tarball, ...others)
  // with no command named it loads them all
  const help = run(path.join(user, "node_modules/.bin/holdfast"), "--help")
  if (!help.includes("- demo-model")) throw new Error(`the program does not start from the package:\n${help}`)
  for (const name of ["tokens.ts", "tokens.test.ts"]) fs.copyFileSync(path.join("docs", name), path.join(user, name))
  fs.writeFileSync(path.join(user, "planted.test.ts"), planted)
  const report = path.join(user, "report.json")
  spawnSync(process.execPath, ["node_modules/vitest/vitest.mjs", "run", "--reporter=json", `--outputFile=${report}`], {
    cwd: user,
    stdio: ["ignore", "ignore", "inherit"]
  })
  const tests = JSON.parse(fs.readFileSync(report, "utf8")).testResults.flatMap(({ assertionResults, message }) => {
    if (assertionResults.length === 0) throw new Error(`the test kit does not load from the package: ${message}`)
    return assertionResults
  })
  for (const { failureMessages, status, title } of tests) {
    const said = failureMessages.join("\n")
    const ok = title in expected ? status === "failed" && expected[title].test(said) : status === "passed"
    if (!ok) throw new Error(`the test kit, used from the package: "${title}" ${status}\n${said}`)
  }
  console.log(`the test kit, used from the package: ${tests.length} tests went as they have to`)
}

try {
  const [{ files, filename, size, unpackedSize }] = JSON.parse(
    run("npm", "pack", "--json", "--ignore-scripts", "--pack-destination", folder)
  )
  const program = files.find((file) => file.path === "dist/main.js")
  if (program === undefined) throw new Error("dist/main.js is missing")
  if ((program.mode & 0o111) === 0) throw new Error("dist/main.js is not executable")
  if (!files.some((file) => file.path === "dist/console/index.html")) throw new Error("dist/console is missing")
  const tarball = path.join(folder, filename)
  console.log(run("node_modules/.bin/publint", "run", tarball, "--strict"))
  console.log(run("node_modules/.bin/attw", tarball, "--profile", "esm-only"))
  useTestKit(tarball)
  console.log(
    `${files.length} files, ${Math.round(size / 1024)} KB packed, ${Math.round(unpackedSize / 1024)} KB unpacked`
  )
} catch (error) {
  console.error(error.stdout ?? "", error.message)
  process.exitCode = 1
} finally {
  fs.rmSync(folder, { recursive: true })
}
