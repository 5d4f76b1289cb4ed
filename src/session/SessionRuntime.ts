/**
 * One live session: takes prompts, runs turns one at a time, gives what the agent says to the run that it belongs to, and records it.
 *
 * @since 0.1.0
 */
import type * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { AgentConnection, Agents, AgentSignal } from "../agent/Agent.js"
import type { AgentEvent, RunOutcome, SessionEvent } from "../domain/AgentEvent.js"
import type { ContentBlock } from "../domain/Content.js"
import type { Elicitation, ElicitationOutcome } from "../domain/Elicitation.js"
import type { LogError } from "../domain/Errors.js"
import { AgentDied, LimitReached, SessionBusy, SessionClosed } from "../domain/Errors.js"
import { freshRunId, type RunId } from "../domain/Ids.js"
import type { Draft, SessionState } from "../domain/Session.js"
import type { ElicitationBridge } from "../lifecycle/ElicitationBridge.js"
import type { EventLog } from "../log/EventLog.js"
import * as AgentLink from "./AgentLink.js"
import * as History from "./History.js"
import * as Replay from "./Replay.js"
import * as Run from "./Run.js"

/** @since 0.1.0 */
export interface PromptOptions {
  readonly content: ReadonlyArray<ContentBlock>
  /**
   * What happens while a turn is open (RS5): `refuse` fails with `SessionBusy` (the default), `queue` waits behind it and behind the
   * others that wait, `steer` goes first: the open turn is cancelled for it.
   */
  readonly whenBusy?: "refuse" | "queue" | "steer" | undefined
  /** A second prompt with the same key is the first one: same run, nothing new is started. */
  readonly idempotencyKey?: string | undefined
}

/** @since 0.1.0 */
export interface SessionRuntime {
  /** Returns when the agent is ready. */
  readonly start: Effect.Effect<void, AgentLink.LinkError>
  readonly prompt: (
    options: PromptOptions
  ) => Effect.Effect<
    { readonly runId: RunId; readonly seq: number },
    SessionBusy | SessionClosed | LimitReached | LogError
  >
  readonly cancel: Effect.Effect<void, LogError>
  readonly restart: (
    cause: "requested" | "changed" | "failed"
  ) => Effect.Effect<Effect.Effect<void, AgentLink.LinkError | SessionClosed | LogError>, SessionClosed>
  readonly connection: Effect.Effect<AgentConnection, AgentLink.LinkError>
  /** Takes no more prompts; the open run will end as told when the scope closes. */
  readonly retire: (outcome: RunOutcome) => Effect.Effect<void, LogError>
}

/** @since 0.1.0 */
export interface Limits {
  /** Prompts that wait behind the open turn. */
  readonly maxQueued: number
  /** How long an agent may take to end a turn that was cancelled, before it is ended itself. */
  readonly cancelGrace: Duration.Duration
}

const forgotten: SessionEvent = {
  type: "Warning",
  message: "the agent could not load the session: it starts anew and knows nothing of what was said before"
}

const toolCallId = (event: AgentEvent): string | undefined =>
  event.type === "ToolCallStarted" || event.type === "ToolCallUpdated" || event.type === "ToolCallEnded"
    ? event.toolCallId
    : undefined

/** A fiber inherits that its parent cannot be interrupted, and would then hold up the scope that it lives in. */
const forkInterruptible = <A, E, R>(effect: Effect.Effect<A, E, R>, scope: Scope.Scope) =>
  Effect.forkIn(Effect.interruptible(effect), scope)

