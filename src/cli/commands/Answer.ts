/**
 * `holdfast answer`: answers a question of a session of a running gateway.
 *
 * @since 0.1.0
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { ElicitationAnswer } from "../../domain/Elicitation.js"
import { failed, unusable } from "../CliError.js"
import * as Flags from "../Flags.js"
import * as GatewayClient from "../GatewayClient.js"

const action = Args.choice<typeof ElicitationAnswer.Type["action"]>([
  ["accept", "accept"],
  ["decline", "decline"],
  ["cancel", "cancel"]
], { name: "action" })

const content = Options.text("content").pipe(
  Options.withDescription("What is accepted, as a JSON object: {\"optionId\":\"allow\"}, or a form's fields"),
  Options.withPseudoName("json"),
  Options.optional
)

const parse = (json: string) =>
  Schema.decode(Schema.parseJson(Schema.Record({ key: Schema.String, value: Schema.Unknown })))(json).pipe(
    Effect.mapError(() => unusable(`--content must be a JSON object, not ${json}`))
  )

/** @since 0.1.0 */
export const command = Command.make(
  "answer",
  { ...Flags.gateway, content, session: Flags.session, elicitation: Flags.elicitation, action },
  (flags) =>
    Effect.gen(function*() {
      const given = yield* Effect.transposeMapOption(flags.content, parse)
      const gateway = yield* GatewayClient.connect(flags)
      const answer = {
        action: flags.action,
        ...Option.match(given, { onNone: () => ({}), onSome: (content) => ({ content }) })
      }
      yield* gateway.answer(flags.session, flags.elicitation, answer).pipe(
        Effect.catchTags({
          ElicitationNotFound: (error) => failed(error.message),
          ElicitationAlreadySettled: (error) => failed(error.message),
          ElicitationAnswerInvalid: (error) =>
            failed(...error.issues.map((issue) => `${issue.path.join(".") || "content"}: ${issue.message}`))
        })
      )
    })
).pipe(Command.withDescription("Answer a question of a session"))
