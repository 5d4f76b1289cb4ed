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
import type { SessionEvent } from "./AgentEvent.js"
import { Decision } from "./Decision.js"
import { Elicitation } from "./Elicitation.js"
import { ElicitationId, RunId, SessionId } from "./Ids.js"
import type { StoredEvent } from "./StoredEvent.js"

/** @since 0.1.0 */
export const SessionStatus = Schema.Literal("starting", "idle", "running", "waiting", "restarting", "closed", "failed")
/** @since 0.1.0 */
export type SessionStatus = typeof SessionStatus.Type

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
  run: Schema.NullOr(RunId),
  queued: Schema.Array(RunId),
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
        run: stored.runId ?? null,
        queued: without(state.queued, stored.runId),
        ...accept(state, stored, event.idempotencyKey)
      }
    case "RunEnded":
      return { run: null }
    case "ElicitationRequested":
      return { pending: [...state.pending, event.elicitation.id] }
    case "ElicitationSettled":
      return { pending: without(state.pending, event.elicitationId), ...decide(state, event.decision) }
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
  pending: state.pending.length,
  createdAt: state.createdAt,
  updatedAt: state.updatedAt
})

/** An event before the log has numbered it. @since 0.1.0 */
export interface Draft {
  readonly event: SessionEvent
  readonly runId?: RunId | undefined
}

/**
 * What a crash left open and the next start must end (EL5): questions, the run, queued prompts, a restart, the agent. Empty for a
 * session that was left in order. In the order in which they are to be recorded: `RunEnded` is its run's last event (RS1).
 *
 * @since 0.1.0
 */
export const recovery = (state: SessionState, reason: string): ReadonlyArray<Draft> => {
  if (state.phase === "closed") return []
  const runId = state.run ?? undefined
  return [
    ...state.pending.map((elicitationId): Draft => ({
      event: { type: "ElicitationSettled", elicitationId, outcome: { _tag: "Withdrawn", reason } },
      runId
    })),
    ...(state.connected || state.phase === "starting"
      ? [{ event: { type: "AgentDisconnected", reason } as const }]
      : []),
    ...(state.phase === "restarting"
      ? [{ event: { type: "AgentRestartFailed", error: { _tag: "Lost", message: reason } } as const }]
      : []),
    ...(runId === undefined
      ? []
      : [{ event: { type: "RunEnded", outcome: { _tag: "Lost", reason } } as const, runId }]),
    ...state.queued.map((queued): Draft => ({ event: { type: "RunDropped", reason }, runId: queued }))
  ]
}
