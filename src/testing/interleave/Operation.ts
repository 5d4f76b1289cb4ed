/**
 * Which operations of Effect may be put off: those that others can tell whether they came before or after.
 *
 * A choice before each operation would be sound and too many. Left out are only those that make no difference to anybody: what an
 * operation does is either code of the program (it counts as shared, whatever it does), or a change of its own fiber that nobody can see.
 * Every order that is left out has the outcome of one that is tried.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Predicate from "effect/Predicate"
import * as RuntimeFlags from "effect/RuntimeFlags"
import * as RuntimeFlagsPatch from "effect/RuntimeFlagsPatch"

/**
 * - `acts`: others may come before it
 * - `continues`: it is one with the operation before it, which has done nothing but make it
 * - `prepares`: it is one with the operation after it
 *
 * @since 0.1.0
 */
export type Weight = "acts" | "continues" | "prepares"

/** `undefined` for what is no effect, which a program without types may well return. @since 0.1.0 */
export const name = (effect: unknown): unknown => Predicate.hasProperty(effect, "_op") ? effect._op : undefined

/** @since 0.1.0 */
export const weigh = (
  fiber: Fiber.RuntimeFiber<unknown, unknown>,
  effect: Effect.Effect<unknown, unknown, unknown>,
  operation: unknown,
  /** Whether the fiber's operation before it was one that `makesMask`. */
  afterMask: boolean
): Weight => {
  switch (operation) {
    // they push a frame, or turn into another operation
    case "OnSuccess":
    case "OnFailure":
    case "OnSuccessAndFailure":
    case "OnStep":
    case "Tag":
    case "Left":
    case "Right":
    case "Some":
    case "None":
      return "prepares"
    // the operation before it called a generator function, which runs nothing of it
    case "Iterator":
      return "continues"
    case "UpdateRuntimeFlags":
      if (afterMask) return "continues"
      return isRegion(effect) && !disablesInterruption(Reflect.get(effect, "effect_instruction_i0"))
        ? "prepares"
        : "acts"
    case "Success":
      return leavesRegion(fiber) ? "prepares" : "acts"
    default:
      return "acts"
  }
}

/** `Effect.uninterruptibleMask` and its like: the operation only makes the next one, which calls the program's function. @since 0.1.0 */
export const makesMask = (effect: Effect.Effect<unknown, unknown, unknown>, operation: unknown): boolean =>
  operation === "Commit" && "effect_instruction_i0" in effect && effect.effect_instruction_i0 !== undefined

/** `Effect.interruptible(self)` and its like, which run no code of the program. */
const isRegion = (effect: Effect.Effect<unknown, unknown, unknown>): boolean => {
  const enter = "effect_instruction_i1" in effect ? effect.effect_instruction_i1 : undefined
  return enter === undefined || (typeof enter === "function" && enter.length === 0)
}

/** The end of a region after which the fiber can be interrupted (again). The stack is private to Effect: who cannot see it, counts more. */
const leavesRegion = (fiber: Fiber.RuntimeFiber<unknown, unknown>): boolean => {
  const stack = "_stack" in fiber ? fiber._stack : undefined
  const frame = Array.isArray(stack) ? stack[stack.length - 1] : undefined
  return frame?._op === "RevertFlags" && !disablesInterruption(frame.patch)
}

/**
 * An interruption that comes before it takes effect there, one that comes after it does not: that is a difference. When interruption is
 * enabled there is none, it takes effect before the next operation in either case.
 */
const disablesInterruption = (patch: RuntimeFlagsPatch.RuntimeFlagsPatch): boolean =>
  RuntimeFlagsPatch.isDisabled(patch, RuntimeFlags.Interruption)
