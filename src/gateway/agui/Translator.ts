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
import type { SessionEvent } from "../../domain/AgentEvent.js"
import type * as Content from "../../domain/Content.js"
import type { StoredEvent } from "../../domain/StoredEvent.js"
import * as Interrupts from "./Interrupts.js"
import * as Pen from "./Pen.js"
import * as State from "./State.js"
import * as ToolCalls from "./ToolCalls.js"
import * as Turns from "./Turns.js"

/** What one event of the log is in AG-UI. @since 0.1.0 */
export interface Step {
  readonly state: State.State
  readonly events: ReadonlyArray<AGUIEvent>
  readonly ended?: Turns.Ended | undefined
  /** A turn begins here. */
  readonly begins: boolean
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
    case "ContextCompacted":
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
  const ended = Turns.follow(pen, stored)
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

/** Each within the one that it is nested in, where that is open: a run in the background goes on without it. */
const subagents = (state: State.State): ReadonlyArray<AGUIEvent> => {
  const told = new Set<string>()
  return lanes(state).flatMap(({ subagent }) => {
    if (subagent === undefined) return []
    told.add(subagent.id)
    const { parent } = subagent
    return [Turns.announce(parent === undefined || told.has(parent) ? subagent : { ...subagent, parent: undefined })]
  })
}

/** What a reader who begins after `state` is told, so that all that is open is open for it, too. @since 0.1.0 */
export const open = (state: State.State): ReadonlyArray<AGUIEvent> => [
  ...subagents(state),
  ...lanes(state).flatMap(({ open, subagent }) => open === undefined ? [] : Pen.opening(open, subagent?.id)),
  ...ToolCalls.named(state).map(({ id, name, subagent }): AGUIEvent => ({
    type: EventType.TOOL_CALL_START,
    toolCallId: id,
    toolCallName: name,
    ...Pen.by(subagent)
  }))
]

/** What a reader who leaves after `state` is told, so that nothing is open for it. It changes nothing for others. @since 0.1.0 */
export const close = (state: State.State): ReadonlyArray<AGUIEvent> => [
  ...lanes(state).flatMap(({ open, subagent }) => open === undefined ? [] : Pen.closing(open, subagent?.id)),
  ...ToolCalls.named(state).map(({ id, subagent }): AGUIEvent => ({
    type: EventType.TOOL_CALL_END,
    toolCallId: id,
    ...Pen.by(subagent)
  })),
  ...lanes(state).reverse().flatMap(({ subagent }): ReadonlyArray<AGUIEvent> =>
    subagent === undefined ? [] : [{
      type: EventType.SUBAGENT_FINISHED,
      subagentRunId: subagent.id,
      outcome: {
        type: "suspended",
        interruptIds: state.questions.flatMap((question) =>
          question.subagent === subagent.id ? [Interrupts.idOf(question.elicitation, state.seq)] : []
        )
      }
    }]
  )
]
