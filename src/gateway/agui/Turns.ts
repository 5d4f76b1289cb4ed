/**
 * Turns and the runs within them, as AG-UI tells them: the turn is the run of whoever looks, the runs within it are its subagents.
 *
 * @since 0.1.0
 */
import { type AGUIEvent, EventType } from "@ag-ui/core"
import type { RunOutcome } from "../../domain/AgentEvent.js"
import * as Content from "../../domain/Content.js"
import type { RunId } from "../../domain/Ids.js"
import type { StoredEvent } from "../../domain/StoredEvent.js"
import * as Pen from "./Pen.js"
import * as State from "./State.js"
import * as ToolCalls from "./ToolCalls.js"

/** The end of a run: how it ended, or why it never began. @since 0.1.0 */
export interface Ended {
  readonly runId: RunId
  readonly outcome: RunOutcome | { readonly _tag: "Dropped"; readonly reason: string }
}

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

/** @since 0.1.0 */
export const announce = (runId: RunId, description: string): AGUIEvent => ({
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

/** What is known of runs after this event, and which has ended with it. @since 0.1.0 */
export const follow = (pen: Pen.Pen, { event, runId }: StoredEvent): Ended | undefined => {
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
