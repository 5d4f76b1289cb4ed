/**
 * To which run a word of the agent belongs (RS6).
 *
 * What is said while a run's turn is open belongs to that run; but a tool call belongs to the run in which it started, and what is heard
 * of it later belongs to no other.
 *
 * @since 0.1.0
 */
import type { AgentEvent } from "../domain/AgentEvent.js"
import type { RunId } from "../domain/Ids.js"

/** How many tool calls are remembered, those that started last. */
const remembered = 4096

const toolCallId = (event: AgentEvent): string | undefined =>
  event.type === "ToolCallStarted" || event.type === "ToolCallUpdated" || event.type === "ToolCallEnded"
    ? event.toolCallId
    : undefined

/**
 * Of one session. `speaking` is the run whose turn is open; the result is absent for what belongs to no run.
 *
 * @since 0.1.0
 */
export const make = (): (event: AgentEvent, speaking: RunId | undefined) => RunId | undefined => {
  let known: Map<string, RunId | undefined> | undefined
  return (event, speaking) => {
    const tool = toolCallId(event)
    if (tool === undefined) return speaking
    const owners = known ??= new Map()
    // some agents tell of a tool call only when it has something to show
    if (event.type === "ToolCallStarted" || !owners.has(tool)) {
      owners.delete(tool)
      owners.set(tool, speaking)
      for (const oldest of owners.keys()) {
        if (owners.size <= remembered) break
        owners.delete(oldest)
      }
    }
    return owners.get(tool) === speaking ? speaking : undefined
  }
}
