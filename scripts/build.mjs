/**
 * Builds `dist`: the library module by module with its declarations, the console as static files, and the program as a few files, of
 * which a command loads what it needs. It starts in a quarter of the time that the library's modules would take.
 * With `--if-stale` only when a source is newer than the last build.
 */
import { build } from "esbuild"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { build as buildPage } from "vite"

process.chdir(fileURLToPath(new URL("..", import.meta.url)))

const program = "dist/main.js"

const fresh = () => {
  const built = fs.statSync(program, { throwIfNoEntry: false })
  if (built === undefined) return false
  const inputs = ["package.json", "package-lock.json", "tsconfig.json", "tsconfig.build.json", "scripts/build.mjs"]
    .concat(
      ...["src", "console"].map((folder) =>
        fs.readdirSync(folder, { recursive: true }).map((name) => path.join(folder, name))
      )
    )
  return inputs.every((input) => fs.statSync(input).mtimeMs <= built.mtimeMs)
}

if (!process.argv.includes("--if-stale") || !fresh()) {
  fs.rmSync("dist", { recursive: true, force: true })
  const { status } = spawnSync(process.execPath, [
    "node_modules/@typescript/native/bin/tsc",
    "-p",
    "tsconfig.build.json"
  ], {
    stdio: "inherit"
  })
  if (status !== 0) process.exit(1)
  // before the program, whose age is that of the build
  await buildPage({ configFile: "console/vite.config.js" })
  if (fs.existsSync("src/main.ts")) {
    await build({
      entryPoints: ["src/main.ts"],
      outdir: "dist",
      bundle: true,
      splitting: true,
      chunkNames: "program/[name]-[hash]",
      platform: "node",
      format: "esm",
      target: "node20",
      // native code, found by its own loader at run time
      external: ["better-sqlite3", "@parcel/watcher", "msgpackr-extract", "bufferutil", "utf-8-validate"],
      // CommonJS inside an ESM bundle calls require
      banner: {
        js:
          "import { createRequire as __createRequire } from \"node:module\"; const require = __createRequire(import.meta.url);"
      },
      logLevel: "warning"
    })
    fs.chmodSync(program, 0o755)
  }
}
