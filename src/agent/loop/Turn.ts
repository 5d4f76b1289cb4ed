/**
 * The loop: asks the model, makes the calls that it wants, and asks again, until it is done.
 *
 * @since 0.1.0
 */
import * as Prompt from "@effect/ai/Prompt"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { ContentBlock } from "../../domain/Content.js"
import * as Content from "../../domain/Content.js"
import type { AgentError } from "../../domain/Errors.js"
import { IdSource } from "../../domain/Ids.js"
import type { Answer } from "./Answer.js"
import * as Compaction from "./Compaction.js"
import { promptRefused } from "./Conversation.js"
import * as Delegation from "./Delegation.js"
import * as History from "./History.js"
import type { HookOutput } from "./Hooks.js"
import type { Host } from "./Host.js"
import type { LoopRun } from "./LoopRun.js"
import * as ToolCalls from "./ToolCalls.js"

/** How a turn ends that a hook ends. */
const refused = "refusal"
/** How one ends that went on for too long. */
const exhausted = "max_turn_requests"

const system = ({ actor: { definition: { instructions }, preamble } }: LoopRun): ReadonlyArray<Prompt.Message> => {
  const content = [instructions, preamble].filter((text) => text !== undefined).join("\n\n")
  return content === "" ? [] : [Prompt.systemMessage({ content })]
}

/** Tells the model something in the place of a user, and the log, so that it is still known when the session is loaded again. */
const tell = (run: LoopRun, content: ReadonlyArray<ContentBlock>) =>
  Effect.flatMap(
    IdSource,
    (ids) =>
      Effect.flatMap(ids.next("msg"), (messageId) =>
        run.say(...content.map((content) => ({ type: "UserChunk" as const, content, messageId }))))
  )

/** True if the hook let it pass; then what it wants the model to know is told. */
const passes = (run: LoopRun, { context, decision, reason }: HookOutput, what: string, kind?: string) =>
  Effect.gen(function*() {
    if (decision === "deny") {
      const message = `a hook ${what}${reason === undefined ? "" : `: ${reason}`}`
      yield* run.say({ type: "Warning", message, kind })
      return false
    }
    if (context !== undefined) yield* tell(run, [Content.text(context)])
    return true
  })

/**
 * Puts what came in the meantime into the conversation; a message that is refused is left out. The session has recorded it when it came:
 * what is said here is where the model was told of it.
 */
const steer = (run: LoopRun) =>
  Effect.gen(function*() {
    while (true) {
      const message = run.inbox.messages?.[0]
      if (message === undefined) return
      const output = yield* run.hooks({ point: "UserPromptSubmit", prompt: message, steers: true })
      const refused = output.decision === "deny"
      yield* Effect.uninterruptible(Effect.suspend(() => {
        // another one may have come while the hooks looked at this one
        run.inbox.messages = run.inbox.messages?.slice(1)
        if (!refused) run.conversation.user(message)
        return run.place.voice.say(run.id, [History.heard(message, refused)])
      }))
      yield* passes(run, output, "refused the message")
    }
  })

/** A person may let it go on for as many again. */
const goesOn = (run: LoopRun, calls: number) =>
  Effect.map(
    run.ask({
      kind: "confirmation",
      message: `${run.actor.definition.name} has asked its model ${calls} times: shall it go on?`
    }),
    (answer) => Option.isSome(answer) && answer.value.action === "accept"
  )

const stopReason = ({ finish }: Answer): string =>
  finish === "length" ? "max_tokens" : finish === "content-filter" ? refused : "end_turn"

const loop = (run: LoopRun, host: Host): Effect.Effect<string, AgentError> =>
  Effect.gen(function*() {
    const { conversation } = run
    let most = run.actor.limits.iterations
    let before = ""
    let repeated = 0

    for (let iteration = 1;; iteration++) {
      if (iteration > most) {
        if (!(yield* goesOn(run, most))) return exhausted
        most += run.actor.limits.iterations
      }
      yield* steer(run)
      yield* Compaction.ifNeeded(run)
      const { definition: { name }, limits, models } = run.actor
      const tools = [...Delegation.tools(run, host), ...(yield* run.actor.tools)]
      const { name: model } = yield* models.next
      const messages = () => [...system(run), ...conversation.messages()]
      const start = yield* run.hooks({ point: "BeforeModel", model, iteration })
      if (!(yield* passes(run, start, "ended the turn"))) return refused

      const ask = (canShorten: boolean) =>
        models.ask({ messages, tools, canShorten, say: (events) => run.say(...events) })
      const { answer, model: answered } = yield* Effect.catchTag(
        ask(true),
        "AgentContextExceeded",
        (refusal) => Effect.zipRight(Compaction.afterRefusal(run, refusal), ask(false))
      )
      const { calls, finish, text, usage } = answer
      conversation.counted(usage && usage.input + usage.output)
      if (usage !== undefined) yield* run.say(host.usage(answered, usage))
      const end = yield* run.hooks({ point: "AfterModel", model: answered.name, iteration, text, toolCalls: calls })
      if (!(yield* passes(run, end, "ended the turn"))) return refused

      if (calls.length > 0) {
        const now = JSON.stringify(calls.map(({ args, name }) => [name, args]))
        repeated = now === before ? repeated + 1 : 1
        before = now
        if (repeated >= limits.repeats) {
          yield* run.warn(`${name} wanted the same calls ${repeated} times in a row: the turn was ended`)
          return exhausted
        }
        if (yield* ToolCalls.makeAll(run, tools, calls)) {
          yield* run.warn("a hook ended the turn")
          return refused
        }
        continue
      }
      if (finish === "pause") continue
      if (text === "") yield* run.warn("the model answered nothing")
      const stop = yield* run.hooks({ point: "Stop", text })
      if (stop.decision === "deny") {
        yield* tell(run, [Content.text(stop.reason ?? "Go on: you are not done.")])
        continue
      }
      // one step with the look: a message that steers comes before it, or is told that it is too late
      if (run.inbox.messages !== undefined && run.inbox.messages.length > 0) continue
      run.inbox.messages = undefined
      return stopReason(answer)
    }
  })

const outcome = (exit: Exit.Exit<string, AgentError>): string =>
  Exit.isSuccess(exit) ? exit.value : Cause.isInterrupted(exit.cause) ? "cancelled" : "failed"

/**
 * The whole of a turn. Its value is the stop reason.
 *
 * @since 0.1.0
 */
export const make = (
  run: LoopRun,
  host: Host,
  prompt: ReadonlyArray<ContentBlock>
): Effect.Effect<string, AgentError> =>
  Effect.gen(function*() {
    run.conversation.user(prompt)
    // a task that another agent gives is no message of a person
    if (run.waiting.length === 0) {
      const output = yield* run.hooks({ point: "UserPromptSubmit", prompt, steers: false })
      if (!(yield* passes(run, output, "refused the message", promptRefused))) return refused
    }
    if (!(yield* passes(run, yield* run.hooks({ point: "TurnStart" }), "ended the turn"))) return refused
    return yield* loop(run, host)
  }).pipe(
    Effect.onExit((exit) =>
      Effect.gen(function*() {
        const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined
        if (error !== undefined) {
          yield* run.hooks({ point: "OnError", error: { _tag: error._tag, message: error.message } })
        }
        yield* run.hooks({ point: "TurnEnd", outcome: outcome(exit) })
      })
    )
  )
