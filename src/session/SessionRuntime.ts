/**
 * One live session: takes prompts, runs turns one at a time, gives what the agent says to the run that it belongs to, and records it.
 *
 * @since 0.1.0
 */
import type * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { AgentConnection, Agents, AgentSignal, Coalesce } from "../agent/Agent.js"
import type { RunOutcome, SessionEvent } from "../domain/AgentEvent.js"
import type { ContentBlock } from "../domain/Content.js"
import type { AgentUnsupported, IdempotencyKeyReused, LogError } from "../domain/Errors.js"
import { DecisionNotFound, LimitReached, SessionBusy, SessionClosed } from "../domain/Errors.js"
import { freshRunId, type RunId, type SessionId } from "../domain/Ids.js"
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
import * as Idempotency from "./Idempotency.js"
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
  /** The same prompt with the same key is the first one: same run, nothing new is started. Another one fails with `IdempotencyKeyReused`. */
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
    SessionBusy | SessionClosed | IdempotencyKeyReused | LimitReached | LogError
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

/** What the live sessions share. @since 0.1.0 */
export interface Environment {
  readonly agents: Agents["Type"]
  readonly log: EventLog["Type"]
  readonly bridge: ElicitationBridge["Type"]
  readonly restarts: Restarts.Restarts
  readonly streams: StreamManager["Type"]
  readonly limits: Limits
}

/**
 * The session as its parts see it: each is given the whole. A class for the sake of memory: thousands are idle, and a closure for each thing
 * that one can do is most of what it would cost.
 */
class Runtime implements SessionRuntime, AgentLink.Owner {
  /** Commands and the ends of turns, one at a time; never held while an agent is waited for. */
  readonly lock = Lock.make()
  private readonly steering = Lock.make()
  readonly runs = OpenRuns.make()
  readonly pace = Pace.make(this)
  readonly hearing = Hearing.make(this)
  readonly link = AgentLink.make(this)
  private readonly restarting = Restarts.make(this)
  coalesce: Coalesce = false
  retired: RunOutcome | undefined
  private queue: ReadonlyArray<Run.Run> = []

  constructor(
    readonly sessionId: SessionId,
    readonly agent: string,
    private readonly cwd: string,
    private readonly environment: Environment,
    readonly recorder: Recorder.Recorder,
    /** Outlives the connections. */
    readonly turns: Scope.Scope
  ) {}

  get bridge() {
    return this.environment.bridge
  }

  get restarts() {
    return this.environment.restarts
  }

  get cancelGrace() {
    return this.environment.limits.cancelGrace
  }

  closed() {
    const { sessionId } = this
    return new SessionClosed({ sessionId, message: `session ${sessionId} is closed` })
  }

  // ------------------------------------------------------------------------------------------- commands

  get start() {
    return Effect.asVoid(this.link.get)
  }

  get connection() {
    return this.link.get
  }

  prompt(options: PromptOptions) {
    return options.whenBusy === "steer" ? this.steer(options) : this.accept(options, false)
  }

  cancel(id?: RunId) {
    return this.lock(Effect.zipRight(
      this.dropQueued((run) => id === undefined || run.id === id, "it was cancelled"),
      Effect.suspend(() => {
        const run = id === undefined ? this.runs.turn : this.runs.get(id)
        return run === undefined ? Effect.void : Cancel.run(this, run)
      })
    ))
  }

  restart(cause: Cause) {
    return this.restarting.request(cause)
  }

  restartCycle(covered: Covered) {
    return Effect.zipRight(this.annotateSpan, this.restarting.cycle(covered))
  }

  revoke(subject: string) {
    const { bridge, recorder, sessionId } = this
    return Effect.uninterruptible(Effect.gen(function*() {
      if (!(yield* bridge.revoke(sessionId, subject))) {
        const message = `session ${sessionId} has decided nothing about ${JSON.stringify(subject)}`
        return yield* Effect.fail(new DecisionNotFound({ subject, message }))
      }
      yield* recorder.begin({ event: { type: "DecisionRevoked", subject } })
    }))
  }

  rest(reason: string) {
    return this.lock(Effect.sync(() => {
      if (this.retired !== undefined || this.runs.turn !== undefined || this.runs.opened().length > 0) return false
      this.retired = { _tag: "Lost", reason }
      return true
    })).pipe(
      Effect.tap((rests) => rests ? this.link.drop(reason) : Effect.void),
      Effect.uninterruptible
    )
  }

  retire(outcome: RunOutcome) {
    return this.lock(Effect.suspend(() => {
      this.retired = outcome
      return this.dropQueued(() => true, "the session was closed")
    }))
  }

