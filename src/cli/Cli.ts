/**
 * The command line: which command is meant, and what its failure looks like.
 *
 * @since 0.1.0
 */
import * as CliConfig from "@effect/cli/CliConfig"
import * as Command from "@effect/cli/Command"
import * as ValidationError from "@effect/cli/ValidationError"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import type * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ansi from "./Ansi.js"
import { ExitCode } from "./CliError.js"
import * as Acp from "./commands/Acp.js"
import * as Agents from "./commands/Agents.js"
import * as Answer from "./commands/Answer.js"
import * as Attach from "./commands/Attach.js"
import * as Decisions from "./commands/Decisions.js"
import * as DemoAgent from "./commands/DemoAgent.js"
import * as DemoModel from "./commands/DemoModel.js"
import * as Run from "./commands/Run.js"
import * as Serve from "./commands/Serve.js"
import * as Sessions from "./commands/Sessions.js"
import * as Steer from "./commands/Steer.js"
import * as Logging from "./Logging.js"
import { Program } from "./Program.js"
import * as Screen from "./Screen.js"

const root = Command.make("holdfast").pipe(
  Command.withDescription("Hosts sessions with AI agents, and carries their questions to a person"),
  Command.withSubcommands([
    Serve.command,
    Run.command,
    Agents.command,
    Sessions.command,
    Attach.command,
    Answer.command,
    Decisions.command,
    Steer.cancel,
    Steer.restart,
    Steer.close,
    Acp.command,
    DemoAgent.command,
    DemoModel.command
  ])
)

/**
 * Where `@effect/cli` prints help and complaints: help without colour for who has none, a complaint as one line that says how to get
 * help.
 */
const console = (screen: Screen.Screen["Type"], original: Console.Console): Console.Console => ({
  ...original,
  log: (help: unknown) =>
    Effect.ignore(screen.write(`${screen.color ? String(help) : Ansi.printable(String(help))}\n`)),
  error: (complaint: unknown) => screen.note(`holdfast: ${Ansi.oneLine(String(complaint))}; see holdfast --help`)
})

/**
 * Runs the command that the arguments (of which the first two name the program) describe. Its value is the exit code.
 *
 * @since 0.1.0
 */
export const run = (argv: ReadonlyArray<string>): Effect.Effect<number, never, Program> =>
  Effect.gen(function*() {
    const { version } = yield* Program
    const screen = yield* Screen.Screen
    return yield* Logging.withLevelOf(argv, Command.run(root, { name: "holdfast", version })).pipe(
      Effect.as(0),
      Effect.catchAll((error) =>
        ValidationError.isValidationError(error)
          ? Effect.succeed(ExitCode.unusable)
          : Effect.as(
            Effect.forEach(error.lines, (line) => screen.note(`holdfast: ${Ansi.oneLine(line)}`)),
            error.exitCode
          )
      ),
      Effect.withConsole(console(screen, yield* Effect.console))
    )
  }).pipe(
    Effect.provide(Logging.layer),
    Effect.provide(Layer.mergeAll(
      Screen.layer,
      NodeContext.layer,
      NodeHttpClient.layer,
      CliConfig.layer({ showBuiltIns: false })
    ))
  )
