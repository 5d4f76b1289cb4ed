/**
 * The sessions in memory: each is woken by the first command that needs it, stays awake as long as a command takes, goes to rest when
 * nobody needs it, and is released at its end.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { Agents } from "../agent/Agent.js"
import type { RunOutcome } from "../domain/AgentEvent.js"
import type { LogError, SessionNotFound } from "../domain/Errors.js"
import { SessionClosed } from "../domain/Errors.js"
import type { SessionId } from "../domain/Ids.js"
import { type Draft, recovery, type SessionState } from "../domain/Session.js"
import type { ElicitationBridge } from "../lifecycle/ElicitationBridge.js"
import * as RestartCoalescer from "../lifecycle/RestartCoalescer.js"
import * as StreamManager from "../lifecycle/StreamManager.js"
import type { EventLog } from "../log/EventLog.js"
import * as Detach from "./Detach.js"
import * as Idle from "./Idle.js"
import * as Lock from "./Lock.js"
import type { Restarts } from "./Restarts.js"
import * as SessionRuntime from "./SessionRuntime.js"

/**
 * A session in memory. It is `closing` from the moment at which it takes no more commands, and `resting` while it goes to sleep: whoever
 * comes then waits, and wakes it again.
 */
interface Live extends Idle.Use {
  readonly runtime: SessionRuntime.SessionRuntime
  readonly scope: Scope.CloseableScope
  closing: Deferred.Deferred<void> | undefined
  resting: Deferred.Deferred<void> | undefined
}

