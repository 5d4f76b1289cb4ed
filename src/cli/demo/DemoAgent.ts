/**
 * The demo agent: a real ACP agent over stdio, without a network, a key or a model. What it does is chosen by the
 * prompt: `/help` lists its scripts, and any other prompt gets a short conversation.
 *
 * It is what a newcomer meets first and the peer of Holdfast's own tests, so it is pleasant, and exact. It ends with
 * exit code 0 when stdin ends or at SIGTERM, unless a script was told otherwise.
 *
 * ```sh
 * holdfast run --agent demo "/stream 100"
 * ```
 *
 * @see https://agentclientprotocol.com/protocol/v1/overview
 * @since 0.1.0
 */
import * as acp from "@agentclientprotocol/sdk"
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import type * as ConfigError from "effect/ConfigError"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as FiberSet from "effect/FiberSet"
import * as HashSet from "effect/HashSet"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import { IdSource } from "../../domain/Ids.js"
import * as Client from "./Client.js"
import { type Options, resolve, type Settings } from "./Options.js"
import * as Session from "./Session.js"
import * as Stdio from "./Stdio.js"
import * as Store from "./Store.js"
import { text } from "./Turn.js"

const login: acp.AuthMethod = { id: "demo", name: "Demo login", description: "Needs no password" }
const pageSize = 50

const capabilities = (options: Options): acp.AgentCapabilities => ({
  loadSession: options.noLoad !== true,
  promptCapabilities: { image: true, audio: true, embeddedContext: true },
  sessionCapabilities: { list: {}, close: {}, delete: {}, ...(options.noResume === true ? {} : { resume: {} }) }
})

/** Completes at `$/cancel_request`, and not when the connection closes, which aborts the signal too. */
const withdrawn = (signal: AbortSignal) =>
  Effect.async<void>((resume) => {
    const look = () => isWithdrawn(signal) ? resume(Effect.void) : undefined
    look()
    signal.addEventListener("abort", look, { once: true })
  })

const isWithdrawn = (signal: AbortSignal) => signal.aborted && signal.reason instanceof acp.RequestError

