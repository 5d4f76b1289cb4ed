/**
 * A schedule as a person reads it: who ran, which lines of the program, and where somebody was put off.
 *
 * @since 0.1.0
 */
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Logger from "effect/Logger"
import type { Explorer, Recorder } from "./Explorer.js"
import type { Place, SourceLines } from "./SourceLines.js"
import * as Thread from "./Thread.js"
import type { VirtualClock } from "./VirtualClock.js"

/** @since 0.1.0 */
export interface Recording extends Recorder {
  /** What the program logs. */
  readonly logger: Logger.Logger<unknown, void>
  /** It is told of the schedule when that begins. */
  readonly begin: (explorer: Explorer, clock: VirtualClock) => void
  readonly print: () => string
  /** Where a fiber is and what it waits for, in words. */
  readonly wait: (thread: Thread.Thread) => string
}

/** One stretch of one thread. */
interface Stretch {
  readonly thread: Thread.Thread
  readonly at: number
  readonly instead: Thread.Thread | undefined
  readonly lines: Array<string>
  /** Operations, those in lines of packages included. */
  steps: number
  /** Of the program, the last one. */
  line: string | undefined
}

/** A line takes its time to be found, and a livelock has 100,000 steps: so many are looked for, then only those of the last steps. */
const patience = { lines: 2000, last: 100 }

/** How deep a fiber's stack is searched for a line of the program. */
const depth = 50

/** How many lines a trace has at most. */
const height = { head: 150, tail: 50 }

/** @since 0.1.0 */
export const make = (sources: SourceLines, expectedSteps: number): Recording => {
  const stretches: Array<Stretch> = []
  let explorer: Explorer | undefined
  let clock: VirtualClock | undefined
  let most = patience.lines
  let atTheEnd = false
  const forkedAt = new Map<Thread.Thread, string>()

  const stretch = (thread: Thread.Thread, instead?: Thread.Thread): Stretch => {
    const last = stretches.at(-1)
    const at = clock?.unsafeCurrentTimeMillis() ?? 0
    if (last !== undefined && last.thread === thread && last.at === at) return last
    const next: Stretch = { thread, at, instead, lines: [], steps: 0, line: undefined }
    stretches.push(next)
    return next
  }

  const say = (thread: Thread.Thread, line: string) => stretch(thread).lines.push(line)

  const locate = (thread: Thread.Thread, operation?: object): string | undefined =>
    sources.asked() > most ? undefined : show(find(sources, thread, operation))

  return {
    begin: (its, itsClock) => {
      explorer = its
      clock = itsClock
    },
    forked: (thread) => {
      if (thread.parent === undefined) return
      const line = locate(thread.parent)
      if (line !== undefined) forkedAt.set(thread, line)
      say(thread.parent, `forks ${Thread.name(thread)}`)
    },
    chosen: (thread, instead) => void stretch(thread, instead),
    step: (thread, operation, step) => {
      const its = stretch(thread)
      its.steps++
      if (!atTheEnd && step > expectedSteps - patience.last) {
        atTheEnd = true
        most = sources.asked() + patience.lines
      }
      const line = locate(thread, operation)
      if (line === undefined || line === its.line) return
      its.line = line
      its.lines.push(line)
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
    print: () => {
      const lines = stretches.flatMap(printStretch)
      if (lines.length <= height.head + height.tail) return lines.join("\n")
      return [
        ...lines.slice(0, height.head),
        `… ${lines.length - height.head - height.tail} more lines …`,
        ...lines.slice(-height.tail)
      ].join("\n")
    },
    wait: (thread) => {
      const line = show(find(sources, thread))
      const fork = forkedAt.get(thread)
      const where = line !== undefined ? ` at ${line}` : fork !== undefined ? `, forked at ${fork}` : ""
      const on = blockingOn(thread, explorer)
      return `${Thread.name(thread)}${thread.waits ? " waits" : ""}${on === undefined ? "" : ` for ${on}`}${where}`
    }
  }
}

const printStretch = ({ at, instead, lines, steps, thread }: Stretch, index: number, all: ReadonlyArray<Stretch>) => {
  const before = all[index - 1]
  const time = at > (before?.at ?? 0) ? [`——— ${at} ms`] : []
  const putOff = instead === undefined || instead === thread ? [] : [`    ✂ ${Thread.name(instead)} is put off`]
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

const show = (place: Place | undefined): string | undefined =>
  place === undefined ? undefined : `${place.file}:${place.line}  ${place.text.slice(0, 100)}`

/**
 * The innermost line of the program that a fiber is in: the operation's own function, else what waits for its result. What is on a fiber's
 * stack is private to Effect; should that change, the trace is poorer.
 */
const find = (sources: SourceLines, thread: Thread.Thread, operation?: object): Place | undefined => {
  const stack: unknown = thread.fiber === undefined ? undefined : Reflect.get(thread.fiber, "_stack")
  const frames: ReadonlyArray<unknown> = Array.isArray(stack) ? stack.slice(-depth).reverse() : []
  for (const frame of operation === undefined ? frames : [operation, ...frames]) {
    if (typeof frame !== "object" || frame === null) continue
    // a generator that has not begun stands at its head, which says nothing
    if (frame === operation && Reflect.get(frame, "_op") === "Iterator") continue
    for (const key of ["commit", "effect_instruction_i0", "effect_instruction_i1", "effect_instruction_i2"]) {
      const code: unknown = Reflect.get(frame, key)
      const isCode = typeof code === "function" ||
        (typeof code === "object" && code !== null && Symbol.iterator in code && "next" in code)
      const place = isCode ? sources.find(code) : undefined
      if (place !== undefined) return place
    }
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
