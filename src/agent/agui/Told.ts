/**
 * What was told of a thread already, so that nothing is told twice when a run and the listener between runs both hear it, or when an
 * events endpoint begins again from the start (AG3).
 *
 * The wire gives no number that both could compare. What it gives is used, from the surest to the weakest:
 * - messages, thoughts and the input of calls have an id, and are texts that only grow: what is told is a length, and of what is heard
 *   again only the part beyond it is new;
 * - a call, its result and a subagent begin and end once under their id;
 * - what carries a timestamp is the same event if everything else of it is the same, too;
 * - without a timestamp, two events that look alike are one if the other side told it within the last seconds, and each counts once.
 *
 * A run's own stream is complete in itself, and what it repeats it means. So only the listener gives way to what it told itself before.
 *
 * @since 0.1.0
 */
import { type AGUIEvent, EventType } from "@ag-ui/core"
import * as Predicate from "effect/Predicate"

/** One stream of events: a run's, or one connection of the listener. @since 0.1.0 */
export interface Source {
  /** What of the event is new; nothing if all was told. */
  readonly pass: (event: AGUIEvent, at: Place) => AGUIEvent | undefined
}

/** @since 0.1.0 */
export interface Place {
  /** Milliseconds since the epoch. */
  readonly now: number
  /** The agent's name of the run that the event is of. Ids may come again in another run. */
  readonly run: string | undefined
}

/** A thread's. @since 0.1.0 */
export interface Told {
  readonly run: () => Source
  readonly listener: () => Source
}

/** How many names and events are remembered, the newest. */
const most = 4096

/** For so long, in milliseconds, may one side be behind the other. */
const window = 10_000

const remember = <A>(memory: Map<string, A>, key: string, value: A) => {
  memory.delete(key)
  memory.set(key, value)
  if (memory.size <= most) return
  for (const oldest of memory.keys()) {
    memory.delete(oldest)
    break
  }
}

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted)
  return Predicate.isRecord(value)
    ? Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]))
    : value
}

/** Not what a proxy adds when it tells again what it has stored. */
const added = new Set(["threadId", "runId", "thread_id", "run_id"])

const fingerprint = (event: AGUIEvent): string =>
  JSON.stringify(sorted(Object.fromEntries(Object.entries(event).filter(([key]) => !added.has(key)))))

type Text = Extract<
  AGUIEvent,
  { type: "TEXT_MESSAGE_CONTENT" | "REASONING_MESSAGE_CONTENT" | "TOOL_CALL_ARGS" }
>

/** The text that an event begins, if it begins one. */
const begun = (event: AGUIEvent): string | undefined => {
  switch (event.type) {
    case EventType.TEXT_MESSAGE_START:
      return `text ${event.messageId}`
    case EventType.REASONING_MESSAGE_START:
      return `thought ${event.messageId}`
    case EventType.TOOL_CALL_START:
      return `input ${event.toolCallId}`
    default:
      return undefined
  }
}

const textOf = (event: Text): string => {
  switch (event.type) {
    case EventType.TEXT_MESSAGE_CONTENT:
      return `text ${event.messageId}`
    case EventType.REASONING_MESSAGE_CONTENT:
      return `thought ${event.messageId}`
    case EventType.TOOL_CALL_ARGS:
      return `input ${event.toolCallId}`
  }
}

/** What happens once. */
const once = (event: AGUIEvent): string | undefined => {
  switch (event.type) {
    case EventType.TOOL_CALL_START:
    case EventType.TOOL_CALL_END:
    case EventType.TOOL_CALL_RESULT:
      return `${event.type} ${event.toolCallId}`
    case EventType.SUBAGENT_STARTED:
    case EventType.SUBAGENT_FINISHED:
    case EventType.SUBAGENT_ERROR:
      return `${event.type} ${event.subagentRunId}`
    default:
      return undefined
  }
}

type Side = "run" | "listener"

const both = <A>() => ({ run: new Map<string, A>(), listener: new Map<string, A>() })

