/**
 * Puts a summary in place of a conversation that the model's context will soon not hold, or does not hold any more.
 *
 * @since 0.1.0
 */
import * as Prompt from "@effect/ai/Prompt"
import * as Effect from "effect/Effect"
import { type AgentContextExceeded, type AgentError, AgentRequestFailed } from "../../domain/Errors.js"
import type { LoopRun } from "./LoopRun.js"

const wish =
  `Summarise this conversation for someone who is to go on with it and sees nothing else of it: what was asked for, what was
done and found, what is decided, which files and names matter, and what is left to do. Answer with the summary only.`

/** How much of the context the conversation may take when it is read to be summarised. */
const share = 0.95
/** The same where the model has refused it: what was counted, or guessed, was not enough. */
const shareAfterRefusal = 0.5

/** False if a hook wants it as it is. It is told as text: a model that is given calls without their tools may refuse them. */
const summarise = (run: LoopRun, used: number, size: number, share: number): Effect.Effect<boolean, AgentError> =>
  Effect.gen(function*() {
    const { actor: { models }, conversation } = run
    const { context, decision } = yield* run.hooks({ point: "PreCompact", used, size })
    if (decision === "deny") return false
    // a token is a character at least: what was too long for its pictures is told whole
    const text = [
      wish,
      ...context === undefined ? [] : [context],
      conversation.transcript(share * size / used, share * size)
    ]
    const question = Prompt.userMessage({ content: [Prompt.textPart({ text: text.join("\n\n") })] })
    const { answer } = yield* models.ask({ messages: () => [question], tools: [], say: () => Effect.void })
    if (answer.text.trim() === "") {
      return yield* new AgentRequestFailed({ method: "compact", code: -32000, message: "the model answered nothing" })
    }
    yield* run.say({ type: "ContextCompacted", summary: answer.text, used, size })
    conversation.counted(undefined)
    return true
  })

const complain = (run: LoopRun, { message }: AgentError) =>
  run.warn(`the conversation could not be summarised: ${message}`)

/**
 * A summary that cannot be had is a warning: the run goes on with the whole conversation, as long as the model takes it.
 *
 * @since 0.1.0
 */
export const ifNeeded = (run: LoopRun): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { actor: { limits, models }, conversation } = run
    const { contextSize: size } = yield* models.next
    const used = conversation.used()
    if (used >= limits.compactAt * size) yield* summarise(run, used, size, share)
  }).pipe(Effect.catchAll((error) => complain(run, error)))

/**
 * The model was asked, and takes no conversation of that length. It fails with that refusal where the conversation stays as long as it is:
 * a summary that cannot be had, or is not wanted.
 *
 * @since 0.1.0
 */
export const afterRefusal = (
  run: LoopRun,
  refusal: AgentContextExceeded
): Effect.Effect<void, AgentContextExceeded> =>
  Effect.suspend(() => {
    const { actor: { limits, models }, conversation } = run
    if (limits.compactAt > 1) return Effect.fail(refusal)
    const { model, used = conversation.used() } = refusal
    // one who does not say how much it takes does not take so much; but that is a guess, and other sessions have nothing to do with it
    const { size = used } = refusal
    if (refusal.size !== undefined) models.learn(model, size)
    const message =
      `the model "${model}" refuses the conversation as too long: it is summarised, and the model asked again`
    return run.say({ type: "Warning", kind: "context_exceeded", message, detail: refusal.message }).pipe(
      Effect.zipRight(summarise(run, used, size, shareAfterRefusal)),
      Effect.catchAll((error) => Effect.as(complain(run, error), false)),
      Effect.flatMap((shorter) => shorter ? Effect.void : Effect.fail(refusal))
    )
  })
