/**
 * The one ordered queue of a connection (AG4): whatever the agent says is pushed in the order of the wire, by callbacks that cannot
 * wait, and comes out of `signals`. Whoever reads the agent's output waits for `room` before it reads on.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { AgentError } from "../../domain/Errors.js"
import * as Intake from "../../lifecycle/stream/Intake.js"
import type { AgentSignal, Signals } from "../Agent.js"

/** @since 0.1.0 */
export interface SignalQueue {
  readonly signals: Signals
  /** Synchronous; never refuses. */
  readonly push: (signal: AgentSignal) => void
  /** Waits while too much was pushed and not taken. Before `open` there is always room: nobody could take. */
  readonly room: Effect.Effect<void>
  /** The handshake is over, and its reader may take. */
  readonly open: Effect.Effect<void>
  /** Fails `signals` once everything that was pushed has been taken. The first failure counts. */
  readonly fail: (error: AgentError) => Effect.Effect<void>
  /** From now on everything is thrown away: nobody listens any more. */
  readonly close: Effect.Effect<void>
}

/** `capacity` is in signals. @since 0.1.0 */
export const make = (capacity: number): SignalQueue => {
  const intake = Intake.make<AgentSignal, AgentError>(capacity)
  let opened = false
  return {
    signals: intake,
    push: (signal) => intake.push([signal]),
    room: Effect.suspend(() => opened ? intake.room : Effect.void),
    open: Effect.sync(() => {
      opened = true
    }),
    fail: (error) => Effect.sync(() => intake.end(Exit.fail(error))),
    close: Effect.sync(() => intake.end(Exit.void))
  }
}
