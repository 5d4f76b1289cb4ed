/**
 * Carries a question to a person and the answer back to the one who asked.
 *
 * A question has no slot that another could take: it is registered under its own id, lives as long as the Effect that asked, and
 * ends exactly once. Questions of any number of runs wait side by side.
 *
 * ```ts
 * const outcome = yield* bridge.ask({
 *   sessionId,
 *   runId,
 *   request: { kind: "confirmation", message: "Deploy?" },
 *   announce: (elicitation) => record({ type: "ElicitationRequested", elicitation }),
 *   settled: (elicitation, outcome) => record({ type: "ElicitationSettled", elicitationId: elicitation.id, outcome })
 * })
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { AnswerIssue, ElicitationAnswer, ElicitationOutcome, ElicitationRequest } from "../domain/Elicitation.js"
import { checkForm, type Elicitation } from "../domain/Elicitation.js"
import {
  ElicitationAlreadySettled,
  ElicitationAnswerInvalid,
  ElicitationNotFound,
  LimitReached
} from "../domain/Errors.js"
import { type ElicitationId, freshElicitationId, type RunId, type SessionId } from "../domain/Ids.js"

/** @since 0.1.0 */
export interface Question<E> {
  readonly sessionId: SessionId
  readonly runId?: RunId | undefined
  readonly request: ElicitationRequest
  /** Tells the world. It runs once the question can be answered (EB1), waits for no consumer (EB5), and if it fails nothing was asked. */
  readonly announce: (elicitation: Elicitation) => Effect.Effect<void, E>
  /** Tells the world how it ended. It runs once after every announcement, on every path, uninterruptibly (EB4). */
  readonly settled: (elicitation: Elicitation, outcome: ElicitationOutcome) => Effect.Effect<void, E>
  /** Completes, with the reason, when the asker takes the question back. */
  readonly withdrawn?: Effect.Effect<string> | undefined
}

/** Which questions: those of a session, or of one run of it. @since 0.1.0 */
export interface Filter {
  readonly sessionId: SessionId
  readonly runId?: RunId | undefined
}

/** @since 0.1.0 */
export class ElicitationBridge extends Context.Tag("holdfast/ElicitationBridge")<ElicitationBridge, {
  /**
   * Waits for the end of the question. Interrupting it withdraws the question. Fails with `LimitReached` when the session has too
   * many open questions (EB10).
   */
  readonly ask: <E>(question: Question<E>) => Effect.Effect<ElicitationOutcome, LimitReached | E>
  /**
   * Answers a question. An answer that does not fit leaves the question open (EB7).
   */
  readonly answer: (
    sessionId: SessionId,
    id: ElicitationId,
    answer: ElicitationAnswer
  ) => Effect.Effect<void, ElicitationNotFound | ElicitationAlreadySettled | ElicitationAnswerInvalid>
  /** The open questions, oldest first (EB8). */
  readonly pending: (filter: Filter) => Effect.Effect<ReadonlyArray<Elicitation>>
  /** Ends the open questions; each asker gets `Withdrawn` with the reason. */
  readonly withdraw: (filter: Filter, reason: string) => Effect.Effect<void>
}>() {}

interface Open {
  readonly elicitation: Elicitation
  readonly end: Deferred.Deferred<ElicitationOutcome>
}

interface Settled {
  readonly sessionId: SessionId
  readonly outcome: ElicitationOutcome
}

/** How many ended questions are remembered, so that a late answer hears how they ended (EB6). */
const remembered = 1024

const matches = (filter: Filter) => (open: Open): boolean =>
  open.elicitation.sessionId === filter.sessionId &&
  (filter.runId === undefined || open.elicitation.runId === filter.runId)

const withdrawn = (reason: string): ElicitationOutcome => ({ _tag: "Withdrawn", reason })

/** The answer as it is recorded: defaults filled in, and nothing that was not asked for. */
const check = (
  request: ElicitationRequest,
  answer: ElicitationAnswer
): Either.Either<ElicitationAnswer, ReadonlyArray<AnswerIssue>> => {
  if (answer.action !== "accept") return Either.right({ action: answer.action })
  switch (request.kind) {
    case "form":
      return Either.map(checkForm(request.schema, answer.content ?? {}), (content) => ({ action: "accept", content }))
    case "permission": {
      const optionId = answer.content?.["optionId"]
      const options = request.options.map((option) => option.optionId)
      return typeof optionId === "string" && options.includes(optionId)
        ? Either.right({ action: "accept", content: { optionId } })
        : Either.left([{ path: ["optionId"], message: `Expected one of ${options.join(", ")}` }])
    }
    case "url":
    case "confirmation":
      return Either.right({ action: "accept" })
  }
}

