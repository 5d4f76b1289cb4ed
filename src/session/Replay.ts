/**
 * Matches what an agent replays while it loads a session against what the log already holds (AG5).
 *
 * The log is the truth: what both know stays as it was recorded. Only what the agent tells after the last point that both know is new,
 * for instance the rest of an answer that it finished while no one listened. Replays are cut into other chunks than the stream was, and
 * message ids are often absent, so whole messages are compared, white space aside. Where nothing matches, nothing is recorded: a text
 * told twice is worse than a text that is only in the agent's memory.
 *
 * @since 0.1.0
 */
import type { AgentEvent, SessionEvent } from "../domain/AgentEvent.js"
import * as Content from "../domain/Content.js"

interface Item {
  readonly kind: "user" | "agent" | "thought" | "tool"
  /** The text of the message, or the id of the tool call. */
  readonly text: string
  /** The same with its white space squeezed. */
  readonly words: string
  readonly events: ReadonlyArray<AgentEvent>
}

const kindAndText = (event: SessionEvent): readonly [kind: Item["kind"], text: string] | undefined => {
  switch (event.type) {
    case "RunStarted":
      return ["user", Content.toText(event.prompt)]
    case "UserChunk":
      return ["user", Content.toText([event.content])]
    case "TextChunk":
      return ["agent", event.text]
    case "ThoughtChunk":
      return ["thought", event.text]
    case "ToolCallStarted":
    case "ToolCallUpdated":
    case "ToolCallEnded":
      return ["tool", event.toolCallId]
    default:
      return undefined
  }
}

const isAgentEvent = (event: SessionEvent): event is AgentEvent => event.type !== "RunStarted"

/** Joins the chunks of a message, and the updates of a tool call, into one item each. */
const toItems = (events: Iterable<SessionEvent>): Array<Item> => {
  const items: Array<Pick<Item, "kind"> & { text: string; readonly events: Array<AgentEvent> }> = []
  for (const event of events) {
    const found = kindAndText(event)
    if (found === undefined) continue
    const [kind, text] = found
    const last = items.at(-1)
    const joins = last?.kind === kind && event.type !== "RunStarted" && (kind !== "tool" || last.text === text)
    if (joins) {
      if (kind !== "tool") last.text += text
      if (isAgentEvent(event)) last.events.push(event)
    } else items.push({ kind, text, events: isAgentEvent(event) ? [event] : [] })
  }
  return items.map((item) => ({ ...item, words: item.text.replace(/\s+/g, " ").trim() }))
}

const same = (known: Item, told: Item): boolean => {
  if (known.kind !== told.kind) return false
  const [a, b] = [known.words, told.words]
  return a === b || (known.kind !== "tool" && a !== "" && b !== "" && (b.startsWith(a) || a.startsWith(b)))
}

/** How `told` goes on after `known`, of which it is a longer telling; white space is as good as other white space. */
const restOf = (known: string, told: string): string => {
  let left = known.replace(/\s+/g, "").length
  let at = 0
  for (; left > 0 && at < told.length; at++) {
    if (/\S/.test(told.charAt(at))) left--
  }
  const rest = told.slice(at)
  return /\s$/.test(known) ? rest.trimStart() : rest
}

/**
 * The events of the replay that the log does not have.
 *
 * @since 0.1.0
 */
export const unseen = (
  history: Iterable<SessionEvent>,
  replayed: ReadonlyArray<AgentEvent>
): ReadonlyArray<AgentEvent> => {
  const known = toItems(history)
  const told = toItems(replayed)
  if (known.length === 0) return replayed
  const lastCommon = told.findLastIndex((item) => known.some((each) => same(each, item)))
  if (lastCommon === -1) return []
  const common = told[lastCommon]
  const last = known.at(-1)
  // the log was cut off in the middle of this very message: what follows is new
  const rest = common !== undefined && last !== undefined && last.kind === "agent" && same(last, common)
    ? restOf(last.text, common.text)
    : ""
  return [
    ...(rest.trim() === "" ? [] : [{ type: "TextChunk", text: rest } as const]),
    ...told.slice(lastCommon + 1).flatMap((item) => item.events)
  ]
}
