#!/usr/bin/env node
/**
 * The program. Here, and nowhere else, Effects are run.
 *
 * @since 0.1.0
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { readFileSync } from "node:fs"
import { isAbsolute } from "node:path"
import { fileURLToPath } from "node:url"
import * as Cli from "./cli/Cli.js"
import { ExitCode } from "./cli/CliError.js"
import { Program } from "./cli/Program.js"
import * as Signals from "./cli/Signals.js"

const { version }: { readonly version: string } = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8")
)

/** What lets Node load this file, where it is run from source; found from here, as an agent works in another folder. */
const loaders = process.execArgv.flatMap((arg, index) => {
  const value = process.execArgv[index + 1]
  if (arg !== "--import" && arg !== "--require" || value === undefined) return []
  return [arg, /^file:/.test(value) || isAbsolute(value) ? value : import.meta.resolve(value)]
})

const program = Program.of({
  version,
  command: process.execPath,
  args: [...loaders, fileURLToPath(import.meta.url)]
})

Signals.tellExitCode()
NodeRuntime.runMain(Effect.provideService(Cli.run(process.argv), Program, program), {
  disableErrorReporting: true,
  disablePrettyLogger: true,
  teardown: (exit, onExit) => {
    if (Exit.isSuccess(exit)) return onExit(Number(exit.value))
    // of a defect the stack is all there is to say
    if (!Exit.isInterrupted(exit)) console.error(String(exit.cause))
    onExit(Exit.isInterrupted(exit) ? Number(process.exitCode ?? ExitCode.interrupted) : ExitCode.failed)
  }
})
