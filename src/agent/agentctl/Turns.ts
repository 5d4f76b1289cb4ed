/**
 * Which turns are open, by the generation under which each was prompted. The host repeats the number at the turn's end, so an end is
 * claimed once, and that of an older turn, however late, is never the next one's.
 *
 * @since 0.1.0
 */
import type { RunId } from "../../domain/Ids.js"
import type { TurnResult } from "../Agent.js"

/** The last one that was given: no two prompts of an instance have the same. @since 0.1.0 */
export interface Numbers {
  last: number
}

/** A message that goes into an open turn: the host has the turn end under its number from then on. @since 0.1.0 */
export interface Steering {
  readonly generation: number
  readonly taken: () => void
  /** The turn is what it was. The result is of its end, if that has come meanwhile. */
  readonly refused: () => TurnResult | undefined
  /** Nobody can tell: the turn ends under either number. */
  readonly doubtful: () => TurnResult | undefined
}

/** @since 0.1.0 */
export interface Turns {
  /** A number that no other prompt has. */
  readonly begin: (run: RunId) => number
  /** The turn's run, the first time; after that the turn is over. */
  readonly claim: (generation: unknown, result?: TurnResult) => RunId | undefined
  /** The turn that is open. */
  readonly open: () => { readonly run: RunId; readonly generation: number } | undefined
  /** `undefined` if the run is not open any more. */
  readonly steer: (run: RunId) => Steering | undefined
}

/** @since 0.1.0 */
export const make = (numbers: Numbers = { last: 0 }): Turns => {
  const runs = new Map<number, RunId>()
  /** Those whose turn may have got another number, and how they ended. */
  const replaced = new Map<number, TurnResult | undefined>()

  const begin = (run: RunId) => {
    runs.set(++numbers.last, run)
    return numbers.last
  }
  const open = () => {
    for (const [generation, run] of runs) return { run, generation }
    return undefined
  }
  return {
    begin,
    open,
    claim: (generation, result) => {
      if (typeof generation !== "number") return undefined
      if (replaced.has(generation)) {
        replaced.set(generation, result)
        return undefined
      }
      const run = runs.get(generation)
      for (const [each, of] of runs) if (of === run) runs.delete(each)
      return run
    },
    steer: (run) => {
      const turn = open()
      if (turn?.run !== run) return undefined
      runs.delete(turn.generation)
      replaced.set(turn.generation, undefined)
      const generation = begin(run)
      const settle = () => {
        const ended = replaced.get(turn.generation)
        replaced.delete(turn.generation)
        return ended
      }
      const again = () => {
        const ended = settle()
        // an end under the new number has come all the same
        if (!runs.has(generation)) return undefined
        if (ended === undefined) runs.set(turn.generation, run)
        return ended
      }
      return {
        generation,
        taken: settle,
        refused: () => {
          const ended = again()
          runs.delete(generation)
          return ended
        },
        doubtful: () => {
          const ended = again()
          if (ended !== undefined) runs.delete(generation)
          return ended
        }
      }
    }
  }
}
