/**
 * What only another Holdfast tells in AG-UI, read back as what it was told for: `docs/agui.md` has the table. Pure.
 *
 * It comes over a network like everything else: what does not decode is taken for what it is in AG-UI.
 *
 * @since 0.1.0
 */
import type { AGUIEvent, JsonPatchOperation } from "@ag-ui/core"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { AgentEvent, ToolCallStarted } from "../../domain/AgentEvent.js"

const decodeEvent = Schema.decodeUnknownOption(AgentEvent)

const eventOf = (event: Readonly<Record<string, unknown>>): ReadonlyArray<AgentEvent> =>
  Option.toArray(decodeEvent(Object.fromEntries(Object.entries(event).filter(([, value]) => value !== null))))

const fields = (value: unknown): Readonly<Record<string, unknown>> => Predicate.isRecord(value) ? value : {}

const ours = ({ metadata }: { readonly metadata?: unknown }) => fields(fields(metadata)["holdfast"])

// -------------------------------------------------------------------------------------------- tool calls and runs

const Described = Schema.Struct({
  title: ToolCallStarted.fields.title,
  kind: ToolCallStarted.fields.kind,
  locations: ToolCallStarted.fields.locations
}).pipe(Schema.partial)

/** A call's name, and what is told of it beside. The name that stands in for one that is missing is no name. @since 0.1.0 */
export const describeCall = (event: Extract<AGUIEvent, { type: "TOOL_CALL_START" }>) => {
  const { toolCallName: name } = event
  const told = Option.getOrElse(Schema.decodeUnknownOption(Described)(ours(event)), () => ({}))
  const { kind, locations, title } = { kind: undefined, locations: undefined, title: undefined, ...told }
  return {
    title: title ?? name,
    ...(name === kind || name === title || title === undefined && name === "tool" ? {} : { name }),
    ...(kind === undefined ? {} : { kind }),
    ...(locations === undefined ? {} : { locations })
  }
}

/** @since 0.1.0 */
export const statusOf = (event: Extract<AGUIEvent, { type: "TOOL_CALL_RESULT" }>): "completed" | "failed" => {
  const { status } = ours(event)
  return status === "failed" || status === "abandoned" ? "failed" : "completed"
}

/** The session behind a thread. @since 0.1.0 */
export const sessionOf = (event: Extract<AGUIEvent, { type: "RUN_STARTED" }>): string | undefined => {
  const { sessionId } = ours(event)
  return typeof sessionId === "string" ? sessionId : undefined
}

// ------------------------------------------------------------------------------------------------------ state

const ofField = (field: string, value: unknown): ReadonlyArray<AgentEvent> => {
  switch (field) {
    case "plan":
      return eventOf({ type: "PlanUpdated", entries: value })
    case "usage":
      return eventOf({ ...fields(value), type: "UsageUpdated" })
    case "mode":
      return eventOf({ ...fields(value), type: "ModeChanged" })
    case "config":
      return eventOf({ type: "ConfigChanged", options: value })
    case "commands":
      return eventOf({ type: "CommandsChanged", commands: value })
    case "title":
      return eventOf({ type: "TitleChanged", title: value })
    case "git":
      return value === null ? [] : eventOf({ type: "GitStatusChanged", status: value })
    default:
      return []
  }
}

const documentOf = (state: unknown) => fields(fields(state)["holdfast"])

/** What is true after a change of the state and was not before. Whatever is sent again is not told again. @since 0.1.0 */
export const ofState = (before: unknown, after: unknown): ReadonlyArray<AgentEvent> => {
  const was = documentOf(before)
  return Object.entries(documentOf(after)).flatMap(([field, value]) =>
    value === was[field] || JSON.stringify(value) === JSON.stringify(was[field]) ? [] : ofField(field, value)
  )
}

/** @since 0.1.0 */
export const isOurState = ({ path }: JsonPatchOperation): boolean =>
  path === "/holdfast" || path.startsWith("/holdfast/")

// -------------------------------------------------------------------------------------------------- activities

type Activity = Extract<AGUIEvent, { type: "ACTIVITY_SNAPSHOT" | "ACTIVITY_DELTA" }>

const list = (value: unknown): ReadonlyArray<unknown> => Array.isArray(value) ? value : []

/** What an activity says of itself, or what of it has changed. */
const partOf = (event: Activity): Readonly<Record<string, unknown>> => {
  if (event.type === "ACTIVITY_SNAPSHOT") return event.content
  const changed = event.patch.flatMap((operation): ReadonlyArray<readonly [string, unknown]> =>
    operation.op !== "add"
      ? []
      : operation.path === "/output/-"
      ? [["output", [operation.value]]]
      : [[operation.path.slice(1), operation.value]]
  )
  return Object.fromEntries(changed)
}

const chunkOf = (processId: unknown) => (chunk: unknown) =>
  eventOf({ ...fields(chunk), type: "ProcessOutput", processId })

/** What the activity tells; `undefined` if it is none of ours. `subject` is what a process or a call was named before. @since 0.1.0 */
export const ofActivity = (
  event: Activity,
  subject: string | undefined
): { readonly events: ReadonlyArray<AgentEvent>; readonly subject: string | undefined } | undefined => {
  const part = partOf(event)
  switch (event.activityType) {
    case "holdfast.content": {
      const { content, role } = part
      return {
        events: eventOf(role === "user" ? { type: "UserChunk", content } : { type: "ContentChunk", role, content }),
        subject
      }
    }
    case "holdfast.tool_call": {
      const toolCallId = part["toolCallId"] ?? subject
      const { name: _, ...told } = part
      return {
        events: eventOf({ ...told, type: "ToolCallUpdated", toolCallId }),
        subject: typeof toolCallId === "string" ? toolCallId : subject
      }
    }
    case "holdfast.shell":
      return { events: list(part["output"]).flatMap((data) => eventOf({ type: "ShellOutput", data })), subject }
    case "holdfast.process": {
      const processId = part["processId"] ?? subject
      const { output, ...status } = part
      return {
        events: [
          ...eventOf({ ...status, type: "ProcessStatus", processId }),
          ...list(output).flatMap(chunkOf(processId))
        ],
        subject: typeof processId === "string" ? processId : subject
      }
    }
    default:
      return undefined
  }
}

// ------------------------------------------------------------------------------------------------------ the rest

/** @since 0.1.0 */
export const ofCustom = ({ name, value }: Extract<AGUIEvent, { type: "CUSTOM" }>): ReadonlyArray<AgentEvent> => {
  const type = name.startsWith("holdfast.") ? name.slice("holdfast.".length) : ""
  const events = type === "" ? [] : eventOf({ ...fields(value), type })
  return events.length > 0 ? events : [{ type: "Extension", name, payload: value }]
}
