/**
 * What a conversation shows, from top to bottom. Every item is a value: one that changes is a new one, so a view that is given the same
 * item has nothing to do.
 */
import type { RunOutcome, ToolCallStarted } from "../../src/domain/AgentEvent.js"
import type { ContentBlock } from "../../src/domain/Content.js"
import type { Elicitation, ElicitationOutcome } from "../../src/domain/Elicitation.js"

/** `unfinished`: its run ended before it did. */
export type ToolCall = Omit<typeof ToolCallStarted.Type, "type"> & { readonly unfinished?: boolean }

export type PlanEntry = { readonly content: string; readonly priority: string; readonly status: string }

/** A fault as it is shown: a sentence, and what else is known of it. */
export interface Fault {
  readonly tag?: string | undefined
  readonly message: string
  readonly detail?: string | undefined
}

interface Base {
  /** Unique in the conversation, and the same as long as the item is there. */
  readonly key: string
  /** ISO 8601. */
  readonly at: string
  /** Who does it, when that is not the session's own agent. */
  readonly within?: string
}

/** What a person said; `reported` by the agent, or prompted here. */
export interface Prompt extends Base {
  readonly kind: "prompt"
  readonly content: ReadonlyArray<ContentBlock>
  readonly reported: boolean
}

/** A part of what the agent said, in Markdown; `continued`: the part before it is the item before it. */
export interface Message extends Base {
  readonly kind: "message" | "thought"
  readonly runId: string | undefined
  readonly messageId: string | undefined
  readonly text: string
  readonly continued: boolean
}

export interface Media extends Base {
  readonly kind: "media"
  readonly content: ContentBlock
}

export interface Tool extends Base {
  readonly kind: "tool"
  readonly runId: string | undefined
  readonly call: ToolCall
}

/** The output of a process that no tool call shows. */
export interface ProcessItem extends Base {
  readonly kind: "process"
  readonly processId: string
}

export interface Shell extends Base {
  readonly kind: "shell"
  readonly output: Output
}

export interface Plan extends Base {
  readonly kind: "plan"
  readonly entries: ReadonlyArray<PlanEntry>
}

export interface Question extends Base {
  readonly kind: "question"
  readonly elicitation: Elicitation
  /** Absent while it waits. */
  readonly outcome: ElicitationOutcome | undefined
}

/** A line about what happened around the conversation. */
export interface Note extends Base {
  readonly kind: "note"
  readonly tone: "quiet" | "warning" | "error"
  readonly text: string
  readonly detail?: string | undefined
}

export interface Ended extends Base {
  readonly kind: "ended"
  readonly outcome: RunOutcome
  /** How long the run took. */
  readonly millis: number | undefined
}

/** A run that the agent opened itself, and what is said in it. */
export interface Run extends Base {
  readonly kind: "run"
  readonly runId: string | undefined
  readonly name: string
  readonly asked: string
  readonly output: Output
  /** Absent while it is open. */
  readonly outcome: RunOutcome | undefined
}

export type Item = Prompt | Message | Media | Tool | ProcessItem | Shell | Plan | Question | Note | Ended | Run

/** The end of an output; `dropped` characters before it are not kept here. */
export interface Output {
  readonly text: string
  readonly dropped: number
}

export interface Process {
  readonly id: string
  readonly command: string | undefined
  readonly status: "running" | "exited"
  readonly exitCode: number | null | undefined
  readonly signal: string | null | undefined
  readonly output: Output
  /** A tool call shows it. */
  readonly owned: boolean
}

const kept = 256 * 1024

export const noOutput: Output = { text: "", dropped: 0 }

/** Cuts a quarter at a time, so that the cost of cutting is spread over many pieces. */
export const append = ({ dropped, text }: Output, data: string): Output => {
  const all = text + data
  if (all.length <= kept * 1.25) return { text: all, dropped }
  const cut = all.length - kept
  return { text: all.slice(cut), dropped: dropped + cut }
}
