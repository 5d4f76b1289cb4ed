/**
 * The one writer of a log (EL1). It takes all appends that are ready, numbers and encodes their events, stores them in
 * one transaction, and only then shows them and answers the appenders (EL4).
 *
 * @since 0.1.0
 */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { RunOutcome } from "../domain/AgentEvent.js"
import type { EventLogUnavailable, SessionNotFound } from "../domain/Errors.js"
import { EventLogClosed } from "../domain/Errors.js"
import type { SessionId } from "../domain/Ids.js"
import type { Draft, SessionState } from "../domain/Session.js"
import * as Session from "../domain/Session.js"
import type { StoredEvent } from "../domain/StoredEvent.js"
import type { Advance, EventStore, LogEntry, StoredSession } from "./EventStore.js"
import { notFound } from "./EventStore.js"
import type { LiveEdge } from "./LiveEdge.js"
import * as LogMetrics from "./LogMetrics.js"
import type { Observe } from "./Observer.js"

/** @since 0.1.0 */
export type AppendError = SessionNotFound | EventLogClosed | EventLogUnavailable

/** @since 0.1.0 */
export interface Writer {
  readonly append: (session: SessionId, drafts: ReadonlyArray<Draft>) => Effect.Effect<number, AppendError>
  /** The session as it was last stored. */
  readonly stored: (session: SessionId) => Effect.Effect<StoredSession, SessionNotFound | EventLogUnavailable>
  readonly trim: (session: SessionId, oldest: number) => Effect.Effect<void, AppendError>
}

interface Append {
  readonly session: SessionId
  readonly drafts: ReadonlyArray<Draft>
  /** Only the first answer counts. */
  readonly answer: (result: Effect.Effect<number, AppendError>) => void
}

/** What one transaction takes; a single append may be more. `size` is in characters of JSON. */
const transactionLimit = { events: 2048, size: 8 * 1024 * 1024 }

/** How many sessions are kept in memory, those that were written last; the others are read from the store when asked for. */
const remembered = 256

const toJson = (stored: StoredEvent): string => {
  // a stored event's decoded form is its encoded form (this assignment is the proof), so there is nothing for a Schema
  // to encode
  const encoded: typeof StoredEvent.Encoded = stored
  return JSON.stringify(encoded)
}

/** The events with their numbers, and the state after them. How runs ended is put down in `outcomes`. */
const advance = (
  before: SessionState,
  drafts: ReadonlyArray<Draft>,
  at: string,
  outcomes: Transaction["outcomes"]
): Advance => {
  let state = before
  const entries: Array<LogEntry> = []
  for (const { event, runId } of drafts) {
    const stored: StoredEvent = { seq: state.head + 1, sessionId: state.id, runId, at, event }
    entries.push({ seq: stored.seq, type: event.type, json: toJson(stored) })
    state = Session.step(state, stored)
    if (event.type === "RunEnded") outcomes.push(event.outcome._tag)
  }
  return { state, entries }
}

/** A transaction while it is made up: what each session gains, and how each append will be answered. */
interface Transaction {
  readonly sessions: Map<SessionId, StoredSession & { readonly entries: Array<LogEntry> }>
  readonly heads: Map<Append, number>
  readonly outcomes: Array<RunOutcome["_tag"]>
  /** How many of the appends that wait are in it, or answered already. */
  taken: number
  events: number
  size: number
}

