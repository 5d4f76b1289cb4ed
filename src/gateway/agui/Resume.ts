/**
 * Answers the questions that an AG-UI run was interrupted by.
 *
 * All entries are looked at before the first is sent on, so that a form with a fault in it answers nothing. The same entries may come twice
 * (a client that was cut off sends them again): what was answered alike before is answered.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { AnswerIssue, Elicitation, ElicitationAnswer } from "../../domain/Elicitation.js"
import { checkAnswer } from "../../domain/ElicitationCheck.js"
import type { ElicitationAlreadySettled, LogError, SessionNotFound } from "../../domain/Errors.js"
import type { ElicitationId, SessionId } from "../../domain/Ids.js"
import * as Issues from "../../domain/Issues.js"
import type { Sessions } from "../../session/Sessions.js"
import * as Interrupts from "./Interrupts.js"
import type { ResumeEntry } from "./RunAgentInput.js"

/** Why the questions were not answered, in the words of `RUN_ERROR`. @since 0.1.0 */
export interface Refused {
  readonly code: string
  readonly message: string
  readonly details: Readonly<Record<string, unknown>>
}

interface Answer {
  readonly interruptId: string
  readonly id: ElicitationId
  readonly answer: ElicitationAnswer
}

const notFound = (interruptId: string): Refused => ({
  code: "ElicitationNotFound",
  message:
    `the interrupt ${interruptId} is none of this thread, or was settled; run the thread without resume to see what is open`,
  details: { interruptId }
})

const invalid = (interruptId: string, issues: ReadonlyArray<AnswerIssue>): Refused => ({
  code: "ElicitationAnswerInvalid",
  message: `the answer to ${interruptId} does not fit, and nothing was answered: ${Issues.toText(issues)}`,
  details: { interruptId, issues }
})

/** What the entry answers, `open` being the questions that the reader knows of. */
const read = (entry: ResumeEntry, open: ReadonlyArray<Elicitation>): Either.Either<Answer, Refused> => {
  const { interruptId } = entry
  const id = Option.getOrUndefined(Option.map(Interrupts.parseId(interruptId), ({ id }) => id))
  const elicitation = open.find((elicitation) => elicitation.id === id)
  if (id === undefined || elicitation === undefined) return Either.left(notFound(interruptId))
  return Interrupts.toAnswer(elicitation, entry).pipe(
    Either.flatMap((answer) => checkAnswer(elicitation, answer)),
    Either.mapBoth({
      onLeft: (issues) => invalid(interruptId, issues),
      onRight: (answer) => ({ interruptId, id, answer })
    })
  )
}

/** It was answered so already; of a sensitive answer only its action is known. */
const isSame = ({ action, content }: ElicitationAnswer, { outcome }: ElicitationAlreadySettled): boolean =>
  outcome._tag === "Answered" && outcome.action === action &&
  (outcome.content === undefined || JSON.stringify(outcome.content) === JSON.stringify(content))

/** @since 0.1.0 */
export const answer = (
  sessions: Sessions["Type"],
  session: SessionId,
  entries: ReadonlyArray<ResumeEntry>,
  open: ReadonlyArray<Elicitation>
): Effect.Effect<Option.Option<Refused>, SessionNotFound | LogError> =>
  Either.match(Either.all(entries.map((entry) => read(entry, open))), {
    onLeft: (refused) => Effect.succeedSome(refused),
    onRight: (answers) =>
      Effect.map(
        Effect.forEach(answers, ({ answer, id, interruptId }) =>
          sessions.answer(session, id, answer).pipe(
            Effect.as(Option.none<Refused>()),
            Effect.catchTags({
              // whoever gives a question up does not mind that it is over
              ElicitationAlreadySettled: (error) =>
                Effect.succeed(
                  answer.action === "cancel" || isSame(answer, error)
                    ? Option.none()
                    : Option.some({
                      code: error._tag,
                      message: `${error.message}; give up ${interruptId} (status "cancelled") to go on`,
                      details: { interruptId, outcome: error.outcome }
                    })
                ),
              ElicitationNotFound: () => Effect.succeedSome(notFound(interruptId)),
              ElicitationAnswerInvalid: ({ issues }) => Effect.succeedSome(invalid(interruptId, issues))
            })
          )),
        (refusals) => Option.firstSomeOf(refusals)
      )
  })
