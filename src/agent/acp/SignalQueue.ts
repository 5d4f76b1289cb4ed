/**
 * The one ordered queue of a connection (AG4): whatever the agent says is pushed in the order of the wire, by callbacks that cannot
 * wait, and comes out of `signals`, which is bounded. Whoever reads the agent's output waits for `room` before it reads on.
 *
 * Nothing comes out before `open`: what is said during the handshake waits, so that its reader may be slower than the handshake.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Mailbox from "effect/Mailbox"
import type * as Scope from "effect/Scope"
import type { AgentError } from "../../domain/Errors.js"
import type { AgentSignal } from "../Agent.js"

/** @since 0.1.0 */
export interface SignalQueue {
  readonly signals: Mailbox.ReadonlyMailbox<AgentSignal, AgentError>
  /** Synchronous; never refuses. */
  readonly push: (signal: AgentSignal) => void
  /** Waits while too much was pushed and not taken. Before `open` there is always room: nobody could take. */
  readonly room: Effect.Effect<void>
  readonly open: Effect.Effect<void, never, Scope.Scope>
  /** Fails `signals` once everything that was pushed has been taken. The first failure counts. */
  readonly fail: (error: AgentError) => Effect.Effect<void>
  /** From now on everything is thrown away: nobody listens any more. */
  readonly close: Effect.Effect<void>
}

/** @since 0.1.0 */
export const make = Effect.fnUntraced(function*(capacity: number) {
  const signals = yield* Mailbox.make<AgentSignal, AgentError>(capacity)
  const filled = Effect.unsafeMakeLatch(false)
  const room = Effect.unsafeMakeLatch(true)
  let waiting: Array<AgentSignal> = []
  let opened = false
  let closed = false
  let failure: AgentError | undefined

  // a batch at a time: one wake-up moves everything that came since the last
  const pump: Effect.Effect<void> = Effect.suspend(() => {
    if (waiting.length > 0) {
      const batch = waiting
      waiting = []
      return Effect.flatMap(Effect.zipRight(signals.offerAll(batch), room.open), () => pump)
    }
    if (failure !== undefined) return Effect.asVoid(signals.fail(failure))
    filled.unsafeClose()
    return Effect.flatMap(filled.await, () => pump)
  })

  const queue: SignalQueue = {
    signals,
    push: (signal) => {
      if (closed) return
      waiting.push(signal)
      filled.unsafeOpen()
      if (opened && waiting.length >= capacity) room.unsafeClose()
    },
    room: room.await,
    open: Effect.suspend(() => {
      opened = true
      return Effect.forkScoped(Effect.interruptible(pump))
    }),
    fail: (error) =>
      Effect.sync(() => {
        failure ??= error
        filled.unsafeOpen()
      }),
    close: Effect.suspend(() => {
      closed = true
      waiting = []
      room.unsafeOpen()
      return signals.end
    })
  }
  return queue
})