/**
 * It runs until its scope closes, which first stores what was accepted (EL7).
 *
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(
  store: EventStore,
  edge: LiveEdge,
  /** How many events of a session are kept. */
  maxEvents: number,
  observe?: Observe
) {
  const clock = yield* Effect.clock
  let pending: Array<Append> = []
  let closed = false
  let wake = () => {}
  const recent = new Map<SessionId, StoredSession>()

  // only the writer writes here: a reader's answer from the store may be older than what has been stored in the
  // meantime
  const remember = (session: StoredSession) => {
    recent.delete(session.state.id)
    recent.set(session.state.id, session)
    for (const id of recent.keys()) {
      if (recent.size <= remembered) break
      recent.delete(id)
    }
  }

  const stored: Writer["stored"] = (session) =>
    Effect.suspend(() => {
      const known = recent.get(session)
      return known !== undefined ? Effect.succeed(known) : Effect.flatMap(
        store.load(session),
        Option.match({ onNone: () => Effect.fail(notFound(session)), onSome: Effect.succeed })
      )
    })

  const storedOrNew = ({ drafts, session }: Append) =>
    Effect.catchTag(stored(session), "SessionNotFound", (error) =>
      drafts[0]?.event.type === "SessionOpened"
        ? Effect.succeed({ state: Session.initial(session), oldest: 1 })
        : Effect.fail(error))

  /** Numbers and encodes one append. Either all of its events get into the transaction or none does. */
  const add = (transaction: Transaction, append: Append, session: StoredSession, at: string) => {
    const entries = transaction.sessions.get(append.session)?.entries ?? []
    const advanced = advance(session.state, append.drafts, at, transaction.outcomes)
    for (const entry of advanced.entries) {
      entries.push(entry)
      transaction.size += entry.json.length
    }
    transaction.events += advanced.entries.length
    transaction.sessions.set(append.session, { state: advanced.state, oldest: session.oldest, entries })
    transaction.heads.set(append, advanced.state.head)
  }

  /** Makes a transaction of the first appends, as many as it takes. */
  const stage = Effect.fnUntraced(function*(appends: ReadonlyArray<Append>) {
    const at = DateTime.formatIso(yield* DateTime.now)
    const transaction: Transaction = {
      sessions: new Map(),
      heads: new Map(),
      outcomes: [],
      taken: 0,
      events: 0,
      size: 0
    }
    for (const append of appends) {
      const { events, sessions, size } = transaction
      const full = events + append.drafts.length > transactionLimit.events || size > transactionLimit.size
      if (full && events > 0) break
      transaction.taken++
      const known = sessions.get(append.session) ?? recent.get(append.session)
      const session = known === undefined ? yield* Effect.either(storedOrNew(append)) : Either.right(known)
      if (Either.isLeft(session)) {
        append.answer(Effect.fail(session.left))
        continue
      }
      try {
        add(transaction, append, session.right, at)
      } catch (defect) {
        // an event that no JSON can hold is its appender's bug, and nobody else's
        append.answer(Effect.die(defect))
      }
    }
    return transaction
  })

  const forget = (session: SessionId, oldest: number) =>
    Effect.map(store.trim(session, oldest), () => {
      const known = recent.get(session)
      if (known !== undefined) recent.set(session, { ...known, oldest })
      edge.forget(session)
    })

  // EL6: in coarse steps, so that hardly an append pays for it
  const tooMany = maxEvents + Math.max(1, Math.ceil(maxEvents / 8))
  const retain = (sessions: ReadonlyArray<StoredSession>) =>
    Effect.forEach(
      sessions.filter(({ oldest, state }) => state.head - oldest >= tooMany),
      ({ state }) =>
        Effect.catchAll(forget(state.id, state.head - maxEvents + 1), (error) =>
          Effect.annotateLogs(Effect.logWarning("the log could not be trimmed", error), { session: state.id })),
      { discard: true }
    )

  const tell = (sessions: ReadonlyArray<Advance>) =>
    observe === undefined
      ? Effect.void
      : Effect.forEach(sessions, ({ entries, state }) => observe(state, entries), { discard: true })

  /** Stores the first appends in one transaction, and returns the rest. */
  const transact = Effect.fnUntraced(function*(appends: ReadonlyArray<Append>) {
    const transaction = yield* stage(appends)
    const { heads, sessions, taken } = transaction
    const advances = Array.from(sessions.values())
    if (advances.length > 0) {
      const start = clock.unsafeCurrentTimeNanos()
      const exit = yield* Effect.exit(store.commit(advances))
      const nanos = clock.unsafeCurrentTimeNanos() - start
      if (Exit.isFailure(exit)) {
        LogMetrics.failures.unsafeUpdate(1, [])
        // nothing is remembered of it, so the next transaction gives the same numbers again (EL1)
        for (const append of heads.keys()) append.answer(Effect.failCause(exit.cause))
      } else {
        // EL4: stored first, shown second
        for (const { entries, oldest, state } of advances) {
          remember({ state, oldest })
          edge.show(state.id, entries)
        }
        for (const [append, head] of heads) append.answer(Effect.succeed(head))
        LogMetrics.committed(transaction, nanos)
        yield* tell(advances)
        yield* retain(advances)
      }
    }
    return appends.slice(taken)
  })

  const write = (appends: ReadonlyArray<Append>) =>
    Effect.iterate(appends, { while: (rest) => rest.length > 0, body: transact }).pipe(
      // EL7: no appender is left without an answer, and no bug ends the writer
      Effect.catchAllCause((cause) =>
        Effect.sync(() => {
          for (const append of appends) append.answer(Effect.failCause(cause))
        })
      )
    )

  const arrived = Effect.async<void>((resume) => {
    // the look and the registration are one step, so no append falls between them
    if (pending.length > 0 || closed) return resume(Effect.void)
    wake = () => resume(Effect.void)
  })
  const writing = yield* arrived.pipe(
    Effect.zipRight(Effect.suspend(() => {
      const appends = pending
      pending = []
      return write(appends)
    })),
    Effect.repeat({ until: () => closed && pending.length === 0 }),
    Effect.forkScoped
  )
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      closed = true
      wake()
      return Fiber.await(writing)
    })
  )

  const writer: Writer = {
    append: (session, drafts) =>
      drafts.length === 0
        ? Effect.map(stored(session), ({ state }) => state.head)
        : Effect.async((answer) => {
          if (closed) return answer(Effect.fail(closedError()))
          pending.push({ session, drafts, answer })
          wake()
        }),
    stored,
    trim: Effect.fnUntraced(function*(session, oldest) {
      if (closed) return yield* Effect.fail(closedError())
      const known = yield* stored(session)
      if (oldest > known.oldest && oldest <= known.state.head) yield* forget(session, oldest)
    })
  }
  return writer
})

const closedError = () => new EventLogClosed({ message: "the event log is closed: nothing more is recorded" })
