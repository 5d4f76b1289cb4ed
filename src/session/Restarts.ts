/**
 * The restarts of the sessions' agents: one at a time a session, those that are asked for while one runs share one more, and failing
 * ones do not become a storm. When what happens is `RestartCoalescer`'s to decide; here it is recorded.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import type { AgentConnection } from "../agent/Agent.js"
import type { RunOutcome } from "../domain/AgentEvent.js"
import type { LogError, SessionClosed } from "../domain/Errors.js"
import type { SessionId } from "../domain/Ids.js"
import type { Cause, Covered, RestartCoalescer, RestartStorm } from "../lifecycle/RestartCoalescer.js"
import { type AgentLink, gone, type LinkError } from "./AgentLink.js"
import type { Lock } from "./Lock.js"
import type { OpenRuns } from "./OpenRuns.js"
import type { Recorder } from "./Recorder.js"
import * as Run from "./Run.js"

/** Why a restart fails. @since 0.1.0 */
export type RestartError = LinkError | LogError

/** Those of all sessions. @since 0.1.0 */
export type Restarts = RestartCoalescer<SessionId, void, RestartError>

/**
 * One restart, as the log tells it: what was begun is ended, also when it is interrupted.
 *
 * @since 0.1.0
 */
export const record = (
  { causes, requests }: Covered,
  recorder: Recorder,
  renew: Effect.Effect<void, LinkError>
): Effect.Effect<void, RestartError> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const first = yield* recorder.begin({ event: { type: "AgentRestarting", cause: causes[0], causes, requests } })
      yield* Effect.annotateCurrentSpan("holdfast.seq.start", first)
      const exit = yield* Effect.exit(restore(renew))
      const last = yield* recorder.end({
        event: Exit.isSuccess(exit)
          ? { type: "AgentRestarted" }
          : { type: "AgentRestartFailed", error: Run.infoOfCause(exit.cause) }
      })
      if (Option.isSome(last)) yield* Effect.annotateCurrentSpan("holdfast.seq.end", last.value)
      return yield* exit
    })
  )

const isRenewable = ({ renewable }: AgentConnection): Effect.Effect<void, LinkError> => renewable ?? Effect.void

/** The restarts of one session. @since 0.1.0 */
export interface Own {
  /** Returns when the restart is accepted; the Effect that it returns waits for the one that covers it. */
  readonly request: (
    cause: Cause
  ) => Effect.Effect<Effect.Effect<void, RestartError | SessionClosed>, SessionClosed | RestartStorm>
  /** Carries out what was asked for. */
  readonly cycle: (covered: Covered) => Effect.Effect<void, RestartError>
}

/** Whose agent is restarted. @since 0.1.0 */
export interface Session {
  readonly sessionId: SessionId
  readonly restarts: Restarts
  readonly recorder: Recorder
  readonly link: AgentLink
  readonly lock: Lock
  readonly runs: OpenRuns
  /** There when it takes no more commands. */
  readonly retired: RunOutcome | undefined
  /** What whoever sends one is told then. */
  readonly closed: () => SessionClosed
}

/** A class for the sake of memory: each session has one, and most are idle. */
class OfSession implements Own {
  /** The connection that someone reported dead. */
  private suspect: AgentConnection | undefined
  /** Of the cycle that waits for an agent that died to come up again: ends that wait. */
  private waits: Deferred.Deferred<void, LinkError> | undefined

  constructor(private readonly session: Session) {}

  request(
    cause: Cause
  ): Effect.Effect<Effect.Effect<void, RestartError | SessionClosed>, SessionClosed | RestartStorm> {
    const { session } = this
    const { link, restarts, sessionId } = session
    const unfinished = () => Effect.fail(session.closed())
    return session.lock(Effect.suspend(() => {
      if (session.retired !== undefined) return unfinished()
      const looksDead = Effect.map(link.current, (there) => {
        this.suspect = Option.getOrUndefined(there)
      })
      // a person does not wait for an agent that does not come up by itself: the restart ends its dial, and not the one who asks for it,
      // who might end that of the restart
      const hurry = Effect.sync(() => {
        if (this.waits !== undefined) Deferred.unsafeDone(this.waits, Effect.fail(gone("someone asked for a restart")))
      })
      return (cause === "failed" ? looksDead : Effect.void).pipe(
        Effect.zipRight(Effect.catchTag(restarts.submit(sessionId, cause), "RestartCoalescerClosed", unfinished)),
        Effect.tap(() => cause === "requested" ? hurry : Effect.void),
        // whoever asks may leave, but not halfway
        Effect.uninterruptible
      )
    })).pipe(
      Effect.map((ticket) =>
        Effect.catchTags(ticket.await, { RestartCancelled: unfinished, RestartCoalescerClosed: unfinished })
      )
    )
  }

  cycle(covered: Covered): Effect.Effect<void, RestartError> {
    const { link, recorder } = this.session
    return Effect.flatMap(link.current, (present) => {
      const dead = this.suspect
      this.suspect = undefined
      if (covered.causes[0] !== "failed") return record(covered, recorder, this.renew)
      if (Option.isNone(present)) {
        const hurry = this.waits = Deferred.unsafeMake<void, LinkError>(FiberId.none)
        // no race, which tells of the agent some steps later than it can speak
        const there = Effect.zipRight(
          Effect.fork(Effect.intoDeferred(Effect.asVoid(link.get), hurry)),
          Deferred.await(hurry)
        )
        return Effect.ensuring(
          record(covered, recorder, there),
          Effect.sync(() => {
            this.waits = undefined
          })
        )
      }
      // whoever looked dead, this one came up in the meantime
      return present.value === dead ? record(covered, recorder, this.renew) : Effect.void
    })
  }

  private get renew(): Effect.Effect<void, LinkError> {
    const { link, lock, runs } = this.session
    return Effect.gen(function*() {
      // nothing is touched before it is known that the next one can be had
      yield* Effect.flatMap(link.current, Option.match({ onNone: () => Effect.void, onSome: isRenewable }))
      const turn = yield* lock(Effect.sync(() => {
        for (const run of runs.opened()) run.cancelled = true
        if (runs.turn !== undefined) runs.turn.cancelled = true
        return runs.turn
      }))
      yield* link.drop("it is being restarted")
      if (turn !== undefined) {
        yield* Deferred.succeed(turn.done, { _tag: "Cancelled" })
        yield* Deferred.await(turn.ended)
      }
      yield* link.get
    })
  }
}

/** @since 0.1.0 */
export const make = (session: Session): Own => new OfSession(session)
