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

const isWithin = (outer: Run) => ({ parent }: Run): boolean =>
  parent !== undefined && (parent === outer || isWithin(outer)(parent))

/** A class for the sake of memory: each session has one, and most are idle. */
class Open implements OpenRuns {
  turn: Run | undefined
  // each made when it is needed: most agents open no runs
  private others: Map<RunId, Run> | undefined
  private over: Set<RunId> | undefined

  opened(): ReadonlyArray<Run> {
    return this.others === undefined ? [] : Array.from(this.others.values()).reverse()
  }

  within(run: Run): ReadonlyArray<Run> {
    return this.opened().filter(isWithin(run))
  }

  get(id: RunId): Run | undefined {
    return this.turn?.id === id ? this.turn : this.others?.get(id)
  }

  speaking(id?: RunId): Run | undefined {
    const run = id === undefined ? this.turn : this.get(id)
    return run?.speaking === true ? run : undefined
  }

  add(run: Run): void {
    this.others ??= new Map()
    this.others.set(run.id, run)
  }

  remove(run: Run): void {
    if (this.turn === run) this.turn = undefined
    this.others?.delete(run.id)
    this.over ??= new Set()
    this.over.add(run.id)
    for (const oldest of this.over) {
      if (this.over.size <= remembered) break
      this.over.delete(oldest)
    }
  }

  isTaken(id: RunId): boolean {
    return this.get(id) !== undefined || this.over?.has(id) === true
  }
}

/** @since 0.1.0 */
export const make = (): OpenRuns => new Open()
