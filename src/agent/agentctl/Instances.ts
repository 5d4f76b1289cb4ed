/**
 * The instances of a host, one a session. It is kept from one connection to the next, so that a restart is the host's own: the agent in it is
 * stopped, configured and started again, where everything but the agent stays. It ends with its session.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { IdSource } from "../../domain/Ids.js"
import type { Control, Instance } from "./Control.js"
import { HostError } from "./HostError.js"
import * as Opening from "./Opening.js"
import type { Numbers } from "./Turns.js"

/** What a connection has of an instance. @since 0.1.0 */
export interface Lease {
  readonly instance: Instance
  /** Of the prompts that it was given, by earlier connections too. */
  readonly numbers: Numbers
  /** Whether it could be leased again now: fails before anything is touched. */
  readonly renewable: Effect.Effect<void, HostError>
  /**
   * Leaves it to the session's next connection, without an agent. What is not `clean` is ended instead: the host keeps what its agent said
   * unheard, and would give it to the next one.
   */
  readonly leave: (clean: boolean) => Effect.Effect<void>
}

/** @since 0.1.0 */
export interface Place {
  readonly sessionId: string
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
  /** The session's; without one the instance ends with the lease. */
  readonly keep: Scope.Scope | undefined
}

/** @since 0.1.0 */
export interface Instances {
  /** The session's instance, in which no agent runs, for nobody else; in the scope of the connection. */
  readonly lease: (place: Place) => Effect.Effect<Lease, HostError, Scope.Scope>
}

/** How long the host may take to say that it is there. */
const patience = Duration.seconds(10)

/** Of what the host may have made though it did not say so, it is asked after so long, and after twice that again, for two minutes. */
const askAgain = Schedule.exponential("1 second").pipe(Schedule.upTo("2 minutes"))

const bounded = (effect: Effect.Effect<void, HostError>, within: Duration.Duration) =>
  Effect.timeoutFail(Effect.interruptible(effect), {
    duration: within,
    onTimeout: () =>
      new HostError({
        reason: "Unreachable",
        method: "instances",
        message: `the agent host did not answer within ${Duration.format(within)}`
      })
  })

/** Whether the host has said that it made nothing. 502 and 504 say that a proxy has no answer of it. */
const isRefused = (cause: Cause.Cause<HostError>): boolean =>
  Option.exists(
    Cause.failureOption(cause),
    ({ reason, status }) => reason !== "Unreachable" && reason !== "Malformed" && status !== 502 && status !== 504
  )

/**
 * `leaveTimeout` bounds all that is waited for of a host on the way out.
 *
 * @since 0.1.0
 */
export const make = (control: Control, leaveTimeout: Duration.DurationInput = "5 seconds"): Instances => {
  const kept = new Map<string, Lease>()
  // a way out has two steps at most
  const step = Duration.times(leaveTimeout, 1 / 2)

  const stop = (instance: Instance) => bounded(Effect.asVoid(control.send(instance, "POST", "/api/v1/stop")), step)

  const remove = (id: string, { sessionId }: Place) =>
    Effect.catchAll(bounded(control.remove(id), step), ({ message }) =>
      Effect.logWarning(
        `the instance ${id} of session ${sessionId} may be left on its agent host: ${message}`
      ))

  /** The host may have made it, or may still: the request or its answer was lost. */
  const reclaim = (id: string, place: Place, scope: Scope.Scope) => {
    const found = Effect.zipRight(control.get(id), control.remove(id))
    // what is asked once more at the end cannot be left out by an interruption that comes before it began
    const later = found.pipe(
      Effect.delay("1 second"),
      Effect.retry(askAgain),
      Effect.interruptible,
      Effect.onInterrupt(() => remove(id, place)),
      Effect.ignore
    )
    return Effect.uninterruptible(Effect.catchAll(bounded(found, step), () => Effect.forkIn(later, scope)))
  }

  const create = Effect.fnUntraced(function*(place: Place) {
    const { env, folder, keep, sessionId } = place
    // the host is asked before anything of it is touched: what a killed gateway left there of this session is ended only when it can be
    // replaced
    const left = (yield* control.list).filter((instance) => instance.session_id === sessionId)
    yield* Effect.forEach(left, ({ id }) => control.remove(id), { discard: true })
    const scope = keep ?? (yield* Effect.scope)
    const { next } = yield* IdSource
    let over = false
    const end = (instance: Instance) =>
      Effect.suspend(() => {
        if (over) return Effect.void
        over = true
        if (kept.get(sessionId)?.instance === instance) kept.delete(sessionId)
        return remove(instance.id, place)
      })
    // by a name of ours it is found again, whatever becomes of the answer
    const id = yield* next(sessionId)
    const instance = yield* Effect.uninterruptibleMask((restore) =>
      restore(control.create({ id, workspace_path: folder, session_id: sessionId, env })).pipe(
        Effect.onError((cause) => isRefused(cause) ? Effect.void : reclaim(id, place, scope)),
        Effect.tap((instance) => Scope.addFinalizer(scope, end(instance)))
      )
    )
    const lease: Lease = {
      instance,
      numbers: { last: 0 },
      renewable: Effect.catchIf(
        bounded(Effect.asVoid(Opening.status(control, instance)), patience),
        // a host that is there makes another one
        ({ reason }) => reason === "Gone",
        () => bounded(Effect.asVoid(control.list), patience)
      ),
      leave: (clean) =>
        keep !== undefined && clean ? Effect.catchAll(stop(instance), () => end(instance)) : end(instance)
    }
    // the session may be closed by now, and the instance with it
    if (keep !== undefined && !over) kept.set(sessionId, lease)
    return lease
  })

  /** Of the session's earlier connections, if the host still has it and no agent runs in it. */
  const again = (lease: Lease): Effect.Effect<boolean, HostError> =>
    Opening.status(control, lease.instance).pipe(
      Effect.map(({ agent_status }) => agent_status === "stopped"),
      Effect.catchIf(({ reason }) => reason === "Gone", () => Effect.succeed(false))
    )

  return {
    lease: (place) =>
      Effect.suspend(() => {
        const lease = kept.get(place.sessionId)
        if (lease === undefined) return create(place)
        return Effect.flatMap(
          again(lease),
          (there) => there ? Effect.succeed(lease) : Effect.zipRight(lease.leave(false), create(place))
        )
      })
  }
}
