import { describe, expect } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import * as Inbox from "../../../src/lifecycle/stream/Inbox.js"
import * as Requests from "../../../src/lifecycle/stream/Requests.js"
import * as StreamManager from "../../../src/lifecycle/StreamManager.js"

leakFreeFile()

/** A wire that has so many chunks, then waits for ever or ends as told. */
const wire = (chunks: ReadonlyArray<ReadonlyArray<string>>, end?: Option.Option<string>) => {
  let read = 0
  const pull: Inbox.Pull<string, string> = Effect.suspend(() => {
    const chunk = chunks[read]
    if (chunk === undefined) return end === undefined ? Effect.never : Effect.fail(end)
    read++
    return Effect.succeed(Chunk.unsafeFromArray([...chunk]))
  })
  return { pull, read: () => read }
}

const settle = TestClock.adjust(0)

describe("Inbox", () => {
  it.scoped("handles what came in order, one at a time, and returns when all is handled", () =>
    Effect.gen(function*() {
      const handled: Array<string> = []
      const { pull } = wire([["a", "b"], ["c"], [], ["d"]], Option.none())
      const draining = yield* Effect.fork(Inbox.drain(pull, {
        handle: (message) => Effect.delay(Effect.sync(() => void handled.push(message)), "1 second")
      }))
      yield* TestClock.adjust("3 seconds")
      expect(handled).toStrictEqual(["a", "b", "c"])
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(draining)
      expect(handled).toStrictEqual(["a", "b", "c", "d"])
    }))

  it.scoped("a burst before a cut is handled before the cut is told", () =>
    Effect.gen(function*() {
      const handled: Array<string> = []
      const { pull } = wire([["a", "b", "c"]], Option.some("cut"))
      const draining = yield* Effect.fork(Effect.exit(Inbox.drain(pull, {
        handle: (message) => Effect.delay(Effect.sync(() => void handled.push(message)), "1 second"),
        capacity: 1
      })))
      yield* TestClock.adjust("3 seconds")
      expect(yield* Fiber.join(draining)).toStrictEqual(Exit.fail("cut"))
      expect(handled).toStrictEqual(["a", "b", "c"])
    }))

  it.scoped("SM8 a full buffer stops the reading, and drops nothing", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const handled: Array<string> = []
      const messages = Array.from({ length: 100 }, (_, index) => [`${index}`])
      const { pull, read } = wire(messages, Option.none())
      const draining = yield* Effect.fork(Inbox.drain(pull, {
        handle: (message) => Effect.zipRight(Deferred.await(gate), Effect.sync(() => void handled.push(message))),
        capacity: 8
      }))
      yield* settle
      // those in the buffer, and the one that is handled
      expect(read()).toBe(9)
      yield* Deferred.succeed(gate, void 0)
      yield* Fiber.join(draining)
      expect(handled).toStrictEqual(messages.flat())
    }))

  it.scoped("SM8 a handler that waits for a response gets it: it is not on the read loop", () =>
    Effect.gen(function*() {
      const requests = Requests.make<string, string>()
      const calls = yield* requests.bind(() => Effect.void)
      const handled: Array<string> = []
      const { pull } = wire([["ask"], ["more"], ["response 1"]], Option.none())
      yield* Inbox.drain(pull, {
        route: (message) => message.startsWith("response") && calls.resolve(message.slice(9), message),
        handle: (message) =>
          message === "ask"
            ? Effect.map(Effect.orDie(calls.request("")), (response) => void handled.push(response))
            : Effect.sync(() => void handled.push(message))
      })
      expect(handled).toStrictEqual(["response 1", "more"])
    }))

  it.scoped("SM9 a handler that waits for a response when the connection ends is told, and the end is told then", () =>
    Effect.gen(function*() {
      const requests = Requests.make<string, string>()
      const calls = yield* requests.bind(() => Effect.void)
      const { pull } = wire([["ask"]], Option.none())
      const error = yield* Effect.flip(Inbox.drain(pull, {
        ended: () => calls.end("the wire is cut"),
        handle: () => calls.request("")
      }))
      expect(error).toMatchObject({ _tag: "RequestAborted" })
    }))

  it.scoped("a handler that fails ends it at once", () =>
    Effect.gen(function*() {
      const { pull } = wire([["a", "b"]])
      const handled: Array<string> = []
      const handle = (message: string) =>
        Effect.zipRight(Effect.sync(() => void handled.push(message)), Effect.fail("no"))
      expect(yield* Effect.exit(Inbox.drain(pull, { handle }))).toStrictEqual(Exit.fail("no"))
      expect(handled).toStrictEqual(["a"])
    }))

  it.scoped("SM7 reading is a sign of life, and a full buffer is no silence of the peer", () =>
    Effect.gen(function*() {
      const streams = yield* StreamManager.make
      const { pull } = wire([["a"], ["b"], ["c"]])
      const ends: Array<unknown> = []
      yield* streams.attach("a", {
        connect: Effect.void,
        run: (_connection, heartbeat) =>
          Inbox.drain(pull, { heartbeat, capacity: 1, handle: () => Effect.sleep("5 minutes") }),
        idle: "30 seconds",
        redial: "never",
        onEnd: ({ reason }) => Effect.sync(() => void ends.push(reason))
      })
      // "a" is handled and "b" fills the buffer, then "b" and "c"; then there is room, and nothing more comes
      yield* TestClock.adjust("10 minutes")
      yield* TestClock.adjust("29 seconds")
      expect(ends).toStrictEqual([])
      yield* TestClock.adjust("30 seconds")
      expect(ends).toStrictEqual(["Silent"])
    }))

  it.scoped("SM8 a handler can detach its own stream, and does not wait for itself", () =>
    Effect.gen(function*() {
      const streams = yield* StreamManager.make
      const { pull } = wire([["bye"]])
      const handle = yield* streams.attach("a", {
        connect: Effect.void,
        run: () => Inbox.drain(pull, { handle: () => Effect.uninterruptible(streams.detach("a", "it said bye")) })
      })
      expect(yield* handle.ended).toMatchObject({ reason: "Detached", message: "it said bye" })
    }))
})
