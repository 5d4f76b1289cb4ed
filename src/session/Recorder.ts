/**
 * The pen of one session: how it writes to a log that does not always take what it is given.
 *
 * A beginning that is not recorded does not happen, so `begin` may fail. What was said is offered again for a while. What has ended has
 * ended: it is owed to the log, and stored as soon as the log takes events again, before anything else of the session. So a store that
 * is full for a minute leaves no run without its end.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import type { LogError } from "../domain/Errors.js"
import type { SessionId } from "../domain/Ids.js"
import type { Draft } from "../domain/Session.js"
import type { EventLog } from "../log/EventLog.js"
import * as Deltas from "./Deltas.js"
import * as Lock from "./Lock.js"

/** @since 0.1.0 */
export interface Recorder {
  /** Stores the events, or nothing; returns the number of the last. */
  readonly begin: (...drafts: ReadonlyArray<Draft>) => Effect.Effect<number, LogError>
  /**
   * Stores what `drafts` returns at the moment of storing. Offers it again while the store fails, for some seconds; a log that still
   * does not take it is a defect, which ends whoever speaks. Returns the number of the last.
   */
  readonly say: (drafts: () => ReadonlyArray<Draft>) => Effect.Effect<number>
  /** Stores the events now or, if the log fails, later. Returns the number of the last, if it is stored. */
  readonly end: (...drafts: ReadonlyArray<Draft>) => Effect.Effect<Option.Option<number>>
  /**
   * Holds a piece of a text back, joined to the one that is held back already, until something else is stored or it is let go; `false` if
   * that would become too long, and nothing has changed. Whatever comes after it, it comes before that in the log.
   */
  readonly hold: (delta: Deltas.Delta) => boolean
  /** What is stored next is stored together with these events, and after them. Whoever owes sees to it that something is. */
  readonly owe: (drafts: ReadonlyArray<Draft>) => void
  /** Stores what is held back or owed, now or, if the log fails, later. */
  readonly letGo: Effect.Effect<void>
}

const pause = Schedule.exponential("50 millis")
const patience = Schedule.intersect(pause, Schedule.recurs(6))
const longPause = Schedule.modifyDelay(pause, (_, delay) => Duration.min(delay, "5 seconds"))

const isPassing = (error: LogError): boolean => error._tag === "EventLogUnavailable"

/** Tries again while the store fails, for some seconds; a log that still does not take it is a defect. @since 0.1.0 */
export const patiently = <A>(storing: Effect.Effect<A, LogError>): Effect.Effect<A> =>
  storing.pipe(Effect.retry({ while: isPassing, schedule: patience }), Effect.orDie)

/** A class for the sake of memory: each session has one, and most are idle. */
class Pen implements Recorder {
  // RS1: to decide to which run an event belongs and to store it is one step, and so is to fail and to owe
  private readonly step = Lock.make()
  private paying = false
  private held: Deltas.Delta | undefined

  constructor(
    private readonly log: EventLog["Type"],
    private readonly session: SessionId,
    private owed: ReadonlyArray<Draft>,
    private readonly scope: Scope.Scope
  ) {}

  begin(...drafts: ReadonlyArray<Draft>): Effect.Effect<number, LogError> {
    return this.step(this.store(() => drafts))
  }

  say(drafts: () => ReadonlyArray<Draft>): Effect.Effect<number> {
    return patiently(this.step(this.store(drafts)))
  }

  end(...drafts: ReadonlyArray<Draft>): Effect.Effect<Option.Option<number>> {
    return this.step(
      Effect.catchAllCause(Effect.asSome(this.store(() => drafts)), (cause) => {
        this.owed = [...this.owed, ...drafts]
        return Effect.logWarning("what has ended is recorded later", cause).pipe(
          Effect.annotateLogs({ session: this.session }),
          Effect.zipRight(this.pay),
          Effect.as(Option.none())
        )
      })
    ).pipe(Effect.uninterruptible)
  }

  hold(delta: Deltas.Delta): boolean {
    const both = this.held === undefined ? delta : Deltas.join(this.held, delta)
    if (both === undefined) return false
    this.held = both
    return true
  }

  owe(drafts: ReadonlyArray<Draft>): void {
    const said = this.held === undefined ? drafts : Deltas.joined([this.held, ...drafts])
    this.held = undefined
    // what is owed already stays as it is: it may be on its way to the log
    this.owed = [...this.owed, ...said]
  }

  get letGo(): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.held === undefined && this.owed.length === 0 ? Effect.void : Effect.asVoid(this.end())
    )
  }

  /** What is owed and what is held back, if the log takes it now. */
  get last(): Effect.Effect<void> {
    return Effect.ignore(this.store(() => []))
  }

  get pay(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.paying || this.owed.length === 0) return Effect.void
      this.paying = true
      const once = Effect.tap(this.store(() => []), () => {
        this.paying = false
      })
      return this.step(once).pipe(
        Effect.retry({ while: isPassing, schedule: longPause }),
        Effect.tapErrorCause((cause) => {
          this.paying = false
          const { session } = this
          return Effect.annotateLogs(Effect.logError("what has ended could not be recorded", cause), { session })
        }),
        Effect.interruptible,
        Effect.forkIn(this.scope),
        Effect.asVoid
      )
    })
  }

  private store(drafts: () => ReadonlyArray<Draft>): Effect.Effect<number, LogError> {
    return Effect.suspend(() => {
      const first = this.held
      // from here on there may be another; this one is before it, whatever becomes of the store
      this.held = undefined
      if (first !== undefined) this.owed = [...this.owed, first]
      const { owed } = this
      const all = first === undefined ? [...owed, ...drafts()] : Deltas.joined([...owed, ...drafts()])
      if (all.length === 0) return Effect.succeed(0)
      return this.log.append(this.session, all).pipe(
        Effect.tap(() => {
          // more may be owed by now
          this.owed = this.owed.slice(owed.length)
        }),
        Effect.catchAllDefect((defect) =>
          owed.length === 0 ? Effect.die(defect) : Effect.zipRight(this.sift(owed), this.store(drafts))
        )
      )
    }).pipe(
      Effect.catchTag("SessionNotFound", Effect.die),
      // an append that was begun is stored also when its caller leaves
      Effect.uninterruptible
    )
  }

  /** One by one: what no log can hold, as JSON that is nested too deep, would keep out all that is owed with it, and for ever. */
  private sift(owed: ReadonlyArray<Draft>) {
    return Effect.forEach(owed, (draft) =>
      this.log.append(this.session, [draft]).pipe(
        Effect.catchAllDefect((defect) => {
          const { session } = this
          const message = `what cannot be recorded is left out: ${draft.event.type}`
          return Effect.logError(message, defect).pipe(
            Effect.annotateLogs({ session }),
            Effect.zipRight(this.log.append(session, [{ ...draft, event: { type: "Warning", message } }]))
          )
        }),
        Effect.tap(() => {
          this.owed = this.owed.slice(1)
        })
      ), { discard: true })
  }
}

/**
 * `owed` is what the log has open of an earlier life of the session. Until its scope closes, it tries to store what is owed.
 *
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(
  log: EventLog["Type"],
  session: SessionId,
  owed: ReadonlyArray<Draft>
): Effect.fn.Return<Recorder, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const pen = new Pen(log, session, owed, scope)
  yield* Scope.addFinalizer(scope, Effect.suspend(() => pen.last))
  yield* pen.pay
  return pen
})
