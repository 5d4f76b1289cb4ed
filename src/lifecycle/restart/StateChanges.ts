/**
 * Tells any number of subscribers what keys are at, and waits for none of them.
 *
 * A subscriber is told of keys, not of changes: it takes what the keys that changed are at when it looks. One that lags finds fewer
 * changes and not more of them: it holds no more than the keys that are busy now and those that it knows as busy.
 *
 * @since 0.1.0
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as MutableHashSet from "effect/MutableHashSet"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { State } from "./RestartState.js"

/** @since 0.1.0 */
export interface Change<K> {
  readonly key: K
  readonly state: State
}

/** @since 0.1.0 */
export interface StateChanges<K> {
  /** Never waits. */
  readonly tell: (key: K) => void
  /** What is busy at first, and then each change; ends with `close`. */
  readonly stream: Stream.Stream<Change<K>>
  /** Ends the streams, which still tell what they have. */
  readonly close: () => void
}

interface Subscriber<K> {
  /** What it has to be told of. */
  readonly dirty: MutableHashSet.MutableHashSet<K>
  /** What it was told of last as something other than idle. */
  readonly busy: MutableHashSet.MutableHashSet<K>
  wake: (() => void) | undefined
}

/** @since 0.1.0 */
export const make = <K>(now: {
  readonly busy: () => Iterable<K>
  readonly state: (key: K) => State
}): StateChanges<K> => {
  const subscribers = new Set<Subscriber<K>>()
  let closed = false

  const tell = (key: K) => {
    if (subscribers.size === 0) return
    const idle = now.state(key)._tag === "Idle"
    for (const subscriber of subscribers) {
      // it need not hear of a key that came and went while it did not look
      if (idle && !MutableHashSet.has(subscriber.busy, key)) MutableHashSet.remove(subscriber.dirty, key)
      else {
        MutableHashSet.add(subscriber.dirty, key)
        subscriber.wake?.()
      }
    }
  }

  const take = (subscriber: Subscriber<K>) =>
    Effect.suspend((): Effect.Effect<Chunk.Chunk<Change<K>>, Option.Option<never>> => {
      const changes = Array.from(subscriber.dirty, (key) => ({ key, state: now.state(key) }))
        .filter(({ key, state }) => state._tag !== "Idle" || MutableHashSet.has(subscriber.busy, key))
      MutableHashSet.clear(subscriber.dirty)
      for (const { key, state } of changes) {
        if (state._tag === "Idle") MutableHashSet.remove(subscriber.busy, key)
        else MutableHashSet.add(subscriber.busy, key)
      }
      return changes.length === 0 && closed
        ? Effect.fail(Option.none())
        : Effect.succeed(Chunk.unsafeFromArray(changes))
    })

  const somethingToTell = (subscriber: Subscriber<K>) =>
    Effect.async<void>((resume) => {
      const wake = () => {
        subscriber.wake = undefined
        resume(Effect.void)
      }
      if (closed || MutableHashSet.size(subscriber.dirty) > 0) wake()
      else subscriber.wake = wake
    })

  return {
    tell,
    stream: Stream.fromPull(
      Effect.acquireRelease(
        Effect.sync((): Subscriber<K> => {
          const subscriber: Subscriber<K> = {
            dirty: MutableHashSet.fromIterable(now.busy()),
            busy: MutableHashSet.empty(),
            wake: undefined
          }
          subscribers.add(subscriber)
          return subscriber
        }),
        (subscriber) => Effect.sync(() => subscribers.delete(subscriber))
      ).pipe(
        Effect.map((subscriber) => Effect.zipRight(somethingToTell(subscriber), take(subscriber)))
      )
    ),
    close: () => {
      closed = true
      for (const subscriber of subscribers) subscriber.wake?.()
    }
  }
}
