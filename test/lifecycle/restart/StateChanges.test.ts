import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { idle, type State } from "../../../src/lifecycle/restart/RestartState.js"
import * as StateChanges from "../../../src/lifecycle/restart/StateChanges.js"

const running: State = { _tag: "Running", causes: ["changed"], since: 0 }

/** What keys are at, in the hands of the test; `looks` counts how often it was asked. */
const setup = () => {
  const states = new Map<number, State>()
  let looks = 0
  const changes = StateChanges.make<number>({
    busy: () => states.keys(),
    state: (key) => {
      looks++
      return states.get(key) ?? idle
    }
  })
  const set = (key: number, state: State) => {
    if (state._tag === "Idle") states.delete(key)
    else states.set(key, state)
    changes.tell(key)
  }
  return { changes, set, looks: () => looks }
}

const settle = Effect.repeatN(Effect.yieldNow(), 10)

describe("StateChanges", () => {
  it.scoped("a subscriber that lags holds only what is busy and what it knows as busy, however many came and went", () =>
    Effect.gen(function*() {
      const { changes, looks, set } = setup()
      const gate = yield* Deferred.make<void>()
      const told: Array<readonly [key: number, tag: State["_tag"]]> = []
      yield* Effect.fork(
        Stream.runForEach(changes.stream, ({ key, state }) =>
          Effect.zipLeft(
            Effect.sync(() => told.push([key, state._tag])),
            Deferred.await(gate)
          ))
      )
      yield* settle
      set(0, running)
      yield* settle
      for (let key = 1; key <= 10_000; key++) {
        set(key, running)
        set(key, idle)
      }
      set(0, idle)
      set(-1, running)
      const before = looks()
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      expect(told).toEqual([[0, "Running"], [0, "Idle"], [-1, "Running"]])
      expect(looks() - before).toBe(2)
    }))

  it.scoped("each subscriber hears for itself, and one that has left costs nothing", () =>
    Effect.gen(function*() {
      const { changes, looks, set } = setup()
      set(1, running)
      expect(looks()).toBe(0)
      const [one, two] = yield* Effect.all([
        Effect.fork(Stream.runCollect(Stream.take(changes.stream, 1))),
        Effect.fork(Stream.runCollect(Stream.take(changes.stream, 2)))
      ])
      expect([...(yield* Fiber.join(one))]).toEqual([{ key: 1, state: running }])
      set(1, idle)
      expect([...(yield* Fiber.join(two))].map(({ state }) => state._tag)).toEqual(["Running", "Idle"])
      const before = looks()
      set(2, running)
      expect(looks()).toBe(before)
    }))

  it.scoped("closing ends the streams, those that come later at once, and what was told before is heard", () =>
    Effect.gen(function*() {
      const { changes, set } = setup()
      const listening = yield* Effect.fork(Stream.runCollect(changes.stream))
      yield* settle
      set(1, running)
      changes.close()
      expect([...(yield* Fiber.join(listening))]).toEqual([{ key: 1, state: running }])
      expect([...(yield* Stream.runCollect(changes.stream))]).toEqual([{ key: 1, state: running }])
    }))
})
