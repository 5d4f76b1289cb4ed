/**
 * A session as its events tell it: a pure fold, never a second truth.
 *
 * ```ts
 * const state = events.reduce(Session.step, Session.initial(id))
 * Session.toSession(state).status // "waiting"
 * ```
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import type { RunStarted, SessionEvent } from "./AgentEvent.js"
import { Decision } from "./Decision.js"
import { Elicitation } from "./Elicitation.js"
import { ElicitationId, RunId, SessionId } from "./Ids.js"
import type { StoredEvent } from "./StoredEvent.js"

/** @since 0.1.0 */
export const SessionStatus = Schema.Literal("starting", "idle", "running", "waiting", "restarting", "closed", "failed")
/** @since 0.1.0 */
export type SessionStatus = typeof SessionStatus.Type

/**
 * A run that the agent opened itself, and that is open: with `until` "parent" it is nested in `parent`, with "session" it may outlive it.
 * `pending` are its questions.
 *
 * @since 0.1.0
 */
export const OpenRun = Schema.Struct({
  id: RunId,
  parent: Schema.optional(RunId),
  until: Schema.Literal("parent", "session"),
  agent: Schema.optional(Schema.String),
  pending: Schema.Array(ElicitationId)
})
/** @since 0.1.0 */
export type OpenRun = typeof OpenRun.Type

/**
 * What clients see. `head` is the number of the last event, `run` the turn that is open, `pending` how many questions wait for
 * an answer; times are ISO 8601.
 *
 * @since 0.1.0
 */
export const Session = Schema.Struct({
  id: SessionId,
  agent: Schema.String,
  cwd: Schema.String,
  title: Schema.optional(Schema.String),
  status: SessionStatus,
  head: Schema.Number,
  run: Schema.optional(RunId),
  /** The runs that the agent opened itself, oldest first; absent when there are none. */
  runs: Schema.optional(Schema.Array(OpenRun)),
  pending: Schema.Number,
  /** The questions themselves, where one session is asked for. */
  elicitations: Schema.optional(Schema.Array(Elicitation)),
  createdAt: Schema.String,
  updatedAt: Schema.String
})
/** @since 0.1.0 */
export type Session = typeof Session.Type

const Accepted = Schema.Struct({ key: Schema.String, runId: RunId, seq: Schema.Number })

/**
 * The fold's accumulator. It is what a store keeps beside the events, in the same transaction, so that a list of sessions and the
 * recovery after a crash read no events.
 *
 * @since 0.1.0
 */
export const SessionState = Schema.Struct({
  id: SessionId,
  agent: Schema.String,
  cwd: Schema.String,
  title: Schema.optional(Schema.String),
  phase: Schema.Literal("starting", "ready", "restarting", "failed", "closed"),
  /** An agent is up for it, as far as the log knows. */
  connected: Schema.Boolean,
  /** The agent's own name for the session, by which it loads it again. */
  agentSessionId: Schema.optional(Schema.String),
  /** The turn. */
  run: Schema.NullOr(RunId),
  /** The runs that the agent opened itself, oldest first: a nested one comes after its parent. */
  open: Schema.optionalWith(Schema.Array(OpenRun), { default: () => [] }),
  queued: Schema.Array(RunId),
  /** The questions of all runs, and those between runs. */
  pending: Schema.Array(ElicitationId),
  /** What was decided for always and not taken back, oldest first. */
  decisions: Schema.optionalWith(Schema.Array(Decision), { default: () => [] }),
  /** The last prompts that came with an idempotency key, oldest first. */
  accepted: Schema.Array(Accepted),
  head: Schema.Number,
  createdAt: Schema.String,
  updatedAt: Schema.String
})
/** @since 0.1.0 */
export type SessionState = typeof SessionState.Type

/** How many idempotency keys a session remembers. */
const remembered = 64
/** How many decisions. */
const decided = 256

/** @since 0.1.0 */
export const initial = (id: SessionId): SessionState => ({
  id,
  agent: "",
  cwd: "",
  phase: "starting",
  connected: false,
  run: null,
  open: [],
  queued: [],
  pending: [],
  decisions: [],
  accepted: [],
  head: 0,
  createdAt: "",
  updatedAt: ""
})

const without = <A>(items: ReadonlyArray<A>, item: A | undefined) => items.filter((each) => each !== item)

const accept = (state: SessionState, stored: StoredEvent, key: string | undefined): Partial<SessionState> =>
  key === undefined || stored.runId === undefined || state.accepted.some((each) => each.key === key)
    ? {}
    : { accepted: [...state.accepted, { key, runId: stored.runId, seq: stored.seq }].slice(-remembered) }

const decide = (state: SessionState, decision: Decision | undefined): Partial<SessionState> =>
  decision === undefined
    ? {}
    : {
      decisions: [...state.decisions.filter(({ subject }) => subject !== decision.subject), decision].slice(-decided)
    }

/** The questions of the open run that the event belongs to, if it is one that the agent opened. */
const ask = (state: SessionState, runId: RunId | undefined, pending: (of: OpenRun["pending"]) => OpenRun["pending"]) =>
  state.open.some(({ id }) => id === runId)
    ? { open: state.open.map((run) => run.id === runId ? { ...run, pending: pending(run.pending) } : run) }
    : {}

