/**
 * A network that fails when it is told to: a TCP proxy on loopback that delays, stalls and cuts connections.
 *
 * ```ts
 * const network = yield* FaultyNetwork.make({ port: gateway.port })
 * const client = yield* connect(network.url)
 * yield* network.cutAfter(1000) // in the middle of whatever is on its way then
 * ```
 *
 * It runs in real time, whatever the `Clock`.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"

/** @since 0.1.0 */
export interface Target {
  /** Default `127.0.0.1`. */
  readonly host?: string | undefined
  readonly port: number
}

/** @since 0.1.0 */
export interface FaultyNetwork {
  readonly port: number
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  /** Resets every connection now. Its ends see that as a reset, or as an end in the middle of something. */
  readonly cut: Effect.Effect<void>
  /** Resets the next connection that has got so many bytes from the target: no more than these arrive. */
  readonly cutAfter: (bytes: number) => Effect.Effect<void>
  /** Nothing passes from now on, and no connection ends: each side believes that the other is silent. */
  readonly stall: Effect.Effect<void>
  /** What was stalled passes again. */
  readonly resume: Effect.Effect<void>
  /** Each piece takes so long from now on, and none overtakes another. */
  readonly delay: (time: Duration.DurationInput) => Effect.Effect<void>
  /** Where new connections go: a server that was started again on another port. */
  readonly retarget: (target: Target) => Effect.Effect<void>
  /** How many connections were made so far. */
  readonly connections: Effect.Effect<number>
}

/** The next piece that has come; none at the end. */
const take = (socket: Net.Socket): Effect.Effect<Uint8Array | undefined> =>
  Effect.async((resume) => {
    const look = () => {
      const piece: Uint8Array | null = socket.read()
      if (piece === null && !socket.readableEnded && !socket.destroyed) return
      stop()
      resume(Effect.succeed(piece ?? undefined))
    }
    const stop = () => socket.off("readable", look).off("end", look).off("close", look)
    socket.on("readable", look).on("end", look).on("close", look)
    look()
    return Effect.sync(stop)
  })

const write = (socket: Net.Socket, piece: Uint8Array): Effect.Effect<void> =>
  // an error is an end, which `take` sees
  Effect.async((resume) => void socket.write(piece, () => resume(Effect.void)))

const ended = (socket: Net.Socket): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (socket.destroyed) return resume(Effect.void)
    const done = () => resume(Effect.void)
    socket.once("close", done)
    return Effect.sync(() => socket.off("close", done))
  })

const open = (make: () => Net.Socket) =>
  Effect.acquireRelease(
    Effect.sync(() => make().on("error", () => {})),
    (socket) => Effect.zipRight(Effect.sync(() => socket.resetAndDestroy()), ended(socket))
  )

/**
 * A network between those who connect to its port and the target; both are cut when the scope closes.
 *
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(
  to: Target
): Effect.fn.Return<FaultyNetwork, never, Scope.Scope> {
  const passing = yield* Effect.makeLatch(true)
  const cuts = new Set<() => void>()
  let target = to
  let delay = Duration.zero
  let budget: number | undefined
  let connections = 0

  /** Carries one direction to its end. The bytes from the target count. */
  const pump = (from: Net.Socket, to: Net.Socket, reset: () => void, counts: boolean) =>
    Effect.gen(function*() {
      let passed = 0
      for (;;) {
        const piece = yield* take(from)
        if (!Duration.equals(delay, Duration.zero)) yield* Effect.sleep(delay)
        yield* passing.await
        if (piece === undefined) return from.errored === null ? void to.end() : reset()
        const left = counts && budget !== undefined ? budget - passed : Number.POSITIVE_INFINITY
        passed += piece.length
        if (left > piece.length) {
          yield* write(to, piece)
          continue
        }
        budget = undefined
        yield* write(to, piece.subarray(0, Math.max(0, left)))
        return reset()
      }
    })

  const carry = (accepted: Net.Socket) =>
    Effect.gen(function*() {
      const client = yield* open(() => accepted)
      const server = yield* open(() => Net.connect(target.port, target.host ?? "127.0.0.1"))
      const reset = () => {
        client.resetAndDestroy()
        server.resetAndDestroy()
      }
      yield* Effect.acquireRelease(
        Effect.sync(() => cuts.add(reset)),
        () => Effect.sync(() => cuts.delete(reset))
      )
      yield* Effect.forkScoped(pump(client, server, reset, false))
      yield* Effect.forkScoped(pump(server, client, reset, true))
      // each side has said its end, or one is gone
      yield* ended(client)
      yield* passing.await
    }).pipe(Effect.scoped, Effect.withClock(Clock.make()))

  const run = yield* FiberSet.makeRuntime<never>()
  const server = yield* Effect.acquireRelease(
    Effect.async<Net.Server>((resume) => {
      const server = Net.createServer({ allowHalfOpen: true }, (socket) => {
        connections++
        run(carry(socket))
      })
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        for (const cut of cuts) cut()
      })
  )
  const address = server.address()
  const port = address !== null && typeof address === "object" ? address.port : 0

  return {
    port,
    url: `http://127.0.0.1:${port}`,
    cut: Effect.sync(() => {
      for (const cut of cuts) cut()
    }),
    cutAfter: (bytes) =>
      Effect.sync(() => {
        budget = bytes
      }),
    stall: passing.close,
    resume: passing.open,
    delay: (time) =>
      Effect.sync(() => {
        delay = Duration.decode(time)
      }),
    retarget: (next) =>
      Effect.sync(() => {
        target = next
      }),
    connections: Effect.sync(() => connections)
  }
})
