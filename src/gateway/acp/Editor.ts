/**
 * The editor at the other end of the wire, as Effects: every promise of the protocol's SDK is turned into one here.
 *
 * Updates, which are nearly everything, go past the SDK: it takes one message at a time, and here all that are ready leave in one write,
 * which is waited for. So an editor that does not read holds up the cursor that writes to it, and nothing else.
 *
 * @since 0.1.0
 */
import * as acp from "@agentclientprotocol/sdk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import type { Update } from "./Updates.js"

/** @since 0.1.0 */
export interface Transport {
  readonly input: ReadableStream<Uint8Array>
  /** Writes whole lines and returns when they have left. Several at once leave in the order of the calls. */
  readonly write: (lines: string) => Effect.Effect<void, unknown>
}

/** @since 0.1.0 */
export interface Editor {
  /** Returns when the updates have left. Of an editor that is gone it waits for the end, which is near. */
  readonly update: (sessionId: string, updates: ReadonlyArray<Update>) => Effect.Effect<void>
  /** `sent` is completed when the request is on its way. Interrupting it takes the request back with `$/cancel_request`. */
  readonly request: (
    method: string,
    params: object,
    sent: Deferred.Deferred<void>
  ) => Effect.Effect<unknown, acp.RequestError>
  /** The page of a question by URL says that it is done. */
  readonly completed: (elicitationId: string) => Effect.Effect<void>
  /** To be called within the request; what it returns waits until the response has left. */
  readonly response: (request: acp.JsonRpcId) => Effect.Effect<Effect.Effect<void>>
  /** Completes when it has left. */
  readonly gone: Effect.Effect<void>
}

const line = (message: object): string => `${JSON.stringify(message)}\n`

/** @since 0.1.0 */
export const connect = (
  app: acp.AgentApp,
  transport: Transport
): Effect.Effect<Editor, never, Scope.Scope> =>
  Effect.gen(function*() {
    /** Who waits for a message to leave: by its id a response, by its parameters a request, whose id the SDK makes. */
    const leaving = new Map<unknown, Deferred.Deferred<void>>()
    const fork = yield* FiberSet.makeRuntime<never, void, never>()
    const close = Effect.sync(() => connection.close())
    const post = (lines: string) => void fork(Effect.catchAll(transport.write(lines), () => close))

    const text = new TextDecoder()
    const { readable } = acp.ndJsonStream(
      // what the SDK says of a line that is not JSON
      new WritableStream<Uint8Array>({ write: (bytes) => post(text.decode(bytes)) }),
      transport.input
    )
    const writable = new WritableStream<acp.AnyMessage>({
      write: (message) => {
        post(line(message))
        const key = "method" in message ? message.params : message.id
        const left = leaving.get(key)
        leaving.delete(key)
        if (left !== undefined) Deferred.unsafeDone(left, Effect.void)
      }
    })
    const connection = yield* Effect.acquireRelease(
      Effect.sync(() => app.connect({ readable, writable })),
      (connection) => Effect.sync(() => connection.close())
    )

    const update: Editor["update"] = (sessionId, updates) =>
      updates.length === 0 ? Effect.void : Effect.catchAll(
        Effect.suspend(() =>
          transport.write(
            updates.map((update) =>
              line({ jsonrpc: "2.0", method: acp.methods.client.session.update, params: { sessionId, update } })
            ).join("")
          )
        ),
        () => Effect.zipRight(close, Effect.never)
      )

    const editor: Editor = {
      update,
      request: (method, params, sent) =>
        Effect.tryPromise({
          try: (signal) => {
            leaving.set(params, sent)
            return connection.client.request(method, params, { cancellationSignal: signal, stopWaitingOnCancel: true })
          },
          catch: (error) => error
        }).pipe(
          Effect.catchAll((error) => error instanceof acp.RequestError ? Effect.fail(error) : Effect.never)
        ),
      completed: (elicitationId) =>
        Effect.ignore(
          Effect.tryPromise(() => connection.client.notify(acp.methods.client.elicitation.complete, { elicitationId }))
        ),
      response: (request) =>
        Effect.sync(() => {
          const left = Deferred.unsafeMake<void>(FiberId.none)
          leaving.set(request, left)
          return Deferred.await(left)
        }),
      gone: Effect.promise(() => connection.closed)
    }
    return editor
  })
