/**
 * The event vocabulary: everything that can happen in a session, as data.
 *
 * `AgentEvent` is what an agent says; `SessionEvent` adds what Holdfast itself records (the session's, the run's and the question's
 * beginnings and ends). Each is a flat struct told apart by `type`. A tool call's fields carry ACP's names and meaning.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { ContentBlock, ToolContent } from "./Content.js"
import { Decision } from "./Decision.js"
import { Elicitation, ElicitationOutcome } from "./Elicitation.js"
import { ElicitationId, RunId } from "./Ids.js"
import { Traceparent } from "./Traceparent.js"

const event = <Type extends string, Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({ type: Schema.Literal(type), ...fields })

const optionalString = Schema.optional(Schema.String)

/** An error as the log keeps it: its tag, one sentence, and whatever fields the tagged error has. @since 0.1.0 */
export const ErrorInfo = Schema.Struct(
  { _tag: Schema.String, message: Schema.String },
  Schema.Record({ key: Schema.String, value: Schema.Unknown })
)
/** @since 0.1.0 */
export type ErrorInfo = typeof ErrorInfo.Type

/**
 * How a run ended. `Completed.stopReason` is the agent's own: `end_turn`, `max_tokens`, `max_turn_requests`, `refusal`.
 *
 * @since 0.1.0
 */
export const RunOutcome = Schema.Union(
  Schema.TaggedStruct("Completed", { stopReason: Schema.String }),
  Schema.TaggedStruct("Failed", { error: ErrorInfo }),
  Schema.TaggedStruct("Cancelled", {}),
  Schema.TaggedStruct("Lost", { reason: Schema.String })
)
/** @since 0.1.0 */
export type RunOutcome = typeof RunOutcome.Type

const ToolStatus = Schema.Literal("pending", "in_progress", "completed", "failed")
const Location = Schema.Struct({ path: Schema.String, line: Schema.optional(Schema.NullOr(Schema.Number)) })

const toolCall = {
  toolCallId: Schema.String,
  kind: optionalString,
  name: optionalString,
  content: Schema.optional(Schema.Array(ToolContent)),
  locations: Schema.optional(Schema.Array(Location)),
  rawInput: Schema.optional(Schema.Unknown),
  rawOutput: Schema.optional(Schema.Unknown)
}

/** @since 0.1.0 */
export const TextChunk = event("TextChunk", { text: Schema.String, messageId: optionalString })
/** @since 0.1.0 */
export const ThoughtChunk = event("ThoughtChunk", { text: Schema.String, messageId: optionalString })
/** A part of a user's message that the agent itself reports; the prompt of a run is in its `RunStarted`. @since 0.1.0 */
export const UserChunk = event("UserChunk", { content: ContentBlock, messageId: optionalString })
/** A part of a message that is not text: an image, audio, a resource. @since 0.1.0 */
export const ContentChunk = event("ContentChunk", {
  role: Schema.Literal("agent", "thought"),
  content: ContentBlock,
  messageId: optionalString
})
/** @since 0.1.0 */
export const ToolCallStarted = event("ToolCallStarted", { ...toolCall, title: Schema.String, status: ToolStatus })
/** Absent fields are unchanged; `content` and `locations` replace. @since 0.1.0 */
export const ToolCallUpdated = event("ToolCallUpdated", {
  ...toolCall,
  title: optionalString,
  status: Schema.optional(ToolStatus)
})
/** @since 0.1.0 */
export const ToolCallEnded = event("ToolCallEnded", {
  ...toolCall,
  title: optionalString,
  status: Schema.Literal("completed", "failed")
})
/** The whole plan; it replaces the one before. @since 0.1.0 */
export const PlanUpdated = event("PlanUpdated", {
  entries: Schema.Array(Schema.Struct({ content: Schema.String, priority: Schema.String, status: Schema.String }))
})
/** Tokens in the context, its size in tokens, and what the session has cost so far. @since 0.1.0 */
export const UsageUpdated = event("UsageUpdated", {
  used: Schema.Number,
  size: Schema.Number,
  cost: Schema.optional(Schema.Struct({ amount: Schema.Number, currency: Schema.String }))
})
/** @since 0.1.0 */
export const ModeChanged = event("ModeChanged", {
  modeId: Schema.String,
  available: Schema.optional(Schema.Array(Schema.Struct({
    id: Schema.String,
    name: Schema.String,
    description: optionalString
  })))
})
/** Every option with its current value, in ACP's form. @since 0.1.0 */
export const ConfigChanged = event("ConfigChanged", { options: Schema.Array(Schema.Unknown) })
/** @since 0.1.0 */
export const CommandsChanged = event("CommandsChanged", {
  commands: Schema.Array(Schema.Struct({
    name: Schema.String,
    description: Schema.String,
    hint: optionalString
  }))
})
/** @since 0.1.0 */
export const TitleChanged = event("TitleChanged", { title: Schema.String })
/** @since 0.1.0 */
export const ShellOutput = event("ShellOutput", { data: Schema.String })
/** @since 0.1.0 */
export const ProcessOutput = event("ProcessOutput", {
  processId: Schema.String,
  stream: Schema.Literal("stdout", "stderr", "merged"),
  data: Schema.String
})
/** @since 0.1.0 */
export const ProcessStatus = event("ProcessStatus", {
  processId: Schema.String,
  status: Schema.Literal("running", "exited"),
  command: optionalString,
  exitCode: Schema.optional(Schema.NullOr(Schema.Number)),
  signal: Schema.optional(Schema.NullOr(Schema.String))
})
/** @since 0.1.0 */
export const GitStatusChanged = event("GitStatusChanged", { status: Schema.Unknown })
/** @since 0.1.0 */
export const FilesChanged = event("FilesChanged", {
  changes: Schema.Array(Schema.Struct({ path: Schema.String, kind: Schema.String }))
})
/** The agent goes on with a summary in place of what was said before; `used` and `size` are tokens of its context, before that. @since 0.1.0 */
export const ContextCompacted = event("ContextCompacted", {
  summary: Schema.String,
  used: Schema.Number,
  size: Schema.Number
})
/** Something a person should know and nothing stops for. `kind` is for programs: `gap` says that events were lost upstream. @since 0.1.0 */
export const Warning = event("Warning", { message: Schema.String, detail: optionalString, kind: optionalString })
/** What an agent said that this version has no word for: nothing is thrown away. @since 0.1.0 */
export const Extension = event("Extension", { name: Schema.String, payload: Schema.Unknown })

