/**
 * The events of a session's log in AG-UI: a pure transition, and what a reader is told where it begins and where it leaves.
 *
 * ```ts
 * const told = [...Translator.open(state), ...entries.flatMap((stored) => { const step = Translator.step(state, stored); … })]
 * ```
 *
 * `docs/agui.md` has the table.
 *
 * @since 0.1.0
 */
import { type AGUIEvent, EventType } from "@ag-ui/core"
import type { RunOutcome, SessionEvent } from "../../domain/AgentEvent.js"
import * as Content from "../../domain/Content.js"
import type { RunId } from "../../domain/Ids.js"
import type { StoredEvent } from "../../domain/StoredEvent.js"
import * as Interrupts from "./Interrupts.js"
import * as Pen from "./Pen.js"
import * as State from "./State.js"
import * as ToolCalls from "./ToolCalls.js"

/** The end of a run: how it ended, or why it never began. @since 0.1.0 */
export interface Ended {
  readonly runId: RunId
  readonly outcome: RunOutcome | { readonly _tag: "Dropped"; readonly reason: string }
}

/** What one event of the log is in AG-UI. @since 0.1.0 */
export interface Step {
  readonly state: State.State
  readonly events: ReadonlyArray<AGUIEvent>
  readonly ended?: Ended | undefined
  /** A turn begins here. */
  readonly begins: boolean
}

// ------------------------------------------------------------------------------------------------------ runs

/** `asked` is not known where the beginning was trimmed. */
const beginTurn = (pen: Pen.Pen, runId: RunId, asked?: ReadonlyArray<Content.ContentBlock>) => {
  Pen.hush(pen, State.outside)
  pen.state = {
    ...pen.state,
    turn: { _tag: "Open", runId, whole: asked !== undefined },
    began: pen.state.seq,
    calls: ToolCalls.forget(pen.state),
    asked: asked ?? [],
    before: pen.state.last
  }
  Pen.setLane(pen, runId, { _tag: "Speaking", subagent: undefined, description: "", open: undefined })
}

/** What a person needs to tell one run from another. */
const describe = (prompt: ReadonlyArray<Content.ContentBlock>) => Content.toText(prompt).slice(0, 200)

const beginWithin = (pen: Pen.Pen, runId: RunId, description: string) => {
  pen.events.push(announce(runId, description))
  Pen.setLane(pen, runId, { _tag: "Speaking", subagent: runId, description, open: undefined })
}

const announce = (runId: RunId, description: string): AGUIEvent => ({
  type: EventType.SUBAGENT_STARTED,
  subagentRunId: runId,
  name: "subagent",
  ...(description === "" ? {} : { description })
})

const endWithin = (
  pen: Pen.Pen,
  runId: RunId,
  error: { readonly message: string; readonly code: string } | undefined
) => {
  Pen.hush(pen, runId)
  ToolCalls.abandon(pen, ({ lane }) => lane === runId)
  pen.events.push(
    error === undefined
      ? { type: EventType.SUBAGENT_FINISHED, subagentRunId: runId }
      : { type: EventType.SUBAGENT_ERROR, subagentRunId: runId, ...error }
  )
  Pen.setLane(pen, runId, { _tag: "Ended" })
}

const endTurn = (pen: Pen.Pen, runId: RunId) => {
  // RS2 leaves nothing open here; a log that was cut does
  for (const [key, lane] of pen.state.lanes) {
    if (lane._tag === "Speaking" && lane.subagent !== undefined) endWithin(pen, lane.subagent, gone)
    else if (key === runId) Pen.hush(pen, key)
  }
  ToolCalls.abandon(pen, ({ lane }) => lane !== State.outside)
  const { lanes, questions } = pen.state
  pen.state = {
    ...pen.state,
    turn: { _tag: "None" },
    lanes: new Map([...lanes].filter(([key]) => key === State.outside)),
    questions: questions.filter(({ elicitation }) => elicitation.runId !== runId)
  }
}

const gone = { message: "the turn has ended", code: "Lost" }

const errorOf = (outcome: RunOutcome): { readonly message: string; readonly code: string } | undefined => {
  switch (outcome._tag) {
    case "Completed":
      return undefined
    case "Cancelled":
      return { message: "it was cancelled", code: "Cancelled" }
    case "Failed":
      return { message: outcome.error.message, code: outcome.error._tag }
    case "Lost":
      return { message: outcome.reason, code: "Lost" }
  }
}

