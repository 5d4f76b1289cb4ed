/**
 * One live session: takes prompts, runs turns one at a time, gives what the agent says to the run that it belongs to, and records it.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { AgentConnection, Agents, Coalesce } from "../agent/Agent.js"
import type { RunOutcome, SessionEvent } from "../domain/AgentEvent.js"
import type { ContentBlock } from "../domain/Content.js"
import type { AgentUnsupported, LogError } from "../domain/Errors.js"
import { DecisionNotFound, LimitReached, SessionBusy, SessionClosed } from "../domain/Errors.js"
import { freshRunId, type RunId } from "../domain/Ids.js"
import type { Draft, SessionState } from "../domain/Session.js"
import type { Traceparent } from "../domain/Traceparent.js"
import type { ElicitationBridge } from "../lifecycle/ElicitationBridge.js"
import type { Cause, Covered, RestartStorm } from "../lifecycle/RestartCoalescer.js"
import type { StreamManager } from "../lifecycle/StreamManager.js"
import type { EventLog } from "../log/EventLog.js"
import * as AgentLink from "./AgentLink.js"
import * as Cancel from "./Cancel.js"
import * as Hearing from "./Hearing.js"
import * as History from "./History.js"
import * as Lock from "./Lock.js"
import * as OpenRuns from "./OpenRuns.js"
import * as Pace from "./Pace.js"
import * as Recorder from "./Recorder.js"
import * as Replay from "./Replay.js"
import * as Restarts from "./Restarts.js"
import * as Run from "./Run.js"
import * as Steering from "./Steering.js"

/** @since 0.1.0 */
export interface PromptOptions {
  readonly content: ReadonlyArray<ContentBlock>
  /**
   * What happens while a turn is open (RS5): `refuse` fails with `SessionBusy` (the default), `queue` waits behind it and behind the
   * others that wait, `steer` goes into the open turn. For an agent that takes no message into a turn it goes first, and the turn is
   * cancelled for it; when the turn is ending anyway, it goes first.
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
  /**
   * Cancels the run that is named, be it open, with all that is nested in it, or queued; without a name the turn and all that is queued.
   * Runs in the background go on unless they are named. Fails, and does nothing, for a run of the agent's own that it cannot stop alone.
   */
  readonly cancel: (run?: RunId) => Effect.Effect<void, AgentUnsupported>
  /** Returns when the restart is accepted; the Effect that it returns waits for the one that covers it. */
  readonly restart: (
    cause: Cause
  ) => Effect.Effect<Effect.Effect<void, Restarts.RestartError | SessionClosed>, SessionClosed | RestartStorm>
  /** Carries out what was asked for. `restarts` sees to it that no two run at once. */
  readonly restartCycle: (covered: Covered) => Effect.Effect<void, Restarts.RestartError>
  /** Takes back what was decided for always about the subject. */
  readonly revoke: (subject: string) => Effect.Effect<void, DecisionNotFound | LogError>
  readonly connection: Effect.Effect<AgentConnection, AgentLink.LinkError>
  /**
   * Ends the agent for the reason that is given and takes no more commands, if nothing is open and nothing waits: whether it did. The
   * session's scope is to be closed then.
   */
  readonly rest: (reason: string) => Effect.Effect<boolean>
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
  const steering = Lock.make()
  const recorder = yield* Recorder.make(log, sessionId, options.owed)
  yield* bridge.remember(sessionId, session.decisions)
  yield* Scope.addFinalizer(scope, bridge.forget(sessionId))
  const runs = OpenRuns.make()
  let queue: ReadonlyArray<Run.Run> = []
  let retired: RunOutcome | undefined
  let coalesce: Coalesce = false

  // ------------------------------------------------------------------------------------- the agent's side

  const hearing = Hearing.make({
    sessionId,
    runs,
    lock,
    recorder,
    bridge,
    retired: () => retired,
    pace: Pace.make(recorder, () => coalesce === false ? undefined : coalesce.every)
  })

  // built when it is needed: a stream at rest is larger than all the rest of an idle session
  const history = () => Stream.orDie(History.events(log, sessionId))

