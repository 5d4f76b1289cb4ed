/**
 * Which turns are open, by the generation under which each was prompted. The host repeats the number at the turn's end, so an end is
 * claimed once, and that of an older turn, however late, is never the next one's.
 *
 * @since 0.1.0
 */
import type { RunId } from "../../domain/Ids.js"

/** @since 0.1.0 */
export interface Turns {
  /** A number that no other prompt has. */
  readonly begin: (run: RunId) => number
  /** The turn's run, the first time; after that the turn is over. */
  readonly claim: (generation: unknown) => RunId | undefined
  /** The turn that is open. */
  readonly open: () => { readonly run: RunId; readonly generation: number } | undefined
}

/** @since 0.1.0 */
export const make = (): Turns => {
  const runs = new Map<number, RunId>()
  let last = 0
  return {
    begin: (run) => {
      runs.set(++last, run)
      return last
    },
    claim: (generation) => {
      if (typeof generation !== "number") return undefined
      const run = runs.get(generation)
      runs.delete(generation)
      return run
    },
    open: () => {
      for (const [generation, run] of runs) return { run, generation }
      return undefined
    }
  }
}
