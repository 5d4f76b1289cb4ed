/**
 * `holdfast demo-agent`: an ACP agent over stdio that needs no network and no key.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { unusable } from "../CliError.js"
import * as DemoAgent from "../demo/DemoAgent.js"
import * as Signals from "../Signals.js"

const flag = (name: string, description: string) => Options.boolean(name).pipe(Options.withDescription(description))

const options = {
  early: flag("early", "Speak before session/new is answered"),
  mute: flag("mute", "Never answer initialize"),
  exit: Options.integer("exit").pipe(Options.withDescription("Exit at once, with this code"), Options.optional),
  garbage: flag("garbage", "Start with a line that is no JSON"),
  noLoad: flag("no-load", "Do not offer session/load"),
  noResume: flag("no-resume", "Do not offer session/resume"),
  auth: flag("auth", "Want authenticate before a session"),
  state: Options.text("state").pipe(Options.withDescription("The folder in which sessions are kept"), Options.optional),
  pace: Options.float("pace").pipe(
    Options.withDescription("What pauses are multiplied by; 0 for none"),
    Options.optional
  )
}

/** @since 0.1.0 */
export const command = Command.make("demo-agent", options, ({ early, exit, pace, state, ...flags }) =>
  Effect.zipRight(
    Signals.endsWell,
    DemoAgent.run({
      ...flags,
      // unset leaves the word to the environment
      early: early || undefined,
      exit: Option.getOrUndefined(exit),
      pace: Option.getOrUndefined(pace),
      state: Option.getOrUndefined(state)
    })
  ).pipe(
    Effect.catchTag("ConfigError", (error) => unusable(String(error)))
  )).pipe(Command.withDescription("Be an agent, over stdio: the demo, without a network and without a key"))
