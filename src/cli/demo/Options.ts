/**
 * What the demo agent can be told at its start.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as NodeOs from "node:os"
import * as NodePath from "node:path"

/**
 * What is left out comes from the environment: `HOLDFAST_DEMO` (`early`), `HOLDFAST_DEMO_PACE` and
 * `HOLDFAST_DEMO_STATE`.
 *
 * @since 0.1.0
 */
export interface Options {
  /** Speaks before `session/new` is answered, as copilot and gemini do. */
  readonly early?: boolean | undefined
  /** Never answers `initialize`. */
  readonly mute?: boolean | undefined
  /** Exits at once, with this code. */
  readonly exit?: number | undefined
  /** Starts with a line that is not JSON. */
  readonly garbage?: boolean | undefined
  /** Does not offer `session/load`. */
  readonly noLoad?: boolean | undefined
  /** Does not offer `session/resume`. Without both, a restarted agent has forgotten its sessions. */
  readonly noResume?: boolean | undefined
  /** Wants `authenticate` with the method `demo` before a session. */
  readonly auth?: boolean | undefined
  /** Where sessions are kept; a folder of this user in the system's temporary folder by default. */
  readonly state?: string | undefined
  /** By what the pauses of a readable pace are multiplied: 1 by default, 0 for none. */
  readonly pace?: number | undefined
}

/** @since 0.1.0 */
export interface Settings {
  readonly early: boolean
  readonly state: string
  readonly pace: number
}

const ofThisUser = Effect.sync(() => NodePath.join(NodeOs.tmpdir(), `holdfast-demo-${NodeOs.userInfo().username}`))

/** @since 0.1.0 */
export const resolve = (options: Options): Effect.Effect<Settings, ConfigError.ConfigError> =>
  Effect.gen(function*() {
    const early = options.early ??
      (yield* Config.string("HOLDFAST_DEMO").pipe(Config.map((value) => value === "early"), Config.withDefault(false)))
    const pace = options.pace ?? (yield* Config.number("HOLDFAST_DEMO_PACE").pipe(Config.withDefault(1)))
    const state = options.state === undefined
      ? yield* Effect.flatMap(
        Config.option(Config.nonEmptyString("HOLDFAST_DEMO_STATE")),
        Option.match({ onNone: () => ofThisUser, onSome: Effect.succeed })
      )
      : options.state
    return { early, pace, state }
  })