/** @since 0.1.0 */
export interface Waking {
  /** The sessions that are in memory. */
  readonly live: ReadonlyMap<SessionId, unknown>
  /** What looks whether a session is there and then wakes it is one step. */
  readonly exclusively: Lock.Lock
  /**
   * Takes a session into memory that is not there; only `exclusively`. `owed` is what nobody else will end: the log could not be written when
   * it was last alive.
   */
  readonly wake: (
    session: SessionState,
    owed: ReadonlyArray<Draft>
  ) => Effect.Effect<{ readonly runtime: SessionRuntime.SessionRuntime }>
  /** Gives a command the live session, which is awake as long as the command takes. */
  readonly using: <A, E, R>(
    id: SessionId,
    command: (runtime: SessionRuntime.SessionRuntime) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | SessionNotFound | SessionClosed | LogError, R>
  /** As long as the scope is open somebody looks at the session, and it does not go to rest. */
  readonly watch: (id: SessionId) => Effect.Effect<void, never, Scope.Scope>
  /** Closes a session and everything that it holds. Closing a closed one does nothing. */
  readonly close: (id: SessionId) => Effect.Effect<void, SessionNotFound | LogError>
}

/**
 * Closing the scope releases every session.
 *
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*({ agents, bridge, limits, log, ...options }: {
  readonly log: EventLog["Type"]
  readonly agents: Agents["Type"]
  readonly bridge: ElicitationBridge["Type"]
  readonly limits: SessionRuntime.Limits
  /** How long a session is idle before it goes to rest; never when left out. */
  readonly idle: { readonly after: Duration.DurationInput } | undefined
  readonly restarts: RestartCoalescer.Policy | undefined
}): Effect.fn.Return<Waking, never, Scope.Scope> {
  const fiberRefs = yield* Effect.getFiberRefs
  const live = new Map<SessionId, Live>()
  const idle = Idle.make((id) => live.get(id))
  const exclusively = Lock.make()

  const streams = yield* StreamManager.make
  const restarts: Restarts = yield* RestartCoalescer.make({
    cycle: (id: SessionId, covered) => Effect.suspend(() => live.get(id)?.runtime.restartCycle(covered) ?? Effect.void),
    policy: options.restarts
  })

  const environment: SessionRuntime.Environment = { agents, log, bridge, restarts, streams, limits }

  // when it is closed, no session can be woken any more: what lives in it is gone at once
  const scope = yield* Scope.make()

  /**
   * Takes the session out of use. The Effect that it returns ends what the session holds and then writes `last`: on return nothing of
   * it is left but its log.
   */
  const release = (id: SessionId, entry: Live, outcome: RunOutcome, last: Effect.Effect<void, LogError>) =>
    Effect.sync(() => {
      const closing = Deferred.unsafeMake<void>(FiberId.none)
      entry.closing = closing
      return entry.runtime.retire(outcome).pipe(
        Effect.zipRight(Scope.close(entry.scope, Exit.void)),
        Effect.zipRight(last),
        Effect.ensuring(Effect.suspend(() => {
          live.delete(id)
          return Deferred.succeed(closing, void 0)
        }))
      )
    })

  let down = false
  const lost: RunOutcome = { _tag: "Lost", reason: "Holdfast was shut down" }

  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      down = true
      return Effect.forEach(
        [...live],
        ([id, entry]) =>
          entry.closing !== undefined
            ? Deferred.await(entry.closing)
            : Effect.exit(Effect.flatten(release(id, entry, lost, Effect.void))),
        { concurrency: "unbounded", discard: true }
      ).pipe(Effect.zipRight(Scope.close(scope, Exit.void)))
    })
  )

  const closedError = (sessionId: SessionId) =>
    new SessionClosed({ sessionId, message: `session ${sessionId} is closed` })

  const wake = (session: SessionState, owed: ReadonlyArray<Draft>) =>
    Effect.gen(function*() {
      const own = yield* Scope.fork(scope, ExecutionStrategy.sequential)
      // in a fiber of its own: what a session keeps for its end would keep the context of the request that opened it
      const making = yield* Scope.extend(
        SessionRuntime.make(session, owed, environment),
        own
      ).pipe(
        (make) => Effect.zipRight(Detach.to(fiberRefs), Effect.annotateLogs(make, { session: session.id })),
        Effect.forkIn(own)
      )
      const runtime = yield* Effect.flatten(Fiber.await(making))
      if (down) yield* runtime.retire(lost)
      const usedAt = yield* Clock.currentTimeMillis
      const entry: Live = { runtime, scope: own, closing: undefined, resting: undefined, users: 0, usedAt }
      live.set(session.id, entry)
      return entry
      // made also while the scope closes: it is retired then; and registered also when the one who woke it leaves, as it has no
      // other owner
    }).pipe(Effect.uninterruptible)

  const again = (session: SessionState) =>
    wake(session, recovery(session, "its end could not be recorded when it came"))

  const awake = (id: SessionId) =>
    exclusively(Effect.gen(function*() {
      const known = live.get(id)
      if (known !== undefined) return known
      const session = yield* log.state(id)
      if (session.phase === "closed") return yield* Effect.fail(closedError(id))
      return yield* again(session)
    }))

  const using = <A, E, R>(
    id: SessionId,
    command: (runtime: SessionRuntime.SessionRuntime) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | SessionNotFound | SessionClosed | LogError, R> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(restore(awake(id)), (entry) => {
        // one step: to find it awake and to keep it so
        if (entry.closing !== undefined) return Effect.fail(closedError(id))
        if (entry.resting !== undefined) {
          return Effect.zipRight(restore(Deferred.await(entry.resting)), restore(using(id, command)))
        }
        entry.users++
        return Effect.ensuring(restore(command(entry.runtime)), Idle.left(entry))
      })
    )

  /** Puts the session to sleep, if it really is idle: on return it is awake or gone from memory. */
  const rest: Idle.Rest<Live> = (id, entry, isIdle, since, reason) =>
    Effect.flatMap(Effect.option(log.state(id)), (state) =>
      Effect.suspend(() => {
        // one step: to find that nobody uses it and to tell those who come
        if (entry.closing !== undefined || !idle.isUnused(id, entry, since) || !Option.exists(state, isIdle)) {
          return Effect.void
        }
        const resting = entry.resting = Deferred.unsafeMake<void>(FiberId.none)
        return entry.runtime.rest(reason).pipe(
          Effect.tap((rests) => rests ? Scope.close(entry.scope, Exit.void) : Effect.void),
          Effect.onExit((exit) => {
            entry.resting = undefined
            if (Exit.isFailure(exit) || exit.value) live.delete(id)
            return Deferred.succeed(resting, void 0)
          })
        )
      })).pipe(Effect.uninterruptible)

  const close: Waking["close"] = (id) =>
    // what is begun here is finished also when the caller leaves: a half-closed session has no owner
    Effect.uninterruptible(Effect.flatten(
      exclusively(Effect.gen(function*() {
        const known = live.get(id)
        const ending = known?.closing ?? known?.resting
        if (ending !== undefined) return Effect.zipRight(Deferred.await(ending), close(id))
        const session = yield* log.state(id)
        if (session.phase === "closed") return Effect.void
        const entry = known ?? (yield* again(session))
        return yield* release(id, entry, { _tag: "Cancelled" }, entry.runtime.seal)
      }))
    ))

  if (options.idle !== undefined) {
    yield* Effect.forkScoped(Idle.sweep({
      after: Duration.decode(options.idle.after),
      all: () => live,
      isUnused: idle.isUnused,
      rest
    }))
  }

  return { live, exclusively, wake, using, watch: idle.watch, close }
})
