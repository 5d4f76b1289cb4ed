/**
 * What a session's events say of runs, as spans. A trace is a fold of the log: it is told when its run has ended, whole, and so it is
 * complete however the run ends. A run whose process was killed is ended at the next start, which tells its trace.
 *
 * ```text
 * holdfast.run             RunStarted … RunEnded
 * ├ holdfast.tool_call     ToolCallStarted … ToolCallEnded
 * ├ holdfast.elicitation   ElicitationRequested … ElicitationSettled
 * └ holdfast.run           of a run that is nested in it
 * ```
 *
 * Background runs, and tool calls and questions between runs, are traces of their own. No span holds what was said: no prompt, title, message, content, answer
 * or error text (EB11).
 *
 * @since 0.1.0
 */
import * as Chunk from "effect/Chunk"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import type { SessionEvent } from "../domain/AgentEvent.js"
import type { RunId } from "../domain/Ids.js"
import type { SessionState } from "../domain/Session.js"
import type { StoredEvent } from "../domain/StoredEvent.js"
import type { Traceparent } from "../domain/Traceparent.js"
import { type Attributes, ofAnswer, ofOutcome, ofQuestion, ofRun, ofToolCall } from "./Attributes.js"

/** A span that is over, and what is inside it. Times are ISO 8601. @since 0.1.0 */
export interface Span {
  readonly name: string
  readonly startedAt: string
  readonly endedAt: string
  readonly attributes: Attributes
  /** The kind of its failure, if it failed. */
  readonly failure: Option.Option<string>
  /** The caller's trace that it goes back to. */
  readonly link: Option.Option<Traceparent>
  readonly children: ReadonlyArray<Span>
}

/** Whose events they are. @since 0.1.0 */
export type Whose = Pick<SessionState, "id" | "agent">

interface Open {
  readonly name: string
  readonly startedAt: string
  readonly attributes: Attributes
}

interface OpenRun {
  readonly run: Open
  /** The run that it is nested in. */
  readonly parent: RunId | undefined
  readonly open: HashMap.HashMap<string, Open>
  readonly over: Chunk.Chunk<Span>
  readonly link: Option.Option<Traceparent>
  readonly omitted: number
}

/** What is open of one session. @since 0.1.0 */
export interface Traces {
  readonly runs: HashMap.HashMap<RunId, OpenRun>
  readonly between: HashMap.HashMap<string, Open>
}

/** @since 0.1.0 */
export const empty: Traces = { runs: HashMap.empty(), between: HashMap.empty() }

/** @since 0.1.0 */
export const isEmpty = ({ between, runs }: Traces): boolean => HashMap.isEmpty(runs) && HashMap.isEmpty(between)

/** Spans that are kept inside a run until it ends, or between runs while they are open; what is more is left out. @since 0.1.0 */
export const mostSpans = 4096

// ------------------------------------------------------------------------------------------------ events

const concerned: ReadonlySet<SessionEvent["type"]> = new Set<SessionEvent["type"]>([
  "RunStarted",
  "RunEnded",
  "ToolCallStarted",
  "ToolCallEnded",
  "ElicitationRequested",
  "ElicitationSettled",
  "AgentDisconnected",
  "SessionClosed"
])

/** Whether `step` has a use for events of this type; of most it has none. @since 0.1.0 */
export const concerns = (type: SessionEvent["type"]): boolean => concerned.has(type)

// ------------------------------------------------------------------------------------------------- spans

const begin = (name: string, session: Whose, stored: StoredEvent, attributes: Attributes): Open => ({
  name,
  startedAt: stored.at,
  attributes: {
    "holdfast.session.id": session.id,
    "holdfast.agent": session.agent,
    ...stored.runId === undefined ? {} : { "holdfast.run.id": stored.runId },
    ...attributes,
    "holdfast.seq.start": stored.seq
  }
})

const end = (
  { attributes, name, startedAt }: Open,
  { at, seq }: StoredEvent,
  more: Attributes,
  failure?: string,
  rest: Partial<Pick<Span, "children" | "link">> = {}
): Span => ({
  name,
  startedAt,
  endedAt: at,
  attributes: { ...attributes, ...more, "holdfast.seq.end": seq },
  failure: Option.fromNullable(failure),
  link: Option.none(),
  children: [],
  ...rest
})

const unfinished = { "holdfast.unfinished": true }

const endAll = (open: HashMap.HashMap<string, Open>, stored: StoredEvent): ReadonlyArray<Span> =>
  HashMap.toValues(open).map((each) => end(each, stored, unfinished, "Unfinished"))

/** What an event says of one thing inside a run or between runs. */
type Change =
  | { readonly _tag: "Began"; readonly key: string; readonly open: Open }
  | { readonly _tag: "Ended"; readonly key: string; readonly end: (open: Open) => Span; readonly unheardOf: Open }

