import { describe, expect } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { it } from "holdfast/testing/vitest"

import * as RestartCoalescer from "../../src/lifecycle/RestartCoalescer.js"

type Key = string

/** One cycle, which ends as the test tells it to. */
interface Cycle {
  readonly key: Key
  readonly covered: RestartCoalescer.Covered
  readonly end: (exit: Exit.Exit<string, string>) => Effect.Effect<void>
}

/** A coalescer whose cycles are the test's; `running` and `most` count them a key. */
const setup = Effect.fnUntraced(function*(policy?: RestartCoalescer.Policy | ((key: Key) => RestartCoalescer.Policy)) {
  const cycles = yield* Queue.unbounded<Cycle>()
  const running = new Map<Key, number>()
  let most = 0
  let started = 0
  const restarts = yield* RestartCoalescer.make({
    policy,
    cycle: (key: Key, covered) =>
      Effect.gen(function*() {
        started++
        const done = yield* Deferred.make<string, string>()
        running.set(key, (running.get(key) ?? 0) + 1)
        most = Math.max(most, running.get(key) ?? 0)
        yield* Queue.offer(cycles, { key, covered, end: (exit) => Effect.asVoid(Deferred.done(done, exit)) })
        return yield* Deferred.await(done)
      }).pipe(Effect.ensuring(Effect.sync(() => running.set(key, (running.get(key) ?? 1) - 1))))
  })
  return {
    restarts,
    next: Queue.take(cycles),
    /** Ends the next cycle. */
    end: (exit: Exit.Exit<string, string>) =>
      Effect.tap(Queue.take(cycles), (cycle) => Effect.zipRight(cycle.end(exit), settle)),
    started: () => started,
    most: () => most
  }
})

/** Lets every other fiber come as far as it can. */
const settle = Effect.repeatN(Effect.yieldNow(), 20)

const ok = Exit.succeed("up")
const bad = Exit.fail("no such image")

const hasty: RestartCoalescer.Policy = { settle: 0, backoff: { base: 0 }, intensity: { max: 1000 } }

/** The first error of an exit, by its tag. */
const tagOf = (exit: Exit.Exit<unknown, unknown>) =>
  Option.getOrUndefined(Option.map(
    Exit.causeOption(exit).pipe(Option.flatMap(Cause.failureOption)),
    (error) => typeof error === "object" && error !== null && "_tag" in error ? error._tag : error
  ))

const closedScope = Effect.fnUntraced(function*<A>(make: Effect.Effect<A, never, Scope.Scope>) {
  const scope = yield* Scope.make()
  return [yield* Scope.extend(make, scope), Scope.close(scope, Exit.void)] as const
})

