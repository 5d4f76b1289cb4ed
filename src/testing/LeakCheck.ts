/**
 * Tells what a program leaves behind: fibers, sockets, servers, timers, file watchers, threads and processes that it started and
 * that are alive after its end. What `goleak` is to Go, for Effect on Node.
 *
 * ```ts
 * const program = Effect.scoped(useTheService).pipe(LeakCheck.check())
 * // fails with LeaksFound, whose message tells of each leak: what it is, how old, where it was made, what it waits for
 * ```
 *
 * In vitest it is `it.leakFree` and `leakFreeFile` of `holdfast/testing/vitest`. In another runner: `start` before a test, and what it
 * returned after it.
 *
 * What is alive is compared by identity, so nothing old that ends can stand in for something new that stays. Nothing else may start
 * anything in the same process in the meantime: no other test of the file may run concurrently. Other test files may, in other
 * processes or threads.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Fibers from "./leak/Fibers.js"
import * as Handles from "./leak/Handles.js"
import { type Found, Leak } from "./leak/Leak.js"
import * as Origin from "./leak/Origin.js"
import * as Processes from "./leak/Processes.js"
import * as RealTime from "./leak/RealTime.js"
import * as Report from "./leak/Report.js"

export {
  /** @since 0.1.0 */
  Kind,
  /** @since 0.1.0 */
  Leak
} from "./leak/Leak.js"

/**
 * Something is still alive. The message is the whole report.
 *
 * @since 0.1.0
 */
export class LeaksFound extends Schema.TaggedError<LeaksFound>("holdfast/LeaksFound")("LeaksFound", {
  leaks: Schema.Array(Leak)
}) {
  override get message(): string {
    return Report.render(this.leaks)
  }
}

/** @since 0.1.0 */
export interface Options {
  /** How long what is ending is waited for, in real time; it is looked at again and again meanwhile. 250 ms when left out. */
  readonly grace?: Duration.DurationInput | undefined
  /** Says which leaks are none. */
  readonly ignore?: ((leak: Leak) => boolean) | undefined
  /**
   * Whether to look at sockets, servers, timers, watchers and threads as well, and not only at fibers and processes. True when left
   * out. While it listens for them, promises and timers are two to four times slower.
   */
  readonly handles?: boolean | undefined
  /**
   * Whether timers, threads, sockets and so on count also when they were `unref`ed. They keep nothing alive, but such a timer still fires
   * and such a thread still runs. False when left out.
   */
  readonly unref?: boolean | undefined
}

const defaultGrace = Duration.millis(250)

/** What was alive at one moment. */
interface Snapshot {
  readonly fibers: ReadonlySet<Fibers.AnyFiber>
  readonly processes: ReadonlySet<string>
  readonly handles: number
}

/** The fibers that are alive, but not the one that asks and those that wait for it. */
const others = (alive: Fibers.Living): ReadonlyArray<Fibers.AnyFiber> => {
  const self = Fibers.lineage(alive, Option.getOrUndefined(Fiber.getCurrentFiber()))
  return Array.from(alive.keys()).filter((fiber) => !self.has(fiber))
}

const snapshot = (): Snapshot => {
  Processes.watch()
  return {
    fibers: new Set(others(Fibers.living())),
    processes: Processes.running(),
    handles: Handles.mark()
  }
}

// what was told or ignored once is not told again, by a check around that one or after it
const known = { things: new WeakSet<object>(), processes: new Set<string>() }
const isKnown = (identity: object | string) =>
  typeof identity === "string" ? known.processes.has(identity) : known.things.has(identity)
const remember = (identity: object | string) =>
  typeof identity === "string" ? known.processes.add(identity) : known.things.add(identity)

const find = (before: Snapshot, { unref = false }: Options): ReadonlyArray<Found> => {
  const alive = Fibers.living()
  const fibers = others(alive).filter((fiber) => !before.fibers.has(fiber))
  const waits = fibers.length === 0 ? undefined : Handles.waits()
  return [
    ...fibers.map((fiber) => Fibers.describe(fiber, alive, waits?.get(fiber))),
    ...Handles.alive(before.handles, unref),
    ...Processes.alive(before.processes)
  ].filter(({ identity }) => !isKnown(identity))
}

