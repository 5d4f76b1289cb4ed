/**
 * What the program tells its operator, on stderr: in which form, and how much of it.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as HashSet from "effect/HashSet"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { type CliError, unusable } from "./CliError.js"
import { Screen } from "./Screen.js"

/** @since 0.1.0 */
export const formats = ["json", "pretty", "logfmt"] as const

/** @since 0.1.0 */
export const levels = ["all", "trace", "debug", "info", "warning", "error", "fatal", "none"] as const

/** As the setting `log`. @since 0.1.0 */
export interface Log {
  readonly format?: typeof formats[number]
  readonly level?: typeof levels[number]
}

const loggers: Readonly<Record<NonNullable<Log["format"]>, (color: boolean) => Logger.Logger<unknown, void>>> = {
  json: () => Logger.withConsoleError(Logger.jsonLogger),
  logfmt: () => Logger.withConsoleError(Logger.logfmtLogger),
  pretty: (colors) => Logger.prettyLogger({ stderr: true, colors })
}

/** A person gets colours, others a line that they can parse. */
const withFormat = (format: Log["format"]) =>
  Layer.scopedDiscard(Effect.flatMap(Screen, ({ color }) =>
    Effect.locallyScoped(
      FiberRef.currentLoggers,
      HashSet.make(loggers[format ?? (color ? "pretty" : "logfmt")](color))
    )))

/** Until the configuration is read. @since 0.1.0 */
export const layer: Layer.Layer<never, never, Screen> = withFormat(undefined)

// ------------------------------------------------------------------------------------------- how much

/** The level of `--log-level`, where it was given: it goes before the configuration. */
class Asked extends Context.Reference<Asked>()("holdfast/cli/Logging/Asked", {
  defaultValue: (): Log["level"] => undefined
}) {}

const toLogLevel = (level: string) => LogLevel.allLevels.find(({ _tag }) => _tag.toLowerCase() === level)

const withLevel = (level: Log["level"]) =>
  Layer.unwrapEffect(Effect.map(Asked, (asked) => {
    const found = toLogLevel(asked ?? level ?? "")
    return found === undefined ? Layer.empty : Logger.minimumLogLevel(found)
  }))

/**
 * Runs the rest of the arguments with the level that `--log-level` asks for, wherever it stands: `@effect/cli` has the flag, too, but
 * knows it right behind the command only.
 *
 * @since 0.1.0
 */
export const withLevelOf = <A, E, R>(
  argv: ReadonlyArray<string>,
  run: (argv: ReadonlyArray<string>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | CliError, R> => {
  const rest = argv.indexOf("--")
  const at = argv.findIndex((arg) => /^--log-level(=|$)/.test(arg))
  if (at === -1 || (rest !== -1 && rest < at)) return run(argv)
  const [flag = "", next = ""] = argv.slice(at)
  const given = flag.includes("=") ? flag.slice(flag.indexOf("=") + 1) : next
  const level = levels.find((level) => level === given)
  return level === undefined
    ? unusable(`--log-level: must be one of ${levels.join(", ")}, not ${JSON.stringify(given)}`)
    : run([...argv.slice(0, at), ...argv.slice(at + (flag.includes("=") ? 1 : 2))]).pipe(
      Effect.provide(withLevel(level)),
      Effect.provideService(Asked, level)
    )
}

/** As it is configured. @since 0.1.0 */
export const configured = ({ format, level }: Log = {}): Layer.Layer<never, never, Screen> =>
  Layer.merge(withFormat(format), withLevel(level))
