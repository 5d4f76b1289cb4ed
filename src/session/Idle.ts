/**
 * When a session is idle, and may give up its agent: nothing runs in it, nothing waits, nobody looks at it or commands it, and its agent says
 * nothing.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { SessionId } from "../domain/Ids.js"
import { type SessionState, status } from "../domain/Session.js"
import * as Concurrently from "../lifecycle/Concurrently.js"

/** How a live session is used by commands. @since 0.1.0 */
export interface Use {
  /** Commands that are under way. */
  users: number
  /** When the last one ended, or the last viewer left. */
  usedAt: number
}

/** @since 0.1.0 */
export const touch = (use: Use | undefined): Effect.Effect<void> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    if (use !== undefined) use.usedAt = now
  })

/** A command is over. @since 0.1.0 */
export const left = (use: Use): Effect.Effect<void> =>
  Effect.tap(touch(use), () => {
    use.users--
  })

/** @since 0.1.0 */
export interface Idle<Entry extends Use> {
  /** As long as the scope is open somebody looks at the session. */
  readonly watch: (id: SessionId) => Effect.Effect<void, never, Scope.Scope>
  /** Nobody uses it, and nobody has since then. */
  readonly isUnused: (id: SessionId, entry: Entry, since: number) => boolean
}

/** @since 0.1.0 */
export const make = <Entry extends Use>(find: (id: SessionId) => Entry | undefined): Idle<Entry> => {
  const viewers = new Map<SessionId, number>()
  const count = (id: SessionId, more: number) => {
    const viewing = (viewers.get(id) ?? 0) + more
    if (viewing === 0) viewers.delete(id)
    else viewers.set(id, viewing)
  }
  return {
    watch: (id) =>
      Effect.acquireRelease(
        Effect.sync(() => count(id, 1)),
        () => Effect.tap(Effect.suspend(() => touch(find(id))), () => count(id, -1))
      ),
    isUnused: (id, entry, since) => entry.users === 0 && entry.usedAt <= since && !viewers.has(id) && find(id) === entry
  }
}

/** Puts a session to sleep, unless it is used or not idle after all. @since 0.1.0 */
export type Rest<Entry extends Use> = (
  id: SessionId,
  entry: Entry,
  isIdle: (state: SessionState) => boolean,
  since: number,
  reason: string
) => Effect.Effect<void>

/**
 * Puts to sleep, again and again, whatever has been idle for `after`, and an eighth of that at most. `rest` looks once more, in the same
 * step in which it begins.
 *
 * @since 0.1.0
 */
export const sweep = <Entry extends Use>({ after, all, isUnused, rest }: {
  readonly after: Duration.Duration
  readonly all: () => Iterable<readonly [SessionId, Entry]>
  readonly isUnused: Idle<Entry>["isUnused"]
  readonly rest: Rest<Entry>
}): Effect.Effect<never> => {
  const millis = Duration.toMillis(after)
  const reason = `nothing happened for ${Duration.format(after)}; the next prompt starts it again`
  const once = Effect.flatMap(Clock.currentTimeMillis, (now) => {
    const since = now - millis
    const isIdle = (state: SessionState) =>
      (status(state) === "idle" || status(state) === "failed") && state.open.length === 0 &&
      Date.parse(state.updatedAt) <= since
    const unused = Array.from(all()).filter(([id, entry]) => isUnused(id, entry, since))
    return Concurrently.forEach(unused, unused.length, ([id, entry]) => rest(id, entry, isIdle, since, reason))
  })
  return Effect.forever(Effect.zipRight(Effect.sleep(Duration.times(after, 1 / 8)), once))
}
