/**
 * `holdfast attach`: follows a session of a running gateway, and answers its questions.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import type { Conversation } from "../Conversation.js"
import * as Flags from "../Flags.js"
import * as Follow from "../Follow.js"
import * as GatewayClient from "../GatewayClient.js"
import * as Outcome from "../Outcome.js"
import { Screen } from "../Screen.js"
import * as Signals from "../Signals.js"

const after = Options.integer("after").pipe(
  Options.withDescription("Show only the events after this number"),
  Options.withDefault(0)
)

const prompt = Options.text("prompt").pipe(
  Options.withDescription("Prompt the agent first, and leave when that run has ended"),
  Options.optional
)

/** @since 0.1.0 */
export const command = Command.make(
  "attach",
  { ...Flags.gateway, session: Flags.session, after, prompt, yes: Flags.yes, json: Flags.json },
  (flags) =>
    Effect.gen(function*() {
      yield* Signals.endsWell
      const screen = yield* Screen
      const gateway = yield* GatewayClient.connect(flags)
      const id = flags.session
      // told before anything is shown: a stream would try again and again
      yield* gateway.get(id)

      const broken = yield* Ref.make(false)
      const onBreak = (reason: string) =>
        Effect.whenEffect(screen.note(`${reason}; trying again`), Effect.negate(Ref.getAndSet(broken, true)))
      const conversation: Conversation = {
        events: (after) => Stream.tap(gateway.events(id, after, onBreak), () => Ref.set(broken, false)),
        pending: gateway.pending(id),
        answer: (question, answer) => gateway.answer(id, question, answer)
      }
      const follow = yield* Follow.make(conversation, {
        after: flags.after,
        json: flags.json,
        prompts: true,
        consent: flags.yes,
        unasked: "leave"
      })
      const run = yield* Effect.transposeMapOption(flags.prompt, (prompt) => gateway.prompt(id, prompt))
      const end = yield* follow.until(({ event, runId }) =>
        event.type === "SessionClosed" ||
        (event.type === "RunEnded" && Option.exists(run, (run) => run.runId === runId))
      )
      yield* Effect.transposeMapOption(end, (end) => Outcome.check(end, screen.live && !flags.json))
    })
).pipe(
  Command.withDescription("Follow a session of a running gateway and answer its questions; Ctrl-C leaves it running")
)
