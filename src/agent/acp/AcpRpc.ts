/**
 * The SDK's JSON-RPC client over a child process, in wire order, with every promise of the SDK turned into an Effect here.
 *
 * Order (AG4). The SDK starts handlers in order but some microtasks late, each kind at another distance, and a response may overtake
 * what came before it. So it gets one message at a time: the next waits for a turn of the event loop, by when all microtasks of the
 * former have run. Callbacks are synchronous, so what they push is in the order of the wire.
 *
 * Updates, which are nearly everything, do not go through the SDK: it checks each against its own schema before any handler sees it,
 * drops the variants that it does not know with a line on stderr, and that check is most of what a message costs.
 *
 * @since 0.1.0
 */
import * as acp from "@agentclientprotocol/sdk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FiberSet from "effect/FiberSet"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { ReadableStream, type ReadableStreamDefaultController, WritableStream } from "node:stream/web"
import { AgentDied, type AgentError, AgentProtocolError, AgentRequestFailed } from "../../domain/Errors.js"
import type { ChildProcess } from "../process/ChildProcess.js"
import * as Frames from "./Frames.js"

/** @since 0.1.0 */
export interface AcpRpc {
  /**
   * Sends a request. `onResult` runs at the response's place in the wire order, before the next message is handled. Interrupting the
   * Effect sends `$/cancel_request`.
   */
  readonly request: <A>(
    method: string,
    params: object,
    onResult: (result: unknown) => Either.Either<A, AgentError>
  ) => Effect.Effect<A, AgentError>
  /** As `request`, for a response that nobody waits for. If the agent is gone first `onDone` is not called: `gone` tells. */
  readonly send: (
    method: string,
    params: object,
    onDone: (result: Either.Either<unknown, AgentRequestFailed>) => void
  ) => Effect.Effect<void>
  readonly notify: (method: string, params: object) => Effect.Effect<void>
  /** Fails with the reason for which the agent is gone, when it is. */
  readonly gone: Effect.Effect<never, AgentError>
  /** The reason, if it is gone already. */
  readonly alive: Effect.Effect<void, AgentError>
}

/** @since 0.1.0 */
export interface Options {
  readonly process: ChildProcess
  readonly maxMessageBytes: number
  /** Gets the params of every `session/update`, as they came. */
  readonly onUpdate: (params: unknown) => void
  /** Gets the id of a response to nothing that was asked, or that was answered already. */
  readonly onStray: (id: unknown) => void
  /** Registers the handlers of everything else. */
  readonly handlers: (app: acp.ClientApp) => acp.ClientApp
  /** Waits before more is read: backpressure. */
  readonly room: Effect.Effect<void>
}

/**
 * Waits until every microtask, and with them the handler of the message just handed over, has run; and until what was written to
 * sockets in the meantime has left.
 *
 * @since 0.1.0
 */
export const settled = Effect.async<void>((resume) => {
  // only the platform's event loop knows when its microtasks are done
  const immediate = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(immediate))
})

const died = (process: ChildProcess): Effect.Effect<never, AgentDied> =>
  Effect.gen(function*() {
    // stdout may close a little before the process ends; one that lives on without it is of no use either
    const exit = yield* Effect.timeoutOption(process.exited, "1 second")
    const stderr = yield* process.stderr
    const { code, signal } = Option.getOrElse(exit, () => ({ code: null, signal: null }))
    const how = Option.isNone(exit)
      ? "closed its output"
      : signal !== null
      ? `was ended by ${signal}`
      : code !== null
      ? `exited with code ${code}`
      : "ended"
    const last = stderr.trim().split("\n").at(-1) ?? ""
    return yield* new AgentDied({
      exitCode: code,
      signal,
      stderr,
      message: `the agent's process ${how}${last === "" ? "" : `; it last wrote: ${last.slice(0, 300)}`}`
    })
  })

/** A message that is nested deeper than the stack, say: JSON is read without it, and nothing else is done so. */
const unmanageable = (defect: unknown) =>
  new AgentProtocolError({ detail: "", message: `the agent wrote a message that cannot be handled: ${String(defect)}` })

const failedRequest = (method: string, error: acp.RequestError) =>
  new AgentRequestFailed({
    method,
    code: error.code,
    message: `${method} failed: ${error.message}${detailOf(error.data)}`
  })

