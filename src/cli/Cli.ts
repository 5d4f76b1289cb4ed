/**
 * The command line: which command is meant, and what its failure looks like.
 *
 * @since 0.1.0
 */
import * as CliConfig from "@effect/cli/CliConfig"
import * as Command from "@effect/cli/Command"
import * as ValidationError from "@effect/cli/ValidationError"
import * as NodeContext from "@effect/platform-node/NodeContext"
import type * as Array from "effect/Array"
import type * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ansi from "./Ansi.js"
import { ExitCode } from "./CliError.js"
import * as Logging from "./Logging.js"
import { Program } from "./Program.js"
import * as Screen from "./Screen.js"

const from = <A>(module: () => Promise<{ readonly command: A }>) => Effect.map(Effect.promise(module), (_) => _.command)

const http = Effect.promise(() => import("@effect/platform-node/NodeHttpClient"))

const overHttp = <Name extends string, R, E, A>(command: Effect.Effect<Command.Command<Name, R, E, A>>) =>
  Effect.zipWith(command, http, (command, { layer }) => Command.provide(command, layer))

const steer = Effect.promise(() => import("./commands/Steer.js"))

/** In the order in which help lists them. */
const commands = {
  serve: overHttp(from(() => import("./commands/Serve.js"))),
  run: overHttp(from(() => import("./commands/Run.js"))),
  agents: overHttp(from(() => import("./commands/Agents.js"))),
  sessions: overHttp(from(() => import("./commands/Sessions.js"))),
  attach: overHttp(from(() => import("./commands/Attach.js"))),
  answer: overHttp(from(() => import("./commands/Answer.js"))),
  decisions: overHttp(from(() => import("./commands/Decisions.js"))),
  cancel: overHttp(Effect.map(steer, (_) => _.cancel)),
  restart: overHttp(Effect.map(steer, (_) => _.restart)),
  close: overHttp(Effect.map(steer, (_) => _.close)),
  acp: overHttp(from(() => import("./commands/Acp.js"))),
  "demo-agent": from(() => import("./commands/DemoAgent.js")),
  "demo-model": from(() => import("./commands/DemoModel.js"))
}

const isCommand = (name: string): name is keyof typeof commands => Object.hasOwn(commands, name)

/** Whoever names a command waits for that one to load, not for all of them. */
const load = ([, , name = ""]: ReadonlyArray<string>) => {
  const { serve, ...others } = commands
  const meant: Array.NonEmptyReadonlyArray<typeof commands[keyof typeof commands]> = isCommand(name)
    ? [commands[name]]
    : [serve, ...Object.values(others)]
  return Effect.all(meant)
}

const holdfast = Command.make("holdfast").pipe(
  Command.withDescription("Hosts sessions with AI agents, and carries their questions to a person")
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
    return yield* Logging.withLevelOf(argv, (argv) =>
      Effect.flatMap(load(argv), (commands) =>
        Command.run(Command.withSubcommands(holdfast, commands), { name: "holdfast", version })(argv))).pipe(
        Effect.as(0),
        Effect.catchAll((error) =>
          ValidationError.isValidationError(error)
            ? Effect.succeed(ExitCode.unusable)
            : Effect.as(
              Effect.forEach(error.lines, (line) =>
                screen.note(`holdfast: ${Ansi.oneLine(line)}`)),
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
      CliConfig.layer({ showBuiltIns: false })
    ))
  )
