/**
 * The open questions and how the last ones ended. It is plain data behind synchronous functions, each of which is one step: what must not
 * come apart (looking a question up and settling it, say) is one call.
 *
 * Nothing here looks at more than one session's questions, of which there are few (EB10), so ten thousand in all cost a single one nothing.
 *
 * @since 0.1.0
 */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import {
  type Elicitation,
  type ElicitationOutcome,
  type ElicitationRequest,
  recordable
} from "../../domain/Elicitation.js"
import { LimitReached } from "../../domain/Errors.js"
import type { ElicitationId, RunId, SessionId } from "../../domain/Ids.js"
import * as Agenda from "../Agenda.js"
import * as Notifier from "./Notifier.js"

/** Which questions: those of a session, of one run of it, or a single one. @since 0.1.0 */
export interface Filter {
  readonly sessionId: SessionId
  readonly runId?: RunId | undefined
  readonly id?: ElicitationId | undefined
}

/** What the asker gave. @since 0.1.0 */
export interface Asked {
  readonly sessionId: SessionId
  readonly runId?: RunId | undefined
  readonly request: ElicitationRequest
  readonly externalId?: string | undefined
}

/** The record itself is made when somebody wants it: thousands of them wait. @since 0.1.0 */
export interface OpenQuestion {
  readonly id: ElicitationId
  readonly asked: Asked
  readonly askedAt: number
  /** `Infinity` if it has none. */
  readonly expiresAt: number
  /** When the sweep has to look at it. */
  due: Agenda.Entry<OpenQuestion> | undefined
  /** How it ended; `undefined` while it is open. */
  outcome: ElicitationOutcome | undefined
  /** Wakes the one who waits for its end. */
  wake: ((outcome: ElicitationOutcome) => void) | undefined
}

/**
 * Waits for the end. A question has one waiter, so this needs no `Deferred`, whose way of being interrupted takes more memory than all
 * the rest of a question that waits.
 *
 * @since 0.1.0
 */
export const ended = (question: OpenQuestion): Effect.Effect<ElicitationOutcome> =>
  Effect.async<ElicitationOutcome>((resume) => {
    // nothing to cancel: a fiber that is interrupted here does not hear what it is told later
    if (question.outcome === undefined) question.wake = (outcome) => resume(Effect.succeed(outcome))
    else resume(Effect.succeed(question.outcome))
  })

/** Its record, as it is announced. @since 0.1.0 */
export const toElicitation = ({ asked: { request, runId, sessionId }, expiresAt, id }: OpenQuestion): Elicitation => ({
  id,
  sessionId,
  ...(runId === undefined ? {} : { runId }),
  ...(expiresAt === Infinity ? {} : { deadline: DateTime.formatIso(DateTime.unsafeMake(expiresAt)) }),
  ...request
})

/** What is kept of a session while something of it is open, watched or attended to. */
interface Room {
  readonly open: Map<ElicitationId, OpenQuestion>
  readonly changed: Notifier.Notifier
  listeners: number
  attendants: number
  /** When the last attendant left; before that there was none. */
  leftAt: number
}

/** @since 0.1.0 */
export interface Options {
  readonly maxPending: number
  readonly maxPendingTotal: number
  /** After how many milliseconds without an attendant a question is answered, and how; `after` is `Infinity` for never. */
  readonly unattended: { readonly after: number; readonly outcome: ElicitationOutcome }
}

/** How many ended questions are remembered, so that a late answer hears how they ended (EB6). */
const remembered = 1024

/** Times are milliseconds since the epoch. @since 0.1.0 */
export interface Register {
  /** Nothing is added if the answer is the limit that it would exceed. */
  readonly add: (question: OpenQuestion) => LimitReached | undefined
  readonly find: (sessionId: SessionId, id: ElicitationId) => OpenQuestion | undefined
  readonly list: (filter: Filter) => ReadonlyArray<OpenQuestion>
  readonly all: () => ReadonlyArray<OpenQuestion>
  /** Says whether it was open: then this is how it ended (EB2). */
  readonly settle: (question: OpenQuestion, outcome: ElicitationOutcome) => boolean
  /** How a question ended that is still remembered. */
  readonly outcomeOf: (sessionId: SessionId, id: ElicitationId) => ElicitationOutcome | undefined
  readonly arrive: (sessionId: SessionId) => void
  readonly leave: (sessionId: SessionId, now: number) => void
  readonly nextDue: () => number | undefined
  /** Settles what is due by now, and says when to look again. */
  readonly sweep: (now: number) => number | undefined
  /** A listener to the changes of a session, and how to end it. */
  readonly listen: (sessionId: SessionId) => { readonly changed: Effect.Effect<void>; readonly end: () => void }
  /** Wakes all listeners. */
  readonly notifyAll: () => void
}

