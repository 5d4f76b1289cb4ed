/**
 * A child process and everything that it starts, owned by a Scope (AG1).
 *
 * It leads a process group of its own. Closing the scope asks (stdin ends), tells (SIGTERM) and kills (SIGKILL), each to the whole
 * group and with a bounded wait. A leader that ends by itself takes the rest of its group along.
 *
 * ```ts
 * const child = yield* ChildProcess.spawn({ command: "cat", args: [], cwd: "/", env: {}, ledger: ProcessLedger.none })
 * yield* child.send("hello\n")
 * const bytes = yield* child.read // Some(Buffer "hello\n")
 * ```
 *
 * Platform's `Command` is not used here: it has no backpressure on stdin, no SIGKILL, and an EPIPE can end the whole program.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as NodeChildProcess from "node:child_process"
import * as fs from "node:fs"
import { AgentCommandNotFound, AgentDied, AgentUnsupported } from "../../domain/Errors.js"
import * as Monotonic from "../../lifecycle/Monotonic.js"
import * as ProcessGroup from "./ProcessGroup.js"
import type { ProcessLedger } from "./ProcessLedger.js"
import * as ProcessTable from "./ProcessTable.js"

/** How a process ended: one of the two is set, unless nobody could see it end. @since 0.1.0 */
export interface Exit {
  readonly code: number | null
  readonly signal: string | null
}

/** @since 0.1.0 */
export interface ChildProcess {
  readonly pid: number
  /** The next bytes of stdout; `None` when there will be no more. Between two reads at most one pipe's worth is taken from the child. */
  readonly read: Effect.Effect<Option.Option<Buffer>>
  /** Waits until the pipe has taken the text. It does not fail: that the child is gone is told by `read` and `exited`. */
  readonly send: (text: string) => Effect.Effect<void>
  /** Ends its stdin: there is no more to be sent. */
  readonly sent: Effect.Effect<void>
  /** The end of what it wrote to stderr, at most 64 KiB. */
  readonly stderr: Effect.Effect<string>
  /** Completes when the child has exited and what it wrote to stderr is read. The rest of its group is then being ended. */
  readonly exited: Effect.Effect<Exit>
  /** Ends the group without asking: SIGTERM, then SIGKILL. */
  readonly kill: Effect.Effect<void>
}

/** The bounded waits of an end. @since 0.1.0 */
export interface Grace extends ProcessGroup.Grace {
  /** After stdin was closed. */
  readonly stdin: Duration.Duration
}

/** @since 0.1.0 */
export const defaultGrace: Grace = {
  stdin: Duration.seconds(2),
  term: Duration.seconds(2),
  kill: Duration.seconds(2)
}

