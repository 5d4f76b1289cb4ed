import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as EventStream from "../../src/gateway/EventStream.js"
import type { LogEntry } from "../../src/log/EventLog.js"
import { entry, memoryLog, parseSse, session } from "./fixture.js"

leakFreeFile()

const entries = (count: number, text?: string) => Chunk.makeBy(count, (n) => entry(n + 1, text))
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const make = (limit = 10) => EventStream.make({ limit, heartbeat: "10 seconds" })
const cursor = { session: session.id, after: 0 }

describe("EventStream", () => {
  it.scoped("events that are ready together leave in one write", () =>
    Effect.gen(function*() {
      const body = yield* make().open("sse", Stream.fromChunk(entries(100)))
      const writes = Chunk.toArray(yield* Stream.runCollect(body)).map(decode)
      expect(writes.length).toBe(2)
      expect(writes[0]).toBe("retry: 1000\n\n")
      expect(parseSse(writes[1] ?? "").map(({ id }) => id)).toEqual(Chunk.toArray(Chunk.range(1, 100)))
      expect(writes[1]).toContain(`id: 7\nevent: TextChunk\ndata: ${entry(7).json}\n\n`)
    }))

  it.scoped("a write is bounded and holds whole events", () =>
    Effect.gen(function*() {
      const body = yield* make().open("sse", Stream.fromChunk(entries(1000, "x".repeat(1000))))
      const writes = Chunk.toArray(yield* Stream.runCollect(body)).map(decode)
      expect(Math.max(...writes.map((text) => text.length))).toBeLessThan(66 * 1024)
      expect(writes.length).toBeLessThan(25)
      expect(writes.slice(1).every((text) => text.startsWith("id: ") && text.endsWith("\n\n"))).toBe(true)
      expect(parseSse(writes.join("")).length).toBe(1000)
    }))

  it.scoped("NDJSON is one stored event a line, and its first write only sends the headers", () =>
    Effect.gen(function*() {
      const body = yield* make().open("ndjson", Stream.fromChunk(entries(2)))
      const writes = Chunk.toArray(yield* Stream.runCollect(body)).map(decode)
      expect(writes).toEqual(["", `${entry(1).json}\n${entry(2).json}\n`])
    }))

  it.scoped("a silent stream shows every 10 s that it lives", () =>
    Effect.gen(function*() {
      const log = memoryLog()
      const body = yield* make().open("sse", log.sessions.events(cursor))
      let text = ""
      yield* Effect.forkScoped(Stream.runForEach(body, (bytes) => Effect.sync(() => text += decode(bytes))))
      yield* TestClock.adjust("9 seconds")
      expect(text).toBe("retry: 1000\n\n")
      yield* TestClock.adjust("1 seconds")
      expect(text).toBe("retry: 1000\n\n: heartbeat\n\n")
      log.append(1)
      yield* TestClock.adjust("10 seconds")
      expect(text).toMatch(/^retry: 1000\n\n: heartbeat\n\nid: 1\n.*\ndata: .*\n\n: heartbeat\n\n$/)
    }))

  it.scoped("heartbeats do not heap up before a client that does not read", () =>
    Effect.gen(function*() {
      const body = yield* make().open("sse", Stream.never)
      const gate = yield* Deferred.make<void>()
      let text = ""
      yield* Effect.forkScoped(
        Stream.runForEach(body, (bytes) =>
          Effect.zipRight(
            text === "" ? Effect.void : Deferred.await(gate),
            Effect.sync(() => text += decode(bytes))
          ))
      )
      yield* TestClock.adjust("10 minutes")
      yield* Deferred.succeed(gate, undefined)
      yield* TestClock.adjust("1 seconds")
      expect(text).toBe("retry: 1000\n\n: heartbeat\n\n")
    }))

  it.scoped("EL3 nothing is read ahead of a client that does not read", () =>
    Effect.gen(function*() {
      let pages = 0
      const endless: Stream.Stream<LogEntry> = Stream.repeatEffectChunk(Effect.sync(() => {
        pages++
        return entries(10)
      }))
      const body = yield* make().open("sse", endless)
      const gate = yield* Deferred.make<void>()
      let taken = 0
      yield* Effect.forkScoped(Stream.runForEach(body, () => ++taken < 3 ? Effect.void : Deferred.await(gate)))
      yield* Effect.yieldNow().pipe(Effect.repeatN(1000))
      expect(taken).toBe(3)
      // the two that were taken and the one that waits for the client
      expect(pages).toBe(3)
    }))

  it.scoped("a log that fails ends the body after the last event that came", () =>
    Effect.gen(function*() {
      const body = yield* make().open("sse", Stream.concat(Stream.fromChunk(entries(2)), Stream.fail("trimmed")))
      const text = Chunk.join(Chunk.map(yield* Stream.runCollect(body), decode), "")
      expect(parseSse(text).map(({ id }) => id)).toEqual([1, 2])
    }))

  it.scoped("end ends every open body, and no new one opens", () =>
    Effect.gen(function*() {
      const streams = make()
      const log = memoryLog()
      log.append(3)
      const read = yield* Effect.forEach(
        ["sse", "ndjson"] as const,
        (format) =>
          Effect.flatMap(streams.open(format, log.sessions.events(cursor)), (body) =>
            Effect.forkScoped(Stream.runCollect(body)))
      )
      yield* Effect.yieldNow().pipe(Effect.repeatN(100))
      yield* streams.end
      const [sse, ndjson] = yield* Effect.forEach(read, Fiber.join)
      expect(parseSse(Chunk.join(Chunk.map(sse ?? Chunk.empty(), decode), "")).length).toBe(3)
      expect(Chunk.join(Chunk.map(ndjson ?? Chunk.empty(), decode), "").split("\n").length).toBe(4)
      expect(yield* Effect.flip(streams.open("sse", Stream.empty))).toMatchObject({ _tag: "Draining" })
    }))

  it.effect("the limit counts what is open, and a closed one leaves its place", () =>
    Effect.gen(function*() {
      const streams = make(2)
      const scope = yield* Scope.make()
      const open = Effect.asVoid(Scope.extend(streams.open("sse", Stream.never), scope))
      yield* open
      yield* open
      expect(yield* Effect.flip(open)).toMatchObject({ _tag: "LimitReached", limit: 2 })
      yield* Scope.close(scope, Exit.void)
      const again = yield* Scope.make()
      yield* Effect.asVoid(Scope.extend(streams.open("sse", Stream.never), again))
      yield* Scope.close(again, Exit.void)
    }))
})
