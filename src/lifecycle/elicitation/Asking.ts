/**
 * The asker's side of a question: it is registered, announced, waited for, and its end is told, once, on every path.
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
import {
  type Elicitation,
  type ElicitationOutcome,
  type ElicitationRequest,
  recordable
} from "../../domain/Elicitation.js"
import { checkRequest } from "../../domain/ElicitationCheck.js"
import { ElicitationInvalid, type LimitReached } from "../../domain/Errors.js"
import { freshElicitationId, type RunId, type SessionId } from "../../domain/Ids.js"
import * as Issues from "../../domain/Issues.js"
import type { Memory } from "./Memory.js"
import * as Register from "./Register.js"

/** @since 0.1.0 */
export interface Question<E> {
  readonly sessionId: SessionId
  readonly runId?: RunId | undefined
  readonly request: ElicitationRequest
  /** How long it may wait for an answer before it ends as `Expired` (EB9); the bridge's own when left out. */
  readonly deadline?: Duration.DurationInput | undefined
  /** The asker's own name for it, by which `complete` finds it. */
  readonly externalId?: string | undefined
  /** Tells the world. It runs once the question can be answered (EB1), waits for no consumer (EB5), and if it fails nothing was asked. */
  readonly announce: (elicitation: Elicitation) => Effect.Effect<void, E>
  /**
   * Tells the world how it ended. It runs once after every announcement, on every path, uninterruptibly (EB4). It is given nothing that
   * may not be recorded (EB11).
   */
  readonly settled: (elicitation: Elicitation, outcome: ElicitationOutcome) => Effect.Effect<void, E>
  /** Completes when the question ends on the asker's side: it is taken back, or what it was for is done without this answer. */
  readonly elsewhere?: Effect.Effect<ElicitationOutcome> | undefined
}

/** A question that waits for its answer, or has had it. @since 0.1.0 */
export interface Opened<E> {
  readonly elicitation: Elicitation
  /** How it ended, once that has been told; for any number of waiters, also afterwards. It fails as `settled` does. */
  readonly outcome: Effect.Effect<ElicitationOutcome, E>
}

/** @since 0.1.0 */
export const withdrawn = (reason: string): ElicitationOutcome => ({ _tag: "Withdrawn", reason })

/** Why a question ends with the bridge. @since 0.1.0 */
export const shuttingDown = "Holdfast is shutting down"

/** `Infinity` for what is left out. @since 0.1.0 */
export const millisOf = (duration: Duration.DurationInput | undefined): number =>
  duration === undefined ? Infinity : Duration.toMillis(duration)

/** The last moment that a date can tell. */
const endOfTime = 8.64e15

const gone = withdrawn("its asker is gone")

/** @since 0.1.0 */
export interface Asking {
  readonly ask: <E>(question: Question<E>) => Effect.Effect<ElicitationOutcome, ElicitationInvalid | LimitReached | E>
  readonly open: <E>(
    question: Question<E>
  ) => Effect.Effect<Opened<E>, ElicitationInvalid | LimitReached | E, Scope.Scope>
}