/**
 * What an agent says.
 *
 * @since 0.1.0
 */
export const AgentEvent = Schema.Union(
  TextChunk,
  ThoughtChunk,
  UserChunk,
  ContentChunk,
  ToolCallStarted,
  ToolCallUpdated,
  ToolCallEnded,
  PlanUpdated,
  UsageUpdated,
  ModeChanged,
  ConfigChanged,
  CommandsChanged,
  TitleChanged,
  ShellOutput,
  ProcessOutput,
  ProcessStatus,
  GitStatusChanged,
  FilesChanged,
  ContextCompacted,
  Warning,
  Extension
)
/** @since 0.1.0 */
export type AgentEvent = typeof AgentEvent.Type

/** @since 0.1.0 */
export const SessionOpened = event("SessionOpened", { agent: Schema.String, cwd: Schema.String, title: optionalString })
/** @since 0.1.0 */
export const SessionClosed = event("SessionClosed", { reason: Schema.String })
/** The agent is up; `agentSessionId` is its own name for the session, `how` tells whether it still knew it. @since 0.1.0 */
export const AgentConnected = event("AgentConnected", {
  how: Schema.Literal("opened", "loaded", "resumed"),
  agentSessionId: optionalString,
  name: optionalString,
  version: optionalString
})
/** The agent is gone, or never came up; `error` is absent when Holdfast ended it on purpose. @since 0.1.0 */
export const AgentDisconnected = event("AgentDisconnected", {
  reason: Schema.String,
  error: Schema.optional(ErrorInfo)
})
const RestartCause = Schema.Literal("requested", "changed", "failed")
/**
 * A restart begins. `causes` are those of all `requests` that it answers, the strongest, which is also `cause`, first.
 *
 * @since 0.1.0
 */
export const AgentRestarting = event("AgentRestarting", {
  cause: RestartCause,
  causes: Schema.optional(Schema.Array(RestartCause)),
  requests: Schema.optional(Schema.Int)
})
/** @since 0.1.0 */
export const AgentRestarted = event("AgentRestarted", {})
/** @since 0.1.0 */
export const AgentRestartFailed = event("AgentRestartFailed", { error: ErrorInfo })
/** A prompt waits for the turns before it; `RunStarted` or `RunDropped` with the same run id follows. @since 0.1.0 */
export const RunQueued = event("RunQueued", { prompt: Schema.Array(ContentBlock), idempotencyKey: optionalString })
/** A queued prompt that will never start. @since 0.1.0 */
export const RunDropped = event("RunDropped", { reason: Schema.String })
/**
 * `traceparent`: where the request that prompted stands in its caller's trace, if it said so. A run that the agent opened itself has
 * `until`: with "parent" it is nested in `parentRunId` and ends with it at the latest, with "session" it is in the background, or a turn
 * that came late, and `parentRunId` is where it comes from. `agent` works in it, when it is not the session's own.
 *
 * @since 0.1.0
 */
export const RunStarted = event("RunStarted", {
  prompt: Schema.Array(ContentBlock),
  idempotencyKey: optionalString,
  parentRunId: Schema.optional(RunId),
  until: Schema.optional(Schema.Literal("parent", "session")),
  agent: optionalString,
  traceparent: Schema.optional(Traceparent)
})
/** @since 0.1.0 */
export const RunEnded = event("RunEnded", { outcome: RunOutcome })
/** @since 0.1.0 */
export const ElicitationRequested = event("ElicitationRequested", { elicitation: Elicitation })
/** `decision`: what was decided for every further question about the same. @since 0.1.0 */
export const ElicitationSettled = event("ElicitationSettled", {
  elicitationId: ElicitationId,
  outcome: ElicitationOutcome,
  decision: Schema.optional(Decision)
})
/** A decision of before is taken back: the next question about this is asked. @since 0.1.0 */
export const DecisionRevoked = event("DecisionRevoked", { subject: Schema.String })

/**
 * Everything that the log of a session can hold.
 *
 * @since 0.1.0
 */
export const SessionEvent = Schema.Union(
  ...AgentEvent.members,
  SessionOpened,
  SessionClosed,
  AgentConnected,
  AgentDisconnected,
  AgentRestarting,
  AgentRestarted,
  AgentRestartFailed,
  RunQueued,
  RunDropped,
  RunStarted,
  RunEnded,
  ElicitationRequested,
  ElicitationSettled,
  DecisionRevoked
)
/** @since 0.1.0 */
export type SessionEvent = typeof SessionEvent.Type
