/**
 * Makes a failing schedule plainer: as few choices that differ from the plain one as it takes.
 *
 * @since 0.1.0
 */

/**
 * Delta debugging over the choices that are not 0. `fails` runs a schedule; it returns the choices that were really made if it fails in
 * the same way.
 *
 * @since 0.1.0
 */
export const shrink = (
  found: ReadonlyArray<number>,
  fails: (list: ReadonlyArray<number>) => ReadonlyArray<number> | undefined
): ReadonlyArray<number> => {
  let best = trim(found)
  const attempt = (list: ReadonlyArray<number>): boolean => {
    const made = fails(list)
    if (made === undefined) return false
    const trimmed = trim(made)
    if (!plainer(trimmed, best)) return false
    best = trimmed
    return true
  }

  for (let size = Math.ceil(deviations(best).length / 2); size >= 1;) {
    let shorter = false
    for (let from = 0; from < deviations(best).length;) {
      const dropped = new Set(deviations(best).slice(from, from + size))
      if (attempt(best.map((choice, at) => dropped.has(at) ? 0 : choice))) shorter = true
      else from += size
    }
    if (size === 1 && !shorter) break
    size = size === 1 ? 1 : Math.ceil(size / 2)
  }
  return best
}

/** Where it is not the plain choice. @since 0.1.0 */
export const deviations = (list: ReadonlyArray<number>): ReadonlyArray<number> =>
  list.flatMap((choice, at) => choice === 0 ? [] : [at])

/** What comes after the last deviation is plain anyway. @since 0.1.0 */
export const trim = (list: ReadonlyArray<number>): ReadonlyArray<number> =>
  list.slice(0, 1 + (deviations(list).at(-1) ?? -1))

/** @since 0.1.0 */
export const plainer = (one: ReadonlyArray<number>, other: ReadonlyArray<number>): boolean => {
  const fewer = deviations(one).length - deviations(other).length
  return fewer < 0 || (fewer === 0 && one.length < other.length)
}
