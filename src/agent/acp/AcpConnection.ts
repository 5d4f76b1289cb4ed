/**
 * One session of one ACP agent: the process, the protocol, and what both say as `AgentSignal`s in the order of the wire (AG4).
 *
 * The handlers below are plain callbacks that push into the queue and return: no fiber a message. What takes time (files, terminals,
 * the answer to a question) runs beside, in fibers of the connection's scope.
 *
 * @since 0.1.0
 */
import * as acp from "@agentclientprotocol/sdk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FiberSet from "effect/FiberSet"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { AgentEvent } from "../../domain/AgentEvent.js"
import type { ContentBlock } from "../../domain/Content.js"
import { type AgentError, AgentProtocolError, AgentStartTimeout, AgentUnsupported } from "../../domain/Errors.js"
import type { RunId } from "../../domain/Ids.js"
import type { AgentConnection, ConnectOptions, TurnResult } from "../Agent.js"
import { reveal } from "../OptionFields.js"
import * as ChildProcess from "../process/ChildProcess.js"
import * as Environment from "../process/Environment.js"
import type { ProcessLedger } from "../process/ProcessLedger.js"
import * as AcpFiles from "./AcpFiles.js"
import * as AcpHandshake from "./AcpHandshake.js"
import type { AcpAgentOptions } from "./AcpOptions.js"
import * as AcpRpc from "./AcpRpc.js"
import * as AcpTerminals from "./AcpTerminals.js"
import * as AcpUpdates from "./AcpUpdates.js"
import * as OpenQuestions from "./OpenQuestions.js"
import * as SignalQueue from "./SignalQueue.js"

const SessionList = Schema.Struct({
  sessions: Schema.Array(Schema.Struct({
    sessionId: Schema.String,
    cwd: Schema.String,
    title: Schema.optional(Schema.NullOr(Schema.String)),
    updatedAt: Schema.optional(Schema.NullOr(Schema.String))
  })),
  nextCursor: Schema.optional(Schema.NullOr(Schema.String))
})

/**
 * What ACP has beyond the contract of drivers. Each fails with `AgentUnsupported` if the agent does not offer it.
 *
 * @since 0.1.0
 */
export interface AcpConnection extends AgentConnection {
  /** What the agent said that it can do. */
  readonly capabilities: AcpHandshake.Capabilities
  /** The sessions that the agent itself remembers, a page at a time. */
  readonly listSessions: (options: {
    readonly cwd?: string | undefined
    readonly cursor?: string | undefined
  }) => Effect.Effect<typeof SessionList.Type, AgentError>
  /** It is no error if the agent does not know it. */
  readonly deleteSession: (agentSessionId: string) => Effect.Effect<void, AgentError>
  readonly logout: Effect.Effect<void, AgentError>
}

/** How many signals may wait to be taken before the agent's output is no longer read. */
const capacity = 1024

const defaultStartTimeout = Duration.seconds(30)
const defaultMaxMessageBytes = 16 * 1024 * 1024

/** Fails when the agent takes its request back. */
const cancelled = (signal: AbortSignal) =>
  Effect.async<never, acp.RequestError>((resume) => {
    const abort = () => resume(Effect.fail(acp.RequestError.requestCancelled()))
    if (signal.aborted) return abort()
    signal.addEventListener("abort", abort)
    return Effect.sync(() => signal.removeEventListener("abort", abort))
  })

const blockCapability = { image: "image", audio: "audio", resource: "embeddedContext" } as const

/** The first block that the agent does not take. */
const checkPrompt = (content: ReadonlyArray<ContentBlock>, { promptCapabilities }: AcpHandshake.Capabilities) => {
  for (const { type } of content) {
    if (type === "text" || type === "resource_link" || promptCapabilities?.[blockCapability[type]] === true) continue
    const capability = `promptCapabilities.${blockCapability[type]}`
    return new AgentUnsupported({
      capability,
      message: `the agent takes no ${type} in a prompt: it does not have ${capability}`
    })
  }
  return Effect.void
}

