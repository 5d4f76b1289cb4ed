/**
 * An agent for tests, in memory: a turn is an Effect program that speaks and asks.
 *
 * ```ts
 * const agent = yield* ScriptedAgent.make({
 *   turn: ({ ask, content, say }) =>
 *     Effect.gen(function*() {
 *       yield* say({ type: "TextChunk", text: `you said ${Content.toText(content)}` })
 *       const answer = yield* ask({ kind: "confirmation", message: "Shall I?" })
 *       if (Option.isNone(answer)) return "refusal"
 *     })
 * })
 * const sessions = Sessions.layer.pipe(Layer.provide([Agent.layer([agent]), EventLog.layerMemory, NodeContext.layer]))
 * ```
 *
 * How a turn's program ends is how the turn ends: its value is the stop reason (`end_turn` if it has none), a failure
 * makes the turn `Failed`, and a cancel interrupts it, which makes it `cancelled`. A defect is a bug of the test and
 * fails `signals` with that defect, so that it cannot pass unseen.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { Agent, AgentConnection, AgentSignal, ConnectOptions, TurnResult } from "../agent/Agent.js"
import type { AgentEvent } from "../domain/AgentEvent.js"
import type { ContentBlock } from "../domain/Content.js"
import type { ElicitationAnswer, ElicitationOutcome, ElicitationRequest } from "../domain/Elicitation.js"
import type { AgentError } from "../domain/Errors.js"
import { freshRunId, type RunId, type SessionId } from "../domain/Ids.js"
import * as Intake from "../lifecycle/stream/Intake.js"

/**
 * One connection as the agent holds it: what its side can say at any time, within a turn or between turns.
 *
 * @since 0.1.0
 */
export interface Voice {
  readonly sessionId: SessionId
  /** Waits while `signals` is full. Does nothing once the connection is gone. */
  readonly say: (event: AgentEvent) => Effect.Effect<void>
  /** Waits for the answer; `None` if nobody will give one. Interrupting it takes the question back. */
  readonly ask: (request: ElicitationRequest) => Effect.Effect<Option.Option<ElicitationAnswer>>
  /**
   * Opens a run of the agent's own and works in it; returns when it has told the end of it. Interrupting it stops the work and tells no
   * end, as the end of a turn does with what it left open. To work in the background, fork it into the `Scope`.
   */
  readonly open: <R>(
    options: Opening,
    work: (turn: Turn) => Effect.Effect<string | void, AgentError, R>
  ) => Effect.Effect<void, never, R>
  /** Ends the connection with this error, as an agent that crashes. The open turn stops here, without a `TurnEnded`. */
  readonly die: (error: AgentError) => Effect.Effect<void>
}

/** How an agent opens a run of its own. @since 0.1.0 */
export interface Opening {
  readonly until: "parent" | "session"
  /** A fresh one by default. */
  readonly run?: RunId | undefined
  /** The run that opens it by default. */
  readonly parent?: RunId | undefined
  readonly agent?: string | undefined
  readonly prompt?: ReadonlyArray<ContentBlock> | undefined
}

/** @since 0.1.0 */
export interface Turn extends Voice {
  readonly run: RunId
  readonly content: ReadonlyArray<ContentBlock>
}

/** @since 0.1.0 */
export interface Connecting extends Voice {
  readonly options: ConnectOptions
  /** How many times this agent has been connected to, this time included. */
  readonly attempt: number
}

/**
 * The `Scope` of `turn` and `onConnect` is the connection's: what they fork into it outlives the turn, and what they
 * release there is part of the connection's end.
 *
 * @since 0.1.0
 */
