/** The built program as a person uses it: with a terminal, a pipe or Ctrl-C. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as ChildProcess from "node:child_process"
import { main, temporary } from "../program.js"

export interface Running {
  readonly pid: number
  readonly stdout: () => string
  readonly stderr: () => string
  readonly type: (text: string) => Effect.Effect<void>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** Leaves, as `| head` does. */
  readonly stopReading: Effect.Effect<void>
  /** Waits until stdout, or stderr, matches. */
  readonly says: (pattern: RegExp) => Effect.Effect<void>
  readonly exited: () => boolean
  readonly exit: Effect.Effect<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>
}

export interface Options {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  /** What stdin holds; otherwise it stays open. */
  readonly stdin?: string
  /** Gives it a terminal, by `script` of util-linux. */
  readonly terminal?: boolean
}

/** A folder in which nothing is configured. */
export const folder = temporary

const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`

/** Starts `holdfast` with these arguments; it is killed, with everything that hangs on it, when the scope closes. */
export const start = Effect.fnUntraced(function*(options: Options, ...args: ReadonlyArray<string>) {
  const command = [process.execPath, main, ...args]
  const [file = "", ...rest] = options.terminal === true
    ? ["script", "-qefc", command.map(quoted).join(" "), "/dev/null"]
    : command
  const own = Object.entries(process.env).filter(([name]) => !/^(HOLDFAST_|NO_COLOR|FORCE_COLOR)/.test(name))
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      ChildProcess.spawn(file, rest, {
        cwd: options.cwd,
        env: {
          ...Object.fromEntries(own),
          TERM: "xterm",
          HOLDFAST_DEMO_PACE: "0",
          HOLDFAST_DEMO_STATE: `${options.cwd}/.demo`,
          ...options.env
        },
        stdio: "pipe"
      })
    ),
    (child) => Effect.sync(() => void child.kill("SIGKILL"))
  )
  let stdout = ""
  let stderr = ""
  let closed = false
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text
  })
  child.stdin.on("error", () => {})
  child.on("close", () => {
    closed = true
  })
  if (options.stdin !== undefined) child.stdin.end(options.stdin)

  const poll = (condition: () => boolean) =>
    Effect.repeat(Effect.void, Schedule.spaced("20 millis").pipe(Schedule.untilInput(condition))).pipe(
      Effect.timeoutFail({
        duration: "1 minute",
        onTimeout: () => new Error(`waited in vain; stdout: ${stdout}\nstderr: ${stderr}`)
      }),
      Effect.orDie,
      Effect.asVoid
    )
  const running: Running = {
    pid: child.pid ?? 0,
    stdout: () => stdout,
    stderr: () => stderr,
    type: (text) => Effect.sync(() => void child.stdin.write(text)),
    signal: (signal) => Effect.sync(() => void child.kill(signal)),
    stopReading: Effect.sync(() => void child.stdout.destroy()),
    says: (pattern) => poll(() => closed || pattern.test(stdout) || pattern.test(stderr)),
    exited: () => closed,
    exit: Effect.map(poll(() => closed), () => ({ code: child.exitCode, stdout, stderr }))
  }
  return running
})

/** Runs `holdfast` to its end. */
export const run = (options: Options, ...args: ReadonlyArray<string>) =>
  Effect.scoped(Effect.flatMap(start({ stdin: "", ...options }, ...args), ({ exit }) => exit))
