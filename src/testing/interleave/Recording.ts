/**
 * A schedule as a person reads it: who ran, which lines of the program, and where somebody was put off.
 *
 * @since 0.1.0
 */
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Logger from "effect/Logger"
import type { Explorer, Recorder } from "./Explorer.js"
import * as Generators from "./Generators.js"
import * as Operation from "./Operation.js"
import type { Place, SourceLines } from "./SourceLines.js"
import * as Thread from "./Thread.js"
import type { VirtualClock } from "./VirtualClock.js"

/** @since 0.1.0 */
export interface Recording extends Recorder {
  /** What the program logs. */
  readonly logger: Logger.Logger<unknown, void>
  /** It is told of the schedule when that begins and when it has ended. */
  readonly begin: (explorer: Explorer, clock: VirtualClock) => void
  readonly end: () => void
  /** The schedule, with the lines that it went through: to find them takes long, so it is done only here. */
  readonly print: (sources: SourceLines) => string
  /** Where a fiber is and what it waits for, in words. */
  readonly wait: (sources: SourceLines, thread: Thread.Thread) => string
}

/** Code that a fiber is in, the innermost first: operations, which hold functions, and what generators have come to. */
type Frames = ReadonlyArray<object>

/** One stretch of one thread. */
interface Stretch {
  readonly thread: Thread.Thread
  readonly at: number
  readonly instead: Thread.Thread | undefined
  readonly entries: Array<string | Frames>
  /** Operations, those in lines of packages included. */
  steps: number
}

/** A livelock has 100,000 steps: of how many the first and the last lines are kept. */
const patience = { first: 1000, last: 100 }

/** How deep a fiber's stack is searched for a line of the program. */
const depth = 50

/** How many lines a trace has at most. */
const height = { head: 150, tail: 50 }

/** `expectedSteps`: how many the schedule had when it ran before. @since 0.1.0 */
export const make = (expectedSteps: number): Recording => {
  const stretches: Array<Stretch> = []
  let explorer: Explorer | undefined
  let clock: VirtualClock | undefined
  let recorded = 0
  let stop = () => {}
  const forkedAt = new Map<Thread.Thread, Frames>()

  const stretch = (thread: Thread.Thread, instead?: Thread.Thread): Stretch => {
    const last = stretches.at(-1)
    const at = clock?.unsafeCurrentTimeMillis() ?? 0
    if (last !== undefined && last.thread === thread && last.at === at) return last
    const next: Stretch = { thread, at, instead, entries: [], steps: 0 }
    stretches.push(next)
    return next
  }

  const say = (thread: Thread.Thread, line: string) => stretch(thread).entries.push(line)

  return {
    begin: (its, itsClock) => {
      explorer = its
      clock = itsClock
      stop = Generators.listen()
    },
    end: () => stop(),
    forked: (thread) => {
      if (thread.parent === undefined) return
      forkedAt.set(thread, frames(thread.parent))
      say(thread.parent, `forks ${Thread.name(thread)}`)
    },
    chosen: (thread, instead) => void stretch(thread, instead),
    step: (thread, operation, step) => {
      const its = stretch(thread)
      its.steps++
      const name = Operation.name(operation)
      const isGenerator = name === "Iterator"
      if (isGenerator) Generators.follow(operation)
      if (recorded++ >= patience.first && step <= expectedSteps - patience.last) return
      // a generator that has not begun stands at its head, which says nothing
      its.entries.push(frames(thread, isGenerator || name === undefined ? undefined : operation))
    },
    interrupted: (thread) => void say(thread, "is interrupted"),
    asked: (thread, label, answer) => void say(thread, `${label}: ${answer}`),
    ended: (thread, exit) =>
      void say(
        thread,
        Exit.isSuccess(exit) ? "ends" : Exit.isInterrupted(exit) ? "ends, interrupted" : "ends with a failure"
      ),
    logger: Logger.make(({ fiberId, logLevel, message }) => {
      const [id] = FiberId.ids(fiberId)
      const thread = id === undefined ? undefined : explorer?.find(id)
      if (thread === undefined) return
      const words = Array.isArray(message) ? message : [message]
      say(thread, `logs ${logLevel.label}: ${words.map((word) => String(word)).join(" ")}`)
    }),
    print: (sources) => {
      const lines = stretches.flatMap((its, index) => printStretch(sources, its, stretches[index - 1]))
      if (lines.length <= height.head + height.tail) return lines.join("\n")
      return [
        ...lines.slice(0, height.head),
        `… ${lines.length - height.head - height.tail} more lines …`,
        ...lines.slice(-height.tail)
      ].join("\n")
    },
    wait: (sources, thread) => {
      const line = find(sources, frames(thread))
      const fork = find(sources, forkedAt.get(thread) ?? [])
      const where = line !== undefined ? ` at ${line}` : fork !== undefined ? `, forked at ${fork}` : ""
      const on = blockingOn(thread, explorer)
      return `${Thread.name(thread)}${thread.waits ? " waits" : ""}${on === undefined ? "" : ` for ${on}`}${where}`
    }
  }
}

