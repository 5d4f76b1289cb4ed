/**
 * A WebSocket as a connection: a pull of frames, a `send` that waits while the peer does not read, and every close code told.
 *
 * ```ts
 * const handle = yield* streams.attach("events/42", {
 *   connect: WebSocketSource.connect({ url: "ws://127.0.0.1:41001/api/v1/agent/stream", headers: { authorization } }),
 *   run: (socket, heartbeat) =>
 *     Effect.zipRight(Inbox.drain(socket.pull, { heartbeat, handle }), socket.closed),
 *   idle: "45 seconds",
 *   probe: { every: "15 seconds", send: (socket) => socket.ping }
 * })
 * ```
 *
 * It is built on `ws` and not on the platform's `Socket`, which cannot stop reading, buffers writes without a bound, takes a cut for a
 * clean end and lets a write wait for ever when the socket is gone.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { IncomingMessage } from "node:http"
import { type RawData, WebSocket } from "ws"
import type { Pull } from "./Inbox.js"
import type { StreamEnd } from "./State.js"

/** A text frame or a binary one. @since 0.1.0 */
export type Frame = string | Uint8Array

/**
 * - `Unreachable`: no connection (refused, no such host, a bad address).
 * - `Refused`: the server answered the handshake with `status` and no upgrade.
 * - `TimedOut`: no answer to the handshake in time.
 * - `Cut`: the connection is gone without a close frame (1006).
 * - `Closed`: the peer closed it with a `code` that is an error.
 * - `Invalid`: the peer sent what no WebSocket may send, or a frame that is too large.
 *
 * @since 0.1.0
 */
export class WebSocketError extends Schema.TaggedError<WebSocketError>()("WebSocketError", {
  url: Schema.String,
  reason: Schema.Literal("Unreachable", "Refused", "TimedOut", "Cut", "Closed", "Invalid"),
  code: Schema.optional(Schema.Number),
  status: Schema.optional(Schema.Number),
  message: Schema.String
}) {}

/** @since 0.1.0 */
export interface Options {
  readonly url: string
  readonly protocols?: ReadonlyArray<string> | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** For the server's answer to the handshake; 10 seconds when left out. */
  readonly handshakeTimeout?: Duration.DurationInput | undefined
  /** For the peer's close frame, when the socket is closed; then it is cut. One second when left out. */
  readonly closeTimeout?: Duration.DurationInput | undefined
  /** The largest frame, in bytes; 16 MiB when left out. */
  readonly maxFrame?: number | undefined
  /** With so many bytes of frames that nobody has pulled the socket is not read; 1 MiB when left out. */
  readonly readBuffer?: number | undefined
  /** With so many bytes that the peer has not taken `send` waits; 1 MiB when left out. */
  readonly writeBuffer?: number | undefined
}

/** @since 0.1.0 */
export interface WebSocketConnection {
  /**
   * The frames that have come; waits for one. Ends after the last frame when the peer has closed it in order (1000, 1001, or without a
   * code). A ping of the peer gives an empty chunk.
   */
  readonly pull: Pull<Frame, WebSocketError>
  /** Returns when the frame is on its way; waits while the peer does not read. Fails when the socket is closed, also while it waits. */
  readonly send: (frame: Frame) => Effect.Effect<void, WebSocketError>
  /** Asks the peer for a sign of life and waits for it. No pong is read while frames wait to be pulled. */
  readonly ping: Effect.Effect<void, WebSocketError>
  /** Waits for the end, and tells how the peer closed it. */
  readonly closed: Effect.Effect<StreamEnd, WebSocketError>
  /** The subprotocol that the server chose. */
  readonly protocol: string
}

const mebibyte = 1024 * 1024

/** 1005 is an orderly end, too: many peers close without a code. */
const orderly = new Set([1000, 1001, 1005])

const bytesOf = (data: RawData): Buffer =>
  Array.isArray(data) ? Buffer.concat(data) : Buffer.isBuffer(data) ? data : Buffer.from(data)

