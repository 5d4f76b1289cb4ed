/**
 * How a command fails: lines for stderr and the exit code.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { ErrorInfo } from "../domain/AgentEvent.js"

/**
 * The exit codes: 0 it worked, 1 it was tried and failed, 2 it could not be tried (bad usage or configuration, something that is not
 * there), 128 + N ended by signal N.
 *
 * @since 0.1.0
 */
export const ExitCode = { failed: 1, unusable: 2, interrupted: 130, brokenPipe: 141 } as const

/**
 * Each line says what is wrong, where, and what would be right. No lines: everything was said already.
 *
 * @since 0.1.0
 */
export class CliError extends Schema.TaggedError<CliError>()("CliError", {
  exitCode: Schema.Number,
  lines: Schema.Array(Schema.String),
  /** The tagged error that it tells of, for who does more than print it. */
  reported: Schema.optional(ErrorInfo)
}) {
  override get message(): string {
    return this.lines.join("\n")
  }
}

/** It could not be tried. @since 0.1.0 */
export const unusable = (...lines: ReadonlyArray<string>): CliError =>
  new CliError({ exitCode: ExitCode.unusable, lines })

/** It was tried and failed. @since 0.1.0 */
export const failed = (...lines: ReadonlyArray<string>): CliError => new CliError({ exitCode: ExitCode.failed, lines })