/** @since 0.1.0 */
export interface Options {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly cwd: string
  /** The whole environment: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>
  readonly ledger: ProcessLedger["Type"]
  readonly grace?: Grace | undefined
}

/** @since 0.1.0 */
export type SpawnError = AgentCommandNotFound | AgentUnsupported | AgentDied

const stderrLimit = 64 * 1024

/**
 * How long is waited for bytes in all once the whole group is gone, and how many still count, more than a pipe holds: whoever holds the
 * pipe then has left the group, and may write for ever.
 */
const drainWait = 500
const drainLimit = 2 * 1024 * 1024
/** As many bytes as are taken out of a pipe at once. */
const pipeful = 64 * 1024

const isFolder = (path: string) => fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() === true

const spawnError = (options: Options, cause: unknown): SpawnError => {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined
  const { command, cwd } = options
  const path = options.env["PATH"] ?? ""
  if (code !== "ENOENT" && code !== "EACCES" && code !== "ENOTDIR") {
    return new AgentDied({
      exitCode: null,
      signal: null,
      stderr: "",
      message: `${command} cannot be started: ${String(cause)}`
    })
  }
  // a spawn reports a working folder that is gone with the same code as a command that is not there
  if (!isFolder(cwd)) {
    return new AgentCommandNotFound({
      command,
      path,
      message: `${command} cannot be started: its working folder ${cwd} is not there`
    })
  }
  return new AgentCommandNotFound({
    command,
    path,
    message: code === "EACCES"
      ? `the command "${command}" may not be executed (PATH is ${path})`
      : `the command "${command}" is not there: it is neither a path nor in one of the folders of PATH (${path})`
  })
}

const alive = Metric.gauge("holdfast_agent_processes", { description: "Agent processes that are alive" })

type Handle = NodeChildProcess.ChildProcessWithoutNullStreams

const start = (options: Options, left: Deferred.Deferred<Exit>, stderrEnded: Deferred.Deferred<void>) =>
  Effect.async<readonly [child: Handle, pid: number], SpawnError>((resume) => {
    try {
      const child = NodeChildProcess.spawn(options.command, options.args, {
        cwd: options.cwd,
        env: { ...options.env, ...options.ledger.mark },
        detached: true,
        stdio: "pipe"
      })
      // permanent: without a listener an EPIPE, or a kill that fails, would end this whole program
      child.on("error", (cause) => resume(Effect.fail(spawnError(options, cause))))
      if (child.pid === undefined) return
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on("error", () => {})
      alive.unsafeModify(1, [])
      child.on("exit", (code, signal) => {
        alive.unsafeModify(-1, [])
        Deferred.unsafeDone(left, Effect.succeed({ code, signal }))
      })
      child.stderr.on("close", () => Deferred.unsafeDone(stderrEnded, Effect.void))
      resume(Effect.succeed([child, child.pid]))
    } catch (cause) {
      resume(Effect.fail(spawnError(options, cause)))
    }
  })

/** Keeps the end of stderr, and always reads it: a full pipe would stop the child. */
const tail = (stream: NodeJS.ReadableStream) => {
  let kept = Buffer.alloc(0)
  stream.on("data", (chunk: Buffer) => {
    kept = Buffer.concat([kept, chunk]).subarray(-stderrLimit)
  })
  // the cut may have gone through a character: its rest is left out
  return () =>
    kept.subarray(kept.length < stderrLimit ? 0 : kept.findIndex((byte) => (byte & 0xc0) !== 0x80)).toString("utf8")
}

/** @since 0.1.0 */
export const spawn = (options: Options): Effect.Effect<ChildProcess, SpawnError, Scope.Scope> =>
  Effect.gen(function*() {
    if (!ProcessTable.supported) {
      return yield* new AgentUnsupported({
        capability: "process groups",
        message: `agents run as process groups, which are not supported on ${process.platform}: use Linux or macOS`
      })
    }
    const grace = options.grace ?? defaultGrace
    const left = yield* Deferred.make<Exit>() // the leader
    const exited = yield* Deferred.make<Exit>() // and its stderr is read
    const stderrEnded = yield* Deferred.make<void>()

    const ending = (pid: number) => {
      // once it has no member it is left alone: its number may be another's by then
      let gone = false
      const end = Effect.flatMap(ProcessGroup.end(pid, grace), (isGone) => {
        gone = isGone
        return isGone
          ? options.ledger.forget(pid)
          : Effect.logWarning(`the process group ${pid} of ${options.command} does not end, not even by SIGKILL`)
      })
      return Effect.suspend(() => gone ? Effect.void : end)
    }

    const { child, endGroup, pid } = yield* Effect.acquireRelease(
      start(options, left, stderrEnded).pipe(
        // nothing lies between the spawn and the record: both are one synchronous step
        Effect.tap(([, pid]) => options.ledger.record(pid)),
        Effect.map(([child, pid]) => ({ child, pid, endGroup: ending(pid) }))
      ),
      ({ child, endGroup }) =>
        Effect.gen(function*() {
          child.stdin.end()
          // nobody reads it any more, but a child that is stuck in a write would not see the end of its stdin
          child.stdout.removeAllListeners("readable").resume()
          // whoever closes the scope may be interrupted meanwhile, and that reaches what waits: then the wait is over, and not the end
          const ended = (within: Duration.Duration) =>
            Effect.exit(Effect.timeoutOption(Effect.interruptible(Deferred.await(left)), within))
          yield* ended(grace.stdin)
          yield* endGroup
          // it is a zombie until this process has heard of its end
          yield* ended(grace.kill)
          for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy()
          yield* Deferred.succeed(exited, { code: child.exitCode, signal: child.signalCode })
        })
    )
    const stderr = tail(child.stderr)

    let wake = () => {}
    /** What may still be read when the group is gone. */
    let drain: { millis: number; bytes: number } | undefined
    child.stdout.on("readable", () => wake())
    child.stdout.on("close", () => wake())

    const next: Effect.Effect<Option.Option<Buffer>> = Effect.async((resume) => {
      const wasSettled = drain !== undefined
      wake = () => {
        const chunk: Buffer | null = child.stdout.read()
        if (chunk !== null) resume(Effect.succeed(Option.some(chunk)))
        else if (child.stdout.readableEnded || child.stdout.destroyed) resume(Effect.succeed(Option.none()))
        // it has begun to wait for a child that lived, and waits on for one that does not
        else if (drain !== undefined && !wasSettled) resume(read)
        else return
        wake = () => {}
      }
      wake()
      // or it would take a chunk that nobody waits for
      return Effect.sync(() => {
        wake = () => {}
      })
    })
    /** What is in the pipe: only the platform's event loop knows when it has looked there. */
    const look = Effect.async<Option.Option<Buffer>>((resume) => {
      const looked = setImmediate(() =>
        resume(Effect.sync(() => Option.fromNullable<Buffer | null>(child.stdout.read())))
      )
      return Effect.sync(() => clearImmediate(looked))
    })
    const drained = Effect.fnUntraced(function*(left: { millis: number; bytes: number }) {
      if (left.bytes <= 0) return Option.none()
      const since = yield* Monotonic.now
      const inTime = yield* Effect.timeoutOption(next, Math.max(left.millis, 0))
      left.millis -= (yield* Monotonic.now) - since
      // an event loop that is busy sees that the time is over before it sees what was in the pipe all the while
      const chunk = Option.isSome(inTime) ? inTime.value : yield* look
      left.bytes -= Math.max(Option.isSome(chunk) ? chunk.value.length : 0, Option.isSome(inTime) ? 0 : pipeful)
      return chunk
    })
    const read: Effect.Effect<Option.Option<Buffer>> = Effect.suspend(() => drain === undefined ? next : drained(drain))

    const settle = Effect.zipRight(
      endGroup,
      Effect.sync(() => {
        drain = { millis: drainWait, bytes: drainLimit }
        wake()
      })
    )
    const tell = (exit: Exit) =>
      Effect.zipRight(Effect.timeoutOption(Deferred.await(stderrEnded), drainWait), Deferred.succeed(exited, exit))
    // a fork inherits its place: where the caller cannot be interrupted the scope would wait for the child for ever
    yield* Effect.forkScoped(Effect.interruptible(Effect.zipRight(Deferred.await(left), settle)))
    yield* Effect.forkScoped(Effect.interruptible(Effect.flatMap(Deferred.await(left), tell)))

    return {
      pid,
      read,
      // a write to a pipe that is broken or closed calls back too
      send: (text) =>
        Effect.async<void>((resume) => {
          child.stdin.write(text, () => resume(Effect.void))
        }),
      sent: Effect.sync(() => void child.stdin.end()),
      stderr: Effect.sync(stderr),
      exited: Deferred.await(exited),
      kill: endGroup
    }
  })
