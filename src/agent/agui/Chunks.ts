/**
 * Events in short form, `TEXT_MESSAGE_CHUNK` and the like, as the events that they stand for. Each lane (the agent, or one of its
 * subagents) has at most one message or call in short form at a time; whatever else comes on the lane ends it.
 *
 * The rules are those of `transformChunks` of `@ag-ui/client`, which the tests ask.
 *
 * @since 0.1.0
 */
import { type AGUIEvent, EventType } from "@ag-ui/core"
import * as Either from "effect/Either"

type Chunk = Extract<AGUIEvent, { type: `${string}_CHUNK` }>

interface Pending {
  readonly kind: "text" | "tool" | "reasoning"
  readonly id: string
  readonly tag: string | undefined
  /** What a later chunk may say again, but not otherwise. */
  readonly said: Readonly<Record<string, string | undefined>>
}

/** The events, or what is wrong with a chunk. */
type Expanded = Either.Either<ReadonlyArray<AGUIEvent>, string>

/** A stream's. @since 0.1.0 */
export interface Chunks {
  readonly expand: (event: AGUIEvent) => Expanded
}

const by = (subagentRunId: string | undefined) => subagentRunId === undefined ? {} : { subagentRunId }

const end = ({ id, kind, tag }: Pending): AGUIEvent =>
  kind === "tool"
    ? { type: EventType.TOOL_CALL_END, toolCallId: id, ...by(tag) }
    : {
      type: kind === "text" ? EventType.TEXT_MESSAGE_END : EventType.REASONING_MESSAGE_END,
      messageId: id,
      ...by(tag)
    }

/** What a chunk begins, if it begins something. */
const read = (event: Chunk) => {
  switch (event.type) {
    case EventType.TEXT_MESSAGE_CHUNK:
      return { kind: "text", id: event.messageId, said: { role: event.role, name: event.name } } as const
    case EventType.TOOL_CALL_CHUNK:
      return {
        kind: "tool",
        id: event.toolCallId,
        said: { toolCallName: event.toolCallName, parentMessageId: event.parentMessageId }
      } as const
    case EventType.REASONING_MESSAGE_CHUNK:
      return { kind: "reasoning", id: event.messageId, said: {} } as const
  }
}

const start = (event: Chunk, { id, tag }: Pending): AGUIEvent | undefined => {
  const { metadata } = event
  const shared = { ...by(tag), ...(metadata === undefined ? {} : { metadata }) }
  switch (event.type) {
    case EventType.TEXT_MESSAGE_CHUNK: {
      const { name, role = "assistant" } = event
      return {
        type: EventType.TEXT_MESSAGE_START,
        messageId: id,
        role,
        ...(name === undefined ? {} : { name }),
        ...shared
      }
    }
    case EventType.TOOL_CALL_CHUNK: {
      const { parentMessageId, toolCallName } = event
      if (toolCallName === undefined) return undefined
      return {
        type: EventType.TOOL_CALL_START,
        toolCallId: id,
        toolCallName,
        ...(parentMessageId === undefined ? {} : { parentMessageId }),
        ...shared
      }
    }
    case EventType.REASONING_MESSAGE_CHUNK:
      return { type: EventType.REASONING_MESSAGE_START, messageId: id, role: "reasoning", ...shared }
  }
}

const content = (event: Chunk, { id, tag }: Pending): ReadonlyArray<AGUIEvent> => {
  const { delta, subagentRunId = tag } = event
  if (delta === undefined) return []
  if (event.type === EventType.TOOL_CALL_CHUNK) {
    return [{ type: EventType.TOOL_CALL_ARGS, toolCallId: id, delta, ...by(subagentRunId) }]
  }
  const type = event.type === EventType.TEXT_MESSAGE_CHUNK
    ? EventType.TEXT_MESSAGE_CONTENT as const
    : EventType.REASONING_MESSAGE_CONTENT as const
  return [{ type, messageId: id, delta, ...by(subagentRunId) }]
}

/** @since 0.1.0 */
export const make = (): Chunks => {
  const lanes = new Map<string | undefined, Pending>()

  const close = (lane: string | undefined): ReadonlyArray<AGUIEvent> => {
    const pending = lanes.get(lane)
    lanes.delete(lane)
    return pending === undefined ? [] : [end(pending)]
  }

  /** On which lane it is: a chunk that goes on may leave out who it is of. */
  const laneOf = (
    { subagentRunId: tag, type }: Chunk,
    kind: Pending["kind"],
    id: string | undefined
  ): Either.Either<string | undefined, string> => {
    const same = [...lanes].filter(([, pending]) => pending.kind === kind)
    if (id !== undefined) {
      const holder = same.find(([, pending]) => pending.id === id)
      if (holder === undefined) return Either.right(tag)
      return tag === undefined || tag === holder[0]
        ? Either.right(holder[0])
        : Either.left(`a ${type} of ${id} for another subagent than before`)
    }
    if (tag !== undefined || lanes.get(undefined)?.kind === kind) return Either.right(tag)
    return same.length > 1
      ? Either.left(`a ${type} that may go on with any of ${same.length}`)
      : Either.right(same[0]?.[0])
  }

  const onLane = (event: Chunk, lane: string | undefined): Expanded => {
    const { id, kind, said } = read(event)
    const open = lanes.get(lane)
    if (open?.kind === kind && (id === undefined || id === open.id)) {
      const changed = Object.entries(said).find(([field, value]) => value !== undefined && value !== open.said[field])
      return changed === undefined
        ? Either.right(content(event, open))
        : Either.left(`a ${event.type} whose ${changed[0]} is not the one that ${open.id} began with`)
    }
    const ended = close(lane)
    if (id === undefined) {
      return Either.left(`a ${event.type} that goes on with nothing: the first one names what it begins`)
    }
    const pending: Pending = {
      kind,
      id,
      tag: event.subagentRunId,
      said: event.type === EventType.TEXT_MESSAGE_CHUNK ? { ...said, role: event.role ?? "assistant" } : said
    }
    const opening = start(event, pending)
    if (opening === undefined) return Either.left(`a ${event.type} that begins a call without its name`)
    lanes.set(lane, pending)
    return Either.right([...ended, opening, ...content(event, pending)])
  }

  const expand = (event: AGUIEvent): Expanded => {
    switch (event.type) {
      case EventType.TEXT_MESSAGE_CHUNK:
      case EventType.TOOL_CALL_CHUNK:
      case EventType.REASONING_MESSAGE_CHUNK: {
        const { id, kind } = read(event)
        return Either.flatMap(laneOf(event, kind, id), (lane) => onLane(event, lane))
      }
      case EventType.RAW:
      case EventType.ACTIVITY_SNAPSHOT:
      case EventType.ACTIVITY_DELTA:
      case EventType.REASONING_ENCRYPTED_VALUE:
      case EventType.SUBAGENT_STARTED:
        return Either.right([event])
      case EventType.RUN_STARTED:
      case EventType.RUN_FINISHED:
      case EventType.RUN_ERROR:
      case EventType.MESSAGES_SNAPSHOT:
        return Either.right([...[...lanes.keys()].flatMap(close), event])
      default:
        return Either.right(lanes.size === 0 ? [event] : [...close(event.subagentRunId), event])
    }
  }
  return { expand }
}
