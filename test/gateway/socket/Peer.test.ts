import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import { leakFreeFile } from "holdfast/testing/vitest"
import { EventEmitter } from "node:events"
import type { Socket } from "node:net"
import type { WebSocket } from "ws"
import * as Peer from "../../../src/gateway/socket/Peer.js"

leakFreeFile()

/** A connection whose other end takes what it is sent when it is told to, and says nothing unless it is told to. */
const connection = () => {
  const written: Array<() => void> = []
  const counts = { pings: 0, cut: false }
  const ws = Object.assign(new EventEmitter(), {
    isPaused: false,
    bufferedAmount: 0,
    send: (_: string, taken?: () => void) => void written.push(taken ?? (() => {})),
    ping: () => void counts.pings++,
    terminate: () => {
      counts.cut = true
    }
  })
  const socket = { bytesRead: 0, cork: () => {}, uncork: () => {} }
  return {
    // what of them a peer uses
    peer: Peer.make(ws as unknown as WebSocket, socket as unknown as Socket, () => {}),
    counts,
    takes: () => written.shift()?.(),
    says: () => void socket.bytesRead++
  }
}

const beat = TestClock.adjust("1 seconds")

describe("SM7 of a peer", () => {
  it.scoped("that says nothing, and takes nothing, three beats are waited for", () =>
    Effect.gen(function*() {
      const { counts, peer } = connection()
      yield* Effect.forkScoped(peer.watch("1 seconds"))
      yield* Effect.forkScoped(peer.send(["a"]))
      yield* Effect.repeatN(beat, 1)
      expect(counts).toEqual({ pings: 2, cut: false })
      yield* beat
      expect(counts.cut).toBe(true)
    }))

  it.scoped("whatever it says is a sign of life", () =>
    Effect.gen(function*() {
      const { counts, peer, says } = connection()
      yield* Effect.forkScoped(peer.watch("1 seconds"))
      yield* Effect.repeatN(Effect.zipRight(Effect.sync(says), beat), 9)
      expect(counts).toEqual({ pings: 10, cut: false })
    }))

  it.scoped("that it takes what had to wait for it is one, also when it comes to no ping", () =>
    Effect.gen(function*() {
      const { counts, peer, takes } = connection()
      yield* Effect.forkScoped(peer.watch("1 seconds"))
      yield* Effect.forkScoped(Effect.forever(peer.send(["a"])))
      // the first has not waited yet
      yield* beat
      yield* Effect.repeatN(Effect.zipRight(Effect.sync(takes), beat), 9)
      expect(counts.cut).toBe(false)
      yield* Effect.repeatN(beat, 2)
      expect(counts.cut).toBe(true)
    }))

  it.scoped("that the kernel takes at once what it is sent is none", () =>
    Effect.gen(function*() {
      const { counts, peer, takes } = connection()
      yield* Effect.forkScoped(peer.watch("1 seconds"))
      const sent = Effect.zipRight(
        Effect.fork(peer.send(["a"])),
        Effect.zipRight(Effect.yieldNow(), Effect.sync(takes))
      )
      yield* Effect.repeatN(Effect.zipRight(sent, beat), 2)
      expect(counts.cut).toBe(true)
    }))
})
