/**
 * What is due when: a binary heap whose members can be moved and taken out, so that nothing stays in memory until a time that no longer
 * matters.
 *
 * @since 0.1.0
 */

/** A member carries its own place. @since 0.1.0 */
export interface Due {
  at: number
  /** Where it is in the heap; -1 when it is in none. */
  place: number
}

/** @since 0.1.0 */
export interface Deadlines<T extends Due> {
  /** The one that is due first. */
  readonly first: () => T | undefined
  /** Puts `member` in, moves it, or, when `at` is left out, takes it out. */
  readonly set: (member: T, at: number | undefined) => void
}

/** @since 0.1.0 */
export const make = <T extends Due>(): Deadlines<T> => {
  const heap: Array<T> = []

  const put = (member: T, place: number) => {
    heap[place] = member
    member.place = place
  }

  const rise = (member: T, from: number) => {
    let place = from
    while (place > 0) {
      const above = (place - 1) >> 1
      const parent = heap[above]
      if (parent === undefined || parent.at <= member.at) break
      put(parent, place)
      place = above
    }
    put(member, place)
  }

  const sink = (member: T, from: number) => {
    let place = from
    for (;;) {
      const left = heap[2 * place + 1]
      const right = heap[2 * place + 2]
      const child = left !== undefined && right !== undefined && right.at < left.at ? right : left
      if (child === undefined || child.at >= member.at) break
      const below = child.place
      put(child, place)
      place = below
    }
    put(member, place)
  }

  const remove = (member: T) => {
    const { place } = member
    if (place < 0) return
    member.place = -1
    const last = heap.pop()
    if (last === undefined || last === member) return
    rise(last, place)
    sink(last, last.place)
  }

  return {
    first: () => heap[0],
    set: (member, at) => {
      if (at === undefined) return remove(member)
      if (member.place >= 0 && member.at === at) return
      remove(member)
      member.at = at
      rise(member, heap.length)
    }
  }
}
