/**
 * Says that something has changed. Saying so costs its speaker nothing, however many listen and however slow they are: who was busy hears
 * once of all that happened meanwhile, and looks for itself (EB5).
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"

/** @since 0.1.0 */
export interface Notifier {
  readonly notify: () => void
  /** A listener of its own: completes at once the first time, and then whenever something has changed since the last. */
  readonly listen: () => Effect.Effect<void>
}

/** @since 0.1.0 */
export const make = (): Notifier => {
  let version = 0
  const waiting = new Set<() => void>()
  return {
    notify: () => {
      version++
      const woken = [...waiting]
      waiting.clear()
      for (const wake of woken) wake()
    },
    listen: () => {
      let heard = -1
      return Effect.async<void>((resume) => {
        const hear = () => {
          heard = version
          resume(Effect.void)
        }
        if (heard !== version) return hear()
        waiting.add(hear)
        return Effect.sync(() => waiting.delete(hear))
      })
    }
  }
}
