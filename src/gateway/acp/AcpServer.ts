/**
 * Holdfast as an agent of the Agent Client Protocol: what an editor starts, and attaches to durable sessions with.
 *
 * ```ts
 * yield* AcpServer.serve({ agent: "claude", version, hosting: AcpHosting.ofSessions(sessions), transport })
 * ```
 *
 * Sessions do not belong to the connection. When the editor leaves they go on where they live, and `session/load` replays what was said
 * meanwhile. So there is no `session/close`, which would have to stop a turn because a tab was closed.
 *
 * @see https://agentclientprotocol.com
 * @since 0.1.0
 */
import * as acp from "@agentclientprotocol/sdk"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as NodePath from "node:path"
import { ContentBlock } from "../../domain/Content.js"
import { SessionId } from "../../domain/Ids.js"
import * as Attachment from "./Attachment.js"
import * as Editor from "./Editor.js"
import type { Fault, Hosting } from "./Hosting.js"
import * as Updates from "./Updates.js"

export type { Transport } from "./Editor.js"

/** @since 0.1.0 */
export interface Options {
  /** The agent that new sessions are opened with. */
  readonly agent: string
  readonly version: string
  readonly hosting: Hosting
  readonly transport: Editor.Transport
}

const capabilities: acp.AgentCapabilities = {
  loadSession: true,
  // carried to the agent; one that cannot take a block ends the run with an error that says so
  promptCapabilities: { image: true, audio: true, embeddedContext: true },
  mcpCapabilities: { http: false, sse: false },
  sessionCapabilities: { list: {}, resume: {}, delete: {} }
}

/** How many sessions a page of `session/list` has. */
const pageSize = 50

const badInput = new Set(["CwdInvalid", "PromptInvalid", "AgentNotFound", "RequestInvalid"])

const toRequestError = (error: acp.RequestError | Fault): acp.RequestError => {
  if (error instanceof acp.RequestError) return error
  const { _tag, message } = error
  const code = _tag === "SessionNotFound" ? notFound : badInput.has(_tag) ? -32602 : -32603
  return new acp.RequestError(code, message, { _tag })
}

const notFound = -32002
const invalid = (message: string) => Effect.fail(new acp.RequestError(-32602, message))

const decodeId = Schema.decodeOption(SessionId)
const decodePrompt = Schema.decodeUnknown(Schema.Array(ContentBlock))

const stopReasons: ReadonlyArray<acp.StopReason> = [
  "end_turn",
  "max_tokens",
  "max_turn_requests",
  "refusal",
  "cancelled"
]

const toResponse = (ended: Attachment.Ended): Effect.Effect<acp.PromptResponse, acp.RequestError> => {
  switch (ended._tag) {
    case "Completed":
      return Effect.succeed({ stopReason: stopReasons.find((known) => known === ended.stopReason) ?? "end_turn" })
    case "Cancelled":
      return Effect.succeed({ stopReason: "cancelled" })
    case "Dropped":
      return Effect.fail(new acp.RequestError(-32603, `the prompt was dropped: ${ended.reason}`))
    case "Failed":
    case "Lost":
      return Effect.fail(
        new acp.RequestError(-32603, Updates.failureOf(ended) ?? "", ended._tag === "Failed" ? ended.error : undefined)
      )
  }
}

const isWithdrawn = (signal: AbortSignal) => signal.aborted && signal.reason instanceof acp.RequestError

/** Completes at `$/cancel_request`, and not when the connection closes, which aborts the signal too. */
const withdrawn = (signal: AbortSignal) =>
  Effect.async<void>((resume) => {
    const look = () => isWithdrawn(signal) ? resume(Effect.void) : undefined
    look()
    signal.addEventListener("abort", look, { once: true })
    return Effect.sync(() => signal.removeEventListener("abort", look))
  })

/**
 * Serves one editor until it leaves.
 *
 * @since 0.1.0
 */
