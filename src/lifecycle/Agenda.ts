/**
 * What is due when: one list for all, so that one timer serves them all. A binary heap whose entries know their place, so that
 * one which is no longer due is taken out at once and the list holds no more than what is open.
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

/** @since 0.1.0 */
export interface Entry<A> {
  readonly at: number
  readonly value: A
  /** Its place in the heap; -1 when it is taken out. */
  slot: number
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
  const heap: Array<Entry<A>> = []

  const put = (entry: Entry<A>, slot: number) => {
    heap[slot] = entry
    entry.slot = slot
  }

  const up = (entry: Entry<A>) => {
    let slot = entry.slot
    while (slot > 0) {
      const parent = heap[(slot - 1) >> 1]
      if (parent === undefined || parent.at <= entry.at) break
      const above = parent.slot
      put(parent, slot)
      slot = above
    }
    put(entry, slot)
  }

  const down = (entry: Entry<A>) => {
    let slot = entry.slot
    while (true) {
      const [left, right] = [heap[2 * slot + 1], heap[2 * slot + 2]]
      const least = right !== undefined && left !== undefined && right.at < left.at ? right : left
      if (least === undefined || least.at >= entry.at) break
      const below = least.slot
      put(least, slot)
      slot = below
    }
    put(entry, slot)
  }

  const remove = (entry: Entry<A>) => {
    const { slot } = entry
    if (slot < 0) return
    entry.slot = -1
    const last = heap.pop()
    if (last === undefined || last === entry) return
    put(last, slot)
    up(last)
    down(last)
  }

  return {
    add: (at, value) => {
      const entry: Entry<A> = { at, value, slot: heap.length }
      up(entry)
      return entry
    },
    remove,
    next: () => heap[0]?.at,
    take: (now) => {
      const first = heap[0]
      if (first === undefined || first.at > now) return undefined
      remove(first)
      return first.value
    }
  }
}