/** @since 0.1.0 */
export const make = (options: {
  readonly register: Register.Register
  readonly memory: Memory
  /** To be run for a question that is due some day. */
  readonly wakeAt: (at: number) => Effect.Effect<void>
  /** Of a question that does not say so itself. */
  readonly deadline: Duration.DurationInput | undefined
  readonly isClosed: () => boolean
  /** Where those live that tell the end of a question which nobody waits for. */
  readonly tellers: Scope.Scope
}): Asking => {
  const { register } = options
  const { settle } = register

  /** Registers and announces a question, and goes on: from here it has exactly one end, which is told once. Uninterruptible. */
  const begin = <E, A, R>(
    question: Question<E>,
    goOn: (open: Register.OpenQuestion) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, ElicitationInvalid | LimitReached | E, R> => {
    const issues = checkRequest(question.request)
    if (issues.length > 0) {
      return Effect.fail(
        new ElicitationInvalid({ issues, message: `the question cannot be asked: ${Issues.toText(issues)}` })
      )
    }
    return Effect.flatMap(
      Effect.zip(freshElicitationId, Clock.currentTimeMillis),
      ([id, now]): Effect.Effect<A, LimitReached | E, R> => {
        const expiresAt = now + millisOf(question.deadline ?? options.deadline)
        const open: Register.OpenQuestion = {
          id,
          asked: question,
          askedAt: now,
          expiresAt: expiresAt <= endOfTime ? expiresAt : Infinity,
          due: undefined,
          outcome: undefined,
          wake: undefined
        }
        // EB1: registered before announced; EB10: counting and registering are one step
        const refused = register.add(open)
        if (refused !== undefined) return Effect.fail(refused)
        if (options.isClosed()) settle(open, withdrawn(shuttingDown))
        const announced = Effect.matchCauseEffect(question.announce(Register.toElicitation(open)), {
          onFailure: (cause) => {
            settle(open, withdrawn("it could not be announced"))
            return Effect.failCause(cause)
          },
          onSuccess: () => {
            Option.map(
              options.memory.answerTo(question.sessionId, question.request),
              (optionId) => settle(open, { _tag: "Answered", action: "accept", content: { optionId }, by: "memory" })
            )
            return goOn(open)
          }
        })
        return open.due === undefined ? announced : Effect.zipRight(options.wakeAt(open.due.at), announced)
      }
    )
  }

  /** Runs `wait`, and meanwhile looks out for an end on the asker's side. */
  const whileWatched = <E, A>(
    question: Question<E>,
    open: Register.OpenQuestion,
    wait: Effect.Effect<A>
  ): Effect.Effect<A> => {
    const { elsewhere } = question
    if (elsewhere === undefined) return wait
    // no race: its loser could be alive a moment after the question's end was told
    return Effect.acquireUseRelease(
      elsewhere.pipe(
        Effect.exit,
        Effect.map((exit) => settle(open, Exit.getOrElse(exit, () => gone))),
        Effect.interruptible,
        Effect.fork
      ),
      () => wait,
      Fiber.interrupt
    )
  }

  const tell = <E>(question: Question<E>, open: Register.OpenQuestion, outcome: ElicitationOutcome) =>
    Effect.as(question.settled(Register.toElicitation(open), recordable(question.request, outcome)), outcome)

  const wait = <E>(question: Question<E>, open: Register.OpenQuestion, isInterruptible: boolean) => {
    const end = Register.ended(open)
    return Effect.matchCauseEffect(whileWatched(question, open, isInterruptible ? Effect.interruptible(end) : end), {
      onSuccess: (outcome) => tell(question, open, outcome),
      onFailure: (cause) => {
        settle(open, gone)
        // EB4: an answer may have come in the instant of the interruption; then that is how it ended
        return Effect.zipRight(tell(question, open, open.outcome ?? gone), Effect.failCause(cause))
      }
    })
  }

  // `uninterruptibleMask`, written so that it keeps little while it waits: ten thousand may (EB10)
  const ask = <E>(
    question: Question<E>
  ): Effect.Effect<ElicitationOutcome, ElicitationInvalid | LimitReached | E> =>
    Effect.checkInterruptible((isInterruptible) =>
      Effect.uninterruptible(
        Effect.suspend(() => begin(question, (open) => wait(question, open, isInterruptible)))
      )
    )

  // it does not end with a fiber, so a fiber of its own tells its end; `ask` has one already, and ten thousand of them wait (EB10)
  const open = <E>(
    question: Question<E>
  ): Effect.Effect<Opened<E>, ElicitationInvalid | LimitReached | E, Scope.Scope> =>
    Effect.uninterruptible(Effect.flatMap(Effect.scope, (scope) =>
      begin(question, (open) =>
        Effect.gen(function*() {
          const told = Deferred.unsafeMake<ElicitationOutcome, E>(FiberId.none)
          const own = yield* Scope.fork(scope, ExecutionStrategy.sequential)
          yield* whileWatched(question, open, Register.ended(open)).pipe(
            Effect.flatMap((outcome) => tell(question, open, outcome)),
            Effect.intoDeferred(told),
            // the scope forgets it
            Effect.zipRight(Scope.close(own, Exit.void)),
            Effect.forkIn(options.tellers)
          )
          yield* Scope.addFinalizer(
            own,
            Effect.suspend(() => {
              settle(open, gone) // EB4
              return Effect.exit(Deferred.await(told))
            })
          )
          return { elicitation: Register.toElicitation(open), outcome: Deferred.await(told) }
        }))))

  return { ask, open }
}
