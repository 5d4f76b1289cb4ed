/**
 * What can go wrong, as tagged errors. Each `message` is one sentence that says what, where and what would be right; over HTTP
 * they are sent as they are, in the log they become an `ErrorInfo`.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import type { ErrorInfo } from "./AgentEvent.js"
import { AnswerIssue, ElicitationOutcome } from "./Elicitation.js"
import { ElicitationId, RunId, SessionId } from "./Ids.js"

const message = Schema.String

// ---------------------------------------------------------------------------------------------- sessions

/** @since 0.1.0 */
export class SessionNotFound extends Schema.TaggedError<SessionNotFound>()("SessionNotFound", {
  sessionId: SessionId,
  message
}) {}

/** @since 0.1.0 */
export class SessionClosed extends Schema.TaggedError<SessionClosed>()("SessionClosed", {
  sessionId: SessionId,
  message
}) {}

/** A turn is open and the caller asked for `whenBusy: "refuse"` (RS5). @since 0.1.0 */
export class SessionBusy extends Schema.TaggedError<SessionBusy>()("SessionBusy", {
  sessionId: SessionId,
  runId: RunId,
  /** The turn was told to stop, and is about to end. */
  stopping: Schema.optionalWith(Schema.Literal(true), { exact: true }),
  message
}) {}

/** The idempotency key came with another prompt before; `runId` and `seq` are what was answered then. @since 0.1.0 */
export class IdempotencyKeyReused extends Schema.TaggedError<IdempotencyKeyReused>()("IdempotencyKeyReused", {
  sessionId: SessionId,
  runId: RunId,
  seq: Schema.Number,
  message
}) {}

/** More than a configured limit allows: sessions, queued prompts, pending questions. @since 0.1.0 */
export class LimitReached extends Schema.TaggedError<LimitReached>()("LimitReached", {
  what: Schema.String,
  limit: Schema.Number,
  message
}) {}

/** A prompt that no agent can be given: empty, or larger than the limit. @since 0.1.0 */
export class PromptInvalid extends Schema.TaggedError<PromptInvalid>()("PromptInvalid", { message }) {}

/** The working folder of a new session is no folder. @since 0.1.0 */
export class CwdInvalid extends Schema.TaggedError<CwdInvalid>()("CwdInvalid", { cwd: Schema.String, message }) {}

// ------------------------------------------------------------------------------------------------ agents

/** @since 0.1.0 */
export class AgentNotFound extends Schema.TaggedError<AgentNotFound>()("AgentNotFound", {
  agent: Schema.String,
  known: Schema.Array(Schema.String),
  message
}) {}

/** The agent's command is not there (`ENOENT`) or may not be run. @since 0.1.0 */
export class AgentCommandNotFound extends Schema.TaggedError<AgentCommandNotFound>()("AgentCommandNotFound", {
  command: Schema.String,
  path: Schema.String,
  message
}) {}

/** The agent did not finish its handshake in time. @since 0.1.0 */
export class AgentStartTimeout extends Schema.TaggedError<AgentStartTimeout>()("AgentStartTimeout", {
  command: Schema.String,
  millis: Schema.Number,
  stderr: Schema.String,
  message
}) {}

/** The agent's process ended. `stderr` is the end of what it wrote there. @since 0.1.0 */
export class AgentDied extends Schema.TaggedError<AgentDied>()("AgentDied", {
  exitCode: Schema.NullOr(Schema.Number),
  signal: Schema.NullOr(Schema.String),
  stderr: Schema.String,
  message
}) {}

/** The agent said something that its protocol does not allow: a line that is not JSON, a message of the wrong form. @since 0.1.0 */
export class AgentProtocolError extends Schema.TaggedError<AgentProtocolError>()("AgentProtocolError", {
  detail: Schema.String,
  message
}) {}

/** One message of the agent is larger than the limit, in bytes. @since 0.1.0 */
export class AgentMessageTooLarge extends Schema.TaggedError<AgentMessageTooLarge>()("AgentMessageTooLarge", {
  limit: Schema.Number,
  message
}) {}

/** The agent wants a login that it offers and that no configuration chose. @since 0.1.0 */
export class AgentAuthRequired extends Schema.TaggedError<AgentAuthRequired>()("AgentAuthRequired", {
  methods: Schema.Array(Schema.Struct({ id: Schema.String, name: Schema.String })),
  message
}) {}

/** The agent answered a request with an error; `code` is JSON-RPC's. @since 0.1.0 */
export class AgentRequestFailed extends Schema.TaggedError<AgentRequestFailed>()("AgentRequestFailed", {
  method: Schema.String,
  code: Schema.Number,
  message
}) {}

/**
 * The agent's model takes no conversation of that length, and it could not be made shorter. In tokens, as far as the model has told them.
 *
 * @since 0.1.0
 */
export class AgentContextExceeded extends Schema.TaggedError<AgentContextExceeded>()("AgentContextExceeded", {
  model: Schema.String,
  used: Schema.optional(Schema.Number),
  size: Schema.optional(Schema.Number),
  message
}) {}

