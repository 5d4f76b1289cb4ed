/**
 * Streams as one writes them first. Each has the bug of one of the systems that Holdfast learns from; `docs/races.md` tells of them.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Queue from "effect/Queue"
import type { Socket } from "./Wire.js"

export const dialInFlight = (dial: Effect.Effect<Socket>) => {
  const sockets = new Set<Socket>()
  const attach = Effect.map(dial, (socket) => sockets.add(socket)) // a close may have come and gone meanwhile
  const close = Effect.suspend(() => Effect.forEach(sockets, (socket) => socket.close, { discard: true }))
  return { attach, close }
}

export const publishedFirst = (read: Effect.Effect<void>) =>
  Effect.gen(function*() {
    const streams = new Map<string, Fiber.RuntimeFiber<void>>()
    const drain = yield* FiberSet.make<void>()
    const attach = (key: string) =>
      Effect.gen(function*() {
        const reader = yield* Effect.forkDaemon(read)
        streams.set(key, reader) // published: it is found and used
        yield* FiberSet.add(drain, reader) // registered: a close waits for it
      })
    return { attach, close: FiberSet.clear(drain) }
  })

export const checkThenDial = (dial: Effect.Effect<Socket>) => {
  const streams = new Map<string, Socket>()
  const attach = (key: string) =>
    Effect.gen(function*() {
      if (streams.has(key)) return yield* Effect.fail("already attached")
      streams.set(key, yield* dial)
    })
  const close = Effect.suspend(() => Effect.forEach(streams.values(), (socket) => socket.close, { discard: true }))
  return { attach, close }
}

export const oneField = (dial: Effect.Effect<Socket>) => {
  let current: Socket | undefined
  const forget = Effect.sync(() => current = undefined)
  const attach = Effect.gen(function*() {
    const socket = yield* dial
    current = socket
    yield* Effect.forkDaemon(Effect.zipRight(socket.ended, forget)) // the reader, and its clean-up
  })
  const detach = Effect.suspend(() => current === undefined ? Effect.void : current.close)
  return { attach, detach, current: () => current }
}

export const deafSleep = (connect: Effect.Effect<void>) =>
  Effect.gen(function*() {
    let closed = false
    const once = Effect.zipRight(connect, Effect.sleep("30 seconds"))
    const keeper = yield* Effect.forkDaemon(Effect.repeat(once, { until: () => closed }))
    const close = Effect.suspend(() => {
      closed = true
      return Fiber.join(keeper)
    })
    return { close }
  })

export const handleOnReadLoop = (
  take: Effect.Effect<{ readonly type: "event" | "response"; readonly text: string }>,
  handle: (event: string, response: Effect.Effect<string>) => Effect.Effect<void>
) =>
  Effect.gen(function*() {
    const responses = yield* Queue.unbounded<string>()
    return yield* Effect.forever(Effect.flatMap(take, ({ text, type }) =>
      type === "response"
        ? Queue.offer(responses, text)
        : handle(text, Queue.take(responses)))) // reads on when the handler is done
  })

export const pendingForEver = (send: (id: number) => Effect.Effect<void>) => {
  const pending = new Map<number, Deferred.Deferred<string, "disconnected">>()
  const request = (id: number) =>
    Effect.gen(function*() {
      const response = yield* Deferred.make<string, "disconnected">()
      yield* send(id)
      pending.set(id, response)
      return yield* Deferred.await(response)
    })
  const fail = () => Effect.forEach(pending.values(), Deferred.fail("disconnected"), { discard: true })
  return { request, disconnected: Effect.suspend(fail) }
}

export const unconditionalDelete = (session: string, listen: Effect.Effect<void>) => {
  const listeners = new Map<string, Fiber.RuntimeFiber<void>>()
  const listener = Effect.ensuring(listen, Effect.sync(() => listeners.delete(session)))
  const start = Effect.gen(function*() {
    if (!listeners.has(session)) listeners.set(session, yield* Effect.forkDaemon(listener))
  })
  const stop = Effect.suspend(() => {
    const fiber = listeners.get(session)
    return listeners.delete(session) && fiber ? Fiber.interruptFork(fiber) : Effect.void
  })
  return { start, stop }
}
