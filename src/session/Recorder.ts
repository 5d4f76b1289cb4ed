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
import type { LogError } from "../domain/Errors.js"
import type { SessionId } from "../domain/Ids.js"
import type { Draft } from "../domain/Session.js"
import type { EventLog } from "../log/EventLog.js"
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
}

const pause = Schedule.exponential("50 millis")
const patience = Schedule.intersect(pause, Schedule.recurs(6))
const longPause = Schedule.modifyDelay(pause, (_, delay) => Duration.min(delay, "5 seconds"))

const isPassing = (error: LogError): boolean => error._tag === "EventLogUnavailable"

/** Tries again while the store fails, for some seconds; a log that still does not take it is a defect. @since 0.1.0 */
export const patiently = <A>(storing: Effect.Effect<A, LogError>): Effect.Effect<A> =>
  storing.pipe(Effect.retry({ while: isPassing, schedule: patience }), Effect.orDie)

/**
 * `owed` is what the log has open of an earlier life of the session. Until its scope closes, it tries to store what is owed.
 *
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(
  log: EventLog["Type"],
  session: SessionId,
  owed: ReadonlyArray<Draft>
) {
  const scope = yield* Effect.scope
  // RS1: to decide to which run an event belongs and to store it is one step, and so is to fail and to owe
  const step = Lock.make()
  let paying = false

  const store = (drafts: () => ReadonlyArray<Draft>): Effect.Effect<number, LogError> =>
    Effect.suspend(() => {
      const all = [...owed, ...drafts()]
      return all.length === 0 ? Effect.succeed(0) : Effect.tap(log.append(session, all), () => {
        owed = []
      })
    }).pipe(
      Effect.catchTag("SessionNotFound", Effect.die),
      // an append that was begun is stored also when its caller leaves
      Effect.uninterruptible
    )

  const payOnce = Effect.tap(store(() => []), () => {
    paying = false
  })

  const pay = Effect.suspend(() => {
    if (paying || owed.length === 0) return Effect.void
    paying = true
    return step(payOnce).pipe(
      Effect.retry({ while: isPassing, schedule: longPause }),
      Effect.tapErrorCause((cause) => {
        paying = false
        return Effect.annotateLogs(Effect.logError("what has ended could not be recorded", cause), { session })
      }),
      Effect.interruptible,
      Effect.forkIn(scope)
    )
  })

  yield* Effect.addFinalizer(() => Effect.ignore(store(() => [])))
  yield* pay

  const recorder: Recorder = {
    begin: (...drafts) => step(store(() => drafts)),
    say: (drafts) => patiently(step(store(drafts))),
    end: (...drafts) =>
      step(
        Effect.catchAllCause(Effect.asSome(store(() => drafts)), (cause) => {
          owed = [...owed, ...drafts]
          return Effect.logWarning("what has ended is recorded later", cause).pipe(
            Effect.annotateLogs({ session }),
            Effect.zipRight(pay),
            Effect.as(Option.none())
          )
        })
      ).pipe(Effect.uninterruptible)
  }
  return recorder
})