export interface Options {
  /** `scripted` by default. */
  readonly name?: string | undefined
  readonly turn: (turn: Turn) => Effect.Effect<string | void, AgentError, Scope.Scope>
  /** Runs before `connect` returns: may speak early, fail, take its time or hang (`() => Effect.never`). */
  readonly onConnect?: ((connecting: Connecting) => Effect.Effect<void, AgentError, Scope.Scope>) | undefined
  /** What it still knows of a session that had this name before. By default nothing: the session is `opened` anew. */
  readonly onResume?:
    | ((agentSessionId: string) => Effect.Effect<Pick<AgentConnection, "how" | "replayed">, AgentError>)
    | undefined
  /** The modes and options that each connection begins with; none by default. */
  readonly begins?: AgentConnection["begins"]
  /** Takes a message into the open turn, `false` if it is too late. By default the agent has no such thing. */
  readonly steer?: AgentConnection["steer"]
  /** A cancel changes nothing: the turn goes on. False by default. */
  readonly ignoresCancel?: boolean | undefined
  /** How many signals may wait to be read; 16 by default. */
  readonly capacity?: number | undefined
}

/** @since 0.1.0 */
export interface ScriptedAgent extends Agent {
  /** How often `connect` was called, failed attempts included. */
  readonly connects: Effect.Effect<number>
  /** The connections whose scope is open, the oldest first; those that are still connecting too. */
  readonly live: Effect.Effect<ReadonlyArray<Voice>>
}

const forgotten = Effect.succeed<Pick<AgentConnection, "how" | "replayed">>({ how: "opened", replayed: [] })

const toResult = (exit: Exit.Exit<string | void, AgentError>): Exit.Exit<TurnResult> => {
  if (Exit.isSuccess(exit)) {
    return Exit.succeed({ _tag: "Stopped", stopReason: typeof exit.value === "string" ? exit.value : "end_turn" })
  }
  if (Cause.isInterruptedOnly(exit.cause)) return Exit.succeed({ _tag: "Stopped", stopReason: "cancelled" })
  return Either.match(Cause.failureOrCause(exit.cause), {
    onLeft: (error) => Exit.succeed<TurnResult>({ _tag: "Failed", error }),
    onRight: Exit.failCause
  })
}

/**
 * Everything that a connection runs belongs to its scope: when that has closed, no fiber is left. It waits for a turn
 * that is uninterruptible, as for any.
 *
 * @since 0.1.0
 */
