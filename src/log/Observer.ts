/**
 * Who watches what a log stores, beside those who read it: tracing does.
 *
 * ```ts
 * EventLog.layerMemory.pipe(
 *   Layer.provide(Layer.succeed(EventLog.Observer, (session, entries) => Effect.log(session.id, entries.length)))
 * )
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { SessionState } from "../domain/Session.js"
import type { LogEntry } from "./EventStore.js"

/**
 * Is told of what has been stored, of one session and in order, with the state after it. At start it is told once more of the events of
 * each run that a crash left open, before that run is ended: so it sees whole runs. The writer waits for it: it has to be quick. Without
 * one, which is the default, nothing is done.
 *
 * @since 0.1.0
 */
export type Observe = (session: SessionState, entries: ReadonlyArray<LogEntry>) => Effect.Effect<void>

/** @since 0.1.0 */
export class Observer extends Context.Reference<Observer>()("holdfast/EventLog/Observer", {
  defaultValue: (): Observe | undefined => undefined
}) {}

/** What goes wrong in an observer is told to the operator, and nobody else. @since 0.1.0 */
export const careful = (observe: Observe | undefined): Observe | undefined =>
  observe === undefined ? undefined : (session, entries) =>
    Effect.suspend(() => observe(session, entries)).pipe(
      Effect.catchAllCause((cause) => Effect.logError("an observer of the log failed", cause)),
      Effect.annotateLogs({ session: session.id })
    )