const connect = Effect.fnUntraced(function*(options: Options, settings: Settings, staying: Ref.Ref<boolean>) {
  const scope = yield* Effect.scope
  const stream = yield* Stdio.stream
  const ids = yield* IdSource
  const store = yield* Store.make(settings.state)
  const early = yield* Ref.make(settings.early)
  const authenticated = yield* Ref.make(options.auth !== true)
  const client = yield* Ref.make<acp.ClientCapabilities>({})
  const sessions = new Map<string, Session.Session>()
  const shared: Session.Shared = {
    store,
    pace: settings.pace,
    scope,
    early,
    stay: Effect.zipRight(Ref.set(staying, true), Stdio.ignoreSigterm)
  }

  // the one place where promises become effects: the SDK calls handlers, each runs as a fiber that ends with the
  // connection
  const run = yield* FiberSet.makeRuntimePromise<FileSystem.FileSystem>()
  const serve = <Params, A>(
    handle: (
      params: Params,
      context: acp.AgentHandlerContext<Params>
    ) => Effect.Effect<A, acp.RequestError, FileSystem.FileSystem>
  ) =>
  (context: acp.AgentHandlerContext<Params>): Promise<A> => run(handle(context.params, context))

  const whoever = Effect.flatMap(
    Ref.get(authenticated),
    (known) => known ? Effect.void : Effect.fail(acp.RequestError.authRequired())
  )
  const find = (sessionId: string) =>
    Effect.suspend(() => {
      const session = sessions.get(sessionId)
      return session === undefined
        ? Effect.fail(acp.RequestError.sessionNotFound(sessionId))
        : Effect.succeed(session)
    })
  const open = Effect.fnUntraced(function*(record: Store.Record, context: acp.AgentContext) {
    const peer = Client.make(context, record.sessionId, yield* Ref.get(client))
    const session = yield* Session.make(record, peer, shared)
    yield* store.write(record)
    sessions.set(record.sessionId, session)
    return session
  })
  // after the answer, which leaves as soon as the handler has returned
  const announce = (session: Session.Session) =>
    Effect.forkIn(Effect.delay(session.announceCommands, "1 millis"), scope)

  const reopen = Effect.fnUntraced(function*(
    { cwd, sessionId }: acp.LoadSessionRequest | acp.ResumeSessionRequest,
    context: acp.AgentContext
  ) {
    yield* whoever
    const record = yield* store.load(sessionId)
    if (Option.isNone(record)) return yield* Effect.fail(acp.RequestError.sessionNotFound(sessionId))
    yield* close(sessionId)
    return yield* open({ ...record.value, settings: { ...record.value.settings, cwd } }, context)
  })
  const close = (sessionId: string) =>
    Effect.suspend(() => {
      const session = sessions.get(sessionId)
      sessions.delete(sessionId)
      return session === undefined ? Effect.void : session.cancel
    })

  const app = acp.agent({ name: "holdfast-demo" })
    .onRequest(
      acp.methods.agent.initialize,
      serve(({ clientCapabilities }) =>
        options.mute === true
          ? Effect.never
          : Effect.as(Ref.set(client, clientCapabilities ?? {}), {
            protocolVersion: acp.PROTOCOL_VERSION,
            agentInfo: { name: "holdfast-demo", title: "Holdfast's demo agent", version: "0.1.0" },
            agentCapabilities: capabilities(options),
            authMethods: options.auth === true ? [login] : []
          })
      )
    )
    .onRequest(
      acp.methods.agent.authenticate,
      serve(({ methodId }) =>
        methodId === login.id
          ? Effect.as(Ref.set(authenticated, true), {})
          : Effect.fail(acp.RequestError.invalidParams({ methodId }))
      )
    )
    .onRequest(
      acp.methods.agent.session.new,
      serve(Effect.fnUntraced(function*({ cwd }, context) {
        yield* whoever
        const sessionId = yield* ids.next("demo")
        const at = DateTime.formatIso(yield* DateTime.now)
        const session = yield* open(Store.initial(sessionId, { ...Session.defaults, cwd, at }), context.client)
        if (yield* Ref.get(early)) {
          yield* session.announceCommands
          yield* session.client.update({
            sessionUpdate: "agent_message_chunk",
            content: text("This was said before session/new was answered.")
          })
          yield* Ref.set(early, settings.early)
        } else {
          yield* announce(session)
        }
        return { sessionId, ...(yield* session.settings) }
      }))
    )
    .onRequest(
      acp.methods.agent.session.list,
      serve(Effect.fnUntraced(function*({ cursor, cwd }) {
        yield* whoever
        const all = (yield* store.list).filter(({ settings }) => cwd == null || settings.cwd === cwd)
        const from = Number(cursor ?? 0)
        return {
          sessions: all.slice(from, from + pageSize).map(({ sessionId, settings, updatedAt }) => ({
            sessionId,
            cwd: settings.cwd,
            title: settings.title ?? null,
            updatedAt
          })),
          ...(from + pageSize < all.length ? { nextCursor: String(from + pageSize) } : {})
        }
      }))
    )
    .onRequest(acp.methods.agent.session.close, serve(({ sessionId }) => Effect.as(close(sessionId), {})))
    .onRequest(
      acp.methods.agent.session.delete,
      serve(({ sessionId }) => Effect.as(Effect.zipRight(close(sessionId), store.remove(sessionId)), {}))
    )
    .onRequest(
      acp.methods.agent.session.setMode,
      serve(({ modeId, sessionId }) =>
        Effect.as(Effect.flatMap(find(sessionId), (session) => session.setMode(modeId)), {})
      )
    )
    .onRequest(
      acp.methods.agent.session.setConfigOption,
      serve(Effect.fnUntraced(function*({ configId, sessionId, value }) {
        const session = yield* find(sessionId)
        yield* session.setConfigOption(configId, value)
        const { configOptions } = yield* session.settings
        return { configOptions }
      }))
    )
    .onRequest(
      acp.methods.agent.session.prompt,
      serve(Effect.fnUntraced(function*({ prompt, sessionId }, { signal }) {
        const session = yield* find(sessionId)
        yield* Effect.fork(Effect.zipRight(withdrawn(signal), session.cancel))
        const response = yield* session.prompt(prompt)
        // `$/cancel_request` has an answer of its own
        return isWithdrawn(signal) ? yield* Effect.fail(acp.RequestError.requestCancelled()) : response
      }))
    )
    .onNotification(
      acp.methods.agent.session.cancel,
      serve(({ sessionId }) => Effect.flatMap(find(sessionId), (session) => session.cancel))
    )

  if (options.noLoad !== true) {
    app.onRequest(
      acp.methods.agent.session.load,
      serve(Effect.fnUntraced(function*(params, context) {
        const session = yield* reopen(params, context.client)
        yield* session.replay
        yield* announce(session)
        return yield* session.settings
      }))
    )
  }
  if (options.noResume !== true) {
    app.onRequest(
      acp.methods.agent.session.resume,
      serve(Effect.fnUntraced(function*(params, context) {
        const session = yield* reopen(params, context.client)
        yield* announce(session)
        return yield* session.settings
      }))
    )
  }
  return yield* Effect.acquireRelease(
    Effect.sync(() => app.connect(stream)),
    (connection) => Effect.sync(() => connection.close())
  )
})

/**
 * Serves one client on stdin and stdout until it leaves.
 *
 * @since 0.1.0
 */
export const run = (
  options: Options
): Effect.Effect<void, ConfigError.ConfigError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function*() {
    const settings = yield* resolve(options)
    if (options.exit !== undefined) yield* Stdio.exit(options.exit, `demo-agent: exits with ${options.exit}, as asked`)
    if (options.garbage === true) yield* Stdio.rawLine("Welcome to an agent that greets on stdout!")
    const staying = yield* Ref.make(false)
    const connection = yield* connect(options, settings, staying)
    yield* Effect.promise(() => connection.closed)
    if (yield* Ref.get(staying)) yield* Effect.never
  }).pipe(
    Effect.scoped,
    // stdout belongs to the protocol
    Effect.locally(FiberRef.currentLoggers, HashSet.make(Logger.withConsoleError(Logger.logfmtLogger)))
  )
