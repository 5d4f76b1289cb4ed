/**
 * Requests over a connection, and the responses that belong to them (SM9).
 *
 * A request belongs to the connection that it was sent on. When that ends, the request fails at that moment; no response of another
 * connection can answer it, because an id is never used twice, whatever the connection.
 *
 * ```ts
 * const requests = yield* Requests.make<Message, Message>() // once for a stream
 * // once for each connection, in its scope
 * const calls = yield* requests.bind((id, message) => socket.send(JSON.stringify({ id, ...message })))
 * const response = yield* calls.request({ action: "agent.initialize" }) // Effect<Message, RequestFailed | …>
 * // on the read loop: true when it was a response that somebody waited for
 * calls.resolve(message.id, message)
 * ```
 *
 * A handler that waits for a response can wait for ever when the buffer between it and the socket is full: give such a request a timeout.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as FiberSet from "effect/FiberSet"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { LimitReached } from "../../domain/Errors.js"

/** The connection ended before the response came, or before the request could be sent. @since 0.1.0 */
export class RequestAborted extends Schema.TaggedError<RequestAborted>()("RequestAborted", {
  id: Schema.String,
  message: Schema.String
}) {}

/** The requests of one connection. @since 0.1.0 */
export interface Calls<Request, Response, E> {
  /**
   * Sends it and waits for the response. Fails with what `send` or `reject` failed with, with `RequestAborted` when the connection ends,
   * and with `LimitReached` when too many are pending. Interrupting it forgets the request.
   */
  readonly request: (request: Request) => Effect.Effect<Response, RequestAborted | LimitReached | E>
  /** A response came. False when nobody waits for it: it is none, it is late, or it answers nothing. To be called on the read loop. */
  readonly resolve: (id: string, response: Response) => boolean
  /** The response is an error. */
  readonly reject: (id: string, error: E) => boolean
  /** Fails what is pending and all that comes: the connection has ended. Closing its scope does it, too. */
  readonly end: (reason: string) => void
}

/** @since 0.1.0 */
export interface Requests<Request, Response, E> {
  /** `send` writes the request; one that hangs holds up nobody, and is interrupted when the connection ends. */
  readonly bind: (
    send: (id: string, request: Request) => Effect.Effect<void, E>
  ) => Effect.Effect<Calls<Request, Response, E>, never, Scope.Scope>
}

/**
 * @since 0.1.0
 */
export const make = <Request, Response, E = never>(options: {
  /** How many may be pending on a connection; 1,024 when left out. */
  readonly maxPending?: number | undefined
  /** What an id looks like; the number itself when left out. */
  readonly id?: ((number: number) => string) | undefined
} = {}): Requests<Request, Response, E> => {
  const { id: toId = String, maxPending = 1024 } = options
  // SM9: one count for all connections
  let last = 0

  const bind: Requests<Request, Response, E>["bind"] = Effect.fnUntraced(function*(send) {
    const pending = new Map<string, Deferred.Deferred<Response, RequestAborted | E>>()
    let ended: string | undefined
    const sending = yield* FiberSet.makeRuntime<never>()

    const aborted = (id: string, reason: string) =>
      new RequestAborted({ id, message: `request ${id} has no answer: ${reason}` })

    // taking it out is what decides between a response, an error and the end of the connection
    const settle = (id: string, exit: Exit.Exit<Response, RequestAborted | E>): boolean => {
      const waiting = pending.get(id)
      if (waiting === undefined) return false
      pending.delete(id)
      Deferred.unsafeDone(waiting, exit)
      return true
    }

    const end = (reason: string) => {
      ended ??= reason
      for (const id of Array.from(pending.keys())) settle(id, Exit.fail(aborted(id, reason)))
    }
    yield* Effect.addFinalizer(() => Effect.sync(() => end("its connection has ended")))

    const request = (payload: Request) =>
      Effect.uninterruptibleMask((restore): Effect.Effect<Response, RequestAborted | LimitReached | E> => {
        const id = toId(++last)
        if (ended !== undefined) return Effect.fail(aborted(id, ended))
        if (pending.size >= maxPending) {
          const message = `${maxPending} requests are pending on the connection already; wait for some`
          return Effect.fail(new LimitReached({ what: "pendingRequests", limit: maxPending, message }))
        }
        const response = Deferred.unsafeMake<Response, RequestAborted | E>(FiberId.none)
        // registered before it is sent: the response may be there when `send` returns
        pending.set(id, response)
        // in a fiber of the connection's: a write to a peer that does not read must not outlive the connection, nor hold up its end
        const fiber = sending(Effect.interruptible(Effect.suspend(() => send(id, payload))))
        fiber.addObserver((exit) => {
          if (Exit.isSuccess(exit)) return
          settle(
            id,
            Cause.isInterruptedOnly(exit.cause)
              ? Exit.fail(aborted(id, "it could not be sent"))
              : Exit.failCause(exit.cause)
          )
        })
        return Effect.onInterrupt(restore(Deferred.await(response)), () =>
          Effect.sync(() => {
            if (pending.delete(id)) fiber.unsafeInterruptAsFork(FiberId.none)
          }))
      })

    const calls: Calls<Request, Response, E> = {
      request,
      resolve: (id, response) => settle(id, Exit.succeed(response)),
      reject: (id, error) => settle(id, Exit.fail(error)),
      end
    }
    return calls
  })
  return { bind }
}
