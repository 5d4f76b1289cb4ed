/**
 * The agent stream of an instance: dialed again while the host is there, requests bound to the connection that carries them (SM9), events
 * in order and off the read loop (SM8).
 *
 * There is one of an instance: the host gives each event to one of those who are connected, so a second one would take events away.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { type AgentError, AgentLost, AgentRequestFailed } from "../../domain/Errors.js"
import * as Backoff from "../../lifecycle/stream/Backoff.js"
import * as Inbox from "../../lifecycle/stream/Inbox.js"
import * as Requests from "../../lifecycle/stream/Requests.js"
import type { End } from "../../lifecycle/stream/State.js"
import * as WebSocketSource from "../../lifecycle/stream/WebSocketSource.js"
import type { StreamManager } from "../../lifecycle/StreamManager.js"
import * as HostError from "./HostError.js"
import * as Wire from "./Wire.js"

/** Both streams: soon at first, because what an agent says meanwhile is kept by its host, though not much of it. @since 0.1.0 */
export const redial = Backoff.make({ base: "100 millis", cap: "2 seconds" })

/**
 * A host that is silent for so long is gone (SM7): a peer that vanished fails no read. It is asked for a sign of life twice before.
 *
 * @since 0.1.0
 */
export const liveness = (idle: Duration.DurationInput = "45 seconds") => ({
  idle,
  probe: {
    every: Duration.times(idle, 1 / 3),
    send: (socket: { readonly ping: Effect.Effect<void, WebSocketSource.WebSocketError> }) => socket.ping
  }
})

/** How a frame goes back on the connection that a request came on. @since 0.1.0 */
export type Respond = (frame: string) => Effect.Effect<void, WebSocketSource.WebSocketError>

/** @since 0.1.0 */
export interface AgentStream {
  /**
   * Sends it and waits for the response; waits for a connection first. With `again` it is sent once more when the connection ends before
   * the response: only for what may be said twice.
   */
  readonly call: (action: string, payload: unknown, options?: {
    readonly again?: boolean | undefined
    readonly timeout?: Duration.DurationInput | undefined
  }) => Effect.Effect<Wire.Fields, AgentError>
  /** Whether somebody listens to the agent now. */
  readonly isConnected: () => boolean
}

type DialError = HostError.HostError | WebSocketSource.WebSocketError | AgentError

const isAgentError = (error: DialError): error is AgentError =>
  error._tag !== "HostError" && error._tag !== "WebSocketError"

interface Request {
  readonly action: string
  readonly payload: unknown
}

