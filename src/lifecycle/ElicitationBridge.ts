/**
 * Carries a question to a person and the answer back to the one who asked.
 *
 * A question has no slot that another could take: it is registered under its own id, lives as long as the Effect that asked (`ask`) or
 * the Scope that it was opened in (`open`), and ends exactly once. Questions of any number of runs wait side by side.
 *
 * ```ts
 * const outcome = yield* bridge.ask({
 *   sessionId,
 *   runId,
 *   request: { kind: "confirmation", message: "Deploy?" },
 *   deadline: "10 minutes",
 *   announce: (elicitation) => record({ type: "ElicitationRequested", elicitation }),
 *   settled: (elicitation, outcome) => record({ type: "ElicitationSettled", elicitationId: elicitation.id, outcome })
 * })
 * ```
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Decision from "../domain/Decision.js"
import type { Elicitation, ElicitationAnswer, ElicitationOutcome } from "../domain/Elicitation.js"
import { checkAnswer } from "../domain/ElicitationCheck.js"
import {
  ElicitationAlreadySettled,
  ElicitationAnswerInvalid,
  type ElicitationInvalid,
  ElicitationNotFound,
  type LimitReached
} from "../domain/Errors.js"
import type { ElicitationId, SessionId } from "../domain/Ids.js"
import * as Issues from "../domain/Issues.js"
import * as Asking from "./elicitation/Asking.js"
import * as Memory from "./elicitation/Memory.js"
import * as Register from "./elicitation/Register.js"
import * as Sweep from "./Sweep.js"

export type {
  /** @since 0.1.0 */
  Opened,
  /** @since 0.1.0 */
  Question
} from "./elicitation/Asking.js"

/** Which questions: those of a session, of one run of it, or a single one. @since 0.1.0 */
export type Filter = Register.Filter

/** @since 0.1.0 */
export class ElicitationBridge extends Context.Tag("holdfast/ElicitationBridge")<ElicitationBridge, {
  /**
   * Waits for the end of the question. Interrupting it withdraws the question. Fails with `ElicitationInvalid` when it cannot be put to
   * anyone, and with `LimitReached` when too many are open (EB10).
   */
  readonly ask: <E>(
    question: Asking.Question<E>
  ) => Effect.Effect<ElicitationOutcome, ElicitationInvalid | LimitReached | E>
  /**
   * The same without waiting: a question that outlives the request which carried it. It is withdrawn when the Scope closes (EB4), and
   * its end is told whether or not anybody waits for it.
   */
  readonly open: <E>(
    question: Asking.Question<E>
  ) => Effect.Effect<Asking.Opened<E>, ElicitationInvalid | LimitReached | E, Scope.Scope>
  /**
   * Answers a question. An answer that does not fit leaves the question open (EB7).
   */
  readonly answer: (
    sessionId: SessionId,
    id: ElicitationId,
    answer: ElicitationAnswer
  ) => Effect.Effect<void, ElicitationNotFound | ElicitationAlreadySettled | ElicitationAnswerInvalid>
  /**
   * The page of a `url` question says that it is done: the question ends as accepted, `by` completion. Says whether such a question was
   * open; if not (it never was, or has ended) nothing happens.
   */
  readonly complete: (sessionId: SessionId, externalId: string) => Effect.Effect<boolean>
  /** The open questions, oldest first (EB8). */
  readonly pending: (filter: Filter) => Effect.Effect<ReadonlyArray<Elicitation>>
  /**
   * The same now and after every change. A reader that lags gets only the latest, and holds nobody up (EB5). It ends with the bridge.
   */
  readonly changes: (filter: Filter) => Stream.Stream<ReadonlyArray<Elicitation>>
  /** Ends the open questions; each asker gets `Withdrawn` with the reason. */
  readonly withdraw: (filter: Filter, reason: string) => Effect.Effect<void>
  /** Says that somebody who could answer is there for as long as the Scope is open: the unattended policy waits (EB9). */
  readonly attend: (sessionId: SessionId) => Effect.Effect<void, never, Scope.Scope>
  /** What was decided for always in a session, oldest first. */
  readonly remembered: (sessionId: SessionId) => Effect.Effect<ReadonlyArray<Decision.Decision>>
  /** Gives a session that wakes what its log tells of such decisions, oldest first. */
  readonly remember: (sessionId: SessionId, decisions: Iterable<Decision.Decision>) => Effect.Effect<void>
  /** Takes a decision back: the next permission about this is asked. Says whether there was one. */
  readonly revoke: (sessionId: SessionId, subject: string) => Effect.Effect<boolean>
  /** The same for all decisions of a session: it is gone. */
  readonly forget: (sessionId: SessionId) => Effect.Effect<void>
}>() {}

/**
 * What happens to a question when nobody attends to its session: it waits, or is answered `after` a time, which counts from the
 * later of the question and the last attendant's leaving (EB9).
 *
 * @since 0.1.0
 */
export type Unattended = "wait" | {
  readonly after: Duration.DurationInput
  readonly then: "decline" | "cancel"
}

/** @since 0.1.0 */
export interface Options {
  /** How many questions of one session may be open at once; 64 when left out. */
  readonly maxPending?: number | undefined
  /** How many of all sessions; 16,384 when left out. */
  readonly maxPendingTotal?: number | undefined
  /** How long a question may wait that does not say so itself; for ever when left out. */
  readonly deadline?: Duration.DurationInput | undefined
  /** "wait" when left out. */
  readonly unattended?: Unattended | undefined
}

/** How many sessions' decisions are remembered, and how many of each. */
const memoryLimits = { sessions: 4096, subjects: 256 }

const completed: ElicitationOutcome = { _tag: "Answered", action: "accept", by: "completion" }

