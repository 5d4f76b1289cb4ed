/**
 * One live session: takes prompts, runs turns one at a time, gives what the agent says to the run that it belongs to, and records it.
 *
 * @since 0.1.0
 */
import type * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { AgentConnection, Agents, AgentSignal } from "../agent/Agent.js"
import type { AgentEvent, RunOutcome, SessionEvent } from "../domain/AgentEvent.js"
import type { ContentBlock } from "../domain/Content.js"
import type { LogError } from "../domain/Errors.js"
import { DecisionNotFound, LimitReached, SessionBusy, SessionClosed } from "../domain/Errors.js"
import { freshRunId, type RunId } from "../domain/Ids.js"
import type { Draft, SessionState } from "../domain/Session.js"
import type { Traceparent } from "../domain/Traceparent.js"
import type { ElicitationBridge } from "../lifecycle/ElicitationBridge.js"
import type { Cause, Covered, RestartStorm } from "../lifecycle/RestartCoalescer.js"
import type { StreamManager } from "../lifecycle/StreamManager.js"
import type { EventLog } from "../log/EventLog.js"
import * as AgentLink from "./AgentLink.js"
import * as History from "./History.js"
import * as Lock from "./Lock.js"
import * as Ownership from "./Ownership.js"
import * as Questions from "./Questions.js"
import * as Recorder from "./Recorder.js"
import * as Replay from "./Replay.js"
import * as Restarts from "./Restarts.js"
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
  /** Where the prompt stands in its caller's trace: the run's own trace links to it. */
  readonly traceparent?: Traceparent | undefined
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
  /** Cancels the run that is named, be it open or queued; without a name the open one and all that are queued. */
  readonly cancel: (run?: RunId) => Effect.Effect<void>
  /** Returns when the restart is accepted; the Effect that it returns waits for the one that covers it. */
  readonly restart: (
    cause: Cause
  ) => Effect.Effect<Effect.Effect<void, Restarts.RestartError | SessionClosed>, SessionClosed | RestartStorm>
  /** Carries out what was asked for. `restarts` sees to it that no two run at once. */
  readonly restartCycle: (covered: Covered) => Effect.Effect<void, Restarts.RestartError>
  /** Takes back what was decided for always about the subject. */
  readonly revoke: (subject: string) => Effect.Effect<void, DecisionNotFound | LogError>
  readonly connection: Effect.Effect<AgentConnection, AgentLink.LinkError>
  /** Takes no more commands; the open run will end as told when the scope closes. */
  readonly retire: (outcome: RunOutcome) => Effect.Effect<void>
  /** Records the session's last event, when its scope has closed. */
  readonly seal: Effect.Effect<void, LogError>
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
  readonly restarts: Restarts.Restarts
  readonly streams: StreamManager["Type"]
  readonly limits: Limits
  /** What the log has open of an earlier life of the session. */
  readonly owed: ReadonlyArray<Draft>
}) {
  const { bridge, limits, log, restarts, session, streams } = options
  const sessionId = session.id
  const scope = yield* Effect.scope
  // closing goes the other way: restarts, then the agent, then what its end has not ended yet (RS2)
  const turns = yield* Scope.fork(scope, ExecutionStrategy.sequential)
  // commands and the ends of turns, one at a time; never held while an agent is waited for
  const lock = Lock.make()
  const recorder = yield* Recorder.make(log, sessionId, options.owed)
  yield* bridge.remember(sessionId, session.decisions)
  yield* Effect.addFinalizer(() => bridge.forget(sessionId))
  const ownerOf = Ownership.make()
  let queue: ReadonlyArray<Run.Run> = []
  let current: Run.Run | undefined
  let retired: RunOutcome | undefined

  // ------------------------------------------------------------------------------------- the agent's side

  const speaking = () => current?.speaking === true ? current : undefined

  const ask = (signal: Extract<AgentSignal, { _tag: "Asked" }>, connectionScope: Scope.Scope) =>
    // under the lock, because it must not happen between the closing of a run's scope and its `RunEnded`
    lock(Effect.suspend(() => {
      const run = speaking()
      // a turn that was told to stop is not held up by its questions
      if (run?.cancelled === true) return signal.reply(Option.none())
      // EB4: a question of a run lives in the run's scope, one between runs in the connection's
      return Questions.ask(signal, {
        sessionId,
        runId: run?.id,
        bridge,
        recorder,
        scope: run?.scope ?? connectionScope
      })
    }))

  const turnEnded = (signal: Extract<AgentSignal, { _tag: "TurnEnded" }>) =>
    Effect.suspend(() => {
      const run = current
      if (run === undefined || run.id !== signal.run) return Effect.void
      const outcome: RunOutcome = signal.result._tag === "Stopped"
        ? { _tag: "Completed", stopReason: signal.result.stopReason }
        : Run.failed(signal.result.error)
      // RS1: nothing else of the agent is looked at before `RunEnded` is recorded
      return Effect.zipRight(Deferred.succeed(run.done, outcome), Deferred.await(run.ended))
    })

  const handle = Effect.fnUntraced(function*(signals: Chunk.Chunk<AgentSignal>, connectionScope: Scope.Scope) {
    let said: Array<AgentEvent> = []
    const say = () => {
      const events = said
      said = []
      return events.length === 0
        ? Effect.void
        : recorder.say(() => events.map((event) => ({ event, runId: ownerOf(event, speaking()?.id) })))
    }
    for (const signal of signals) {
      if (signal._tag === "Said") said.push(signal.event)
      else {
        yield* say()
        if (signal._tag === "Asked") yield* ask(signal, connectionScope)
        if (signal._tag === "TurnEnded") yield* turnEnded(signal)
      }
    }
    yield* say()
  })

  // built when it is needed: a stream at rest is larger than all the rest of an idle session
  const history = Effect.suspend(() =>
    History.events(log, sessionId).pipe(
      Stream.map(({ event }) => event),
      Stream.runCollect,
      Effect.orDie
    )
  )

  const connected = (connection: AgentConnection) =>
    Effect.gen(function*() {
      const { agentSessionId, begins = [], how, name, version } = connection
      const { agentSessionId: before } = yield* Effect.orDie(log.state(sessionId))
      const unseen = connection.replayed.length === 0 ? [] : Replay.unseen(yield* history, connection.replayed)
      const seq = yield* recorder.say(() => [
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
        ...[...unseen, ...begins].map((event) => ({ event }))
      ])
      yield* Effect.annotateCurrentSpan("holdfast.seq.end", seq)
    })

  const annotateSpan = Effect.annotateCurrentSpan({
    "holdfast.session.id": sessionId,
    "holdfast.agent": session.agent
  })

  const link: AgentLink.AgentLink = yield* AgentLink.make({
    streams,
    key: sessionId,
    dial: Effect.gen(function*() {
      yield* annotateSpan
      const agent = yield* options.agents.get(session.agent)
      const { agentSessionId } = yield* Effect.orDie(log.state(sessionId))
      return yield* agent.connect({ sessionId, cwd: session.cwd, resume: Option.fromNullable(agentSessionId) })
    }),
    connected,
    handle,
    disconnected: ({ error, lost, reason }) =>
      Effect.gen(function*() {
        yield* recorder.end({
          event: {
            type: "AgentDisconnected",
            reason,
            ...(Option.isNone(error) ? {} : { error: Run.info(error.value) })
          }
        })
        // AG2: a turn does not outlive the agent that was to end it
        const run = speaking()
        if (run !== undefined) {
          yield* Deferred.succeed(run.done, Run.failed(Option.getOrElse(error, () => AgentLink.gone(reason))))
        }
        if (lost && retired === undefined) yield* bringBack
      })
  })

  /** An agent that was up and died is started again, unless it was only just started: then the next prompt does it (RC9). */
  const bringBack = restarts.submit(sessionId, "failed").pipe(
    Effect.catchTags({
      RestartStorm: ({ _tag, message }) =>
        recorder.end({ event: { type: "AgentRestartFailed", error: { _tag, message } } }),
      RestartCoalescerClosed: () => Effect.void
    })
  )

  // ------------------------------------------------------------------------------------------- the turns

  const closed = () => new SessionClosed({ sessionId, message: `session ${sessionId} is closed` })

  const openTurn = (run: Run.Run): Effect.Effect<void, AgentLink.LinkError> =>
    Effect.flatMap(link.get, (connection) => {
      // from here on the end of the connection is told to the run; if it came before, it must be found here (AG2)
      run.speaking = true
      return Effect.flatMap(link.current, (there) =>
        Option.contains(there, connection)
          ? connection.prompt(run.id, run.content).pipe(
            // a cancel that came while the prompt was on its way reached an agent that had no turn yet
            Effect.zipRight(Effect.suspend(() => run.cancelled ? connection.cancel : Effect.void))
          )
          : Effect.fail(AgentLink.gone("it ended before it could be prompted")))
    })

  /** RS2: what the run opened is closed, then its end is recorded, then the next one may begin: one step for all others. */
  const closeTurn = (run: Run.Run) => (outcome: RunOutcome) =>
    lock(Effect.gen(function*() {
      run.speaking = false
      yield* Scope.close(run.scope, Exit.void)
      yield* recorder.end({
        // an agent that fails because its session is closing has not failed
        event: { type: "RunEnded", outcome: outcome._tag === "Failed" ? retired ?? outcome : outcome },
        runId: run.id
      })
      current = undefined
      const [next, ...rest] = queue
      if (next === undefined) return
      queue = rest
      yield* Effect.catchAll(startTurn(next, {}), (error) =>
        Effect.zipRight(drop([next, ...queue], error.message), Effect.sync(() => queue = [])))
    }))

  /** Records the beginning and lets the turn run; under the lock. */
  const startTurn = (run: Run.Run, fields: { readonly idempotencyKey?: string }): Effect.Effect<number, LogError> =>
    Effect.uninterruptible(Effect.gen(function*() {
      const { content: prompt, traceparent } = run
      const seq = yield* recorder.begin({
        event: { type: "RunStarted", prompt, ...fields, ...(traceparent === undefined ? {} : { traceparent }) },
        runId: run.id
      })
      current = run
      // RS3: the run belongs to the session, not to the one who prompted
      yield* Effect.forkIn(
        Effect.annotateLogs(
          Run.execute(run, {
            open: openTurn(run),
            close: closeTurn(run),
            interrupted: () => retired ?? { _tag: "Lost", reason: "Holdfast was shut down" }
          }),
          { session: sessionId, run: run.id }
        ),
        turns
      )
      return seq
    }))

  const drop = (runs: ReadonlyArray<Run.Run>, reason: string) =>
    recorder.end(...runs.map(({ id }): Draft => ({ event: { type: "RunDropped", reason }, runId: id })))

  const dropQueued = (which: (run: Run.Run) => boolean, reason: string) =>
    Effect.suspend(() => {
      const dropped = queue.filter(which)
      queue = queue.filter((run) => !which(run))
      return drop(dropped, reason)
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
    // whoever cancels may leave, but not halfway
  }).pipe(Effect.uninterruptible)

  const prompt: SessionRuntime["prompt"] = ({ content, idempotencyKey, traceparent, whenBusy = "refuse" }) =>
    lock(Effect.gen(function*() {
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
      const run = yield* Run.make(yield* freshRunId, content, traceparent)
      if (current === undefined) return { runId: run.id, seq: yield* startTurn(run, fields) }
      if (queue.length >= limits.maxQueued) {
        return yield* Effect.fail(
          new LimitReached({
            what: "queuedPrompts",
            limit: limits.maxQueued,
            message: `session ${sessionId} has ${limits.maxQueued} prompts waiting already`
          })
        )
      }
      const event: SessionEvent = { type: "RunQueued", prompt: content, ...fields }
      const seq = yield* Effect.uninterruptible(Effect.tap(recorder.begin({ event, runId: run.id }), () => {
        queue = whenBusy === "steer" ? [run, ...queue] : [...queue, run]
        return whenBusy === "steer" ? cancelCurrent : Effect.void
      }))
      return { runId: run.id, seq }
    }))

  // --------------------------------------------------------------------------------------------- restart

  /** The connection that someone reported dead. */
  let suspect: AgentConnection | undefined
  /** Of the cycle that waits for an agent that died to come up again: ends that wait. */
  let waits: Deferred.Deferred<void, AgentLink.LinkError> | undefined

  const renew = Effect.gen(function*() {
    const run = yield* lock(Effect.sync(() => {
      if (current !== undefined) current.cancelled = true
      return current
    }))
    yield* link.drop("it is being restarted")
    if (run !== undefined) {
      yield* Deferred.succeed(run.done, { _tag: "Cancelled" })
      yield* Deferred.await(run.ended)
    }
    yield* link.get
  })

  const restartCycle = (covered: Covered): Effect.Effect<void, Restarts.RestartError> =>
    Effect.flatMap(Effect.zipRight(annotateSpan, link.current), (present) => {
      const dead = suspect
      suspect = undefined
      if (covered.causes[0] !== "failed") return Restarts.record(covered, recorder, renew)
      if (Option.isNone(present)) {
        const hurry = waits = Deferred.unsafeMake<void, AgentLink.LinkError>(FiberId.none)
        // no race, which tells of the agent some steps later than it can speak
        const there = Effect.zipRight(
          Effect.fork(Effect.intoDeferred(Effect.asVoid(link.get), hurry)),
          Deferred.await(hurry)
        )
        return Effect.ensuring(
          Restarts.record(covered, recorder, there),
          Effect.sync(() => {
            waits = undefined
          })
        )
      }
      // whoever looked dead, this one came up in the meantime
      return present.value === dead ? Restarts.record(covered, recorder, renew) : Effect.void
    })

  const unfinished = () => Effect.fail(closed())

  const restart: SessionRuntime["restart"] = (cause) =>
    lock(Effect.suspend(() => {
      if (retired !== undefined) return Effect.fail(closed())
      const looksDead = Effect.map(link.current, (there) => {
        suspect = Option.getOrUndefined(there)
      })
      // a person does not wait for an agent that does not come up by itself: the restart ends its dial, and not the one who asks for it,
      // who might end that of the restart
      const hurry = Effect.sync(() => {
        if (waits !== undefined) Deferred.unsafeDone(waits, Effect.fail(AgentLink.gone("someone asked for a restart")))
      })
      return (cause === "failed" ? looksDead : Effect.void).pipe(
        Effect.zipRight(Effect.catchTag(restarts.submit(sessionId, cause), "RestartCoalescerClosed", unfinished)),
        Effect.tap(() => cause === "requested" ? hurry : Effect.void),
        // whoever asks may leave, but not halfway
        Effect.uninterruptible
      )
    })).pipe(Effect.map((ticket) =>
      Effect.catchTags(ticket.await, { RestartCancelled: unfinished, RestartCoalescerClosed: unfinished })
    ))

  yield* Effect.addFinalizer(() => restarts.forget(sessionId))

  const runtime: SessionRuntime = {
    start: Effect.asVoid(link.get),
    prompt,
    cancel: (id) =>
      lock(Effect.zipRight(
        dropQueued((run) => id === undefined || run.id === id, "it was cancelled"),
        Effect.suspend(() => id === undefined || current?.id === id ? cancelCurrent : Effect.void)
      )),
    restart,
    restartCycle,
    revoke: (subject) =>
      Effect.uninterruptible(Effect.gen(function*() {
        if (!(yield* bridge.revoke(sessionId, subject))) {
          const message = `session ${sessionId} has decided nothing about ${JSON.stringify(subject)}`
          return yield* Effect.fail(new DecisionNotFound({ subject, message }))
        }
        yield* recorder.begin({ event: { type: "DecisionRevoked", subject } })
      })),
    connection: link.get,
    retire: (outcome) =>
      lock(Effect.suspend(() => {
        retired = outcome
        return dropQueued(() => true, "the session was closed")
      })),
    seal: Effect.asVoid(recorder.begin({ event: { type: "SessionClosed", reason: "requested" } }))
  }
  return runtime
})