describe("RestartCoalescer, RC1 to RC4", () => {
  it.scoped("RC1 at most one cycle runs for a key, and keys never wait for each other", () =>
    Effect.gen(function*() {
      const { end, most, next, restarts, started } = yield* setup(hasty)
      for (const cause of ["changed", "requested", "failed", "changed"] as const) yield* restarts.submit("a", cause)
      const a = yield* next
      yield* restarts.submit("b", "changed")
      expect((yield* next).key).toBe("b")
      yield* a.end(ok)
      yield* end(ok)
      expect(started()).toBe(3)
      expect(most()).toBe(1)
    }))

  it.scoped("RC1 what a cycle forked is gone before the next cycle starts", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const restarts = yield* RestartCoalescer.make({
        policy: hasty,
        cycle: () =>
          Effect.gen(function*() {
            log.push("start")
            yield* Effect.fork(Effect.onInterrupt(Effect.never, () =>
              Effect.zipRight(
                Effect.sleep("1 second"),
                Effect.sync(() => log.push("child gone"))
              )))
            yield* Effect.sleep("1 second")
          })
      })
      yield* restarts.submit("a", "changed")
      yield* settle
      yield* restarts.submit("a", "changed")
      yield* TestClock.adjust("10 seconds")
      expect(log).toEqual(["start", "child gone", "start", "child gone"])
    }))

  it.scoped("RC2 each accepted request is followed by a cycle when the running one fails, dies, is interrupted or cancelled", () =>
    Effect.gen(function*() {
      for (const how of ["fails", "dies", "is interrupted", "is cancelled"] as const) {
        const { next, restarts } = yield* setup({ ...hasty, backoff: { base: "1 second" } })
        yield* restarts.submit("a", "changed")
        const first = yield* next
        const ticket = yield* restarts.submit("a", "changed")
        yield* how === "is cancelled"
          ? restarts.cancel("a")
          : first.end(
            how === "fails" ? bad : how === "dies" ? Exit.die("bug") : Exit.interrupt(FiberId.none)
          )
        yield* TestClock.adjust("1 second")
        yield* Effect.flatMap(next, (second) => second.end(ok))
        expect(yield* ticket.await).toBe("up")
      }
    }))

  it.scoped("RC3 a burst of 1,000 mixed requests while an agent boots ends in exactly two cycles", () =>
    Effect.gen(function*() {
      const { end, restarts, started } = yield* setup({ settle: "10 seconds" })
      const causes = ["failed", "changed", "requested", "failed"] as const
      const first = yield* restarts.submit("a", "failed")
      yield* settle
      const waiters = yield* Effect.forEach(
        Array.from({ length: 1000 }, (_, i) => causes[i % causes.length] ?? "failed"),
        (cause) => Effect.fork(restarts.request("a", cause))
      )
      yield* settle
      expect(yield* restarts.state("a")).toMatchObject({
        _tag: "Running",
        causes: ["failed"],
        pending: { causes: ["requested", "changed"], requests: 500 }
      })
      yield* end(Exit.succeed("first"))
      yield* end(Exit.succeed("second"))
      expect(yield* first.await).toBe("first")
      const outcomes = yield* Fiber.joinAll(waiters)
      expect(outcomes).toEqual(
        Array.from({ length: 1000 }, (_, i) => causes[i % causes.length] === "failed" ? "first" : "second")
      )
      // the health probes that come while it settles start no third
      yield* Effect.forEach(Array.from({ length: 100 }), () => restarts.request("a", "failed"))
      yield* TestClock.adjust("1 hour")
      expect(started()).toBe(2)
    }))

  it.scoped("RC3 of a burst of failures alone, one cycle", () =>
    Effect.gen(function*() {
      const { end, restarts, started } = yield* setup()
      const waiters = yield* Effect.forEach(
        Array.from({ length: 1000 }),
        () => Effect.fork(restarts.request("a", "failed"))
      )
      yield* end(ok)
      expect(new Set(yield* Fiber.joinAll(waiters))).toEqual(new Set(["up"]))
      expect(started()).toBe(1)
    }))

  it.scoped("RC4 a waiter gets the outcome of the cycle that covers it", () =>
    Effect.gen(function*() {
      const { end, restarts } = yield* setup(hasty)
      const first = yield* Effect.fork(restarts.request("a", "changed"))
      yield* settle
      const second = yield* Effect.fork(restarts.request("a", "changed"))
      const probe = yield* Effect.fork(restarts.request("a", "failed"))
      yield* settle
      yield* end(bad)
      expect(yield* Fiber.await(first)).toEqual(bad)
      expect(yield* Fiber.await(probe)).toEqual(bad)
      yield* end(ok)
      expect(yield* Fiber.await(second)).toEqual(ok)
    }))

  it.scoped("RC4 interrupting a waiter interrupts neither the cycle nor another waiter, and takes nothing back", () =>
    Effect.gen(function*() {
      const { end, restarts, started } = yield* setup(hasty)
      const [one, two] = yield* Effect.all([
        Effect.fork(restarts.request("a", "changed")),
        Effect.fork(restarts.request("a", "failed"))
      ])
      yield* settle
      const alone = yield* Effect.fork(restarts.request("a", "changed"))
      yield* settle
      yield* Fiber.interrupt(one)
      yield* Fiber.interrupt(alone)
      yield* end(ok)
      expect(yield* Fiber.await(two)).toEqual(ok)
      yield* end(ok)
      expect(started()).toBe(2)
    }))

  it.scoped("RC4 a ticket can be awaited late and by many", () =>
    Effect.gen(function*() {
      const { end, restarts } = yield* setup(hasty)
      const ticket = yield* restarts.submit("a", "changed")
      yield* end(bad)
      expect(yield* Effect.exit(ticket.await)).toEqual(bad)
      expect(yield* Effect.exit(ticket.await)).toEqual(bad)
    }))
})

