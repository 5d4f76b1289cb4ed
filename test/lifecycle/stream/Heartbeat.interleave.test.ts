/** SM7 when the one who reads, and beats, is interrupted wherever it is. */
import { expect } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Interleave } from "holdfast/testing"
import { it } from "holdfast/testing/vitest"
import * as Heartbeat from "../../../src/lifecycle/stream/Heartbeat.js"

it.interleaved(
  "SM7 a reader that is gone is found out by its silence, and one that beats, or is held up, is not taken for silent",
  () =>
    Effect.gen(function*() {
      const heartbeat = yield* Heartbeat.make({ idle: "1 second", scope: yield* Effect.scope })
      let last = yield* Clock.currentTimeMillis
      const heard = Effect.map(Clock.currentTimeMillis, (now) => last = now)
      const reader = yield* Interleave.victim(
        Effect.gen(function*() {
          for (let i = 0; i < 2; i++) {
            yield* Effect.sleep("600 millis")
            yield* heartbeat.beat
            yield* heard
          }
          yield* heartbeat.hold(Effect.sleep("5 seconds"))
          yield* heard
        })
      )
      yield* heartbeat.silence
      const quiet = (yield* Clock.currentTimeMillis) - last
      expect(quiet).toBeGreaterThanOrEqual(1000)
      // interrupted after a beat that it could not note, or while it was held up: then the clock starts anew
      expect(quiet).toBeLessThanOrEqual(1000 + 5000 + 1000)
      // it is never found silent while it reads
      expect((yield* Fiber.poll(reader))._tag).toBe("Some")
    }),
  { interruptAt: "every-step", schedules: 500 }
)