export const serve = ({ agent, hosting, transport, version }: Options): Effect.Effect<void> =>
  Effect.scoped(Effect.gen(function*() {
    const scope = yield* Effect.scope
    const attached = new Map<string, Attachment.Attachment>()
    const attaching = yield* Effect.makeSemaphore(1)
    const connected = yield* Deferred.make<Editor.Editor>()
    let client: acp.ClientCapabilities = {}

    // the one place where promises become Effects: the SDK calls handlers, each runs as a fiber that ends with the connection
    const run = yield* FiberSet.makeRuntimePromise<never, unknown, acp.RequestError>()
    const serve = <Context extends { readonly params: unknown }, A>(
      handle: (params: Context["params"], context: Context) => Effect.Effect<A, acp.RequestError | Fault>
    ) =>
    (context: Context): Promise<A> => run(Effect.mapError(handle(context.params, context), toRequestError))

    const find = (sessionId: string) =>
      Effect.suspend(() => {
        const attachment = attached.get(sessionId)
        const message = `session ${sessionId} is not open on this connection; session/load or session/resume opens it`
        return attachment !== undefined
          ? Effect.succeed(attachment)
          : Effect.fail(new acp.RequestError(notFound, message, { sessionId }))
      })

    const known = (sessionId: string) =>
      Option.match(decodeId(sessionId), {
        onNone: () => Effect.fail(new acp.RequestError(notFound, `there is no session ${sessionId}`, { sessionId })),
        onSome: Effect.succeed
      })

    /** One for a session, however many ask at once. */
    const attach = (id: SessionId, editor: Editor.Editor) =>
      attaching.withPermits(1)(Effect.gen(function*() {
        const before = attached.get(id)
        if (before !== undefined) return before
        const attachment = yield* Scope.extend(Attachment.make({ id, hosting, editor, client }), scope)
        attached.set(id, attachment)
        return attachment
      }))

    /** Follows the session and tells what it begins with. */
    const open = Effect.fnUntraced(function*(
      id: SessionId,
      history: Attachment.History,
      request: acp.JsonRpcId,
      ...first: ReadonlyArray<Updates.Update>
    ) {
      const editor = yield* Deferred.await(connected)
      const answered = yield* editor.response(request)
      // one that is not there is not attached to
      yield* hosting.get(id)
      const attachment = yield* attach(id, editor)
      yield* attachment.follow(history, answered, ...first)
      return Updates.beginning(client, yield* attachment.view)
    })

    const list = Effect.fnUntraced(function*({ cursor, cwd }: acp.ListSessionsRequest) {
      const after = cursor == null ? hosting.list : Stream.dropUntil(hosting.list, ({ id }) => id === cursor)
      const found = yield* after.pipe(
        Stream.filter((session) =>
          session.agent === agent && session.status !== "closed" && (cwd == null || session.cwd === cwd)
        ),
        // one more than is shown tells whether there is a next page
        Stream.take(pageSize + 1),
        Stream.runCollect
      )
      const page = Chunk.toReadonlyArray(Chunk.take(found, pageSize))
      const last = page.at(-1)
      return {
        sessions: page.map(({ cwd, id, title, updatedAt }) => ({
          sessionId: id,
          cwd,
          title: title ?? null,
          updatedAt
        })),
        ...(last !== undefined && found.length > pageSize ? { nextCursor: last.id } : {})
      }
    })

    const method = acp.methods.agent
    const app = acp.agent({ name: "holdfast" })
      .onRequest(
        method.initialize,
        serve(({ clientCapabilities }) =>
          Effect.sync(() => {
            client = clientCapabilities ?? {}
            return {
              protocolVersion: acp.PROTOCOL_VERSION,
              agentInfo: { name: "holdfast", title: `Holdfast (${agent})`, version },
              agentCapabilities: capabilities,
              authMethods: []
            }
          })
        )
      )
      .onRequest(method.authenticate, serve(() => invalid("Holdfast asks for no login: the agents have their own")))
      .onRequest(
        method.session.new,
        serve(Effect.fnUntraced(function*({ cwd, mcpServers }, { requestId }) {
          if (!NodePath.isAbsolute(cwd)) {
            return yield* invalid(`cwd must be an absolute path, not ${JSON.stringify(cwd)}`)
          }
          const { id } = yield* hosting.create({ agent, cwd })
          const unused = mcpServers.map(({ name }) => name).join(", ")
          const warning =
            `the editor's MCP servers are not passed on (${unused}): the agent has those of Holdfast's configuration`
          const first = unused === "" ? [] : [Updates.notice(client, "warning", warning)]
          return { sessionId: id, ...(yield* open(id, "hold", requestId, ...first)) }
        }))
      )
      .onRequest(
        method.session.load,
        serve(({ sessionId }, { requestId }) => Effect.flatMap(known(sessionId), (id) => open(id, "replay", requestId)))
      )
      .onRequest(
        method.session.resume,
        serve(({ sessionId }, { requestId }) => Effect.flatMap(known(sessionId), (id) => open(id, "skip", requestId)))
      )
      .onRequest(method.session.list, serve(list))
      .onRequest(
        method.session.delete,
        serve(({ sessionId }) => Effect.as(Effect.flatMap(known(sessionId), hosting.close), {}))
      )
      .onRequest(
        method.session.setMode,
        serve(({ modeId, sessionId }) =>
          Effect.as(Effect.flatMap(find(sessionId), ({ id }) => hosting.setMode(id, modeId)), {})
        )
      )
      .onRequest(
        method.session.setConfigOption,
        serve(Effect.fnUntraced(function*({ configId, sessionId, value }) {
          const { id, view } = yield* find(sessionId)
          yield* hosting.setConfigOption(id, configId, value)
          return { configOptions: Updates.optionsWith(client, yield* view, configId, value) }
        }))
      )
      .onRequest(
        method.session.prompt,
        serve(Effect.fnUntraced(function*({ prompt, sessionId }, { signal }) {
          const attachment = yield* find(sessionId)
          const content = yield* Effect.mapError(
            decodePrompt(prompt),
            ({ message }) => new acp.RequestError(-32602, message)
          )
          yield* Effect.fork(Effect.zipRight(withdrawn(signal), Effect.ignore(attachment.cancel)))
          const ended = yield* attachment.prompt(content)
          // a request that was taken back has an answer of its own
          return yield* isWithdrawn(signal) ? Effect.fail(acp.RequestError.requestCancelled()) : toResponse(ended)
        }))
      )
      // the last one: the SDK gets to a handler the later the more stand before it, and a cancel must not overtake its prompt
      .onNotification(
        method.session.cancel,
        serve(({ sessionId }) =>
          Effect.flatMap(find(sessionId), ({ cancel }) => cancel).pipe(
            Effect.catchAll(({ message }) => Effect.logWarning(`a cancel came to nothing: ${message}`))
          )
        )
      )
    const editor = yield* Editor.connect(app, transport)
    yield* Deferred.succeed(connected, editor)
    yield* editor.gone
  }))
