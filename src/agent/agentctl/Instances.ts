/**
 * The instances of a host, one a session. It is kept from one connection to the next, so that a restart is the host's own: the agent in it is
 * stopped, configured and started again, where everything but the agent stays. It ends with its session.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
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

/** How long the host may take to end something, or to say that it is there. */
const patience = "10 seconds"

const bounded = (effect: Effect.Effect<void, HostError>) =>
  Effect.timeoutFail(Effect.interruptible(effect), {
    duration: patience,
    onTimeout: () =>
      new HostError({
        reason: "Unreachable",
        method: "instances",
        message: `the agent host did not answer within ${patience}`
      })
  })

/** @since 0.1.0 */
export const make = (control: Control): Instances => {
  const kept = new Map<string, Lease>()

  const stop = (instance: Instance) => bounded(Effect.asVoid(control.send(instance, "POST", "/api/v1/stop")))

  const create = Effect.fnUntraced(function*({ env, folder, keep, sessionId }: Place) {
    // the host is asked before anything of it is touched: what a killed gateway left there of this session is ended only when it can be
    // replaced
    const left = (yield* control.list).filter((instance) => instance.session_id === sessionId)
    yield* Effect.forEach(left, ({ id }) => control.remove(id), { discard: true })
    const scope = keep ?? (yield* Effect.scope)
    let over = false
    const end = (instance: Instance) =>
      Effect.suspend(() => {
        if (over) return Effect.void
        over = true
        if (kept.get(sessionId)?.instance === instance) kept.delete(sessionId)
        return Effect.ignore(bounded(control.remove(instance.id)))
      })
    const instance = yield* Effect.acquireRelease(
      control.create({ workspace_path: folder, session_id: sessionId, env }),
      end
    ).pipe(Scope.extend(scope))
    const lease: Lease = {
      instance,
      numbers: { last: 0 },
      renewable: Effect.catchIf(
        bounded(Effect.asVoid(Opening.status(control, instance))),
        // a host that is there makes another one
        ({ reason }) => reason === "Gone",
        () => bounded(Effect.asVoid(control.list))
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
