/**
 * The races of streams: `Interleave` finds each in the naive code, and none in `StreamManager`. docs/races.md tells of them.
 */
import { describe, expect } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import { Interleave } from "holdfast/testing"
import { it } from "holdfast/testing/vitest"
import * as Inbox from "../../src/lifecycle/stream/Inbox.js"
import * as Requests from "../../src/lifecycle/stream/Requests.js"
import * as StreamManager from "../../src/lifecycle/StreamManager.js"
import { itFinds } from "./found.js"
import * as naive from "./streams.js"
import * as Wire from "./Wire.js"

/** What a scenario asks of code that keeps streams; each asks only for what it needs. */
interface Streams {
  readonly attach: (key: string) => Effect.Effect<unknown, unknown>
  readonly detach: (key: string) => Effect.Effect<void>
  readonly close: Effect.Effect<void>
}

type Subject<S, R = never> = (wire: Wire.Wire) => Effect.Effect<S, never, R>

const nothingLeft = (wire: Wire.Wire) =>
  Effect.sync(() => expect({ open: wire.open(), dialing: wire.dialing() }).toStrictEqual({ open: 0, dialing: 0 }))

/** A manager of streams that run `run`, over connections that `connect` makes. `attach` returns when the stream is up. */
const holdfast = Effect.fnUntraced(function*<A>(
  spec: Pick<StreamManager.StreamSpec<A, never>, "connect" | "run" | "redial">
) {
  const scope = yield* Scope.make()
  const streams = yield* Scope.extend(StreamManager.make, scope)
  const handles = new Map<string, StreamManager.StreamHandle<A, never>>()
  return {
    attach: (key: string) =>
      streams.attach(key, spec).pipe(
        Effect.tap((handle) => handles.set(key, handle)),
        Effect.flatMap((handle) => handle.ready)
      ),
    detach: (key: string) => streams.detach(key),
    isUp: (key: string) =>
      Effect.suspend(() => Effect.map(handles.get(key)?.current ?? Effect.succeedNone, Option.isSome)),
    close: Scope.close(scope, Exit.void)
  }
})

const overWire = (wire: Wire.Wire) =>
  holdfast({
    connect: Effect.acquireRelease(wire.socket, (socket) => socket.close).pipe(Effect.tap((socket) => socket.open)),
    run: (socket) => socket.ended,
    redial: "never"
  })

describe("a dial in flight when close returns", () => {
  const scenario = <R>(subject: Subject<Pick<Streams, "attach" | "close">, R>) => () =>
    Effect.gen(function*() {
      const wire = yield* Wire.make
      const { attach, close } = yield* subject(wire)
      const attaching = yield* Effect.fork(attach("a"))
      yield* close
      yield* nothingLeft(wire)
      yield* Fiber.await(attaching)
      yield* nothingLeft(wire)
    })

  itFinds(
    "a naive close forgets the dial",
    scenario((wire) =>
      Effect.sync(() => {
        const { attach, close } = naive.dialInFlight(wire.dial)
        return { attach: () => attach, close }
      })
    ),
    { within: 20, choices: "seed=1 3:1", reason: "dialing: 1" }
  )

  it.interleaved("SM1 a dial in flight is gone when close returns", scenario(overWire))
})

describe("a stream published before it is registered for drain", () => {
  /** The stream is closed as soon as it is seen to be up. */
  const scenario = <R>(
    subject: (read: Effect.Effect<void>) => Effect.Effect<Pick<Streams, "attach" | "close">, never, R>
  ) =>
  () =>
    Effect.gen(function*() {
      const seen = yield* Deferred.make<void>()
      let reading = false
      const read = Effect.suspend(() => {
        reading = true
        return Effect.zipRight(Deferred.succeed(seen, void 0), Effect.sleep("1 minute"))
      }).pipe(Effect.ensuring(Effect.sync(() => reading = false)))
      const { attach, close } = yield* subject(read)
      yield* Effect.fork(attach("a"))
      yield* Deferred.await(seen)
      yield* close
      expect(reading).toBe(false)
    })

  itFinds("a naive close misses what is not registered yet", scenario(naive.publishedFirst), {
    within: 50,
    choices: "seed=11 4:1 2:2",
    reason: "expected true to be false",
    strategy: Interleave.pct()
  })

  it.interleaved(
    "SM1 what is seen to run is gone when close returns",
    scenario((read) => holdfast({ connect: Effect.void, run: () => read, redial: "never" }))
  )
})

