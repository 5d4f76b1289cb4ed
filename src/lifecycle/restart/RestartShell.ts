/**
 * Carries out what the state machine says: forks cycles, settles tickets, keeps the time.
 *
 * One synchronous block applies an event to a key and does all that follows from it, so nobody ever sees half of it.
 *
 * @since 0.1.0
 */
import { isInterruptedOnly } from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberSet from "effect/FiberSet"
import * as MutableHashMap from "effect/MutableHashMap"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import { PCGRandom } from "effect/Utils"
import * as Deadlines from "../Deadlines.js"
import * as Monotonic from "../Monotonic.js"
import * as RestartErrors from "./RestartErrors.js"
import * as RestartMetrics from "./RestartMetrics.js"
import type { Rules } from "./RestartPolicy.js"
import {
  type Cause,
  type Covered,
  type Event,
  idle,
  type Memory,
  type State,
  transition,
  view
} from "./RestartState.js"
import * as StateChanges from "./StateChanges.js"

/** Why the outcome of a request may be none of the cycle's own. @since 0.1.0 */
export type Unfinished = RestartErrors.RestartCancelled | RestartErrors.RestartCoalescerClosed

/**
 * A request that was accepted. One that nobody awaits costs nothing.
 *
 * @since 0.1.0
 */
export interface Ticket<out A, out E> {
  /** The outcome of the cycle that covers the request (RC4). Interrupting it interrupts nothing else. */
  readonly await: Effect.Effect<A, E | Unfinished>
}

/** The requests that share an outcome, and their one ticket. */
interface Batch<A, E> {
  readonly outcome: Deferred.Deferred<A, E | Unfinished>
  readonly accepted: Effect.Effect<Ticket<A, E>>
}

const makeBatch = <A, E>(): Batch<A, E> => {
  const outcome = Deferred.unsafeMake<A, E | Unfinished>(FiberId.none)
  return { outcome, accepted: Effect.succeed({ await: Deferred.await(outcome) }) }
}

const settle = <A, E>(batch: Batch<A, E> | undefined, outcome: Exit.Exit<A, E | Unfinished>) => {
  if (batch !== undefined) Deferred.unsafeDone(batch.outcome, outcome)
}

interface Entry<K, A, E> extends Deadlines.Due {
  readonly key: K
  readonly rules: Rules
  memory: Memory | undefined
  running: Batch<A, E> | undefined
  pending: Batch<A, E> | undefined
  /** Of the cycle that has just succeeded. */
  settled: Batch<A, E> | undefined
  fiber: Fiber.RuntimeFiber<Exit.Exit<A, E>> | undefined
}

const blank = <K, A, E>(key: K, rules: Rules): Entry<K, A, E> => ({
  key,
  rules,
  memory: undefined,
  running: undefined,
  pending: undefined,
  settled: undefined,
  fiber: undefined,
  at: 0,
  place: -1
})

/** A timer takes no more. */
const longestSleep = 2 ** 31 - 1