describe("RestartCoalescer, RC5 and RC6", () => {
  const logged: Array<unknown> = []
  const quiet = Logger.replace(Logger.defaultLogger, Logger.make(({ message }) => void logged.push(message)))

  it.scoped("RC5 a defect reaches the waiters as a Cause, is logged, and clears the state", () =>
    Effect.gen(function*() {
      let cycles = 0
      const restarts = yield* RestartCoalescer.make({
        policy: hasty,
        cycle: (key: Key) => {
          cycles++
          // once as the effect is made, once when it runs
          if (cycles === 1) throw new Error(`no recipe for ${key}`)
          return cycles === 2 ? Effect.die(new Error("a bug")) : Effect.succeed(cycles)
        }
      })
      const [first, second] = yield* Effect.all([
        Effect.fork(restarts.request("a", "changed")),
        Effect.fork(restarts.request("a", "failed"))
      ])
      expect(yield* Fiber.await(first)).toMatchObject({
        cause: { _tag: "Die", defect: { message: "no recipe for a" } }
      })
      expect(yield* Fiber.await(second)).toEqual(yield* Fiber.await(first))
      expect(yield* Effect.exit(restarts.request("a", "changed"))).toMatchObject({
        cause: { _tag: "Die", defect: { message: "a bug" } }
      })
      expect(yield* restarts.request("a", "changed")).toBe(3)
      expect(logged).toHaveLength(2)
    }).pipe(Effect.provide(quiet)))

  it.scoped("RC5 a cycle that interrupts itself interrupts nobody who waits", () =>
    Effect.gen(function*() {
      const { end, restarts } = yield* setup({ ...hasty, backoff: { base: "1 second" } })
      const waiter = yield* Effect.fork(restarts.request("a", "changed"))
      yield* end(Exit.interrupt(FiberId.none))
      const exit = yield* Fiber.await(waiter)
      expect(Exit.isInterrupted(exit)).toBe(false)
      expect(tagOf(exit)).toBe("RestartCancelled")
      // nobody asked for it, so it counts as a failure
      expect(yield* restarts.state("a")).toMatchObject({ _tag: "BackingOff", attempt: 1 })
    }))

  it.scoped("RC6 closing interrupts the cycles that run, awaits their finalizers and settles every waiter", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const [restarts, close] = yield* closedScope(RestartCoalescer.make({
        policy: { backoff: { base: "1 hour", cap: "1 hour" } },
        cycle: (key: Key) =>
          key === "fails" ?
            Effect.fail("bad") :
            Effect.onInterrupt(Effect.never, () =>
              Effect.zipRight(Effect.sleep("3 seconds"), Effect.sync(() => log.push(`${key} gone`))))
      }))
      yield* restarts.submit("fails", "changed")
      yield* settle
      expect(yield* restarts.state("fails")).toMatchObject({ _tag: "BackingOff" })
      const waiters = yield* Effect.forEach(
        ["a", "a", "b", "fails"],
        (key) =>
          Effect.fork(
            Effect.tapErrorCause(restarts.request(key, "changed"), () => Effect.sync(() => log.push(`${key} settled`)))
          )
      )
      yield* settle
      const closing = yield* Effect.fork(Effect.tap(close, () => log.push("closed")))
      yield* settle
      yield* TestClock.adjust("2 seconds")
      // what waits to start is settled at once
      expect(log.toSorted()).toEqual(["a settled", "fails settled"])
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(closing)
      expect(log.slice(2).toSorted()).toEqual(["a gone", "a settled", "b gone", "b settled", "closed"])
      for (const waiter of waiters) expect(tagOf(yield* Fiber.await(waiter))).toBe("RestartCoalescerClosed")
      expect(yield* restarts.size).toBe(0)
    }))

  it.scoped("RC6 after close a request is refused, and the rest does nothing", () =>
    Effect.gen(function*() {
      const [{ restarts, started }, close] = yield* closedScope(setup())
      yield* close
      expect(tagOf(yield* Effect.exit(restarts.request("a", "requested")))).toBe("RestartCoalescerClosed")
      expect(tagOf(yield* Effect.exit(restarts.submit("a", "changed")))).toBe("RestartCoalescerClosed")
      yield* restarts.cancel("a")
      yield* restarts.forget("a")
      expect(yield* restarts.state("a")).toEqual({ _tag: "Idle" })
      yield* TestClock.adjust("1 hour")
      expect(started()).toBe(0)
    }))

  it.scoped("RC6 a cycle that dies while it is told to end tells its waiters so", () =>
    Effect.gen(function*() {
      const [restarts, close] = yield* closedScope(RestartCoalescer.make({
        cycle: () => Effect.onInterrupt(Effect.never, () => Effect.die("a finalizer's bug"))
      }))
      const waiter = yield* Effect.fork(restarts.request("a", "changed"))
      yield* settle
      yield* close
      const exit = yield* Fiber.await(waiter)
      expect(Option.getOrThrow(Option.flatMap(Exit.causeOption(exit), Cause.dieOption))).toBe("a finalizer's bug")
    }).pipe(Effect.provide(quiet)))

  it.leakFree("RC6 closing leaves no fiber and no timer, also of what settles and backs off", () =>
    Effect.gen(function*() {
      const restarts = yield* RestartCoalescer.make({
        policy: { settle: "1 hour", backoff: { base: "1 hour", cap: "1 hour" } },
        cycle: (key: Key) => key === "a" ? Effect.void : key === "b" ? Effect.fail("bad") : Effect.never
      })
      yield* Effect.forEach(["a", "b", "b", "c"], (key) => restarts.submit(key, "changed"))
      yield* settle
      yield* restarts.submit("b", "changed")
      yield* settle
      expect(yield* restarts.size).toBe(3)
    }))
})

