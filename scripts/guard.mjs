/**
 * Guards what is committed: the lockfile installs anywhere and names no registry, no file names this machine, and the README shows
 * the example that is compiled.
 */
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"

const faults = []
const output = (command, ...args) =>
  execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })

if (/"resolved": "https?:/.test(fs.readFileSync("package-lock.json", "utf8"))) {
  faults.push("package-lock.json names a registry: npm install with omit-lockfile-registry-resolved=true (.npmrc)")
}
try {
  output("npm", "ci", "--dry-run", "--ignore-scripts")
} catch (error) {
  faults.push(`npm ci would fail:\n${error.stderr}`)
}

const registry = new URL(output("npm", "config", "get", "registry").trim()).hostname
const secrets = [`${process.cwd()}/`, `${os.homedir()}/`, registry, os.hostname()]
  // a name that anybody's machine may have says nothing
  .filter((secret) => secret.length > 6 && secret !== "localhost")
for (const file of output("git", "ls-files", "--cached", "--others", "--exclude-standard").split("\n")) {
  if (file === "" || !fs.existsSync(file)) continue
  const text = fs.readFileSync(file, "utf8")
  for (const secret of secrets) if (text.includes(secret)) faults.push(`${file} names ${secret}`)
}

const readText = (file) => fs.existsSync(file) ? fs.readFileSync(file, "utf8") : ""
if (!readText("README.md").includes(readText("docs/example.ts").trim())) {
  faults.push("README.md does not show docs/example.ts as it is")
}

for (const fault of faults) console.error(fault)
process.exitCode = faults.length === 0 ? 0 : 1