/**
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*<K, A, E, R>(
  cycle: (key: K, covered: Covered) => Effect.Effect<A, E, R>,
  /** May throw. */
  rulesOf: (key: K) => Rules
) {
  const clock = yield* Effect.clock
  const chance = new PCGRandom(yield* Random.nextInt)
  const entries = MutableHashMap.empty<K, Entry<K, A, E>>()
  const deadlines = Deadlines.make<Entry<K, A, E>>()
  let closed = false

  const now = () => Monotonic.unsafeNow(clock)
  const find = (key: K) => Option.getOrUndefined(MutableHashMap.get(entries, key))
  const stateOf = (key: K): State => {
    const entry = find(key)
    return entry === undefined ? idle : view(entry.rules, entry.memory, now())
  }
  const changes = StateChanges.make<K>({ busy: () => MutableHashMap.keys(entries), state: stateOf })

  // RC6: closing it interrupts what runs and waits until it is gone. What it runs has the `FiberRef`s of this fiber, and not of whoever asks
  const run = yield* FiberSet.makeRuntime<R>()

  // ------------------------------------------------------------------------------------------ the one step

  /** Applies an event, in one synchronous block (RC1, RC2). Returns what the one who asked gets. */
  const step = (
    entry: Entry<K, A, E>,
    event: Event
  ): Effect.Effect<Ticket<A, E>, RestartErrors.RestartStorm> | undefined => {
    const at = now()
    const before = entry.memory
    const { actions, memory } = transition(entry.rules, before, event, at)
    entry.memory = memory
    let reply: Effect.Effect<Ticket<A, E>, RestartErrors.RestartStorm> | undefined
    for (const action of actions) {
      switch (action._tag) {
        case "Cover":
          if (!action.fresh) RestartMetrics.coalesced.unsafeUpdate(1, [])
          reply = (action.by === "pending" ? entry.pending ??= makeBatch() : entry[action.by])?.accepted
          break
        case "Refuse":
          reply = Effect.fail(RestartErrors.storm(entry.key, action.failures, action.until - at))
          break
        case "Start":
          entry.running = entry.pending
          entry.pending = undefined
          begin(entry, action.covered)
          break
        case "Drop":
          settle(entry.pending, Exit.fail(RestartErrors.cancelled(entry.key)))
          entry.pending = undefined
          break
        case "Interrupt":
          entry.fiber?.unsafeInterruptAsFork(FiberId.none)
          break
      }
    }
    if (memory !== before) {
      if (memory?.state._tag !== "Settling") entry.settled = undefined
      if (memory?.state._tag === "Open" && before?.state._tag !== "Open") RestartMetrics.storms.unsafeUpdate(1, [])
      if (memory === undefined) MutableHashMap.remove(entries, entry.key) // RC7
      deadlines.set(entry, memory?.deadline)
      changes.tell(entry.key)
    }
    return reply
  }

  const begin = (entry: Entry<K, A, E>, covered: Covered) => {
    RestartMetrics.started.unsafeUpdate(1, [])
    const fiber = run(
      Effect.exit(Effect.interruptible(Effect.suspend(() => cycle(entry.key, covered)))),
      // never on the stack of a step: a cycle may ask us something
      { immediate: false }
    )
    entry.fiber = fiber
    // an observer hears of every end, and only when the fiber's children are gone, too (RC1)
    fiber.addObserver((exit) => end(entry, Exit.flatten(exit)))
  }

  const end = (entry: Entry<K, A, E>, exit: Exit.Exit<A, E>) => {
    const batch = entry.running
    const succeeded = Exit.isSuccess(exit)
    entry.running = undefined
    entry.fiber = undefined
    // an interruption is the cycle's own, and none of those who wait for it (RC4)
    settle(
      batch,
      succeeded || !isInterruptedOnly(exit.cause)
        ? exit
        : Exit.fail(closed ? RestartErrors.closed() : RestartErrors.cancelled(entry.key))
    )
    if (closed) {
      MutableHashMap.remove(entries, entry.key)
      return
    }
    if (succeeded) entry.settled = batch
    else if (entry.memory?.leaving === undefined) RestartMetrics.failed.unsafeUpdate(1, [])
    step(entry, { _tag: "Ended", succeeded, chance: chance.number() })
    arm()
  }

  // -------------------------------------------------------------------------------------- what time brings

  let timer: Fiber.RuntimeFiber<void> | undefined
  let timerAt = Infinity

  /** One fiber sleeps for all keys, until the first of them is due or earlier (RC7). */
  const arm = () => {
    const at = deadlines.first()?.at ?? Infinity
    // one that wakes too early finds nothing to do and sleeps again: cheaper than a new one for each change
    if (timerAt <= at && at !== Infinity) return
    timer?.unsafeInterruptAsFork(FiberId.none)
    timer = undefined
    timerAt = at
    if (at === Infinity) return
    const millis = Math.min(Math.max(0, at - now()), longestSleep)
    timer = run(Effect.interruptible(Effect.zipRight(Effect.sleep(millis), Effect.sync(sweep))), { immediate: false })
  }

  const sweep = () => {
    timer = undefined
    timerAt = Infinity
    if (closed) return
    const at = now()
    for (let entry = deadlines.first(); entry !== undefined && entry.at <= at; entry = deadlines.first()) {
      step(entry, { _tag: "Passed" })
    }
    arm()
  }

  // ------------------------------------------------------------------------------------------ from outside

  const submit = (
    key: K,
    cause: Cause
  ): Effect.Effect<Ticket<A, E>, RestartErrors.RestartStorm | RestartErrors.RestartCoalescerClosed> =>
    Effect.suspend((): ReturnType<typeof submit> => {
      if (closed) return Effect.fail(RestartErrors.closed())
      let entry = find(key)
      if (entry === undefined) {
        entry = blank(key, rulesOf(key))
        MutableHashMap.set(entries, key, entry)
      }
      const reply = step(entry, { _tag: "Asked", cause })
      arm()
      return reply ?? Effect.dieMessage("a request was neither covered nor refused")
    })

  const leave = (event: Event) => (key: K): Effect.Effect<void> =>
    Effect.suspend(() => {
      const entry = find(key)
      if (entry === undefined) return Effect.void
      const { fiber } = entry
      if (!closed) {
        step(entry, event)
        arm()
      }
      return fiber === undefined ? Effect.void : Effect.asVoid(Fiber.await(fiber))
    })

  // runs before what runs is interrupted
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      closed = true
      for (const [key, entry] of entries) {
        settle(entry.pending, Exit.fail(RestartErrors.closed()))
        entry.pending = undefined
        if (entry.running === undefined) MutableHashMap.remove(entries, key)
      }
      changes.close()
    })
  )

  return {
    submit,
    state: (key: K) => Effect.sync(() => stateOf(key)),
    changes: changes.stream,
    cancel: leave({ _tag: "Cancelled" }),
    forget: leave({ _tag: "Forgotten" }),
    size: Effect.sync(() => MutableHashMap.size(entries))
  }
})
