/**
 * Checks the package as users get it: packs `dist`, which must be built, and lets publint and attw look at the tarball.
 */
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-pack-"))
const run = (command, ...args) =>
  execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })

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
  console.log(
    `${files.length} files, ${Math.round(size / 1024)} KB packed, ${Math.round(unpackedSize / 1024)} KB unpacked`
  )
} catch (error) {
  console.error(error.stdout ?? "", error.message)
  process.exitCode = 1
} finally {
  fs.rmSync(folder, { recursive: true })
}
