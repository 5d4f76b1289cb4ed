/** SM8 in every order of the reading and the handling, and with each of them interrupted anywhere. */
import { describe, expect } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { Interleave } from "holdfast/testing"
import { it } from "holdfast/testing/vitest"
import * as Inbox from "../../../src/lifecycle/stream/Inbox.js"

const messages = [1, 2, 3, 4, 5]
const capacity = 1

/** A wire with one message in each pull, and a handler that takes its time: never may more be read than handled and in the buffer. */
const wire = () => {
  const handled: Array<number> = []
  let read = 0
  const pull: Inbox.Pull<number, never> = Effect.suspend(() => {
    // one is handled, `capacity` wait, and one was read and has no room
    expect(read - handled.length).toBeLessThanOrEqual(1 + capacity + 1)
    const message = messages[read]
    if (message === undefined) return Effect.fail(Option.none())
    read++
    return Effect.as(Effect.yieldNow(), Chunk.of(message))
  })
  const handle = (message: number) => Effect.zipRight(Effect.yieldNow(), Effect.sync(() => void handled.push(message)))
  return { pull, handle, handled, read: () => read }
}

describe("Inbox", () => {
  it.interleaved("SM8 a full buffer stops the reading, and all is handled in order", () =>
    Effect.gen(function*() {
      const { handle, handled, pull } = wire()
      yield* Inbox.drain(pull, { handle, capacity })
      expect(handled).toStrictEqual(messages)
    }))

  it.interleaved(
    "SM8 who drains may be interrupted anywhere: what was handled is what came first, and nobody reads on",
    () =>
      Effect.gen(function*() {
        const { handle, handled, pull, read } = wire()
        const draining = yield* Interleave.victim(Effect.scoped(Inbox.drain(pull, { handle, capacity })))
        const exit = yield* Fiber.await(draining)
        expect(handled).toStrictEqual(messages.slice(0, handled.length))
        if (Exit.isSuccess(exit)) expect(handled).toHaveLength(messages.length)
        const before = read()
        yield* Effect.sleep("1 second")
        expect(read()).toBe(before)
      }),
    { interruptAt: "every-step" }
  )

  it.interleaved(
    "SM8 a handler that waits for a response holds up neither it nor the reading, also when it is interrupted anywhere",
    () =>
      Effect.gen(function*() {
        let answered = false
        const sent = [["question"], ["answer"]]
        const pull: Inbox.Pull<string, never> = Effect.suspend(() => {
          const next = sent.shift()
          return next === undefined
            ? Effect.zipRight(Effect.sleep("1 second"), Effect.fail(Option.none()))
            : Effect.succeed(Chunk.unsafeFromArray(next))
        })
        yield* Inbox.drain(pull, {
          capacity,
          route: (message) => message === "answer" && (answered = true),
          handle: () =>
            Effect.flatMap(
              Interleave.victim(Effect.zipRight(Effect.sleep("500 millis"), Effect.sync(() => answered))),
              Fiber.await
            )
        }).pipe(Effect.asVoid)
        expect(answered).toBe(true)
      }),
    { interruptAt: "every-step" }
  )
})
