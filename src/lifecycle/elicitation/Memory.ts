/**
 * What was decided for always, by session and subject. Bounded: what falls out is asked again, which is safe.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import * as Decision from "../../domain/Decision.js"
import type { ElicitationRequest } from "../../domain/Elicitation.js"
import type { SessionId } from "../../domain/Ids.js"

/** All of it is synchronous. @since 0.1.0 */
export interface Memory {
  /** A later decision about a subject replaces the one before. */
  readonly add: (sessionId: SessionId, decision: Decision.Decision) => void
  /** Oldest first. */
  readonly of: (sessionId: SessionId) => ReadonlyArray<Decision.Decision>
  /** The option that was chosen for always, if this request is about the same. */
  readonly answerTo: (sessionId: SessionId, request: ElicitationRequest) => Option.Option<string>
  /** Says whether there was one. */
  readonly remove: (sessionId: SessionId, subject: string) => boolean
  readonly forget: (sessionId: SessionId) => void
}

/** @since 0.1.0 */
export const make = (limits: { readonly sessions: number; readonly subjects: number }): Memory => {
  const sessions = new Map<SessionId, Map<string, Decision.Decision>>()

  /** Puts an entry last, and drops the first ones that are too many. */
  const putLast = <K, V>(map: Map<K, V>, key: K, value: V, limit: number) => {
    map.delete(key)
    map.set(key, value)
    for (const oldest of map.keys()) {
      if (map.size <= limit) break
      map.delete(oldest)
    }
  }

  return {
    add: (sessionId, decision) => {
      const decisions = sessions.get(sessionId) ?? new Map<string, Decision.Decision>()
      putLast(decisions, decision.subject, decision, limits.subjects)
      putLast(sessions, sessionId, decisions, limits.sessions)
    },
    of: (sessionId) => [...sessions.get(sessionId)?.values() ?? []],
    answerTo: (sessionId, request) => {
      if (request.kind !== "permission" || request.subject === undefined) return Option.none()
      const decision = sessions.get(sessionId)?.get(request.subject)
      return decision === undefined ? Option.none() : Decision.optionOf(decision, request)
    },
    remove: (sessionId, subject) => {
      const decisions = sessions.get(sessionId)
      const removed = decisions?.delete(subject) ?? false
      if (decisions?.size === 0) sessions.delete(sessionId)
      return removed
    },
    forget: (sessionId) => void sessions.delete(sessionId)
  }
}
