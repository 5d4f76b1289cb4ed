/**
 * The promises of `StreamManager` in every order of events. A peer notes what must never happen, such as a dial while another of its
 * connections is open, and each program ends by looking at that and at what is left.
 */
import { describe, expect } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { Interleave } from "holdfast/testing"
import { it } from "holdfast/testing/vitest"
import * as Backoff from "../../src/lifecycle/stream/Backoff.js"
import * as StreamManager from "../../src/lifecycle/StreamManager.js"
import { peer } from "./Streams.js"

const manager = Effect.gen(function*() {
  const scope = yield* Scope.make()
  const streams = yield* Scope.extend(StreamManager.make, scope)
  // as a Layer is closed: nobody interrupts that half way
  const close = Effect.uninterruptible(Scope.close(scope, Exit.void))
  yield* Effect.addFinalizer(() => close)
  return { streams, close }
})

const quick = Backoff.make({ base: "1 second", cap: "4 seconds" })

type Peer = ReturnType<typeof peer>

/** Everything of it is closed, and each line's end was told once, in its place. */
const gone = (...peers: ReadonlyArray<Peer>) =>
  Effect.sync(() => {
    for (const { broken, open } of peers) expect({ broken, open: open() }).toStrictEqual({ broken: [], open: [] })
    expect(peers.every(({ isGone }) => isGone())).toBe(true)
  })

const bound = (preemptions: number) => ({ strategy: Interleave.exhaustive({ preemptions }) })
const atEveryStep: Interleave.Options = { interruptAt: "every-step" }

describe("SM1, SM2", () => {
  const closing = (start: typeof Effect.fork) => () =>
    Effect.gen(function*() {
      const { close, streams } = yield* manager
      const it = peer({ dial: () => Effect.yieldNow(), closing: Effect.yieldNow() })
      const attaching = yield* start(Effect.either(streams.attach("a", { ...it.spec, redial: quick })))
      yield* close
      yield* gone(it)
      const dialed = it.lines.length
      expect(yield* streams.keys).toStrictEqual([])
      const attached = yield* Fiber.await(attaching)
      if (Exit.isSuccess(attached)) {
        if (Either.isLeft(attached.value)) expect(attached.value.left._tag).toBe("StreamManagerClosed")
        else expect(yield* attached.value.right.ended).toMatchObject({ reason: "Closed", requested: true })
      }
      expect(yield* Effect.flip(streams.attach("a", it.spec))).toMatchObject({ _tag: "StreamManagerClosed" })
      yield* Effect.sleep("1 minute")
      expect(it.lines).toHaveLength(dialed)
    })

  it.interleaved("SM1 when close returns nothing is left, whenever it comes", closing(Effect.fork), bound(1))
  it.interleaved(
    "SM1 SM2 the same when the attacher is interrupted anywhere, and nothing can be attached afterwards",
    closing(Interleave.victim),
    atEveryStep
  )

  it.interleaved("SM1 the same for any number of streams, whatever they are doing, and when several close", () =>
    Effect.gen(function*() {
      const { close, streams } = yield* manager
      const peers = [
        peer({ dial: () => Effect.fail("refused"), closing: Effect.yieldNow() }),
        peer({ dial: () => Effect.sleep("1 second") }),
        peer({ closing: Effect.sleep("1 second") })
      ]
      yield* Effect.forEach(peers, ({ spec }, index) => streams.attach(`${index}`, { ...spec, redial: quick }))
      yield* Effect.sleep(Duration.millis(yield* Interleave.choose("closes after", [0, 500, 1000, 1500])))
      yield* close
      yield* gone(...peers)
    }))

  it.interleaved("SM2 a dial that fails, dies, hangs or is uninterruptible when it is closed leaves nothing", () =>
    Effect.gen(function*() {
      const { close, streams } = yield* manager
      const it = peer({
        dial: () =>
          Interleave.maybe("the dial", Effect.uninterruptible(Effect.sleep("1 second")), {
            fail: "refused",
            die: "a bug",
            hang: true,
            interrupt: true
          })
      })
      const handle = yield* streams.attach("a", { ...it.spec, redial: "never" })
      const ready = yield* Effect.fork(Effect.either(handle.ready))
      yield* Effect.yieldNow()
      yield* close
      yield* gone(it)
      // whoever waits is told something
      yield* Fiber.await(ready)
      yield* handle.ended
    }))
})

