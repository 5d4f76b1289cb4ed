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

const seqs = (entries: ReadonlyArray<LogEntry>) => entries.map(({ seq }) => seq)

describe("LiveEdge", () => {
  it.scoped("the window has what came since someone follows, and nothing of what came before", () =>
    Effect.gen(function*() {
      const edge = LiveEdge.make()
      edge.show(session, entries(1, 3))
      yield* edge.follow(session)
      expect(edge.after(session, 0)).toStrictEqual([])
      edge.show(session, entries(4, 3))
      expect(seqs(edge.after(session, 3))).toStrictEqual([4, 5, 6])
      expect(seqs(edge.after(session, 5))).toStrictEqual([6])
      expect(edge.after(session, 2)).toStrictEqual([])
      expect(edge.after(session, 6)).toStrictEqual([])
    }))

  it.scoped("EL2 the window has no hole where nobody followed for a while", () =>
    Effect.gen(function*() {
      const edge = LiveEdge.make()
      yield* Effect.scoped(Effect.map(edge.follow(session), () => edge.show(session, entries(1, 3))))
      edge.show(session, entries(4, 3))
      yield* edge.follow(session)
      edge.show(session, entries(7, 1))
      expect(edge.after(session, 3)).toStrictEqual([])
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
      expect(edge.after(other, 0)).toStrictEqual([])
      expect(edge.after(session, 10_000 - 8192)).toStrictEqual([])
      expect(edge.after(session, 10_000 - 8100)[0]?.seq).toBe(10_000 - 8099)
    }))

  it.scoped("EL3 all windows together are bounded in characters", () =>
    Effect.gen(function*() {
      const edge = LiveEdge.make()
      const ids = Array.from({ length: 100 }, (_, index) => SessionId.make(`ses_${index}`))
      yield* Effect.forEach(ids, edge.follow)
      for (const id of ids) edge.show(id, entries(1, 1, "x".repeat(1024 * 1024)))
      expect(ids.filter((id) => edge.after(id, 0).length > 0)).toStrictEqual(ids.slice(-4))
      edge.show(session, entries(2, 1, "x".repeat(5 * 1024 * 1024)))
      expect(ids.flatMap((id) => edge.after(id, 0))).toStrictEqual([])
    }))

  it.scoped("EL6 what was trimmed is shown no more, and what comes next is", () =>
    Effect.gen(function*() {
      const edge = LiveEdge.make()
      yield* edge.follow(session)
      edge.show(session, entries(1, 3))
      edge.forget(session)
      expect(edge.after(session, 0)).toStrictEqual([])
      edge.show(session, entries(4, 1))
      expect(seqs(edge.after(session, 3))).toStrictEqual([4])
    }))
})