/** What has been started since and stays. It returns as soon as there is no such thing. */
const settle = Effect.fnUntraced(function*(before: Snapshot, options: Options) {
  const ignore = options.ignore ?? (() => false)
  const leaks = (found: ReadonlyArray<Found>) => found.map(({ leak }) => leak).filter((leak) => !ignore(leak))
  let left = Duration.toMillis(options.grace ?? defaultGrace)
  let found = find(before, options)
  // what is waited counts, and not the clock: where the processor is wanted by others, what is ending has no more turns in that time
  for (let wait = 1; leaks(found).length > 0 && left > 0; wait = Math.min(wait * 2, 50)) {
    const pause = Math.min(wait, left)
    yield* RealTime.pause(pause)
    left -= pause
    found = find(before, options)
  }
  for (const { identity } of found) remember(identity)
  return leaks(found)
})

/** Its stack leads to the line that made the first leak, as far as that is known, and not to this module. */
const leaksFound = (leaks: ReadonlyArray<Leak>): LeaksFound => {
  const error = new LeaksFound({ leaks })
  const made = leaks.flatMap(({ stack }) => stack.length === 0 ? [] : [Origin.foremost(stack)])
  error.stack = [`${error.name}: ${error.message}`, ...(made[0] ?? []).map((frame) => `    at ${frame}`)].join("\n")
  return error
}

/**
 * Starts a check: takes note of what is alive. The effect that it returns ends the check, and fails if something that was started
 * in between is alive and does not end within the grace. The fibers that run these two are not counted.
 *
 * ```ts
 * let end: Effect.Effect<void, LeakCheck.LeaksFound>
 * beforeEach(async () => { end = await Effect.runPromise(LeakCheck.start()) })
 * afterEach(() => Effect.runPromise(end))
 * ```
 *
 * @since 0.1.0
 */
export const start = (options: Options = {}): Effect.Effect<Effect.Effect<void, LeaksFound>> =>
  Effect.sync(() => {
    const stop = options.handles === false ? () => {} : Handles.watch()
    const before = snapshot()
    return Effect.flatMap(
      Effect.ensuring(settle(before, options), Effect.sync(stop)),
      (leaks) => leaks.length === 0 ? Effect.void : Effect.fail(leaksFound(leaks))
    )
  })

/**
 * Listens for sockets, servers, timers, watchers and threads until the scope closes. `start` and `check` do so themselves; it is for one
 * who starts and stops checks often, and for what is made between them.
 *
 * @since 0.1.0
 */
export const watchHandles: Effect.Effect<void, never, Scope.Scope> = Effect.asVoid(
  Effect.acquireRelease(Effect.sync(Handles.watch), (stop) => Effect.sync(stop))
)

/**
 * Lets the report name the parent of every fiber that the effect forks; without it only that of a child. `check` and `it.leakFree` do so.
 *
 * @since 0.1.0
 */
export const withParents: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> = Fibers.withParents

const checked = <A, E, R>(self: Effect.Effect<A, E, R>, options?: Options): Effect.Effect<A, E | LeaksFound, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const end = yield* start(options)
      // a fiber of its own, so that its children end with it. To interrupt this one is to interrupt that one: it is a child
      const fiber = yield* Effect.fork(restore(withParents(self)))
      const exit = yield* Fiber.await(fiber)
      yield* Fiber.inheritAll(fiber)
      const ended = yield* Effect.exit(end)
      if (Exit.isSuccess(ended)) return yield* exit
      return yield* Effect.failCause(
        Exit.isFailure(exit) ? Cause.sequential(exit.cause, ended.cause) : ended.cause
      )
    })
  )

/**
 * Runs the effect, in a fiber of its own, and fails with `LeaksFound` if something that it started is alive after it, however it ended; a failure of its own comes
 * first in the cause.
 *
 * What it puts into a scope around it is alive, of course, and is told: `check` goes around `Effect.scoped`.
 *
 * @since 0.1.0
 */
export const check: {
  (options?: Options): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | LeaksFound, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, options?: Options): Effect.Effect<A, E | LeaksFound, R>
} = dual((args) => Effect.isEffect(args[0]), checked)