describe("SM3", () => {
  /** So many attach at once: one wins and is dialed, the others are told. */
  const attachers = (count: number, manager = StreamManager.make) =>
    Effect.gen(function*() {
      const streams = yield* manager
      let dials = 0
      const connect = Effect.async<void>(() => {
        dials++
      })
      const attach = streams.attach("a", { connect, run: () => Effect.void })
      const others = yield* Effect.replicateEffect(Effect.fork(attach), count - 1)
      const mine = yield* Effect.exit(attach)
      // whatever the others still do, they do among themselves
      yield* Effect.sleep("1 second")
      const attached = [mine, ...yield* Effect.forEach(others, Fiber.await)]
      expect(attached.filter(Exit.isSuccess)).toHaveLength(1)
      expect(attached.flatMap((exit) => Exit.isFailure(exit) ? [Cause.squash(exit.cause)] : [])).toMatchObject(
        Array.from({ length: count - 1 }, () => ({ _tag: "StreamAlreadyAttached" }))
      )
      expect(dials).toBe(1)
    })

  /** There is no schedule within the bound that was not seen. */
  const exhausted = (name: string, program: ReturnType<typeof attachers>, options: Interleave.Options) =>
    it.interleaved(name, () => program, { ...options, exhaustive: true }, 300_000)

  const anyOrder = { granularity: "async", strategy: Interleave.exhaustive() } as const
  exhausted(
    "SM3 of two concurrent attaches one wins (exhaustive: all schedules with three preemptions)",
    attachers(2),
    bound(3)
  )
  exhausted(
    "SM3 of two concurrent attaches one wins (exhaustive: all orders of what happens between two waits)",
    attachers(2),
    anyOrder
  )
  exhausted(
    "SM3 of three concurrent attaches one wins (exhaustive: all orders of what happens between two waits)",
    attachers(3),
    anyOrder
  )
  // the manager's own fibers are not put off between two waits, those that attach are
  exhausted(
    "SM3 of three concurrent attaches one wins (exhaustive: all schedules of those who attach with two preemptions)",
    attachers(3, Effect.withMaxOpsBeforeYield(StreamManager.make, Infinity)),
    bound(2)
  )

  it.interleaved("SM3 of two concurrent attaches one wins, and the other one leaves nothing", () =>
    Effect.gen(function*() {
      const { close, streams } = yield* manager
      const peers = [peer(), peer()] as const
      const attached = yield* Effect.all(
        peers.map(({ spec }) => Effect.either(streams.attach("a", { ...spec, redial: "never" }))),
        { concurrency: "unbounded" }
      )
      for (const either of attached) if (Either.isRight(either)) yield* either.right.ready
      expect(peers.map(({ lines }) => lines.length)).toStrictEqual(
        attached.map((either) => Either.isRight(either) ? 1 : 0)
      )
      expect(attached.filter(Either.isLeft)).toHaveLength(1)
      yield* close
      yield* gone(...peers)
    }))

  it.interleaved("SM3 the same when one of them is interrupted anywhere", () =>
    Effect.gen(function*() {
      const { streams } = yield* manager
      const [mine, other] = [peer(), peer()]
      const attaching = yield* Interleave.victim(streams.attach("a", mine.spec))
      const attached = yield* Effect.either(streams.attach("a", other.spec))
      yield* Fiber.await(attaching)
      yield* Effect.sleep("1 second")
      // an attach is done or not: who was interrupted in time has not attached
      expect(mine.lines.length + other.lines.length).toBe(1)
      expect(Either.isRight(attached)).toBe(other.lines.length === 1)
    }), atEveryStep)
})

describe("SM4, SM10", () => {
  const restart = (start: typeof Effect.fork) => () =>
    Effect.gen(function*() {
      const { close, streams } = yield* manager
      const it = peer({ closing: Effect.yieldNow() })
      yield* streams.attach("a", it.spec)
      yield* Interleave.choose("its dial", ["has not begun", "is through"]).pipe(
        Effect.flatMap((when) => when === "is through" ? Effect.yieldNow() : Effect.void)
      )
      const detaching = yield* start(streams.detach("a"))
      const attached = yield* Effect.either(streams.attach("a", it.spec))
      yield* Fiber.await(detaching)
      // SM4: if the successor is there, its predecessor's end has not taken it away
      const handle = Either.getRight(attached)
      const keys = yield* streams.keys
      if (Option.isSome(handle)) {
        // the detach may have come late and be meant for it
        const ended = yield* Effect.timeoutOption(handle.value.ended, "1 second")
        expect(yield* streams.keys).toStrictEqual(Option.isSome(ended) ? [] : ["a"])
      } else expect(keys.length).toBeLessThan(2)
      yield* close
      yield* gone(it)
    })

  it.interleaved(
    "SM4 the end of an old stream never takes its successor from the registry",
    restart(Effect.fork),
    bound(1)
  )
  it.interleaved("SM4 the same when the detacher is interrupted anywhere", restart(Interleave.victim), atEveryStep)

  it.interleaved("SM10 detach then attach always works, and what was detached is gone before the next dial", () =>
    Effect.gen(function*() {
      const { streams } = yield* manager
      const it = peer({ closing: Effect.yieldNow(), dial: () => Effect.yieldNow() })
      yield* streams.attach("a", it.spec)
      for (let i = 0; i < 2; i++) {
        // by somebody who does not wait for its end, so that the next one comes while the old one closes
        yield* Effect.fork(streams.detach("a"))
        yield* Effect.yieldNow()
        const handle = yield* streams.attach("a", it.spec).pipe(
          Effect.catchAll(() => Effect.zipRight(streams.detach("a"), streams.attach("a", it.spec)))
        )
        yield* Effect.exit(handle.ready)
      }
      yield* streams.detach("a")
      yield* gone(it)
      expect(yield* streams.keys).toStrictEqual([])
    }))

  it.interleaved(
    "SM10 detach, then attach, by each of two: it always works for who was last",
    () =>
      Effect.gen(function*() {
        const { close, streams } = yield* manager
        const it = peer({ closing: Effect.yieldNow() })
        yield* streams.attach("a", it.spec)
        const restart = Effect.zipRight(streams.detach("a"), Effect.either(streams.attach("a", it.spec)))
        const results = yield* Effect.all([restart, restart], { concurrency: "unbounded" })
        expect(results.some(Either.isRight)).toBe(true)
        expect(yield* streams.keys).toStrictEqual(["a"])
        yield* close
        yield* gone(it)
      })
  )

  it.interleaved(
    "SM10 detach is a barrier, also when two detach and one of them is interrupted anywhere",
    () =>
      Effect.gen(function*() {
        const { streams } = yield* manager
        const it = peer({ closing: Effect.sleep("1 second"), dial: () => Effect.yieldNow() })
        yield* streams.attach("a", { ...it.spec, redial: quick })
        yield* Effect.yieldNow()
        yield* Interleave.victim(streams.detach("a"))
        yield* streams.detach("a")
        yield* gone(it)
        expect(yield* streams.keys).toStrictEqual([])
      }),
    atEveryStep
  )
})

