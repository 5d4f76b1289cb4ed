/**
 * The promises of restarts in every order of events: exhaustively where that is possible, and with each party interrupted at each of its steps.
 */
import { describe, expect } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Scope from "effect/Scope"
import { Interleave } from "holdfast/testing"
import { it } from "holdfast/testing/vitest"
import { unsafeRules } from "../../src/lifecycle/restart/RestartPolicy.js"
import * as RestartShell from "../../src/lifecycle/restart/RestartShell.js"
import * as RestartCoalescer from "../../src/lifecycle/RestartCoalescer.js"

const hasty: RestartCoalescer.Policy = { settle: 0, backoff: { base: 0 }, intensity: { max: 100 } }

/** A coalescer whose cycles return their number; `most` is how many of them ran at once. */
const counting = Effect.fnUntraced(function*(
  body: Effect.Effect<unknown, string> = Effect.yieldNow(),
  policy: RestartCoalescer.Policy = hasty
) {
  let [started, ended, most] = [0, 0, 0]
  const restarts = yield* RestartCoalescer.make({
    policy,
    cycle: (_: string) =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          most = Math.max(most, ++started - ended)
          return started
        }),
        (number) => Effect.as(body, number),
        () => Effect.sync(() => ended++)
      )
  }).pipe(Logger.withMinimumLogLevel(LogLevel.None))
  /** Asks, and tells how many cycles had started before. */
  const ask = (cause: RestartCoalescer.Cause) =>
    Effect.suspend(() => {
      const before = started
      return Effect.map(Effect.exit(restarts.request("a", cause)), (exit) => ({ before, exit }))
    })
  return { restarts, ask, counts: () => ({ started, running: started - ended, most }) }
})

/** A cycle that takes its time, and also when it is told to end. */
const slow = Effect.onInterrupt(Effect.sleep("1 second"), () => Effect.zipRight(Effect.yieldNow(), Effect.yieldNow()))

type Counting = Effect.Effect.Success<ReturnType<typeof counting>>
type Asked = Effect.Effect.Success<ReturnType<Counting["ask"]>>

/** When all is over: RC1, and nothing is left (RC7). */
const over = Effect.fnUntraced(function*({ counts, restarts }: Counting) {
  yield* Effect.sleep("1 hour")
  expect(counts()).toMatchObject({ running: 0, most: counts().started > 0 ? 1 : 0 })
  expect(yield* restarts.size).toBe(0)
})

/** RC2: by the time a change or a person's request is answered, a cycle has started that is later than it. RC4: and it got that outcome. */
const followed = ({ counts }: Counting, { before, exit }: Asked) => {
  expect(counts().started).toBeGreaterThan(before)
  if (Exit.isSuccess(exit)) expect(exit.value).toBeGreaterThan(before)
}

/** So many ask at once. */
const requesters = (
  count: number,
  cause: Effect.Effect<RestartCoalescer.Cause>,
  body: Effect.Effect<unknown, string>
) =>
  Effect.gen(function*() {
    const counted = yield* counting(body)
    const ask = Effect.flatMap(cause, counted.ask)
    const fibers = yield* Effect.forEach(Arr.range(1, count), () => Effect.fork(ask))
    for (const fiber of fibers) followed(counted, yield* Fiber.join(fiber))
    // RC3: never more cycles than requests
    expect(counted.counts().started).toBeLessThanOrEqual(count)
    yield* over(counted)
  })

/** As `it.interleaved`, and no schedule is left. */
const exhaustively = <E>(
  name: string,
  program: () => Effect.Effect<void, E, Scope.Scope>,
  options: Interleave.Options
) => it.interleaved(name, program, { ...options, exhaustive: true }, 600_000)

const changed = Effect.succeed("changed" as const)
const anyEnd = Interleave.maybe("the cycle", Effect.void, { fail: "no image", die: "a bug", interrupt: true })

