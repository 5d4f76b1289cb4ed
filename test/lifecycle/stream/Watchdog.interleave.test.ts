/** SM7 over many connections with one timer, in every order of steps. */
import { expect } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { Interleave } from "holdfast/testing"
import { it } from "holdfast/testing/vitest"
import * as Watchdog from "../../../src/lifecycle/stream/Watchdog.js"

const setup = Effect.gen(function*() {
  const watchdog = yield* Watchdog.make
  const clock = yield* Effect.clock
  const start = clock.unsafeCurrentTimeMillis()
  const found: Array<readonly [name: string, after: number]> = []
  const closed = new Set<string>()
  const watch = (name: string, idle: number) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const heartbeat = yield* watchdog.watch(idle, scope, () => {
        expect(closed).not.toContain(name)
        found.push([name, clock.unsafeCurrentTimeMillis() - start])
      })
      const close = Effect.zipRight(Scope.close(scope, Exit.void), Effect.sync(() => closed.add(name)))
      return { ...heartbeat, beat: heartbeat.beat, close: Effect.uninterruptible(close) }
    })
  return { found, watch }
})

it.interleaved(
  "SM7 whoever is silent is found on time and once, whoever beats or is held up is not, and whoever is closed never",
  () =>
    Effect.gen(function*() {
      const { found, watch } = yield* setup
      // each is due before the one that was watched before it
      const [beats, closes, silent] = [
        yield* watch("beats", 3000),
        yield* watch("closes", 2000),
        yield* watch("silent", 1000)
      ]
      const held = yield* watch("held up", 1000)
      const leaves = yield* watch("closes when it is due", 1000)
      yield* Effect.fork(Effect.delay(beats.beat, "2 seconds"))
      yield* Effect.fork(Effect.delay(closes.close, "1500 millis"))
      yield* Effect.fork(Effect.delay(leaves.close, "1 second"))
      yield* Effect.fork(held.hold(Effect.sleep("4 seconds")))
      yield* Effect.sleep("20 seconds")
      expect(found.filter(([name]) => name !== "closes when it is due").toSorted()).toStrictEqual([
        ["beats", 5000],
        ["held up", 5000],
        ["silent", 1000]
      ])
      yield* silent.close
    }),
  { schedules: 500 }
)

it.interleaved(
  "SM7 whoever comes to be watched is watched or not, wherever it is interrupted, and the others are all the same",
  () =>
    Effect.gen(function*() {
      const { found, watch } = yield* setup
      yield* watch("first", 2000)
      const coming = yield* Interleave.victim(watch("victim", 1000))
      const last = yield* Clock.currentTimeMillis
      yield* watch("last", 1500)
      expect(yield* Clock.currentTimeMillis).toBe(last)
      yield* Fiber.await(coming)
      yield* Effect.sleep("20 seconds")
      expect(found.filter(([name]) => name !== "victim")).toStrictEqual([["last", 1500], ["first", 2000]])
    }),
  { interruptAt: "every-step", schedules: 500 }
)