/** @since 0.1.0 */
export const make = (): Told => {
  /** Characters that were told of a text. */
  const lengths = both<number>()
  const happened = new Map<string, true>()
  const dated = new Map<string, Side>()
  /** When the events that look like this were told, those that the other side has not told yet. */
  const undated = both<ReadonlyArray<number>>()

  /** Where the listener is in a text: a connection that goes on where the one before was cut off is in the middle of it. */
  const heard = new Map<string, number>()

  const source = (side: Side): Source => {
    const other = side === "run" ? "listener" : "run"
    const offsets = side === "run" ? new Map<string, number>() : heard

    /** What a run says is known by its id alone, too: not all that is heard between runs names the run that it is of. */
    const named = (key: string, run: string | undefined): ReadonlyArray<string> =>
      run === undefined ? [key] : side === "run" ? [key, `${run} ${key}`] : [`${run} ${key}`]

    const begin = (key: string, run: string | undefined) => {
      for (const name of named(key, run)) {
        remember(offsets, name, 0)
        if (side === "run") remember(lengths.run, name, 0)
      }
    }

    const text = (event: Text, run: string | undefined): AGUIEvent | undefined => {
      const names = named(textOf(event), run)
      const longest = (lengths: ReadonlyMap<string, number>) => Math.max(...names.map((name) => lengths.get(name) ?? 0))
      const told = Math.max(longest(lengths.listener), side === "run" ? 0 : longest(lengths.run))
      const here = offsets.get(names[0] ?? "")
      // whoever comes in the middle of a text goes on where it was told to, and leaves it to the run that tells it
      if (here === undefined && side === "listener" && names.some((name) => lengths.run.has(name))) return undefined
      const at = here ?? told
      const end = at + event.delta.length
      for (const name of names) {
        remember(offsets, name, end)
        remember(lengths[side], name, Math.max(end, lengths[side].get(name) ?? 0))
      }
      if (at >= told) return event
      return end <= told ? undefined : { ...event, delta: event.delta.slice(told - at) }
    }

    const alike = (event: AGUIEvent, { now, run }: Place): boolean => {
      const names = named(fingerprint(event), run)
      if (event.timestamp !== undefined) {
        const tellers = names.flatMap((name) => dated.get(name) ?? [])
        for (const name of names) if (!dated.has(name)) remember(dated, name, side)
        return tellers.includes(other) || side === "listener" && tellers.length > 0
      }
      const recent = (side: Side, name: string) => (undated[side].get(name) ?? []).filter((at) => now - at <= window)
      for (const name of names) {
        const [match, ...rest] = recent(other, name)
        remember(undated[other], name, rest)
        if (match !== undefined) return true
      }
      for (const name of names) remember(undated[side], name, [...recent(side, name), now].slice(-most))
      return false
    }

    const pass = (event: AGUIEvent, at: Place): AGUIEvent | undefined => {
      const { run } = at
      const begins = begun(event)
      if (begins !== undefined) begin(begins, run)
      switch (event.type) {
        case EventType.TEXT_MESSAGE_CONTENT:
        case EventType.REASONING_MESSAGE_CONTENT:
        case EventType.TOOL_CALL_ARGS:
          return text(event, run)
        // they say nothing by themselves
        case EventType.TEXT_MESSAGE_START:
        case EventType.TEXT_MESSAGE_END:
        case EventType.REASONING_START:
        case EventType.REASONING_MESSAGE_START:
        case EventType.REASONING_MESSAGE_END:
        case EventType.REASONING_END:
        case EventType.MESSAGES_SNAPSHOT:
        case EventType.RUN_STARTED:
        case EventType.RUN_FINISHED:
        case EventType.RUN_ERROR:
          return event
      }
      const key = once(event)
      if (key === undefined) return alike(event, at) ? undefined : event
      const names = named(key, run)
      const before = names.some((name) => happened.has(name))
      for (const name of names) remember(happened, name, true)
      return before && side === "listener" ? undefined : event
    }
    return { pass }
  }
  return { run: () => source("run"), listener: () => source("listener") }
}