/** What an error of `ws` means; only before the socket is open, or when the peer broke the protocol. */
const errorOf = (url: string, error: Error): WebSocketError => {
  const code = Predicate.hasProperty(error, "code") ? String(error.code) : ""
  // ws gives this error no code
  const reason = error.message === "Opening handshake has timed out"
    ? "TimedOut"
    : code.startsWith("WS_ERR_")
    ? "Invalid"
    : "Unreachable"
  const what = reason === "Invalid" ? `${url} broke the protocol` : `${url} cannot be reached`
  return new WebSocketError({ url, reason, message: `${what}: ${error.message || code}` })
}

const endOf = (url: string, code: number, said: string): Exit.Exit<StreamEnd, WebSocketError> => {
  const message = `${url} closed the connection (${code}${said === "" ? "" : `: ${said}`})`
  if (orderly.has(code)) return Exit.succeed({ code, message })
  return Exit.fail(
    code === 1006
      ? new WebSocketError({ url, reason: "Cut", code, message: `${url} is gone: the connection was cut` })
      : new WebSocketError({ url, reason: "Closed", code, message })
  )
}

/** The beginning of what a server said instead of an upgrade. */
const refusal = (response: IncomingMessage, done: (body: string) => void) => {
  let body = ""
  response.setEncoding("utf8")
  response.on("data", (chunk: string) => {
    body += chunk
    if (body.length > 1024) done(body.slice(0, 1024))
  })
  response.on("error", () => done(body))
  response.on("close", () => done(body))
}

/**
 * Dials. Closing the scope says goodbye (1000), waits `closeTimeout` for the peer's and then cuts the connection; when it returns the
 * socket is gone. A dial that is interrupted leaves none.
 *
 * @since 0.1.0
 */
export const connect = (options: Options): Effect.Effect<WebSocketConnection, WebSocketError, Scope.Scope> =>
  Effect.flatMap(
    Effect.acquireRelease(
      Effect.try({
        try: () => open(options),
        catch: (error) => errorOf(options.url, error instanceof Error ? error : new Error(String(error)))
      }),
      ({ close }) => close
    ),
    ({ connection, opened }) => Effect.as(Deferred.await(opened), connection)
  )

