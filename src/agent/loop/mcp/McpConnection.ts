/**
 * One connection to one MCP server, through the official client, which speaks with servers of 2025 and of 2026. All of it, the process of
 * a local server included, is in the scope.
 *
 * @since 0.1.0
 */
import {
  type CallToolResult,
  Client,
  type Progress,
  ProtocolError,
  SdkError,
  SdkErrorCode,
  SdkHttpError,
  type Tool as McpTool,
  type Transport
} from "@modelcontextprotocol/client"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as McpElicitation from "../../../domain/McpElicitation.js"
import * as Heartbeat from "../../../lifecycle/stream/Heartbeat.js"
import * as Intake from "../../../lifecycle/stream/Intake.js"
import * as ChildProcess from "../../process/ChildProcess.js"
import * as Environment from "../../process/Environment.js"
import type { ProcessLedger } from "../../process/ProcessLedger.js"
import { type ToolContext, ToolFailure, type ToolResult } from "../Toolset.js"
import * as HttpTransport from "./HttpTransport.js"
import { type McpServer, reveal } from "./McpOptions.js"
import * as McpQuestions from "./McpQuestions.js"
import * as McpTools from "./McpTools.js"
import * as StdioTransport from "./StdioTransport.js"

/** A server that cannot be reached, or whose tools cannot be had. @since 0.1.0 */
export class McpUnavailable extends Schema.TaggedError<McpUnavailable>()("McpUnavailable", {
  /** A local server that started and ended by itself. */
  exited: Schema.Boolean,
  message: Schema.String
}) {}

/** The server does not know the session any more: it has made no call, and a new session may make it. @since 0.1.0 */
export class McpSessionGone extends Schema.TaggedError<McpSessionGone>()("McpSessionGone", {
  message: Schema.String
}) {}

/** @since 0.1.0 */
export interface McpConnection {
  readonly call: (
    tool: string,
    args: unknown,
    context: ToolContext
  ) => Effect.Effect<ToolResult, ToolFailure | McpSessionGone, Scope.Scope>
  /** Completes when the server is gone. */
  readonly ended: Effect.Effect<void>
  readonly isOpen: Effect.Effect<boolean>
  /** What there is to say about that end, once everything is closed. */
  readonly epitaph: Effect.Effect<string>
}

/** @since 0.1.0 */
export interface Options {
  readonly server: McpServer
  readonly cwd: string
  readonly ledger: ProcessLedger["Type"]
  /** Hears of the tools when they are known, and whenever the server says that they have changed. */
  readonly onTools: (tools: ReadonlyArray<McpTool>) => void
}

/** So long a local server may think about a question that only those of 2026 know; an older one may never answer it. */
const probeTimeout = 5000
/** How often a call may be sent back to pages that have to be visited first. */
const maxVisits = 5
/** The client's own clocks are not used: they know nothing of the time that a person takes. */
const noTimeout = 2 ** 31 - 1
const defaults = { startTimeout: 30, callTimeout: 120 }

const messageOf = (cause: unknown): string => {
  const message = cause instanceof Error ? cause.message : String(cause)
  const deeper = cause instanceof Error && cause.cause instanceof Error ? `: ${cause.cause.message}` : ""
  return `${message}${deeper}`.replace(/\s+/g, " ").slice(0, 500)
}

/** @since 0.1.0 */
export const startTimeout = (server: McpServer): Duration.Duration =>
  Duration.seconds(server.startTimeout ?? defaults.startTimeout)

/** How a process ended, in words, if it has. */
const epitaph = (process: ChildProcess.ChildProcess) =>
  Effect.gen(function*() {
    // its output may close a little before it ends
    const exit = yield* Effect.timeoutOption(process.exited, "1 second")
    const last = (yield* process.stderr).trim().split("\n").at(-1) ?? ""
    return Option.map(exit, ({ code, signal }) =>
      `its process ${signal === null ? `exited with code ${code}` : `was ended by ${signal}`}${
        last === "" ? "" : `; it last wrote: ${last.slice(0, 300)}`
      }`)
  })

