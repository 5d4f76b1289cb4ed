import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { leakFreeFile } from "holdfast/testing/vitest"
import { SessionId } from "../../src/domain/Ids.js"
import type { LogEntry } from "../../src/log/EventStore.js"
import * as LiveEdge from "../../src/log/LiveEdge.js"
import { other, session, settle } from "./fixture.js"

leakFreeFile()

const entries = (first: number, count: number, json = "{}"): ReadonlyArray<LogEntry> =>
  Array.from({ length: count }, (_, index) => ({ seq: first + index, type: "TextChunk", json }))

const seqs = (page: Iterable<LogEntry>) => Array.from(page, ({ seq }) => seq)

const turn = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))

describe("LiveEdge", () => {
  it.scoped("the window has what came since someone follows, and nothing of what came before", () =>
    Effect.gen(function*() {
      const edge = LiveEdge.make()
      edge.show(session, entries(1, 3))
      yield* edge.follow(session)
      expect(seqs(edge.after(session, 0))).toStrictEqual([])
      edge.show(session, entries(4, 3))
      expect(seqs(edge.after(session, 3))).toStrictEqual([4, 5, 6])
      expect(seqs(edge.after(session, 5))).toStrictEqual([6])
      expect(seqs(edge.after(session, 2))).toStrictEqual([])
      expect(seqs(edge.after(session, 6))).toStrictEqual([])
    }))

  it.scoped("EL2 the window has no hole where nobody followed for a while", () =>
    Effect.gen(function*() {
      const edge = LiveEdge.make()
      yield* Effect.scoped(Effect.map(edge.follow(session), () => edge.show(session, entries(1, 3))))
      edge.show(session, entries(4, 3))
      yield* edge.follow(session)
      edge.show(session, entries(7, 1))
      expect(seqs(edge.after(session, 3))).toStrictEqual([])
      expect(seqs(edge.after(session, 6))).toStrictEqual([7])
    }))

  it.scoped("EL2 who asks to be woken for what has been shown already is not left waiting, nor after the close", () =>
    Effect.gen(function*() {
      const edge = LiveEdge.make()
      const follower = yield* edge.follow(session)
      edge.show(session, entries(1, 3))
      const asked = yield* Effect.fork(edge.changed(follower, 2))
      yield* settle
      expect(Option.isSome(yield* Fiber.poll(asked))).toBe(true)
      const waiting = yield* Effect.fork(edge.changed(follower, 3))
      yield* settle
      expect(Option.isNone(yield* Fiber.poll(waiting))).toBe(true)
      edge.close()
      yield* Fiber.join(waiting)
      const late = yield* Effect.fork(edge.changed(follower, 3))
      yield* settle
      expect(Option.isSome(yield* Fiber.poll(late))).toBe(true)
    }))

  it.scoped("EL3 all windows together are bounded in events, the oldest go first", () =>
    Effect.gen(function*() {
      const edge = LiveEdge.make()
      yield* edge.follow(session)
      yield* edge.follow(other)
      edge.show(other, entries(1, 10))
      for (let i = 0; i < 100; i++) edge.show(session, entries(1 + i * 100, 100))
      expect(seqs(edge.after(other, 0))).toStrictEqual([])
      expect(seqs(edge.after(session, 10_000 - 8192))).toStrictEqual([])
      expect(seqs(edge.after(session, 10_000 - 8100))[0]).toBe(10_000 - 8099)
    }))

  it.scoped("EL3 all windows together are bounded in characters", () =>
    Effect.gen(function*() {
      const edge = LiveEdge.make()
      const ids = Array.from({ length: 100 }, (_, index) => SessionId.make(`ses_${index}`))
      yield* Effect.forEach(ids, edge.follow)
      for (const id of ids) edge.show(id, entries(1, 1, "x".repeat(1024 * 1024)))
      expect(ids.filter((id) => edge.after(id, 0).length > 0)).toStrictEqual(ids.slice(-4))
      edge.show(session, entries(2, 1, "x".repeat(5 * 1024 * 1024)))
      expect(ids.flatMap((id) => seqs(edge.after(id, 0)))).toStrictEqual([])
    }))

  it.scoped("those who have come equally far are given the same page, until there is more", () =>
    Effect.gen(function*() {
      const edge = LiveEdge.make()
      yield* edge.follow(session)
      edge.show(session, entries(1, 3))
      const page = edge.after(session, 0)
      expect(edge.after(session, 0)).toBe(page)
      expect(seqs(edge.after(session, 1))).toStrictEqual([2, 3])
      edge.show(session, entries(4, 1))
      expect(seqs(edge.after(session, 0))).toStrictEqual([1, 2, 3, 4])
    }))

  it.scoped("a few are woken by each event at once; many by those of some turns of the event loop together", () =>
    Effect.gen(function*() {
      const edge = LiveEdge.make()
      const wakes = (count: number) =>
        Effect.gen(function*() {
          let woken = 0
          const followers = yield* Effect.replicateEffect(edge.follow(session), count)
          const register = () => {
            for (const follower of followers) follower.wake = () => woken++
          }
          register()
          edge.show(session, entries(1, 1))
          const atOnce = woken
          for (let seq = 2; seq < 100 && woken === 0; seq++) {
            edge.show(session, entries(seq, 1))
            yield* turn
          }
          const { head } = followers[0] ?? { head: 0 }
          return { atOnce, woken, head }
        }).pipe(Effect.scoped)
      expect(yield* wakes(7)).toStrictEqual({ atOnce: 7, woken: 7, head: 1 })
      const many = yield* wakes(50)
      expect(many).toMatchObject({ atOnce: 0, woken: 50 })
      expect(many.head).toBeGreaterThan(3)
      expect(many.head).toBeLessThan(20)
    }))

  it.scoped("EL7 many who wait for a wave are woken by the close", () =>
    Effect.gen(function*() {
      const edge = LiveEdge.make()
      let woken = 0
      for (const follower of yield* Effect.replicateEffect(edge.follow(session), 50)) follower.wake = () => woken++
      edge.show(session, entries(1, 1))
      edge.close()
      expect(woken).toBe(50)
      yield* Effect.repeatN(turn, 20)
      expect(woken).toBe(50)
    }))

  it.scoped("EL6 what was trimmed is shown no more, and what comes next is", () =>
    Effect.gen(function*() {
      const edge = LiveEdge.make()
      yield* edge.follow(session)
      edge.show(session, entries(1, 3))
      edge.forget(session)
      expect(seqs(edge.after(session, 0))).toStrictEqual([])
      edge.show(session, entries(4, 1))
      expect(seqs(edge.after(session, 3))).toStrictEqual([4])
    }))
})
