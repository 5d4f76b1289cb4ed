/**
 * The runs of a thread by the agent's names for them: those that we post, and those that the listener has heard of.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { RunId } from "../../domain/Ids.js"

/** @since 0.1.0 */
export interface Runs {
  /** A run of ours, before it is posted: the listener must not take it for one of the agent's own. */
  readonly post: (name: string, run: RunId) => void
  /** The agent may name it otherwise than we asked. */
  readonly begin: (name: string, run: RunId) => void
  readonly end: (run: RunId) => void
  /** `Ours` is told by its own stream, as long as that is open. */
  readonly find: (name: string) => { readonly _tag: "Ours" | "Over" | "Heard"; readonly run: RunId } | undefined
  /** A run that the agent began itself. */
  readonly hear: (name: string, run: RunId) => void
  /** Whether it is such a run, and open. */
  readonly isHeard: (run: RunId) => boolean
  /** Some run of ours is posted and has not begun: nobody knows yet by which name it goes. */
  readonly isStarting: () => boolean
  /** Waits until that is over. */
  readonly started: Effect.Effect<void>
  /** None is open. */
  readonly isQuiet: () => boolean
}

/** How many names are remembered, the newest. */
const most = 512

/** @since 0.1.0 */
export const make = (): Runs => {
  const names = new Map<string, { readonly run: RunId; readonly heard: boolean }>()
  const open = new Set<RunId>()
  const starting = new Set<RunId>()
  const begun = Effect.unsafeMakeLatch(true)
  const settle = (run: RunId) => {
    starting.delete(run)
    if (starting.size === 0) begun.unsafeOpen()
  }

  const add = (name: string, run: RunId, heard: boolean) => {
    names.set(name, { run, heard })
    open.add(run)
    for (const [oldest, { run }] of names) {
      if (names.size <= most) break
      if (!open.has(run)) names.delete(oldest)
    }
  }
  return {
    post: (name, run) => {
      add(name, run, false)
      starting.add(run)
      begun.unsafeClose()
    },
    begin: (name, run) => {
      add(name, run, false)
      settle(run)
    },
    end: (run) => {
      open.delete(run)
      settle(run)
    },
    find: (name) => {
      const found = names.get(name)
      if (found === undefined) return undefined
      return { run: found.run, _tag: !open.has(found.run) ? "Over" : found.heard ? "Heard" : "Ours" }
    },
    hear: (name, run) => add(name, run, true),
    isHeard: (run) => {
      for (const known of names.values()) if (known.run === run) return known.heard && open.has(run)
      return false
    },
    isStarting: () => starting.size > 0,
    started: begun.await,
    isQuiet: () => open.size === 0
  }
}
