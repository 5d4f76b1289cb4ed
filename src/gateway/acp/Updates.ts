/**
 * Stored events as `session/update`: a pure fold.
 *
 * ```ts
 * const step = Updates.step(clientCapabilities)
 * const [view, updates] = step(Updates.empty, stored)
 * ```
 *
 * Content, diffs and tool calls keep ACP's own shapes and go through unchanged. Two things cannot: a terminal is one of Holdfast's and
 * not of the editor, so its output is shown as text; and what Holdfast itself has to say (a run that was lost, a warning) is a `notice`,
 * or a quoted line of text for a client that knows no notices.
 *
 * @see https://agentclientprotocol.com/protocol/v1/prompt-turn
 * @since 0.1.0
 */
import type * as acp from "@agentclientprotocol/sdk"
import * as Schema from "effect/Schema"
import type {
  PlanUpdated,
  RunOutcome,
  RunStarted,
  ToolCallEnded,
  ToolCallStarted,
  ToolCallUpdated
} from "../../domain/AgentEvent.js"
import * as Content from "../../domain/Content.js"
import type { RunId } from "../../domain/Ids.js"
import type { StoredEvent } from "../../domain/StoredEvent.js"
import * as Terminal from "./Terminal.js"

/** What the editor is sent, as it goes on the wire. @since 0.1.0 */
export interface Update {
  readonly sessionUpdate: acp.SessionUpdate["sessionUpdate"]
  readonly [field: string]: unknown
}

type ToolEvent = typeof ToolCallStarted.Type | typeof ToolCallUpdated.Type | typeof ToolCallEnded.Type

/** A tool call that runs: what was last said of it. @since 0.1.0 */
export interface Call extends Omit<typeof ToolCallUpdated.Type, "type"> {
  readonly runId: RunId | undefined
}

/** A mode that the agent offers. @since 0.1.0 */
export interface Mode {
  readonly id: string
  readonly name: string
  readonly description?: string | undefined
}

/** What later updates depend on, and what a client is told when it opens the session. @since 0.1.0 */
export interface View {
  readonly mode: string | undefined
  readonly modes: ReadonlyArray<Mode>
  readonly options: ReadonlyArray<unknown> | undefined
  readonly calls: ReadonlyMap<string, Call>
  readonly terminals: Terminal.Terminals
}

/** @since 0.1.0 */
export const empty: View = {
  mode: undefined,
  modes: [],
  options: undefined,
  calls: new Map(),
  terminals: Terminal.none
}

/** The view after one more event, and what is said of it, in order. @since 0.1.0 */
export type Step = readonly [view: View, updates: ReadonlyArray<Update>]

const nothing: ReadonlyArray<Update> = []

const chunk = (
  sessionUpdate: "agent_message_chunk" | "agent_thought_chunk" | "user_message_chunk",
  content: Content.ContentBlock,
  messageId: string | undefined
): Update => ({ sessionUpdate, content, messageId })

/** Holdfast's own words. @since 0.1.0 */
export const notice = (
  client: acp.ClientCapabilities,
  severity: "info" | "warning" | "error",
  title: string,
  description?: string
): Update =>
  client.session?.notices != null
    ? { sessionUpdate: "notice", severity, title: title === "" ? severity : title, description }
    : chunk(
      "agent_message_chunk",
      {
        type: "text",
        text: `\n\n> Holdfast: ${[title, ...description === undefined ? [] : [description]].join("; ")}\n\n`
      },
      undefined
    )

// ---------------------------------------------------------------------------------------------------- tool calls

const oneOf = <const A extends string>(all: ReadonlyArray<A>, otherwise: A) => (value: string): A =>
  all.find((each) => each === value) ?? otherwise

const toKind = oneOf<acp.ToolKind>(
  ["read", "edit", "delete", "move", "search", "execute", "think", "fetch", "switch_mode", "other"],
  "other"
)
const toPriority = oneOf<acp.PlanEntryPriority>(["high", "medium", "low"], "medium")
const toStatus = oneOf<acp.PlanEntryStatus>(["pending", "in_progress", "completed"], "pending")

