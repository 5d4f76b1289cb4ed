/**
 * Where the log ends for the moment: the newest entries, shared by all who follow, and who is to be woken by the next.
 *
 * A follower is a number and a callback. It has no queue: the one that lags falls behind the window and reads from the
 * store (EL3).
 *
 * @since 0.1.0
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { SessionId } from "../domain/Ids.js"
import type { LogEntry } from "./EventStore.js"
import { pageLimit } from "./EventStore.js"

/** One reader's place at the edge. @since 0.1.0 */
export interface Follower {
  /** The number of the last event that was shown. */
  head: number
  wake: (() => void) | undefined
}

/** @since 0.1.0 */
export interface LiveEdge {
  /** From here on the follower is told of every event; ends with the scope. */
  readonly follow: (session: SessionId) => Effect.Effect<Follower, never, Scope.Scope>
  /** Shows what has been stored, the session's next events. Never waits. */
  readonly show: (session: SessionId, entries: ReadonlyArray<LogEntry>) => void
  /**
   * What the window has after the number; empty when that is to be read from the store, or yet to come. Those who have
   * come equally far are given the same page.
   */
  readonly after: (session: SessionId, seq: number) => Chunk.Chunk<LogEntry>
  /** Waits until there is something after the number, or the edge is closed. */
  readonly changed: (follower: Follower, seq: number) => Effect.Effect<void>
  /** What was trimmed is shown no more. */
  readonly forget: (session: SessionId) => void
  readonly isClosed: () => boolean
  readonly close: () => void
}

/**
 * The bounds of the window, for all sessions together: 1,000 sessions that have gone quiet hold no more than one.
 * `size` is in characters of JSON.
 */
const windowLimit = { events: 8192, size: 4 * 1024 * 1024 }

interface Window {
  readonly entries: Array<LogEntry>
  /** The page that was asked for last, until the window changes. */
  page: { readonly after: number; readonly entries: Chunk.Chunk<LogEntry> } | undefined
}

/**
 * Where many follow, waking them all takes longer than storing an event. So what comes within some turns of the event
 * loop is shown in one wave: a turn for so many followers. Turns are short when there is nothing else to do, so few
 * wait for long.
 */
const followersATurn = 8

/** @since 0.1.0 */
export const make = (): LiveEdge => {
  const followers = new Map<SessionId, Set<Follower>>()
  const windows = new Map<SessionId, Window>()
  /** What the windows hold, in the order in which it came. A window that was dropped stays listed until its turn. */
  const held: Array<{ readonly window: Window; readonly events: number; readonly size: number }> = []
  let events = 0
  let size = 0
  let closed = false

  const hold = (session: SessionId, entries: ReadonlyArray<LogEntry>) => {
    let window = windows.get(session)
    if (window === undefined) windows.set(session, window = { entries: [], page: undefined })
    window.page = undefined
    let added = 0
    for (const entry of entries) {
      window.entries.push(entry)
      added += entry.json.length
    }
    held.push({ window, events: entries.length, size: added })
    events += entries.length
    size += added
    while (events > windowLimit.events || size > windowLimit.size) {
      const first = held.shift()
      if (first === undefined) break
      first.window.entries.splice(0, first.events)
      first.window.page = undefined
      events -= first.events
      size -= first.size
    }
  }

  const wake = (follower: Follower) => {
    const { wake } = follower
    follower.wake = undefined
    wake?.()
  }

  /** The sessions whose followers will be woken, and what that waits for. */
  const waves = new Map<SessionId, NodeJS.Immediate>()

  const wakeAll = (session: SessionId) => {
    waves.delete(session)
    for (const follower of followers.get(session) ?? []) wake(follower)
  }

  const wakeAfter = (turns: number, session: SessionId) => {
    if (turns === 0) return wakeAll(session)
    waves.set(session, setImmediate(() => wakeAfter(turns - 1, session)))
  }

  return {
    follow: (session) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const follower: Follower = { head: 0, wake: undefined }
          const others = followers.get(session)
          if (others === undefined) followers.set(session, new Set([follower]))
          else others.add(follower)
          return follower
        }),
        (follower) =>
          Effect.sync(() => {
            const others = followers.get(session)
            others?.delete(follower)
            if (others?.size !== 0) return
            followers.delete(session)
            // what comes while nobody follows is not held, so the window would have a hole
            windows.delete(session)
          })
      ),
    show: (session, entries) => {
      const head = entries[entries.length - 1]?.seq
      const all = followers.get(session)
      if (head === undefined || all === undefined) return
      hold(session, entries)
      for (const follower of all) follower.head = head
      if (!waves.has(session)) wakeAfter(Math.floor(all.size / followersATurn), session)
    },
    after: (session, seq) => {
      const window = windows.get(session)
      const first = window?.entries[0]
      if (window === undefined || first === undefined || seq + 1 < first.seq) return Chunk.empty()
      if (window.page?.after !== seq) {
        const from = seq + 1 - first.seq
        const entries = Chunk.unsafeFromArray(window.entries.slice(from, from + pageLimit.events))
        window.page = { after: seq, entries }
      }
      return window.page.entries
    },
    changed: (follower, seq) =>
      Effect.async<void>((resume) => {
        // EL2: the look and the registration are one step, so no wake-up falls between them
        if (closed || follower.head > seq) return resume(Effect.void)
        follower.wake = () => resume(Effect.void)
        return Effect.sync(() => {
          follower.wake = undefined
        })
      }),
    forget: (session) => {
      windows.delete(session)
    },
    isClosed: () => closed,
    close: () => {
      closed = true
      for (const wave of waves.values()) clearImmediate(wave)
      for (const session of followers.keys()) wakeAll(session)
    }
  }
}
