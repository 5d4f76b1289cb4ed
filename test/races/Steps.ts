/**
 * A stand-in for what in Effect 3.22 breaks when a fiber is put off between two operations, which in production does not happen there:
 * without it nothing that uses a `Mailbox` could be explored operation by operation. `Mailbox.take` looks for messages in one operation
 * and registers its taker in a later one: it sleeps over a message that comes in between.
 *
 * It is given Effect's own module, because it stands in for a part of it.
 */
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Mailbox from "effect/Mailbox"

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
