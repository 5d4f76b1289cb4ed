/**
 * Stops runs: what was asked in them is withdrawn, and the agent is told to stop, and waited for only so long.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { AgentUnsupported } from "../domain/Errors.js"
import type { SessionId } from "../domain/Ids.js"
import type { ElicitationBridge } from "../lifecycle/ElicitationBridge.js"
import type { AgentLink } from "./AgentLink.js"
import type { Hearing } from "./Hearing.js"
import type { Lock } from "./Lock.js"
import type { OpenRuns } from "./OpenRuns.js"
import type { Recorder } from "./Recorder.js"
import type { Run } from "./Run.js"

/** A fiber inherits that its parent cannot be interrupted, and would then hold up the scope that it lives in. */
const forkInterruptible = <A, E, R>(effect: Effect.Effect<A, E, R>, scope: Scope.Scope) =>
  Effect.forkIn(Effect.interruptible(effect), scope)

/** Whose runs are cancelled. @since 0.1.0 */
export interface Session {
  readonly sessionId: SessionId
  readonly agent: string
  readonly bridge: ElicitationBridge["Type"]
  readonly hearing: Hearing
  readonly link: AgentLink
  readonly lock: Lock
  readonly recorder: Recorder
  readonly runs: OpenRuns
  /** Outlives the connections. */
  readonly turns: Scope.Scope
  /** How long an agent may take to end a turn that was cancelled, before it is ended itself. */
  readonly cancelGrace: Duration.Duration
}

/** What an agent goes on with after it was told to stop is not part of this session's story any more. */
const giveUp = ({ cancelGrace, hearing, lock, recorder }: Session, run: Run) =>
  lock(Effect.suspend(() => {
    if (!run.speaking) return Effect.void
    const grace = Duration.format(cancelGrace)
    const message = `the agent did not stop the run ${run.id} within ${grace}; it may go on with it unseen`
    return Effect.zipRight(
      recorder.end({ event: { type: "Warning", message }, runId: run.id }),
      hearing.end(run, { _tag: "Cancelled" })
    )
  }))

/** The open turn, and all that is nested in it. Under the lock; waits for nothing that an agent does. @since 0.1.0 */
export const turn = (session: Session, run: Run): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (run.cancelled) return Effect.void
    const { bridge, cancelGrace, link, runs, sessionId } = session
    const all = [run, ...runs.within(run)]
    for (const each of all) each.cancelled = true
    if (!run.speaking) return Effect.asVoid(Deferred.succeed(run.done, { _tag: "Cancelled" }))
    const isTurn = run === runs.turn
    const tell = Effect.flatMap(
      link.current,
      Option.match({
        onNone: () => Effect.void,
        onSome: ({ cancel, cancelRun }) => isTurn ? cancel : cancelRun?.(run.id) ?? Effect.void
      })
    )
    const escalate = Effect.zipRight(
      Effect.sleep(cancelGrace),
      // the agent is not ended for one of many runs: the turn and the others are at work in it
      isTurn
        ? link.drop(`it did not stop within ${Duration.format(cancelGrace)} after it was told to`)
        : forkInterruptible(giveUp(session, run), session.turns)
    )
    return Effect.forEach(all, ({ id }) => bridge.withdraw({ sessionId, runId: id }, "the run was cancelled")).pipe(
      Effect.zipRight(forkInterruptible(tell, run.scope)),
      Effect.zipRight(forkInterruptible(escalate, run.scope)),
      Effect.asVoid
    )
    // whoever cancels may leave, but not halfway
  }).pipe(Effect.uninterruptible)

/** Nothing is told to be over that goes on. */
const stoppable = ({ agent, link }: Session, run: Run) =>
  Effect.flatMap(link.current, (there) => {
    if (Option.isNone(there) || run.cancelled || there.value.cancelRun?.(run.id) !== undefined) return Effect.void
    const message = `the agent ${agent} cannot stop the run ${run.id} alone; ${
      run.parent === undefined
        ? "a restart of the session ends it"
        : "it ends with the run that it is nested in"
    }`
    return Effect.fail(new AgentUnsupported({ capability: "cancelRun", message }))
  })

/**
 * Any run. Fails, and does nothing, for one of the agent's own that the agent cannot stop alone. Under the lock; waits for nothing that an agent
 * does.
 *
 * @since 0.1.0
 */
export const run = (session: Session, run: Run): Effect.Effect<void, AgentUnsupported> =>
  run === session.runs.turn ? turn(session, run) : Effect.zipRight(stoppable(session, run), turn(session, run))