const toContent = (terminals: Terminal.Terminals, content: ReadonlyArray<Content.ToolContent> | undefined) =>
  content?.map((item) =>
    item.type === "terminal"
      ? { type: "content", content: { type: "text", text: Terminal.shown(terminals, item.terminalId) } }
      : item
  )

/** The fields of a tool call as the protocol has them; what is `undefined` is not sent. */
const toolFields = (terminals: Terminal.Terminals, { content, kind, ...fields }: Omit<Call, "runId">) => ({
  ...fields,
  kind: kind === undefined ? undefined : toKind(kind),
  content: toContent(terminals, content)
})

/** What is known of a call, for a question about it. @since 0.1.0 */
export const callOf = (view: View, toolCallId: string | undefined): Readonly<Record<string, unknown>> => {
  const call = toolCallId === undefined ? undefined : view.calls.get(toolCallId)
  if (call === undefined) return {}
  const { runId: _, ...fields } = call
  return toolFields(view.terminals, fields)
}

const without = <K, V>(map: ReadonlyMap<K, V>, ...keys: ReadonlyArray<K>): ReadonlyMap<K, V> => {
  const rest = new Map(map)
  for (const key of keys) rest.delete(key)
  return rest
}

const isOver = (status: string | undefined) => status === "completed" || status === "failed"

const onTool = (view: View, { type, ...fields }: ToolEvent, runId: RunId | undefined): Step => {
  const id = fields.toolCallId
  const before = view.calls.get(id)
  const call: Call = { ...before, runId, ...fields }
  const calls = isOver(call.status) ? without(view.calls, id) : new Map(view.calls).set(id, call)
  // some agents tell of a call for the first time when they ask about it: a client must not be told of a change of what it has not heard of
  const isNew = type === "ToolCallStarted" ||
    (type === "ToolCallUpdated" && before === undefined && fields.title !== undefined)
  const sessionUpdate = isNew ? "tool_call" : "tool_call_update"
  return [{ ...view, calls }, [{ sessionUpdate, ...toolFields(view.terminals, fields) }]]
}

/** A call that is left open by a run that did not complete is over with it: its spinner would turn for ever. */
const endCalls = (view: View, runId: RunId | undefined, outcome: RunOutcome): Step => {
  const open = Array.from(view.calls).flatMap(([toolCallId, call]) => call.runId === runId ? [toolCallId] : [])
  if (open.length === 0) return [view, nothing]
  const updates = open.map((toolCallId): Update => ({
    sessionUpdate: "tool_call_update",
    toolCallId,
    status: "failed"
  }))
  return [{ ...view, calls: without(view.calls, ...open) }, outcome._tag === "Completed" ? nothing : updates]
}

/** What a person should know of the end of a run. @since 0.1.0 */
export const failureOf = (outcome: RunOutcome): string | undefined => {
  switch (outcome._tag) {
    case "Failed":
      return `the run failed: ${outcome.error.message}`
    case "Lost":
      return `the run was lost: ${outcome.reason}`
    default:
      return undefined
  }
}

/**
 * What the terminals have put out since it was last told. Output comes in many small pieces and each telling repeats what came before, so
 * it waits for the end of a page or for an event of another kind.
 *
 * @since 0.1.0
 */
export const flush = (view: View): Step => {
  const { stale } = view.terminals
  if (stale.size === 0) return [view, nothing]
  const shows = (item: Content.ToolContent) => item.type === "terminal" && stale.has(item.terminalId)
  const updates = Array.from(view.calls).flatMap(([toolCallId, { content }]): ReadonlyArray<Update> =>
    content?.some(shows) === true
      ? [{ sessionUpdate: "tool_call_update", toolCallId, content: toContent(view.terminals, content) }]
      : []
  )
  return [{ ...view, terminals: Terminal.told(view.terminals) }, updates]
}

// ------------------------------------------------------------------------------------- runs that the agent opened

