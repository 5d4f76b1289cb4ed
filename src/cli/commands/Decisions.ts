/**
 * `holdfast decisions`: what a session's questions were answered with for always, and how to take that back.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Ansi from "../Ansi.js"
import * as Flags from "../Flags.js"
import * as GatewayClient from "../GatewayClient.js"
import { Screen } from "../Screen.js"
import * as Table from "../Table.js"

const revoke = Options.text("revoke").pipe(
  Options.withPseudoName("subject"),
  Options.withDescription("Take this one back: the next question about its subject is asked"),
  Options.optional
)

const answers = { allow_always: "allow", reject_always: "reject" }

/** @since 0.1.0 */
export const command = Command.make(
  "decisions",
  { ...Flags.gateway, json: Flags.json, revoke, session: Flags.session },
  (flags) =>
    Effect.gen(function*() {
      const screen = yield* Screen
      const gateway = yield* GatewayClient.connect(flags)
      if (Option.isSome(flags.revoke)) return yield* gateway.revoke(flags.session, flags.revoke.value)
      const all = yield* gateway.decisions(flags.session)
      if (flags.json) return yield* screen.write(all.map((decision) => `${JSON.stringify(decision)}\n`).join(""))
      if (all.length === 0) return yield* screen.note("nothing is decided for always")
      yield* screen.write(
        Table.render(["ANSWER", "SUBJECT"], all.map(({ kind, subject }) => [answers[kind], Ansi.oneLine(subject)]))
      )
    })
).pipe(Command.withDescription("What a session's permissions were answered with for always"))