const change = (session: Whose, stored: StoredEvent): Change | undefined => {
  const { event } = stored
  switch (event.type) {
    case "ToolCallStarted":
    case "ToolCallEnded": {
      const { status, toolCallId } = event
      const key = `tool ${toolCallId}`
      const open = begin("holdfast.tool_call", session, stored, ofToolCall(event))
      if (event.type === "ToolCallStarted") return { _tag: "Began", key, open }
      return {
        _tag: "Ended",
        key,
        end: (open) =>
          end(open, stored, { "holdfast.tool.status": status }, status === "failed" ? "ToolCallFailed" : undefined),
        // of some calls an agent tells the end only
        unheardOf: open
      }
    }
    case "ElicitationRequested": {
      const { elicitation } = event
      const open = begin("holdfast.elicitation", session, stored, ofQuestion(elicitation))
      return { _tag: "Began", key: `question ${elicitation.id}`, open }
    }
    case "ElicitationSettled":
      return {
        _tag: "Ended",
        key: `question ${event.elicitationId}`,
        end: (open) => end(open, stored, ofAnswer(event.outcome)),
        unheardOf: begin("holdfast.elicitation", session, stored, { "holdfast.elicitation.id": event.elicitationId })
      }
    default:
      return undefined
  }
}

/** What is open after a beginning; an agent may tell of the same one twice. */
const began = (open: HashMap.HashMap<string, Open>, { key, open: it }: Extract<Change, { _tag: "Began" }>) =>
  HashMap.has(open, key) ? open : HashMap.set(open, key, it)

const inRun = (run: OpenRun, change: Change): OpenRun => {
  const full = HashMap.size(run.open) + Chunk.size(run.over) >= mostSpans
  const known = HashMap.get(run.open, change.key)
  if (full && Option.isNone(known)) return { ...run, omitted: run.omitted + (change._tag === "Began" ? 1 : 0) }
  if (change._tag === "Began") return { ...run, open: began(run.open, change) }
  return {
    ...run,
    open: HashMap.remove(run.open, change.key),
    over: Chunk.append(run.over, change.end(Option.getOrElse(known, () => change.unheardOf)))
  }
}

/** What is over is kept in the run that it was a part of. */
const keep = (run: OpenRun, over: Span): OpenRun =>
  HashMap.size(run.open) + Chunk.size(run.over) >= mostSpans
    ? { ...run, omitted: run.omitted + 1 }
    : { ...run, over: Chunk.append(run.over, over) }

/** @since 0.1.0 */
export interface Step {
  readonly traces: Traces
  /** The traces that are complete with this event. */
  readonly complete: ReadonlyArray<Span>
}

/**
 * The next event of the session, in the order of its log.
 *
 * @since 0.1.0
 */
export const step = (traces: Traces, session: Whose, stored: StoredEvent): Step => {
  const { event, runId } = stored
  const { between, runs } = traces
  const run = runId === undefined ? Option.none() : HashMap.get(runs, runId)

  if (event.type === "RunStarted" && runId !== undefined) {
    const group: OpenRun = {
      run: begin("holdfast.run", session, stored, ofRun(event)),
      parent: event.until === "parent" ? event.parentRunId : undefined,
      link: Option.fromNullable(event.traceparent),
      open: HashMap.empty(),
      over: Chunk.empty(),
      omitted: 0
    }
    return { traces: { between, runs: HashMap.set(runs, runId, group) }, complete: [] }
  }
  if (event.type === "RunEnded") {
    if (runId === undefined || Option.isNone(run)) return { traces, complete: [] }
    const { link, omitted, open, over, parent, run: own } = run.value
    const { attributes, failure } = ofOutcome(event.outcome)
    const about = omitted === 0 ? attributes : { ...attributes, "holdfast.spans.omitted": omitted }
    const whole = end(own, stored, about, failure, { link, children: [...over, ...endAll(open, stored)] })
    const rest = HashMap.remove(runs, runId)
    const outer = parent === undefined ? Option.none() : HashMap.get(rest, parent)
    return parent === undefined || Option.isNone(outer)
      ? { traces: { between, runs: rest }, complete: [whole] }
      : { traces: { between, runs: HashMap.set(rest, parent, keep(outer.value, whole)) }, complete: [] }
  }
  if (event.type === "AgentDisconnected" || event.type === "SessionClosed") {
    // what it did between runs has nobody left who would tell its end
    return { traces: { runs, between: HashMap.empty() }, complete: endAll(between, stored) }
  }

  const found = change(session, stored)
  if (found === undefined) return { traces, complete: [] }
  if (runId !== undefined) {
    // what is told of a run that is not known, or over, belongs to no trace
    if (Option.isNone(run)) return { traces, complete: [] }
    return { traces: { between, runs: HashMap.set(runs, runId, inRun(run.value, found)) }, complete: [] }
  }
  if (found._tag === "Began") {
    const full = HashMap.size(between) >= mostSpans
    return { traces: full ? traces : { runs, between: began(between, found) }, complete: [] }
  }
  const open = HashMap.get(between, found.key)
  // its beginning was in a run, and its span is there
  if (Option.isNone(open)) return { traces, complete: [] }
  return { traces: { runs, between: HashMap.remove(between, found.key) }, complete: [found.end(open.value)] }
}