  const connected = (connection: AgentConnection) =>
    Effect.gen(function*() {
      const { agentSessionId, begins = [], how, name, version } = connection
      const { agentSessionId: before } = yield* Effect.orDie(log.state(sessionId))
      const unseen = connection.replayed.length === 0
        ? []
        : Replay.unseen(
          yield* Stream.runCollect(Stream.map(history(), ({ event }) => event)),
          connection.replayed
        )
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
    dial: Effect.flatMap(Effect.zipRight(annotateSpan, options.agents.get(session.agent)), (agent) => {
      coalesce = agent.coalesce ?? false
      return Effect.flatMap(
        Effect.orDie(log.state(sessionId)),
        ({ agentSessionId }) =>
          agent.connect({
            sessionId,
            cwd: session.cwd,
            resume: Option.fromNullable(agentSessionId),
            history,
            keep: turns
          })
      )
    }),
    connected,
    handle: hearing.handle,
    disconnected: ({ error, lost, reason }) =>
      Effect.gen(function*() {
        yield* recorder.end({
          event: {
            type: "AgentDisconnected",
            reason,
            ...(Option.isNone(error) ? {} : { error: Run.info(error.value) })
          }
        })
        // AG2: no run outlives the agent that was to end it
        const failed = Run.failed(Option.getOrElse(error, () => AgentLink.gone(reason)))
        yield* lock(Effect.suspend(() =>
          Effect.forEach(runs.opened(), (run) => hearing.end(run, Run.settle(run, failed)), { discard: true })
        ))
        const turn = runs.speaking()
        if (turn !== undefined) {
          yield* Deferred.succeed(turn.done, failed)
        }
        if (lost && retired === undefined) {
          yield* bringBack
        }
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
      yield* hearing.end(run, outcome)
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
      runs.turn = run
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

  const cancel = Cancel.make({
    sessionId,
    agent: session.agent,
    bridge,
    hearing,
    link,
    lock,
    recorder,
    runs,
    scope: turns,
    grace: limits.cancelGrace
  })

  /** What was accepted with the same key. */
  const acceptedBefore = (key: string | undefined) =>
    key === undefined
      ? Effect.succeed(undefined)
      : Effect.map(Effect.catchTag(log.state(sessionId), "SessionNotFound", Effect.die), ({ accepted }) => {
        const earlier = accepted.find((each) => each.key === key)
        return earlier === undefined ? undefined : { runId: earlier.runId, seq: earlier.seq }
      })

  /** `stops`: what steers ends the open turn. */
  const accept = (
    { content, idempotencyKey, traceparent, whenBusy = "refuse" }: PromptOptions,
    stops: boolean
  ): ReturnType<SessionRuntime["prompt"]> =>
    lock(Effect.gen(function*() {
      if (retired !== undefined) return yield* Effect.fail(closed())
      const fields = idempotencyKey === undefined ? {} : { idempotencyKey }
      const earlier = yield* acceptedBefore(idempotencyKey)
      if (earlier !== undefined) return earlier
      const { turn } = runs
      if (turn !== undefined && whenBusy === "refuse") {
        return yield* Effect.fail(
          new SessionBusy({
            sessionId,
            runId: turn.id,
            ...(turn.cancelled ? { stopping: true } : {}),
            message:
              `session ${sessionId} is in a turn; wait for its end, cancel it, or send whenBusy "queue" or "steer"`
          })
        )
      }
      const run = yield* Run.make(yield* freshRunId, content, traceparent)
      if (turn === undefined) return { runId: run.id, seq: yield* startTurn(run, fields) }
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
        return stops ? cancel.turn(turn) : Effect.void
      }))
      return { runId: run.id, seq }
    }))

  /** Not under the lock, as the agent is waited for; one at a time, so that of two with one key the second finds the first. */
  const steer = (options: PromptOptions) =>
    steering(Effect.gen(function*() {
      const turn = runs.speaking()
      const take = Option.flatMapNullable(yield* link.current, ({ steer }) => steer)
      if (retired !== undefined || turn === undefined || turn.cancelled || Option.isNone(take)) {
        return yield* accept(options, true)
      }
      const { content, idempotencyKey } = options
      const earlier = yield* acceptedBefore(idempotencyKey)
      if (earlier !== undefined) return earlier
      const steered = yield* Steering.into(turn, { content, idempotencyKey, steer: take.value, recorder })
      return steered._tag === "Taken"
        ? { runId: turn.id, seq: steered.seq }
        // a turn that is ending needs nobody to end it
        : yield* accept(options, steered._tag === "Refused")
    }))

  // --------------------------------------------------------------------------------------------- restart

  const { cycle, request } = Restarts.make({
    sessionId,
    restarts,
    recorder,
    link,
    lock,
    runs,
    retired: () => retired !== undefined,
    closed
  })

  yield* Scope.addFinalizer(scope, restarts.forget(sessionId))

  const runtime: SessionRuntime = {
    start: Effect.asVoid(link.get),
    prompt: (options) => options.whenBusy === "steer" ? steer(options) : accept(options, false),
    cancel: (id) =>
      lock(Effect.zipRight(
        dropQueued((run) => id === undefined || run.id === id, "it was cancelled"),
        Effect.suspend(() => {
          const run = id === undefined ? runs.turn : runs.get(id)
          return run === undefined ? Effect.void : cancel.run(run)
        })
      )),
    restart: request,
    restartCycle: (covered) => Effect.zipRight(annotateSpan, cycle(covered)),
    revoke: (subject) =>
      Effect.uninterruptible(Effect.gen(function*() {
        if (!(yield* bridge.revoke(sessionId, subject))) {
          const message = `session ${sessionId} has decided nothing about ${JSON.stringify(subject)}`
          return yield* Effect.fail(new DecisionNotFound({ subject, message }))
        }
        yield* recorder.begin({ event: { type: "DecisionRevoked", subject } })
      })),
    connection: link.get,
    rest: (reason) =>
      lock(Effect.sync(() => {
        if (retired !== undefined || runs.turn !== undefined || runs.opened().length > 0) return false
        retired = { _tag: "Lost", reason }
        return true
      })).pipe(
        Effect.tap((rests) => rests ? link.drop(reason) : Effect.void),
        Effect.uninterruptible
      ),
    retire: (outcome) =>
      lock(Effect.suspend(() => {
        retired = outcome
        return dropQueued(() => true, "the session was closed")
      })),
    seal: Effect.asVoid(recorder.begin({ event: { type: "SessionClosed", reason: "requested" } }))
  }
  return runtime
})
