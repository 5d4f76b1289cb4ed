/**
 * Who answers the questions of one schedule: random numbers, priorities, or a list of answers.
 *
 * @since 0.1.0
 */
import type { Thread } from "./Thread.js"

/**
 * Every answer is the index of an alternative; 0 is the plain one.
 *
 * @since 0.1.0
 */
export interface Oracle {
  /** 0: `running` goes on. n: it is put off, and `others[n - 1]` goes on. */
  readonly preempt: (running: Thread, others: ReadonlyArray<Thread>, step: number) => number
  /** Nobody runs: who is next? The one that has been ready for longest is the first. */
  readonly pick: (ready: ReadonlyArray<Thread>) => number
  /** Which of so many? */
  readonly choose: (alternatives: number) => number
}

/** Numbers in [0, 1) from a seed (mulberry32). */
const numbers = (seed: number): () => number => {
  // seeds that follow each other must not give numbers that do
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b)
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/** Puts the running fiber off with the given probability, at each step. @since 0.1.0 */
export const random = (seed: number, probability: number): Oracle => {
  const next = numbers(seed)
  const below = (bound: number) => Math.floor(next() * bound)
  return {
    preempt: (_, others) => next() < probability ? 1 + below(others.length) : 0,
    pick: (ready) => below(ready.length),
    choose: below
  }
}

/**
 * The fiber of the highest priority runs. Priorities are drawn; at `depth - 1` steps that are drawn among the expected `length`, the
 * running fiber falls below all others ("A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs", Burckhardt et al.).
 *
 * @since 0.1.0
 */
export const pct = (seed: number, depth: number, length: number): Oracle => {
  const next = numbers(seed)
  const priorities = new Map<Thread, number>()
  const priority = (thread: Thread): number => {
    const known = priorities.get(thread)
    if (known !== undefined) return known
    const drawn = 1 + next()
    priorities.set(thread, drawn)
    return drawn
  }
  const changes = Array.from({ length: depth - 1 }, () => Math.floor(next() * length)).sort((a, b) => a - b)
  let lowest = 0
  const highest = (threads: ReadonlyArray<Thread>): number => {
    let best = 0
    for (const [i, thread] of threads.entries()) {
      const first = threads[best]
      // who spins, giving way each time, must not keep out those it waits for
      if (first !== undefined && !thread.gaveWay && priority(thread) > priority(first)) best = i
    }
    return best
  }
  return {
    preempt: (running, others, step) => {
      while ((changes[0] ?? Infinity) <= step) {
        changes.shift()
        priorities.set(running, --lowest)
      }
      const best = highest(others)
      const other = others[best]
      return other !== undefined && priority(other) > priority(running) ? best + 1 : 0
    },
    pick: highest,
    choose: (alternatives) => Math.floor(next() * alternatives)
  }
}

/** Answers from the list; plain ones when it has ended. @since 0.1.0 */
export const listed = (list: ReadonlyArray<number>): Oracle => {
  let asked = 0
  const answer = (alternatives: number): number => Math.min(list[asked++] ?? 0, alternatives - 1)
  return {
    preempt: (_, others) => answer(others.length + 1),
    pick: (ready) => answer(ready.length),
    choose: answer
  }
}
