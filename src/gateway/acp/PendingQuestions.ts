/**
 * The questions of one session that the editor is asked now, each a request that is open until the editor responds or the question ends
 * elsewhere.
 *
 * @since 0.1.0
 */
import type * as acp from "@agentclientprotocol/sdk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as Option from "effect/Option"
import type { Elicitation } from "../../domain/Elicitation.js"
import type { ElicitationId, SessionId } from "../../domain/Ids.js"
import type { Editor } from "./Editor.js"
import type { Hosting } from "./Hosting.js"
import * as Questions from "./Questions.js"
import * as Updates from "./Updates.js"

/** @since 0.1.0 */
export interface PendingQuestions {
  /** Returns when the question is on its way, so that what is told next comes after it. `call` is what is known of its tool call. */
  readonly ask: (question: Elicitation, call: Readonly<Record<string, unknown>>) => Effect.Effect<void>
  /** It has ended: if the editor still has it, it is taken back. */
  readonly end: (id: ElicitationId) => Effect.Effect<void>
  readonly clear: Effect.Effect<void>
}

/** How often an answer that does not fit is asked for again: a program that answers does not get better. */
const maxAsked = 3

/** @since 0.1.0 */
export const make = Effect.fnUntraced(function*(options: {
  readonly id: SessionId
  readonly hosting: Hosting
  readonly editor: Editor
  readonly client: acp.ClientCapabilities
}) {
  const { client, editor, hosting, id } = options
  const open = yield* FiberMap.make<ElicitationId>()

  const tell = (title: string) => editor.update(id, [Updates.notice(client, "warning", title)])

  const put = (
    question: Elicitation,
    call: Readonly<Record<string, unknown>>,
    sent: Deferred.Deferred<void>,
    asked: number
  ): Effect.Effect<void> =>
    Option.match(Questions.toRequest(client, question, call), {
      onNone: () => tell(`a question waits for an answer elsewhere, as this editor cannot ask it: ${question.message}`),
      onSome: ({ method, params, toAnswer }) =>
        Effect.gen(function*() {
          const answer = toAnswer(yield* editor.request(method, params, sent))
          if (Option.isNone(answer)) return yield* tell("the editor's answer to a question could not be read")
          yield* hosting.answer(id, question.id, answer.value)
        }).pipe(Effect.catchAll((error) => {
          const tag = "_tag" in error ? error._tag : undefined
          // somebody was faster, which the cursor tells
          if (tag === "ElicitationAlreadySettled" || tag === "ElicitationNotFound") return Effect.void
          return tag === "ElicitationAnswerInvalid" && asked < maxAsked
            ? put({ ...question, message: `${question.message}\n\n${error.message}` }, call, sent, asked + 1)
            : tell(`a question still waits for an answer: ${error.message}`)
        }))
    })

  const questions: PendingQuestions = {
    ask: Effect.fnUntraced(function*(question, call) {
      const sent = yield* Deferred.make<void>()
      const asking = Effect.ensuring(put(question, call, sent, 1), Deferred.succeed(sent, void 0))
      yield* FiberMap.run(open, question.id, asking)
      yield* Deferred.await(sent)
    }),
    end: (id) => FiberMap.remove(open, id),
    clear: FiberMap.clear(open)
  }
  return questions
})