/** What is shown as one call, from the run's beginning to its end. */
const openRun = (view: View, runId: RunId, { agent, prompt }: typeof RunStarted.Type): Step => {
  const asked = Content.toText(prompt).split("\n", 1)[0] ?? ""
  const title = [...agent === undefined ? [] : [agent], ...asked === "" ? [] : [asked.slice(0, 80)]].join(": ")
  const call: Call = {
    runId,
    toolCallId: runId,
    title: title || "another run of the agent",
    kind: "other",
    status: "in_progress",
    content: [{ type: "terminal", terminalId: runId }]
  }
  const { content: _, runId: __, ...fields } = call
  return [{ ...view, calls: new Map(view.calls).set(runId, call) }, [{ sessionUpdate: "tool_call", ...fields }]]
}

const endRun = (view: View, runId: RunId, outcome: RunOutcome): Step => {
  const failure = failureOf(outcome)
  const last = failure === undefined ? view : hear(view, runId, `\n${failure}\n`)
  const [told, shown] = flush(last)
  const [next, over] = endCalls({ ...told, calls: without(told.calls, runId) }, runId, outcome)
  const status = outcome._tag === "Completed" ? "completed" : "failed"
  return [next, [...shown, ...over, { sessionUpdate: "tool_call_update", toolCallId: runId, status }]]
}

const hear = (view: View, runId: RunId, text: string): View => ({
  ...view,
  terminals: Terminal.append(view.terminals, runId, text)
})

/** The run that the event belongs to, if the agent opened it. */
const openedRun = (view: View, { runId }: StoredEvent): RunId | undefined =>
  runId !== undefined && view.calls.has(runId) ? runId : undefined

/** Whether the event is one of many small pieces, with which `flush` waits. @since 0.1.0 */
export const isPiece = (view: View, stored: StoredEvent): boolean =>
  stored.event.type === "ProcessOutput" || (stored.event.type === "TextChunk" && openedRun(view, stored) !== undefined)

/** What is not said to the editor but within another run; `undefined` is for all that is said of it as of any. */
const within = (view: View, runId: RunId, { event }: StoredEvent): Step | undefined => {
  switch (event.type) {
    case "TextChunk":
      return [hear(view, runId, event.text), nothing]
    case "ContentChunk":
      return [hear(view, runId, `[${event.content.type}]\n`), nothing]
    case "ThoughtChunk":
    case "UserChunk":
    case "PlanUpdated":
    case "UsageUpdated":
      return [view, nothing]
    case "RunEnded":
      return endRun(view, runId, event.outcome)
    default:
      return undefined
  }
}

// --------------------------------------------------------------------------------------------------------- events

/** The protocol counts in whole numbers; agents guess. */
const toCount = (tokens: number): number => Math.max(0, Math.round(tokens))

const plan = (entries: (typeof PlanUpdated.Type)["entries"]): Update => ({
  sessionUpdate: "plan",
  entries: entries.map(({ content, priority, status }) => ({
    content,
    priority: toPriority(priority),
    status: toStatus(status)
  }))
})

const titled = (title: string, updatedAt: string): Update => ({
  sessionUpdate: "session_info_update",
  title,
  updatedAt
})

const named = { id: Schema.String, name: Schema.String }
const fitsOption = Schema.is(Schema.Union(
  Schema.Struct({ ...named, type: Schema.Literal("boolean"), currentValue: Schema.Boolean }),
  Schema.Struct({
    ...named,
    type: Schema.Literal("select"),
    currentValue: Schema.String,
    options: Schema.Array(Schema.Struct({ name: Schema.String }))
  })
))

/** Options of a kind that the client does not know are not shown to it. The log has them as the agent told them, whatever they are. */
const knownOptions = (client: acp.ClientCapabilities, options: ReadonlyArray<unknown>) =>
  client.session?.configOptions?.boolean != null
    ? options.filter(isOption)
    : options.filter(isOption).filter((option) => option.type !== "boolean")

const isOption = (option: unknown): option is acp.SessionConfigOption => fitsOption(option)

/** What `session/new`, `load` and `resume` answer. @since 0.1.0 */
export const beginning = (client: acp.ClientCapabilities, view: View) => ({
  ...(view.mode === undefined || view.modes.length === 0 ? {} : {
    modes: {
      currentModeId: view.mode,
      availableModes: view.modes.map(({ description, id, name }) => ({ id, name, description: description ?? null }))
    }
  }),
  ...(view.options === undefined ? {} : { configOptions: knownOptions(client, view.options) })
})

