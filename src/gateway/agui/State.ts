/**
 * What a reader of a session's log has to know to tell the next event in AG-UI: what is open, and what was told before.
 *
 * It is the fold of the log up to `seq` and of nothing else. Whoever reads, and wherever a reader began: after the same event it is the same.
 * That is what lets a stream be joined, cut and resumed anywhere, and be encoded once for all who follow it.
 *
 * @since 0.1.0
 */
import * as HashMap from "effect/HashMap"
import type { ContentBlock, ToolContent } from "../../domain/Content.js"
import type { Elicitation } from "../../domain/Elicitation.js"
import type { RunId, SessionId } from "../../domain/Ids.js"

/** A message that is being told. `source` is the agent's own name for it. @since 0.1.0 */
export type Open =
  | {
    readonly _tag: "Text"
    readonly id: string
    readonly role: "assistant" | "user"
    readonly source: string | undefined
  }
  | { readonly _tag: "Reasoning"; readonly id: string; readonly source: string | undefined }

/** A run that is not the turn itself. `background`: it does not end with the turn. @since 0.1.0 */
export interface Subagent {
  readonly id: RunId
  readonly name: string
  readonly description: string
  readonly parent: RunId | undefined
  readonly background: boolean
}

/**
 * One who speaks: the turn, a run beside it, or whoever speaks outside of all runs. A run that has ended stays known until the turn has
 * ended.
 *
 * @since 0.1.0
 */
export type Lane =
  | { readonly _tag: "Speaking"; readonly subagent: Subagent | undefined; readonly open: Open | undefined }
  | { readonly _tag: "Ended" }

/** The lane of what belongs to no run that is open. @since 0.1.0 */
export const outside = ""

interface Called {
  /** Its id in AG-UI: an agent may use its own again. */
  readonly id: string
  readonly lane: string
  readonly subagent: RunId | undefined
  readonly name: string
  readonly title: string | undefined
  /** Its progress was told as an activity. */
  readonly shown: boolean
  readonly content: ReadonlyArray<ToolContent>
  readonly rawOutput: unknown
}

/**
 * A tool call. `Named`: it was opened, and its input is not known yet. `Running`: its input was told and closed. `Done`: so was its
 * result.
 *
 * @since 0.1.0
 */
export type Call =
  | Called & { readonly _tag: "Named" }
  | Called & { readonly _tag: "Running" }
  | { readonly _tag: "Done"; readonly seq: number }

/** @since 0.1.0 */
export interface Question {
  readonly elicitation: Elicitation
  readonly subagent: RunId | undefined
}

/** The session state document: what is true of the session now, by the names under which it is told. @since 0.1.0 */
export type Document = Readonly<Record<string, unknown>>

/**
 * The turn of the session. `Unknown`: the log was trimmed, and what is left of it has not told yet. `whole`: its beginning was seen.
 *
 * @since 0.1.0
 */
export type Turn =
  | { readonly _tag: "None" }
  | { readonly _tag: "Unknown" }
  | { readonly _tag: "Open"; readonly runId: RunId; readonly whole: boolean }

/** @since 0.1.0 */
export interface State {
  readonly session: SessionId
  /** The number of the last event. */
  readonly seq: number
  /** The number after which it was begun: 0, or the horizon of a log that was trimmed. */
  readonly origin: number
  readonly turn: Turn
  /** The turn's under its run id, those of the runs beside it, and `outside`. */
  readonly lanes: ReadonlyMap<string, Lane>
  /** By the agent's own id; those that are done are of this turn and the one before. */
  readonly calls: HashMap.HashMap<string, Call>
  readonly questions: ReadonlyArray<Question>
  /** The processes and shells whose output is shown. */
  readonly activities: ReadonlySet<string>
  readonly document: Document
  /** The number of the last turn's beginning. */
  readonly began: number
  /** What the last turn was asked. */
  readonly asked: ReadonlyArray<ContentBlock>
  /** The last message of the agent that was begun before the turn. */
  readonly before: string | undefined
  /** The last message of the agent that was begun. */
  readonly last: string | undefined
}

/** @since 0.1.0 */
export const initial = (session: SessionId, origin = 0): State => ({
  session,
  seq: origin,
  origin,
  turn: { _tag: origin === 0 ? "None" : "Unknown" },
  lanes: new Map([[outside, { _tag: "Speaking", subagent: undefined, open: undefined }]]),
  calls: HashMap.empty(),
  questions: [],
  activities: new Set(),
  document: { sessionId: session },
  began: origin,
  asked: [],
  before: undefined,
  last: undefined
})

/** How many activities are remembered, those that began last. */
const remembered = 256

/** @since 0.1.0 */
export const withActivity = (activities: State["activities"], id: string): State["activities"] => {
  const next = new Set(activities).add(id)
  for (const oldest of next) {
    if (next.size <= remembered) break
    next.delete(oldest)
  }
  return next
}
