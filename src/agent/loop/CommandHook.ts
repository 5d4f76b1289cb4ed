/**
 * A hook that is a program: it is given what happens as JSON on stdin, and what it says is JSON on stdout.
 *
 * ```ts
 * const guard = CommandHook.make("PreToolUse", { command: "./guard.sh", tools: "shell*", within: "10 seconds" })
 * ```
 *
 * Exit code 0 and nothing on stdout: it has nothing to say. Exit code 2 blocks (`deny`), with what it wrote to stderr as the reason. Any
 * other code, and what is no JSON of a hook's form, is a failure, which blocks at `PreToolUse`, too. When its time is over, its whole
 * process group is ended.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as ChildProcess from "../process/ChildProcess.js"
import * as Environment from "../process/Environment.js"
import * as ProcessLedger from "../process/ProcessLedger.js"
import * as Hooks from "./Hooks.js"

/** @since 0.1.0 */
export interface Options extends Hooks.HookOptions {
  /** A path, relative to the session's folder, or a name that is looked up in PATH. No shell reads it. */
  readonly command: string
  readonly args?: ReadonlyArray<string> | undefined
  /** On top of the allowed part of the gateway's own environment. */
  readonly env?: Readonly<Record<string, Redacted.Redacted | string>> | undefined
  /** Ends what a killed gateway left behind at the next start. */
  readonly ledger?: ProcessLedger.ProcessLedger["Type"] | undefined
}

/** Of what it says, in bytes. */
const limit = 1024 * 1024

/** Its stdin has ended already. */
const grace = { stdin: Duration.zero, term: Duration.millis(500), kill: Duration.seconds(2) }

/** The exit code that blocks. */
const blocks = 2

const decode = Schema.decodeUnknown(Schema.parseJson(Hooks.HookOutput))

/** Everything that it writes, `None` if that is more than the limit. */
const output = (child: ChildProcess.ChildProcess) =>
  Effect.gen(function*() {
    const chunks: Array<Buffer> = []
    let size = 0
    for (let chunk = yield* child.read; Option.isSome(chunk); chunk = yield* child.read) {
      size += chunk.value.length
      if (size > limit) return Option.none()
      chunks.push(chunk.value)
    }
    return Option.some(Buffer.concat(chunks).toString("utf8").trim())
  })

/** @since 0.1.0 */
export const make = <Point extends Hooks.HookPoint>(point: Point, options: Options): Hooks.Hook => {
  const { args = [], command, env = {}, ledger = ProcessLedger.none, ...rest } = options
  const name = options.name ?? [command, ...args].join(" ")
  const values = Object.fromEntries(
    Object.entries(env).map(([key, value]) => [key, Redacted.isRedacted(value) ? Redacted.value(value) : value])
  )

  const run = (input: Hooks.HookInput<Point>): Effect.Effect<Hooks.HookOutput, Hooks.HookFailed> =>
    Effect.gen(function*() {
      const failed = (message: string) => new Hooks.HookFailed({ hook: name, message })
      const child = yield* ChildProcess.spawn({
        command,
        args,
        cwd: input.cwd,
        env: Environment.make(values),
        ledger,
        grace
      }).pipe(Effect.mapError(({ message }) => failed(message)))
      // one that does not read it may have said everything all the same
      yield* Effect.forkScoped(Effect.zipRight(child.send(`${JSON.stringify(input)}\n`), child.sent))
      const said = yield* output(child)
      if (Option.isNone(said)) return yield* failed(`it wrote more than ${limit} bytes to stdout`)
      const { code, signal } = yield* child.exited
      const complaint = (yield* child.stderr).trim()
      if (code === blocks) {
        const reason = complaint || said.value
        return { decision: "deny" as const, ...reason === "" ? {} : { reason } }
      }
      if (code !== 0) {
        const how = signal === null ? `exited with code ${code}` : `was ended by ${signal}`
        return yield* failed(`it ${how}${complaint === "" ? "" : `: ${complaint.slice(-500)}`}`)
      }
      if (said.value === "") return {}
      return yield* Effect.mapError(decode(said.value), (error) =>
        failed(
          `what it wrote to stdout is not what a hook may say: ${
            ParseResult.TreeFormatter.formatErrorSync(error).replace(/\s+/g, " ").slice(0, 500)
          }`
        ))
    }).pipe(Effect.scoped)

  return Hooks.on(point, run, { ...rest, name })
}
