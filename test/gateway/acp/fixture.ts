/** The SDK's client against the server, over streams in memory: what an editor is without its process. */
import * as acp from "@agentclientprotocol/sdk"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { StoredEvent } from "../../../src/domain/StoredEvent.js"
import * as AcpServer from "../../../src/gateway/acp/AcpServer.js"
import type { Hosting } from "../../../src/gateway/acp/Hosting.js"

/** A place where there is one session, of which nothing is known but its events. */
export const ofEvents = (log: ReadonlyArray<StoredEvent>, head = log.length, page = 256): Hosting => {
  const missing = () => Effect.dieMessage("not given")
  const at = "2026-11-21T02:00:00.000Z"
  return {
    create: missing,
    get: (id) =>
      Effect.succeed({
        id,
        agent: "scripted",
        cwd: "/",
        status: "idle",
        head,
        pending: 0,
        createdAt: at,
        updatedAt: at
      }),
    list: Stream.empty,
    prompt: missing,
    cancel: missing,
    setMode: missing,
    setConfigOption: missing,
    answer: missing,
    close: missing,
    events: (_, after) => Stream.concat(Stream.rechunk(Stream.fromIterable(log.slice(after)), page), Stream.never)
  }
}

/** What the editor was asked; it answers when it likes. */
export interface Question {
  readonly method: "permission" | "elicitation"
  readonly params: {
    readonly message?: string
    readonly toolCall?: acp.ToolCallUpdate
    readonly options?: ReadonlyArray<acp.PermissionOption>
    readonly [key: string]: unknown
  }
  /** The agent has taken it back. */
  readonly withdrawn: () => boolean
  readonly answer: (response: object) => Effect.Effect<void>
}

export const everything: acp.ClientCapabilities = {
  elicitation: { form: {}, url: {} },
  session: { notices: {}, configOptions: { boolean: {} } }
}

/** Looks until it is so. */
export const until = (what: string, condition: () => boolean) =>
  Effect.suspend(() => condition() ? Effect.void : Effect.fail(what)).pipe(
    Effect.retry({ schedule: Schedule.spaced("2 millis") }),
    Effect.timeoutFail({ duration: "40 seconds", onTimeout: () => what }),
    Effect.orDieWith((what) => new Error(`never came: ${what}`))
  )

export const select = (optionId: string) => ({ outcome: { outcome: "selected", optionId } })

export interface Options {
  readonly agent?: string
  readonly capabilities?: acp.ClientCapabilities
}

export const connect = Effect.fnUntraced(function*(hosting: Hosting, options: Options = {}) {
  const toServer = new TransformStream<Uint8Array, Uint8Array>()
  const toClient = new TransformStream<Uint8Array, Uint8Array>()
  const writer = toClient.writable.getWriter()
  const reading = Effect.unsafeMakeLatch(true)
  const encoder = new TextEncoder()
  /** The lines that have left, as they are. */
  const lines: Array<string> = []
  let waiting = 0

  const serving = yield* AcpServer.serve({
    agent: options.agent ?? "scripted",
    version: "1.2.3",
    hosting,
    transport: {
      input: toServer.readable,
      write: (text) =>
        Effect.suspend(() => {
          waiting += 1
          return reading.await
        }).pipe(
          Effect.zipRight(Effect.sync(() => {
            waiting -= 1
            lines.push(...text.trimEnd().split("\n"))
            void writer.write(encoder.encode(text)).catch(() => {})
          }))
        )
    }
  }).pipe(Effect.forkScoped)

  const updates: Array<acp.SessionNotification> = []
  const questions: Array<Question> = []
  const completed: Array<string> = []
  const ask =
    (method: Question["method"]) =>
    ({ params, signal }: { readonly params: object; readonly signal: AbortSignal }): Promise<never> =>
      new Promise((resolve, reject) => {
        questions.push({
          method,
          params: { ...params },
          withdrawn: () => signal.aborted,
          answer: (response) =>
            Effect.sync(() => response instanceof acp.RequestError ? reject(response) : resolve(response as never))
        })
        signal.addEventListener("abort", () => reject(acp.RequestError.requestCancelled()))
      })

  const connection = acp.client({ name: "editor" })
    .onNotification(acp.methods.client.session.update, ({ params }) => {
      updates.push(params)
    })
    .onNotification(acp.methods.client.elicitation.complete, ({ params }) => {
      completed.push(params.elicitationId)
    })
    .onRequest(acp.methods.client.session.requestPermission, ask("permission"))
    .onRequest(acp.methods.client.elicitation.create, ask("elicitation"))
    .connect(acp.ndJsonStream(toServer.writable, toClient.readable))
  yield* Effect.addFinalizer(() => Effect.sync(() => connection.close()))

  const call = <A>(evaluate: (agent: acp.ClientContext) => Promise<A>) =>
    Effect.tryPromise({ try: () => evaluate(connection.agent), catch: (error) => error as acp.RequestError })

  const initialized = yield* call((agent) =>
    agent.request(acp.methods.agent.initialize, {
      protocolVersion: acp.PROTOCOL_VERSION,
      clientCapabilities: options.capabilities ?? everything
    })
  )

  const session = <Opened>(sessionId: string, opened: Opened) => {
    const own = () => updates.flatMap((each) => each.sessionId === sessionId ? [each.update] : [])
    const textOf = (kind: acp.SessionUpdate["sessionUpdate"]) =>
      own().flatMap((update) =>
        update.sessionUpdate === kind && "content" in update && !Array.isArray(update.content) &&
          update.content?.type === "text"
          ? [update.content.text]
          : []
      ).join("")
    return {
      sessionId,
      opened,
      updates: own,
      said: () => textOf("agent_message_chunk"),
      heard: () => textOf("user_message_chunk"),
      notices: () => own().flatMap((update) => update.sessionUpdate === "notice" ? [update.title] : []),
      prompt: (text: string, options?: acp.SendRequestOptions) =>
        call((agent) =>
          agent.request(
            acp.methods.agent.session.prompt,
            { sessionId, prompt: [{ type: "text", text }] },
            options
          )
        ),
      cancel: call((agent) => agent.notify(acp.methods.agent.session.cancel, { sessionId }))
    }
  }

  return {
    initialized,
    lines,
    updates,
    questions,
    completed,
    reading,
    /** How many writes wait for a reader. */
    waiting: () => waiting,
    call,
    open: (cwd = "/") =>
      Effect.map(
        call((agent): Promise<acp.NewSessionResponse> =>
          agent.request(acp.methods.agent.session.new, { cwd, mcpServers: [] })
        ),
        (opened) => session(opened.sessionId, opened)
      ),
    load: (sessionId: string) =>
      Effect.map(
        call((agent) => agent.request(acp.methods.agent.session.load, { sessionId, cwd: "/", mcpServers: [] })),
        (opened) => session(sessionId, opened)
      ),
    resume: (sessionId: string) =>
      Effect.map(
        call((agent) => agent.request(acp.methods.agent.session.resume, { sessionId, cwd: "/" })),
        (opened) => session(sessionId, opened)
      ),
    asked: (index = 0) =>
      Effect.map(until(`question ${index}`, () => questions.length > index), (): Question => {
        const question = questions[index]
        if (question === undefined) throw new Error("it was there")
        return question
      }),
    /** Ends the server's input, as an editor does that is closed. */
    leave: Effect.zipRight(Effect.promise(() => toServer.writable.close()), Fiber.join(serving))
  }
})