/**
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(options: {
  /** How many questions of one session may be open at once; 64 when left out. */
  readonly maxPending?: number | undefined
} = {}): Effect.fn.Return<ElicitationBridge["Type"], never, Scope.Scope> {
  const maxPending = options.maxPending ?? 64
  const open = new Map<ElicitationId, Open>()
  const ended = new Map<ElicitationId, Settled>()
  let closed = false

  // EB2: taking it out of `open` is what decides the race; whoever finds it gone has lost
  const settle = (question: Open, outcome: ElicitationOutcome): boolean => {
    const { id, sensitive, sessionId } = question.elicitation
    if (!open.delete(id)) return false
    const kept: ElicitationOutcome = sensitive === true && outcome._tag === "Answered"
      ? { _tag: "Answered", action: outcome.action } // EB11
      : outcome
    ended.set(id, { sessionId, outcome: kept })
    for (const oldest of ended.keys()) {
      if (ended.size <= remembered) break
      ended.delete(oldest)
    }
    Deferred.unsafeDone(question.end, Exit.succeed(outcome))
    return true
  }

  const settleAll = (which: (question: Open) => boolean, reason: string) =>
    Effect.sync(() => {
      for (const question of [...open.values()].filter(which)) settle(question, withdrawn(reason))
    })

  yield* Effect.addFinalizer(() => {
    closed = true
    return settleAll(() => true, "Holdfast is shutting down")
  })

  const register = (elicitation: Elicitation) =>
    Effect.suspend(() => {
      const { sessionId } = elicitation
      if ([...open.values()].filter(matches({ sessionId })).length >= maxPending) {
        return Effect.fail(
          new LimitReached({
            what: "pendingElicitations",
            limit: maxPending,
            message: `session ${sessionId} has ${maxPending} open questions already; answer some first`
          })
        )
      }
      const question: Open = { elicitation, end: Deferred.unsafeMake(FiberId.none) }
      open.set(elicitation.id, question)
      if (closed) settle(question, withdrawn("Holdfast is shutting down"))
      return Effect.succeed(question)
    })

  const ask = <E>(question: Question<E>): Effect.Effect<ElicitationOutcome, LimitReached | E> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        const { request, runId, sessionId } = question
        const id = yield* freshElicitationId
        const elicitation: Elicitation = { id, sessionId, ...(runId === undefined ? {} : { runId }), ...request }
        const registered = yield* register(elicitation)
        const end = Deferred.await(registered.end)
        yield* Effect.tapErrorCause(question.announce(elicitation), () =>
          Effect.sync(() => settle(registered, withdrawn("it could not be announced"))))
        const takenBack = question.withdrawn?.pipe(
          Effect.map((reason) =>
            settle(registered, withdrawn(reason))
          ),
          Effect.zipRight(end)
        )
        const exit = yield* Effect.exit(restore(takenBack === undefined ? end : Effect.raceFirst(end, takenBack)))
        // EB4: an answer may have come in the instant of the interruption; then that is how it ended
        settle(registered, withdrawn("its asker is gone"))
        const outcome = yield* end
        yield* question.settled(elicitation, outcome)
        return yield* Exit.isFailure(exit) ? Effect.failCause(exit.cause) : Effect.succeed(outcome)
      })
    )

  const answer: ElicitationBridge["Type"]["answer"] = (sessionId, id, answer) =>
    Effect.suspend(
      (): Effect.Effect<void, ElicitationNotFound | ElicitationAlreadySettled | ElicitationAnswerInvalid> => {
        const question = open.get(id)
        if (question?.elicitation.sessionId === sessionId) {
          return Either.match(check(question.elicitation, answer), {
            onLeft: (issues) =>
              Effect.fail(
                new ElicitationAnswerInvalid({
                  elicitationId: id,
                  issues,
                  message: `the answer does not fit the question: ${
                    issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ")
                  }`
                })
              ),
            onRight: (checked) => {
              settle(question, { _tag: "Answered", ...checked })
              return Effect.void
            }
          })
        }
        const known = ended.get(id)
        return known?.sessionId === sessionId
          ? Effect.fail(alreadySettled(id, known.outcome))
          : Effect.fail(
            new ElicitationNotFound({ elicitationId: id, message: `session ${sessionId} has no question ${id}` })
          )
      }
    )

  return ElicitationBridge.of({
    ask,
    answer,
    pending: (filter) =>
      Effect.sync(() => [...open.values()].filter(matches(filter)).map((question) => question.elicitation)),
    withdraw: (filter, reason) => settleAll(matches(filter), reason)
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