interface Line {
  readonly transport: Transport
  /** How the server's process ended, if it has one that did. */
  readonly exited: Effect.Effect<Option.Option<string>>
}

const dialLocal = (server: Extract<McpServer, { command: string }>, { cwd, ledger }: Options) =>
  Effect.gen(function*() {
    const process = yield* ChildProcess.spawn({
      command: server.command,
      args: server.args ?? [],
      cwd,
      env: Environment.make(reveal(server.env)),
      ledger
    })
    const line: Line = { transport: yield* StdioTransport.make(process), exited: epitaph(process) }
    return line
  }).pipe(Effect.mapError(({ message }) => new McpUnavailable({ exited: false, message })))

const dialRemote = (server: Extract<McpServer, { url: string }>) =>
  Effect.map(
    HttpTransport.make(server.url, reveal(server.headers)),
    (transport): Line => ({ transport, exited: Effect.succeedNone })
  )

/** By the specification it is a 404; of many a server, the SDK's own examples among them, a 400 that says so. */
const isForgotten = (cause: unknown): boolean =>
  cause instanceof SdkHttpError &&
  (cause.data.status === 404 || cause.data.status === 400 && /session/i.test(cause.message))

/** An error after which the session is of no more use: the server is not there, or does not know it any more. */
const isLost = (cause: unknown): boolean =>
  cause instanceof SdkHttpError
    ? isForgotten(cause)
    : cause instanceof SdkError
    ? cause.code === SdkErrorCode.ConnectionClosed || cause.code === SdkErrorCode.NotConnected
    : cause instanceof ProtocolError
    ? cause.code === HttpTransport.lostCode
    // what fetch throws
    : cause instanceof TypeError

/** A connection whose handshake is done. `how` is "legacy" for a server that took the question what it speaks for its end. */
const handshake = (options: Options, how: "auto" | "legacy") =>
  Effect.gen(function*() {
    const { onTools, server } = options
    const millis = Duration.toMillis(startTimeout(server))
    const { exited, transport } = "command" in server ? yield* dialLocal(server, options) : yield* dialRemote(server)
    const questions = McpQuestions.make()
    const closed = Deferred.unsafeMake<void>(FiberId.none)
    const client = new Client({ name: "holdfast", version: "0.1.0" }, {
      capabilities: { elicitation: { form: {}, url: {} } },
      versionNegotiation: { mode: "auto", probe: { timeoutMs: Math.min(probeTimeout, millis / 2) } },
      listChanged: { tools: { debounceMs: 100, onChanged: (_, tools) => tools !== null && onTools(tools) } }
    })
    client.setRequestHandler("elicitation/create", ({ params }, { mcpReq }) => questions.elicit(params, mcpReq.signal))
    client.setNotificationHandler("notifications/elicitation/complete", ({ params }) =>
      questions.completed(params.elicitationId))
    client.onclose = () =>
      Deferred.unsafeDone(closed, Effect.void)

    yield* Effect.addFinalizer(() => Effect.ignore(Effect.tryPromise(() => client.close())))
    const unavailable = (cause: unknown) => new McpUnavailable({ exited: false, message: messageOf(cause) })
    yield* Effect.tryPromise({
      try: (signal) =>
        client.connect(transport, {
          signal,
          timeout: millis,
          ...how === "legacy" ? { prior: { kind: "legacy" } } : {}
        }),
      catch: unavailable
    }).pipe(
      // what the process said is more than that it is gone
      Effect.catchAll((error) =>
        Effect.flatMap(exited, (message) =>
          Option.isSome(message) ? new McpUnavailable({ exited: true, message: message.value }) : error)
      )
    )
    onTools(
      (yield* Effect.tryPromise({
        try: (signal) =>
          client.listTools(undefined, { signal, timeout: millis }),
        catch: unavailable
      })).tools
    )
    return {
      client,
      questions,
      closed,
      epitaph: Effect.map(
        exited,
        Option.getOrElse(() =>
          "the connection was lost"
        )
      )
    }
  })