const sameItems = <A>(a: ReadonlyArray<A>, b: ReadonlyArray<A>): boolean =>
  a.length === b.length && a.every((item, index) => item === b[index])

/**
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(
  options: Options = {}
): Effect.fn.Return<ElicitationBridge["Type"], never, Scope.Scope> {
  const { deadline, maxPending = 64, maxPendingTotal = 16_384, unattended = "wait" } = options
  let closed = false
  const memory = Memory.make(memoryLimits)
  const register = Register.make({
    maxPending,
    maxPendingTotal,
    unattended: unattended === "wait"
      ? { after: Infinity, outcome: { _tag: "Expired" } }
      : {
        after: Asking.millisOf(unattended.after),
        outcome: { _tag: "Answered", action: unattended.then, by: "policy" }
      }
  })
  const wakeAt = yield* Sweep.make(register.sweep)
  const settleAll = (questions: ReadonlyArray<Register.OpenQuestion>, reason: string) => {
    for (const question of questions) register.settle(question, Asking.withdrawn(reason))
  }

  // those who tell the end of a question that nobody waits for; they cannot be interrupted, but every question ends
  const tellers = yield* Scope.make()
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      closed = true
      settleAll(register.all(), Asking.shuttingDown)
      register.notifyAll()
      return Scope.close(tellers, Exit.void)
    })
  )

  const { ask, open } = Asking.make({ register, memory, wakeAt, deadline, isClosed: () => closed, tellers })

  // ---------------------------------------------------------------------------------------------- answering

  const answer: ElicitationBridge["Type"]["answer"] = (sessionId, id, answer) =>
    Effect.suspend(
      (): Effect.Effect<void, ElicitationNotFound | ElicitationAlreadySettled | ElicitationAnswerInvalid> => {
        // EB2: found, checked and settled in one step
        const question = register.find(sessionId, id)
        if (question !== undefined) {
          const { request } = question.asked
          return Either.match(checkAnswer(request, answer), {
            onLeft: (issues) =>
              Effect.fail(
                new ElicitationAnswerInvalid({
                  elicitationId: id,
                  issues,
                  message: `the answer does not fit the question: ${Issues.toText(issues)}`
                })
              ),
            onRight: (checked) => {
              const outcome: ElicitationOutcome = { _tag: "Answered", ...checked }
              register.settle(question, outcome)
              Option.map(Decision.of(request, outcome), (decision) => memory.add(sessionId, decision))
              return Effect.void
            }
          })
        }
        const outcome = register.outcomeOf(sessionId, id)
        return outcome !== undefined
          ? Effect.fail(alreadySettled(id, outcome))
          : Effect.fail(
            new ElicitationNotFound({ elicitationId: id, message: `session ${sessionId} has no question ${id}` })
          )
      }
    )

  const changes = (filter: Filter): Stream.Stream<ReadonlyArray<Elicitation>> =>
    Stream.unwrapScoped(Effect.map(
      Effect.acquireRelease(
        Effect.sync(() => register.listen(filter.sessionId)),
        (listener) => Effect.sync(listener.end)
      ),
      ({ changed }) => {
        let told: ReadonlyArray<Register.OpenQuestion> | undefined
        const next: Effect.Effect<ReadonlyArray<Elicitation>, Option.Option<never>> = Effect.suspend(() => {
          const now = register.list(filter)
          if (told !== undefined && sameItems(told, now)) {
            return closed ? Effect.fail(Option.none()) : Effect.zipRight(changed, next)
          }
          told = now
          return Effect.succeed(now.map(Register.toElicitation))
        })
        return Stream.repeatEffectOption(next)
      }
    ))

  return ElicitationBridge.of({
    ask,
    open,
    answer,
    complete: (sessionId, externalId) =>
      Effect.sync(() =>
        register.list({ sessionId })
          .filter((question) => question.asked.externalId === externalId && question.asked.request.kind === "url")
          .reduce((any, question) => register.settle(question, completed) || any, false)
      ),
    pending: (filter) => Effect.sync(() => register.list(filter).map(Register.toElicitation)),
    changes,
    withdraw: (filter, reason) => Effect.sync(() => settleAll(register.list(filter), reason)),
    attend: (sessionId) =>
      Effect.acquireRelease(
        Effect.sync(() => register.arrive(sessionId)),
        () =>
          Effect.flatMap(Clock.currentTimeMillis, (now) => {
            register.leave(sessionId, now)
            const next = register.nextDue()
            return next === undefined ? Effect.void : wakeAt(next)
          })
      ),
    remembered: (sessionId) => Effect.sync(() => memory.of(sessionId)),
    remember: (sessionId, decisions) =>
      Effect.sync(() => {
        for (const decision of decisions) memory.add(sessionId, decision)
      }),
    revoke: (sessionId, subject) => Effect.sync(() => memory.remove(sessionId, subject)),
    forget: (sessionId) => Effect.sync(() => memory.forget(sessionId))
  })
})

/** @since 0.1.0 */
export const alreadySettled = (id: ElicitationId, outcome: ElicitationOutcome): ElicitationAlreadySettled =>
  new ElicitationAlreadySettled({
    elicitationId: id,
    outcome,
    message: `question ${id} has ended: ${
      outcome._tag === "Answered"
        ? `answered (${outcome.action})`
        : outcome._tag === "Expired"
        ? "expired"
        : outcome.reason
    }`
  })

/** @since 0.1.0 */
export const layer: Layer.Layer<ElicitationBridge> = Layer.scoped(ElicitationBridge, make())

/** @since 0.1.0 */
export const layerWith = (options: Parameters<typeof make>[0]): Layer.Layer<ElicitationBridge> =>
  Layer.scoped(ElicitationBridge, make(options))