/** All options, one of them with another value: what the agent is about to say, or nearly so. @since 0.1.0 */
export const optionsWith = (
  client: acp.ClientCapabilities,
  view: View,
  configId: string,
  value: string | boolean
): Array<acp.SessionConfigOption> =>
  knownOptions(client, view.options ?? []).map((option) => {
    if (option.id !== configId) return option
    return option.type === "boolean"
      ? { ...option, currentValue: value === true }
      : { ...option, currentValue: String(value) }
  })

/**
 * `own` tells that the editor waits for this very run: it has shown the prompt itself, and is told how the run ended by the response.
 *
 * @since 0.1.0
 */
export const step = (client: acp.ClientCapabilities) => (view: View, stored: StoredEvent, own: boolean): Step => {
  const { event } = stored
  const say = (update: Update): Step => [view, [update]]
  const run = openedRun(view, stored)
  const elsewhere = run === undefined ? undefined : within(view, run, stored)
  if (elsewhere !== undefined) return elsewhere
  switch (event.type) {
    case "TextChunk":
      return say(chunk("agent_message_chunk", { type: "text", text: event.text }, event.messageId))
    case "ThoughtChunk":
      return say(chunk("agent_thought_chunk", { type: "text", text: event.text }, event.messageId))
    case "ContentChunk":
      return say(
        chunk(
          event.role === "agent" ? "agent_message_chunk" : "agent_thought_chunk",
          event.content,
          event.messageId
        )
      )
    case "UserChunk":
      return say(chunk("user_message_chunk", event.content, event.messageId))
    case "RunStarted":
      if (event.until !== undefined && stored.runId !== undefined) return openRun(view, stored.runId, event)
      return [view, own ? nothing : event.prompt.map((block) => chunk("user_message_chunk", block, stored.runId))]
    case "ToolCallStarted":
    case "ToolCallUpdated":
    case "ToolCallEnded":
      return onTool(view, event, stored.runId)
    case "ProcessOutput":
      return [{ ...view, terminals: Terminal.append(view.terminals, event.processId, event.data) }, nothing]
    case "PlanUpdated":
      return say(plan(event.entries))
    case "UsageUpdated": {
      const { cost, size, used } = event
      return say({ sessionUpdate: "usage_update", used: toCount(used), size: toCount(size), cost })
    }
    case "ModeChanged": {
      const { available, modeId } = event
      const next = { ...view, mode: modeId, modes: available ?? view.modes }
      return [next, [{ sessionUpdate: "current_mode_update", currentModeId: modeId }]]
    }
    case "ConfigChanged":
      return [{ ...view, options: event.options }, [{
        sessionUpdate: "config_option_update",
        configOptions: knownOptions(client, event.options)
      }]]
    case "CommandsChanged":
      return say({
        sessionUpdate: "available_commands_update",
        availableCommands: event.commands.map(({ description, hint, name }) => ({
          name,
          description,
          ...(hint === undefined ? {} : { input: { hint } })
        }))
      })
    case "SessionOpened":
      return event.title === undefined ? [view, nothing] : say(titled(event.title, stored.at))
    case "TitleChanged":
      return say(titled(event.title, stored.at))
    case "Warning":
      return say(notice(client, "warning", event.message, event.detail))
    case "AgentRestartFailed":
      return say(notice(client, "error", `the agent did not restart: ${event.error.message}`))
    case "RunDropped":
      return own ? [view, nothing] : say(notice(client, "warning", `a prompt that waited was dropped: ${event.reason}`))
    case "RunEnded": {
      const [next, over] = endCalls(view, stored.runId, event.outcome)
      const failure = failureOf(event.outcome)
      return [next, own || failure === undefined ? over : [...over, notice(client, "error", failure)]]
    }
    case "SessionClosed":
      return say(notice(client, "info", "this session was closed"))
    default:
      // what the protocol has no word for: connections and restarts of the agent, questions (which are requests), shells and files
      return [view, nothing]
  }
}