/** @since 0.1.0 */
export const make = Effect.fnUntraced(function*(options: {
  readonly streams: StreamManager["Type"]
  /** Looked up before each dial: fails with an `AgentError`, or finally, when it is of no use. */
  readonly address: Effect.Effect<{ readonly url: string; readonly headers: Record<string, string> }, DialError>
  /** What came at once and is no response that somebody waits for, in order. It may wait, and nothing is read meanwhile when too much has come. */
  readonly handle: (frames: ReadonlyArray<Wire.Frame>, respond: Respond) => Effect.Effect<void, AgentError>
  /** A connection is there; `again`: not the first. In its scope. */
  readonly connected: (again: boolean) => Effect.Effect<void, never, Scope.Scope>
  readonly disconnected: Effect.Effect<void>
  /** The host is gone for good, or broke the protocol. Nothing is dialed any more. */
  readonly lost: (error: AgentError) => Effect.Effect<void>
  readonly idle: Duration.DurationInput | undefined
  readonly outage: Duration.DurationInput
  readonly maxFrame: number
}): Effect.fn.Return<AgentStream, never> {
  const { outage, streams } = options
  const requests = Requests.make<Request, Wire.Fields, AgentError>()
  const gone = yield* Deferred.make<never, AgentError>()
  const key = "agent"
  let connections = 0
  let connected = false
  let downSince: number | undefined

  const connect = Effect.gen(function*() {
    const socket = yield* WebSocketSource.connect({ ...(yield* options.address), maxFrame: options.maxFrame })
    const calls = yield* requests.bind((id, { action, payload }) =>
      Effect.mapError(socket.send(Wire.request(id, action, payload)), ({ message }) => new AgentLost({ message }))
    )
    return { ...socket, calls }
  })

  const route = (calls: Effect.Effect.Success<typeof connect>["calls"], frame: Wire.Frame): boolean => {
    if (frame._tag === "Response") return calls.resolve(frame.id, frame.payload)
    if (frame._tag !== "Failure") return false
    const { code, id, message } = frame
    return calls.reject(id, new AgentRequestFailed({ method: "agent", code: 0, message: `${message} (${code})` }))
  }

  const ended = (end: End<DialError>) =>
    Effect.gen(function*() {
      connected = false
      if (end.connected) yield* options.disconnected
      if (end.requested) return
      const now = yield* Clock.currentTimeMillis
      downSince = end.connected ? now : downSince ?? now
      const error = end.cause === undefined ? undefined : Option.getOrUndefined(Cause.failureOption(end.cause))
      const final = error === undefined
        ? undefined
        : isAgentError(error)
        ? error
        : HostError.final(error, options.maxFrame)
      const late = connections === 0 || now - downSince >= Duration.toMillis(outage)
      if (final === undefined && !late) return
      const lost = final ?? new AgentLost({ message: `the agent host is gone: ${end.message}` })
      yield* Deferred.fail(gone, lost)
      yield* options.lost(lost)
      // from inside the stream's own end: it ends without a wait
      yield* streams.detach(key, lost.message)
    })

  const handle = yield* streams.attach<Effect.Effect.Success<typeof connect>, DialError>(key, {
    redial,
    ...liveness(options.idle),
    connect,
    connectTimeout: "15 seconds",
    run: ({ calls, closed, pull, send }, heartbeat) =>
      Effect.gen(function*() {
        connected = true
        yield* options.connected(connections++ > 0)
        // responses are found while it reads; the rest of what came at once is one message, so that much text costs little
        const batches = Effect.map(pull, (raw) => {
          const rest = Chunk.toReadonlyArray(raw).map(Wire.parse).filter((frame) => !route(calls, frame))
          return rest.length === 0 ? Chunk.empty<ReadonlyArray<Wire.Frame>>() : Chunk.of(rest)
        })
        yield* Inbox.drain(batches, {
          heartbeat,
          capacity: 2,
          ended: () => calls.end("the connection to the agent host was cut"),
          handle: (batch) => Effect.tapError(options.handle(batch, send), (error) => Deferred.fail(gone, error))
        })
        return yield* closed
      }),
    onEnd: ended
  }).pipe(Effect.orDie) // the manager is the connection's own: it is open, and its keys are free

  /** The reason for which the stream ended, if it ended for good. */
  const why = (message: string): Effect.Effect<never, AgentError> =>
    Effect.flatMap(Deferred.poll(gone), Option.getOrElse(() => Effect.fail(new AgentLost({ message }))))

  const call: AgentStream["call"] = (action, payload, { again = false, timeout = "30 seconds" } = {}) => {
    const attempt: Effect.Effect<Wire.Fields, AgentError> = handle.ready.pipe(
      Effect.catchAll(({ message }) => why(message)),
      Effect.flatMap(({ calls }) => calls.request({ action, payload })),
      Effect.catchTags({
        RequestAborted: ({ message }) => again ? attempt : why(`${action}: ${message}`),
        LimitReached: ({ message }) => Effect.fail(new AgentRequestFailed({ method: action, code: 0, message })),
        AgentRequestFailed: ({ code, message }) =>
          Effect.fail(new AgentRequestFailed({ method: action, code, message: `${action}: ${message}` }))
      })
    )
    return Effect.timeoutFail(attempt, {
      duration: timeout,
      onTimeout: () => {
        const message = `the agent host did not answer ${action} within ${Duration.format(Duration.decode(timeout))}`
        return new AgentLost({ message })
      }
    })
  }
  return { call, isConnected: () => connected }
})
