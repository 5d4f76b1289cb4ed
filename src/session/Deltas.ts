/**
 * The pieces in which an agent tells a text: those of one message that follow each other are one piece.
 *
 * @since 0.1.0
 */
import type { TextChunk, ThoughtChunk } from "../domain/AgentEvent.js"
import type { Draft } from "../domain/Session.js"

/** @since 0.1.0 */
export interface Delta extends Draft {
  readonly event: typeof TextChunk.Type | typeof ThoughtChunk.Type
}

/** Characters that pieces are joined to at most; one that is longer by itself stays as it is. */
const most = 16 * 1024

/** @since 0.1.0 */
export const isDelta = (draft: Draft): draft is Delta =>
  draft.event.type === "TextChunk" || draft.event.type === "ThoughtChunk"

/** The other goes on with the same message. @since 0.1.0 */
export const goesOn = (one: Delta, other: Delta): boolean =>
  one.runId === other.runId && one.event.type === other.event.type && one.event.messageId === other.event.messageId

/** Both in one, unless they are of different messages or too long. @since 0.1.0 */
export const join = (one: Delta, other: Delta): Delta | undefined =>
  goesOn(one, other) && one.event.text.length + other.event.text.length <= most
    ? { ...one, event: { ...one.event, text: one.event.text + other.event.text } }
    : undefined

/** The same story with its deltas joined. @since 0.1.0 */
export const joined = (drafts: ReadonlyArray<Draft>): ReadonlyArray<Draft> => {
  const all: Array<Draft> = []
  for (const draft of drafts) {
    const last = all.at(-1)
    const both = last !== undefined && isDelta(last) && isDelta(draft) ? join(last, draft) : undefined
    if (both === undefined) all.push(draft)
    else all[all.length - 1] = both
  }
  return all
}
