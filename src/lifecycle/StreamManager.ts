/**
 * Keeps keyed connections up: dials, runs, backs off, dials again, until they are detached or the manager's scope closes. When either
 * returns, nothing of them is left: no fiber, no socket, no timer, no dial in flight.
 *
 * ```ts
 * const program = Effect.gen(function*() {
 *   const streams = yield* StreamManager.StreamManager
 *   const handle = yield* streams.attach("events/42", {
 *     connect: WebSocketSource.connect({ url: "ws://127.0.0.1:41001/api/v1/agent/stream" }),
 *     run: (socket, heartbeat) => Inbox.drain(socket.pull, { heartbeat, handle: (frame) => Effect.log(frame) }),
 *     idle: "45 seconds",
 *     probe: { every: "15 seconds", send: (socket) => socket.ping }
 *   })
 *   const socket = yield* handle.ready
 *   yield* socket.send("hello")
 * })
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as RuntimeFlags from "effect/RuntimeFlags"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import { type Environment, Keeper, type Kept } from "./stream/Keeper.js"
import type { StreamHandle, StreamSpec } from "./stream/Spec.js"
import * as StreamMetrics from "./stream/StreamMetrics.js"
import * as Watchdog from "./stream/Watchdog.js"

export {
  /** @since 0.1.0 */
  StreamEnded,
  /** @since 0.1.0 */
  type StreamHandle,
  /** @since 0.1.0 */
  type StreamSpec
} from "./stream/Spec.js"
export type {
  /** @since 0.1.0 */
  End,
  /** @since 0.1.0 */
  Reason,
  /** @since 0.1.0 */
  Status,
  /** @since 0.1.0 */
  StreamEnd
} from "./stream/State.js"

/** The manager's scope is closed: nothing is dialed any more (SM2). @since 0.1.0 */
export class StreamManagerClosed extends Schema.TaggedError<StreamManagerClosed>()("StreamManagerClosed", {
  key: Schema.String,
  message: Schema.String
}) {}

/** The key has a live stream (SM3). @since 0.1.0 */
export class StreamAlreadyAttached extends Schema.TaggedError<StreamAlreadyAttached>()("StreamAlreadyAttached", {
  key: Schema.String,
  message: Schema.String
}) {}

/** Dials, failures, streams that are connected, and those that were drained. @since 0.1.0 */
export const metrics = {
  dials: StreamMetrics.dials,
  failures: StreamMetrics.failures,
  live: StreamMetrics.live,
  drained: StreamMetrics.drained
}

/** @since 0.1.0 */
export class StreamManager extends Context.Tag("holdfast/StreamManager")<StreamManager, {
  /**
   * Registers the stream and starts it, in one step; does not wait for the dial. The stream belongs to the manager: it goes on when the
   * caller is gone, and runs with what the manager was made with, not with the caller's context.
   */
  readonly attach: <A, E>(
    key: string,
    spec: StreamSpec<A, E>
  ) => Effect.Effect<StreamHandle<A, E>, StreamManagerClosed | StreamAlreadyAttached>
  /**
   * Ends the stream and returns when nothing of it is left; at once if there is none. Interrupting the caller leaves nothing half done:
   * the stream ends all the same. From inside the stream's own `run` it cannot be waited for: there it returns at once.
   */
  readonly detach: (key: string, reason?: string) => Effect.Effect<void>
  /** The keys that have a stream, those included that are just ending. */
  readonly keys: Effect.Effect<ReadonlyArray<string>>
}>() {}

/** @since 0.1.0 */
export const make: Effect.Effect<StreamManager["Type"], never, Scope.Scope> = Effect.gen(function*() {
  const streams = new Map<string, Kept>()
  let closed = false

  // what a caller's fiber has stays with the caller; uninterruptible, so that a fiber settles its end itself, whenever it is interrupted
  const runtime = Runtime.disableRuntimeFlag(yield* Effect.runtime<Scope.Scope>(), RuntimeFlags.Interruption)
  const fork = Runtime.runFork(runtime)
  const environment: Environment = {
    clock: yield* Effect.clock,
    // not at once: on the caller's stack it would run before it is registered
    fork: (effect) => fork(effect, { immediate: false }),
    watchdog: yield* Watchdog.make,
    released: (key, stream) => {
      // SM4: by identity, because a successor may have the key already
      if (streams.get(key) === stream) streams.delete(key)
    }
  }

  // SM1: told all at once, then waited for; none can be added any more
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      closed = true
      const all = Array.from(streams.values())
      for (const stream of all) stream.stop({ reason: "Closed", message: "the stream manager was closed" })
      return Effect.forEach(all, (stream) => stream.gone, { discard: true })
    })
  )

  const attach = <A, E>(key: string, spec: StreamSpec<A, E>) =>
    // SM2, SM3: the look at the registry, the entry and the start of its fiber are one step
    Effect.withFiberRuntime<StreamHandle<A, E>, StreamManagerClosed | StreamAlreadyAttached>((fiber) => {
      if (closed) {
        const message = `the stream ${key} cannot be attached: the stream manager is closed`
        return Effect.fail(new StreamManagerClosed({ key, message }))
      }
      const predecessor = streams.get(key)
      if (predecessor?.isFinal === false) {
        const message = `${key} has a stream already; detach it first, or use another key`
        return Effect.fail(new StreamAlreadyAttached({ key, message }))
      }
      const asker = Context.getOption(fiber.currentContext, Tracer.ParentSpan)
      const stream = new Keeper(key, spec, environment, predecessor, Option.getOrUndefined(asker))
      streams.set(key, stream)
      return Effect.succeed(stream)
    })

  return StreamManager.of({
    attach,
    detach: (key, reason) =>
      Effect.suspend(() => {
        const stream = streams.get(key)
        if (stream === undefined) return Effect.void
        stream.stop({ reason: "Detached", message: reason ?? "it was detached" })
        return stream.gone
      }),
    keys: Effect.sync(() => Array.from(streams.keys()))
  })
})

/** @since 0.1.0 */
export const layer: Layer.Layer<StreamManager> = Layer.scoped(StreamManager, make)
