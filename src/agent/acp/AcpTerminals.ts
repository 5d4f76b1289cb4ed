/**
 * The commands that an agent runs through its client. Each is a process group of its own that ends when it is released, and with the
 * connection at the latest; what it does becomes `ProcessStatus` and `ProcessOutput` events, whose `processId` is the terminal's id.
 *
 * @see https://agentclientprotocol.com/protocol/terminals
 * @since 0.1.0
 */
import * as acp from "@agentclientprotocol/sdk"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { AgentEvent } from "../../domain/AgentEvent.js"
import { IdSource } from "../../domain/Ids.js"
import * as ChildProcess from "../process/ChildProcess.js"
import type { ProcessLedger } from "../process/ProcessLedger.js"

type Named = Pick<acp.TerminalOutputRequest, "sessionId" | "terminalId">

/** @since 0.1.0 */
export interface AcpTerminals {
  readonly create: (params: acp.CreateTerminalRequest) => Effect.Effect<acp.CreateTerminalResponse, acp.RequestError>
  readonly output: (params: Named) => Effect.Effect<acp.TerminalOutputResponse, acp.RequestError>
  readonly waitForExit: (params: Named) => Effect.Effect<acp.WaitForTerminalExitResponse, acp.RequestError>
  readonly kill: (params: Named) => Effect.Effect<acp.KillTerminalResponse, acp.RequestError>
  readonly release: (params: Named) => Effect.Effect<acp.ReleaseTerminalResponse, acp.RequestError>
}

interface Terminal {
  readonly scope: Scope.CloseableScope
  readonly child: ChildProcess.ChildProcess
  readonly exit: Deferred.Deferred<acp.TerminalExitStatus>
  readonly output: Tail
}

/** The last `limit` bytes of a text, cut where a character begins. */
interface Tail {
  readonly push: (text: string) => void
  readonly get: () => { readonly output: string; readonly truncated: boolean }
}

const makeTail = (limit: number): Tail => {
  let kept = Buffer.alloc(0)
  let truncated = false
  const cut = () => {
    if (kept.length <= limit) return
    let from = kept.length - limit
    while (from < kept.length && ((kept[from] ?? 0) & 0xc0) === 0x80) from++
    kept = kept.subarray(from)
    truncated = true
  }
  return {
    push: (text) => {
      kept = Buffer.concat([kept, Buffer.from(text)])
      cut()
    },
    get: () => ({ output: kept.toString("utf8"), truncated })
  }
}

/** What is kept of an output when the agent names no limit, in bytes. */
const defaultLimit = 1024 * 1024

/**
 * Output and errors in one pipe, in the order in which they were written, and no input. Agents often give a whole line for the shell as
 * the command, without arguments.
 */
const toShell = (command: string, args: ReadonlyArray<string>): ReadonlyArray<string> =>
  args.length === 0
    ? ["-c", `exec </dev/null 2>&1\n${command}`]
    : ["-c", "exec \"$@\" </dev/null 2>&1", "sh", command, ...args]