describe("RestartCoalescer, RC7 to RC9", () => {
  it.scoped("RC7 an idle key keeps no memory: not after settle, not after a failure that no longer counts", () =>
    Effect.gen(function*() {
      const { end, restarts } = yield* setup({ settle: "10 seconds", intensity: { within: "5 minutes" } })
      const keys = Array.from({ length: 100 }, (_, i) => `agent-${i}`)
      for (const key of keys) {
        yield* restarts.submit(key, "changed")
        yield* end(ok)
      }
      expect(yield* restarts.size).toBe(100)
      yield* TestClock.adjust("10 seconds")
      expect(yield* restarts.size).toBe(0)
      yield* restarts.submit("fails", "changed")
      yield* end(bad)
      yield* TestClock.adjust("1 minute")
      expect(yield* restarts.state("fails")).toEqual({ _tag: "Idle" })
      expect(yield* restarts.size).toBe(1)
      yield* TestClock.adjust("5 minutes")
      expect(yield* restarts.size).toBe(0)
    }))

  it.scoped("RC7 keys that settle share one fiber, and without them there is none", () =>
    Effect.gen(function*() {
      const restarts = yield* RestartCoalescer.make({
        policy: (key: number) => ({ settle: 1000 - key }),
        cycle: () => Effect.void
      })
      const before = new Set(Fiber.unsafeRoots())
      const more = () => Fiber.unsafeRoots().filter((fiber) => !before.has(fiber))
      yield* Effect.forEach(Array.from({ length: 100 }, (_, i) => i), (key) => restarts.request(key, "changed"))
      yield* settle
      expect(yield* restarts.size).toBe(100)
      expect(more()).toHaveLength(1)
      yield* TestClock.adjust("1 second")
      expect(yield* restarts.size).toBe(0)
      expect(more()).toHaveLength(0)
      // nor does it sleep on for one that is forgotten before its time
      yield* restarts.request(1, "changed")
      yield* settle
      expect(more()).toHaveLength(1)
      yield* restarts.forget(1)
      yield* settle
      expect(more()).toHaveLength(0)
    }))

  it.scoped("RC8 a key backs off after a failing cycle: nothing restarts by itself, what is asked for waits", () =>
    Effect.gen(function*() {
      const { end, next, restarts, started } = yield* setup({ backoff: { base: "10 seconds", cap: "10 seconds" } })
      yield* restarts.submit("a", "changed")
      yield* end(bad)
      expect(yield* restarts.state("a")).toMatchObject({ _tag: "BackingOff", attempt: 1 })
      yield* restarts.submit("a", "failed")
      yield* restarts.submit("a", "changed")
      expect(started()).toBe(1)
      yield* TestClock.adjust("10 seconds")
      expect((yield* next).covered).toEqual({ causes: ["changed", "failed"], requests: 2 })
      expect(started()).toBe(2)
    }))

  it.scoped("RC8 without a request a key that has failed stays down", () =>
    Effect.gen(function*() {
      const { end, restarts, started } = yield* setup()
      yield* restarts.submit("a", "changed")
      yield* end(bad)
      yield* TestClock.adjust("1 day")
      expect(started()).toBe(1)
    }))

  it.scoped("RC8 a person waits for no back-off", () =>
    Effect.gen(function*() {
      const { end, next, restarts } = yield* setup({ backoff: { base: "1 hour", cap: "1 hour" } })
      yield* restarts.submit("a", "changed")
      yield* end(bad)
      yield* restarts.submit("a", "requested")
      expect((yield* next).covered.causes).toEqual(["requested"])
    }))

  it.scoped("RC8 too many failing cycles open the circuit: others are refused until it cools or a person asks", () =>
    Effect.gen(function*() {
      const { end, restarts, started } = yield* setup({
        ...hasty,
        intensity: { max: 2, within: "1 minute" },
        coolDown: "30 seconds"
      })
      for (let i = 0; i < 3; i++) {
        yield* restarts.submit("a", "failed")
        yield* end(bad)
      }
      yield* TestClock.adjust("10 seconds")
      const refused = yield* Effect.flip(restarts.submit("a", "failed"))
      expect(refused).toMatchObject({ _tag: "RestartStorm", key: "a", failures: 3, retryAfterMillis: 20_000 })
      expect(refused.message).toBe(
        "restarting a has failed 3 times; ask again in 20000 ms, or let a person ask (\"requested\")"
      )
      expect(tagOf(yield* Effect.exit(restarts.request("a", "changed")))).toBe("RestartStorm")
      expect(started()).toBe(3)
      yield* TestClock.adjust("20 seconds")
      const trial = yield* restarts.submit("a", "failed")
      yield* end(bad)
      expect(yield* Effect.exit(trial.await)).toEqual(bad)
      expect(yield* restarts.state("a")).toMatchObject({ _tag: "Open" })
      const asked = yield* restarts.submit("a", "requested")
      yield* end(ok)
      expect(yield* asked.await).toBe("up")
      expect(yield* restarts.state("a")).toEqual({ _tag: "Idle" })
    }))

  it.scoped("RC8 RC2 what was accepted before the circuit opened runs when it has cooled", () =>
    Effect.gen(function*() {
      const { end, next, restarts, started } = yield* setup({
        ...hasty,
        intensity: { max: 1, within: "1 minute" },
        coolDown: "30 seconds"
      })
      yield* restarts.submit("a", "failed")
      yield* end(bad)
      yield* restarts.submit("a", "failed")
      const cycle = yield* next
      const ticket = yield* restarts.submit("a", "changed")
      yield* cycle.end(bad)
      yield* TestClock.adjust("29 seconds")
      expect(started()).toBe(2)
      yield* TestClock.adjust("1 second")
      yield* end(ok)
      expect(yield* ticket.await).toBe("up")
    }))

  it.scoped("RC9 a failure while the agent boots or settles starts no cycle and gets the outcome of the boot", () =>
    Effect.gen(function*() {
      const { end, restarts, started } = yield* setup({ settle: "10 seconds" })
      yield* restarts.submit("a", "changed")
      const probe = yield* Effect.fork(restarts.request("a", "failed"))
      yield* settle
      yield* end(ok)
      expect(yield* Fiber.await(probe)).toEqual(ok)
      yield* TestClock.adjust("9 seconds")
      expect(yield* restarts.request("a", "failed")).toBe("up")
      expect(started()).toBe(1)
      yield* TestClock.adjust("1 second")
      yield* restarts.submit("a", "failed")
      yield* end(ok)
      expect(started()).toBe(2)
    }))
})