describe("SM5", () => {
  const backingOff = (start: typeof Effect.fork) => () =>
    Effect.gen(function*() {
      const { streams } = yield* manager
      const it = peer({ dial: () => Effect.fail("refused") })
      yield* streams.attach("a", { ...it.spec, redial: quick })
      yield* Effect.sleep(Duration.millis(yield* Interleave.choose("detached after", [0, 100, 1000, 3000])))
      const detaching = yield* start(streams.detach("a"))
      yield* Fiber.await(detaching)
      // who was interrupted before its first step has detached nothing
      yield* streams.detach("a")
      yield* gone(it)
      const dialed = it.lines.length
      yield* Effect.sleep("1 minute")
      expect(it.lines).toHaveLength(dialed)
    })

  it.interleaved("SM5 a back-off that is ended at any moment dials nothing more", backingOff(Effect.fork))
  it.interleaved("SM5 the same when the detacher is interrupted anywhere", backingOff(Interleave.victim), atEveryStep)
})

describe("SM6, SM7", () => {
  const endings = (start: typeof Effect.fork) => () =>
    Effect.gen(function*() {
      const { streams } = yield* manager
      const it = peer({ closing: Effect.yieldNow() })
      const handle = yield* streams.attach("a", {
        ...it.spec,
        redial: "never",
        idle: "1 second",
        connectTimeout: "1 second"
      })
      const line = yield* Effect.fork(handle.ready)
      yield* Effect.fork(
        Effect.flatMap(Fiber.join(line), ({ end }) => Deferred.succeed(end, void 0)).pipe(
          Effect.delay("1 second"),
          Effect.ignore
        )
      )
      yield* start(Effect.delay(streams.detach("a"), "1 second"))
      const end = yield* handle.ended
      expect(it.ends).toStrictEqual([end])
      expect(["Clean", "Silent", "Detached"]).toContain(end.reason)
      expect(end.requested).toBe(end.reason === "Detached")
      yield* gone(it)
    })

  it.interleaved(
    "SM6 a connection ends once, whoever ends it first: the peer, its silence or a detach",
    endings(Effect.fork)
  )
  it.interleaved("SM6 the same when the detacher is interrupted anywhere", endings(Interleave.victim), atEveryStep)
})

describe("what is seen", () => {
  it.interleaved("current and ready never give a connection whose closing has begun", () =>
    Effect.gen(function*() {
      const { streams } = yield* manager
      let closing = false
      const handle = yield* streams.attach("a", {
        connect: Effect.acquireRelease(
          Effect.succeed("a line"),
          () => Effect.zipRight(Effect.sync(() => void (closing = true)), Effect.yieldNow())
        ),
        run: () => Effect.yieldNow(),
        redial: "never"
      })
      // what is closing by the time that one looks; it may begin in the step after that look
      const look = Effect.flatMap(Effect.sync(() => closing), (wasClosing) =>
        Effect.map(handle.current, (line) => expect(Option.isSome(line) && wasClosing).toBe(false)))
      yield* Effect.fork(streams.detach("a"))
      for (let i = 0; i < 4; i++) {
        yield* Effect.zipRight(look, Effect.yieldNow())
      }
      yield* Effect.exit(handle.ready)
      yield* handle.ended
    }))
})
