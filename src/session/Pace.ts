/**
 * How often a message that is being told is recorded: its first piece at once, and what comes within the pace of it as one: a
 * person reads frames, and a store pays for each event.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { Draft } from "../domain/Session.js"
import * as Monotonic from "../lifecycle/Monotonic.js"
import * as Deltas from "./Deltas.js"
import type { Recorder } from "./Recorder.js"

/**
 * Records what `drafts` returns at the moment of storing. With a scope, in which it may sleep, more can follow: the end of what was said can
 * wait for it.
 *
 * @since 0.1.0
 */
export type Pace = (drafts: () => ReadonlyArray<Draft>, more?: Scope.Scope) => Effect.Effect<unknown>

/**
 * `every` is absent for an agent whose every piece is an event.
 *
 * @since 0.1.0
 */
export const make = (recorder: Recorder, every: () => Duration.Duration | undefined): Pace => {
  /** The last piece of a message, if nothing else was said since it was recorded. */
  let last: { readonly delta: Deltas.Delta; at: number } | undefined
  let dozing = false

  /** At most one fiber a session, while something is held back. */
  const doze = (millis: number): Effect.Effect<void> =>
    Effect.flatMap(Monotonic.now, (now) => {
      const left = last === undefined ? 0 : last.at + millis - now
      if (left > 0) return Effect.zipRight(Effect.sleep(left), doze(millis))
      dozing = false
      if (last !== undefined) last.at = now
      return recorder.letGo
    })

  const wake = (millis: number, scope: Scope.Scope) => {
    if (dozing) return Effect.void
    dozing = true
    return Effect.map(Effect.forkIn(doze(millis), scope), (fiber) =>
      // it can be interrupted before it begins
      fiber.addObserver((exit) => {
        if (Exit.isFailure(exit)) dozing = false
      }))
  }

  const atPace = (drafts: () => ReadonlyArray<Draft>, millis: number, more: Scope.Scope | undefined) =>
    Effect.flatMap(Monotonic.now, (now): Effect.Effect<unknown> => {
      const joined = Deltas.joined(drafts())
      const end = joined.at(-1)
      const delta = end !== undefined && Deltas.isDelta(end) ? end : undefined
      const goesOn = delta !== undefined && joined.length === 1 && last !== undefined &&
        now < last.at + millis && Deltas.goesOn(last.delta, delta)
      if (more !== undefined && goesOn && recorder.hold(delta)) return wake(millis, more)
      last = delta === undefined ? undefined : { delta, at: now }
      return recorder.say(() => Deltas.joined(drafts()))
    })

  return (drafts, more) => {
    const pace = every()
    return pace === undefined ? recorder.say(drafts) : atPace(drafts, Duration.toMillis(pace), more)
  }
}
