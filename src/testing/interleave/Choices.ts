/**
 * What makes one schedule different from the plain one, and how it is written down.
 *
 * A schedule is the list of what was chosen wherever there was a choice. 0 is always the plain choice (go on with the same
 * fiber; the fiber that has waited longest; no fault), so only the others are written, each as `plain:choice`, the number of plain
 * choices before it and the choice itself:
 *
 * ```text
 * seed=3 interrupt@12 14:1 0:2 7:1
 * ```
 *
 * @since 0.1.0
 */

/** @since 0.1.0 */
export interface Choices {
  /** Of the program's `Random`. */
  readonly seed: number
  readonly granularity: "op" | "async"
  /** The step at which the victim is interrupted. */
  readonly interruptAt: number | undefined
  readonly list: ReadonlyArray<number>
}

/** @since 0.1.0 */
export const print = (choices: Choices): string => {
  const words = [`seed=${choices.seed}`]
  if (choices.granularity === "async") words.push("async")
  if (choices.interruptAt !== undefined) words.push(`interrupt@${choices.interruptAt}`)
  let plain = 0
  for (const choice of choices.list) {
    if (choice === 0) plain++
    else {
      words.push(`${plain}:${choice}`)
      plain = 0
    }
  }
  return words.join(" ")
}

/** The opposite of `print`; `undefined` if it is none of its strings. @since 0.1.0 */
export const parse = (text: string): Choices | undefined => {
  let seed = 1
  let granularity: Choices["granularity"] = "op"
  let interruptAt: number | undefined
  const list: Array<number> = []
  for (const word of text.split(/\s+/).filter((word) => word !== "")) {
    const match = /^(?:(seed=|interrupt@)(\d+)|(\d{1,6}):(\d+)|async)$/.exec(word)
    if (match === null) return undefined
    if (word === "async") granularity = "async"
    else if (match[1] === "seed=") seed = Number(match[2])
    else if (match[1] === "interrupt@") interruptAt = Number(match[2])
    else {
      for (let plain = Number(match[3]); plain > 0; plain--) list.push(0)
      list.push(Number(match[4]))
    }
  }
  return { seed, granularity, interruptAt, list }
}