const begin = (state: SessionState, runId: RunId | undefined, event: typeof RunStarted.Type): Partial<SessionState> => {
  const { agent, parentRunId: parent, until } = event
  if (until === undefined || runId === undefined) return { run: runId ?? null }
  const run: OpenRun = {
    id: runId,
    ...(parent === undefined ? {} : { parent }),
    until,
    ...(agent === undefined ? {} : { agent }),
    pending: []
  }
  return { open: [...state.open, run] }
}

const change = (state: SessionState, stored: StoredEvent): Partial<SessionState> => {
  const event: SessionEvent = stored.event
  switch (event.type) {
    case "SessionOpened":
      return {
        agent: event.agent,
        cwd: event.cwd,
        ...(event.title === undefined ? {} : { title: event.title }),
        createdAt: stored.at
      }
    case "SessionClosed":
      return { phase: "closed", connected: false }
    case "TitleChanged":
      return { title: event.title }
    case "AgentConnected":
      return {
        connected: true,
        // a restart is over when it says so
        phase: state.phase === "restarting" ? "restarting" : "ready",
        ...(event.agentSessionId === undefined ? {} : { agentSessionId: event.agentSessionId })
      }
    case "AgentDisconnected":
      // an agent that was up and went is started again by the next prompt; one that never came up has failed
      return { connected: false, phase: state.phase === "starting" ? "failed" : state.phase }
    case "AgentRestarting":
      return { phase: "restarting" }
    case "AgentRestarted":
      return { phase: "ready" }
    case "AgentRestartFailed":
      return { phase: "failed" }
    case "RunQueued":
      return {
        queued: stored.runId === undefined ? state.queued : [...state.queued, stored.runId],
        ...accept(state, stored, event.idempotencyKey)
      }
    case "RunDropped":
      return { queued: without(state.queued, stored.runId) }
    case "RunStarted":
      return {
        ...begin(state, stored.runId, event),
        queued: without(state.queued, stored.runId),
        ...accept(state, stored, event.idempotencyKey)
      }
    case "RunEnded":
      return state.open.some(({ id }) => id === stored.runId)
        ? { open: state.open.filter(({ id }) => id !== stored.runId) }
        : state.run === (stored.runId ?? null)
        ? { run: null }
        : {}
    case "ElicitationRequested":
      return {
        pending: [...state.pending, event.elicitation.id],
        ...ask(state, stored.runId, (pending) => [...pending, event.elicitation.id])
      }
    case "ElicitationSettled":
      return {
        pending: without(state.pending, event.elicitationId),
        ...ask(state, stored.runId, (pending) => without(pending, event.elicitationId)),
        ...decide(state, event.decision)
      }
    case "DecisionRevoked":
      return { decisions: state.decisions.filter(({ subject }) => subject !== event.subject) }
    default:
      return {}
  }
}

/**
 * The state after one more event. An event that only carries content changes nothing but `head` and `updatedAt`.
 *
 * @since 0.1.0
 */
export const step = (state: SessionState, stored: StoredEvent): SessionState => ({
  ...state,
  ...change(state, stored),
  head: stored.seq,
  updatedAt: stored.at
})

/** @since 0.1.0 */
export const status = (state: SessionState): SessionStatus => {
  if (state.phase === "closed" || state.phase === "restarting") return state.phase
  if (state.pending.length > 0) return "waiting"
  if (state.run !== null) return "running"
  return state.phase === "ready" ? "idle" : state.phase
}

/** @since 0.1.0 */
export const toSession = (state: SessionState): Session => ({
  id: state.id,
  agent: state.agent,
  cwd: state.cwd,
  ...(state.title === undefined ? {} : { title: state.title }),
  status: status(state),
  head: state.head,
  ...(state.run === null ? {} : { run: state.run }),
  ...(state.open.length === 0 ? {} : { runs: state.open }),
  pending: state.pending.length,
  createdAt: state.createdAt,
  updatedAt: state.updatedAt
})

/** An event before the log has numbered it. @since 0.1.0 */
export interface Draft {
  readonly event: SessionEvent
  readonly runId?: RunId | undefined
}

/** The run in which a question waits; the turn's, or none, if no run of the agent's own has it. */
const asker = ({ open, run }: SessionState, question: ElicitationId): RunId | undefined =>
  open.find(({ pending }) => pending.includes(question))?.id ?? run ?? undefined

/**
 * What a crash left open and the next start must end (EL5): questions, the agent, a restart, the runs, queued prompts. Empty for a
 * session that was left in order. In the order in which they are to be recorded: `RunEnded` is its run's last event (RS1), and a run
 * ends after those that are nested in it (RS2).
 *
 * @since 0.1.0
 */
export const recovery = (state: SessionState, reason: string): ReadonlyArray<Draft> => {
  if (state.phase === "closed") return []
  const runs = [...(state.run === null ? [] : [state.run]), ...state.open.map(({ id }) => id)]
  return [
    ...state.pending.map((elicitationId): Draft => ({
      event: { type: "ElicitationSettled", elicitationId, outcome: { _tag: "Withdrawn", reason } },
      runId: asker(state, elicitationId)
    })),
    ...(state.connected || state.phase === "starting"
      ? [{ event: { type: "AgentDisconnected", reason } as const }]
      : []),
    ...(state.phase === "restarting"
      ? [{ event: { type: "AgentRestartFailed", error: { _tag: "Lost", message: reason } } as const }]
      : []),
    // a nested run began after its parent
    ...runs.reverse().map((runId): Draft => ({
      event: { type: "RunEnded", outcome: { _tag: "Lost", reason } },
      runId
    })),
    ...state.queued.map((queued): Draft => ({ event: { type: "RunDropped", reason }, runId: queued }))
  ]
}
