/**
 * `holdfast demo-model`: a model on loopback that needs no network and no key.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { unusable } from "../CliError.js"
import * as DemoModel from "../demo/model/DemoModel.js"
import { Screen } from "../Screen.js"
import * as Signals from "../Signals.js"

/** How long everything may take to end. */
const grace = "5 seconds"

const options = {
  port: Options.integer("port").pipe(
    Options.withDescription("The port to listen on, 4456 otherwise; 0 takes a free one"),
    Options.withDefault(4456)
  ),
  pace: Options.float("pace").pipe(
    Options.withDescription("What pauses are multiplied by; 0 for none"),
    Options.optional
  )
}

/** @since 0.1.0 */
export const command = Command.make("demo-model", options, ({ pace, port }) =>
  Effect.gen(function*() {
    const screen = yield* Screen
    const usual = Config.withDefault(Config.number("HOLDFAST_DEMO_PACE"), 1)
    const { url } = yield* DemoModel.make({ port, pace: Option.isSome(pace) ? pace.value : yield* usual })
    yield* Signals.endsWell
    yield* screen.write(`demo model listening on ${url}\n`)
    yield* Effect.never
  }).pipe(
    Effect.scoped,
    Effect.catchTag("ConfigError", (error) => unusable(String(error))),
    Effect.provide(Signals.layer(grace))
  )).pipe(
    Command.withDescription("Be a model with OpenAI's API, on loopback: the demo, without a network and without a key")
  )