/**
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(options: {
  readonly session: SessionState
  readonly agents: Agents["Type"]
  readonly log: EventLog["Type"]
  readonly bridge: ElicitationBridge["Type"]
  readonly limits: Limits
}) {
  const { bridge, limits, log, session } = options
  const sessionId = session.id
  const scope = yield* Effect.scope
  // commands and the ends of turns, one at a time; never held while an agent is waited for
  const lock = yield* Effect.makeSemaphore(1)
  const queue: Array<Run.Run> = []
  let current: Run.Run | undefined
  let earlierTools: ReadonlySet<string> = new Set()
  let retired: RunOutcome | undefined

  // ------------------------------------------------------------------------------------------ recording

  const append = (drafts: ReadonlyArray<Draft>) =>
    Effect.catchTag(log.append(sessionId, drafts), "SessionNotFound", Effect.die)

  const record1 = (event: SessionEvent, runId?: RunId) => append([{ event, runId }])

  /** What has happened must be told: a store that fails for a moment is asked again; one that stays broken ends what speaks. */
  const record = (drafts: ReadonlyArray<Draft>): Effect.Effect<void> =>
    drafts.length === 0 ? Effect.void : append(drafts).pipe(
      Effect.retry({
        while: (error) => error._tag === "EventLogUnavailable",
        schedule: Schedule.intersect(Schedule.exponential("50 millis"), Schedule.recurs(6))
      }),
      Effect.orDie,
      Effect.asVoid
    )

  // ------------------------------------------------------------------------------------- the agent's side

  const ownerOf = (event: AgentEvent): RunId | undefined => {
    if (current === undefined || !current.speaking) return undefined
    const tool = toolCallId(event)
    if (tool !== undefined) {
      // RS6: a late word of an ended run's tool call is not given to the next run
      if (event.type !== "ToolCallStarted" && earlierTools.has(tool)) return undefined
      current.tools.add(tool)
    }
    return current.id
  }

  const settledEvent = (elicitation: Elicitation, outcome: ElicitationOutcome): SessionEvent => ({
    type: "ElicitationSettled",
    elicitationId: elicitation.id,
    outcome: elicitation.sensitive === true && outcome._tag === "Answered"
      ? { _tag: outcome._tag, action: outcome.action } // EB11
      : outcome
  })

  const ask = (signal: Extract<AgentSignal, { _tag: "Asked" }>) =>
    // under the lock, because it must not happen between the closing of a run's scope and its `RunEnded`
    lock.withPermits(1)(Effect.gen(function*() {
      const connectionScope = yield* Effect.scope
      const announced = yield* Deferred.make<void>()
      const run = current?.speaking === true ? current : undefined
      const note = (event: SessionEvent) => record([{ event, runId: run?.id }])
      yield* bridge.ask({
        sessionId,
        runId: run?.id,
        request: signal.request,
        withdrawn: signal.withdrawn,
        announce: (elicitation) =>
          Effect.zipRight(note({ type: "ElicitationRequested", elicitation }), Deferred.succeed(announced, void 0)),
        settled: (elicitation, outcome) => note(settledEvent(elicitation, outcome))
      }).pipe(
        Effect.map((outcome) => {
          if (outcome._tag !== "Answered") return Option.none()
          const { _tag, ...answer } = outcome
          return Option.some(answer)
        }),
        Effect.catchTag(
          "LimitReached",
          (error) => Effect.as(note({ type: "Warning", message: error.message }), Option.none())
        ),
        Effect.onExit((exit) => signal.reply(Exit.isSuccess(exit) ? exit.value : Option.none())),
        Effect.ensuring(Deferred.succeed(announced, void 0)),
        // EB4: a question of a run lives in the run's scope, one between runs in the connection's
        (asking) => forkInterruptible(asking, run?.scope ?? connectionScope)
      )
      // what the agent says after its question comes after it in the log
      yield* Deferred.await(announced)
    }))

  const turnEnded = (signal: Extract<AgentSignal, { _tag: "TurnEnded" }>) =>
    Effect.suspend(() => {
      const run = current
      if (run === undefined || run.id !== signal.run) return Effect.void
      run.speaking = false
      const outcome: RunOutcome = signal.result._tag === "Stopped"
        ? { _tag: "Completed", stopReason: signal.result.stopReason }
        : Run.failed(signal.result.error)
      // RS1: nothing else of the agent is looked at before `RunEnded` is recorded
      return Effect.zipRight(Deferred.succeed(run.done, outcome), Deferred.await(run.ended))
    })

  const handle = Effect.fnUntraced(function*(signals: Chunk.Chunk<AgentSignal>) {
    let drafts: Array<Draft> = []
    for (const signal of signals) {
      if (signal._tag === "Said") {
        drafts.push({ event: signal.event, runId: ownerOf(signal.event) })
      } else {
        yield* record(drafts)
        drafts = []
        yield* signal._tag === "Asked" ? ask(signal) : turnEnded(signal)
      }
    }
    yield* record(drafts)
  })

  const history = History.events(log, sessionId).pipe(
    Stream.map(({ event }) => event),
    Stream.runCollect,
    Effect.orDie
  )

  const connected = (connection: AgentConnection) =>
    Effect.gen(function*() {
      const { agentSessionId, how, name, version } = connection
      const { agentSessionId: before } = yield* Effect.orDie(log.state(sessionId))
      const unseen = connection.replayed.length === 0 ? [] : Replay.unseen(yield* history, connection.replayed)
      yield* record([
        {
          event: {
            type: "AgentConnected",
            how,
            agentSessionId,
            ...(name === undefined ? {} : { name }),
            ...(version === undefined ? {} : { version })
          }
        },
        ...(how === "opened" && before !== undefined ? [{ event: forgotten }] : []),
        ...unseen.map((event) => ({ event }))
      ])
    })

  const link: AgentLink.AgentLink = yield* AgentLink.make({
    dial: Effect.gen(function*() {
      const agent = yield* options.agents.get(session.agent)
      const { agentSessionId } = yield* Effect.orDie(log.state(sessionId))
      return yield* agent.connect({ sessionId, cwd: session.cwd, resume: Option.fromNullable(agentSessionId) })
    }),
    connected,
    handle,
    disconnected: (reason, error) => {
      const event: SessionEvent = {
        type: "AgentDisconnected",
        reason,
        ...(Option.isNone(error) ? {} : { error: Run.info(error.value) })
      }
      return Effect.zipRight(
        record([{ event }]),
        // AG2: a turn does not outlive the agent that was to end it
        Effect.suspend(() =>
          current?.speaking === true
            ? Deferred.succeed(
              current.done,
              retired ?? Run.failed(Option.getOrElse(error, () =>
                new AgentDied({ exitCode: null, signal: null, stderr: "", message: `the agent is gone: ${reason}` })))
            )
            : Effect.void
        )
      )
    }
  })

  // ------------------------------------------------------------------------------------------- the turns

  const closed = () => new SessionClosed({ sessionId, message: `session ${sessionId} is closed` })

  const openTurn = (run: Run.Run) =>
    Effect.flatMap(link.get, (connection) =>
      Effect.suspend(() => {
        run.speaking = true
        return connection.prompt(run.id, run.content).pipe(
          // a cancel that came while the prompt was on its way reached an agent that had no turn yet
          Effect.zipRight(Effect.suspend(() => run.cancelled ? connection.cancel : Effect.void))
        )
      }))

  /** RS2: what the run opened is closed, then its end is recorded, then the next one may begin: one step for all others. */
  const closeTurn = (run: Run.Run) => (outcome: RunOutcome) =>
    lock.withPermits(1)(Effect.gen(function*() {
      run.speaking = false
      yield* Scope.close(run.scope, Exit.void)
      yield* record([{ event: { type: "RunEnded", outcome }, runId: run.id }]).pipe(
        // the store is gone: the next start of the log ends the run (EL5)
        Effect.catchAllCause((cause) => Effect.logError(`the end of ${run.id} could not be recorded`, cause))
      )
      earlierTools = run.tools
      current = undefined
      const next = queue.shift()
      if (next !== undefined) {
        yield* Effect.catchAll(begin(next, {}), (error) =>
          Effect.logError(`${next.id} could not start: ${error.message}`))
      }
    }))

  /** Records the beginning and lets the turn run; under the lock. */
  const begin = (run: Run.Run, fields: { readonly idempotencyKey?: string }): Effect.Effect<number, LogError> =>
    Effect.uninterruptible(Effect.gen(function*() {
      const seq = yield* record1({ type: "RunStarted", prompt: run.content, ...fields }, run.id)
      current = run
      // RS3: the run belongs to the session, not to the one who prompted
      yield* Effect.forkIn(
        Run.execute(run, {
          open: openTurn(run),
          close: closeTurn(run),
          interrupted: () => retired ?? { _tag: "Lost", reason: "Holdfast was shut down" }
        }),
        scope
      )
      return seq
    }))

  const dropQueued = (reason: string) =>
    Effect.suspend(() => {
      const dropped = queue.splice(0)
      return Effect.when(
        append(dropped.map((run): Draft => ({ event: { type: "RunDropped", reason }, runId: run.id }))),
        () => dropped.length > 0
      )
    })

  /** Under the lock; waits for nothing that an agent does. */
  const cancelCurrent = Effect.suspend(() => {
    const run = current
    if (run === undefined || run.cancelled) return Effect.void
    run.cancelled = true
    if (!run.speaking) return Effect.asVoid(Deferred.succeed(run.done, { _tag: "Cancelled" }))
    const tell = Effect.flatMap(
      link.current,
      (connection) => Option.isSome(connection) ? connection.value.cancel : Effect.void
    )
    const escalate = Effect.sleep(limits.cancelGrace).pipe(
      Effect.zipRight(link.drop(`it did not stop within ${Duration.format(limits.cancelGrace)} after it was told to`))
    )
    return bridge.withdraw({ sessionId, runId: run.id }, "the run was cancelled").pipe(
      Effect.zipRight(forkInterruptible(tell, run.scope)),
      Effect.zipRight(forkInterruptible(escalate, run.scope)),
      Effect.asVoid
    )
  })

  const prompt: SessionRuntime["prompt"] = ({ content, idempotencyKey, whenBusy = "refuse" }) =>
    lock.withPermits(1)(Effect.gen(function*() {
      if (retired !== undefined) return yield* Effect.fail(closed())
      const fields = idempotencyKey === undefined ? {} : { idempotencyKey }
      if (idempotencyKey !== undefined) {
        const { accepted } = yield* Effect.catchTag(log.state(sessionId), "SessionNotFound", Effect.die)
        const earlier = accepted.find((each) => each.key === idempotencyKey)
        if (earlier !== undefined) return { runId: earlier.runId, seq: earlier.seq }
      }
      if (current !== undefined && whenBusy === "refuse") {
        return yield* Effect.fail(
          new SessionBusy({
            sessionId,
            runId: current.id,
            message:
              `session ${sessionId} is in a turn; wait for its end, cancel it, or send whenBusy "queue" or "steer"`
          })
        )
      }
      const run = yield* Run.make(yield* freshRunId, content)
      if (current === undefined) return { runId: run.id, seq: yield* begin(run, fields) }
      if (queue.length >= limits.maxQueued) {
        return yield* Effect.fail(
          new LimitReached({
            what: "queuedPrompts",
            limit: limits.maxQueued,
            message: `session ${sessionId} has ${limits.maxQueued} prompts waiting already`
          })
        )
      }
      const seq = yield* Effect.uninterruptible(Effect.map(
        record1({ type: "RunQueued", prompt: content, ...fields }, run.id),
        (seq) => {
          if (whenBusy === "steer") queue.unshift(run)
          else queue.push(run)
          return seq
        }
      ))
      if (whenBusy === "steer") yield* cancelCurrent
      return { runId: run.id, seq }
    }))

  // --------------------------------------------------------------------------------------------- restart

  const cycle = (cause: "requested" | "changed" | "failed") =>
    Effect.gen(function*() {
      yield* record1({ type: "AgentRestarting", cause })
      const run = current
      if (run !== undefined) run.cancelled = true
      yield* link.drop("it is being restarted")
      if (run !== undefined) {
        yield* Deferred.succeed(run.done, { _tag: "Cancelled" })
        yield* Deferred.await(run.ended)
      }
      yield* link.get.pipe(
        Effect.tapError((error) => record([{ event: { type: "AgentRestartFailed", error: Run.info(error) } }]))
      )
      yield* record([{ event: { type: "AgentRestarted" } }])
    })

  const cycles = yield* Effect.makeSemaphore(1)
  let waiting: Fiber.RuntimeFiber<void, AgentLink.LinkError | LogError> | undefined

  const restart: SessionRuntime["restart"] = (cause) =>
    lock.withPermits(1)(Effect.suspend(() => {
      if (retired !== undefined) return Effect.fail(closed())
      // requests that come while a cycle runs share one more (RC3)
      if (waiting !== undefined) return Effect.succeed(waiting)
      const start = Effect.sync(() => {
        waiting = undefined
      })
      return forkInterruptible(cycles.withPermits(1)(Effect.zipRight(start, cycle(cause))), scope).pipe(
        Effect.tap((fiber) => {
          waiting = fiber
        })
      )
    })).pipe(
      Effect.map((fiber) =>
        Effect.flatMap(
          Fiber.await(fiber),
          (exit): Effect.Effect<void, AgentLink.LinkError | SessionClosed | LogError> =>
            Exit.isInterrupted(exit) ? Effect.fail(closed()) : exit
        )
      )
    )

  const runtime: SessionRuntime = {
    start: Effect.asVoid(link.get),
    prompt,
    cancel: lock.withPermits(1)(Effect.zipRight(dropQueued("the session was cancelled"), cancelCurrent)),
    restart,
    connection: link.get,
    retire: (outcome) =>
      lock.withPermits(1)(Effect.suspend(() => {
        retired = outcome
        return dropQueued("the session was closed")
      }))
  }
  return runtime
})
