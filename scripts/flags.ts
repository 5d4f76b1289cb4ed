/** The command line of a script: what does not parse is one line, and exit code 2. */
import { parseArgs, type ParseArgsConfig } from "node:util"

export class UsageError extends Error {}

/** Only long flags, each known; `--name value` or `--name=value`. */
export const parse = <const Options extends NonNullable<ParseArgsConfig["options"]>>(
  args: ReadonlyArray<string>,
  options: Options
) => {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values
  } catch (error) {
    // the rest of what Node says is about positional arguments, which no script here has
    const [what = "what was given is not understood"] = String(error instanceof Error ? error.message : error).split(
      ". "
    )
    throw new UsageError(`${what}; the flags are ${Object.keys(options).map((name) => `--${name}`).join(" ")}`)
  }
}

/** A whole number from `least` on. */
export const whole = (name: string, text: string, least: number): number => {
  if (!/^\d{1,12}$/.test(text) || Number(text) < least) {
    throw new UsageError(`--${name} must be a whole number from ${least}, not "${text}"`)
  }
  return Number(text)
}

/** Minutes, with a fraction if need be. */
export const minutes = (name: string, text: string): number => {
  if (!/^\d{1,6}(\.\d+)?$/.test(text) || Number(text) <= 0) {
    throw new UsageError(`--${name} must be a time in minutes, like 2 or 0.5, not "${text}"`)
  }
  return Number(text)
}
