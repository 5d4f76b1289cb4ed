/**
 * One at a time, in the order in which they came.
 *
 * ```ts
 * const lock = Lock.make()
 * yield* lock(Effect.zipRight(readIt, writeIt)) // nobody else who holds it comes in between
 * ```
 *
 * `Effect.makeSemaphore(1)` would do, but whoever comes when it has just become free overtakes those who wait, and it takes its permit in
 * one operation and sees to its return in the next, so that what it guards cannot be explored operation by operation (docs/effect.md). And
 * each session has some: this one is smaller.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"

/**
 * Runs the effect while nobody else holds the lock. To wait for it can be interrupted; what runs under it keeps it until its finalizers are
 * done. Who holds it must not ask for it again: that would wait for itself.
 *
 * @since 0.1.0
 */
export type Lock = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

interface Turn {
  /** It is this one's turn, whether or not it knows yet. */
  has: boolean
  wake: (() => void) | undefined
}

const come = (turn: Turn) =>
  Effect.async<void>((resume) => {
    if (turn.has) resume(Effect.void)
    else turn.wake = () => resume(Effect.void)
  })

/** What is known of a lock. Its parts are functions of this, and no closures: each of thousands of idle sessions has some. */
interface Line {
  held: boolean
  /** Absent until somebody waits. */
  waiting: Array<Turn> | undefined
}

const release = (line: Line) =>
  Effect.sync(() => {
    const next = line.waiting?.shift()
    // handed over and not let go: nobody can take it in between
    if (next === undefined) line.held = false
    else {
      next.has = true
      next.wake?.()
    }
  })

const leave = (line: Line, turn: Turn) =>
  Effect.suspend(() => {
    if (turn.has) return release(line)
    line.waiting = line.waiting?.filter((other) => other !== turn)
    return Effect.void
  })

const holding = <A, E, R>(line: Line, self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.suspend(() => {
      const body = Effect.ensuring(restore(self), release(line))
      // one step: to find it held and to stand in line
      if (!line.held) {
        line.held = true
        return body
      }
      const turn: Turn = { has: false, wake: undefined }
      const waiting = line.waiting ??= []
      waiting.push(turn)
      return Effect.matchCauseEffect(restore(come(turn)), {
        onSuccess: () => body,
        onFailure: (cause) => Effect.zipRight(leave(line, turn), Effect.failCause(cause))
      })
    })
  )

/** @since 0.1.0 */
export const make = (): Lock => {
  const line: Line = { held: false, waiting: undefined }
  return (self) => holding(line, self)
}