/** @since 0.1.0 */
export const make = Effect.fnUntraced(function*(options: {
  readonly cwd: string
  /** What every command's environment has; the request may add to it. */
  readonly env: Readonly<Record<string, string>>
  readonly ledger: ProcessLedger["Type"]
  readonly grace: ChildProcess.Grace
  readonly say: (event: AgentEvent) => void
  readonly room: Effect.Effect<void>
  /** What is kept of an output at most, in bytes, whatever the agent asks for. */
  readonly limit: number
}) {
  // parallel: what does not end by itself costs its wait only once
  const owner = yield* Effect.flatMap(Effect.scope, (scope) => Scope.fork(scope, ExecutionStrategy.parallel))
  const ids = yield* IdSource
  const terminals = new Map<string, Terminal>()

  const find = ({ terminalId }: Named): Effect.Effect<Terminal, acp.RequestError> => {
    const terminal = terminals.get(terminalId)
    return terminal === undefined
      ? Effect.fail(acp.RequestError.resourceNotFound(terminalId))
      : Effect.succeed(terminal)
  }

  /** Its end is told once: as it was seen or, when it is released before that, as one that nobody saw. */
  const over = (processId: string, { exit }: Terminal, status: { exitCode: number | null; signal: string | null }) =>
    Effect.tap(Deferred.succeed(exit, status), (first) =>
      Effect.sync(() => {
        if (first) options.say({ type: "ProcessStatus", processId, status: "exited", ...status })
      }))

  /** Reads until the end, and tells. */
  const follow = (processId: string, terminal: Terminal) =>
    Effect.gen(function*() {
      const { child, output } = terminal
      const decoder = new TextDecoder()
      const tell = (data: string) => {
        if (data === "") return
        output.push(data)
        options.say({ type: "ProcessOutput", processId, stream: "merged", data })
      }
      for (let bytes = yield* child.read; Option.isSome(bytes); bytes = yield* child.read) {
        tell(decoder.decode(bytes.value, { stream: true }))
        yield* options.room
      }
      tell(decoder.decode())
      const { code, signal } = yield* child.exited
      yield* over(processId, terminal, { exitCode: code, signal })
    })

  const terminalsApi: AcpTerminals = {
    create: ({ args, command, cwd, env, outputByteLimit }) =>
      Effect.uninterruptible(Effect.gen(function*() {
        const terminalId = yield* ids.next("term")
        const scope = yield* Scope.fork(owner, ExecutionStrategy.sequential)
        const child = yield* ChildProcess.spawn({
          command: "/bin/sh",
          args: toShell(command, args ?? []),
          cwd: cwd ?? options.cwd,
          env: { ...options.env, ...Object.fromEntries((env ?? []).map(({ name, value }) => [name, value])) },
          ledger: options.ledger,
          // it has no stdin whose end it could wait for
          grace: { ...options.grace, stdin: Duration.zero }
        }).pipe(
          Scope.extend(scope),
          Effect.tapError(() => Scope.close(scope, Exit.void)),
          Effect.mapError((error) => new acp.RequestError(-32602, error.message))
        )
        const terminal: Terminal = {
          scope,
          child,
          exit: yield* Deferred.make<acp.TerminalExitStatus>(),
          output: makeTail(Math.min(outputByteLimit ?? defaultLimit, options.limit))
        }
        terminals.set(terminalId, terminal)
        const line = [command, ...args ?? []].join(" ")
        options.say({ type: "ProcessStatus", processId: terminalId, status: "running", command: line })
        yield* Effect.forkIn(Effect.interruptible(follow(terminalId, terminal)), scope)
        return { terminalId }
      })),
    output: (params) =>
      Effect.gen(function*() {
        const { exit, output } = yield* find(params)
        const exitStatus = yield* Option.getOrElse(yield* Deferred.poll(exit), () => Effect.succeed(undefined))
        return { ...output.get(), ...exitStatus === undefined ? {} : { exitStatus } }
      }),
    waitForExit: (params) => Effect.flatMap(find(params), ({ exit }) => Deferred.await(exit)),
    kill: (params) => Effect.as(Effect.flatMap(find(params), ({ child }) => child.kill), {}),
    release: (params) =>
      Effect.flatMap(find(params), (terminal) => {
        const { child, exit, scope } = terminal
        terminals.delete(params.terminalId)
        return child.kill.pipe(
          // so that its last output and its end are told
          Effect.zipRight(Effect.timeoutOption(Effect.interruptible(Deferred.await(exit)), "1 second")),
          // whoever waits for it is not left waiting
          Effect.zipRight(over(params.terminalId, terminal, { exitCode: null, signal: null })),
          Effect.zipRight(Scope.close(scope, Exit.void)),
          Effect.as({}),
          Effect.uninterruptible
        )
      })
  }
  return terminalsApi
})