describe("two concurrent attaches, the later orphans the former", () => {
  const scenario = <R>(subject: Subject<Pick<Streams, "attach" | "close">, R>) => () =>
    Effect.gen(function*() {
      const wire = yield* Wire.make
      const { attach, close } = yield* subject(wire)
      const both = yield* Effect.all([Effect.fork(attach("a")), Effect.fork(attach("a"))])
      const exits = yield* Effect.forEach(both, Fiber.await)
      expect(exits.filter(Exit.isSuccess)).toHaveLength(1)
      yield* close
      yield* nothingLeft(wire)
    })

  itFinds(
    "a naive attach looks, dials and then takes the key",
    scenario((wire) => Effect.sync(() => naive.checkThenDial(wire.dial))),
    { within: 20, choices: "seed=1", reason: "to have a length of 1 but got 2" }
  )

  it.interleaved("SM3 of two attaches one wins and the other leaves nothing", scenario(overWire))
})

describe("an old reader's clean-up clears its successor", () => {
  const scenario = <R>(
    subject: Subject<Pick<Streams, "attach" | "detach"> & { readonly isUp: (key: string) => Effect.Effect<boolean> }, R>
  ) =>
  () =>
    Effect.gen(function*() {
      const wire = yield* Wire.make
      const { attach, detach, isUp } = yield* subject(wire)
      yield* attach("a")
      yield* detach("a")
      yield* attach("a")
      yield* Effect.sleep("1 minute")
      expect(yield* isUp("a")).toBe(true)
      yield* detach("a")
      yield* nothingLeft(wire)
    })

  itFinds(
    "a naive reader clears the field that is its successor's by now",
    scenario((wire) =>
      Effect.sync(() => {
        const { attach, current, detach } = naive.oneField(wire.dial)
        return { attach: () => attach, detach: () => detach, isUp: () => Effect.sync(() => current() !== undefined) }
      })
    ),
    { within: 100, choices: "seed=6 18:1", reason: "expected false to be true" }
  )

  it.interleaved("SM4 the end of the old stream leaves the new one alone", scenario(overWire))
})

describe("a back-off sleep that ignores close", () => {
  const scenario =
    <R>(subject: (connect: Effect.Effect<void>) => Effect.Effect<Pick<Streams, "close">, never, R>) => () =>
      Effect.gen(function*() {
        let dials = 0
        const { close } = yield* subject(Effect.sync(() => void dials++))
        yield* Effect.sleep("45 seconds")
        const [before, dialed] = [yield* Clock.currentTimeMillis, dials]
        yield* close
        expect(yield* Clock.currentTimeMillis).toBe(before)
        yield* Effect.sleep("10 minutes")
        expect(dials).toBe(dialed)
      })

  itFinds("a naive loop sleeps on", scenario(naive.deafSleep), {
    within: 5,
    choices: "seed=1",
    reason: "expected 60000 to be 45000"
  })

  it.interleaved(
    "SM5 close interrupts the back-off",
    scenario((connect) =>
      Effect.gen(function*() {
        const { attach, close } = yield* holdfast({ connect, run: () => Effect.void })
        yield* Effect.fork(attach("a"))
        return { close }
      })
    )
  )
})

