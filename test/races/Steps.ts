/**
 * Stand-ins for what in Effect 3.22 breaks when a fiber is put off or interrupted between two operations, which in production happens every
 * 2,048 operations only: without them nothing that uses it could be explored operation by operation.
 *
 * - `Semaphore.take` takes the permit in one operation and hands it over in the next: interrupted in between, it loses it.
 * - `Mailbox.take` looks for messages in one operation and registers its taker in the next: it sleeps over a message that comes in
 *   between.
 *
 * They are given Effect's own module, because they stand in for a part of it.
 */
import * as Deferred from "effect/Deferred"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import type * as Mailbox from "effect/Mailbox"

/** Of one permit. What takes it, and what waits for it, is one step each. */
export const makeSemaphore = (effect: typeof Effect) => (): Effect.Effect<Pick<Effect.Semaphore, "withPermits">> =>
  effect.sync(() => {
    const waiting: Array<Deferred.Deferred<void>> = []
    let taken = false
    const release = effect.sync(() => {
      const next = waiting.shift()
      if (next === undefined) taken = false
      else Deferred.unsafeDone(next, Exit.void)
    })
    const leave = (turn: Deferred.Deferred<void>) =>
      effect.suspend(() => {
        const place = waiting.indexOf(turn)
        if (place < 0) return release
        waiting.splice(place, 1)
        return effect.void
      })
    return {
      withPermits: () => (self) =>
        effect.uninterruptibleMask((restore) =>
          effect.suspend(() => {
            const owned = effect.ensuring(restore(self), release)
            if (!taken) {
              taken = true
              return owned
            }
            const turn = Deferred.unsafeMake<void>(FiberId.none)
            waiting.push(turn)
            return effect.zipRight(effect.onInterrupt(restore(Deferred.await(turn)), () => leave(turn)), owned)
          })
        )
    }
  })

/** What a mailbox has inside. */
interface Inside {
  readonly messages: ReadonlyArray<unknown>
  readonly messagesChunk: { readonly length: number }
  readonly state:
    | { readonly _tag: "Open" | "Closing"; readonly takers: Set<unknown> }
    | { readonly _tag: "Done"; readonly exit: Exit.Exit<void> }
  awaitTake: Effect.Effect<void>
}

/** Whoever waits for a message looks once more in the step in which it registers. */
export const makeMailbox = (effect: typeof Effect, { make }: typeof Mailbox): typeof make => (options) =>
  effect.map(make(options), (mailbox) => {
    const inside = mailbox as unknown as Inside
    inside.awaitTake = effect.async<void>((resume) => {
      const { messages, messagesChunk, state } = inside
      if (state._tag === "Done") return resume(state.exit)
      if (messages.length + messagesChunk.length > 0) return resume(effect.void)
      state.takers.add(resume)
      return effect.sync(() => state.takers.delete(resume))
    })
    // its type parameters
    return mailbox as never
  })
