import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { leakFreeFile } from "holdfast/testing/vitest"
import { type Readable, Writable } from "node:stream"
import { CursorExpired } from "../../src/domain/Errors.js"
import * as EventStream from "../../src/gateway/EventStream.js"
import type { Page, Reader } from "../../src/log/EventLog.js"
import { entry, memoryLog, parseSse, session } from "./fixture.js"

leakFreeFile()

const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const entries = (count: number, text?: string) => Chunk.makeBy(count, (n) => entry(n + 1, text))
const make = (limit = 10) => EventStream.make({ limit, heartbeat: "10 seconds" })
const cursor = { session: session.id, after: 0 }
const following = (log: ReturnType<typeof memoryLog>) => log.sessions.reader(cursor, { follow: true })

/** Gives these pages one by one, from memory or from the store, and then does what `then` says. */
const reader = (
  pages: ReadonlyArray<Page>,
  { from = "memory", then = Effect.succeedNone }: { from?: "memory" | "store"; then?: Reader["next"] } = {}
): Reader => {
  const left = [...pages]
  return {
    next: Effect.suspend(() => {
      const page = left.shift()
      return page === undefined ? then : Effect.succeedSome(page)
    }),
    take: () => from === "memory" ? left.shift() : undefined,
    waits: () => false,
    onMore: () => {}
  }
}

/** Streams of Node do some things a turn of the event loop later. */
const turn = Effect.async<void>((resume) => {
  const timer = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(timer))
})
const turns = Effect.repeatN(turn, 20)

/** A client that takes every write at once. */
const client = (body: Readable) => {
  const writes: Array<string> = []
  let ended = false
  body.on("data", (bytes: Uint8Array) => writes.push(decode(bytes))).on("end", () => ended = true)
  return { writes, ended: () => ended, text: () => writes.join("") }
}

/** A client that takes the next write when it is told to. */
const slowClient = (body: Readable) => {
  let text = ""
  let writes = 0
  let taken = () => {}
  body.pipe(
    new Writable({
      objectMode: true,
      highWaterMark: 1,
      write: (bytes: Uint8Array, _, done) => {
        writes++
        text += decode(bytes)
        taken = done
      }
    })
  )
  return {
    text: () => text,
    writes: () => writes,
    take: Effect.suspend(() => {
      const done = taken
      taken = () => {}
      done()
      return turns
    })
  }
}