describe("a handler on the read loop deadlocks with its own response", () => {
  type Frame = { readonly type: "event" | "response"; readonly id?: string; readonly text: string }
  type Handle = (event: string, ask: Effect.Effect<string, unknown>) => Effect.Effect<void, unknown>

  /** The peer says something, and the one who handles it has to ask the peer back. `read` reads until it is interrupted. */
  const scenario = (
    read: (frames: Queue.Queue<Frame>, handle: Handle) => Effect.Effect<unknown, unknown, Scope.Scope>
  ) =>
  () =>
    Effect.gen(function*() {
      const frames = yield* Queue.unbounded<Frame>()
      const handled = yield* Deferred.make<string>()
      const reader = yield* Effect.fork(Effect.scoped(read(frames, (event, ask) =>
        Effect.flatMap(ask, (answer) => Deferred.succeed(handled, `${event}: ${answer}`)))))
      yield* Queue.offer(frames, { type: "event", text: "may I?" })
      expect(yield* Deferred.await(handled)).toBe("may I?: yes")
      yield* Fiber.interrupt(reader)
    })

  itFinds(
    "a naive loop reads on when the handler is done",
    scenario((frames, handle) =>
      naive.handleOnReadLoop(Queue.take(frames), (event, response) =>
        Effect.orDie(
          handle(event, Effect.zipRight(Queue.offer(frames, { type: "response", text: "yes" }), response))
        ))
    ),
    { within: 5, choices: "seed=1", reason: "deadlock" }
  )

  it.interleaved(
    "SM8 a handler that waits for a response does not keep it from being read",
    scenario(Effect.fnUntraced(function*(frames, handle) {
      const requests = Requests.make<string, string>()
      const calls = yield* requests.bind((id) => Queue.offer(frames, { type: "response", id, text: "yes" }))
      yield* Inbox.drain(Effect.map(Queue.take(frames), Chunk.of), {
        route: (frame) => frame.type === "response" && calls.resolve(frame.id ?? "", frame.text),
        handle: (frame) => handle(frame.text, calls.request(frame.text))
      })
    }))
  )
})

describe("pending requests of a dead connection", () => {
  const scenario = <R>(
    subject: (send: (id: number) => Effect.Effect<void>) => Effect.Effect<
      {
        readonly request: (id: number) => Effect.Effect<string, unknown>
        readonly disconnected: Effect.Effect<void>
      },
      never,
      R
    >
  ) =>
  () =>
    Effect.gen(function*() {
      const sent = yield* Deferred.make<void>()
      const { disconnected, request } = yield* subject(() =>
        Effect.zipRight(Deferred.succeed(sent, void 0), Effect.yieldNow())
      )
      const requesting = yield* Effect.fork(request(1))
      yield* Deferred.await(sent)
      yield* disconnected
      expect(Exit.isFailure(yield* Fiber.await(requesting))).toBe(true)
    })

  itFinds(
    "a naive request that registers late waits for ever",
    scenario((send) => Effect.sync(() => naive.pendingForEver(send))),
    { within: 100, choices: "seed=14", reason: "deadlock" }
  )

  it.interleaved(
    "SM9 a request fails with its connection, also when it comes late",
    scenario((send) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const calls = yield* Scope.extend(Requests.make<number, string>().bind((_, request) => send(request)), scope)
        return { request: calls.request, disconnected: Scope.close(scope, Exit.void) }
      })
    )
  )
})

describe("a listener's entry deleted by its predecessor", () => {
  const scenario = <R>(
    subject: (listen: Effect.Effect<void>) => Effect.Effect<
      { readonly start: Effect.Effect<unknown>; readonly stop: Effect.Effect<unknown> },
      never,
      R
    >
  ) =>
  () =>
    Effect.gen(function*() {
      let listening = 0
      const listen = Effect.acquireUseRelease(
        Effect.sync(() => listening++),
        () => Effect.async<never>(() => {}),
        () => Effect.zipRight(Effect.yieldNow(), Effect.sync(() => listening--))
      )
      const { start, stop } = yield* subject(listen)
      yield* start
      yield* stop
      yield* start
      yield* Effect.sleep("1 minute")
      yield* start
      yield* Effect.sleep("1 minute")
      expect(listening).toBe(1)
      yield* stop
    })

  itFinds(
    "a naive clean-up deletes whatever is there",
    scenario((listen) => Effect.sync(() => naive.unconditionalDelete("ses_1", listen))),
    { within: 20, choices: "seed=1", reason: "expected 2 to be 1" }
  )

  it.interleaved(
    "SM4 SM10 the entry is its successor's",
    scenario((listen) =>
      Effect.map(holdfast({ connect: Effect.void, run: () => listen, redial: "never" }), ({ attach, detach }) => ({
        start: Effect.ignore(attach("ses_1")),
        stop: detach("ses_1")
      }))
    )
  )
})