describe("RestartCoalescer, all orders", () => {
  exhaustively(
    "RC2 RC3 two requesters, whatever the end of each cycle: every order",
    () => requesters(2, changed, anyEnd),
    { strategy: Interleave.exhaustive(), granularity: "async" }
  )

  exhaustively(
    "RC2 RC3 three requesters: every order",
    () => requesters(3, changed, Effect.void),
    { strategy: Interleave.exhaustive(), granularity: "async" }
  )

  /**
   * So many ask at the very instant at which a cycle ends: its last step starts them. Without the span of a cycle, which is two thirds of the
   * operations and touches nothing.
   */
  const atTheEndOfACycle = (requesters: number) =>
    Effect.gen(function*() {
      const rules = unsafeRules(hasty)
      const fork = yield* FiberSet.makeRuntime<never>()
      const before: Array<number> = []
      const asking: Array<ReturnType<typeof ask>> = []
      let started = 0
      const restarts = yield* RestartShell.make(
        () =>
          Effect.sync(() => {
            if (++started === 1) { for (let i = 0; i < requesters; i++) asking.push(ask()) }
          }),
        () => rules
      )
      const ask = () =>
        fork(
          Effect.suspend(() => {
            before.push(started)
            return restarts.submit("a", "changed")
          }),
          { immediate: false }
        )
      yield* restarts.submit("a", "changed")
      yield* Effect.sleep("1 second")
      expect(before).toHaveLength(requesters)
      for (const fiber of asking) yield* (yield* Fiber.join(fiber)).await
      expect(started).toBeGreaterThan(Math.max(...before))
      expect(started).toBeLessThanOrEqual(1 + requesters)
    })

  exhaustively(
    "RC2 two requesters at the very instant a cycle ends: every order of operations with three preemptions",
    () => atTheEndOfACycle(2),
    { strategy: Interleave.exhaustive({ preemptions: 3 }) }
  )

  exhaustively(
    "RC2 three requesters at the very instant a cycle ends: every order of operations with one preemption",
    () => atTheEndOfACycle(3),
    { strategy: Interleave.exhaustive({ preemptions: 1 }) }
  )

  exhaustively(
    "RC9 of a boot and two health probes: one cycle, in every order",
    () =>
      Effect.gen(function*() {
        const counted = yield* counting(Effect.sleep("1 second"), { settle: "1 minute" })
        const boot = yield* Effect.fork(counted.ask("failed"))
        const probes = yield* Effect.forEach([0, "1 second"] as const, (after) =>
          Effect.fork(Effect.zipRight(Effect.sleep(after), counted.ask("failed"))))
        for (const fiber of [boot, ...probes]) {
          expect((yield* Fiber.join(fiber)).exit).toEqual(Exit.succeed(1))
        }
        expect(counted.counts().started).toBe(1)
        yield* over(counted)
      }),
    { strategy: Interleave.exhaustive(), granularity: "async" }
  )
})

