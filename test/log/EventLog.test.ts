import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { leakFreeFile } from "holdfast/testing/vitest"
import { EventLogUnavailable } from "../../src/domain/Errors.js"
import { SessionId } from "../../src/domain/Ids.js"
import * as EventLog from "../../src/log/EventLog.js"
import type { Advance, EventStore } from "../../src/log/EventStore.js"
import * as MemoryStore from "../../src/log/MemoryStore.js"
import { follow, many, open, opened, other, said, session, settle } from "./fixture.js"

leakFreeFile()

/** A store whose commits wait at a gate, can be told to fail, and are counted. */
const controlled = Effect.gen(function*() {
  const store = yield* MemoryStore.make
  const gate = yield* Effect.makeSemaphore(1)
  const commits: Array<ReadonlyArray<Advance>> = []
  let failing = false
  const commit: EventStore["commit"] = (advances) =>
    gate.withPermits(1)(Effect.suspend(() => {
      commits.push(advances)
      return failing ? Effect.fail(new EventLogUnavailable({ message: "the disk is full" })) : store.commit(advances)
    }))
  return {
    store: { ...store, commit },
    commits,
    /** Commits wait until the effect that this returns is run. */
    hold: Effect.as(gate.take(1), gate.release(1)),
    fail: (value: boolean) => {
      failing = value
    }
  }
})

describe("EventLog.make", () => {
  it.scoped("EL2 an event that is stored while a reader still asks for the head is not lost to it", () =>
    Effect.gen(function*() {
      const store = yield* MemoryStore.make
      const first = yield* open(store)
      yield* first.log.append(session, [opened, { event: { type: "SessionClosed", reason: "requested" } }])
      yield* first.close
      // the first look has its answer, and is slow to deliver it
      const delivered = yield* Deferred.make<void>()
      const slow = [Deferred.await(delivered)]
      const load: EventStore["load"] = (session) => Effect.tap(store.load(session), () => slow.pop() ?? Effect.void)
      const { log } = yield* open({ ...store, load })
      const { seen } = yield* follow(log, 2)
      yield* log.append(session, [said("a")])
      yield* Deferred.succeed(delivered, void 0)
      yield* settle
      expect(seen).toStrictEqual([3])
    }))

  it.scoped("EL4 an event is shown, and its append answered, only after it is stored", () =>
    Effect.gen(function*() {
      const { hold, store } = yield* controlled
      const { log } = yield* open(store)
      yield* log.append(session, [opened])
      const { seen } = yield* follow(log)
      const release = yield* hold
      const append = yield* Effect.fork(log.append(session, [said("a")]))
      yield* settle
      expect(seen).toStrictEqual([1])
      expect(yield* log.head(session)).toBe(1)
      expect(Option.isNone(yield* Fiber.poll(append))).toBe(true)
      yield* release
      expect(yield* Fiber.join(append)).toBe(2)
      yield* settle
      expect(seen).toStrictEqual([1, 2])
    }))

  it.scoped("EL4 appends of many sessions that are ready together share one transaction", () =>
    Effect.gen(function*() {
      const { commits, store } = yield* controlled
      const { log } = yield* open(store)
      const ids = Array.from({ length: 100 }, (_, index) => SessionId.make(`ses_${index}`))
      yield* Effect.forEach(ids, (id) => log.append(id, [opened]), { concurrency: "unbounded" })
      yield* Effect.forEach(ids, (id) => log.append(id, many(10)), { concurrency: "unbounded" })
      expect(commits.map((advances) => advances.length)).toStrictEqual([100, 100])
    }))

  it.scoped("one transaction takes a bounded number of events and characters", () =>
    Effect.gen(function*() {
      const { commits, store } = yield* controlled
      const { log } = yield* open(store)
      yield* log.append(session, [opened])
      yield* Effect.forEach([1, 2, 3, 4], () => log.append(session, many(1000)), { concurrency: "unbounded" })
      yield* Effect.forEach([1, 2, 3, 4], () => log.append(session, many(5, "x".repeat(1_000_000))), {
        concurrency: "unbounded"
      })
      expect(commits.flat().map(({ entries }) => entries.length)).toStrictEqual([1, 2000, 2000, 10, 10])
    }))

  it.scoped("EL1 a transaction that fails gives no numbers away, fails its appends only, and shows nothing", () =>
    Effect.gen(function*() {
      const { fail, store } = yield* controlled
      const { log } = yield* open(store)
      yield* log.append(session, [opened])
      const { seen } = yield* follow(log)
      fail(true)
      const failures = yield* Effect.all([
        Effect.flip(log.append(session, many(3))),
        Effect.flip(log.append(other, [opened]))
      ], { concurrency: "unbounded" })
      expect(failures.map(({ _tag }) => _tag)).toStrictEqual(["EventLogUnavailable", "EventLogUnavailable"])
      fail(false)
      expect((yield* Effect.flip(log.append(other, many(1))))._tag).toBe("SessionNotFound")
      expect(yield* log.append(session, [said("a")])).toBe(2)
      yield* settle
      expect(seen).toStrictEqual([1, 2])
    }))

  it.scoped("a store that dies fails those appends, and the writer goes on", () =>
    Effect.gen(function*() {
      const store = yield* MemoryStore.make
      let deaths = 1
      const commit: EventStore["commit"] = (advances) =>
        Effect.suspend(() => deaths-- > 0 ? Effect.dieMessage("a bug") : store.commit(advances))
      const { log } = yield* open({ ...store, commit })
      expect(Exit.isFailure(yield* Effect.exit(log.append(session, [opened])))).toBe(true)
      expect(yield* log.append(session, [opened])).toBe(1)
    }))

  it.scoped("EL5 the log does not open while the store cannot record what was left open", () =>
    Effect.gen(function*() {
      const { fail, store } = yield* controlled
      const first = yield* open(store)
      yield* first.log.append(session, [opened])
      yield* first.close
      fail(true)
      expect((yield* Effect.flip(open(store)))._tag).toBe("EventLogUnavailable")
    }))

  it.scoped("EL7 a close waits for the transaction that runs, and answers its appends", () =>
    Effect.gen(function*() {
      const { hold, store } = yield* controlled
      const { close, log } = yield* open(store)
      yield* log.append(session, [opened])
      const release = yield* hold
      const appends = yield* Effect.forEach([1, 2, 3], () => Effect.fork(log.append(session, [said("a")])))
      yield* settle
      const closing = yield* Effect.fork(close)
      yield* settle
      expect(Option.isNone(yield* Fiber.poll(closing))).toBe(true)
      expect((yield* Effect.flip(log.append(session, [said("late")])))._tag).toBe("EventLogClosed")
      yield* release
      expect(yield* Effect.forEach(appends, Fiber.join)).toStrictEqual([2, 3, 4])
      yield* Fiber.join(closing)
    }))

  it.effect("layerMemory is a log that starts empty", () =>
    Effect.gen(function*() {
      const log = yield* EventLog.EventLog
      expect(yield* log.append(session, [opened])).toBe(1)
    }).pipe(Effect.provide(EventLog.layerMemory)))
})
