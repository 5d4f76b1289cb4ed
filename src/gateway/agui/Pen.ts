/**
 * Writes the AG-UI events of one event of the log, and keeps the state that they lead to: the local variables of a pure transition.
 *
 * @since 0.1.0
 */
import { type AGUIEvent, EventType } from "@ag-ui/core"
import type { RunId } from "../../domain/Ids.js"
import * as State from "./State.js"

/** @since 0.1.0 */
export interface Pen {
  state: State.State
  readonly events: Array<AGUIEvent>
}

/** @since 0.1.0 */
export const make = (before: State.State, seq: number): Pen => ({ state: { ...before, seq }, events: [] })

/** Who says it, where that is a run beside the turn. @since 0.1.0 */
export const by = (subagent: RunId | undefined): { readonly subagentRunId?: string } =>
  subagent === undefined ? {} : { subagentRunId: subagent }

/** A name that no other message, call or activity of any session has. @since 0.1.0 */
export const name = ({ state }: Pen): string => `${state.session}:${state.seq}`

/** @since 0.1.0 */
export const speaking = (
  { lanes }: State.State,
  lane: string
): Extract<State.Lane, { _tag: "Speaking" }> | undefined => {
  const found = lanes.get(lane)
  return found?._tag === "Speaking" ? found : undefined
}

/** The lane of a run; of a run that is not open, and of none, `outside`. @since 0.1.0 */
export const laneOf = (state: State.State, runId: RunId | undefined): string =>
  runId !== undefined && speaking(state, runId) !== undefined ? runId : State.outside

/** @since 0.1.0 */
export const subagentOf = (state: State.State, lane: string): RunId | undefined => speaking(state, lane)?.subagent?.id

/** @since 0.1.0 */
export const setLane = (pen: Pen, key: string, lane: State.Lane): void => {
  pen.state = { ...pen.state, lanes: new Map(pen.state.lanes).set(key, lane) }
}

/** What opens a message, in this run or again in the next. @since 0.1.0 */
export const opening = (open: State.Open, subagent: RunId | undefined): ReadonlyArray<AGUIEvent> =>
  open._tag === "Text"
    ? [{ type: EventType.TEXT_MESSAGE_START, messageId: open.id, role: open.role, ...by(subagent) }]
    : [
      { type: EventType.REASONING_START, messageId: open.id, ...by(subagent) },
      { type: EventType.REASONING_MESSAGE_START, messageId: open.id, role: "reasoning", ...by(subagent) }
    ]

/** @since 0.1.0 */
export const closing = (open: State.Open, subagent: RunId | undefined): ReadonlyArray<AGUIEvent> =>
  open._tag === "Text"
    ? [{ type: EventType.TEXT_MESSAGE_END, messageId: open.id, ...by(subagent) }]
    : [
      { type: EventType.REASONING_MESSAGE_END, messageId: open.id, ...by(subagent) },
      { type: EventType.REASONING_END, messageId: open.id, ...by(subagent) }
    ]

const write = (pen: Pen, events: ReadonlyArray<AGUIEvent>) => {
  for (const event of events) pen.events.push(event)
}

/** Ends the message of a lane, if one is open. @since 0.1.0 */
export const hush = (pen: Pen, key: string): void => {
  const lane = speaking(pen.state, key)
  if (lane?.open === undefined) return
  write(pen, closing(lane.open, lane.subagent?.id))
  setLane(pen, key, { ...lane, open: undefined })
}

/** Remembers which message of the agent is the last. @since 0.1.0 */
export const began = (pen: Pen, message: string): void => {
  pen.state = { ...pen.state, last: message }
}

/** Goes on with the message of a lane, or begins one: a message ends where another begins. @since 0.1.0 */
export const tell = (
  pen: Pen,
  key: string,
  kind: "assistant" | "user" | "reasoning",
  text: string,
  source: string | undefined
): void => {
  const lane = speaking(pen.state, key)
  if (lane === undefined) return
  const subagent = lane.subagent?.id
  let open = lane.open
  const told = open?._tag === "Reasoning" ? "reasoning" : open?.role
  if (open === undefined || told !== kind || open.source !== source) {
    hush(pen, key)
    const id = name(pen)
    open = kind === "reasoning" ? { _tag: "Reasoning", id, source } : { _tag: "Text", id, role: kind, source }
    write(pen, opening(open, subagent))
    setLane(pen, key, { ...lane, open })
    if (kind === "assistant") began(pen, id)
  }
  pen.events.push({
    type: kind === "reasoning" ? EventType.REASONING_MESSAGE_CONTENT : EventType.TEXT_MESSAGE_CONTENT,
    messageId: open.id,
    delta: text,
    ...by(subagent)
  })
}

/** Shows structured content in its place among the messages; what is shown again under the same id replaces it. @since 0.1.0 */
export const show = (
  pen: Pen,
  key: string,
  id: string,
  kind: string,
  content: Readonly<Record<string, unknown>>
): void => {
  const { state } = pen
  pen.events.push({
    type: EventType.ACTIVITY_SNAPSHOT,
    messageId: id,
    activityType: `holdfast.${kind}`,
    content: { ...content },
    ...by(subagentOf(state, key))
  })
}

/** Remembers that it is shown. @since 0.1.0 */
export const shown = (pen: Pen, id: string): void => {
  pen.state = { ...pen.state, activities: State.withActivity(pen.state.activities, id) }
}

/** Sets fields of what is shown. @since 0.1.0 */
export const amend = (
  pen: Pen,
  id: string,
  kind: string,
  fields: ReadonlyArray<readonly [path: string, value: unknown]>
): void => {
  pen.events.push({
    type: EventType.ACTIVITY_DELTA,
    messageId: id,
    activityType: `holdfast.${kind}`,
    patch: fields.map(([path, value]) => ({ op: "add", path, value }))
  })
}

/** Tells what AG-UI has no event for. @since 0.1.0 */
export const custom = (pen: Pen, key: string, type: string, value: unknown): void => {
  pen.events.push({
    type: EventType.CUSTOM,
    name: `holdfast.${type}`,
    value,
    ...by(subagentOf(pen.state, key))
  })
}

/** Sets one field of the session state document. @since 0.1.0 */
export const record = (pen: Pen, field: string, value: unknown): void => {
  const { state } = pen
  pen.state = { ...state, document: { ...state.document, [field]: value } }
  pen.events.push({ type: EventType.STATE_DELTA, delta: [{ op: "add", path: `/holdfast/${field}`, value }] })
}
