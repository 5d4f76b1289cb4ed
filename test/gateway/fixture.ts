/**
 * A gateway on a free port of loopback, over sessions of which a test says only what it needs.
 */
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Http from "node:http"
import * as Net from "node:net"
import * as Agent from "../../src/agent/Agent.js"
import type { SessionEvent } from "../../src/domain/AgentEvent.js"
import { SessionNotFound } from "../../src/domain/Errors.js"
import { SessionId } from "../../src/domain/Ids.js"
import type { Session } from "../../src/domain/Session.js"
import * as Gateway from "../../src/gateway/Gateway.js"
import type { LogEntry, Reader } from "../../src/log/EventLog.js"
import { Sessions } from "../../src/session/Sessions.js"

export const id = SessionId.make("ses_test")

export const session: Session = {
  id,
  agent: "scripted",
  cwd: "/tmp",
  status: "idle",
  head: 3,
  pending: 0,
  createdAt: "2026-11-21T02:00:00.000Z",
  updatedAt: "2026-11-21T02:00:00.000Z"
}

/** Sessions that know nothing: what a test does not give is a defect. */
export const sessions = (given: Partial<Sessions["Type"]>): Layer.Layer<Sessions> => {
  const missing = () => Effect.dieMessage("not given")
  return Layer.succeed(Sessions, {
    create: missing,
    get: missing,
    list: missing,
    prompt: missing,
    cancel: missing,
    restart: missing,
    setMode: missing,
    setConfigOption: missing,
    workspace: missing,
    elicitations: missing,
    attend: () => Effect.void,
    decisions: missing,
    revoke: missing,
    answer: missing,
    counts: Effect.dieMessage("not given"),
    close: missing,
    events: () => Stream.dieMessage("not given"),
    history: () => Stream.dieMessage("not given"),
    reader: missing,
    ...given
  })
}

export const entry = (seq: number, text = `event ${seq}`): LogEntry => {
  const event: SessionEvent = { type: "TextChunk", text }
  return { seq, type: event.type, json: JSON.stringify({ seq, sessionId: id, at: session.createdAt, event }) }
}

/** A log of one session in memory, paged as a store pages, whose readers and tails wait for what is appended. */
export const memoryLog = (page = 256) => {
  const entries: Array<LogEntry> = []
  const waiting = new Set<() => void>()
  const appended = Effect.async<void>((resume) => void waiting.add(() => resume(Effect.void)))
  const read = (after: number) => Chunk.unsafeFromArray(entries.slice(after, after + page))
  const unknown = (session: SessionId) => new SessionNotFound({ sessionId: session, message: "no" })

  const open = (after: number, follow: boolean): Reader => {
    const take = () => {
      const found = read(after)
      after += found.length
      return Chunk.isEmpty(found) ? undefined : found
    }
    const next: Reader["next"] = Effect.suspend(() => {
      const found = take()
      if (found === undefined && follow) return Effect.zipRight(appended, next)
      return Effect.succeed(Option.fromNullable(found))
    })
    return {
      next,
      take: () => follow ? take() : undefined,
      waits: () => follow && after >= entries.length,
      onMore: (callback) => void waiting.add(callback)
    }
  }
  const paged = (after: number, follow: boolean): Stream.Stream<LogEntry> =>
    Stream.unfoldChunkEffect(
      open(after, follow),
      (reader) => Effect.map(Effect.orDie(reader.next), Option.map((page) => [page, reader]))
    )

  return {
    entries,
    append: (count: number, text?: string) => {
      for (let n = 0; n < count; n++) entries.push(entry(entries.length + 1, text))
      const called = [...waiting]
      waiting.clear()
      for (const callback of called) callback()
    },
    sessions: {
      get: () => Effect.succeed(session),
      events: ({ after, session }) => session === id ? paged(after, true) : Stream.fail(unknown(session)),
      history: ({ after, session }) => session === id ? paged(after, false) : Stream.fail(unknown(session)),
      reader: ({ after, session }, { follow }) =>
        session === id ? Effect.sync(() => open(after, follow)) : Effect.fail(unknown(session))
    } satisfies Partial<Sessions["Type"]>
  }
}

export const start = (given: Partial<Sessions["Type"]>, options?: Partial<Gateway.Options>) =>
  Layer.build(
    Gateway.layer({ version: "1.2.3", port: 0, ...options }).pipe(Layer.provide([sessions(given), Agent.layer([])]))
  ).pipe(Effect.map((context) => Context.get(context, Gateway.Gateway)))