/**
 * The agent is out of reach for good: its host or its endpoint is gone, or does not know it any more. What became of its turn nobody can
 * tell, so its run ends as `Lost`, with `message` as the reason.
 *
 * @since 0.1.0
 */
export class AgentLost extends Schema.TaggedError<AgentLost>()("AgentLost", { message }) {}

/** There is no way to the agent's endpoint: nobody listens there, or its name or its certificate is wrong. It was asked nothing. @since 0.1.0 */
export class AgentUnreachable extends Schema.TaggedError<AgentUnreachable>()("AgentUnreachable", {
  url: Schema.String,
  message
}) {}

/** The session's agent has no shell and no processes that others could use: only agents behind a host have. @since 0.1.0 */
export class WorkspaceNotOffered extends Schema.TaggedError<WorkspaceNotOffered>()("WorkspaceNotOffered", {
  sessionId: SessionId,
  message
}) {}

/** The agent, or its host, cannot do what was asked. @since 0.1.0 */
export class AgentUnsupported extends Schema.TaggedError<AgentUnsupported>()("AgentUnsupported", {
  capability: Schema.String,
  message
}) {}

/**
 * Every way in which an agent fails a run.
 *
 * @since 0.1.0
 */
export const AgentError = Schema.Union(
  AgentCommandNotFound,
  AgentStartTimeout,
  AgentDied,
  AgentProtocolError,
  AgentMessageTooLarge,
  AgentAuthRequired,
  AgentRequestFailed,
  AgentContextExceeded,
  AgentLost,
  AgentUnreachable,
  AgentUnsupported
)
/** @since 0.1.0 */
export type AgentError = typeof AgentError.Type

// --------------------------------------------------------------------------------------------------- log

/** The cursor points below what the log still has; `oldest` is the first number that can be read (EL6). @since 0.1.0 */
export class CursorExpired extends Schema.TaggedError<CursorExpired>()("CursorExpired", {
  sessionId: SessionId,
  oldest: Schema.Number,
  message
}) {}

/** An append after the log was closed: the events are not stored (EL7). @since 0.1.0 */
export class EventLogClosed extends Schema.TaggedError<EventLogClosed>()("EventLogClosed", { message }) {}

/** The store refused: disk full, file gone. @since 0.1.0 */
export class EventLogUnavailable extends Schema.TaggedError<EventLogUnavailable>()("EventLogUnavailable", {
  message
}) {}

/**
 * The log cannot take what must be recorded.
 *
 * @since 0.1.0
 */
export type LogError = EventLogClosed | EventLogUnavailable

/** Another gateway holds the data folder. @since 0.1.0 */
export class DataFolderHeld extends Schema.TaggedError<DataFolderHeld>()("DataFolderHeld", {
  folder: Schema.String,
  pid: Schema.Number,
  message
}) {}

/** The data folder cannot be made or written. @since 0.1.0 */
export class DataFolderUnusable extends Schema.TaggedError<DataFolderUnusable>()("DataFolderUnusable", {
  folder: Schema.String,
  message
}) {}

/** The store was written by a newer Holdfast. @since 0.1.0 */
export class StoreTooNew extends Schema.TaggedError<StoreTooNew>()("StoreTooNew", {
  found: Schema.Number,
  supported: Schema.Number,
  message
}) {}

// --------------------------------------------------------------------------------------------- questions

/** A question that cannot be put to anyone, with every reason; it was not asked. @since 0.1.0 */
export class ElicitationInvalid extends Schema.TaggedError<ElicitationInvalid>()("ElicitationInvalid", {
  issues: Schema.Array(AnswerIssue),
  message
}) {}

/** Nothing was decided for always about that subject, or it was taken back. @since 0.1.0 */
export class DecisionNotFound extends Schema.TaggedError<DecisionNotFound>()("DecisionNotFound", {
  subject: Schema.String,
  message
}) {}

/** No question of that id was ever asked in that session. @since 0.1.0 */
export class ElicitationNotFound extends Schema.TaggedError<ElicitationNotFound>()("ElicitationNotFound", {
  elicitationId: ElicitationId,
  message
}) {}

/** The question has ended already; `outcome` says how (EB6). @since 0.1.0 */
export class ElicitationAlreadySettled
  extends Schema.TaggedError<ElicitationAlreadySettled>()("ElicitationAlreadySettled", {
    elicitationId: ElicitationId,
    outcome: ElicitationOutcome,
    message
  })
{}

/** The answer does not fit the question, which stays open (EB7). @since 0.1.0 */
export class ElicitationAnswerInvalid
  extends Schema.TaggedError<ElicitationAnswerInvalid>()("ElicitationAnswerInvalid", {
    elicitationId: ElicitationId,
    issues: Schema.Array(AnswerIssue),
    message
  })
{}

/**
 * A tagged error as the log keeps it.
 *
 * @since 0.1.0
 */
export const toInfo = (error: AgentError): ErrorInfo => Schema.encodeSync(AgentError)(error)
