/**
 * Sockets without a network: who dials gives way to others, and the test sees which sockets are open.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"

export interface Socket {
  /** Returns when it is up; others get their turn meanwhile. */
  readonly open: Effect.Effect<void>
  /** Returns when its end has been told. A socket that was closed before it was up never comes up. */
  readonly close: Effect.Effect<void>
  readonly ended: Effect.Effect<void>
  readonly isOpen: () => boolean
}

export interface Wire {
  readonly socket: Effect.Effect<Socket>
  /** A socket that is up. */
  readonly dial: Effect.Effect<Socket>
  /** How many sockets are open, and how many dials are on their way. */
  readonly open: () => number
  readonly dialing: () => number
}

export const make: Effect.Effect<Wire> = Effect.sync(() => {
  const up = new Set<Socket>()
  let dialing = 0

  const socket = Effect.sync((): Socket => {
    const ended = Deferred.unsafeMake<void>(FiberId.none)
    const self: Socket = {
      open: Effect.acquireUseRelease(
        Effect.sync(() => dialing++),
        () =>
          Effect.map(Effect.zipRight(Effect.yieldNow(), Deferred.isDone(ended)), (closed) => {
            if (!closed) up.add(self)
          }),
        () => Effect.sync(() => dialing--)
      ),
      close: Effect.suspend(() => {
        up.delete(self)
        return Effect.asVoid(Deferred.succeed(ended, void 0))
      }),
      ended: Deferred.await(ended),
      isOpen: () => up.has(self)
    }
    return self
  })

  return {
    socket,
    dial: Effect.tap(socket, (self) => self.open),
    open: () => up.size,
    dialing: () => dialing
  }
})
