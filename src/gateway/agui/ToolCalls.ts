/**
 * Tool calls in AG-UI: opened when they are heard of, closed when their input is known, answered when they end.
 *
 * ACP tells a call's title, state, places and content while it runs, which AG-UI's tool calls have no place for: they are shown as an activity
 * beside the call.
 *
 * @since 0.1.0
 */
import { type ContentPart, EventType } from "@ag-ui/core"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import type { AgentEvent } from "../../domain/AgentEvent.js"
import * as AguiPart from "../../domain/AguiPart.js"
import type { ToolContent } from "../../domain/Content.js"
import * as Pen from "./Pen.js"
import type * as State from "./State.js"

type Told = Extract<AgentEvent, { type: "ToolCallStarted" | "ToolCallUpdated" | "ToolCallEnded" }>

/** A call whose result is still to come. @since 0.1.0 */
export type Unanswered = Exclude<State.Call, { _tag: "Done" }>

const set = (pen: Pen.Pen, key: string, call: State.Call) => {
  pen.state = { ...pen.state, calls: HashMap.set(pen.state.calls, key, call) }
}

/** The input of many agents' calls comes with the first update, and `{}` before. */
const isInput = (input: unknown): boolean =>
  input !== undefined && input !== null && !(typeof input === "object" && Object.keys(input).length === 0)

const giveInput = (pen: Pen.Pen, call: Unanswered, input: unknown): Unanswered => {
  const tag = Pen.by(call.subagent)
  pen.events.push(
    { type: EventType.TOOL_CALL_ARGS, toolCallId: call.id, delta: JSON.stringify(input), ...tag },
    { type: EventType.TOOL_CALL_END, toolCallId: call.id, ...tag }
  )
  return { ...call, _tag: "Running" }
}

const begin = (pen: Pen.Pen, lane: string, event: Told): Unanswered => {
  Pen.hush(pen, lane)
  const subagent = Pen.subagentOf(pen.state, lane)
  const call: Unanswered = {
    _tag: "Named",
    id: Pen.name(pen),
    lane,
    subagent,
    // what a client's renderers know is a tool's name or kind; a title tells of this one call
    name: event.name ?? event.kind ?? event.title ?? "tool",
    title: event.title,
    shown: false,
    content: [],
    rawOutput: undefined
  }
  const { kind, locations, title, toolCallId } = event
  pen.events.push({
    type: EventType.TOOL_CALL_START,
    toolCallId: call.id,
    toolCallName: call.name,
    metadata: { holdfast: { toolCallId, title, kind, locations } },
    ...Pen.by(subagent)
  })
  Pen.began(pen, call.id)
  return call
}

/** What is told of a call's progress; also another input than the one that was told, as that is closed. */
const progress = ({ content, kind, locations, rawInput, rawOutput, status, title }: Told, isTold: boolean) =>
  Object.entries({ title, kind, status, locations, content, rawInput: isTold ? rawInput : undefined, rawOutput })
    .filter(([, value]) => value !== undefined)

const showProgress = (pen: Pen.Pen, call: Unanswered, event: Told, isTold: boolean): Unanswered => {
  const fields = progress(event, isTold)
  // the beginning and the end of a call tell most of it: only what they do not is worth an activity
  const worth = call.shown || event.content?.some(isShown) === true ||
    (event.type === "ToolCallUpdated" && event.status !== "pending")
  if (fields.length === 0 || !worth) return call
  const id = `${call.id}:progress`
  if (call.shown) Pen.amend(pen, id, "tool_call", fields.map(([name, value]) => [`/${name}`, value]))
  else {
    Pen.show(pen, call.lane, id, "tool_call", {
      toolCallId: call.id,
      name: call.name,
      title: call.title,
      ...Object.fromEntries(fields)
    })
  }
  return { ...call, shown: true }
}

/** A result is text; how a file changed and what a terminal shows are not. */
const isShown = (content: ToolContent): boolean => content.type !== "content"

const toText = (value: unknown): string =>
  typeof value === "string" ? value : value === undefined || value === null ? "" : JSON.stringify(value)

const toResult = (content: ReadonlyArray<ToolContent>, rawOutput: unknown): string | Array<ContentPart> => {
  const parts = content.map((each): ContentPart =>
    each.type === "content" ? AguiPart.fromBlock(each.content) : {
      type: "text",
      text: each.type === "diff" ? `changed ${each.path}` : `see the terminal ${each.terminalId}`
    }
  )
  if (parts.length === 0) return toText(rawOutput)
  return parts.every((part) => part.type === "text") ? parts.map(({ text }) => text).join("\n") : parts
}

const answer = (
  pen: Pen.Pen,
  key: string,
  call: Unanswered,
  content: string | Array<ContentPart>,
  status: string
): void => {
  const running = call._tag === "Named" ? giveInput(pen, call, {}) : call
  pen.events.push({
    type: EventType.TOOL_CALL_RESULT,
    messageId: `${running.id}:result`,
    toolCallId: running.id,
    content,
    role: "tool",
    metadata: { holdfast: { status } },
    ...Pen.by(running.subagent)
  })
  set(pen, key, { _tag: "Done", seq: pen.state.seq })
}

/** @since 0.1.0 */
export const tell = (pen: Pen.Pen, lane: string, event: Told): void => {
  const key = event.toolCallId
  const known = Option.getOrUndefined(HashMap.get(pen.state.calls, key))
  // what is heard of a call that is over belongs to no call; but an agent may begin another by the same id
  if (known?._tag === "Done" && event.type !== "ToolCallStarted") return Pen.custom(pen, lane, event.type, event)
  const begun = known === undefined || known._tag === "Done" ? begin(pen, lane, event) : known
  const titled: Unanswered = {
    ...begun,
    title: event.title ?? begun.title,
    content: event.content ?? begun.content,
    rawOutput: event.rawOutput ?? begun.rawOutput
  }
  const given = titled._tag === "Named" && isInput(event.rawInput)
    ? giveInput(pen, titled, event.rawInput)
    : titled
  const call = showProgress(pen, given, event, titled._tag === "Running")
  if (event.type === "ToolCallEnded") answer(pen, key, call, toResult(call.content, call.rawOutput), event.status)
  else set(pen, key, call)
}

/** Answers the calls that have no result, because nobody will: a client takes an open call for one that it has to make itself. @since 0.1.0 */
export const abandon = (pen: Pen.Pen, of: (call: Unanswered) => boolean): void => {
  for (const [key, call] of pen.state.calls) {
    if (call._tag !== "Done" && of(call)) answer(pen, key, call, "There is no result: the turn has ended.", "abandoned")
  }
}

/**
 * Forgets what was done before the turn that ended last. Of later ones something may still be heard, which belongs to no call.
 *
 * @since 0.1.0
 */
export const forget = ({ began, calls }: State.State): State.State["calls"] =>
  HashMap.filter(calls, (call) => call._tag !== "Done" || call.seq > began)

/** @since 0.1.0 */
export const named = ({ calls }: State.State): ReadonlyArray<Unanswered> =>
  HashMap.toValues(calls).filter((call) => call._tag === "Named")