/** A server that exits when it is asked for what it does not know is started again and asked for less. */
const dial = (options: Options) =>
  Effect.gen(function*() {
    const outer = yield* Effect.scope
    const attempt = (how: "auto" | "legacy") =>
      Effect.flatMap(Scope.fork(outer, ExecutionStrategy.sequential), (scope) =>
        Scope.extend(handshake(options, how), scope).pipe(
          Effect.tapErrorCause((cause) =>
            Scope.close(scope, Exit.failCause(cause))
          )
        ))
    return yield* Effect.catchIf(attempt("auto"), ({ exited }) => exited, () => attempt("legacy"))
  })

/** @since 0.1.0 */
export const connect = (options: Options): Effect.Effect<McpConnection, McpUnavailable, Scope.Scope> =>
  Effect.gen(function*() {
    const { server } = options
    const { client, closed, epitaph, questions } = yield* dial(options)
    const idle = Duration.seconds(server.callTimeout ?? defaults.callTimeout)

    const call: McpConnection["call"] = (tool, args, context) =>
      Effect.gen(function*() {
        if (!Predicate.isRecord(args)) return yield* new ToolFailure({ message: "the arguments must be an object" })
        const scope = yield* Effect.scope
        const watch = yield* Heartbeat.make({ idle, scope })
        const open = yield* questions.open(context, watch.hold)
        // of a flood of it the newest is enough
        let newest: Option.Option<Progress> = Option.none()
        const progressed = Intake.make<void>(1)
        const onprogress = (progress: Progress) => {
          newest = Option.some(progress)
          if (!progressed.full()) progressed.push([undefined])
        }
        yield* Effect.forkIn(
          progressed.take.pipe(
            Effect.zipRight(watch.beat),
            Effect.flatMap(() => newest),
            Effect.flatMap((progress) => context.progress(McpTools.toProgress(progress))),
            Effect.forever,
            Effect.ignore,
            Effect.interruptible
          ),
          scope
        )
        const given = new AbortController()
        yield* Effect.forkIn(
          Effect.interruptible(Effect.zipRight(watch.silence, Effect.sync(() => given.abort()))),
          scope
        )
        const send = Effect.tryPromise({
          try: (signal) =>
            open.enter(() =>
              client.callTool({ name: tool, arguments: args }, {
                signal: AbortSignal.any([signal, given.signal]),
                timeout: noTimeout,
                onprogress
              })
            ),
          catch: (cause) => cause
        })
        const failure = (cause: unknown) => {
          if (isLost(cause)) Deferred.unsafeDone(closed, Effect.void)
          const message = given.signal.aborted
            ? `no sign of life came for ${Duration.format(idle)}, so it was given up`
            : messageOf(cause)
          const told = { message: `${server.name}: ${message}` }
          return isForgotten(cause) ? new McpSessionGone(told) : new ToolFailure(told)
        }
        return yield* visiting(send, open, maxVisits).pipe(Effect.mapBoth({
          onSuccess: McpTools.toResult,
          onFailure: failure
        }))
      })

    return { call, ended: Deferred.await(closed), isOpen: Effect.negate(Deferred.isDone(closed)), epitaph }
  })

/** Makes the call again once the pages that it names were visited. */
const visiting = (
  send: Effect.Effect<CallToolResult, unknown>,
  call: McpQuestions.OpenCall,
  rounds: number
): Effect.Effect<CallToolResult, unknown> =>
  Effect.catchAll(send, (cause) => {
    const pages = McpElicitation.fromUrlRequired(cause)
    if (Either.isLeft(pages) || rounds === 0) return Effect.fail(cause)
    return Effect.forEach(pages.right, (page) =>
      Effect.flatMap(call.ask(page), (answer) =>
        Option.isSome(answer) && answer.value.action === "accept"
          ? Effect.void
          : Effect.fail(
            new ToolFailure({ message: `a page that has to be visited first was not: ${page.request.message}` })
          ))).pipe(
        Effect.zipRight(visiting(send, call, rounds - 1))
      )
  })