/** What is known of runs after this event. */
const followRun = (pen: Pen.Pen, { event, runId }: StoredEvent): Ended | undefined => {
  const { turn } = pen.state
  if (runId === undefined) return
  switch (event.type) {
    case "RunQueued":
      return
    case "RunDropped":
      return { runId, outcome: { _tag: "Dropped", reason: event.reason } }
    case "RunStarted":
      if (turn._tag !== "Open") beginTurn(pen, runId, event.prompt)
      // a run that begins while a turn is open is a part of it
      else if (!pen.state.lanes.has(runId)) beginWithin(pen, runId, describe(event.prompt))
      return
    case "RunEnded":
      if (turn._tag === "Open" && turn.runId === runId) endTurn(pen, runId)
      else if (Pen.speaking(pen.state, runId) !== undefined) endWithin(pen, runId, errorOf(event.outcome))
      else if (turn._tag === "Unknown") pen.state = { ...pen.state, turn: { _tag: "None" } }
      return { runId, outcome: event.outcome }
    default:
      if (turn._tag === "Unknown") beginTurn(pen, runId)
      return
  }
}

// ---------------------------------------------------------------------------------------------------- events

const output = (
  pen: Pen.Pen,
  lane: string,
  id: string,
  kind: string,
  first: Record<string, unknown>,
  data: unknown
) => {
  if (pen.state.activities.has(id)) Pen.amend(pen, id, kind, [["/output/-", data]])
  else {
    Pen.show(pen, lane, id, kind, { ...first, output: [data] })
    Pen.shown(pen, id)
  }
}

const block = (pen: Pen.Pen, lane: string, role: string, content: Content.ContentBlock) => {
  Pen.hush(pen, lane)
  Pen.show(pen, lane, Pen.name(pen), "content", { role, content })
}

const write = (pen: Pen.Pen, lane: string, event: SessionEvent): void => {
  const { document, session } = pen.state
  switch (event.type) {
    case "TextChunk":
      return Pen.tell(pen, lane, "assistant", event.text, event.messageId)
    case "ThoughtChunk":
      return Pen.tell(pen, lane, "reasoning", event.text, event.messageId)
    case "UserChunk":
      return event.content.type === "text"
        ? Pen.tell(pen, lane, "user", event.content.text, event.messageId)
        : block(pen, lane, "user", event.content)
    case "ContentChunk":
      return block(pen, lane, event.role, event.content)
    case "ToolCallStarted":
    case "ToolCallUpdated":
    case "ToolCallEnded":
      return ToolCalls.tell(pen, lane, event)
    case "ShellOutput":
      return output(pen, lane, `${session}:shell`, "shell", {}, event.data)
    case "ProcessOutput": {
      const { data, processId, stream } = event
      return output(pen, lane, processOf(session, processId), "process", { processId }, { stream, data })
    }
    case "ProcessStatus": {
      const id = processOf(session, event.processId)
      const { type: _, ...status } = event
      if (pen.state.activities.has(id) && event.status === "exited") {
        return Pen.amend(
          pen,
          id,
          "process",
          Object.entries(status).map(([field, value]) => [`/${field}`, value ?? null])
        )
      }
      Pen.show(pen, lane, id, "process", { ...status, output: [] })
      return Pen.shown(pen, id)
    }
    case "PlanUpdated":
      return Pen.record(pen, "plan", event.entries)
    case "UsageUpdated":
      return Pen.record(pen, "usage", { used: event.used, size: event.size, cost: event.cost ?? null })
    case "ModeChanged":
      return Pen.record(pen, "mode", {
        modeId: event.modeId,
        // told once, with the first mode
        available: event.available ?? availableOf(document)
      })
    case "ConfigChanged":
      return Pen.record(pen, "config", event.options)
    case "CommandsChanged":
      return Pen.record(pen, "commands", event.commands)
    case "TitleChanged":
      return Pen.record(pen, "title", event.title)
    case "GitStatusChanged":
      return Pen.record(pen, "git", event.status ?? null)
    case "SessionOpened":
      Pen.record(pen, "agent", event.agent)
      Pen.record(pen, "cwd", event.cwd)
      return event.title === undefined ? undefined : Pen.record(pen, "title", event.title)
    case "SessionClosed":
      return Pen.record(pen, "closed", event.reason)
    case "AgentConnected":
    case "AgentDisconnected":
    case "AgentRestarting":
    case "AgentRestarted":
    case "AgentRestartFailed": {
      const { type, ...fields } = event
      return Pen.record(pen, "connection", { status: connection[type], ...fields })
    }
    case "Extension":
      pen.events.push({
        type: EventType.RAW,
        event: event.payload ?? null,
        source: event.name,
        ...Pen.by(Pen.subagentOf(pen.state, lane))
      })
      return
    case "ElicitationRequested":
      // what the agent says after its question is another message
      Pen.hush(pen, lane)
      pen.state = {
        ...pen.state,
        questions: [...pen.state.questions, {
          elicitation: event.elicitation,
          subagent: Pen.subagentOf(pen.state, lane)
        }]
      }
      return
    case "ElicitationSettled":
      pen.state = {
        ...pen.state,
        questions: pen.state.questions.filter(({ elicitation }) => elicitation.id !== event.elicitationId)
      }
      return Pen.custom(pen, lane, event.type, event)
    case "RunStarted":
    case "RunEnded":
      return
    case "RunQueued":
    case "RunDropped":
    case "FilesChanged":
    case "Warning":
    case "DecisionRevoked":
      return Pen.custom(pen, lane, event.type, event)
  }
}

