/** Waiting and taking turns. */

/** Looks until it is so, for so many milliseconds. */
export const within = async (millis: number, isSo: () => boolean): Promise<boolean> => {
  for (const end = Date.now() + millis; !isSo();) {
    if (Date.now() > end) return false
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return true
}

/** A few at a time. */
export const inTurn = async <A, B>(
  items: ReadonlyArray<A>,
  atOnce: number,
  each: (item: A, index: number) => Promise<B>
) => {
  const results: Array<B> = []
  const rest = [...items.entries()]
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let next = rest.shift(); next !== undefined; next = rest.shift()) {
      const [index, item] = next
      results[index] = await each(item, index)
    }
  }))
  return results
}

/** Reads until it has been the same for half a second; gives up after ten seconds and takes what is there. */
export const settled = async <A>(read: () => A): Promise<A> => {
  const start = Date.now()
  let [value, since] = [read(), start]
  while (Date.now() - since < 500 && Date.now() - start < 10_000) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    const now = read()
    if (now !== value) since = Date.now()
    value = now
  }
  return value
}
