/**
 * A session over a WebSocket: its events down, from a cursor, and commands up.
 *
 * Like every client it is a cursor on the log: what is ready is written together, and the next page is read when the
 * peer has taken the one before.
 *
 * @since 0.1.0
 */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Cause from "effect/Cause"
import type * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import {
  CursorExpired,
  EventLogClosed,
  EventLogUnavailable,
  LimitReached,
  SessionNotFound
} from "../../domain/Errors.js"
import type { Cursor, LogEntry } from "../../log/EventLog.js"
import type { Sessions } from "../../session/Sessions.js"
import type { EventStreams } from "../EventStream.js"
import { Draining, draining, InternalError, type UpgradeRequired } from "../GatewayError.js"
import * as Commands from "./Commands.js"
import type { Handshakes } from "./Handshake.js"
import * as Peer from "./Peer.js"

/** Commands of one socket that may be under way at once. */
const maxCommands = 32
const encodeLimit = Schema.encodeSync(LimitReached)

/** In characters, as for the bodies of event streams. */
const writeSize = 64 * 1024

// ---------------------------------------------------------------------------------------------------- its end

/** Why the gateway closes a socket. The error is told in a last frame: a close reason holds 123 bytes. */
interface End {
  readonly code: number
  readonly reason: string
  readonly error?: Commands.Error
}

const sessionOver: End = { code: 1000, reason: "the session is closed" }
const gone: End = { code: 1006, reason: "the connection is gone" }

const Ending = Schema.Union(
  SessionNotFound,
  CursorExpired,
  EventLogClosed,
  EventLogUnavailable,
  Draining,
  InternalError
)

const codes: Readonly<Record<typeof Ending.Type["_tag"], number>> = {
  Draining: 1001,
  EventLogClosed: 1001,
  InternalError: 1011,
  EventLogUnavailable: 1013,
  SessionNotFound: 4404,
  CursorExpired: 4410
}

const encode = Schema.encodeSync(Ending)

const ended = (error: typeof Ending.Type): End => ({
  code: codes[error._tag],
  reason: error.message,
  error: encode(error)
})

const badFrame = (error: Commands.Error): End => ({ code: 4400, reason: error.message, error })

// ----------------------------------------------------------------------------------------------------- events

/** The events of a page, in pieces that are written at once. */
const pieces = (page: Chunk.Chunk<LogEntry>): ReadonlyArray<ReadonlyArray<string>> => {
  const all: Array<Array<string>> = []
  let size = writeSize
  for (const { json } of page) {
    if (size >= writeSize) {
      all.push([])
      size = 0
    }
    all[all.length - 1]?.push(json)
    size += json.length
  }
  return all
}

/** Sends the session's events for as long as there can be any. */
const sendEvents = (sessions: Sessions["Type"], cursor: Cursor, peer: Peer.Peer): Effect.Effect<End> =>
  Effect.gen(function*() {
    const session = yield* sessions.get(cursor.session)
    if (session.status === "closed" && cursor.after >= session.head) return sessionOver
    let isOver = false
    yield* sessions.events(cursor).pipe(
      Stream.takeUntil((entry) => isOver = entry.type === "SessionClosed"),
      Stream.runForEachChunk((page) => Effect.forEach(pieces(page), peer.send, { discard: true }))
    )
    // the log closes before the gateway does only when something is wrong with it
    return isOver ? sessionOver : ended(draining())
  }).pipe(
    Effect.catchAllCause((cause) =>
      Either.match(Cause.failureOrCause(cause), {
        onLeft: (error) => Effect.succeed(ended(error)),
        onRight: (cause) =>
          Cause.isInterruptedOnly(cause) ? Effect.failCause(cause) : Effect.as(
            Effect.logError("the events of a socket died", cause),
            ended(new InternalError({ message: "an internal error; the gateway's log has the details" }))
          )
      })
    )
  )

// ------------------------------------------------------------------------------------------------- the socket

/** @since 0.1.0 */
export interface SessionSockets {
  /**
   * Accepts the upgrade request and serves the session until either side closes the socket. What it fails with is told
   * over HTTP; the response that it returns is never sent.
   */
  readonly serve: (
    request: HttpServerRequest.HttpServerRequest,
    cursor: Cursor
  ) => Effect.Effect<
    HttpServerResponse.HttpServerResponse,
    LimitReached | Draining | UpgradeRequired,
    Scope.Scope
  >
}

/** @since 0.1.0 */
export const make = (options: {
  readonly sessions: Sessions["Type"]
  readonly routes: Commands.Routes
  readonly streams: EventStreams
  readonly handshakes: Handshakes
  readonly heartbeat: Duration.DurationInput
  /** How long replies that are under way, and the last frame, may take when the gateway closes a socket. */
  readonly grace: Duration.DurationInput
}): SessionSockets => {
  const { grace, handshakes, heartbeat, routes, sessions, streams } = options

  const serve: SessionSockets["serve"] = Effect.fnUntraced(function*(request, cursor) {
    const end = yield* Deferred.make<End>()
    const finish = (how: End) => Deferred.unsafeDone(end, Exit.succeed(how))
    yield* streams.admit(() => finish(ended(draining())))
    const commands = yield* FiberSet.make<void>()
    const run = yield* FiberSet.runtime(commands)<never>()

    let underWay = 0
    const answer = (command: Commands.Command) =>
      Effect.suspend(() => {
        if (underWay >= maxCommands) {
          const error = new LimitReached({
            what: "commands",
            limit: maxCommands,
            message: `${maxCommands} commands of this socket are under way, which is the limit; wait for a reply`
          })
          return Effect.succeed(Commands.refusal(command.id, 429, encodeLimit(error)))
        }
        underWay++
        return Effect.ensuring(
          Commands.answer(routes, request, cursor.session, command),
          Effect.sync(() => underWay--)
        )
      })

    const peer = yield* handshakes.accept(request, (ws, socket) => {
      ws.once("close", () => finish(gone))
      const peer = Peer.make(ws, socket, (text) => {
        run(
          Effect.matchEffect(Commands.read(text), {
            onFailure: (fault) =>
              "reply" in fault ? peer.send([fault.reply]) : Effect.sync(() => finish(badFrame(fault.error))),
            onSuccess: (command) => Effect.flatMap(answer(command), (reply) => peer.send([reply]))
          })
        )
      })
      return peer
    })

    yield* sessions.attend(cursor.session)
    const sending = yield* Effect.forkScoped(
      Effect.flatMap(sendEvents(sessions, cursor, peer), (how) => Deferred.succeed(end, how))
    )
    yield* Effect.forkScoped(peer.watch(heartbeat))

    const { code, error, reason } = yield* Deferred.await(end)
    if (code !== gone.code) {
      yield* Fiber.interrupt(sending)
      yield* FiberSet.awaitEmpty(commands).pipe(
        Effect.zipRight(error === undefined ? Effect.void : peer.send([JSON.stringify({ error })])),
        Effect.timeout(grace),
        Effect.ignore
      )
      yield* peer.close(code, reason)
    }
    return HttpServerResponse.empty()
  })

  return { serve }
}
