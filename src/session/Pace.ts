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
import type { Coalesce } from "../agent/Agent.js"
import type { Draft } from "../domain/Session.js"
import * as Monotonic from "../lifecycle/Monotonic.js"
import * as Deltas from "./Deltas.js"
import type { Recorder } from "./Recorder.js"

/** @since 0.1.0 */
export interface Pace {
  /**
   * Records what `drafts` returns at the moment of storing. With a scope, in which it may sleep, more can follow: the end of what was said can
   * wait for it.
   */
  readonly say: (drafts: () => ReadonlyArray<Draft>, more?: Scope.Scope) => Effect.Effect<unknown>
  /** As `say`, but together with what the session stores next, whoever does. */
  readonly lead: (drafts: ReadonlyArray<Draft>) => void
}

/** Whose words are recorded; its agent, and so its pace, may be known only later. @since 0.1.0 */
export interface Session {
  readonly recorder: Recorder
  readonly coalesce: Coalesce
}

/** A class for the sake of memory: each session has one, and most are idle. */
class Paced implements Pace {
  /** The last piece of a message, if nothing else was said since it was recorded. */
  private last: { readonly delta: Deltas.Delta; at: number } | undefined
  private dozing = false

  constructor(private readonly session: Session) {}

  say(drafts: () => ReadonlyArray<Draft>, more?: Scope.Scope): Effect.Effect<unknown> {
    const { coalesce, recorder } = this.session
    return coalesce === false ? recorder.say(drafts) : this.atPace(drafts, Duration.toMillis(coalesce.every), more)
  }

  lead(drafts: ReadonlyArray<Draft>): void {
    const { coalesce, recorder } = this.session
    this.last = undefined
    recorder.owe(coalesce === false ? drafts : Deltas.joined(drafts))
  }

  private atPace(drafts: () => ReadonlyArray<Draft>, millis: number, more: Scope.Scope | undefined) {
    return Effect.flatMap(Monotonic.now, (now): Effect.Effect<unknown> => {
      const { last, session: { recorder } } = this
      const joined = Deltas.joined(drafts())
      const end = joined.at(-1)
      const delta = end !== undefined && Deltas.isDelta(end) ? end : undefined
      const goesOn = delta !== undefined && joined.length === 1 && last !== undefined &&
        now < last.at + millis && Deltas.goesOn(last.delta, delta)
      if (more !== undefined && goesOn && recorder.hold(delta)) return this.wake(millis, more)
      this.last = delta === undefined ? undefined : { delta, at: now }
      return recorder.say(() => Deltas.joined(drafts()))
    })
  }

  private wake(millis: number, scope: Scope.Scope) {
    if (this.dozing) return Effect.void
    this.dozing = true
    return Effect.map(Effect.forkIn(this.doze(millis), scope), (fiber) =>
      // it can be interrupted before it begins
      fiber.addObserver((exit) => {
        if (Exit.isFailure(exit)) this.dozing = false
      }))
  }

  /** At most one fiber a session, while something is held back. */
  private doze(millis: number): Effect.Effect<void> {
    return Effect.flatMap(Monotonic.now, (now) => {
      const { last } = this
      const left = last === undefined ? 0 : last.at + millis - now
      if (left > 0) return Effect.zipRight(Effect.sleep(left), this.doze(millis))
      this.dozing = false
      if (last !== undefined) last.at = now
      return this.session.recorder.letGo
    })
  }
}

/** @since 0.1.0 */
export const make = (session: Session): Pace => new Paced(session)
