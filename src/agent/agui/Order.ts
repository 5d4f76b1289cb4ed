/**
 * Whether events come in an order that the protocol allows: what `verifyEvents` of `@ag-ui/client` refuses is refused here, and nothing
 * else. That one needs rxjs and the client, which is five times the size of the protocol; the tests ask it.
 *
 * @since 0.1.0
 */
import { type AGUIEvent, EventType } from "@ag-ui/core"

/** A stream's. @since 0.1.0 */
export interface Order {
  /** Takes the event, or tells what is wrong with it here. */
  readonly check: (event: AGUIEvent) => string | undefined
  /** Whether a run is open. */
  readonly open: () => boolean
}

/** Who a message, a call or an activity belongs to: a subagent, or with `undefined` the agent itself. */
type Owners = Map<string, string | undefined>

interface Kind {
  readonly what: string
  readonly open: Set<string>
  readonly owners: Owners
}

/** @since 0.1.0 */
export const make = (): Order => {
  const messages: Owners = new Map()
  const calls: Owners = new Map()
  const activities: Owners = new Map()
  const reasoning: Owners = new Map()
  const text: Kind = { what: "text message", open: new Set(), owners: messages }
  const call: Kind = { what: "tool call", open: new Set(), owners: calls }
  // a span and the message in it may have one name
  const span: Kind = { what: "reasoning span", open: new Set(), owners: reasoning }
  const thought: Kind = { what: "reasoning message", open: new Set(), owners: reasoning }
  const kinds = [text, call, span, thought]
  const steps = new Map<string | undefined, Set<string>>()
  const subagents = new Set<string>()
  const closed = new Set<string>()
  let state: "new" | "open" | "finished" | "failed" = "new"

  const stranger = (type: string, owners: Owners, id: string, tag: string | undefined) =>
    tag !== undefined && owners.has(id) && owners.get(id) !== tag
      ? `${type} of ${id} for the subagent ${tag}, and it is of ${owners.get(id) ?? "the agent itself"}`
      : undefined

  const begin = ({ open, owners, what }: Kind, type: string, id: string, tag: string | undefined) => {
    if (open.has(id)) return `${type} of ${id}, and that ${what} is open`
    const fault = stranger(type, owners, id, tag)
    if (fault !== undefined) return fault
    open.add(id)
    if (!owners.has(id)) owners.set(id, tag)
    return undefined
  }

  const goOn = ({ open, owners, what }: Kind, type: string, id: string, tag: string | undefined, ends: boolean) => {
    if (!open.has(id)) return `${type} of ${id}, and no such ${what} is open`
    const fault = stranger(type, owners, id, tag)
    if (fault === undefined && ends) open.delete(id)
    return fault
  }

  const beginCall = (event: Extract<AGUIEvent, { type: "TOOL_CALL_START" }>) => {
    const { parentMessageId: parent, subagentRunId: tag, toolCallId: id, type } = event
    if (call.open.has(id)) return `${type} of ${id}, and that tool call is open`
    const inherits = parent !== undefined && messages.has(parent)
    const inherited = inherits ? messages.get(parent) : undefined
    if (inherits && tag !== undefined && tag !== inherited) {
      return `${type} of ${id} for the subagent ${tag}, and its message ${parent} is of another`
    }
    const fault = stranger(type, calls, id, tag)
    if (fault !== undefined) return fault
    if (calls.has(id) && tag === undefined && inherits && inherited !== calls.get(id)) {
      return `${type} of ${id}, whose message ${parent} is of another than it was`
    }
    call.open.add(id)
    if (!calls.has(id)) calls.set(id, tag ?? inherited)
    return undefined
  }

  const step = (type: string, name: string, owner: string | undefined, ends: boolean) => {
    let names = steps.get(owner)
    if (names === undefined) steps.set(owner, names = new Set())
    if (names.has(name) !== ends) return `${type} of ${name}, which is ${ends ? "not open" : "open"}`
    if (ends) names.delete(name)
    else names.add(name)
    return undefined
  }

  const seed = (snapshot: Extract<AGUIEvent, { type: "MESSAGES_SNAPSHOT" }>) => {
    for (const message of snapshot.messages) {
      const owners = message.role === "reasoning" ? reasoning : message.role === "activity" ? activities : messages
      owners.set(message.id, message.subagentRunId)
      if (message.role === "assistant") {
        for (const { id } of message.toolCalls ?? []) calls.set(id, message.subagentRunId)
      }
    }
  }

  const finish = (type: string) => {
    const left = [
      ...kinds.flatMap(({ open, what }) => [...open].map((id) => `the ${what} ${id}`)),
      ...[...steps.values()].flatMap((names) => [...names].map((name) => `the step ${name}`)),
      ...[...subagents].map((id) => `the subagent ${id}`)
    ]
    if (left.length > 0) return `${type} while something is open: ${left.slice(0, 5).join(", ")}`
    state = "finished"
    return undefined
  }

  const beginRun = () => {
    if (state === "open") return "RUN_STARTED while a run is open"
    for (const { open, owners } of kinds) {
      open.clear()
      owners.clear()
    }
    for (const set of [activities, steps, subagents, closed]) set.clear()
    state = "open"
    return undefined
  }

  const check = (event: AGUIEvent): string | undefined => {
    const { type } = event
    if (state === "new" && type !== EventType.RUN_STARTED && type !== EventType.RUN_ERROR) {
      return `${type} before RUN_STARTED`
    }
    if (
      type !== EventType.RUN_STARTED && (state === "failed" || state === "finished" && type !== EventType.RUN_ERROR)
    ) {
      return `${type} after the end of the run`
    }
    switch (type) {
      case EventType.RUN_STARTED:
        return beginRun()
      case EventType.RUN_FINISHED:
        return finish(type)
      case EventType.RUN_ERROR:
        state = "failed"
        return undefined
      case EventType.TEXT_MESSAGE_START:
        return begin(text, type, event.messageId, event.subagentRunId)
      case EventType.TEXT_MESSAGE_CONTENT:
      case EventType.TEXT_MESSAGE_END:
        return goOn(text, type, event.messageId, event.subagentRunId, type === EventType.TEXT_MESSAGE_END)
      case EventType.TOOL_CALL_START:
        return beginCall(event)
      case EventType.TOOL_CALL_ARGS:
      case EventType.TOOL_CALL_END:
        return goOn(call, type, event.toolCallId, event.subagentRunId, type === EventType.TOOL_CALL_END)
      case EventType.TOOL_CALL_RESULT:
        messages.set(event.messageId, event.subagentRunId)
        return undefined
      case EventType.REASONING_START:
        return begin(span, type, event.messageId, event.subagentRunId)
      case EventType.REASONING_END:
        return goOn(span, type, event.messageId, event.subagentRunId, true)
      case EventType.REASONING_MESSAGE_START:
        return begin(thought, type, event.messageId, event.subagentRunId)
      case EventType.REASONING_MESSAGE_CONTENT:
      case EventType.REASONING_MESSAGE_END:
        return goOn(thought, type, event.messageId, event.subagentRunId, type === EventType.REASONING_MESSAGE_END)
      case EventType.REASONING_ENCRYPTED_VALUE: {
        const { entityId, subagentRunId, subtype } = event
        const owners = subtype === "tool-call" ? calls : messages.has(entityId) ? messages : reasoning
        return stranger(type, owners, entityId, subagentRunId)
      }
      case EventType.STEP_STARTED:
      case EventType.STEP_FINISHED:
        return step(type, event.stepName, event.subagentRunId, type === EventType.STEP_FINISHED)
      case EventType.ACTIVITY_SNAPSHOT:
        if (!activities.has(event.messageId) || event.replace !== false) {
          activities.set(event.messageId, event.subagentRunId)
        }
        return undefined
      case EventType.ACTIVITY_DELTA:
        return stranger(type, activities, event.messageId, event.subagentRunId)
      case EventType.SUBAGENT_STARTED: {
        const { parentSubagentRunId: parent, subagentRunId: id } = event
        if (subagents.has(id) || closed.has(id)) return `${type} of ${id}, which was started before`
        if (parent !== undefined && !subagents.has(parent) && !closed.has(parent)) {
          return `${type} of ${id} within ${parent}, which was not started`
        }
        subagents.add(id)
        return undefined
      }
      case EventType.SUBAGENT_FINISHED:
      case EventType.SUBAGENT_ERROR:
        if (!subagents.delete(event.subagentRunId)) return `${type} of ${event.subagentRunId}, which is not open`
        closed.add(event.subagentRunId)
        return undefined
      case EventType.MESSAGES_SNAPSHOT:
        seed(event)
        return undefined
      default:
        return undefined
    }
  }
  return { check, open: () => state === "open" }
}
