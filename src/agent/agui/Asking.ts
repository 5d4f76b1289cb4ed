/**
 * Asks what a run has stopped for, and gathers what goes on with it.
 *
 * @since 0.1.0
 */
import type { ResumeEntry, RunFinishedEvent } from "@ag-ui/core"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import type { ElicitationAnswer, ElicitationOutcome } from "../../domain/Elicitation.js"
import type { RunId } from "../../domain/Ids.js"
import { defaults } from "./AguiOptions.js"
import * as Questions from "./Questions.js"
import type { Thread } from "./Thread.js"

/** Whose questions they are. @since 0.1.0 */
export interface Asker {
  readonly run: RunId
  cancelled: boolean
  /** Those that wait for an answer. */
  questions: ReadonlyArray<Deferred.Deferred<Option.Option<ElicitationAnswer>>>
}

const expiry = (at: number | undefined): Effect.Effect<ElicitationOutcome> =>
  at === undefined
    ? Effect.never
    : Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Effect.as(Effect.sleep(Duration.millis(Math.max(0, at - now))), { _tag: "Expired" as const }))

interface Put {
  readonly question: Questions.Question
  readonly run: RunId
}

/** What a run that has come to this end wants to know; nothing if it is over. @since 0.1.0 */
export const questionsOf = (
  { options, reader }: Thread,
  { cancelled, run }: Asker,
  { outcome }: RunFinishedEvent
): ReadonlyArray<Put> => {
  if (outcome?.type === "interrupt") {
    return outcome.interrupts.map((interrupt) => ({
      question: Questions.ofInterrupt(interrupt),
      run: reader.runOf(interrupt.subagentRunId) ?? run
    }))
  }
  if (outcome?.type === "cancelled" || cancelled) return []
  const pending = outcome?.pendingToolCallIds ?? []
  const askTools = options.askTools ?? defaults.askTools
  return reader.calls.unanswered()
    .filter(({ id, name }) => pending.includes(id) || Questions.isForPerson(name, askTools))
    .map((call) => ({ question: Questions.ofCall(call, `${call.id}-answer`), run }))
}

/** Puts all of them at once, and waits until each is answered or given up. */
const put = Effect.fnUntraced(function*({ signals }: Thread, asker: Asker, questions: ReadonlyArray<Put>) {
  if (asker.cancelled) return questions.map(({ question }) => question.toReply(Option.none()))
  const asked = questions.map((each) => ({
    ...each,
    answer: Deferred.unsafeMake<Option.Option<ElicitationAnswer>>(FiberId.none)
  }))
  asker.questions = asked.map(({ answer }) => answer)
  yield* signals.offer(asked.map(({ answer, question, run }) => ({
    _tag: "Asked" as const,
    run,
    request: question.request,
    reply: (value: Option.Option<ElicitationAnswer>) => Effect.asVoid(Deferred.succeed(answer, value)),
    elsewhere: expiry(question.expiresAt)
  })))
  const replies = yield* Effect.forEach(
    asked,
    ({ answer, question }) => Effect.map(Deferred.await(answer), question.toReply)
  )
  asker.questions = []
  return replies
})

/** Asks, and returns what is sent as `resume`; results of calls have become messages. @since 0.1.0 */
export const ask = Effect.fnUntraced(function*(thread: Thread, asker: Asker, questions: ReadonlyArray<Put>) {
  const resume: Array<ResumeEntry> = []
  for (const reply of yield* put(thread, asker, questions)) {
    if (reply._tag === "Resume") {
      resume.push(reply.entry)
      continue
    }
    thread.conversation.add(reply.message)
    const events = thread.reader.calls.answer(reply.message)
    yield* thread.signals.offer(events.map((event) => ({ _tag: "Said" as const, event, run: asker.run })))
  }
  return resume
})

/** Nobody will answer any more. @since 0.1.0 */
export const giveUp = ({ questions }: Asker): void => {
  for (const question of questions) Deferred.unsafeDone(question, Effect.succeed(Option.none()))
}