export interface Reply {
  readonly status: number
  readonly headers: Http.IncomingHttpHeaders
  readonly text: string
  readonly body: Record<string, unknown>
}

/** One request on a connection of its own. */
export const request = (
  gateway: Gateway.Gateway["Type"],
  method: string,
  path: string,
  options: { readonly headers?: Record<string, string>; readonly json?: unknown; readonly raw?: string } = {}
): Effect.Effect<Reply> =>
  Effect.async((resume) => {
    const payload = options.raw ?? (options.json === undefined ? undefined : JSON.stringify(options.json))
    const headers = payload === undefined ? options.headers : { "content-type": "application/json", ...options.headers }
    const sent = Http.request(`${gateway.url}${path}`, { method, headers: headers ?? {}, agent: false }, (response) => {
      response.setEncoding("utf8")
      let text = ""
      response.on("data", (part: string) => text += part)
      response.on("error", (error) => resume(Effect.die(error)))
      response.on("end", () => {
        const json = response.headers["content-type"]?.startsWith("application/json") && text !== ""
        const body = json ? JSON.parse(text) : {}
        resume(Effect.succeed({ status: response.statusCode ?? 0, headers: response.headers, text, body }))
      })
    })
    sent.on("error", (error) => resume(Effect.die(error)))
    sent.end(payload)
    return Effect.sync(() => sent.destroy())
  })

export interface Connection {
  /** What came so far. */
  readonly received: () => string
  readonly closed: () => boolean
  readonly write: (text: string | Uint8Array) => void
  /** Stops reading: the kernel's buffers fill. */
  readonly pause: () => void
}

/** A connection that says what it likes. */
export const connect = (gateway: Gateway.Gateway["Type"]): Effect.Effect<Connection, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<Net.Socket>((resume) => {
      const socket = Net.connect(gateway.port, "127.0.0.1", () => resume(Effect.succeed(socket)))
    }),
    (socket) => Effect.sync(() => socket.destroy())
  ).pipe(Effect.map((socket) => {
    let text = ""
    let closed = false
    socket.setEncoding("utf8")
    socket.on("data", (part: string) => text += part)
    socket.on("close", () => closed = true)
    socket.on("error", () => closed = true)
    return {
      received: () => text,
      closed: () => closed,
      write: (data) => socket.write(data),
      pause: () => socket.pause()
    }
  }))

export const get = (path: string, ...headers: ReadonlyArray<string>): string =>
  [`GET ${path} HTTP/1.1`, "Host: localhost", ...headers, "", ""].join("\r\n")

/** Polls: for what a real socket does in its own time. */
export const until = (what: string, condition: () => boolean, millis = 20_000): Effect.Effect<void> =>
  Effect.suspend(() => condition() ? Effect.void : Effect.fail(what)).pipe(
    Effect.retry({ schedule: Schedule.spaced(5) }),
    Effect.timeoutFail({ duration: millis, onTimeout: () => what }),
    Effect.orDieWith((what) => new Error(`never came: ${what}`)),
    Effect.withClock(Clock.make())
  )

/** The whole events in what an SSE client has got; a cut one at the end does not count. */
export const parseSse = (
  text: string
): ReadonlyArray<{ readonly id: number; readonly event: string; readonly data: string }> =>
  [...text.matchAll(/^id: (\d+)\nevent: (\w+)\ndata: (.*)\n\n/gm)].map(([, id, event = "", data = ""]) => ({
    id: Number(id),
    event,
    data
  }))

/** A gateway that the test closes itself. */
export const closable = Effect.fnUntraced(function*(...args: Parameters<typeof start>) {
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
  const gateway = yield* Scope.extend(start(...args), scope)
  const close = Effect.map(Effect.timed(Scope.close(scope, Exit.void)), ([duration]) => Duration.toMillis(duration))
  return { gateway, close }
})

export const rootFibers = () => new Set(Fiber.unsafeRoots())

/** How many fibers there are besides the known ones, when they have had time to end. */
export const fibersBeside = (known: ReadonlySet<unknown>) =>
  Effect.delay(Effect.sync(() => [...rootFibers()].filter((fiber) => !known.has(fiber)).length), 10).pipe(
    Effect.repeat({ until: (count) => count === 0, times: 1500 })
  )
