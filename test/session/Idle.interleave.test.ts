/** The sweep that puts sessions to sleep, interrupted at every step, as its layer's close does. */
import { describe, expect } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Interleave } from "holdfast/testing"
import { it } from "holdfast/testing/vitest"
import { SessionId } from "../../src/domain/Ids.js"
import * as Idle from "../../src/session/Idle.js"

describe("sweep", () => {
  it.interleaved("ends when it is interrupted anywhere, with all that it had begun", () =>
    Effect.gen(function*() {
      const entries = ["ses_a", "ses_b"].map((id) => [SessionId.make(id), { users: 0, usedAt: 0 }] as const)
      let open = 0
      const sweep = Idle.sweep({
        after: Duration.seconds(8),
        all: () => entries,
        isUnused: () => true,
        rest: () =>
          Effect.acquireUseRelease(
            Effect.sync(() => open++),
            () => Effect.sleep("1 second"),
            () => Effect.sync(() => open--)
          )
      })
      const sweeping = yield* Interleave.victim(sweep)
      yield* Effect.sleep("4 seconds")
      yield* Fiber.interrupt(sweeping)
      expect(open).toBe(0)
    }), { interruptAt: "every-step" })
})
