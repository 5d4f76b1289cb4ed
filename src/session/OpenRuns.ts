/**
 * The runs of a session that are open: the turn, and those that the agent opened itself.
 *
 * A nested run belongs to its parent, which may be nested itself; a background run belongs to the session (RS6). To look here and to
 * record what was found is for the caller to make one step.
 *
 * @since 0.1.0
 */
import type { RunId } from "../domain/Ids.js"
import type { Run } from "./Run.js"

/** @since 0.1.0 */
export interface OpenRuns {
  /** The turn. */
  turn: Run | undefined
  /** Those that the agent opened itself, the youngest first: what is nested comes before what it is nested in. */
  readonly opened: () => ReadonlyArray<Run>
  /** Those that are nested in the run, however deep, the youngest first. */
  readonly within: (run: Run) => ReadonlyArray<Run>
  /** The open run that has the name. */
  readonly get: (id: RunId) => Run | undefined
  /** To whom belongs what the agent says of the run that it names, or names none: then it is the turn. */
  readonly speaking: (id?: RunId) => Run | undefined
  readonly add: (run: Run) => void
  /** The run is over; its name is remembered for a while. */
  readonly remove: (run: Run) => void
  /** The name is taken: its run is open, or was. */
  readonly isTaken: (id: RunId) => boolean
}

/** How many runs that are over are remembered, those that ended last. */
const remembered = 1024

/** @since 0.1.0 */
export const make = (): OpenRuns => {
  // each made when it is needed: most sessions are idle, and most agents open no runs
  let opened: Map<RunId, Run> | undefined
  let over: Set<RunId> | undefined

  const youngest = () => opened === undefined ? [] : Array.from(opened.values()).reverse()
  const get = (id: RunId) => runs.turn?.id === id ? runs.turn : opened?.get(id)
  const isWithin = (outer: Run) => ({ parent }: Run): boolean =>
    parent !== undefined && (parent === outer || isWithin(outer)(parent))

  const runs: OpenRuns = {
    turn: undefined,
    opened: youngest,
    within: (run) => youngest().filter(isWithin(run)),
    get,
    speaking: (id) => {
      const run = id === undefined ? runs.turn : get(id)
      return run?.speaking === true ? run : undefined
    },
    add: (run) => {
      opened ??= new Map()
      opened.set(run.id, run)
    },
    remove: (run) => {
      if (runs.turn === run) runs.turn = undefined
      opened?.delete(run.id)
      over ??= new Set()
      over.add(run.id)
      for (const oldest of over) {
        if (over.size <= remembered) break
        over.delete(oldest)
      }
    },
    isTaken: (id) => get(id) !== undefined || over?.has(id) === true
  }
  return runs
}
