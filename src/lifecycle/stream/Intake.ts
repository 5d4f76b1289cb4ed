/**
 * What has come and waits to be taken, in order: the buffer between whoever reads a wire and whoever handles what it says.
 *
 * It is no `Mailbox`. That one looks for a message in one operation and registers who waits for it in a later one, on both of its sides:
 * a fiber that is put off in between sleeps over what comes (docs/effect.md). Here the look and the registration are one step.
 *
 * ```ts
 * const intake = Intake.make<Frame, SocketError>(64)
 * yield* intake.offer(frames) // and then reads on
 * const [frames, done] = yield* intake.takeAll
 * ```
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import type * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/** @since 0.1.0 */
export interface Intake<A, E = never> {
  /** Synchronous; never refuses, but after the end nothing is kept. */
  readonly push: (items: Iterable<A>) => void
  /** Pushes at once, and then waits while it is full: who brings more than is taken is held up. */
  readonly offer: (items: Iterable<A>) => Effect.Effect<void>
  /** As many wait as there is room for. */
  readonly full: () => boolean
  /** Waits while it is full. */
  readonly room: Effect.Effect<void>
  /** The next; waits until there is one. Fails with `NoSuchElementException` at the end. */
  readonly take: Effect.Effect<A, E | Cause.NoSuchElementException>
  /** All that wait, and whether they are the last; waits until there is one. */
  readonly takeAll: Effect.Effect<readonly [items: Chunk.Chunk<A>, done: boolean], E>
  /** What was pushed before is still taken, then those who take are told. The first end counts. */
  readonly end: (exit: Exit.Exit<void, E>) => void
}

/**
 * @since 0.1.0
 */
export const make = <A, E = never>(capacity: number): Intake<A, E> => {
  const takers = new Set<() => void>()
  const pushers = new Set<() => void>()
  let items: Array<A> = []
  let over: Exit.Exit<void, E> | undefined

  // after the end nothing is kept, and nobody needs to wait for it
  const full = () => items.length >= capacity && over === undefined

  const wake = (waiting: Set<() => void>) => {
    for (const go of waiting) go()
    waiting.clear()
  }

  const until = (ready: () => boolean, waiting: Set<() => void>) =>
    Effect.async<void>((resume) => {
      if (ready()) return resume(Effect.void)
      const go = () => resume(Effect.void)
      waiting.add(go)
      return Effect.sync(() => waiting.delete(go))
    })

  const something = until(() => items.length > 0 || over !== undefined, takers)

  const taking = <B, E2>(get: () => Effect.Effect<B, E2>): Effect.Effect<B, E | E2> =>
    Effect.suspend(() => {
      if (items.length > 0) {
        const got = get()
        if (!full()) wake(pushers)
        return got
      }
      return over === undefined ? Effect.zipRight(something, taking(get)) : Effect.zipRight(over, get())
    })

  const push = (more: Iterable<A>) => {
    if (over !== undefined) return
    for (const item of more) items.push(item)
    if (items.length > 0) wake(takers)
  }

  const room = until(() => !full(), pushers)

  return {
    push,
    offer: (more) =>
      Effect.suspend(() => {
        push(more)
        return full() ? room : Effect.void
      }),
    full,
    room,
    take: taking(() => {
      const first = Arr.head(items)
      items.shift()
      return first
    }),
    takeAll: taking(() => {
      const all = Chunk.unsafeFromArray(items)
      items = []
      return Effect.succeed([all, over !== undefined && Exit.isSuccess(over)] as const)
    }),
    end: (exit) => {
      over ??= exit
      wake(takers)
      wake(pushers)
    }
  }
}