  get seal() {
    return Effect.asVoid(this.recorder.begin({ event: { type: "SessionClosed", reason: "requested" } }))
  }

  /** What it has with those who serve all sessions: its restarts, then its agent, then what was decided in it. */
  get release(): Effect.Effect<void> {
    const { bridge, link, restarts, sessionId } = this
    return restarts.forget(sessionId).pipe(Effect.ensuring(link.close), Effect.ensuring(bridge.forget(sessionId)))
  }

  // ------------------------------------------------------------------------------------- the agent's side

  get key() {
    return this.sessionId
  }

  get streams() {
    return this.environment.streams
  }

  get dial() {
    const { agent: name, cwd, sessionId, turns: keep } = this
    const { agents, log } = this.environment
    return Effect.flatMap(Effect.zipRight(this.annotateSpan, agents.get(name)), (agent) => {
      this.coalesce = agent.coalesce ?? false
      return Effect.flatMap(
        Effect.orDie(log.state(sessionId)),
        ({ agentSessionId }) =>
          agent.connect({
            sessionId,
            cwd,
            resume: Option.fromNullable(agentSessionId),
            history: () => Stream.orDie(History.events(log, sessionId)),
            keep
          })
      )
    })
  }

  connected(connection: AgentConnection) {
    const { recorder, sessionId } = this
    const { log } = this.environment
    return Effect.gen(function*() {
      const { agentSessionId, begins = [], how, name, version } = connection
      const { agentSessionId: before } = yield* Effect.orDie(log.state(sessionId))
      const unseen = connection.replayed.length === 0
        ? []
        : Replay.unseen(
          yield* Stream.runCollect(Stream.map(Stream.orDie(History.events(log, sessionId)), ({ event }) => event)),
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
  }

  handle(signals: Chunk.Chunk<AgentSignal>, connection: Scope.Scope) {
    return this.hearing.handle(signals, connection)
  }

  disconnected({ error, lost, reason }: AgentLink.End) {
    return Effect.gen(this, function*() {
      const { hearing, runs } = this
      yield* this.recorder.end({
        event: {
          type: "AgentDisconnected",
          reason,
          ...(Option.isNone(error) ? {} : { error: Run.info(error.value) })
        }
      })
      // AG2: no run outlives the agent that was to end it
      const failed = Run.failed(Option.getOrElse(error, () => AgentLink.gone(reason)))
      yield* this.lock(
        Effect.suspend(() =>
          Effect.forEach(runs.opened(), (run) => hearing.end(run, Run.settle(run, failed)), { discard: true })
        )
      )
      const turn = runs.speaking()
      if (turn !== undefined) {
        yield* Deferred.succeed(turn.done, failed)
      }
      if (lost && this.retired === undefined) {
        yield* this.bringBack
      }
    })
  }

  /** An agent that was up and died is started again, unless it was only just started: then the next prompt does it (RC9). */
  private get bringBack() {
    return this.restarts.submit(this.sessionId, "failed").pipe(
      Effect.catchTags({
        RestartStorm: ({ _tag, message }) =>
          this.recorder.end({ event: { type: "AgentRestartFailed", error: { _tag, message } } }),
        RestartCoalescerClosed: () => Effect.void
      })
    )
  }

  private get annotateSpan() {
    return Effect.annotateCurrentSpan({ "holdfast.session.id": this.sessionId, "holdfast.agent": this.agent })
  }

  // ------------------------------------------------------------------------------------------- the turns

  private openTurn(run: Run.Run): Effect.Effect<void, AgentLink.LinkError> {
    return Effect.flatMap(this.link.get, (connection) => {
      // from here on the end of the connection is told to the run; if it came before, it must be found here (AG2)
      run.speaking = true
      return Effect.flatMap(this.link.current, (there) =>
        Option.contains(there, connection)
          ? connection.prompt(run.id, run.content).pipe(
            // a cancel that came while the prompt was on its way reached an agent that had no turn yet
            Effect.zipRight(Effect.suspend(() => run.cancelled ? connection.cancel : Effect.void))
          )
          : Effect.fail(AgentLink.gone("it ended before it could be prompted")))
    })
  }

  /** RS2: what the run opened is closed, then its end is recorded, then the next one may begin: one step for all others. */
  private closeTurn(run: Run.Run, outcome: RunOutcome) {
    return this.lock(Effect.gen(this, function*() {
      yield* this.hearing.end(run, outcome)
      const [next, ...rest] = this.queue
      if (next === undefined) return
      this.queue = rest
      yield* Effect.catchAll(this.startTurn(next, {}), (error) =>
        Effect.zipRight(
          this.drop([next, ...this.queue], error.message),
          Effect.sync(() => this.queue = [])
        ))
    }))
  }

  /** Records the beginning and lets the turn run; under the lock. */
  private startTurn(run: Run.Run, fields: { readonly idempotencyKey?: string }): Effect.Effect<number, LogError> {
    return Effect.uninterruptible(Effect.gen(this, function*() {
      const { content: prompt, traceparent } = run
      const seq = yield* this.recorder.begin({
        event: { type: "RunStarted", prompt, ...fields, ...(traceparent === undefined ? {} : { traceparent }) },
        runId: run.id
      })
      this.runs.turn = run
      // RS3: the run belongs to the session, not to the one who prompted
      yield* Effect.forkIn(
        Effect.annotateLogs(
          Run.execute(run, {
            open: this.openTurn(run),
            close: (outcome) => this.closeTurn(run, outcome),
            interrupted: () => this.retired ?? { _tag: "Lost", reason: "Holdfast was shut down" }
          }),
          { session: this.sessionId, run: run.id }
        ),
        this.turns
      )
      return seq
    }))
  }

  private drop(runs: ReadonlyArray<Run.Run>, reason: string) {
    return this.recorder.end(...runs.map(({ id }): Draft => ({ event: { type: "RunDropped", reason }, runId: id })))
  }

  private dropQueued(which: (run: Run.Run) => boolean, reason: string) {
    return Effect.suspend(() => {
      const dropped = this.queue.filter(which)
      this.queue = this.queue.filter((run) => !which(run))
      return this.drop(dropped, reason)
    })
  }

  /** `stops`: what steers ends the open turn. */
  private accept(options: PromptOptions, stops: boolean): ReturnType<SessionRuntime["prompt"]> {
    const { content, idempotencyKey, traceparent, whenBusy = "refuse" } = options
    const { environment: { limits: { maxQueued }, log }, recorder, runs, sessionId } = this
    return this.lock(Effect.gen(this, function*() {
      if (this.retired !== undefined) return yield* Effect.fail(this.closed())
      const fields = idempotencyKey === undefined ? {} : { idempotencyKey }
      const earlier = yield* Idempotency.acceptedBefore(log, sessionId, options)
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
      if (turn === undefined) return { runId: run.id, seq: yield* this.startTurn(run, fields) }
      if (this.queue.length >= maxQueued) {
        return yield* Effect.fail(
          new LimitReached({
            what: "queuedPrompts",
            limit: maxQueued,
            message: `session ${sessionId} has ${maxQueued} prompts waiting already`
          })
        )
      }
      const event: SessionEvent = { type: "RunQueued", prompt: content, ...fields }
      const seq = yield* Effect.uninterruptible(Effect.tap(recorder.begin({ event, runId: run.id }), () => {
        this.queue = whenBusy === "steer" ? [run, ...this.queue] : [...this.queue, run]
        return stops ? Cancel.turn(this, turn) : Effect.void
      }))
      return { runId: run.id, seq }
    }))
  }

  /** Not under the lock, as the agent is waited for; one at a time, so that of two with one key the second finds the first. */
  private steer(options: PromptOptions) {
    const { environment: { log }, link, recorder, runs, sessionId } = this
    return this.steering(Effect.gen(this, function*() {
      const turn = runs.speaking()
      const take = Option.flatMapNullable(yield* link.current, ({ steer }) => steer)
      if (this.retired !== undefined || turn === undefined || turn.cancelled || Option.isNone(take)) {
        return yield* this.accept(options, true)
      }
      const { content, idempotencyKey } = options
      const earlier = yield* Idempotency.acceptedBefore(log, sessionId, options)
      if (earlier !== undefined) return earlier
      const steered = yield* Steering.into(turn, { content, idempotencyKey, steer: take.value, recorder })
      return steered._tag === "Taken"
        ? { runId: turn.id, seq: steered.seq }
        // a turn that is ending needs nobody to end it
        : yield* this.accept(options, steered._tag === "Refused")
    }))
  }
}

/**
 * `owed` is what the log has open of an earlier life of the session. Closing the scope releases all that it holds.
 *
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(
  { agent, cwd, decisions, id }: SessionState,
  owed: ReadonlyArray<Draft>,
  environment: Environment
): Effect.fn.Return<SessionRuntime, never, Scope.Scope> {
  const scope = yield* Effect.scope
  // it is closed last: what the agent's end has not ended yet (RS2)
  const turns = yield* Scope.fork(scope, ExecutionStrategy.sequential)
  const recorder = yield* Recorder.make(environment.log, id, owed)
  yield* environment.bridge.remember(id, decisions)
  const runtime = new Runtime(id, agent, cwd, environment, recorder, turns)
  yield* Scope.addFinalizer(scope, Effect.suspend(() => runtime.release))
  return runtime
})