describe("EventStream", () => {
  for (const from of ["memory", "store"] as const) {
    it.scoped(`events that are ready together leave in one write, from the ${from}`, () =>
      Effect.gen(function*() {
        const { ended, writes } = client(yield* make().open("sse", reader([entries(100)], { from })))
        yield* turns
        expect(writes.length).toBe(2)
        expect(writes[0]).toBe("retry: 1000\n\n")
        expect(parseSse(writes[1] ?? "").map(({ id }) => id)).toEqual(Chunk.toArray(Chunk.range(1, 100)))
        expect(writes[1]).toContain(`id: 7\nevent: TextChunk\ndata: ${entry(7).json}\n\n`)
        expect(ended()).toBe(true)
      }))

    it.scoped(`a write is bounded and holds whole events, from the ${from}`, () =>
      Effect.gen(function*() {
        const pages = [entries(1000, "x".repeat(1000)), Chunk.make(entry(1001, "y"))]
        const { text, writes } = client(yield* make().open("sse", reader(pages, { from })))
        yield* Effect.repeatN(turns, 5)
        expect(Math.max(...writes.map((text) => text.length))).toBeLessThan(66 * 1024)
        expect(writes.length).toBeLessThan(25)
        expect(writes.slice(1).every((text) => text.startsWith("id: ") && text.endsWith("\n\n"))).toBe(true)
        expect(parseSse(text()).map(({ id }) => id)).toEqual(Chunk.toArray(Chunk.range(1, 1001)))
      }))
  }

  it.scoped("what comes when it has ended is not given: neither what was being read nor a heartbeat", () =>
    Effect.gen(function*() {
      const streams = make()
      const gate = yield* Deferred.make<void>()
      const next = Effect.as(Deferred.await(gate), Option.some(entries(1)))
      const waiting: Array<() => void> = []
      const idle = { ...reader([]), waits: () => true, onMore: (callback: () => void) => void waiting.push(callback) }
      const bodies = [
        yield* streams.open("sse", reader([], { then: next })),
        yield* streams.open("sse", idle),
        yield* streams.open("sse", idle)
      ]
      const errors: Array<Error> = []
      const clients = bodies.map((body) => client(body.on("error", (error) => errors.push(error))))
      yield* turns
      yield* streams.end
      yield* Deferred.succeed(gate, void 0)
      // one is woken, and one is left to its heartbeat
      waiting[0]?.()
      yield* TestClock.adjust("30 seconds")
      yield* turns
      expect(errors).toEqual([])
      expect(waiting.length).toBe(2)
      for (const { ended, text } of clients) expect([ended(), text()]).toEqual([true, "retry: 1000\n\n"])
    }))

  it.scoped("NDJSON is one stored event a line, and its first write only sends the headers", () =>
    Effect.gen(function*() {
      const body = yield* make().open("ndjson", reader([entries(2)]))
      const writes: Array<Uint8Array> = []
      body.on("data", (bytes: Uint8Array) => writes.push(bytes))
      yield* turns
      expect(writes.map(decode)).toEqual([
        "",
        `${entry(1).json}\n${entry(2).json}\n`
      ])
    }))

  it.scoped("the bytes of a page are made once, and are the same for all who are given it", () =>
    Effect.gen(function*() {
      const streams = make()
      const page = entries(10)
      const taken = yield* Effect.forEach([1, 2, 3], () =>
        Effect.map(streams.open("sse", reader([page])), (body) => {
          const writes: Array<Uint8Array> = []
          body.on("data", (bytes: Uint8Array) => writes.push(bytes))
          return writes
        }))
      yield* turns
      const [first, ...others] = taken.map((writes) => writes[1])
      expect(first?.length).toBeGreaterThan(100)
      expect(others.every((bytes) => bytes === first)).toBe(true)
    }))

  it.scoped("a silent stream shows every 10 s that it lives", () =>
    Effect.gen(function*() {
      const log = memoryLog()
      const { text } = client(yield* make().open("sse", yield* following(log)))
      yield* turns
      yield* TestClock.adjust("9 seconds")
      yield* turns
      expect(text()).toBe("retry: 1000\n\n")
      yield* TestClock.adjust("1 seconds")
      yield* turns
      expect(text()).toBe("retry: 1000\n\n: heartbeat\n\n")
      log.append(1)
      yield* turns
      yield* TestClock.adjust("10 seconds")
      yield* turns
      expect(text()).toMatch(/^retry: 1000\n\n: heartbeat\n\nid: 1\n.*\ndata: .*\n\n: heartbeat\n\n$/)
    }))

  it.scoped("heartbeats do not heap up before a client that does not read, and cost it no event", () =>
    Effect.gen(function*() {
      const log = memoryLog()
      const { take, text } = slowClient(yield* make().open("sse", yield* following(log)))
      yield* turns
      yield* TestClock.adjust("10 minutes")
      log.append(2)
      yield* TestClock.adjust("10 minutes")
      log.append(1)
      yield* Effect.repeatN(take, 4)
      expect(text().split(": heartbeat\n\n").length).toBeLessThan(3)
      expect(parseSse(text()).map(({ id }) => id)).toEqual([1, 2, 3])
    }))

  it.scoped("EL3 nothing is read ahead of a client that does not read", () =>
    Effect.gen(function*() {
      let pages = 0
      const take = () => {
        pages++
        return entries(10)
      }
      const endless: Reader = {
        next: Effect.sync(() => Option.some(take())),
        take,
        waits: () => false,
        onMore: () => {}
      }
      const slow = slowClient(yield* make().open("sse", endless))
      yield* turns
      // `retry` is with the client; a write waits on either side of the pipe
      expect(pages).toBeLessThan(3)
      const before = pages
      yield* Effect.repeatN(slow.take, 9)
      expect(pages - before).toBe(10)
    }))

  it.scoped("EL3 a client that does not read holds nothing of what comes meanwhile, and misses nothing of it", () =>
    Effect.gen(function*() {
      const log = memoryLog(10)
      const slow = slowClient(yield* make().open("sse", yield* following(log)))
      yield* turns
      for (let n = 0; n < 50; n++) {
        log.append(10)
        yield* turn
      }
      expect(slow.writes()).toBe(1)
      yield* Effect.repeatN(slow.take, 60)
      expect(parseSse(slow.text()).map(({ id }) => id)).toEqual(Chunk.toArray(Chunk.range(1, 500)))
    }))

  it.scoped("a log that fails ends the body after the last event that came", () =>
    Effect.gen(function*() {
      const expired = new CursorExpired({ sessionId: session.id, oldest: 9, message: "trimmed" })
      const body = yield* make().open("sse", reader([entries(2)], { then: Effect.fail(expired) }))
      const { ended, text } = client(body)
      yield* turns
      expect(ended()).toBe(true)
      expect(parseSse(text()).map(({ id }) => id)).toEqual([1, 2])
    }))

  it.scoped("end ends every open body, and no new one opens", () =>
    Effect.gen(function*() {
      const streams = make()
      const log = memoryLog()
      log.append(3)
      const [sse, ndjson] = [
        client(yield* streams.open("sse", yield* following(log))),
        client(yield* streams.open("ndjson", yield* following(log)))
      ]
      // the store's answer to this one comes too late
      const late = client(yield* streams.open("sse", reader([], { then: Effect.as(turn, Option.some(entries(1))) })))
      yield* Effect.yieldNow()
      yield* streams.end
      yield* streams.end
      log.append(1)
      yield* turns
      expect([sse.ended(), ndjson.ended(), late.ended()]).toEqual([true, true, true])
      expect(parseSse(late.text())).toEqual([])
      expect(yield* Effect.flip(streams.open("sse", reader([])))).toMatchObject({ _tag: "Draining" })
    }))

  it.scoped("end comes after what has been read", () =>
    Effect.gen(function*() {
      const streams = make()
      const log = memoryLog()
      log.append(3)
      const { ended, text } = client(yield* streams.open("sse", yield* following(log)))
      yield* turns
      yield* streams.end
      yield* turns
      expect(ended()).toBe(true)
      expect(parseSse(text()).map(({ id }) => id)).toEqual([1, 2, 3])
    }))

  it.effect("the limit counts what is open, and a closed one leaves its place", () =>
    Effect.gen(function*() {
      const streams = make(2)
      const scope = yield* Scope.make()
      const open = Effect.asVoid(Scope.extend(streams.open("sse", reader([])), scope))
      yield* open
      yield* open
      expect(yield* Effect.flip(open)).toMatchObject({ _tag: "LimitReached", limit: 2 })
      yield* Scope.close(scope, Exit.void)
      const again = yield* Scope.make()
      yield* Effect.asVoid(Scope.extend(streams.open("sse", reader([])), again))
      yield* Scope.close(again, Exit.void)
    }))
})
