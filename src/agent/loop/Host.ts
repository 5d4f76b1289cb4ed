/**
 * What a run can have done by the session that it works in.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { AgentEvent } from "../../domain/AgentEvent.js"
import type { RunId } from "../../domain/Ids.js"
import type { TurnResult } from "../Agent.js"
import type { Answer } from "./Answer.js"
import type { Definition } from "./Definition.js"
import type { LoopModel } from "./LoopModel.js"
import type { Actor, LoopRun } from "./LoopRun.js"

/** A run that an agent opened for another one. @since 0.1.0 */
export interface Opened {
  readonly id: RunId
  readonly agent: string
  readonly task: string
  /** Waits for its end; interrupting the one who waits changes nothing. */
  readonly result: Effect.Effect<TurnResult>
  /** Undefined while it works. */
  readonly over: () => TurnResult | undefined
  /** What it has answered so far. */
  readonly text: () => string
  /** Returns when it is told. */
  readonly cancel: Effect.Effect<void>
}

/** @since 0.1.0 */
export interface Host {
  readonly open: (options: {
    readonly by: LoopRun
    readonly definition: Definition
    readonly task: string
    readonly until: "parent" | "session"
  }) => Effect.Effect<Opened>
  /** Brings an agent up, once in a session. */
  readonly actor: (definition: Definition) => Effect.Effect<Actor>
  /** Those in the background, the oldest first. */
  readonly background: Map<string, Opened>
  /** From now on the session's turns are this agent's. */
  readonly handOver: (run: LoopRun, actor: Actor) => void
  /** What an answer means for the session's costs. */
  readonly usage: (model: LoopModel, usage: NonNullable<Answer["usage"]>) => AgentEvent
}
