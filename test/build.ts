/** Before all tests: they run the built program, so it has to be what the sources are. */
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"

export const setup = () => {
  const script = fileURLToPath(new URL("../scripts/build.mjs", import.meta.url))
  execFileSync(process.execPath, [script, "--if-stale"], { stdio: "inherit" })
}
