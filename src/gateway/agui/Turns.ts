/**
 * Turns and the runs beside them, as AG-UI tells them: the turn is the run of whoever looks, the others are its subagents. One in the
 * background outlives the turn: whoever looks at the next turn is told of it again.
 *
 * @since 0.1.0
 */
import { type AGUIEvent, EventType } from "@ag-ui/core"
import type { RunOutcome, RunStarted } from "../../domain/AgentEvent.js"
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
  Pen.setLane(pen, runId, { _tag: "Speaking", subagent: undefined, open: undefined })
}

/** What a person needs to tell one run from another. */
const describe = (prompt: ReadonlyArray<Content.ContentBlock>) => Content.toText(prompt).slice(0, 200)

const beginWithin = (pen: Pen.Pen, id: RunId, { agent, parentRunId, prompt, until }: typeof RunStarted.Type) => {
  const outer = parentRunId === undefined ? undefined : Pen.speaking(pen.state, parentRunId)?.subagent
  const subagent: State.Subagent = {
    id,
    name: agent ?? "subagent",
    description: describe(prompt),
    parent: outer?.id,
    background: until === "session" || outer?.background === true
  }
  pen.events.push(announce(subagent))
  Pen.setLane(pen, id, { _tag: "Speaking", subagent, open: undefined })
}

/** @since 0.1.0 */
export const announce = ({ description, id, name, parent }: State.Subagent): AGUIEvent => ({
  type: EventType.SUBAGENT_STARTED,
  subagentRunId: id,
  name,
  ...(description === "" ? {} : { description }),
  ...(parent === undefined ? {} : { parentSubagentRunId: parent })
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

/** It is to end with the turn. */
const isWithin = (lane: State.Lane): lane is State.Lane & { readonly subagent: State.Subagent } =>
  lane._tag === "Speaking" && lane.subagent?.background === false

const endTurn = (pen: Pen.Pen, runId: RunId) => {
  // RS2 leaves nothing open here; a log that was cut does
  for (const [key, lane] of [...pen.state.lanes].reverse()) {
    if (isWithin(lane)) endWithin(pen, lane.subagent.id, gone)
    else if (key === runId) Pen.hush(pen, key)
  }
  const stays = ([key, lane]: readonly [string, State.Lane]) =>
    key === State.outside || (lane._tag === "Speaking" && lane.subagent?.background === true)
  const lanes = new Map([...pen.state.lanes].filter(stays))
  ToolCalls.abandon(pen, ({ lane }) => !lanes.has(lane))
  const { questions } = pen.state
  pen.state = {
    ...pen.state,
    turn: { _tag: "None" },
    lanes,
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

const begin = (pen: Pen.Pen, runId: RunId, started: typeof RunStarted.Type) => {
  const { lanes, turn } = pen.state
  if (lanes.has(runId)) return
  // a run that begins while a turn is open is a part of it
  if (started.until !== undefined || (turn._tag === "Open" && turn.whole)) return beginWithin(pen, runId, started)
  // what was taken for the turn, as its beginning was trimmed, was another run
  if (turn._tag === "Open") endTurn(pen, turn.runId)
  beginTurn(pen, runId, started.prompt)
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
      begin(pen, runId, event)
      return
    case "RunEnded":
      if (turn._tag === "Open" && turn.runId === runId) endTurn(pen, runId)
      else if (Pen.speaking(pen.state, runId) !== undefined) endWithin(pen, runId, errorOf(event.outcome))
      else if (turn._tag === "Unknown") pen.state = { ...pen.state, turn: { _tag: "None" } }
      return { runId, outcome: event.outcome }
    default:
      if (turn._tag === "Unknown" && !pen.state.lanes.has(runId)) beginTurn(pen, runId)
      return
  }
}
