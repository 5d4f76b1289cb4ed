/**
 * Puts a summary in place of a conversation that the model's context will soon not hold.
 *
 * @since 0.1.0
 */
import * as Prompt from "@effect/ai/Prompt"
import * as Effect from "effect/Effect"
import type { LoopRun } from "./LoopRun.js"

const wish =
  `Summarise this conversation for someone who is to go on with it and sees nothing else of it: what was asked for, what was
done and found, what is decided, which files and names matter, and what is left to do. Answer with the summary only.`

/**
 * A summary that cannot be had is a warning: the run goes on with the whole conversation, as long as the model takes it.
 *
 * @since 0.1.0
 */
export const ifNeeded = (run: LoopRun): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { actor: { limits, models }, conversation } = run
    const { contextSize: size } = yield* models.next
    const { used } = conversation
    if (used < limits.compactAt * size) return
    const { context, decision } = yield* run.hooks({ point: "PreCompact", used, size })
    if (decision === "deny") return
    const question = Prompt.userMessage({
      content: [Prompt.textPart({ text: context === undefined ? wish : `${wish}\n\n${context}` })]
    })
    const { answer: { text } } = yield* models.ask({
      messages: () => [...conversation.messages(), question],
      tools: [],
      say: () => Effect.void
    })
    if (text.trim() === "") {
      return yield* run.warn("the conversation could not be summarised: the model answered nothing")
    }
    yield* run.say({ type: "ContextCompacted", summary: text, used, size })
    conversation.used = conversation.guess()
  }).pipe(
    Effect.catchAll(({ message }) => run.warn(`the conversation could not be summarised: ${message}`))
  )
