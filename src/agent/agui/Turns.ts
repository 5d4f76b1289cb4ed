/**
 * The runs that are ours: posts them, reads what comes, asks what they stop for, and posts again with the answers, until the turn is over.
 * One run of Holdfast may so be several of AG-UI.
 *
 * @since 0.1.0
 */
import {
  type Message,
  PROTOCOL_VERSION,
  type ResumeEntry,
  type RunAgentInput,
  type RunFinishedEvent
} from "@ag-ui/core"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { AgentError } from "../../domain/Errors.js"
import type { RunId } from "../../domain/Ids.js"
import type { TurnResult } from "../Agent.js"
import { defaults } from "./AguiOptions.js"
import * as Asking from "./Asking.js"
import * as RunStream from "./RunStream.js"
import type { Thread } from "./Thread.js"

interface Turn extends Asking.Asker {
  posts: number
  /** Nothing more is posted or read. */
  over: boolean
  reading: Fiber.RuntimeFiber<RunFinishedEvent, AgentError> | undefined
}

/** @since 0.1.0 */
export interface Turns {
  /** Opens the turn that the message prompts; returns at once. */
  readonly prompt: (run: RunId, message: Message) => Effect.Effect<void>
  /** Goes on with a run that the agent began itself, once it has come to this end. Returns when the run is over. */
  readonly conclude: (run: RunId, finished: RunFinishedEvent) => Effect.Effect<void>
  /** Stops all that is open. */
  readonly cancel: Effect.Effect<void>
  /**
   * Stops a run that the agent began itself: gives up what it has asked, or has the agent interrupted, which stops whatever is at work in
   * the thread. `undefined` where neither can be.
   */
  readonly cancelRun: (run: RunId) => Effect.Effect<void> | undefined
}

const stopped = (stopReason: string): TurnResult => ({ _tag: "Stopped", stopReason })

const reasonOf = ({ outcome, result }: RunFinishedEvent): string => {
  if (outcome?.type === "cancelled") return "cancelled"
  const told: unknown = typeof result === "object" && result !== null ? result["stopReason"] : undefined
  return typeof told === "string" ? told : "end_turn"
}

