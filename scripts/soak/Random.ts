/** Chance that can be repeated: the same seed and name give the same numbers, whatever other actors draw. */
export interface Random {
  /** At least 0, less than 1. */
  readonly next: () => number
  /** At least 0, less than `below`. */
  readonly integer: (below: number) => number
  readonly chance: (probability: number) => boolean
  /** One of the items; `undefined` only if there is none. */
  readonly pick: <A>(items: ReadonlyArray<A>) => A | undefined
  /** One of the names, as often as its weight says. */
  readonly weighted: <Name extends string>(weights: Readonly<Record<Name, number>>) => Name
  /** How long until the next of events that come independently, so many milliseconds apart in the mean. */
  readonly gap: (mean: number) => number
}

/** FNV-1a, 32 bits. */
export const hash = (text: string): number => {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value >>> 0
}

/** Mulberry32: small, fast, and good enough to shake something. */
export const make = (seed: number, name: string): Random => {
  let state = hash(`${seed} ${name}`)
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const integer = (below: number) => Math.floor(next() * below)
  return {
    next,
    integer,
    chance: (probability) => next() < probability,
    pick: (items) => items[integer(items.length)],
    weighted: <Name extends string>(weights: Readonly<Record<Name, number>>) => {
      const names = Object.keys(weights) as Array<Name>
      let rest = next() * names.reduce((sum, name) => sum + weights[name], 0)
      return names.find((name) => (rest -= weights[name]) < 0) ?? names[0]!
    },
    gap: (mean) => -Math.log(1 - next()) * mean
  }
}