/** @since 0.1.0 */
export const make = (options: Options): Register => {
  const rooms = new Map<SessionId, Room>()
  const past = new Map<ElicitationId, { readonly sessionId: SessionId; readonly outcome: ElicitationOutcome }>()
  const agenda = Agenda.make<OpenQuestion>()
  let total = 0

  const enter = (sessionId: SessionId): Room => {
    const known = rooms.get(sessionId)
    if (known !== undefined) return known
    const room: Room = { open: new Map(), changed: Notifier.make(), listeners: 0, attendants: 0, leftAt: -Infinity }
    rooms.set(sessionId, room)
    return room
  }

  /** A session of which nothing is open keeps no memory. */
  const tidy = (sessionId: SessionId, room: Room) => {
    if (room.open.size === 0 && room.listeners === 0 && room.attendants === 0) rooms.delete(sessionId)
  }

  /** EB9: counted from the later of the question and the last attendant's leaving. */
  const unattendedAt = (question: OpenQuestion, room: Room) =>
    room.attendants > 0 ? Infinity : Math.max(question.askedAt, room.leftAt) + options.unattended.after

  const schedule = (question: OpenQuestion, room: Room) => {
    const at = Math.min(question.expiresAt, unattendedAt(question, room))
    if (question.due !== undefined) agenda.remove(question.due)
    question.due = at === Infinity ? undefined : agenda.add(at, question)
  }

  const scheduleAll = (room: Room) => {
    if (options.unattended.after === Infinity) return
    for (const question of room.open.values()) schedule(question, room)
  }

  const limitReached = (sessionId: SessionId, room: Room): LimitReached | undefined => {
    const { maxPending, maxPendingTotal } = options
    if (room.open.size >= maxPending) {
      return new LimitReached({
        what: "pendingElicitations",
        limit: maxPending,
        message: `session ${sessionId} has ${maxPending} open questions already; answer some first`
      })
    }
    return total < maxPendingTotal ? undefined : new LimitReached({
      what: "pendingElicitationsTotal",
      limit: maxPendingTotal,
      message: `there are ${maxPendingTotal} open questions already, in all sessions; answer some first`
    })
  }

  const settle: Register["settle"] = (question, outcome) => {
    const { asked: { request, sessionId }, id } = question
    const room = rooms.get(sessionId)
    // EB2: taking it out is what decides the race; whoever finds it gone has lost
    if (room === undefined || !room.open.delete(id)) return false
    total--
    if (question.due !== undefined) agenda.remove(question.due)
    past.set(id, { sessionId, outcome: recordable(request, outcome) }) // EB11
    for (const oldest of past.keys()) {
      if (past.size <= remembered) break
      past.delete(oldest)
    }
    question.outcome = outcome
    question.wake?.(outcome)
    room.changed.notify()
    tidy(sessionId, room)
    return true
  }

  const expire = (question: OpenQuestion, now: number) => {
    const room = enter(question.asked.sessionId)
    settle(
      question,
      question.expiresAt <= Math.min(now, unattendedAt(question, room))
        ? { _tag: "Expired" }
        : options.unattended.outcome
    )
  }

  return {
    add: (question) => {
      const { asked: { sessionId }, id } = question
      const room = enter(sessionId)
      const refused = limitReached(sessionId, room)
      if (refused !== undefined) {
        tidy(sessionId, room)
        return refused
      }
      room.open.set(id, question)
      total++
      schedule(question, room)
      room.changed.notify()
      return undefined
    },
    find: (sessionId, id) => rooms.get(sessionId)?.open.get(id),
    list: ({ id, runId, sessionId }) =>
      [...rooms.get(sessionId)?.open.values() ?? []].filter((question) =>
        (runId === undefined || question.asked.runId === runId) && (id === undefined || question.id === id)
      ),
    all: () => [...rooms.values()].flatMap((room) => [...room.open.values()]),
    settle,
    outcomeOf: (sessionId, id) => {
      const known = past.get(id)
      return known?.sessionId === sessionId ? known.outcome : undefined
    },
    arrive: (sessionId) => {
      const room = enter(sessionId)
      room.attendants++
      if (room.attendants === 1) scheduleAll(room)
    },
    leave: (sessionId, now) => {
      const room = enter(sessionId)
      room.attendants--
      if (room.attendants > 0) return
      room.leftAt = now
      scheduleAll(room)
      tidy(sessionId, room)
    },
    nextDue: agenda.next,
    sweep: (now) => {
      for (let due = agenda.take(now); due !== undefined; due = agenda.take(now)) expire(due, now)
      return agenda.next()
    },
    listen: (sessionId) => {
      const room = enter(sessionId)
      room.listeners++
      return {
        changed: room.changed.listen(),
        end: () => {
          room.listeners--
          tidy(sessionId, room)
        }
      }
    },
    notifyAll: () => {
      for (const room of rooms.values()) room.changed.notify()
    }
  }
}
