/**
 * A store that forgets everything with its process: for tests and for hosts that keep nothing.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { SessionId } from "../domain/Ids.js"
import * as Session from "../domain/Session.js"
import type { EventStore, LogEntry } from "./EventStore.js"
import { fitting, notFound, pageLimit } from "./EventStore.js"

interface Kept {
  state: Session.SessionState
  readonly entries: Array<LogEntry>
}

/** @since 0.1.0 */
export const make: Effect.Effect<EventStore> = Effect.sync(() => {
  const sessions = new Map<SessionId, Kept>()
  // numbers have no holes (EL1), so the first one tells where each is
  const oldest = ({ entries, state }: Kept) => entries[0]?.seq ?? state.head + 1
  const states = () => Array.from(sessions.values(), ({ state }) => state)

  return {
    load: (session) =>
      Effect.sync(() =>
        Option.map(
          Option.fromNullable(sessions.get(session)),
          (kept) => ({ state: kept.state, oldest: oldest(kept) })
        )
      ),
    commit: (advances) =>
      Effect.sync(() => {
        for (const { entries, state } of advances) {
          const kept: Kept = sessions.get(state.id) ?? { state, entries: [] }
          kept.state = state
          for (const entry of entries) kept.entries.push(entry)
          sessions.set(state.id, kept)
        }
      }),
    page: ({ after, session, upTo }) =>
      Effect.sync(() => {
        const kept = sessions.get(session)
        if (kept === undefined) return []
        const from = Math.max(after + 1 - oldest(kept), 0)
        const to = Math.min(upTo + 1 - oldest(kept), from + pageLimit.events)
        const entries = kept.entries.slice(from, to)
        return entries.slice(0, fitting(entries.map((entry) => entry.json.length)))
      }),
    list: ({ after, limit, status }) =>
      Effect.suspend(() => {
        const newestFirst = states().reverse()
        const start = Option.match(after, {
          onNone: () => 0,
          onSome: (id) => newestFirst.findIndex((state) => state.id === id) + 1
        })
        if (Option.isSome(after) && start === 0) return Effect.fail(notFound(after.value))
        return Effect.succeed(
          newestFirst.slice(start)
            .filter((state) => Option.isNone(status) || Session.status(state) === status.value)
            .slice(0, limit)
        )
      }),
    unfinished: Effect.sync(() => states().filter((state) => Session.recovery(state, "").length > 0)),
    trim: (session, before) =>
      Effect.sync(() => {
        const kept = sessions.get(session)
        kept?.entries.splice(0, before - oldest(kept))
      })
  }
})
