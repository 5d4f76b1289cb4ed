/**
 * What a fiber is called: its id, and the spans that it runs in.
 *
 * @since 0.1.0
 */
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Tracer from "effect/Tracer"

/** More spans than this are cut off at the outer end. */
const longest = 8

/** The names of a span and those around it, the innermost first. */
export const names = (span: Tracer.AnySpan | undefined): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (let at = span; at !== undefined; at = at._tag === "Span" ? Option.getOrUndefined(at.parent) : undefined) {
    if (found.length === longest) return [...found, "…"]
    found.push(at._tag === "Span" ? at.name : "a span of another process")
  }
  return found
}

/** `fiber #12`, and `, which has ended` if so. */
export const title = (fiber: Fiber.RuntimeFiber<unknown, unknown>): string =>
  `fiber #${fiber.id().id}${fiber.unsafePoll() === null ? "" : ", which has ended"}`