const connection = {
  AgentConnected: "connected",
  AgentDisconnected: "disconnected",
  AgentRestarting: "restarting",
  AgentRestarted: "connected",
  AgentRestartFailed: "failed"
}

const processOf = (session: string, processId: string) => `${session}:process:${processId}`

const availableOf = ({ mode }: State.Document): unknown =>
  typeof mode === "object" && mode !== null && "available" in mode ? mode.available : null

/** @since 0.1.0 */
export const step = (before: State.State, stored: StoredEvent): Step => {
  const pen = Pen.make(before, stored.seq)
  const ended = followRun(pen, stored)
  write(pen, Pen.laneOf(pen.state, stored.runId), stored.event)
  const { asked } = pen.state
  return { state: pen.state, events: pen.events, ended, begins: asked !== before.asked }
}

/** An event of a kind that this version does not know: a newer one wrote the log. @since 0.1.0 */
export const unknown = (before: State.State, seq: number, type: string, event: unknown): Step => {
  const pen = Pen.make(before, seq)
  Pen.custom(pen, State.outside, type, event ?? null)
  return { state: pen.state, events: pen.events, begins: false }
}

// ----------------------------------------------------------------------------------------------- begin and leave

const lanes = (state: State.State) =>
  [...state.lanes.values()].flatMap((lane) => lane._tag === "Speaking" ? [lane] : [])

/** What a reader who begins after `state` is told, so that all that is open is open for it, too. @since 0.1.0 */
export const open = (state: State.State): ReadonlyArray<AGUIEvent> => [
  ...lanes(state).flatMap(({ description, subagent }) =>
    subagent === undefined ? [] : [announce(subagent, description)]
  ),
  ...lanes(state).flatMap(({ open, subagent }) => open === undefined ? [] : Pen.opening(open, subagent)),
  ...ToolCalls.named(state).map(({ id, name, subagent }): AGUIEvent => ({
    type: EventType.TOOL_CALL_START,
    toolCallId: id,
    toolCallName: name,
    ...Pen.by(subagent)
  }))
]

/** What a reader who leaves after `state` is told, so that nothing is open for it. It changes nothing for others. @since 0.1.0 */
export const close = (state: State.State): ReadonlyArray<AGUIEvent> => [
  ...lanes(state).flatMap(({ open, subagent }) => open === undefined ? [] : Pen.closing(open, subagent)),
  ...ToolCalls.named(state).map(({ id, subagent }): AGUIEvent => ({
    type: EventType.TOOL_CALL_END,
    toolCallId: id,
    ...Pen.by(subagent)
  })),
  ...lanes(state).flatMap(({ subagent }): ReadonlyArray<AGUIEvent> =>
    subagent === undefined ? [] : [{
      type: EventType.SUBAGENT_FINISHED,
      subagentRunId: subagent,
      outcome: {
        type: "suspended",
        interruptIds: state.questions.flatMap((question) =>
          question.subagent === subagent ? [Interrupts.idOf(question.elicitation, state.seq)] : []
        )
      }
    }]
  )
]