export const make = (script: Options): Effect.Effect<ScriptedAgent> =>
  Effect.sync(() => {
    const name = script.name ?? "scripted"
    const onResume = script.onResume ?? (() => forgotten)
    const live = new Set<Voice>()
    let connects = 0

    const connect = Effect.fnUntraced(function*(options: ConnectOptions) {
      const attempt = ++connects
      const scope = yield* Effect.scope
      const signals = Intake.make<AgentSignal, AgentError>(script.capacity ?? 16)
      const tell = (signal: AgentSignal) => Effect.zipRight(signals.room, Effect.sync(() => signals.push([signal])))
      let gone: Effect.Effect<void, AgentError> = Effect.void
      let turn: Fiber.RuntimeFiber<string | void, AgentError> | undefined
      const opened = new Map<RunId, Fiber.RuntimeFiber<string | void, AgentError>>()

      const alive = Effect.suspend(() => gone)
      // it only tells the fiber: nobody waits here for a turn that takes its time to stop
      const interruptTurn = Effect.suspend(() => turn === undefined ? Effect.void : turn.interruptAsFork(FiberId.none))

      /** The voice of a run that the agent opened, which names it, or of the turn or what is between turns. */
      const voiceOf = (within: RunId | undefined, run?: RunId): Voice => ({
        sessionId: options.sessionId,
        say: (event) => tell({ _tag: "Said", event, run }),
        ask: Effect.fnUntraced(function*(request) {
          const answer = yield* Deferred.make<Option.Option<ElicitationAnswer>>()
          const withdrawn = yield* Deferred.make<ElicitationOutcome>()
          return yield* tell({
            _tag: "Asked",
            request,
            reply: (value) => Deferred.succeed(answer, value),
            elsewhere: Deferred.await(withdrawn),
            run
          }).pipe(
            Effect.zipRight(Deferred.await(answer)),
            Effect.onInterrupt(() =>
              Deferred.succeed(withdrawn, { _tag: "Withdrawn", reason: "the agent took it back" })
            )
          )
        }),
        open: Effect.fnUntraced(function*({ agent, parent = within, prompt = [], run: named, until }, work) {
          const run = named ?? (yield* freshRunId)
          yield* tell({ _tag: "RunOpened", run, parent, until, agent, prompt })
          const fiber = yield* Effect.fork(Effect.suspend(() => work({ ...voiceOf(run, run), run, content: prompt })))
          opened.set(run, fiber)
          const result = yield* Effect.flatMap(Fiber.await(fiber), toResult)
          opened.delete(run)
          yield* tell({ _tag: "TurnEnded", run, result })
        }),
        die: (error) =>
          Effect.suspend(() => {
            gone = Effect.fail(error)
            signals.end(Exit.fail(error))
            return interruptTurn
          }).pipe(Effect.zipRight(Effect.yieldNow()))
      })
      const voice = voiceOf(undefined)

      // the first finalizer is the last to run: `live` means that something of the connection may still be there
      yield* Effect.uninterruptible(Effect.suspend(() => {
        live.add(voice)
        return Scope.addFinalizer(
          scope,
          Effect.sync(() => {
            signals.end(Exit.void)
            live.delete(voice)
          })
        )
      }))
      if (script.onConnect !== undefined) yield* script.onConnect({ ...voice, options, attempt })
      yield* alive
      const remembered = yield* Option.match(options.resume, { onNone: () => forgotten, onSome: onResume })

      const open = (run: RunId, content: ReadonlyArray<ContentBlock>) =>
        Effect.suspend(() => script.turn({ ...voiceOf(run), run, content })).pipe(
          Scope.extend(scope),
          Effect.interruptible,
          Effect.forkIn(scope)
        )
      // a fiber of its own: when the turn's fiber has ended, so has everything that it forked (AG4: the end comes
      // last). It is interrupted before the turn is when the scope closes, so a closed connection tells no end
      const close = (run: RunId, fiber: Fiber.RuntimeFiber<string | void, AgentError>) =>
        Fiber.await(fiber).pipe(
          Effect.tap(() => Effect.sync(() => turn = undefined)),
          Effect.flatMap(toResult),
          Effect.flatMap((result) => tell({ _tag: "TurnEnded", run, result })),
          Effect.catchAllCause((cause) => Effect.sync(() => signals.end(Exit.failCause(cause)))),
          Effect.interruptible,
          Effect.forkIn(scope)
        )

      const connection: AgentConnection = {
        name,
        begins: script.begins,
        ...remembered,
        agentSessionId: Option.getOrElse(
          remembered.how === "opened" ? Option.none() : options.resume,
          () => `${name}-${attempt}`
        ),
        signals,
        prompt: Effect.fnUntraced(function*(run, content) {
          yield* alive
          if (turn !== undefined) return yield* Effect.dieMessage("ScriptedAgent: a prompt while a turn is open")
          turn = yield* open(run, content)
          yield* close(run, turn)
        }, Effect.uninterruptible),
        cancel: script.ignoresCancel === true ? Effect.void : interruptTurn,
        cancelRun: (run) =>
          Effect.suspend(() =>
            script.ignoresCancel === true ? Effect.void : opened.get(run)?.interruptAsFork(FiberId.none) ?? Effect.void
          ),
        steer: script.steer,
        setMode: (modeId) => Effect.zipRight(alive, voice.say({ type: "ModeChanged", modeId })),
        setConfigOption: (configId, value) =>
          Effect.zipRight(alive, voice.say({ type: "ConfigChanged", options: [{ id: configId, currentValue: value }] }))
      }
      return connection
    })

    return {
      name,
      kind: "scripted",
      description: "an agent written in a test",
      connect,
      connects: Effect.sync(() => connects),
      live: Effect.sync(() => Array.from(live))
    }
  })
