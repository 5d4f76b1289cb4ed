/**
 * What an AG-UI agent says, in the words of Holdfast. It mirrors `src/gateway/agui/`, which says the same the other way round.
 *
 * A reader belongs to a thread and not to a run: a call that one run begins may have its result in the next, and the state and the
 * conversation go on. Whether the order is right is for `Order` to say, before.
 *
 * @since 0.1.0
 */
import { type AGUIEvent, EventType } from "@ag-ui/core"
import * as Either from "effect/Either"
import type { AgentEvent } from "../../domain/AgentEvent.js"
import * as Content from "../../domain/Content.js"
import { AgentRequestFailed } from "../../domain/Errors.js"
import type { RunId } from "../../domain/Ids.js"
import type { AgentSignal } from "../Agent.js"
import type { Conversation } from "./Conversation.js"
import * as Ours from "./Ours.js"
import * as Patch from "./Patch.js"
import * as Snapshot from "./Snapshot.js"
import * as ToolCalls from "./ToolCalls.js"

/** @since 0.1.0 */
export interface Reader {
  /** What the event says, in `run`; between runs without one. */
  readonly read: (event: AGUIEvent, run: RunId | undefined) => ReadonlyArray<AgentSignal>
  /** The name that a subagent's run gets; at its first `SUBAGENT_STARTED`, before that is read. */
  readonly isNamed: (subagentRunId: string) => boolean
  readonly name: (subagentRunId: string, run: RunId) => void
  readonly runOf: (subagentRunId: string | undefined) => RunId | undefined
  /** What is sent with the next run, where the agent has a state. */
  readonly state: () => unknown
  readonly calls: ToolCalls.ToolCalls
  /** The agent's name for the session, where it is a Holdfast. */
  readonly session: () => string | undefined
  /** The subagents of a turn that is over are heard of no more. */
  readonly forget: () => void
}

const extension = (event: AGUIEvent, payload: unknown): ReadonlyArray<AgentEvent> => [
  { type: "Extension", name: `agui.${event.type}`, payload }
]

const without = ({ rawEvent: _, timestamp: __, type: ___, ...fields }: AGUIEvent) => fields