const printStretch = (
  sources: SourceLines,
  { at, entries, instead, steps, thread }: Stretch,
  before: Stretch | undefined
): ReadonlyArray<string> => {
  const time = at > (before?.at ?? 0) ? [`——— ${at} ms`] : []
  const putOff = instead === undefined || instead === thread ? [] : [`    ✂ ${Thread.name(instead)} is put off`]
  const lines: Array<string> = []
  // of the program, the last one
  let last: string | undefined
  for (const entry of entries) {
    const line = typeof entry === "string" ? entry : find(sources, entry)
    if (line === undefined || (typeof entry !== "string" && line === last)) continue
    if (typeof entry !== "string") last = line
    lines.push(line)
  }
  if (lines.length === 0 && steps === 0) return [...time, ...putOff]
  return [
    ...time,
    ...putOff,
    lines.length === 0
      ? `${Thread.name(thread)}: ${steps} step${steps === 1 ? "" : "s"} in packages`
      : Thread.name(thread),
    ...lines.map((line) => `    ${line}`)
  ]
}

/** What is on a fiber's stack is private to Effect; should that change, the trace is poorer. */
const frames = (thread: Thread.Thread, operation?: object): Frames => {
  const stack: unknown = thread.fiber === undefined ? undefined : Reflect.get(thread.fiber, "_stack")
  const found: Array<object> = operation === undefined ? [] : [operation]
  if (!Array.isArray(stack)) return found
  for (let i = stack.length - 1; i >= Math.max(0, stack.length - depth); i--) {
    const frame: unknown = stack[i]
    if (typeof frame !== "object" || frame === null) continue
    const code: unknown = "effect_instruction_i0" in frame ? frame.effect_instruction_i0 : undefined
    if (!(code instanceof Generators.Walk)) found.push(frame)
    // it moves on, so where it is now
    else if (code.at !== undefined) found.push(code.at)
  }
  return found
}

/** The innermost line of the program: an operation's own function, else what waits for its result. */
const find = (sources: SourceLines, frames: Frames): string | undefined => {
  for (const frame of frames) {
    const place = frame instanceof Generators.Yield ? sources.at(frame.frame) : ofFunctions(sources, frame)
    if (place !== undefined) return `${place.file}:${place.line}  ${place.text.slice(0, 100)}`
  }
  return undefined
}

const ofFunctions = (sources: SourceLines, operation: object): Place | undefined => {
  for (const key of ["commit", "effect_instruction_i0", "effect_instruction_i1", "effect_instruction_i2"]) {
    const code: unknown = Reflect.get(operation, key)
    const place = typeof code === "function" ? sources.find(code) : undefined
    if (place !== undefined) return place
  }
  return undefined
}

/** Whom it waits for. Of a Deferred Effect knows who made it, but not who will complete it. */
const blockingOn = (thread: Thread.Thread, explorer: Explorer | undefined): string | undefined => {
  const id: unknown = thread.fiber === undefined ? undefined : Reflect.get(thread.fiber, "_asyncBlockingOn")
  if (!FiberId.isFiberId(id)) return undefined
  const [first] = FiberId.ids(id)
  const other = first === undefined ? undefined : explorer?.find(first)
  if (other === undefined) return undefined
  return `${Thread.name(other)} or a Deferred that it made`
}
