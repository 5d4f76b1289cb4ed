/** The lock in every order of operations, and with one of those who want it interrupted at each of its steps. */
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { Interleave } from "holdfast/testing"
import { it } from "holdfast/testing/vitest"
import * as Lock from "../../src/session/Lock.js"

/** A lock, and a section under it that finds out who else is in it, and notes who was. */
const setup = () => {
  const lock = Lock.make()
  const entered: Array<string> = []
  let inside = 0
  const section = (name: string, body: Effect.Effect<void> = Effect.void) =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        expect(++inside).toBe(1)
        entered.push(name)
      }),
      () => body,
      () => Effect.sync(() => inside--)
    )
  return { lock, entered, section, enter: (name: string, body?: Effect.Effect<void>) => lock(section(name, body)) }
}

const exhaustively = (
  name: string,
  program: () => Effect.Effect<unknown, never, Scope.Scope>,
  options: Interleave.Options
) => it.interleaved(name, program, { ...options, exhaustive: true }, 120_000)

/** As plain as can be: each operation more multiplies the schedules. */
const plain = (count: number) =>
  Effect.gen(function*() {
    const lock = Lock.make()
    let [inside, total] = [0, 0]
    const section = lock(Effect.suspend(() => {
      expect(++inside).toBe(1)
      return Effect.sync(() => {
        total += inside--
      })
    }))
    const others = yield* Effect.replicateEffect(Effect.fork(section), count - 1)
    yield* section
    for (const other of others) yield* Fiber.join(other)
    expect(total).toBe(count)
  })

describe("Lock", () => {
  exhaustively("two go one at a time (exhaustive: all schedules with four preemptions)", () => plain(2), {
    strategy: Interleave.exhaustive({ preemptions: 4 })
  })
  exhaustively("three go one at a time (exhaustive: all schedules with two preemptions)", () => plain(3), {
    strategy: Interleave.exhaustive({ preemptions: 2 })
  })

  const interrupted = (count: number) => () =>
    Effect.gen(function*() {
      const { enter, entered } = setup()
      const holder = yield* Effect.fork(enter("holder"))
      const victim = yield* Interleave.victim(enter("victim"))
      const others: Array<Fiber.RuntimeFiber<void>> = []
      for (let i = 2; i < count; i++) others.push(yield* Effect.fork(enter("other")))
      for (const fiber of [holder, ...others]) yield* Fiber.join(fiber)
      const exit = yield* Fiber.await(victim)
      expect(Exit.isSuccess(exit) || Exit.isInterrupted(exit)).toBe(true)
      // whatever became of it, nobody has the lock
      yield* enter("last")
      expect(entered.filter((name) => name !== "victim")).toHaveLength(count)
    })

  exhaustively(
    "who is interrupted, waiting or inside, leaves it to the next (exhaustive: each step, with one preemption)",
    interrupted(2),
    { strategy: Interleave.exhaustive({ preemptions: 1 }), interruptAt: "every-step" }
  )
  it.interleaved(
    "the same with others that wait behind it",
    interrupted(4),
    { interruptAt: "every-step", schedules: 2000 }
  )

  it.interleaved(
    "those who wait go in the order in which they came, and nobody overtakes them",
    () =>
      Effect.gen(function*() {
        const { enter, entered, lock, section } = setup()
        const came: Array<string> = []
        // who asks is noted in the step in which it is found that the lock is held
        const want = (name: string) => Effect.zipRight(Effect.sync(() => void came.push(name)), enter(name))
        const holder = yield* Effect.fork(lock(section("holder", Effect.sleep("1 second"))))
        yield* Effect.sleep("1 millis")
        const waiting: Array<Fiber.RuntimeFiber<void>> = []
        for (const name of ["a", "b", "c"]) {
          waiting.push(yield* Effect.fork(want(name)))
          yield* Effect.sleep("1 millis")
        }
        // comes at the moment at which the lock is handed over
        waiting.push(yield* Effect.fork(Effect.delay(enter("late"), "997 millis")))
        for (const fiber of [holder, ...waiting]) yield* Fiber.join(fiber)
        expect(entered).toStrictEqual(["holder", ...came, "late"])
      }),
    { schedules: 1000 }
  )

  it.effect("it is kept until the finalizers of what runs under it are done", () =>
    Effect.gen(function*() {
      const lock = Lock.make()
      const done: Array<string> = []
      const first = yield* Effect.fork(lock(
        Effect.onInterrupt(Effect.async<void>(() => {}), () =>
          Effect.zipRight(Effect.yieldNow(), Effect.sync(() => done.push("finalized"))))
      ))
      yield* Effect.yieldNow()
      const second = yield* Effect.fork(lock(Effect.sync(() =>
        done.push("second")
      )))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(first)
      yield* Fiber.join(second)
      expect(done).toStrictEqual(["finalized", "second"])
    }))

  it.effect("a failure and a defect of what runs under it let it go", () =>
    Effect.gen(function*() {
      const lock = Lock.make()
      expect(yield* Effect.exit(lock(Effect.fail("no")))).toStrictEqual(Exit.fail("no"))
      expect(yield* Effect.exit(lock(Effect.die("bug")))).toStrictEqual(Exit.die("bug"))
      expect(yield* lock(Effect.succeed(1))).toBe(1)
    }))
})