const open = (options: Options) => {
  const { maxFrame = 16 * mebibyte, protocols = [], readBuffer = mebibyte, url, writeBuffer = mebibyte } = options
  const settings = {
    ...(options.headers === undefined ? {} : { headers: options.headers }),
    handshakeTimeout: Duration.toMillis(options.handshakeTimeout ?? "10 seconds"),
    // the types do not know it yet
    closeTimeout: Duration.toMillis(options.closeTimeout ?? "1 second"),
    maxPayload: maxFrame,
    perMessageDeflate: false
  }
  const ws = new WebSocket(url, [...protocols], settings)
  const opened = Deferred.unsafeMake<void, WebSocketError>(FiberId.none)
  const closed = Deferred.unsafeMake<StreamEnd, WebSocketError>(FiberId.none)
  /** Why it ends: the first reason is the reason. */
  let failure: WebSocketError | undefined
  let end: Exit.Exit<StreamEnd, WebSocketError> | undefined

  // ---------------------------------------------------------------------------------------------- reading

  let frames: Array<Frame> = []
  let size = 0
  let alive = false
  let discarding = false
  let readable: Deferred.Deferred<void> | undefined

  const wake = () => {
    if (readable !== undefined) Deferred.unsafeDone(readable, Exit.void)
    readable = undefined
  }

  ws.on("message", (data, isBinary) => {
    if (discarding) return
    const bytes = bytesOf(data)
    frames.push(isBinary ? bytes : bytes.toString())
    size += bytes.length
    // SM8: the rest stays with the peer
    if (size >= readBuffer) ws.pause()
    wake()
  })
  ws.on("ping", () => {
    alive = true
    wake()
  })

  const pull: Pull<Frame, WebSocketError> = Effect.suspend((): Pull<Frame, WebSocketError> => {
    if (frames.length > 0 || (alive && end === undefined)) {
      const taken = frames
      frames = []
      size = 0
      alive = false
      if (ws.isPaused) ws.resume()
      return Effect.succeed(Chunk.unsafeFromArray(taken))
    }
    if (end !== undefined) {
      return Exit.match(end, {
        onSuccess: () => Effect.fail(Option.none()),
        onFailure: (cause) => Effect.failCause(Cause.map(cause, Option.some))
      })
    }
    readable ??= Deferred.unsafeMake<void>(FiberId.none)
    return Effect.zipRight(Deferred.await(readable), pull)
  })

  // ---------------------------------------------------------------------------------------------- writing

  interface Writer {
    readonly frame: Frame
    readonly resume: (result: Effect.Effect<void, WebSocketError>) => void
  }
  const writers = new Set<Writer>()
  let ponged: Deferred.Deferred<void, WebSocketError> | undefined

  const gone = (): WebSocketError =>
    failure ??
      new WebSocketError({ url, reason: "Closed", message: `nothing can be sent to ${url}: the socket is closed` })

  const write = (frame: Frame) => ws.send(frame, flush)
  // in order, and at most one frame beyond the bound
  const flush = () => {
    for (const writer of writers) {
      if (ws.readyState !== WebSocket.OPEN || ws.bufferedAmount >= writeBuffer) return
      writers.delete(writer)
      write(writer.frame)
      writer.resume(Effect.void)
    }
  }

  const send: WebSocketConnection["send"] = (frame) =>
    Effect.suspend(() => {
      if (ws.readyState !== WebSocket.OPEN) return Effect.fail(gone())
      if (writers.size > 0 || ws.bufferedAmount >= writeBuffer) {
        return Effect.async((resume) => {
          // SM9: it is failed when the socket closes, so it never waits for one that is gone
          const writer: Writer = { frame, resume }
          writers.add(writer)
          return Effect.sync(() => writers.delete(writer))
        })
      }
      write(frame)
      return Effect.void
    })

  const ping: WebSocketConnection["ping"] = Effect.suspend(() => {
    if (ws.readyState !== WebSocket.OPEN) return Effect.fail(gone())
    ponged ??= Deferred.unsafeMake<void, WebSocketError>(FiberId.none)
    ws.ping()
    return Deferred.await(ponged)
  })
  ws.on("pong", () => {
    if (ponged !== undefined) Deferred.unsafeDone(ponged, Exit.void)
    ponged = undefined
  })

  // --------------------------------------------------------------------------------------------- the ends

  let wasOpen = false
  ws.on("open", () => {
    wasOpen = true
    Deferred.unsafeDone(opened, Exit.void)
  })
  ws.on("unexpected-response", (_request, response) => {
    const status = response.statusCode ?? 0
    refusal(response, (body) => {
      const message = `${url} answered ${status} and no WebSocket${body === "" ? "" : `: ${body}`}`
      failure ??= new WebSocketError({ url, reason: "Refused", status, message })
      ws.terminate()
    })
  })
  ws.on("error", (error) => {
    const cause = errorOf(url, error)
    // what the network did to an open socket is told by its close code
    if (!wasOpen || cause.reason === "Invalid") failure ??= cause
  })
  ws.on("close", (code, said) => {
    end = failure === undefined ? endOf(url, code, said.toString()) : Exit.fail(failure)
    Deferred.unsafeDone(opened, Exit.zipRight(end, Exit.fail(gone())))
    Deferred.unsafeDone(closed, end)
    for (const { resume } of writers) resume(Effect.fail(gone()))
    writers.clear()
    if (ponged !== undefined) Deferred.unsafeDone(ponged, Exit.fail(gone()))
    wake()
  })

  // its close timer bounds the wait
  const close = Effect.async<void>((resume) => {
    if (ws.readyState === WebSocket.CLOSED) return resume(Effect.void)
    ws.once("close", () => resume(Effect.void))
    discarding = true
    // the peer's goodbye is behind what was not read
    ws.resume()
    ws.close(1000)
  })

  const connection: WebSocketConnection = {
    pull,
    send,
    ping,
    closed: Deferred.await(closed),
    get protocol() {
      return ws.protocol
    }
  }
  return { connection, opened, close }
}
