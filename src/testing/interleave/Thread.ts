/**
 * What the explorer chooses between.
 *
 * @since 0.1.0
 */
import type * as Fiber from "effect/Fiber"

/** A fiber; or the callbacks that belong to none, or the interruption of the victim while it waits. @since 0.1.0 */
export interface Thread {
  /** 0 is the program, 1 what was forked first; negative ones are no fibers. */
  readonly id: number
  readonly fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
  readonly parent: Thread | undefined
  readonly victim: boolean
  /** What it does when it is chosen, one each time. */
  readonly tasks: Array<() => void>
  /** It has run an operation. */
  started: boolean
  /** It was chosen and has done nothing yet: to put it off now would be to choose again. */
  fresh: boolean
  /** Its next operation was put off. */
  putOff: boolean
  /** It said `yieldNow`, and was not chosen since. */
  gaveWay: boolean
  /** Its last operation waits for a callback. */
  waits: boolean
  /** Its last operation only made the next one. */
  masks: boolean
}

/** @since 0.1.0 */
export const make = ({ fiber, id, parent, victim }: Pick<Thread, "id" | "fiber" | "parent" | "victim">): Thread => ({
  id,
  fiber,
  parent,
  victim,
  tasks: [],
  started: false,
  fresh: true,
  putOff: false,
  gaveWay: false,
  waits: false,
  masks: false
})

/** Callbacks without a fiber, as that of a `Mailbox` that wakes its taker. Effect runs them in order, so they are one thread. @since 0.1.0 */
export const callbacks = -1

/** @since 0.1.0 */
export const interruption = -2

/** @since 0.1.0 */
export const name = ({ fiber, id, victim }: Thread): string => {
  if (id === callbacks) return "callbacks"
  if (id === interruption) return "interruption"
  const span = fiber?.currentSpan
  const its = span?._tag === "Span" ? ` ${span.name}` : id === 0 ? " program" : ""
  return `#${id}${its}${victim ? " (victim)" : ""}`
}