/** @since 0.1.0 */
export const make = (thread: Thread): Turns => {
  const { conversation, options, reader, runs, scope, signals, upstream } = thread
  const turns = new Set<Turn>()
  const cancelGrace = options.cancelGrace ?? defaults.cancelGrace
  let previous: string | undefined

  const inputOf = (turn: Turn, resume: ReadonlyArray<ResumeEntry>): RunAgentInput => {
    turn.posts++
    const runId = turn.posts === 1 ? turn.run : `${turn.run}-${turn.posts}`
    const parent = turn.posts === 1 ? undefined : previous
    const state = reader.state()
    previous = runId
    return {
      threadId: thread.id,
      runId,
      protocolVersion: PROTOCOL_VERSION,
      ...(parent === undefined ? {} : { parentRunId: parent }),
      state: state ?? {},
      messages: conversation.toSend(),
      tools: [],
      context: [],
      forwardedProps: options.forwardedProps ?? {},
      ...(resume.length === 0 ? {} : { resume: [...resume] })
    }
  }

  /** One run of AG-UI, in a fiber of its own, so that a cancel can end it alone. */
  const post = (turn: Turn, input: RunAgentInput): Effect.Effect<Exit.Exit<RunFinishedEvent, AgentError>> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(
        Effect.forkIn(Effect.interruptible(RunStream.read(thread, turn.run, input)), scope),
        (fiber) => {
          turn.reading = fiber
          return Effect.ensuring(
            restore(Fiber.await(fiber)),
            Effect.sync(() => {
              turn.reading = undefined
            })
          )
        }
      )
    )

  // ------------------------------------------------------------------------------------------------------ turns

  /** After an end of one of its runs: over, or on with the next. */
  const next = (turn: Turn, finished: RunFinishedEvent): Effect.Effect<TurnResult> =>
    Effect.suspend(() => {
      const questions = turn.over ? [] : Asking.questionsOf(thread, turn, finished)
      if (questions.length === 0) return Effect.succeed(stopped(turn.cancelled ? "cancelled" : reasonOf(finished)))
      return Effect.flatMap(Asking.ask(thread, turn, questions), (resume) =>
        // a call that is given up needs no run to say so; an interrupt does
        turn.over || turn.cancelled && resume.length === 0 ? Effect.succeed(stopped("cancelled")) : go(turn, resume))
    })

  const go = (turn: Turn, resume: ReadonlyArray<ResumeEntry>): Effect.Effect<TurnResult> =>
    Effect.flatMap(Effect.suspend(() => post(turn, inputOf(turn, resume))), (exit) => {
      if (Exit.isSuccess(exit)) return next(turn, exit.value)
      if (turn.cancelled) return Effect.succeed(stopped("cancelled"))
      // without a failure the connection ends, or it is a bug
      return Option.match(Cause.failureOption(exit.cause), {
        onSome: (error) => Effect.succeed<TurnResult>({ _tag: "Failed", error }),
        onNone: () => Effect.failCause(Cause.stripFailures(exit.cause))
      })
    })

  const within = (run: RunId, body: (turn: Turn) => Effect.Effect<TurnResult>): Effect.Effect<void> =>
    Effect.suspend(() => {
      const turn: Turn = {
        run,
        posts: 0,
        cancelled: false,
        over: false,
        reading: undefined,
        questions: []
      }
      turns.add(turn)
      return Effect.flatMap(body(turn), (result) => {
        turns.delete(turn)
        if (turns.size === 0 && runs.isQuiet()) reader.forget()
        return signals.offer([{ _tag: "TurnEnded", run, result }])
      }).pipe(
        Effect.ensuring(Effect.sync(() => turns.delete(turn))),
        // a bug must not leave a turn without its end
        Effect.catchAllCause((cause) => Effect.sync(() => signals.end(Exit.failCause(cause)))),
        Effect.asVoid
      )
    })

  /** Ends what is read, when it may no longer end by itself. */
  const stop = (turn: Turn): Effect.Effect<void> =>
    Effect.suspend(() => {
      turn.over = true
      return turn.reading === undefined ? Effect.void : Effect.asVoid(Fiber.interruptFork(turn.reading))
    })

  const cancelTurn = (turn: Turn): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (turn.cancelled) return Effect.void
      turn.cancelled = true
      const asking = turn.questions.length > 0
      Asking.giveUp(turn)
      const interrupt = upstream.interrupt(thread.id, reader.session())
      // an upstream that can be told may say how it ended; from one that cannot, nothing more is taken
      if (interrupt === undefined && !asking) return stop(turn)
      return Effect.asVoid(Effect.forkIn(
        Effect.interruptible(
          (interrupt ?? Effect.void).pipe(
            Effect.timeoutOption(cancelGrace),
            Effect.zipRight(Effect.sleep(cancelGrace)),
            Effect.zipRight(stop(turn))
          )
        ),
        scope
      ))
    })

  return {
    prompt: (run, message) =>
      Effect.suspend(() => {
        conversation.add(message)
        return Effect.asVoid(Effect.forkIn(Effect.interruptible(within(run, (turn) => go(turn, []))), scope))
      }),
    conclude: (run, finished) => within(run, (turn) => next(turn, finished)),
    cancel: Effect.suspend(() => Effect.forEach([...turns], cancelTurn, { discard: true })),
    cancelRun: (run) => {
      for (const turn of turns) if (turn.run === run) return cancelTurn(turn)
      // a run of ours would be stopped with it
      return turns.size > 0 || !runs.isHeard(run) ? undefined : upstream.interrupt(thread.id, reader.session())
    }
  }
}
