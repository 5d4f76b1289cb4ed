/**
 * What is due when: one list for all, so that one timer serves them all. What is no longer due is taken out at once, and the list holds no
 * more than what is open.
 *
 * ```ts
 * const agenda = Agenda.make<string>()
 * const entry = agenda.add(100, "tea")
 * agenda.next() // 100
 * agenda.remove(entry)
 * ```
 *
 * @since 0.1.0
 */
import * as Deadlines from "./Deadlines.js"

/** @since 0.1.0 */
export interface Entry<A> extends Deadlines.Due {
  readonly value: A
}

/** Times are milliseconds since the epoch. All of it is synchronous, and takes time only with the logarithm of its length. @since 0.1.0 */
export interface Agenda<A> {
  readonly add: (at: number, value: A) => Entry<A>
  /** Taking out what is not there does nothing. */
  readonly remove: (entry: Entry<A>) => void
  /** When the first is due. */
  readonly next: () => number | undefined
  /** Takes out the first if it is due by `now`. */
  readonly take: (now: number) => A | undefined
}

/** @since 0.1.0 */
export const make = <A>(): Agenda<A> => {
  const deadlines = Deadlines.make<Entry<A>>()
  return {
    add: (at, value) => {
      const entry: Entry<A> = { at, value, place: -1 }
      deadlines.set(entry, at)
      return entry
    },
    remove: (entry) => deadlines.set(entry, undefined),
    next: () => deadlines.first()?.at,
    take: (now) => {
      const first = deadlines.first()
      if (first === undefined || first.at > now) return undefined
      deadlines.set(first, undefined)
      return first.value
    }
  }
}