describe("RestartCoalescer, cancel and forget", () => {
  /** Cycles that take a second to go, until the test is over. */
  const slow = Effect.fnUntraced(function*() {
    const log: Array<string> = []
    const over = yield* Deferred.make<void>()
    let cycle = 0
    const restarts = yield* RestartCoalescer.make({
      policy: hasty,
      cycle: (_: Key) =>
        Effect.suspend(() => {
          const n = ++cycle
          log.push(`start ${n}`)
          return Effect.onInterrupt(Effect.never, () =>
            Effect.interruptible(Effect.sleep("1 second")).pipe(
              Effect.race(Effect.interruptible(Deferred.await(over))),
              Effect.zipRight(Effect.sync(() => log.push(`gone ${n}`)))
            ))
        })
    })
    yield* Effect.addFinalizer(() => Deferred.succeed(over, undefined))
    return { log, restarts }
  })

  it.scoped("cancel waits until the cycle is gone, its waiters get RestartCancelled, and what is pending starts (RC2)", () =>
    Effect.gen(function*() {
      const { log, restarts } = yield* slow()
      const waiter = yield* Effect.fork(restarts.request("a", "changed"))
      yield* settle
      const later = yield* Effect.fork(restarts.request("a", "changed"))
      yield* settle
      const cancelling = yield* Effect.fork(Effect.tap(restarts.cancel("a"), () => log.push("cancelled")))
      yield* settle
      yield* TestClock.adjust("999 millis")
      expect(log).toEqual(["start 1"])
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(cancelling)
      expect(log.slice(0, 3)).toEqual(["start 1", "gone 1", "cancelled"])
      expect(tagOf(yield* Fiber.await(waiter))).toBe("RestartCancelled")
      yield* settle
      expect(log).toContain("start 2")
      expect(later.unsafePoll()).toBeNull()
    }))

  it.scoped("cancel counts as no failure, does nothing to a key at rest, and may itself be interrupted", () =>
    Effect.gen(function*() {
      const { log, restarts } = yield* slow()
      yield* restarts.cancel("a")
      yield* restarts.submit("a", "changed")
      yield* settle
      const cancelling = yield* Effect.fork(restarts.cancel("a"))
      yield* settle
      yield* Fiber.interrupt(cancelling)
      yield* TestClock.adjust("1 second")
      expect(log).toEqual(["start 1", "gone 1"])
      expect(yield* restarts.state("a")).toEqual({ _tag: "Idle" })
      expect(yield* restarts.size).toBe(0)
    }))

  it.scoped("RC4 a cycle that has succeeded when it is cancelled has succeeded", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const restarts = yield* RestartCoalescer.make({
        // it is over when what it forked is gone
        cycle: () => Effect.as(Effect.fork(Effect.onInterrupt(Effect.never, () => Deferred.await(gate))), "up")
      })
      const waiter = yield* Effect.fork(restarts.request("a", "changed"))
      yield* settle
      const cancelling = yield* Effect.fork(restarts.cancel("a"))
      yield* settle
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(cancelling)
      expect(yield* Fiber.await(waiter)).toEqual(ok)
      expect(yield* restarts.state("a")).toMatchObject({ _tag: "Settling" })
    }))

  it.scoped("a cycle that never ends holds up no other key, and can be cancelled", () =>
    Effect.gen(function*() {
      const { log, restarts } = yield* slow()
      yield* restarts.submit("a", "changed")
      yield* restarts.submit("b", "changed")
      yield* TestClock.adjust("1 day")
      expect(log).toEqual(["start 1", "start 2"])
      const cancelling = yield* Effect.fork(restarts.cancel("a"))
      yield* settle
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(cancelling)
      expect(yield* restarts.state("a")).toEqual({ _tag: "Idle" })
      expect(yield* restarts.state("b")).toMatchObject({ _tag: "Running" })
    }))

  it.scoped("forget gives up what is pending, too, and leaves nothing; RC1 a later request waits until the cycle is gone", () =>
    Effect.gen(function*() {
      const { log, restarts } = yield* slow()
      const waiters = yield* Effect.forEach(
        [1, 2],
        () => Effect.zipLeft(Effect.fork(restarts.request("a", "changed")), settle)
      )
      const forgetting = yield* Effect.fork(restarts.forget("a"))
      yield* settle
      yield* restarts.submit("a", "changed")
      yield* settle
      expect(log).toEqual(["start 1"])
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(forgetting)
      for (const waiter of waiters) expect(tagOf(yield* Fiber.await(waiter))).toBe("RestartCancelled")
      yield* settle
      expect(log).toEqual(["start 1", "gone 1", "start 2"])
    }))

  it.scoped("forget ends a back-off, and the failures before it count no more", () =>
    Effect.gen(function*() {
      const { end, restarts, started } = yield* setup({ backoff: { base: "1 hour", cap: "1 hour" } })
      yield* restarts.submit("a", "changed")
      yield* end(bad)
      const ticket = yield* restarts.submit("a", "changed")
      yield* restarts.forget("a")
      expect(tagOf(yield* Effect.exit(ticket.await))).toBe("RestartCancelled")
      expect(yield* restarts.size).toBe(0)
      yield* TestClock.adjust("2 hours")
      expect(started()).toBe(1)
    }))
})

