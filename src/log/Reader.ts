/**
 * A cursor that moves: it gives a session's events page by page, from memory where it can and from the store where it
 * must. It holds a number and no events (EL3).
 *
 * ```ts
 * const reader = yield* log.reader({ session, after: 0 })
 * yield* Effect.repeat(reader.next, { while: Option.isSome })
 * ```
 *
 * @since 0.1.0
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { EventLogUnavailable, SessionNotFound } from "../domain/Errors.js"
import { CursorExpired } from "../domain/Errors.js"
import type { SessionId } from "../domain/Ids.js"
import type { EventStore, LogEntry, Range } from "./EventStore.js"
import type { LiveEdge } from "./LiveEdge.js"
import type { Writer } from "./Writer.js"

/** Where a cursor starts: only events with a greater number are read. @since 0.1.0 */
export interface Cursor {
  readonly session: SessionId
  readonly after: number
}

/** Events that are ready together, at least one. At the head all readers are given the same one. @since 0.1.0 */
export type Page = Chunk.Chunk<LogEntry>

/** For one caller at a time. @since 0.1.0 */
export interface Reader {
  /** The next page. It waits for it at the head, and is done when there will be none. Interrupting it loses nothing. */
  readonly next: Effect.Effect<Option.Option<Page>, CursorExpired | EventLogUnavailable>
  /** The next page if it is in memory: for those who write to many, as it costs no fiber. */
  readonly take: () => Page | undefined
  /** Whether `next` would wait now. */
  readonly waits: () => boolean
  /** Calls back once, when a reader that `waits` does so no longer: for those who wait without a fiber. */
  readonly onMore: (callback: () => void) => void
}

/** @since 0.1.0 */
export interface Readers {
  /** From the cursor to the head at the time of the call. */
  readonly upToHead: (cursor: Cursor) => Effect.Effect<Reader, SessionNotFound | CursorExpired | EventLogUnavailable>
  /** From the cursor on, without a gap or a duplicate (EL2), until the log closes. A cursor past the head waits. */
  readonly following: (
    cursor: Cursor
  ) => Effect.Effect<Reader, SessionNotFound | CursorExpired | EventLogUnavailable, Scope.Scope>
}

/** @since 0.1.0 */
export const make = (store: EventStore, edge: LiveEdge, stored: Writer["stored"]): Readers => {
  const head = ({ after, session }: Cursor) =>
    Effect.flatMap(
      stored(session),
      ({ oldest, state: { head } }) =>
        after < head && after + 1 < oldest ? Effect.fail(expired(session, oldest)) : Effect.succeed(head)
    )

  /** The next page, of a range that was stored. */
  const page = (range: Range): Effect.Effect<Page, CursorExpired | EventLogUnavailable> =>
    Effect.flatMap(store.page(range), (entries): ReturnType<typeof page> => {
      // EL6: numbers have no holes (EL1), so what is missing is below the horizon
      const [first] = entries
      if (first !== undefined && first.seq === range.after + 1) return Effect.succeed(Chunk.unsafeFromArray(entries))
      const { session } = range
      return Effect.flatMap(
        first !== undefined ? Effect.succeed(first.seq) : horizon(range),
        (oldest) => Effect.fail(expired(session, oldest))
      )
    })

  /** That of a session of which the whole range is gone. */
  const horizon = ({ session, upTo }: Range) =>
    stored(session).pipe(
      // what is remembered may be older than a trim that is not quite done
      Effect.map(({ oldest }) => Math.max(oldest, upTo + 1)),
      Effect.catchTag("SessionNotFound", Effect.die)
    )

  return {
    upToHead: (cursor) =>
      Effect.map(head(cursor), (upTo) => {
        let { after } = cursor
        return {
          next: Effect.suspend(() =>
            after >= upTo ? Effect.succeedNone : Effect.map(page({ ...cursor, after, upTo }), (page) => {
              after = lastOf(page, after)
              return Option.some(page)
            })
          ),
          take: () => undefined,
          waits: () => false,
          onMore: () => {}
        }
      }),

    following: Effect.fnUntraced(function*(cursor) {
      const { session } = cursor
      let { after } = cursor
      // EL2: first follow, then ask for the head, so that nothing falls in between
      const follower = yield* edge.follow(session)
      follower.head = Math.max(follower.head, yield* head(cursor))

      const take = () => {
        const page = edge.after(session, after)
        if (Chunk.isEmpty(page)) return
        after = lastOf(page, after)
        return page
      }
      const next: Reader["next"] = Effect.suspend(() => {
        const ready = take()
        if (ready !== undefined) return Effect.succeedSome(ready)
        if (edge.isClosed()) return Effect.succeedNone
        if (follower.head <= after) return Effect.zipRight(edge.changed(follower, after), next)
        return Effect.map(page({ session, after, upTo: follower.head }), (page) => {
          after = lastOf(page, after)
          return Option.some(page)
        })
      })
      return {
        next,
        take,
        waits: () => !edge.isClosed() && follower.head <= after,
        onMore: (callback) => {
          follower.wake = callback
        }
      }
    })
  }
}

const lastOf = (page: Page, otherwise: number) =>
  Option.match(Chunk.last(page), { onNone: () => otherwise, onSome: ({ seq }) => seq })

const expired = (sessionId: SessionId, oldest: number) =>
  new CursorExpired({
    sessionId,
    oldest,
    message: `session ${sessionId} has no events before ${oldest} any more; read from there, or after ${oldest - 1}`
  })
