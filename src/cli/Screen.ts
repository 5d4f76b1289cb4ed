/**
 * The two outputs of the program: what it was asked for goes to stdout, what it has to say about that to stderr.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { CliError, ExitCode } from "./CliError.js"

/** @since 0.1.0 */
export class Screen extends Context.Tag("holdfast/cli/Screen")<Screen, {
  /** stdout is a terminal whose cursor can be moved. */
  readonly live: boolean
  readonly color: boolean
  /** A person can be asked: stdin and stdout are terminals. */
  readonly interactive: boolean
  readonly rows: number
  /** Writes to stdout, as fast as it is read. A reader that has left (`| head`) is a quiet end of the program. */
  readonly write: (text: string) => Effect.Effect<void, CliError>
  /** One line to stderr. */
  readonly note: (line: string) => Effect.Effect<void>
  /** What Ctrl-C does, for those who read it as a key: a terminal that a prompt reads from sends no signal. */
  readonly interrupt: Effect.Effect<never>
}>() {}

/**
 * The process's own. It is the platform adapter for `process.stdout`, which has no Effect interface that survives a reader who leaves:
 * the stream's `error` event, unlistened to, ends the process with a stack trace.
 *
 * @since 0.1.0
 */
export const layer: Layer.Layer<Screen> = Layer.effect(
  Screen,
  Effect.gen(function*() {
    const { env, stderr, stdin, stdout } = process
    const ignore = () => {}
    // for good: a late EPIPE comes after everything else has ended
    yield* Effect.sync(() => [stdout, stderr].forEach((stream) => stream.on("error", ignore)))
    const gone = new CliError({ exitCode: ExitCode.brokenPipe, lines: [] })
    const live = stdout.isTTY === true && env["TERM"] !== "dumb"
    return Screen.of({
      live,
      color: live && (env["NO_COLOR"] ?? "") === "",
      interactive: live && stdin.isTTY === true,
      rows: stdout.rows ?? 24,
      write: (text) =>
        text === ""
          ? Effect.void
          : Effect.uninterruptible(Effect.async<void, CliError>((resume) => {
            stdout.write(text, (error) => resume(error ? Effect.fail(gone) : Effect.void))
          })),
      note: (line) => Effect.sync(() => stderr.write(`${line}\n`)).pipe(Effect.asVoid),
      interrupt: Effect.zipRight(Effect.sync(() => process.kill(process.pid, "SIGINT")), Effect.never)
    })
  })
)