describe("RestartCoalescer, what it tells", () => {
  it.scoped("state tells of causes, of what is pending and of times, in the clock's milliseconds", () =>
    Effect.gen(function*() {
      const { end, restarts } = yield* setup({ settle: "10 seconds" })
      yield* TestClock.adjust("1 minute")
      expect(yield* restarts.state("a")).toEqual({ _tag: "Idle" })
      yield* restarts.submit("a", "failed")
      yield* restarts.submit("a", "requested")
      expect(yield* restarts.state("a")).toEqual({
        _tag: "Running",
        causes: ["failed"],
        since: 60_000,
        pending: { causes: ["requested"], requests: 1 }
      })
      yield* end(ok)
      yield* end(ok)
      expect(yield* restarts.state("a")).toEqual({ _tag: "Settling", until: 70_000 })
    }))

  it.scoped("changes starts with what is busy, tells each state, and ends with the coalescer", () =>
    Effect.gen(function*() {
      const [{ end, next, restarts }, close] = yield* closedScope(setup({ settle: "10 seconds" }))
      yield* restarts.submit("a", "changed")
      const told: Array<string> = []
      const listening = yield* Effect.fork(
        Stream.runForEach(restarts.changes, ({ key, state }) => Effect.sync(() => told.push(`${key} ${state._tag}`)))
      )
      yield* settle
      yield* end(ok)
      yield* settle
      yield* TestClock.adjust("10 seconds")
      yield* restarts.submit("b", "changed")
      yield* next
      yield* settle
      yield* close
      yield* Fiber.join(listening)
      expect(told).toEqual(["a Running", "a Settling", "a Idle", "b Running"])
    }))

  it.scoped("a subscriber that lags holds up nobody, skips states, and is told the last one of each key", () =>
    Effect.gen(function*() {
      const restarts = yield* RestartCoalescer.make({
        policy: { settle: 0 },
        cycle: (key: number) => key === 0 ? Effect.never : Effect.void
      })
      const gate = yield* Deferred.make<void>()
      const told: Array<string> = []
      yield* Effect.fork(
        Stream.runForEach(restarts.changes, ({ key, state }) =>
          Effect.zipRight(
            Deferred.await(gate),
            Effect.sync(() => told.push(`${key} ${state._tag}`))
          ))
      )
      yield* settle
      yield* restarts.submit(0, "changed")
      yield* settle
      for (let i = 1; i <= 10_000; i++) yield* restarts.request(i % 1000 + 1, "changed")
      yield* restarts.submit(0, "requested")
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      // the thousand that came and went while it did not look are nothing to it
      expect(told).toEqual(["0 Running", "0 Running"])
    }))

  it.scoped("counts cycles, failures, requests that shared a cycle, and storms", () =>
    Effect.gen(function*() {
      const { metrics } = RestartCoalescer
      const read = Effect.all({
        started: Metric.value(metrics.started),
        failed: Metric.value(metrics.failed),
        coalesced: Metric.value(metrics.coalesced),
        storms: Metric.value(metrics.storms)
      }).pipe(
        Effect.map(({ coalesced, failed, started, storms }) => [started, failed, coalesced, storms].map((_) => _.count))
      )
      const before = yield* read
      const { end, restarts } = yield* setup({ ...hasty, intensity: { max: 1, within: "1 minute" } })
      for (const cause of ["changed", "changed", "changed", "failed"] as const) yield* restarts.submit("a", cause)
      yield* end(bad)
      yield* end(bad)
      yield* restarts.submit("a", "requested")
      yield* Effect.zipRight(settle, restarts.cancel("a"))
      expect((yield* read).map((count, i) => count - (before[i] ?? 0))).toEqual([3, 2, 2, 1])
    }))

  it.scoped("a cycle runs in a span of its own, and with the FiberRefs of the maker, not of who asks", () =>
    Effect.gen(function*() {
      const ref = FiberRef.unsafeMake("nobody's")
      class Name extends Context.Tag("Name")<Name, string>() {}
      const seen: Array<unknown> = []
      const restarts = yield* RestartCoalescer.make({
        cycle: (_: Key) =>
          Effect.gen(function*() {
            const span = yield* Effect.currentSpan
            seen.push(
              yield* FiberRef.get(ref),
              yield* Name,
              span.name,
              Option.isNone(span.parent),
              span.attributes.get("key")
            )
          })
      }).pipe(Effect.locally(ref, "maker's"), Effect.provideService(Name, "maker"))
      yield* restarts.request("a", "changed").pipe(
        Effect.withSpan("a request"),
        Effect.provideService(Name, "asker"),
        Effect.locally(ref, "asker's")
      )
      expect(seen).toEqual(["maker's", "maker", "holdfast.restart", true, "a"])
    }))

  it.scoped("made and asked in a region that cannot be interrupted, cycles still can", () =>
    Effect.gen(function*() {
      const restarts = yield* Effect.uninterruptible(RestartCoalescer.make({ cycle: () => Effect.never }))
      yield* Effect.uninterruptible(restarts.submit("a", "changed"))
      yield* settle
      yield* restarts.cancel("a")
    }))

  it.scoped("keys are compared by value", () =>
    Effect.gen(function*() {
      const key = (session: string) => Data.struct({ session })
      const restarts = yield* RestartCoalescer.make({ cycle: (_: ReturnType<typeof key>) => Effect.never })
      yield* restarts.submit(key("one"), "changed")
      yield* restarts.submit(key("one"), "changed")
      expect(yield* restarts.size).toBe(1)
      expect(yield* restarts.state(key("one"))).toMatchObject({ pending: { requests: 1 } })
    }))
})

