/** What a log must keep over every store. It is opened over the same store more than once, as after a restart. */
import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { ElicitationId, SessionId } from "../../src/domain/Ids.js"
import * as Session from "../../src/domain/Session.js"
import * as StoredEvent from "../../src/domain/StoredEvent.js"
import * as EventLog from "../../src/log/EventLog.js"
import type { EventStore } from "../../src/log/EventStore.js"
import * as Memory from "../memory.js"
import { collect, follow, many, open, opened, other, runId, said, session, settle } from "./fixture.js"

const seqs = <E>(stream: Stream.Stream<EventLog.LogEntry, E>) => collect(Stream.map(stream, ({ seq }) => seq))

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index)

const history = (log: EventLog.EventLog["Type"], id = session) =>
  collect(Stream.mapEffect(log.read({ session: id, after: 0 }), (entry) => StoredEvent.fromJson(entry.json)))

export const suite = <E>(name: string, makeStore: Effect.Effect<EventStore, E, Scope.Scope>) => {
  const make = (options?: EventLog.Options) => Effect.flatMap(makeStore, (store) => EventLog.make(store, options))

  describe(`EventLog over ${name}`, () => {
    it.scoped("EL1 numbers start at 1, have no holes, and are each session's own", () =>
      Effect.gen(function*() {
        const log = yield* make()
        expect(yield* log.append(session, [opened, said("a")])).toBe(2)
        expect(yield* log.append(other, [opened])).toBe(1)
        expect(yield* log.append(session, many(3))).toBe(5)
        expect(yield* log.append(session, [])).toBe(5)
        expect(yield* seqs(log.read({ session, after: 0 }))).toStrictEqual(range(1, 5))
        expect([yield* log.head(session), yield* log.head(other)]).toStrictEqual([5, 1])
      }))

    it.scoped("EL1 appends that come together are numbered one after the other, the events of each side by side", () =>
      Effect.gen(function*() {
        const log = yield* make()
        yield* log.append(session, [opened])
        const heads = yield* Effect.forEach(
          range(1, 50),
          (n) => log.append(session, [said(`${n}`), said(`${n}`), said(`${n}`)]),
          { concurrency: "unbounded" }
        )
        expect(heads.toSorted((a, b) => a - b)).toStrictEqual(range(1, 50).map((n) => 1 + 3 * n))
        const texts = (yield* history(log)).flatMap(({ event }) => event.type === "TextChunk" ? [event.text] : [])
        expect(heads.map((head) => texts.slice(head - 4, head - 1))).toStrictEqual(
          range(1, 50).map((n) => [`${n}`, `${n}`, `${n}`])
        )
      }))

    it.scoped("an event is stored with its number, its run, and the time at which the log took it", () =>
      Effect.gen(function*() {
        const log = yield* make()
        yield* TestClock.setTime(Date.UTC(2026, 10, 21, 2))
        yield* log.append(session, [opened, said("hi")])
        expect(yield* history(log)).toStrictEqual([
          { seq: 1, sessionId: session, at: "2026-11-21T02:00:00.000Z", event: opened.event },
          { seq: 2, sessionId: session, runId, at: "2026-11-21T02:00:00.000Z", event: said("hi").event }
        ])
      }))

    it.scoped("a session that was never opened is not found, and what else is appended at that time is stored", () =>
      Effect.gen(function*() {
        const log = yield* make()
        const [lost, stored] = yield* Effect.all([
          Effect.flip(log.append(other, [said("a")])),
          log.append(session, [opened])
        ], { concurrency: "unbounded" })
        expect([lost._tag, stored]).toStrictEqual(["SessionNotFound", 1])
        const ask = [log.head(other), log.state(other), log.trim(other, 1), log.append(other, [])]
        for (const effect of ask) {
          expect((yield* Effect.flip<unknown, { _tag: string }, never>(effect))._tag).toBe("SessionNotFound")
        }
        for (const stream of [log.read({ session: other, after: 0 }), log.tail({ session: other, after: 0 })]) {
          expect((yield* Effect.flip(Stream.runDrain(stream)))._tag).toBe("SessionNotFound")
        }
      }))

    it.scoped("an event that no JSON can hold is its appender's defect, and nobody else's", () =>
      Effect.gen(function*() {
        const log = yield* make()
        yield* log.append(session, [opened])
        const [bad, good] = yield* Effect.all([
          Effect.exit(log.append(session, [said("a"), { event: { type: "Extension", name: "x", payload: 1n } }])),
          log.append(session, [said("b")])
        ], { concurrency: "unbounded" })
        expect(Exit.isFailure(bad)).toBe(true)
        expect(good).toBe(2)
      }))

    it.live("EL2 tail has no gap and no duplicate at the seam between replay and live, whenever it starts", () =>
      Effect.forEach(range(1, 15), (seed) =>
        Effect.gen(function*() {
          const log = yield* make()
          yield* log.append(session, [opened])
          const total = 400
          const pause = Effect.flatMap(Random.nextIntBetween(0, 12), (n) => Effect.repeatN(Effect.yieldNow(), n))
          const write: Effect.Effect<void, unknown> = Effect.gen(function*() {
            const head = yield* log.head(session)
            if (head === total) return
            yield* log.append(session, many(Math.min(yield* Random.nextIntBetween(1, 20), total - head)))
            yield* pause
            yield* write
          })
          const reader = Effect.gen(function*() {
            yield* Effect.flatMap(Random.nextIntBetween(0, 400), (n) => Effect.repeatN(Effect.yieldNow(), n))
            const after = yield* Random.nextIntBetween(0, total)
            const read = yield* log.tail({ session, after }).pipe(
              Stream.chunks,
              Stream.tap(() => pause),
              Stream.flattenChunks,
              Stream.take(total - after),
              seqs
            )
            expect(read, `seed ${seed}, after ${after}`).toStrictEqual(range(after + 1, total))
          })
          yield* Effect.all([write, ...Array.from({ length: 12 }, () => reader)], { concurrency: "unbounded" })
        }).pipe(Effect.scoped, Effect.withRandom(Random.make(seed))), { discard: true }))

    it.scoped("EL2 a cursor past the head waits for what comes after it", () =>
      Effect.gen(function*() {
        const log = yield* make()
        yield* log.append(session, [opened])
        const { seen } = yield* follow(log, 5)
        yield* log.append(session, many(3))
        yield* settle
        expect(seen).toStrictEqual([])
        yield* log.append(session, many(3))
        yield* settle
        expect(seen).toStrictEqual([6, 7])
      }))

    it.scoped("what is ready together arrives together, and as the same objects for all who follow", () =>
      Effect.gen(function*() {
        const log = yield* make()
        yield* log.append(session, [opened])
        const pages = yield* Effect.forEach(
          [1, 2],
          () =>
            log.tail({ session, after: 1 }).pipe(
              Stream.chunks,
              Stream.filter(Chunk.isNonEmpty),
              Stream.runHead,
              Effect.forkScoped
            )
        )
        yield* settle
        yield* Effect.all([log.append(session, many(5)), log.append(session, many(5))], { concurrency: "unbounded" })
        const [one, two] = yield* Effect.map(
          Effect.flatMap(Effect.forEach(pages, Fiber.join), Effect.forEach(Effect.fromNullable)),
          (pages) => pages.map((page) => Chunk.toReadonlyArray(Option.getOrThrow(page)))
        )
        expect(one?.map(({ seq }) => seq)).toStrictEqual(range(2, 11))
        expect(one?.every((entry, index) => entry === two?.[index])).toBe(true)
      }))

    it.live("EL3 a stuck reader slows nobody, holds nothing that others have read, and misses nothing", () =>
      Effect.gen(function*() {
        const log = yield* make()
        yield* log.append(session, [opened])
        const total = 100_000
        const stuck = yield* Deferred.make<void>()
        const late = yield* log.tail({ session, after: 0 }).pipe(
          Stream.chunks,
          Stream.tap(() => Deferred.await(stuck)),
          Stream.flattenChunks,
          Stream.take(total),
          seqs,
          Effect.forkScoped
        )
        const held: Array<WeakRef<EventLog.LogEntry>> = []
        const quick = yield* log.tail({ session, after: 0 }).pipe(
          Stream.take(total),
          Stream.tap((entry) =>
            Effect.sync(() => entry.seq % 10_000 === 0 ? held.push(new WeakRef(entry)) : undefined)
          ),
          Stream.runCount,
          Effect.forkScoped
        )
        yield* settle
        for (let head = 1; head < total; head = yield* log.append(session, many(Math.min(1000, total - head))));
        expect(yield* Fiber.join(quick)).toBe(total)
        // weak references are kept until the end of the turn in which they were made or read
        yield* Effect.sleep(1)
        Memory.collect()
        if (name !== "memory") expect(held.filter((entry) => entry.deref() !== undefined).length).toBeLessThan(2)
        yield* Deferred.succeed(stuck, void 0)
        expect(yield* Fiber.join(late)).toStrictEqual(range(1, total))
      }).pipe(Effect.scoped))

    it.live.skipIf(name === "memory")(
      "EL3 a reader that waits at the head holds nothing of what it has read",
      () =>
        Effect.gen(function*() {
          const log = yield* make()
          yield* log.append(session, [opened, ...many(100)])
          const read: Array<WeakRef<EventLog.LogEntry>> = []
          yield* log.tail({ session, after: 0 }).pipe(
            Stream.runForEach((entry) => Effect.sync(() => read.push(new WeakRef(entry)))),
            Effect.forkScoped
          )
          yield* settle
          yield* Effect.sleep(1)
          Memory.collect()
          expect(read.length).toBe(101)
          expect(read.filter((entry) => entry.deref() !== undefined).length).toBe(0)
        }).pipe(Effect.scoped)
    )

    it.scoped("EL4 an append whose caller is interrupted is stored all the same", () =>
      Effect.gen(function*() {
        const log = yield* make()
        yield* log.append(session, [opened])
        const fiber = yield* Effect.fork(log.append(session, [said("a")]))
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(fiber)
        expect(yield* log.append(session, [said("b")])).toBe(3)
      }))

    it.scoped("EL5 the next start ends what the last one left open, and only that", () =>
      Effect.gen(function*() {
        const store = yield* makeStore
        const asked = ElicitationId.make("eli_1")
        const first = yield* open(store)
        yield* first.log.append(session, [
          opened,
          { event: { type: "AgentConnected", how: "opened" } },
          { event: { type: "RunStarted", prompt: [] }, runId },
          {
            event: {
              type: "ElicitationRequested",
              elicitation: { id: asked, sessionId: session, runId, kind: "confirmation", message: "Go?" }
            },
            runId
          }
        ])
        yield* first.log.append(other, [opened, { event: { type: "SessionClosed", reason: "requested" } }])
        yield* first.close

        const second = yield* open(store)
        const events = (yield* history(second.log)).slice(4)
        expect(events.map(({ event, runId, seq }) => [seq, event.type, runId])).toStrictEqual([
          [5, "ElicitationSettled", runId],
          [6, "AgentDisconnected", undefined],
          [7, "RunEnded", runId]
        ])
        expect(events.at(-1)?.event).toMatchObject({ outcome: { _tag: "Lost" } })
        expect(Session.status(yield* second.log.state(session))).toBe("idle")
        expect(yield* second.log.head(other)).toBe(2)
        yield* second.close

        const third = yield* open(store)
        expect(yield* third.log.head(session)).toBe(7)
      }))

    it.scoped("EL6 a cursor below the horizon is told the oldest number, by read and by tail", () =>
      Effect.gen(function*() {
        const log = yield* make()
        yield* log.append(session, [opened])
        // so that the events are at hand in memory, too
        yield* follow(log)
        yield* log.append(session, many(9))
        yield* log.trim(session, 4)
        for (const stream of [log.read({ session, after: 2 }), log.tail({ session, after: 2 })]) {
          expect(yield* Effect.flip(Stream.runDrain(stream))).toMatchObject({ _tag: "CursorExpired", oldest: 4 })
        }
        expect(yield* seqs(log.read({ session, after: 3 }))).toStrictEqual(range(4, 10))
        expect(yield* seqs(Stream.take(log.tail({ session, after: 3 }), 7))).toStrictEqual(range(4, 10))
        // numbers and state do not depend on what is left
        expect(yield* log.append(session, [said("a")])).toBe(11)
      }))

    it.scoped("EL6 a trim to below the horizon, or to past the head, changes nothing", () =>
      Effect.gen(function*() {
        const log = yield* make()
        yield* log.append(session, [opened, ...many(9)])
        yield* log.trim(session, 4)
        yield* log.trim(session, 2)
        yield* log.trim(session, 11)
        expect(yield* seqs(log.read({ session, after: 3 }))).toStrictEqual(range(4, 10))
        yield* log.trim(session, 10)
        expect(yield* seqs(log.read({ session, after: 9 }))).toStrictEqual([10])
      }))

    it.scoped("EL6 a reader that the horizon overtakes is told so, and one at the head is not touched", () =>
      Effect.gen(function*() {
        const log = yield* make()
        yield* log.append(session, [opened, ...many(999)])
        const go = yield* Deferred.make<void>()
        const late = yield* log.tail({ session, after: 0 }).pipe(
          Stream.chunks,
          Stream.runForEach(() => Deferred.await(go)),
          Effect.flip,
          Effect.forkScoped
        )
        const { seen } = yield* follow(log, 1000)
        yield* log.trim(session, 900)
        yield* log.append(session, many(1))
        yield* Deferred.succeed(go, void 0)
        expect(yield* Fiber.join(late)).toMatchObject({ _tag: "CursorExpired", oldest: 900 })
        yield* settle
        expect(seen).toStrictEqual([1001])
      }))

    it.scoped("EL6 the oldest number is told also where the horizon has left all behind that was to be read", () =>
      Effect.gen(function*() {
        const log = yield* make()
        yield* log.append(session, [opened, ...many(599)])
        const reader = yield* log.reader({ session, after: 0 }, { follow: false })
        yield* reader.next
        yield* log.append(session, many(100))
        yield* log.trim(session, 650)
        expect(yield* Effect.flip(reader.next)).toMatchObject({ _tag: "CursorExpired", oldest: 650 })
      }))

    it.scoped("EL6 retention keeps at least what it says, and moves the horizon in coarse steps", () =>
      Effect.gen(function*() {
        const log = yield* make({ retention: { maxEvents: 80 } })
        yield* log.append(session, [opened])
        const kept: Array<number> = []
        for (let head = 1; head < 300;) {
          head = yield* log.append(session, [said("a")])
          const oldest = yield* log.read({ session, after: 0 }).pipe(
            Stream.runHead,
            Effect.as(1),
            Effect.catchTag("CursorExpired", ({ oldest }) => Effect.succeed(oldest))
          )
          kept.push(head - oldest + 1)
        }
        expect(Math.min(...kept.slice(80))).toBe(80)
        expect(Math.max(...kept)).toBe(90)
        expect(kept.filter((count) => count === 80).length).toBeLessThan(25)
      }))

    it.scoped("EL7 what was accepted before the close is stored, and what comes later fails", () =>
      Effect.gen(function*() {
        const store = yield* makeStore
        const { close, log } = yield* open(store)
        yield* log.append(session, [opened])
        const appends = yield* Effect.forEach(range(1, 200), (n) =>
          Effect.fork(Effect.exit(Effect.zipRight(
            Effect.repeatN(Effect.yieldNow(), n),
            log.append(session, many(3))
          ))))
        yield* Effect.repeatN(Effect.yieldNow(), 100)
        yield* close
        const exits = yield* Effect.forEach(appends, Fiber.join)
        const heads = exits.flatMap((exit) => Exit.isSuccess(exit) ? [exit.value] : [])
        const failures = exits.flatMap((exit) => Exit.isFailure(exit) ? [exit.cause.toString()] : [])
        expect(heads.length).toBeGreaterThan(0)
        expect(failures.length).toBeGreaterThan(0)
        expect(failures.every((failure) => failure.includes("EventLogClosed"))).toBe(true)
        expect((yield* Effect.flip(log.append(session, [said("late")])))._tag).toBe("EventLogClosed")
        expect((yield* Effect.flip(log.trim(session, 1)))._tag).toBe("EventLogClosed")
        const again = yield* open(store)
        const left = yield* seqs(again.log.read({ session, after: 0 }))
        expect(left.slice(0, Math.max(...heads))).toStrictEqual(range(1, 1 + 3 * heads.length))
      }))

    it.scoped("EL7 a close ends every tail, after what it still stored, and waits for no reader", () =>
      Effect.gen(function*() {
        const { close, log } = yield* open(yield* makeStore)
        yield* log.append(session, [opened])
        const { fiber, seen } = yield* follow(log)
        const stuck = yield* Effect.forkScoped(Stream.runForEach(log.tail({ session, after: 0 }), () => Effect.never))
        yield* settle
        const last = yield* Effect.fork(log.append(session, many(10)))
        yield* Effect.yieldNow()
        yield* close
        yield* Fiber.join(last)
        yield* Fiber.join(fiber)
        expect(seen).toStrictEqual(range(1, 11))
        yield* Fiber.interrupt(stuck)
        expect(yield* seqs(log.tail({ session, after: 11 }))).toStrictEqual([])
      }))

    it.scoped("sessions are listed newest first, by status, after one, and at most so many", () =>
      Effect.gen(function*() {
        const log = yield* make()
        const ids = range(1, 5).map((n) => SessionId.make(`ses_${n}`))
        for (const id of ids) yield* log.append(id, [opened, { event: { type: "AgentConnected", how: "opened" } }])
        yield* log.append(SessionId.make("ses_3"), [{ event: { type: "SessionClosed", reason: "requested" } }])
        const list = (status: Option.Option<Session.SessionStatus>, after: Option.Option<SessionId>, limit: number) =>
          Effect.map(log.sessions({ status, after, limit }), (states) => states.map(({ id }) => id).join(" "))
        const none = Option.none()
        expect(yield* list(none, none, 10)).toBe("ses_5 ses_4 ses_3 ses_2 ses_1")
        expect(yield* list(none, none, 2)).toBe("ses_5 ses_4")
        expect(yield* list(none, Option.some(SessionId.make("ses_4")), 2)).toBe("ses_3 ses_2")
        expect(yield* list(Option.some("idle"), Option.some(SessionId.make("ses_5")), 2)).toBe("ses_4 ses_2")
        expect(yield* list(Option.some("closed"), none, 10)).toBe("ses_3")
        const unknown = list(none, Option.some(SessionId.make("ses_9")), 2)
        expect((yield* Effect.flip(unknown))._tag).toBe("SessionNotFound")
      }))

    it.scoped("the state is the fold of the stored events, also for a session that memory has let go", () =>
      Effect.gen(function*() {
        const log = yield* make()
        yield* log.append(session, [opened, { event: { type: "TitleChanged", title: "Tea" } }, ...many(3)])
        const ids = range(1, 300).map((n) => SessionId.make(`ses_of_others_${n}`))
        yield* Effect.forEach(ids, (id) => log.append(id, [opened]), { concurrency: "unbounded" })
        const fold = (yield* history(log)).reduce(Session.step, Session.initial(session))
        expect(yield* log.state(session)).toStrictEqual(fold)
        expect(yield* log.append(session, [said("a")])).toBe(6)
      }))

    it.scoped("a page is bounded in events and in characters, and has at least one event", () =>
      Effect.gen(function*() {
        const store = yield* makeStore
        const log = yield* EventLog.make(store)
        yield* log.append(session, [opened, ...many(2000)])
        const head = yield* log.append(session, many(4, "x".repeat(700_000)))
        const page = (after: number) =>
          Effect.map(store.page({ session, after, upTo: head }), (entries) => entries.map(({ seq }) => seq))
        expect(yield* page(0)).toStrictEqual(range(1, 512))
        expect(yield* page(head - 4)).toStrictEqual([head - 3, head - 2])
        expect(yield* page(head - 1)).toStrictEqual([head])
        expect(yield* seqs(log.read({ session, after: 0 }))).toStrictEqual(range(1, head))
      }))

    it.scoped("an append of any size is one append", () =>
      Effect.gen(function*() {
        const log = yield* make()
        yield* log.append(session, [opened])
        yield* Effect.all([log.append(session, many(5000)), log.append(session, many(3))], { concurrency: "unbounded" })
        expect(yield* seqs(log.read({ session, after: 0 }))).toStrictEqual(range(1, 5004))
      }))
  })
}
