/**
 * Where something was made: the stack, and the fiber that ran.
 *
 * Capturing is cheap and is done for everything that is made; the stack becomes text only for what leaks.
 *
 * @since 0.1.0
 */
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Path from "node:path"
import * as RealTime from "./RealTime.js"
import * as Spans from "./Spans.js"

/** @since 0.1.0 */
export interface Origin {
  readonly at: number
  /** The fiber that ran at that moment, */
  readonly fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
  /** and the names of its spans, the innermost first. */
  readonly spans: () => ReadonlyArray<string>
  /** The frames, the innermost first. */
  readonly stack: () => ReadonlyArray<string>
}

/** How deep the call of a platform's function may be below the user's line that led to it. */
const depth = 48

/** `below` and what it called are not part of the stack. */
export const capture = (below: (...args: ReadonlyArray<never>) => unknown): Origin => {
  const holder: { stack?: string } = {}
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = depth
  Error.captureStackTrace(holder, below)
  Error.stackTraceLimit = limit
  let frames: ReadonlyArray<string> | undefined
  const fiber = Option.getOrUndefined(Fiber.getCurrentFiber())
  const span = fiber?.currentSpan
  return {
    at: RealTime.now(),
    fiber,
    spans: () => Spans.names(span),
    stack: () =>
      frames ??= (holder.stack ?? "").split("\n").map((line) => line.trim()).filter((line) => line.startsWith("at "))
        .map((line) => line.slice(3).replaceAll("file://", ""))
  }
}

/** Node's own frames and those of built-in functions. A listener is `Server.<anonymous> (file)`, and that is the user's. */
const isPlatform = (frame: string) => /\bnode:|(^|\()<anonymous>\)?$|\(native\)/.test(frame)

const packages = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//

/** The npm package whose code called Node; `undefined` if it was the user's own, `platform` if it was Node itself. */
export const maker = (origin: Origin): string | undefined => {
  const caller = origin.stack().find((frame) => !isPlatform(frame))
  return caller === undefined ? "platform" : packages.exec(caller)?.[1]
}

/** The user's frames, at most three; those of packages where there are none. */
export const foremost = (stack: ReadonlyArray<string>): ReadonlyArray<string> => {
  const frames = stack.filter((frame) => !isPlatform(frame))
  const own = frames.filter((frame) => !packages.test(frame))
  return (own.length > 0 ? own : frames).slice(0, 3)
}

// what Effect calls the function that was given to it says nothing
const readable = (frame: string) =>
  frame.replace(`${process.cwd()}${Path.sep}`, "").replace(/^(?:EffectPrimitive\.\S+|evaluate|next) \((.*)\)$/, "$1")

/** As details of a leak. */
export const describe = (origin: Origin, label = "made at"): ReadonlyArray<readonly [string, string]> => {
  const spans = origin.spans()
  return [
    ...foremost(origin.stack()).map((frame, index) => [index === 0 ? label : "called by", readable(frame)] as const),
    ...origin.fiber === undefined ? [] : [["made in", Spans.title(origin.fiber)] as const],
    ...spans.length === 0 ? [] : [["spans", spans.join(" < ")] as const]
  ]
}