/** @since 0.1.0 */
export const make = (conversation: Conversation): Reader => {
  const calls = ToolCalls.make()
  const subagents = new Map<string, RunId>()
  const open = new Set<string>()
  const roles = new Map<string, string>()
  const subjects = new Map<string, string>()
  let state: unknown
  /** A change did not fit: what the state is, only the next snapshot tells. */
  let adrift = false
  let session: string | undefined

  const changed = (after: unknown): ReadonlyArray<AgentEvent> => {
    const events = Ours.ofState(state, after)
    state = after
    return events
  }

  const text = (event: Extract<AGUIEvent, { type: "TEXT_MESSAGE_CONTENT" }>): ReadonlyArray<AgentEvent> => {
    const { delta, messageId } = event
    if (delta === "") return []
    switch (roles.get(messageId)) {
      case undefined:
        return [{ type: "TextChunk", text: delta, messageId }]
      case "user":
        return [{ type: "UserChunk", content: Content.text(delta), messageId }]
      // instructions, which are nobody's words to the user
      default:
        return extension(event, without(event))
    }
  }

  const activity = (
    event: Extract<AGUIEvent, { type: "ACTIVITY_SNAPSHOT" | "ACTIVITY_DELTA" }>
  ): ReadonlyArray<AgentEvent> => {
    const told = Ours.ofActivity(event, subjects.get(event.messageId))
    if (told === undefined) return extension(event, without(event))
    if (told.subject !== undefined) subjects.set(event.messageId, told.subject)
    return told.events
  }

  const eventsOf = (event: AGUIEvent): ReadonlyArray<AgentEvent> => {
    switch (event.type) {
      case EventType.TEXT_MESSAGE_START:
        if (event.role !== undefined && event.role !== "assistant") roles.set(event.messageId, event.role)
        return []
      case EventType.TEXT_MESSAGE_CONTENT:
        return text(event)
      case EventType.TEXT_MESSAGE_END:
        roles.delete(event.messageId)
        return []
      case EventType.REASONING_MESSAGE_CONTENT:
        return event.delta === "" ? [] : [{ type: "ThoughtChunk", text: event.delta, messageId: event.messageId }]
      case EventType.TOOL_CALL_START:
      case EventType.TOOL_CALL_ARGS:
      case EventType.TOOL_CALL_END:
      case EventType.TOOL_CALL_RESULT:
        return calls.tell(event)
      case EventType.STATE_SNAPSHOT:
        adrift = false
        return [...changed(event.snapshot), ...isOnlyOurs(event.snapshot) ? [] : extension(event, event.snapshot)]
      case EventType.STATE_DELTA: {
        const foreign = event.delta.filter((operation) => !Ours.isOurState(operation))
        return [
          ...adrift ? [] : Either.match(Patch.apply(state ?? {}, event.delta), {
            onLeft: (fault): ReadonlyArray<AgentEvent> => {
              state = undefined
              adrift = true
              const message = `a change of the agent's state does not fit it, so it is not known any more: ${fault}`
              return [{ type: "Warning", message }]
            },
            onRight: changed
          }),
          ...foreign.length === 0 ? [] : extension(event, foreign)
        ]
      }
      case EventType.ACTIVITY_SNAPSHOT:
      case EventType.ACTIVITY_DELTA:
        return activity(event)
      case EventType.CUSTOM:
        return Ours.ofCustom(event)
      case EventType.RAW:
        return [{ type: "Extension", name: event.source ?? "agui.RAW", payload: event.event }]
      case EventType.STEP_STARTED:
      case EventType.STEP_FINISHED:
      case EventType.REASONING_ENCRYPTED_VALUE:
        return extension(event, without(event))
      case EventType.RUN_STARTED:
        session = Ours.sessionOf(event) ?? session
        return []
      case EventType.RUN_FINISHED: {
        const { result, usage } = event
        return [
          ...isOnlyReason(result) ? [] : extension(event, { result }),
          ...usage === undefined ? [] : extension(event, { usage })
        ]
      }
      // beginnings and ends are in the chunks, a run's end is its turn's, and the short forms are not seen here
      default:
        return []
    }
  }

  const begin = (
    { description, name, parentSubagentRunId, subagentRunId: id }: Extract<AGUIEvent, { type: "SUBAGENT_STARTED" }>,
    run: RunId | undefined
  ): ReadonlyArray<AgentSignal> => {
    const named = subagents.get(id)
    // one that was suspended by a question goes on
    if (named === undefined || open.has(id)) return []
    open.add(id)
    return [{
      _tag: "RunOpened",
      run: named,
      parent: parentSubagentRunId === undefined ? run : subagents.get(parentSubagentRunId) ?? run,
      until: "parent",
      agent: name,
      prompt: description === undefined ? [] : [Content.text(description)]
    }]
  }

  const end = (
    id: string,
    result: Extract<AgentSignal, { _tag: "TurnEnded" }>["result"]
  ): ReadonlyArray<AgentSignal> => {
    const run = subagents.get(id)
    return run === undefined || !open.delete(id) ? [] : [{ _tag: "TurnEnded", run, result }]
  }

  const read = (event: AGUIEvent, run: RunId | undefined): ReadonlyArray<AgentSignal> => {
    const unseen = event.type === EventType.MESSAGES_SNAPSHOT && run !== undefined
      ? Snapshot.unseen(conversation, event.messages)
      : []
    conversation.apply(event)
    switch (event.type) {
      case EventType.SUBAGENT_STARTED:
        return begin(event, run)
      case EventType.SUBAGENT_FINISHED:
        return event.outcome?.type === "suspended"
          ? []
          : end(event.subagentRunId, { _tag: "Stopped", stopReason: "end_turn" })
      case EventType.SUBAGENT_ERROR:
        return end(
          event.subagentRunId,
          event.code === "Cancelled"
            ? { _tag: "Stopped", stopReason: "cancelled" }
            : { _tag: "Failed", error: failure(event) }
        )
    }
    const tag = "subagentRunId" in event ? event.subagentRunId : undefined
    const owner = tag === undefined || !open.has(tag) ? run : subagents.get(tag) ?? run
    return [event, ...unseen].flatMap(eventsOf).map((event) => ({
      _tag: "Said",
      event,
      ...(owner === undefined ? {} : { run: owner })
    }))
  }

  return {
    read,
    isNamed: (id) => subagents.has(id),
    name: (id, run) => void subagents.set(id, run),
    runOf: (id) => id === undefined ? undefined : subagents.get(id),
    state: () => state,
    calls,
    session: () => session,
    forget: () => {
      for (const each of [subagents, open, roles, subjects]) each.clear()
      calls.forget()
    }
  }
}

const isOnlyOurs = (snapshot: unknown): boolean =>
  typeof snapshot === "object" && snapshot !== null && Object.keys(snapshot).every((key) => key === "holdfast")

const isOnlyReason = (result: unknown): boolean =>
  result === undefined || result === null ||
  typeof result === "object" && Object.keys(result).every((key) => key === "stopReason")

/** What the agent said of its failure. @since 0.1.0 */
export const failure = ({ code, message }: { readonly code?: string; readonly message: string }) =>
  new AgentRequestFailed({
    method: "run",
    code: -32603,
    message: code === undefined ? `the agent failed: ${message}` : `the agent failed (${code}): ${message}`
  })
