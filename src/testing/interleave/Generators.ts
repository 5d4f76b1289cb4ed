/**
 * Where a generator stood at a moment that has passed: the line of the `yield*` that it had come to.
 *
 * V8 tells where a suspended generator is now, and takes half a millisecond; a trace is read when all is over. So while a schedule is
 * recorded, the iterator that every `yield*` of an effect calls takes the topmost frame of the stack along: that costs a few
 * microseconds, and becomes a line only when somebody asks.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { SingleShotGen } from "effect/Utils"

/** A place in code, as V8 has it: a script's address, line and column from 0. @since 0.1.0 */
export interface Frame {
  readonly url: string
  readonly line: number
  readonly column: number
}

/** One `yield*`. @since 0.1.0 */
export class Yield {
  declare private readonly stack: unknown
  private known: Frame | undefined

  /** `below` and what it called are not part of the stack. */
  constructor(below: (...args: ReadonlyArray<never>) => unknown) {
    const limit = Error.stackTraceLimit
    Error.stackTraceLimit = 1
    Error.captureStackTrace(this, below)
    Error.stackTraceLimit = limit
  }

  get frame(): Frame | undefined {
    const prepare = Error.prepareStackTrace
    // asked by V8 when the stack is read for the first time
    Error.prepareStackTrace = (_, [site]) => {
      const url = site?.getFileName()
      if (site === undefined || typeof url !== "string") return
      this.known = { url, line: (site.getLineNumber() ?? 1) - 1, column: (site.getColumnNumber() ?? 1) - 1 }
    }
    void this.stack
    Error.prepareStackTrace = prepare
    return this.known
  }
}

/** In the place of a generator, in the operation that Effect runs it by: it knows the `yield*` that the generator stands at. @since 0.1.0 */
export class Walk {
  at: Yield | undefined

  constructor(private readonly generator: Iterator<unknown, unknown, unknown>) {}

  next(value: unknown): IteratorResult<unknown, unknown> {
    return whileWalking(this, () => this.generator.next(value))
  }
}

/** Whose `next` is on the stack. */
let walking: Walk | undefined

const whileWalking = <A>(walk: Walk, run: () => A): A => {
  const outer = walking
  walking = walk
  try {
    return run()
  } finally {
    walking = outer
  }
}

/** Follows the generator of an operation that is about to start it. @since 0.1.0 */
export const follow = (operation: object): void => {
  const generator: unknown = Reflect.get(operation, "effect_instruction_i0")
  if (isIterator(generator)) Reflect.set(operation, "effect_instruction_i0", new Walk(generator))
}

const isIterator = (value: unknown): value is Iterator<unknown, unknown, unknown> =>
  typeof value === "object" && value !== null && "next" in value && typeof value.next === "function"

/** What `yield*` calls: that of Effect's operations, and that of all else which is an effect, as an `Option` or a tag. */
const iterators: ReadonlyArray<{ next: (this: object, value: unknown) => unknown }> = [
  SingleShotGen.prototype,
  Object.getPrototypeOf(Effect.void[Symbol.iterator]())
]

/** Until the returned function is called, every `Walk` is told of its generator's `yield*`. @since 0.1.0 */
export const listen = (): () => void => {
  const restore = iterators.map((iterator) => {
    const { next } = iterator
    iterator.next = function told(this: object, value: unknown) {
      // it is called again when the generator goes on
      if (walking !== undefined && Reflect.get(this, "called") === false) walking.at = new Yield(told)
      return next.call(this, value)
    }
    return () => iterator.next = next
  })
  return () => restore.forEach((its) => its())
}
