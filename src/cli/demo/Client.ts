/**
 * The client at the other end of the wire, as Effects, for one session.
 *
 * @since 0.1.0
 */
import * as acp from "@agentclientprotocol/sdk"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

/** @since 0.1.0 */
export interface Client {
  readonly capabilities: acp.ClientCapabilities
  /** Returns when the update has been written. */
  readonly update: (update: acp.SessionUpdate) => Effect.Effect<void>
  /** Many updates, as fast as the other end reads them. */
  readonly updates: (updates: Stream.Stream<acp.SessionUpdate>) => Effect.Effect<void>
  /** Interrupting it takes the request back with `$/cancel_request`. */
  readonly request: <Method extends acp.ClientRequestMethod>(
    method: Method,
    params: acp.ClientRequestParamsByMethod[Method]
  ) => Effect.Effect<acp.ClientRequestResponsesByMethod[Method], acp.RequestError>
  readonly elicitationCompleted: (elicitationId: string) => Effect.Effect<void>
}

/** How many updates are on their way at once: enough to keep the pipe full, few enough to feel a slow reader. */
const window = 256

/** On a connection that is gone it waits for the end, which is near: its scope closes. */
const attempt = <A>(evaluate: (signal: AbortSignal) => Promise<A>): Effect.Effect<A, acp.RequestError> =>
  Effect.tryPromise({ try: evaluate, catch: (error) => error }).pipe(
    Effect.catchAll((error) => error instanceof acp.RequestError ? Effect.fail(error) : Effect.never)
  )

/** @since 0.1.0 */
export const make = (
  context: acp.AgentContext,
  sessionId: string,
  capabilities: acp.ClientCapabilities
): Client => {
  const send = (update: acp.SessionUpdate) => context.notify(acp.methods.client.session.update, { sessionId, update })
  const sent = (evaluate: () => Promise<unknown>): Effect.Effect<void> => Effect.asVoid(Effect.orDie(attempt(evaluate)))
  return {
    capabilities,
    update: (update) => sent(() => send(update)),
    updates: (updates) =>
      updates.pipe(
        Stream.rechunk(window),
        // sent in order, waited for together
        Stream.runForEachChunk((chunk) => sent(() => Promise.all(Chunk.toReadonlyArray(chunk).map(send))))
      ),
    request: (method, params) =>
      attempt((signal) => context.request(method, params, { cancellationSignal: signal, stopWaitingOnCancel: true })),
    elicitationCompleted: (elicitationId) =>
      sent(() => context.notify(acp.methods.client.elicitation.complete, { elicitationId }))
  }
}