describe("RestartCoalescer, policies", () => {
  it.scoped("a policy a key", () =>
    Effect.gen(function*() {
      const { end, restarts } = yield* setup((key) => ({ settle: key === "slow" ? "1 minute" : "1 second" }))
      for (const key of ["slow", "fast"]) {
        yield* restarts.submit(key, "changed")
        yield* end(ok)
      }
      yield* TestClock.adjust("1 second")
      expect((yield* restarts.state("slow"))._tag).toBe("Settling")
      expect((yield* restarts.state("fast"))._tag).toBe("Idle")
    }))

  it.scoped("one that makes no sense is a defect: of make, or of the first request for its key, which leaves nothing", () =>
    Effect.gen(function*() {
      const policy = { settle: -1, intensity: { max: 0 } }
      const made = yield* Effect.exit(RestartCoalescer.make({ cycle: () => Effect.void, policy }))
      const defect = Option.getOrUndefined(Option.flatMap(Exit.causeOption(made), Cause.dieOption))
      expect(defect).toBeInstanceOf(RestartCoalescer.RestartPolicyInvalid)
      const { restarts } = yield* setup((key) => key === "bad" ? policy : {})
      expect(Exit.isFailure(yield* Effect.exit(restarts.submit("bad", "changed")))).toBe(true)
      expect(yield* restarts.size).toBe(0)
      yield* restarts.submit("good", "changed")
    }))

  it.scoped("a back-off that is longer than a timer can be is waited for all the same", () =>
    Effect.gen(function*() {
      const clock = yield* Effect.clock
      // as Effect's own clock: what no timer takes is for ever
      const bounded: Clock.Clock = {
        [Clock.ClockTypeId]: Clock.ClockTypeId,
        unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis(),
        unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
        currentTimeMillis: clock.currentTimeMillis,
        currentTimeNanos: clock.currentTimeNanos,
        sleep: (duration) => Duration.toMillis(duration) > 2 ** 31 - 1 ? Effect.never : clock.sleep(duration)
      }
      const { end, restarts, started } = yield* Effect.withClock(
        setup({ backoff: { base: "200 days", cap: "200 days" } }),
        bounded
      )
      yield* restarts.submit("a", "changed")
      yield* end(bad)
      yield* restarts.submit("a", "changed")
      yield* Effect.repeatN(Effect.zipRight(TestClock.adjust("20 days"), settle), 10)
      expect(started()).toBe(2)
    }))
})
