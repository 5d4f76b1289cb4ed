/**
 * A message that goes into a turn which is open, for agents that can take one.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { AgentConnection } from "../agent/Agent.js"
import type { AgentEvent } from "../domain/AgentEvent.js"
import type { ContentBlock } from "../domain/Content.js"
import type { Recorder } from "./Recorder.js"
import type { Run } from "./Run.js"

/**
 * What became of the message: `seq` is the number of its first event. `TooLate`: the turn is ending, the message is not in it. `Refused`:
 * the agent could not take it, and goes on without it.
 *
 * @since 0.1.0
 */
export type Steered =
  | { readonly _tag: "Taken"; readonly seq: number }
  | { readonly _tag: "TooLate" }
  | { readonly _tag: "Refused" }

const tooLate: Steered = { _tag: "TooLate" }
const refused: Steered = { _tag: "Refused" }

/**
 * Gives the turn the message, and records it in the turn once it is taken. It belongs to the turn and not to who sends it, who may leave.
 *
 * @since 0.1.0
 */
export const into = (turn: Run, options: {
  readonly content: ReadonlyArray<ContentBlock>
  readonly idempotencyKey: string | undefined
  readonly steer: NonNullable<AgentConnection["steer"]>
  readonly recorder: Recorder
}): Effect.Effect<Steered> => {
  const { content, idempotencyKey: key, recorder, steer } = options
  const events = content.map((content, index): AgentEvent => ({
    type: "UserChunk",
    content,
    ...(key === undefined || index > 0 ? {} : { idempotencyKey: key })
  }))
  const record = recorder.say(() => events.map((event) => ({ event, runId: turn.id }))).pipe(
    Effect.map((last): Steered => ({ _tag: "Taken", seq: last - events.length + 1 }))
  )
  return Effect.suspend(() => {
    // not the fiber's exit: one that was interrupted once the message was taken has recorded it all the same
    let steered: Steered = tooLate
    const give = Effect.uninterruptibleMask((restore) =>
      Effect.matchEffect(restore(steer(turn.id, content)), {
        onFailure: (error) => Effect.as(Effect.logWarning("the agent took no message into its turn", error), refused),
        onSuccess: (taken) => taken ? record : Effect.succeed(tooLate)
      }).pipe(Effect.map((result) => {
        steered = result
      }))
    )
    // RS1: the turn's scope closes before its end is recorded, and waits for what is being recorded
    return Effect.forkIn(Effect.interruptible(give), turn.scope).pipe(
      Effect.flatMap(Fiber.await),
      Effect.flatMap((exit) =>
        Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause)
          ? Effect.failCause(exit.cause)
          : Effect.sync(() => steered)
      )
    )
  })
}