describe("RestartCoalescer, interrupted at every step", () => {
  it.interleaved(
    "RC4 a waiter: the other gets its outcome, and what was accepted is carried out",
    () =>
      Effect.gen(function*() {
        const counted = yield* counting()
        const accepted: Array<number> = []
        const victim = yield* Interleave.victim(
          Effect.flatMap(counted.restarts.submit("a", "changed"), (ticket) => {
            accepted.push(counted.counts().started)
            return ticket.await
          })
        )
        const other = yield* Effect.fork(counted.ask("changed"))
        followed(counted, yield* Fiber.join(other))
        const exit = yield* Fiber.await(victim)
        expect(Exit.isSuccess(exit) || Exit.isInterrupted(exit)).toBe(true)
        yield* over(counted)
        for (const before of accepted) expect(counted.counts().started).toBeGreaterThanOrEqual(Math.max(1, before))
      }),
    { interruptAt: "every-step", schedules: 2000 }
  )

  it.interleaved("RC2 RC5 the cycle: who waits is told, and what is pending starts", () =>
    Effect.gen(function*() {
      let first = true
      // only the first is interrupted, and wherever it is then
      const body = Effect.suspend(() => {
        if (!first) return Effect.void
        first = false
        return Effect.flatMap(Interleave.victim(Effect.zipRight(Effect.yieldNow(), Effect.yieldNow())), Fiber.join)
      })
      const counted = yield* counting(body)
      const fibers = yield* Effect.forEach(
        ["changed", "requested", "changed"] as const,
        (cause) => Effect.fork(counted.ask(cause))
      )
      for (const fiber of fibers) {
        const asked = yield* Fiber.join(fiber)
        expect(Exit.isInterrupted(asked.exit)).toBe(false)
        followed(counted, asked)
      }
      yield* over(counted)
    }), { interruptAt: "every-step", schedules: 2000 })

  it.interleaved(
    "RC2 RC4 the canceller: the cycle is gone, and what is pending starts all the same",
    () =>
      Effect.gen(function*() {
        const counted = yield* counting(slow)
        const fibers = yield* Effect.forEach(
          ["changed", "changed"] as const,
          (cause) => Effect.fork(counted.ask(cause))
        )
        const before = Effect.sync(() => counted.counts().started)
        const canceller = yield* Interleave.victim(
          Effect.flatMap(before, (started) =>
            Effect.zipRight(
              counted.restarts.cancel("a"),
              // RC1: none that had started before is there
              Effect.sync(() => counted.counts().started - counted.counts().running >= started)
            ))
        )
        const asked = yield* Effect.forEach(fibers, Fiber.join)
        // of the two, one at most was covered by the cycle that was cancelled, be it before its first step
        const gone = asked.filter(({ exit }) => Exit.isFailure(exit))
        expect(gone.length).toBeLessThanOrEqual(1)
        for (const { exit } of gone) expect(exit).toMatchObject({ cause: { error: { _tag: "RestartCancelled" } } })
        for (const each of asked) if (!gone.includes(each)) followed(counted, each)
        const exit = yield* Fiber.await(canceller)
        if (Exit.isSuccess(exit)) expect(exit.value).toBe(true)
        yield* over(counted)
      }),
    { interruptAt: "every-step", schedules: 2000 }
  )

  it.interleaved(
    "RC6 the closer: nothing runs when it returns, and every waiter has its answer",
    () =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const counted = yield* Scope.extend(counting(slow, { ...hasty, settle: "1 minute" }), scope)
        const fibers = yield* Effect.forEach(
          ["changed", "failed", "changed"] as const,
          (cause) => Effect.fork(counted.ask(cause))
        )
        const close = Effect.uninterruptible(Scope.close(scope, Exit.void))
        const closer = yield* Interleave.victim(
          Effect.zipRight(close, Effect.sync(() => counted.counts().running))
        )
        const exit = yield* Fiber.await(closer)
        if (Exit.isSuccess(exit)) expect(exit.value).toBe(0)
        // one that was interrupted before its first step has closed nothing
        yield* close
        for (const fiber of fibers) {
          const asked = yield* Fiber.join(fiber)
          if (Exit.isFailure(asked.exit)) {
            expect(asked.exit).toMatchObject({ cause: { error: { _tag: "RestartCoalescerClosed" } } })
          }
        }
        expect((yield* counted.ask("requested")).exit).toMatchObject({
          cause: { error: { _tag: "RestartCoalescerClosed" } }
        })
        yield* over(counted)
      }),
    { interruptAt: "every-step", schedules: 2000 }
  )

  it.interleaved(
    "RC1 RC3 one of those who ask while a cycle runs: there is exactly one cycle more, and never two at once",
    () =>
      Effect.gen(function*() {
        const counted = yield* counting(Effect.sleep("1 second"))
        yield* counted.restarts.submit("a", "changed")
        yield* Effect.sleep("10 millis")
        const leaving = yield* Interleave.victim(counted.ask("changed"))
        const staying = yield* Effect.forEach(
          ["changed", "requested"] as const,
          (cause) => Effect.fork(counted.ask(cause))
        )
        for (const fiber of staying) expect((yield* Fiber.join(fiber)).exit).toEqual(Exit.succeed(2))
        yield* Fiber.await(leaving)
        yield* over(counted)
        expect(counted.counts().started).toBe(2)
      }),
    { interruptAt: "every-step", schedules: 1000 }
  )

  it.interleaved(
    "RC7 RC9 a health probe of an agent that boots: it starts no cycle, and its key is forgotten",
    () =>
      Effect.gen(function*() {
        const counted = yield* counting(Effect.sleep("1 second"), { settle: "1 minute" })
        yield* counted.restarts.submit("a", "failed")
        const probing = yield* Interleave.victim(
          Effect.flatMap(
            Interleave.choose("it probes after", [0, 1000, 30_000]),
            (millis) => Effect.zipRight(Effect.sleep(millis), counted.ask("failed"))
          )
        )
        expect((yield* counted.ask("failed")).exit).toEqual(Exit.succeed(1))
        yield* Fiber.await(probing)
        yield* over(counted)
        expect(counted.counts().started).toBe(1)
      }),
    { interruptAt: "every-step", schedules: 1000 }
  )

  it.interleaved(
    "RC8 a person who closes the circuit: it is closed or not, and what was accepted is done",
    () =>
      Effect.gen(function*() {
        let broken = true
        const counted = yield* counting(Effect.suspend(() => broken ? Effect.fail("no image") : Effect.void), {
          settle: 0,
          backoff: { base: "1 second" },
          intensity: { max: 1, within: "1 minute" },
          coolDown: "10 seconds"
        })
        for (let i = 0; i < 2; i++) {
          yield* counted.ask("changed")
          yield* Effect.sleep("2 seconds")
        }
        expect(yield* counted.restarts.state("a")).toMatchObject({ _tag: "Open" })
        broken = false
        const accepted: Array<RestartCoalescer.Ticket<number, string>> = []
        const person = yield* Interleave.victim(
          Effect.flatMap(counted.restarts.submit("a", "requested"), (ticket) => {
            accepted.push(ticket)
            return ticket.await
          })
        )
        const { exit } = yield* counted.ask("changed")
        if (Exit.isSuccess(exit)) expect(exit.value).toBeGreaterThan(2)
        else expect(exit).toMatchObject({ cause: { error: { _tag: "RestartStorm" } } })
        yield* Fiber.await(person)
        for (const ticket of accepted) expect(yield* ticket.await).toBe(3)
        yield* Effect.sleep("10 seconds")
        expect((yield* counted.ask("changed")).exit).toMatchObject({ _tag: "Success" })
        yield* over(counted)
      }),
    { interruptAt: "every-step", schedules: 1000 }
  )
})