/** @since 0.1.0 */
export const connect = (
  options: AcpAgentOptions,
  ledger: ProcessLedger["Type"],
  { cwd, resume }: ConnectOptions
): Effect.Effect<AcpConnection, AgentError, Scope.Scope> =>
  Effect.gen(function*() {
    const queue = SignalQueue.make(capacity)
    const run = yield* FiberSet.makeRuntimePromise<never, unknown, acp.RequestError>()
    const env = Environment.make(reveal(options.env))
    const grace: ChildProcess.Grace = {
      stdin: options.grace?.stdin ?? ChildProcess.defaultGrace.stdin,
      term: options.grace?.term ?? ChildProcess.defaultGrace.term,
      kill: options.grace?.kill ?? ChildProcess.defaultGrace.kill
    }
    const maxMessageBytes = options.maxMessageBytes ?? defaultMaxMessageBytes

    const process = yield* ChildProcess.spawn({
      command: options.command,
      args: options.args ?? [],
      cwd,
      env,
      ledger,
      grace
    })

    // -------------------------------------------------------------------------------------- what it says

    let session: string | undefined
    let ready = false
    let early: Array<unknown> = []
    let replay: Array<AgentEvent> | undefined
    let replayed: ReadonlyArray<AgentEvent> = []
    let begins: ReadonlyArray<AgentEvent> = []
    /** Of tool calls that run, for the questions about them. */
    const titles = new Map<string, string>()

    const say = (event: AgentEvent) => {
      if (event.type === "ToolCallEnded") titles.delete(event.toolCallId)
      else if ((event.type === "ToolCallStarted" || event.type === "ToolCallUpdated") && event.title !== undefined) {
        titles.set(event.toolCallId, event.title)
      }
      if (replay === undefined) queue.push({ _tag: "Said", event })
      else replay.push(event)
    }

    const onUpdate = (params: unknown) => {
      const fields = Predicate.isRecord(params) ? params : {}
      // AG4: some agents speak before they have told the session's id
      if (session === undefined) early.push(params)
      else if (fields["sessionId"] === session) {
        for (const event of AcpUpdates.toEvents(fields["update"])) say(event)
      } else say(AcpUpdates.extension("session/update", params))
    }

    const questions = OpenQuestions.make({
      push: queue.push,
      say,
      run,
      isOpen: () => ready,
      titleOf: (toolCallId) => titles.get(toolCallId)
    })

    // ---------------------------------------------------------------------------------- what it wants done

    const files = AcpFiles.make({ root: cwd, limit: maxMessageBytes })
    const terminals = yield* AcpTerminals.make({
      cwd,
      env,
      ledger,
      grace,
      say,
      room: queue.room,
      limit: maxMessageBytes
    })

    const serve =
      <P extends { readonly sessionId: string }, A>(handle: (params: P) => Effect.Effect<A, acp.RequestError>) =>
      ({ params, signal }: { readonly params: P; readonly signal: AbortSignal }): Promise<A> =>
        run(
          session !== undefined && params.sessionId !== session
            ? Effect.fail(acp.RequestError.sessionNotFound(params.sessionId))
            : Effect.raceFirst(handle(params), cancelled(signal))
        )

    const method = acp.methods.client
    const rpc = yield* AcpRpc.make({
      process,
      maxMessageBytes,
      room: queue.room,
      onUpdate,
      onStray: (id) =>
        say({
          type: "Warning",
          message: `the agent answered a request that was not open: ${JSON.stringify(id).slice(0, 100)}`
        }),
      handlers: (app) => {
        app
          .onNotification(method.elicitation.complete, ({ params }) => questions.completed(params.elicitationId))
          .onNotification("*", ({ method, params }) => {
            if (!method.startsWith("$/")) say(AcpUpdates.extension(method, params))
          })
          .onRequest(method.session.requestPermission, ({ params, signal }) => questions.permission(params, signal))
          .onRequest(method.elicitation.create, ({ params, signal }) => questions.elicitation(params, signal))
        if (options.fs !== false) {
          app
            .onRequest(method.fs.readTextFile, serve(files.read))
            .onRequest(method.fs.writeTextFile, serve(files.write))
        }
        if (options.terminal !== false) {
          app
            .onRequest(method.terminal.create, serve(terminals.create))
            .onRequest(method.terminal.output, serve(terminals.output))
            .onRequest(method.terminal.waitForExit, serve(terminals.waitForExit))
            .onRequest(method.terminal.kill, serve(terminals.kill))
            .onRequest(method.terminal.release, serve(terminals.release))
        }
        return app
      }
    })

    // ------------------------------------------------------------------------------------- the handshake

    const handshake = Effect.gen(function*() {
      const peer = yield* AcpHandshake.initialize(rpc, options)
      const opened = yield* AcpHandshake.open(rpc, peer, options, {
        cwd,
        resume,
        expect: (sessionId, how) => {
          session = sessionId
          replay = how === "loaded" ? [] : undefined
        },
        begin: (sessionId, beginning) => {
          // a session that was loaded has told everything that it replays by now
          replayed = replay ?? []
          replay = undefined
          session = sessionId
          ready = true
          begins = AcpUpdates.ofSession(beginning ?? {})
          const waited = early
          early = []
          waited.forEach(onUpdate)
        }
      })
      return { peer, opened }
    })
    const startTimeout = options.startTimeout ?? defaultStartTimeout
    const { opened, peer } = yield* Effect.flatMap(
      Effect.timeoutOption(handshake, startTimeout),
      Option.match({
        onSome: Effect.succeed,
        onNone: () =>
          Effect.flatMap(process.stderr, (stderr) =>
            new AgentStartTimeout({
              command: options.command,
              millis: Duration.toMillis(startTimeout),
              stderr,
              message: `${options.command} was not ready within ${Duration.format(startTimeout)}`
            }))
      })
    )
    const { capabilities } = peer
    const sessionId = opened.agentSessionId

    yield* queue.open
    yield* Effect.forkScoped(Effect.interruptible(Effect.catchAll(rpc.gone, queue.fail)))

    const call = <A>(name: string, params: object, onResult: (result: unknown) => Either.Either<A, AgentError>) =>
      Effect.catchTag(
        rpc.request(name, params, onResult),
        "AgentRequestFailed",
        (error) => Effect.fail(AcpHandshake.toAgentError(peer, error))
      )

    yield* Effect.addFinalizer(() =>
      Effect.zipRight(
        queue.close,
        capabilities.sessionCapabilities?.close == null
          ? Effect.void
          : rpc.request(acp.methods.agent.session.close, { sessionId }, Either.right).pipe(
            Effect.interruptible,
            Effect.timeoutOption("1 second"),
            Effect.ignore
          )
      )
    )

    // -------------------------------------------------------------------------------------------- turns

    const turns = new Set<{ readonly run: RunId; cancelled: boolean }>()

    const prompt = Effect.fnUntraced(function*(run: RunId, content: ReadonlyArray<ContentBlock>) {
      yield* rpc.alive
      yield* checkPrompt(content, capabilities)
      const turn = { run, cancelled: false }
      turns.add(turn)
      yield* rpc.send(acp.methods.agent.session.prompt, { sessionId, prompt: content }, (done) => {
        turns.delete(turn)
        queue.push({
          _tag: "TurnEnded",
          run,
          result: Either.match(done, {
            onRight: stopped,
            onLeft: (error): TurnResult =>
              // -32800: the agent ended the request rather than the turn
              turn.cancelled && error.code === -32800
                ? { _tag: "Stopped", stopReason: "cancelled" }
                : { _tag: "Failed", error: AcpHandshake.toAgentError(peer, error) }
          })
        })
      })
    })

    const needs = (capability: string, offer: unknown) =>
      offer == null
        ? new AgentUnsupported({ capability, message: `the agent does not have ${capability}` })
        : Effect.void

    return {
      agentSessionId: sessionId,
      how: opened.how,
      capabilities,
      name: peer.name,
      version: peer.version,
      replayed,
      begins,
      signals: queue.signals,
      prompt,
      cancel: Effect.suspend(() => {
        if (turns.size === 0) return Effect.void
        for (const turn of turns) turn.cancelled = true
        return rpc.notify(acp.methods.agent.session.cancel, { sessionId })
      }),
      setMode: (modeId) =>
        call(acp.methods.agent.session.setMode, { sessionId, modeId }, () =>
          Either.right(say({ type: "ModeChanged", modeId }))),
      setConfigOption: (configId, value) =>
        call(
          acp.methods.agent.session.setConfigOption,
          { sessionId, configId, ...typeof value === "boolean" ? { type: "boolean", value } : { value } },
          (result) => {
            AcpUpdates.ofSession(Predicate.isRecord(result) ? { configOptions: result["configOptions"] } : {}).forEach(
              say
            )
            return Either.void
          }
        ),
      listSessions: (page) =>
        Effect.zipRight(
          needs("sessionCapabilities.list", capabilities.sessionCapabilities?.list),
          call(acp.methods.agent.session.list, page, AcpHandshake.decoder("session/list", SessionList))
        ),
      deleteSession: (sessionId) =>
        Effect.zipRight(
          needs("sessionCapabilities.delete", capabilities.sessionCapabilities?.delete),
          call(acp.methods.agent.session.delete, { sessionId }, () =>
            Either.void)
        ),
      logout: Effect.zipRight(
        needs("auth.logout", capabilities.auth?.logout),
        call(acp.methods.agent.logout, {}, () =>
          Either.void)
      )
    }
  })

const stopped = (result: unknown): TurnResult =>
  Predicate.isRecord(result) && typeof result["stopReason"] === "string"
    ? { _tag: "Stopped", stopReason: result["stopReason"] }
    : {
      _tag: "Failed",
      error: new AgentProtocolError({
        detail: JSON.stringify(result ?? null).slice(0, 200),
        message: "the agent's response to session/prompt has no stopReason"
      })
    }
