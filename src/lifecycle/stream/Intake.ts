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

type Wake = () => void

/** Whoever waits, none of them most of the time: a set for each of thousands that are idle is memory for nothing. */
type Waiting = Set<Wake> | undefined

/** They go on later, each in its fiber, so none waits anew before all are told. */
const wake = (waiting: Waiting): undefined => {
  for (const go of waiting ?? []) go()
}

/** A class for the sake of memory: each session has one, and most are idle. */
class Bounded<A, E> implements Intake<A, E> {
  // hidden also from whoever prints what it is part of, as a tracer may: what waits here is not for everybody
  #takers: Waiting
  #pushers: Waiting
  #items: Array<A> = []
  #over: Exit.Exit<void, E> | undefined

  constructor(private readonly capacity: number) {}

  push(more: Iterable<A>): void {
    if (this.#over !== undefined) return
    for (const item of more) this.#items.push(item)
    if (this.#items.length > 0) this.#takers = wake(this.#takers)
  }

  offer(more: Iterable<A>): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.push(more)
      return this.full() ? this.room : Effect.void
    })
  }

  full(): boolean {
    // after the end nothing is kept, and nobody needs to wait for it
    return this.#items.length >= this.capacity && this.#over === undefined
  }

  get room(): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      if (!this.full()) return resume(Effect.void)
      const go = () => resume(Effect.void)
      const pushers = this.#pushers ??= new Set()
      pushers.add(go)
      return Effect.sync(() => pushers.delete(go))
    })
  }

  get take(): Effect.Effect<A, E | Cause.NoSuchElementException> {
    return this.taking(() => {
      const first = Arr.head(this.#items)
      this.#items.shift()
      return first
    })
  }

  get takeAll(): Effect.Effect<readonly [items: Chunk.Chunk<A>, done: boolean], E> {
    return this.taking(() => {
      const all = Chunk.unsafeFromArray(this.#items)
      this.#items = []
      return Effect.succeed([all, this.#over !== undefined && Exit.isSuccess(this.#over)] as const)
    })
  }

  end(exit: Exit.Exit<void, E>): void {
    this.#over ??= exit
    this.#takers = wake(this.#takers)
    this.#pushers = wake(this.#pushers)
  }

  private get something(): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      if (this.#items.length > 0 || this.#over !== undefined) return resume(Effect.void)
      const go = () => resume(Effect.void)
      const takers = this.#takers ??= new Set()
      takers.add(go)
      return Effect.sync(() => takers.delete(go))
    })
  }

  private taking<B, E2>(get: () => Effect.Effect<B, E2>): Effect.Effect<B, E | E2> {
    return Effect.suspend(() => {
      if (this.#items.length > 0) {
        const got = get()
        if (!this.full()) this.#pushers = wake(this.#pushers)
        return got
      }
      return this.#over === undefined
        ? Effect.zipRight(this.something, this.taking(get))
        : Effect.zipRight(this.#over, get())
    })
  }
}

/** @since 0.1.0 */
export const make = <A, E = never>(capacity: number): Intake<A, E> => new Bounded(capacity)