describe("RestartCoalescer, random orders", () => {
  it.interleaved("RC3 a burst while an agent boots ends in exactly two cycles", () =>
    Effect.gen(function*() {
      const counted = yield* counting(Effect.sleep("1 second"), { settle: "1 minute" })
      yield* counted.restarts.submit("a", "failed")
      yield* Effect.sleep("10 millis")
      const causes = ["failed", "changed", "requested", "failed", "changed"] as const
      const fibers = yield* Effect.forEach(causes, (cause) => Effect.fork(counted.ask(cause)))
      for (const [i, fiber] of fibers.entries()) {
        expect((yield* Fiber.join(fiber)).exit).toEqual(Exit.succeed(causes[i] === "failed" ? 1 : 2))
      }
      yield* over(counted)
      expect(counted.counts().started).toBe(2)
    }))

  it.interleaved(
    "RC1 RC2 requests, cancels and forgets of one key: never two cycles, and what was not given up is done",
    () =>
      Effect.gen(function*() {
        const counted = yield* counting(Effect.zipRight(Effect.yieldNow(), anyEnd))
        const fibers = yield* Effect.forEach(["changed", "requested"] as const, (cause) =>
          Effect.fork(counted.ask(cause)))
        yield* Effect.fork(counted.restarts.cancel("a"))
        const forgetting = yield* Effect.fork(counted.restarts.forget("a"))
        for (const fiber of fibers) {
          const { before, exit } = yield* Fiber.join(fiber)
          const givenUp = Exit.isFailure(exit) && counted.counts().started <= before
          if (givenUp) {
            expect(exit).toMatchObject({ cause: { error: { _tag: "RestartCancelled" } } })
          }
        }
        yield* Fiber.join(forgetting)
        yield* over(counted)
      }),
    { schedules: 1000 }
  )

  it.interleaved(
    "RC8 what was accepted is done when the circuit has opened and cooled, whoever asks meanwhile",
    () =>
      Effect.gen(function*() {
        const policy = {
          settle: 0,
          backoff: { base: "1 second" },
          intensity: { max: 1, within: "1 minute" },
          coolDown: "10 seconds"
        } as const
        const counted = yield* counting(Interleave.maybe("the cycle", Effect.yieldNow(), { fail: "no image" }), policy)
        const fibers = yield* Effect.forEach(
          [1, 2, 3, 4],
          (i) => Effect.fork(Effect.zipRight(Effect.sleep(i * 400), counted.ask("changed")))
        )
        for (const fiber of fibers) {
          const asked = yield* Fiber.join(fiber)
          const refused = Exit.isFailure(asked.exit) && asked.exit.cause._tag === "Fail" &&
            typeof asked.exit.cause.error !== "string"
          if (refused) expect(asked.exit).toMatchObject({ cause: { error: { _tag: "RestartStorm" } } })
          else followed(counted, asked)
        }
        yield* over(counted)
      }),
    { schedules: 1000 }
  )
})
