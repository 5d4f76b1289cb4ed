/**
 * Which schedules are tried, one after the other.
 *
 * @since 0.1.0
 */
import type { Choices } from "./Choices.js"
import { type Answers, type Explorer, isFault, isPreemption } from "./Explorer.js"
import * as Oracle from "./Oracle.js"

/** @since 0.1.0 */
export type Strategy =
  | { readonly _tag: "Random"; readonly preempt: number }
  | { readonly _tag: "Pct"; readonly depth: number }
  | { readonly _tag: "Exhaustive"; readonly preemptions: number; readonly faults: number }
  | { readonly _tag: "Replay"; readonly choices: Choices }

/** @since 0.1.0 */
export interface Attempt {
  readonly oracle: Oracle.Oracle
  /** Of the program's `Random`. */
  readonly seed: number
  readonly interruptAt: number | undefined
}

/** @since 0.1.0 */
export interface Search {
  /** The next schedule; `undefined` when there is none that was not tried. */
  readonly next: () => Attempt | undefined
  /** How the schedule that `next` returned last went. False if it did not go as it did before: the program is not deterministic. */
  readonly tried: (explorer: Explorer) => boolean
}

const random = (probability: number, seed: number): Search => {
  let tried = 0
  return {
    next: () => {
      const its = seed + tried++
      return { oracle: Oracle.random(its, probability), seed: its, interruptAt: undefined }
    },
    tried: () => true
  }
}

const pct = (depth: number, seed: number): Search => {
  let tried = 0
  let length = 50
  return {
    next: () => {
      const its = seed + tried++
      return { oracle: Oracle.pct(its, depth, length), seed: its, interruptAt: undefined }
    },
    tried: ({ steps }) => {
      length = Math.max(length, steps)
      return true
    }
  }
}

const once = ({ interruptAt, list, seed }: Choices): Search => {
  let next: Attempt | undefined = { oracle: Oracle.listed(list), seed, interruptAt }
  return {
    next: () => {
      const its = next
      next = undefined
      return its
    },
    tried: () => true
  }
}

/**
 * Depth first, with first no preemption, then one, and so on up to the bound: most bugs need one or two, and are found before the many
 * schedules with three.
 */
const exhaustive = (bound: number, maxFaults: number, seed: number): Search => {
  const bounds = Number.isFinite(bound) ? Array.from({ length: bound + 1 }, (_, i) => i) : [0, 1, 2, Infinity]
  let level = 0
  let prefix: Array<number> | undefined = []
  let bounded = false
  let before: Answers | undefined

  /** Up to where it was to go another way, it has gone the same way: if not, what was tried says nothing of what is left. */
  const follows = ({ alternatives, chosen, costs, hashes }: Answers): boolean =>
    prefix === undefined || before === undefined ||
    prefix.every((choice, at) =>
      chosen[at] === choice && alternatives[at] === before?.alternatives[at] && costs[at] === before?.costs[at] &&
      hashes[at] === before?.hashes[at]
    )

  const backtrack = ({ alternatives, chosen, costs }: Answers): Array<number> | undefined => {
    const allowed = bounds[level] ?? 0
    const preemptions = (at: number, choice: number) => isPreemption(costs[at] ?? 0, choice) ? 1 : 0
    const faults = (at: number, choice: number) => isFault(costs[at] ?? 0, choice) ? 1 : 0
    let preempted = 0
    let failed = 0
    for (let at = 0; at < chosen.length; at++) {
      preempted += preemptions(at, chosen[at] ?? 0)
      failed += faults(at, chosen[at] ?? 0)
    }
    for (let at = chosen.length - 1; at >= 0; at--) {
      const last = chosen[at] ?? 0
      preempted -= preemptions(at, last)
      failed -= faults(at, last)
      for (let choice = last + 1; choice < (alternatives[at] ?? 0); choice++) {
        if (failed + faults(at, choice) > maxFaults) continue
        if (preempted + preemptions(at, choice) <= allowed) return [...chosen.slice(0, at), choice]
        bounded = true
      }
    }
    return undefined
  }

  return {
    next: () => prefix === undefined ? undefined : { oracle: Oracle.listed(prefix), seed, interruptAt: undefined },
    tried: ({ answers }) => {
      const followed = follows(answers)
      before = answers
      prefix = backtrack(answers)
      if (prefix === undefined && bounded && level < bounds.length - 1) {
        level++
        bounded = false
        prefix = []
      }
      return followed
    }
  }
}

/** @since 0.1.0 */
export const make = (strategy: Strategy, seed: number): Search => {
  switch (strategy._tag) {
    case "Random":
      return random(strategy.preempt, seed)
    case "Pct":
      return pct(strategy.depth, seed)
    case "Exhaustive":
      return exhaustive(strategy.preemptions, strategy.faults, seed)
    case "Replay":
      return once(strategy.choices)
  }
}

/** @since 0.1.0 */
export interface Interrupting extends Search {
  /** How many steps of the victim are known, and at how many of them it was interrupted. */
  readonly steps: () => number
  readonly covered: () => number
}

/**
 * The same search over and over: without an interruption, with one at the victim's first step, at its second, and so on, in turns, so
 * that each has its share of the schedules.
 *
 * @since 0.1.0
 */
export const interrupting = (search: () => Search): Interrupting => {
  const searches: Array<{ readonly at: number | undefined; readonly search: Search }> = [
    { at: undefined, search: search() }
  ]
  const covered = new Set<number>()
  let steps = 0
  let turn = 0
  return {
    next: () => {
      while (searches.length > 0) {
        const current = searches[turn % searches.length]
        const attempt = current?.search.next()
        if (current !== undefined && attempt !== undefined) return { ...attempt, interruptAt: current.at }
        searches.splice(turn % searches.length, 1)
      }
      return undefined
    },
    tried: (explorer) => {
      const { at, search: current } = searches[turn % searches.length] ?? {}
      const followed = current?.tried(explorer) ?? true
      if (at !== undefined && explorer.interrupted) covered.add(at)
      // the steps that follow an interruption are none that it could come at
      const known = explorer.interrupted ? steps : explorer.victimSteps
      for (; steps < known; steps++) searches.push({ at: steps, search: search() })
      turn = (turn + 1) % searches.length
      return followed
    },
    steps: () => steps,
    covered: () => covered.size
  }
}
