/** What both sides of the fan-out send, and when: an event a turn of the event loop, as from a peer that does not stop. */

/** The text of an event of 100 bytes. */
export const text = "The tide went out, and the holdfast held. ".repeat(3).slice(0, 100)

/** Calls `onEvent` so often, each time in a turn of its own, and then `onEnd`. */
export const eachTurn = (count: number, onEvent: () => void, onEnd: () => void): void => {
  let left = count
  const next = () => {
    if (left-- === 0) return onEnd()
    onEvent()
    setImmediate(next)
  }
  setImmediate(next)
}
