/**
 * The commands of a turn: to prompt, to cancel, and to give up one of which the host tells no end.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ContentBlock } from "../../domain/Content.js"
import { type AgentError, AgentLost, AgentRequestFailed } from "../../domain/Errors.js"
import type { AgentConnection, AgentSignal } from "../Agent.js"
import type { AgentStream } from "./AgentStream.js"
import * as Prompt from "./Prompt.js"
import type { Turns } from "./Turns.js"
import * as Wire from "./Wire.js"

/** @since 0.1.0 */
export interface TurnCommands {
  readonly prompt: AgentConnection["prompt"]
  readonly cancel: AgentConnection["cancel"]
  readonly steer: NonNullable<AgentConnection["steer"]>
  /** The host does not number what it says, so what it lost cannot be told; that it may have lost something can. */
  readonly reconnected: Effect.Effect<void, never, Scope.Scope>
}

const gap: AgentSignal = {
  _tag: "Said",
  event: {
    type: "Warning",
    kind: "gap",
    message: "the connection to the agent host was cut within a turn: what the agent said meanwhile may be missing"
  }
}

/** How long the end of a turn may take that the host has cancelled: its last words come before it. */
const lastWords = Duration.seconds(2)

/** @since 0.1.0 */
export const make = (options: {
  readonly turns: Turns
  readonly call: AgentStream["call"]
  readonly emit: (signal: AgentSignal) => Effect.Effect<void>
  /** Ends the connection: the agent is to be restarted. */
  readonly fail: (error: AgentError) => Effect.Effect<void>
  /** The generation whose end came last and was nobody's. */
  readonly lastOver: () => number | undefined
  readonly heard: () => number
  readonly waits: () => boolean
  readonly silence: Duration.DurationInput
}): TurnCommands => {
  const { call, emit, fail, turns } = options
  /** A prompt of which nobody can tell whether the host has it. */
  let doubtful: number | undefined

  /** The host takes requests in any order: a prompt that follows a cancel too soon would be what is cancelled. */
  const oneAtATime = Effect.unsafeMakeSemaphore(1).withPermits(1)

  /** Whether the host says that no turn is open any more. */
  const stop = oneAtATime(Effect.flatMap(
    // the host itself gives the agent three seconds
    call("agent.cancel", null, { again: true, timeout: "40 seconds" }),
    ({ error, success }) => {
      if (success !== false) return Effect.void
      const message = `the agent did not stop: ${Wire.string(error) ?? "the host does not say why"}`
      return Effect.fail(new AgentRequestFailed({ method: "agent.cancel", code: 0, message }))
    }
  ))

  /** Its words must not be taken for those of the next turn. */
  const clear = Effect.suspend(() => {
    const generation = doubtful
    if (generation === undefined) return Effect.void
    const ended = Effect.repeat(Effect.sleep("20 millis"), { until: () => options.lastOver() === generation })
    return Effect.zipRight(stop, Effect.timeoutOption(ended, lastWords)).pipe(
      Effect.map(() => {
        doubtful = undefined
      }),
      Effect.tapError(fail)
    )
  })

  const give = (content: ReadonlyArray<ContentBlock>, fields: Wire.Fields): Effect.Effect<void, AgentError> =>
    Effect.flatMap(call("agent.prompt", { ...Prompt.ofContent(content), ...fields }), ({ error, success }) => {
      if (success !== false) return Effect.void
      const message = Wire.string(error) ?? "it was not taken"
      return Effect.fail(new AgentRequestFailed({ method: "agent.prompt", code: 0, message }))
    })

  const prompt: TurnCommands["prompt"] = (run, content) =>
    Effect.zipRight(
      Effect.zipRight(clear, oneAtATime(Effect.void)),
      Effect.suspend(() => {
        const generation = turns.begin(run)
        return give(content, { prompt_generation: generation }).pipe(
          Effect.tapError((error) =>
            Effect.sync(() => {
              turns.claim(generation)
              if (error._tag === "AgentLost") doubtful = generation
            })
          )
        )
      })
    )

  const steer: TurnCommands["steer"] = (run, content) =>
    Effect.suspend(() => {
      const steering = turns.steer(run)
      if (steering === undefined) return Effect.succeed(false)
      const { generation } = steering
      return Effect.matchEffect(give(content, { prompt_generation: generation, steer: true }), {
        onSuccess: () => Effect.as(Effect.sync(steering.taken), true),
        onFailure: (error) => {
          const lost = error._tag === "AgentLost"
          const ended = lost ? steering.doubtful() : steering.refused()
          if (ended === undefined) return Effect.fail(error)
          if (lost) doubtful = generation
          // it came too late, and the end that it hid is told now
          return Effect.as(emit({ _tag: "TurnEnded", run, result: ended }), false)
        }
      })
    })

  const cancel = Effect.suspend(() =>
    turns.open() === undefined ? Effect.void : Effect.catchAll(stop, (error) =>
      // only the end of the agent helps, and the restart that follows it
      turns.open() === undefined ? Effect.void : fail(error))
  )

  /** The end of a turn may have been among what was lost: then nothing comes any more, for ever. */
  const watch = (generation: number): Effect.Effect<void> =>
    Effect.suspend(() => {
      const before = options.heard()
      return Effect.zipRight(
        Effect.sleep(options.silence),
        Effect.suspend(() => {
          if (turns.open()?.generation !== generation) return Effect.void
          if (options.heard() !== before || options.waits()) return watch(generation)
          const run = turns.claim(generation)
          if (run === undefined) return Effect.void
          const message = `the connection to the agent host was cut within the turn, and nothing was heard of it for ${
            Duration.format(Duration.decode(options.silence))
          } since`
          const error = new AgentLost({ message })
          return Effect.matchEffect(stop, {
            onFailure: () => fail(error),
            onSuccess: () => emit({ _tag: "TurnEnded", run, result: { _tag: "Failed", error } })
          })
        })
      )
    })

  return {
    prompt,
    cancel,
    steer,
    reconnected: Effect.suspend(() => {
      const turn = turns.open()
      return turn === undefined ? Effect.void : Effect.zipRight(emit(gap), Effect.forkScoped(watch(turn.generation)))
    })
  }
}
