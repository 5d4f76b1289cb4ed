/**
 * One schedule of a program, from its start to its last fiber's end, and what is wrong with it.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
import * as HashSet from "effect/HashSet"
import * as Random from "effect/Random"
import * as Runtime from "effect/Runtime"
import * as RuntimeFlags from "effect/RuntimeFlags"
import type * as Scope from "effect/Scope"
import * as Explorer from "./Explorer.js"
import type { Recording } from "./Recording.js"
import type { Thread } from "./Thread.js"
import { VirtualClock } from "./VirtualClock.js"

/** @since 0.1.0 */
export type Program = Effect.Effect<unknown, unknown, Scope.Scope>

/** What is wrong with a schedule. @since 0.1.0 */
export type Fault =
  | { readonly _tag: "Failure"; readonly cause: Cause.Cause<unknown> }
  | { readonly _tag: "Deadlock"; readonly waiting: ReadonlyArray<Thread> }
  | { readonly _tag: "Livelock"; readonly steps: number; readonly fibers: ReadonlyArray<Thread> }
  | { readonly _tag: "Outlives"; readonly fibers: ReadonlyArray<Thread> }
  /** It did not do the same when the same was chosen. */
  | { readonly _tag: "Strays" }

/** @since 0.1.0 */
export interface Options extends Explorer.Options {
  /** Of the program's `Random`. */
  readonly seed: number
  readonly recorder?: Recording | undefined
}

/** @since 0.1.0 */
export interface Outcome {
  readonly explorer: Explorer.Explorer
  readonly fault: Fault | undefined
}

const runtime = Runtime.defaultRuntime.pipe(
  Runtime.enableRuntimeFlag(RuntimeFlags.OpSupervision),
  // the metrics of fibers count for the whole process
  Runtime.disableRuntimeFlag(RuntimeFlags.RuntimeMetrics)
)

const silent = HashSet.empty()

/** Of the package `effect` that made an effect. */
const version = (effect: Effect.Effect<unknown, unknown, unknown>): string => effect[Effect.EffectTypeId]._V

/** @since 0.1.0 */
export const run = (program: Program, options: Options): Outcome => {
  const { maxSteps, recorder, seed } = options
  const clock = new VirtualClock()
  const explorer = new Explorer.Explorer(options, clock)
  const services = new Map(DefaultServices.liveServices.unsafeMap)
  services.set(Clock.Clock.key, clock)
  services.set(Random.Random.key, Random.make(seed))
  const loggers = recorder === undefined ? silent : HashSet.make(recorder.logger)
  const main = Runtime.runFork(runtime, Effect.scoped(program), {
    immediate: false,
    // all that the program inherits, at once: a schedule is short, so what it takes to begin one counts
    updateRefs: (_, id) =>
      FiberRefs.updateManyAs(FiberRefs.empty(), {
        entries: [
          [FiberRef.currentContext, [[id, Context.empty()]]],
          [FiberRef.currentScheduler, [[id, explorer]]],
          [FiberRef.currentSupervisor, [[id, explorer]]],
          [DefaultServices.currentServices, [[id, Context.unsafeMake(services)]]],
          [FiberRef.currentLoggers, [[id, loggers]]]
        ]
      })
  })
  recorder?.begin(explorer, clock)
  try {
    explorer.run(() => main.unsafePoll() !== null)
  } finally {
    recorder?.end()
  }

  if (explorer.foreign !== undefined) {
    throw new Error(
      `Interleave: the program is made with effect ${version(explorer.foreign)}, and holdfast/testing uses ${
        version(Effect.void)
      }, so it cannot be explored: let there be one version (npm ls effect)`
    )
  }
  const exit = main.unsafePoll()
  const fault = (): Fault | undefined => {
    if (explorer.exhausted) return { _tag: "Livelock", steps: maxSteps, fibers: [...explorer.alive] }
    if (exit === null) return { _tag: "Deadlock", waiting: [...explorer.alive] }
    if (exit._tag === "Failure") return { _tag: "Failure", cause: exit.cause }
    return explorer.alive.size > 0 ? { _tag: "Outlives", fibers: [...explorer.alive] } : undefined
  }
  return { explorer, fault: fault() }
}

/** In words. @since 0.1.0 */
export const describe = (fault: Fault, wait: (thread: Thread) => string): string => {
  const waits = (threads: ReadonlyArray<Thread>) => threads.map((thread) => `  ${wait(thread)}`).join("\n")
  switch (fault._tag) {
    case "Failure":
      return Cause.pretty(fault.cause, { renderErrorCause: true }).split("\n").filter((line) =>
        !/^\s+at .*(node_modules|node:internal)/.test(line)
      ).join("\n")
    case "Deadlock":
      return `deadlock: no fiber can go on, and no timer is set\n${waits(fault.waiting)}`
    case "Livelock":
      return `livelock: it has not ended after ${fault.steps} steps; the end of the trace shows what goes round\n${
        waits(fault.fibers)
      }`
    case "Outlives":
      return `fibers outlive the program and its scope\n${waits(fault.fibers)}`
    case "Strays":
      return "the program is not deterministic: after the same choices it went another way\n" +
        "  Date.now, Math.random, or something that it keeps from one run to the next?"
  }
}

/** Two faults of one kind are taken for the same bug. @since 0.1.0 */
export const kind = (fault: Fault): string =>
  fault._tag === "Failure"
    ? `Failure ${(Cause.pretty(fault.cause).split("\n")[0] ?? "").replaceAll(/#\d+/g, "#")}`
    : fault._tag
