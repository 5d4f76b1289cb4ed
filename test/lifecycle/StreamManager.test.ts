import { describe, expect } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import * as Backoff from "../../src/lifecycle/stream/Backoff.js"
import type { StreamSpec } from "../../src/lifecycle/StreamManager.js"
import * as StreamManager from "../../src/lifecycle/StreamManager.js"
import { withWallClock } from "../wallClock.js"
import { type Line, peer } from "./Streams.js"

leakFreeFile()

/** A manager whose end the test decides. */
const manager = Effect.gen(function*() {
  const scope = yield* Effect.acquireRelease(
    Scope.make(),
    (scope) =>
      Effect.fork(Scope.close(scope, Exit.void)).pipe(
        Effect.tap(() => TestClock.adjust("1 minute")),
        Effect.flatMap(Fiber.join)
      )
  )
  const streams = yield* Scope.extend(StreamManager.make, scope)
  return { streams, close: Scope.close(scope, Exit.void) }
})

/** Lets everything run that can without the clock. */
const settle = TestClock.adjust(0)

const steady = Backoff.make({
  base: "1 second",
  factor: 2,
  cap: "8 seconds",
  jitter: "none",
  healthyAfter: "20 seconds"
})

describe("StreamManager", () => {
  it.scoped("attach returns at once; ready waits for the dial", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const { heard, spec } = peer({ dial: () => Deferred.await(gate) })
      const { streams } = yield* manager
      const handle = yield* streams.attach("a", spec)
      expect(heard).toStrictEqual([])
      const ready = yield* Effect.fork(handle.ready)
      yield* settle
      expect(heard).toStrictEqual(["line 1 dialed"])
      expect(yield* handle.current).toStrictEqual(Option.none())
      yield* Deferred.succeed(gate, void 0)
      expect((yield* Fiber.join(ready)).name).toBe("line 1")
      expect(Option.getOrThrow(yield* handle.current).name).toBe("line 1")
      expect(yield* streams.keys).toStrictEqual(["a"])
    }))

  describe("SM1", () => {
    it.scoped("SM1 closing waits for every connection's release, and for the dials in flight", () =>
      Effect.gen(function*() {
        const connected = peer({ closing: Effect.sleep("1 second") })
        const dialing = peer({ dial: () => Effect.never, closing: Effect.sleep("2 seconds") })
        const backingOff = peer({ dial: () => Effect.fail("refused") })
        const { close, streams } = yield* manager
        yield* streams.attach("connected", { ...connected.spec, idle: "1 minute" })
        yield* streams.attach("dialing", { ...dialing.spec, connectTimeout: "1 minute" })
        yield* streams.attach("backing off", { ...backingOff.spec, redial: steady })
        yield* settle
        const closing = yield* Effect.fork(close)
        yield* TestClock.adjust("1999 millis")
        expect(closing.unsafePoll()).toBeNull()
        yield* TestClock.adjust("1 millis")
        yield* Fiber.join(closing)
        for (const { open } of [connected, dialing, backingOff]) expect(open()).toStrictEqual([])
        expect(connected.ends).toMatchObject([{ reason: "Closed", requested: true, connected: true }])
        expect(dialing.ends).toMatchObject([{ reason: "Closed", requested: true, connected: false }])
        // one end, that of the dial that was refused: there was nothing more to end
        expect(backingOff.ends).toMatchObject([{ reason: "Failed", requested: false }])
        expect(yield* streams.keys).toStrictEqual([])
      }))

    it.scoped("SM1 all connections close side by side", () =>
      Effect.gen(function*() {
        const { close, streams } = yield* manager
        for (let i = 0; i < 10; i++) yield* streams.attach(`${i}`, peer({ closing: Effect.sleep("1 second") }).spec)
        yield* settle
        const closing = yield* Effect.fork(close)
        yield* TestClock.adjust("1 second")
        expect(closing.unsafePoll()).not.toBeNull()
      }))

    it.scoped("SM1 a dial that ignores its interruption for a while is waited for, and what it opened is closed", () =>
      Effect.gen(function*() {
        const stubborn = peer({ dial: () => Effect.uninterruptible(Effect.sleep("5 seconds")) })
        const { close, streams } = yield* manager
        yield* streams.attach("a", stubborn.spec)
        yield* settle
        const closing = yield* Effect.fork(close)
        yield* TestClock.adjust("4999 millis")
        expect(closing.unsafePoll()).toBeNull()
        yield* TestClock.adjust("1 millis")
        yield* Fiber.join(closing)
        expect(stubborn.heard).toStrictEqual(["line 1 dialed", "line 1 closed", "told: Closed"])
      }))

    it.scoped("SM1 a release that dies holds up nobody", () =>
      Effect.gen(function*() {
        const bad = peer({ closing: Effect.die("a bug") })
        const good = peer({})
        const { close, streams } = yield* manager
        const handle = yield* streams.attach("bad", bad.spec)
        yield* streams.attach("good", good.spec)
        yield* settle
        yield* close
        expect(good.open()).toStrictEqual([])
        const end = yield* handle.ended
        expect(end).toMatchObject({ reason: "Closed", requested: true })
        expect(end.cause === undefined ? [] : Chunk.toReadonlyArray(Cause.defects(end.cause))).toStrictEqual(["a bug"])
      }))
  })

  describe("SM2", () => {
    it.scoped("SM2 attach after close fails, and dials nothing", () =>
      Effect.gen(function*() {
        const { heard, spec } = peer()
        const { close, streams } = yield* manager
        yield* close
        expect(yield* Effect.flip(streams.attach("a", spec))).toMatchObject({
          _tag: "StreamManagerClosed",
          key: "a",
          message: "the stream a cannot be attached: the stream manager is closed"
        })
        yield* settle
        expect(heard).toStrictEqual([])
      }))

    it.scoped("SM2 attach while it is closing fails, too", () =>
      Effect.gen(function*() {
        const { close, streams } = yield* manager
        yield* streams.attach("a", peer({ closing: Effect.sleep("1 second") }).spec)
        yield* settle
        const closing = yield* Effect.fork(close)
        yield* settle
        expect((yield* Effect.flip(streams.attach("b", peer().spec)))._tag).toBe("StreamManagerClosed")
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(closing)
      }))

    it.scoped("SM2 a dial that succeeds after close is no connection: it never runs, and who waits is told", () =>
      Effect.gen(function*() {
        const late = peer({ dial: () => Effect.uninterruptible(Effect.sleep("1 second")) })
        const { close, streams } = yield* manager
        const handle = yield* streams.attach("a", late.spec)
        const ready = yield* Effect.fork(Effect.flip(handle.ready))
        yield* settle
        const closing = yield* Effect.fork(close)
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(closing)
        expect(late.heard).not.toContain("line 1 runs")
        expect(late.open()).toStrictEqual([])
        expect(yield* Fiber.join(ready)).toMatchObject({
          _tag: "StreamEnded",
          key: "a",
          reason: "Closed",
          requested: true
        })
      }))

    it.scoped("SM2 a dial that dies while it is closed is told as closed, with its defect", () =>
      Effect.gen(function*() {
        const dying = peer({ dial: () => Effect.onInterrupt(Effect.never, () => Effect.die("a bug")) })
        const { close, streams } = yield* manager
        yield* streams.attach("a", dying.spec)
        yield* settle
        yield* close
        expect(dying.ends).toMatchObject([{ reason: "Closed", requested: true }])
        expect(dying.ends[0]?.cause).toBeDefined()
        expect(dying.open()).toStrictEqual([])
      }))
  })

  describe("SM3", () => {
    it.scoped("SM3 a second attach fails and leaves nothing; the first one's stream goes on", () =>
      Effect.gen(function*() {
        const first = peer()
        const second = peer()
        const { streams } = yield* manager
        const handle = yield* streams.attach("a", first.spec)
        expect(yield* Effect.flip(streams.attach("a", second.spec))).toMatchObject({
          _tag: "StreamAlreadyAttached",
          key: "a",
          message: "a has a stream already; detach it first, or use another key"
        })
        yield* settle
        expect((yield* handle.ready).name).toBe("line 1")
        expect(second.heard).toStrictEqual([])
        expect(yield* streams.keys).toStrictEqual(["a"])
      }))

    it.scoped("SM3 the key is taken while its stream backs off", () =>
      Effect.gen(function*() {
        const { streams } = yield* manager
        yield* streams.attach("a", { ...peer({ dial: () => Effect.fail("refused") }).spec, redial: steady })
        yield* settle
        expect((yield* Effect.flip(streams.attach("a", peer().spec)))._tag).toBe("StreamAlreadyAttached")
      }))
  })

  describe("SM4, SM10", () => {
    it.scoped("SM4 an old stream never clears its successor", () =>
      Effect.gen(function*() {
        const old = peer({ name: "old", closing: Effect.sleep("1 second") })
        const young = peer({ name: "young" })
        const { close, streams } = yield* manager
        yield* streams.attach("a", old.spec)
        yield* settle
        const detaching = yield* Effect.fork(streams.detach("a"))
        yield* settle
        const handle = yield* streams.attach("a", young.spec)
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(detaching)
        expect((yield* handle.ready).name).toBe("young 1")
        expect(yield* streams.keys).toStrictEqual(["a"])
        expect((yield* Effect.flip(streams.attach("a", peer().spec)))._tag).toBe("StreamAlreadyAttached")
        yield* close
        expect(young.open()).toStrictEqual([])
      }))

    it.scoped("SM10 a successor is not dialed before its predecessor is gone and has been told so", () =>
      Effect.gen(function*() {
        const { heard, spec } = peer({ closing: Effect.sleep("1 second") })
        const { streams } = yield* manager
        yield* streams.attach("a", spec)
        yield* settle
        yield* Effect.fork(streams.detach("a"))
        yield* settle
        yield* streams.attach("a", spec)
        yield* TestClock.adjust("999 millis")
        expect(heard).toStrictEqual(["line 1 dialed", "line 1 runs"])
        yield* TestClock.adjust("1 millis")
        expect(heard).toStrictEqual([
          "line 1 dialed",
          "line 1 runs",
          "line 1 closed",
          "told: Detached",
          "line 2 dialed",
          "line 2 runs"
        ])
      }))

    it.scoped("SM10 who detaches a successor that waits, waits for its predecessor", () =>
      Effect.gen(function*() {
        const { heard, open, spec } = peer({ closing: Effect.sleep("1 second") })
        const { streams } = yield* manager
        yield* streams.attach("a", spec)
        yield* settle
        yield* Effect.fork(streams.detach("a"))
        yield* settle
        yield* streams.attach("a", spec)
        const detaching = yield* Effect.fork(streams.detach("a"))
        yield* TestClock.adjust("999 millis")
        expect(detaching.unsafePoll()).toBeNull()
        yield* TestClock.adjust("1 millis")
        yield* Fiber.join(detaching)
        expect(open()).toStrictEqual([])
        // it was never dialed, so there is no end to tell of
        expect(heard.at(-1)).toBe("told: Detached")
        expect(heard.filter((line) => line.startsWith("told"))).toHaveLength(1)
        expect(yield* streams.keys).toStrictEqual([])
      }))

    it.scoped("SM10 a stream that is dialed once gives its key back, also to one who comes while it closes", () =>
      Effect.gen(function*() {
        const { cut, heard, spec } = peer({ closing: Effect.sleep("1 second") })
        const { streams } = yield* manager
        yield* streams.attach("a", { ...spec, redial: "never" })
        yield* settle
        yield* cut("broken")
        yield* settle
        yield* streams.attach("a", { ...spec, redial: "never" })
        yield* TestClock.adjust("1 second")
        expect(heard.slice(-3)).toStrictEqual(["told: Failed", "line 2 dialed", "line 2 runs"])
      }))
  })

  describe("SM5", () => {
    it.scoped("SM5 it backs off after each end, also clean ones, longer and longer up to the cap", () =>
      Effect.gen(function*() {
        const { hangUp, lines, spec } = peer()
        const { streams } = yield* manager
        yield* streams.attach("a", { ...spec, redial: steady })
        yield* settle
        for (const [index, seconds] of [1, 2, 4, 8, 8].entries()) {
          yield* hangUp()
          yield* TestClock.adjust(Duration.millis(seconds * 1000 - 1))
          expect(lines).toHaveLength(index + 1)
          yield* TestClock.adjust("1 millis")
          expect(lines).toHaveLength(index + 2)
        }
      }))

    it.scoped("SM5 only a connection that was up long enough starts the count again, however long it failed before", () =>
      Effect.gen(function*() {
        const { hangUp, lines, spec } = peer()
        const { streams } = yield* manager
        const handle = yield* streams.attach("a", { ...spec, redial: steady })
        yield* settle
        const end = Effect.fnUntraced(function*(after: Duration.DurationInput) {
          yield* TestClock.adjust(after)
          yield* hangUp()
          yield* settle
          const status = yield* Effect.map(Stream.runHead(handle.status), Option.getOrThrow)
          if (status._tag !== "BackingOff") return yield* Effect.dieMessage(status._tag)
          yield* TestClock.adjust(status.delay)
          return [status.attempt, Duration.toSeconds(status.delay)]
        })
        // elapsed time alone is no health: six failures take more than twenty seconds
        expect(yield* Effect.forEach(Array(6).fill("1 second"), end)).toStrictEqual(
          [[2, 1], [3, 2], [4, 4], [5, 8], [6, 8], [7, 8]]
        )
        expect(yield* end("19999 millis")).toStrictEqual([8, 8])
        expect(yield* end("20 seconds")).toStrictEqual([1, 1])
        expect(yield* end("1 second")).toStrictEqual([2, 1])
        expect(yield* end("1 second")).toStrictEqual([3, 2])
        expect(lines).toHaveLength(11)
      }))

    it.scoped("SM5 a detach and a close interrupt the back-off, and nothing is dialed afterwards", () =>
      Effect.gen(function*() {
        const one = peer({ dial: () => Effect.fail("refused") })
        const other = peer({ dial: () => Effect.fail("refused") })
        const { close, streams } = yield* manager
        yield* streams.attach("one", { ...one.spec, redial: steady })
        yield* streams.attach("other", { ...other.spec, redial: steady })
        yield* settle
        yield* streams.detach("one")
        yield* close
        yield* TestClock.adjust("1 hour")
        expect([one.lines.length, other.lines.length]).toStrictEqual([1, 1])
      }))

    it.scoped("SM5 the delay is jittered under the cap, and never shorter than the peer asked for", () =>
      Effect.gen(function*() {
        const delays = Effect.fnUntraced(function*(spec: Partial<StreamSpec<Line, string>>) {
          const { streams } = yield* manager
          const handle = yield* streams.attach("a", {
            ...peer({ dial: () => Effect.fail("refused") }).spec,
            redial: Backoff.make({ base: "8 seconds", cap: "8 seconds" }),
            ...spec
          })
          const statuses = yield* Effect.fork(Stream.runCollect(Stream.take(
            Stream.filterMap(
              handle.status,
              (status) => status._tag === "BackingOff" ? Option.some(Duration.toMillis(status.delay)) : Option.none()
            ),
            30
          )))
          for (let i = 0; i < 30; i++) yield* TestClock.adjust("8 seconds")
          return Chunk.toReadonlyArray(yield* Fiber.join(statuses))
        })
        const jittered = yield* delays({})
        expect(Math.max(...jittered)).toBeLessThan(8000)
        expect(Math.min(...jittered)).toBeLessThan(2000)
        expect(new Set(jittered).size).toBeGreaterThan(20)
        const asked = yield* delays({ redialAfter: Effect.succeed(Duration.seconds(5)) })
        expect(Math.min(...asked)).toBe(5000)
      }).pipe(Effect.withRandom(Random.make("jitter"))))
  })

  describe("SM6", () => {
    it.scoped("SM6 every end is told, with its reason and whether it was asked for", () =>
      Effect.gen(function*() {
        const { streams } = yield* manager
        const endOf = (
          options: Partial<StreamSpec<Line, string>>,
          during: Effect.Effect<unknown> = Effect.void
        ) =>
          Effect.gen(function*() {
            const { ends, spec } = peer()
            const handle = yield* streams.attach("a", { ...spec, redial: "never", ...options })
            yield* settle
            yield* during
            const end = yield* handle.ended
            expect(ends).toStrictEqual([end])
            return [end.reason, end.requested, end.connected, end.message]
          })
        const run = (effect: Effect.Effect<StreamManager.StreamEnd | void, string>) => endOf({ run: () => effect })
        const connect = (effect: Effect.Effect<never, string>) => endOf({ connect: effect })
        expect(yield* run(Effect.void)).toStrictEqual(["Clean", false, true, "the peer ended it"])
        expect(yield* run(Effect.succeed({ message: "going away", code: 1001 }))).toStrictEqual(
          ["Clean", false, true, "going away"]
        )
        expect(yield* run(Effect.fail("broken pipe"))).toStrictEqual(["Failed", false, true, "broken pipe"])
        expect(yield* connect(Effect.fail("refused"))).toStrictEqual(["Failed", false, false, "refused"])
        const bug = "an internal error; the log has the cause"
        expect(yield* run(Effect.die("a bug"))).toStrictEqual(["Defect", false, true, bug])
        expect(yield* connect(Effect.die("a bug"))).toStrictEqual(["Defect", false, false, bug])
        expect(
          yield* endOf({
            connect: Effect.zipRight(Effect.addFinalizer(() => Effect.die("a bug")), peer().spec.connect),
            run: () => Effect.void
          })
        ).toStrictEqual(["Defect", false, true, bug])
        expect(yield* run(Effect.interrupt)).toStrictEqual(["Interrupted", false, true, "it interrupted itself"])
        expect(yield* endOf({}, streams.detach("a", "its session was closed"))).toStrictEqual(
          ["Detached", true, true, "its session was closed"]
        )
        expect(yield* endOf({ connect: Effect.never, connectTimeout: "10 seconds" }, TestClock.adjust("10 seconds")))
          .toStrictEqual(["TimedOut", false, false, "the dial took longer than 10s"])
        expect(yield* endOf({ idle: "1 minute" }, TestClock.adjust("1 minute"))).toStrictEqual(
          ["Silent", false, true, "no sign of life came for 1m"]
        )
      }))

    it.scoped("SM6 an error keeps its message and its type, and reaches who waits for the connection", () =>
      Effect.gen(function*() {
        const { streams } = yield* manager
        const error = new StreamManager.StreamEnded({ key: "x", reason: "x", requested: false, message: "no route" })
        const handle = yield* streams.attach("a", {
          connect: Effect.fail(error),
          run: () => Effect.never,
          redial: "never"
        })
        expect(yield* Effect.flip(handle.ready)).toMatchObject({ _tag: "StreamEnded", key: "x", message: "no route" })
        expect((yield* handle.ended).message).toBe("no route")
        expect(yield* streams.keys).toStrictEqual([])
      }))

    it.scoped("SM6 the end is told when everything is closed, and before the next dial", () =>
      Effect.gen(function*() {
        const { hangUp, heard, spec } = peer({ closing: Effect.sleep("1 second") })
        const { streams } = yield* manager
        yield* streams.attach("a", { ...spec, redial: steady })
        yield* settle
        yield* hangUp()
        yield* TestClock.adjust("1 second")
        yield* TestClock.adjust("1 second")
        expect(heard).toStrictEqual([
          "line 1 dialed",
          "line 1 runs",
          "line 1 closed",
          "told: Clean",
          "line 2 dialed",
          "line 2 runs"
        ])
      }))

    it.scoped("SM6 a detach that comes while it closes does not rewrite how the connection ended", () =>
      Effect.gen(function*() {
        const { cut, ends, spec } = peer({ closing: Effect.sleep("1 second") })
        const { streams } = yield* manager
        const handle = yield* streams.attach("a", { ...spec, redial: steady })
        yield* settle
        yield* cut("broken")
        yield* settle
        const detaching = yield* Effect.fork(streams.detach("a"))
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(detaching)
        expect(ends).toMatchObject([{ reason: "Failed", requested: false }])
        expect(yield* handle.ended).toMatchObject({ reason: "Detached", requested: true })
      }))

    it.scoped("SM6 who hears of it cannot be interrupted, and its defect stops nothing", () =>
      Effect.gen(function*() {
        const { heard, spec } = peer()
        const { streams } = yield* manager
        const told: Array<string> = []
        yield* streams.attach("a", {
          ...spec,
          onEnd: (end) =>
            Effect.zipRight(Effect.sleep("1 second"), Effect.sync(() => void told.push(end.reason))).pipe(
              Effect.zipRight(Effect.die("a bug"))
            )
        })
        yield* settle
        const detaching = yield* Effect.fork(streams.detach("a"))
        yield* TestClock.adjust("999 millis")
        expect(detaching.unsafePoll()).toBeNull()
        yield* TestClock.adjust("1 millis")
        yield* Fiber.join(detaching)
        expect(told).toStrictEqual(["Detached"])
        expect(heard.at(-1)).toBe("line 1 closed")
      }))
  })

  describe("SM7", () => {
    it.scoped("SM7 a peer that is silent for too long is given up and dialed again; a beat is a sign of life", () =>
      Effect.gen(function*() {
        const { ends, lines, spec } = peer()
        const { streams } = yield* manager
        yield* streams.attach("a", {
          ...spec,
          redial: steady,
          idle: "30 seconds",
          run: (_line, { beat }) =>
            Effect.zipRight(
              Effect.repeatN(Effect.zipRight(Effect.sleep("29 seconds"), beat), 2),
              Effect.never
            )
        })
        yield* TestClock.adjust("116999 millis")
        expect(ends).toStrictEqual([])
        yield* TestClock.adjust("1 millis")
        expect(ends).toMatchObject([{ reason: "Silent", requested: false, connected: true }])
        yield* TestClock.adjust("1 second")
        expect(lines).toHaveLength(2)
      }))

    it.scoped("SM7 silence is found also when the clock is set back meanwhile", () =>
      Effect.suspend(() => {
        let ahead = 0
        return Effect.gen(function*() {
          const { ends, spec } = peer()
          const { streams } = yield* manager
          yield* streams.attach("a", { ...spec, redial: "never", idle: "30 seconds", run: () => Effect.never })
          yield* TestClock.adjust("1 second")
          ahead = -3_600_000
          yield* TestClock.adjust("29 seconds")
          expect(ends).toMatchObject([{ reason: "Silent" }])
        }).pipe(withWallClock(() => ahead))
      }))

    it.scoped("SM7 a probe keeps a quiet peer's connection; one that hangs or fails does not", () =>
      Effect.gen(function*() {
        const { streams } = yield* manager
        let probes = 0
        let answer: Effect.Effect<void, string> = Effect.void
        const { ends, spec } = peer()
        yield* streams.attach("a", {
          ...spec,
          redial: steady,
          idle: "30 seconds",
          probe: {
            every: "10 seconds",
            send: () =>
              Effect.suspend(() => {
                probes++
                return answer
              })
          }
        })
        yield* TestClock.adjust("10 minutes")
        expect(ends).toStrictEqual([])
        expect(probes).toBe(60)
        answer = Effect.never
        yield* TestClock.adjust("29999 millis")
        expect(ends).toStrictEqual([])
        yield* TestClock.adjust("1 millis")
        expect(ends.map(({ reason }) => reason)).toStrictEqual(["Silent"])
        // one that hangs is not sent again beside itself
        expect(probes).toBe(61)
        answer = Effect.fail("no pong")
        yield* TestClock.adjust("11 seconds")
        expect(ends.map(({ message, reason }) => [reason, message]).slice(1)).toStrictEqual([["Failed", "no pong"]])
      }))

    it.scoped("SM7 one who does not read hears nothing: that is no silence of the peer", () =>
      Effect.gen(function*() {
        const { ends, spec } = peer()
        const { streams } = yield* manager
        yield* streams.attach("a", {
          ...spec,
          idle: "30 seconds",
          run: (_line, { hold }) => Effect.zipRight(hold(Effect.sleep("5 minutes")), Effect.never)
        })
        yield* TestClock.adjust("5 minutes")
        yield* TestClock.adjust("29999 millis")
        expect(ends).toStrictEqual([])
        yield* TestClock.adjust("30 seconds")
        expect(ends.map(({ reason }) => reason)).toStrictEqual(["Silent"])
      }))

    it.scoped("a dial that is through in time is not ended by its deadline", () =>
      Effect.gen(function*() {
        const { ends, spec } = peer({ dial: () => Effect.sleep("9 seconds") })
        const { streams } = yield* manager
        const handle = yield* streams.attach("a", { ...spec, connectTimeout: "10 seconds" })
        yield* TestClock.adjust("1 minute")
        expect(ends).toStrictEqual([])
        expect(Option.isSome(yield* handle.current)).toBe(true)
      }))
  })

  describe("detach", () => {
    it.scoped("of nothing is nothing; twice waits twice for the same end", () =>
      Effect.gen(function*() {
        const { ends, spec } = peer({ closing: Effect.sleep("1 second") })
        const { streams } = yield* manager
        yield* streams.detach("nothing")
        yield* streams.attach("a", spec)
        yield* settle
        const both = yield* Effect.fork(Effect.all([streams.detach("a"), streams.detach("a")], { concurrency: 2 }))
        yield* TestClock.adjust("999 millis")
        expect(both.unsafePoll()).toBeNull()
        yield* TestClock.adjust("1 millis")
        yield* Fiber.join(both)
        expect(ends).toHaveLength(1)
      }))

    it.scoped("goes on when the one who asked for it is interrupted", () =>
      Effect.gen(function*() {
        const { heard, spec } = peer({ closing: Effect.sleep("1 second") })
        const { streams } = yield* manager
        yield* streams.attach("a", spec)
        yield* settle
        const detaching = yield* Effect.fork(streams.detach("a"))
        yield* settle
        yield* Fiber.interrupt(detaching)
        yield* TestClock.adjust("1 second")
        expect(heard.at(-1)).toBe("told: Detached")
        expect(yield* streams.keys).toStrictEqual([])
      }))

    it.scoped("SM8 from inside the stream it does not wait for itself, not even where it cannot be interrupted", () =>
      Effect.gen(function*() {
        const { close, streams } = yield* manager
        const ends: Array<string> = []
        const spec = (inside: Effect.Effect<void>): StreamSpec<void, never> => ({
          connect: Effect.void,
          run: () => Effect.zipRight(inside, Effect.never),
          onEnd: (end) => Effect.sync(() => void ends.push(end.reason))
        })
        for (
          const [key, inside] of [
            ["a", streams.detach("a")],
            ["b", Effect.uninterruptible(streams.detach("b"))],
            ["c", Effect.asVoid(Effect.fork(streams.detach("c")))]
          ] as const
        ) {
          yield* streams.attach(key, spec(inside))
        }
        yield* settle
        expect(ends).toStrictEqual(["Detached", "Detached", "Detached"])
        yield* streams.attach("d", {
          ...spec(Effect.void),
          onEnd: (end) => Effect.zipRight(streams.detach("d"), Effect.sync(() => void ends.push(end.reason)))
        })
        yield* settle
        yield* streams.detach("d")
        expect(ends).toHaveLength(4)
        // and the same for the manager as a whole
        const handle = yield* streams.attach("e", spec(Effect.uninterruptible(close)))
        expect(yield* handle.ended).toMatchObject({ reason: "Closed" })
      }))
  })

  it.scoped("current and ready give no connection whose closing has begun", () =>
    Effect.gen(function*() {
      const { cut, spec } = peer({ closing: Effect.sleep("1 second") })
      const { streams } = yield* manager
      const handle = yield* streams.attach("a", { ...spec, redial: steady })
      yield* settle
      yield* cut("broken")
      yield* settle
      expect(yield* handle.current).toStrictEqual(Option.none())
      const ready = yield* Effect.fork(handle.ready)
      yield* TestClock.adjust("2 seconds")
      expect((yield* Fiber.join(ready)).name).toBe("line 2")
      const detaching = yield* Effect.fork(streams.detach("a"))
      yield* Effect.yieldNow()
      expect(yield* handle.current).toStrictEqual(Option.none())
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(detaching)
    }))

  it.scoped("status tells each change, and ends after Ended", () =>
    Effect.gen(function*() {
      const { hangUp, spec } = peer({
        dial: (dial) => Effect.zipRight(Effect.sleep("1 second"), dial === 2 ? Effect.fail("refused") : Effect.void)
      })
      const { streams } = yield* manager
      const handle = yield* streams.attach("a", { ...spec, redial: steady })
      const statuses = yield* Effect.fork(Stream.runCollect(handle.status))
      yield* settle
      yield* TestClock.adjust("1 second")
      yield* hangUp()
      yield* settle
      for (let i = 0; i < 5; i++) yield* TestClock.adjust("1 second")
      yield* streams.detach("a", "enough")
      const seen = Chunk.toReadonlyArray(yield* Fiber.join(statuses))
      expect(seen).toMatchObject([
        { _tag: "Connecting", attempt: 1 },
        { _tag: "Connected", attempt: 1, since: 1000 },
        { _tag: "BackingOff", attempt: 2, delay: Duration.seconds(1), end: { reason: "Clean" } },
        { _tag: "Connecting", attempt: 2 },
        { _tag: "BackingOff", attempt: 3, delay: Duration.seconds(2), end: { reason: "Failed", message: "refused" } },
        { _tag: "Connecting", attempt: 3 },
        { _tag: "Connected", attempt: 3, since: 6000 },
        { _tag: "Ended", end: { reason: "Detached", requested: true, message: "enough" } }
      ])
    }))

  it.scoped("a slow observer of status sees the latest", () =>
    Effect.gen(function*() {
      const { spec } = peer({ dial: () => Effect.fail("refused") })
      const { streams } = yield* manager
      const handle = yield* streams.attach("a", { ...spec, redial: steady })
      const statuses = yield* Effect.fork(
        Stream.runCollect(Stream.mapEffect(handle.status, (status) => Effect.as(Effect.sleep("1 minute"), status)))
      )
      for (let i = 0; i < 6; i++) yield* TestClock.adjust("8 seconds")
      yield* streams.detach("a")
      for (let i = 0; i < 3; i++) yield* TestClock.adjust("1 minute")
      const seen = Chunk.toReadonlyArray(yield* Fiber.join(statuses))
      expect(seen.length).toBeLessThan(4)
      expect(seen.at(-1)).toMatchObject({ _tag: "Ended" })
    }))

  it.scoped("a stream runs with the manager's FiberRefs and context, and with none of its caller's", () =>
    Effect.gen(function*() {
      const ref = FiberRef.unsafeMake("nobody's")
      class Request extends Context.Tag("Request")<Request, string>() {}
      const { streams } = yield* Effect.locally(manager, ref, "the manager's")
      const seen: Array<unknown> = []
      const look = Effect.gen(function*() {
        seen.push(yield* FiberRef.get(ref), Option.isSome(yield* Effect.serviceOption(Request)))
      })
      yield* streams.attach("a", { connect: look, run: () => Effect.zipRight(look, Effect.never), onEnd: () => look })
        .pipe(
          Effect.locally(ref, "the caller's"),
          Effect.provideService(Request, "a request"),
          Effect.withSpan("request")
        )
      yield* settle
      yield* streams.detach("a")
      expect(seen).toStrictEqual(["the manager's", false, "the manager's", false, "the manager's", false])
    }))

  it.scoped("run has the connection's scope", () =>
    Effect.gen(function*() {
      const { streams } = yield* manager
      const heard: Array<string> = []
      let fiber: Fiber.RuntimeFiber<void> | undefined
      yield* streams.attach("a", {
        connect: Effect.addFinalizer(() => Effect.sync(() => void heard.push("dialed first, closed last"))),
        run: () =>
          Effect.gen(function*() {
            yield* Effect.addFinalizer(() => Effect.sync(() => void heard.push("opened in run")))
            fiber = yield* Effect.forkScoped(Effect.never)
            return yield* Effect.never
          })
      })
      yield* settle
      yield* streams.detach("a")
      expect(heard).toStrictEqual(["opened in run", "dialed first, closed last"])
      expect(fiber?.unsafePoll()).not.toBeNull()
    }))

  it.scoped("metrics count dials, failures, what is live and what was drained", () =>
    Effect.gen(function*() {
      const read = Effect.gen(function*() {
        const snapshot = yield* Metric.snapshot
        const value = (name: string) => {
          const found = snapshot.find(({ metricKey }) => metricKey.name === name)?.metricState
          return found !== undefined && "count" in found
            ? Number(found.count)
            : found !== undefined && "value" in found
            ? Number(found.value)
            : 0
        }
        return [
          value("holdfast_stream_dials"),
          value("holdfast_stream_failures"),
          value("holdfast_streams_live"),
          value("holdfast_streams_drained")
        ] as const
      })
      const before = yield* read
      const since = Effect.map(read, (now) => now.map((value, index) => value - before[index]!))
      const { cut, spec } = peer({ dial: (dial) => dial === 2 ? Effect.fail("refused") : Effect.void })
      const { streams } = yield* manager
      yield* streams.attach("a", { ...spec, redial: steady })
      yield* settle
      expect(yield* since).toStrictEqual([1, 0, 1, 0])
      yield* cut("broken")
      yield* TestClock.adjust("1 second")
      expect(yield* since).toStrictEqual([2, 2, 0, 0])
      yield* TestClock.adjust("2 seconds")
      yield* streams.detach("a")
      expect(yield* since).toStrictEqual([3, 2, 0, 1])
    }))
})