const detailOf = (data: unknown): string =>
  data === undefined || data === null ? "" : ` (${JSON.stringify(data).slice(0, 300)})`

/** @since 0.1.0 */
export const make = (options: Options): Effect.Effect<AcpRpc, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { process } = options
    const gone = yield* Deferred.make<never, AgentError>()
    const run = yield* FiberSet.makeRuntimePromise<never, void, never>()

    let controller: ReadableStreamDefaultController<acp.AnyMessage> | undefined
    const readable = new ReadableStream<acp.AnyMessage>({
      start: (its) => {
        controller = its
      },
      cancel: () => {
        controller = undefined
      }
    })
    /** The ids of our requests that have no response. */
    const asked = new Set<unknown>()
    const writable = new WritableStream<acp.AnyMessage>({
      write: (message) => {
        if ("method" in message && "id" in message) asked.add(message.id)
        return run(process.send(`${JSON.stringify(message)}\n`))
      }
    })
    const rpc = options.handlers(acp.client({ name: "holdfast" })).connect({ readable, writable })

    const handOver = Effect.fnUntraced(function*(frames: Iterable<Frames.Frame>) {
      for (const frame of frames) {
        const message = yield* frame
        if (controller === undefined) {
          return yield* new AgentProtocolError({
            detail: "",
            message: "the protocol's own library has closed the connection"
          })
        }
        if ("method" in message && message.method === acp.methods.client.session.update) {
          options.onUpdate(message.params)
        } else if (!("method" in message) && !asked.delete(message.id)) {
          // the SDK would write the id to stderr as it is, whatever a terminal makes of it
          options.onStray(message.id)
        } else {
          controller.enqueue(message)
          yield* settled
        }
      }
    })

    const frames = Frames.make(options.maxMessageBytes)
    const receive: Effect.Effect<never, AgentError> = Effect.gen(function*() {
      while (true) {
        const chunk = yield* process.read
        yield* handOver(Option.match(chunk, { onNone: frames.end, onSome: frames.push }))
        if (Option.isNone(chunk)) return yield* died(process)
        yield* options.room
      }
    })

    const end = (error: AgentError) => {
      Deferred.unsafeDone(gone, Effect.fail(error))
      rpc.close()
    }
    yield* Effect.addFinalizer(() =>
      Effect.sync(() =>
        end(
          new AgentDied({ exitCode: null, signal: null, stderr: "", message: "the connection to the agent was closed" })
        )
      )
    )
    yield* receive.pipe(
      // AG2: what cannot be handled is the end, and no silence
      Effect.catchAllDefect((defect) => unmanageable(defect)),
      Effect.catchAll((error) => Effect.sync(() => end(error))),
      Effect.interruptible,
      Effect.forkScoped
    )

    // the only place that touches promises of the SDK; what a callback throws is caught, too, so none is ever an unhandled rejection
    const call = (
      method: string,
      params: object,
      signal: AbortSignal | undefined,
      onDone: (result: Either.Either<unknown, AgentRequestFailed>) => void,
      onGone: () => void
    ) => {
      rpc.agent.request(
        method,
        params,
        signal === undefined ? {} : { cancellationSignal: signal, stopWaitingOnCancel: true }
      ).then(
        (result) => onDone(Either.right(result)),
        (error: unknown) =>
          error instanceof acp.RequestError ? onDone(Either.left(failedRequest(method, error))) : onGone()
      ).catch((defect: unknown) => {
        end(unmanageable(defect))
        onGone()
      })
    }

    const request = <A>(method: string, params: object, onResult: (result: unknown) => Either.Either<A, AgentError>) =>
      Effect.async<A, AgentError>((resume, signal) =>
        call(
          method,
          params,
          signal,
          (result) => resume(Either.flatMap<unknown, AgentRequestFailed, A, AgentError>(result, onResult)),
          () => resume(Deferred.await(gone))
        )
      )

    return {
      request,
      send: (method, params, onDone) => Effect.sync(() => call(method, params, undefined, onDone, () => {})),
      notify: (method, params) => Effect.sync(() => void rpc.agent.notify(method, params).catch(() => {})),
      gone: Deferred.await(gone),
      alive: Effect.flatMap(
        Deferred.poll(gone),
        Option.match({ onNone: () => Effect.void, onSome: (reason) => reason })
      )
    }
  })
