/**
 * A session's events as what a person looks at: a pure fold.
 *
 * ```ts
 * const conversation = fold(empty, events) // and again, with the next events
 * ```
 *
 * It costs one copy of the list of items a call, so events are given to it by the frame and not one by one.
 */
import type { SessionEvent } from "../../src/domain/AgentEvent.js"
import type { ContentBlock } from "../../src/domain/Content.js"
import type { Elicitation } from "../../src/domain/Elicitation.js"
import type { SessionStatus } from "../../src/domain/Session.js"
import type { StoredEvent } from "../../src/domain/StoredEvent.js"
import * as Describe from "./Describe.js"
import * as Items from "./Items.js"
import * as Options from "./Options.js"
import * as Passage from "./Passage.js"

type EventOf<Type extends SessionEvent["type"]> = Extract<SessionEvent, { readonly type: Type }>

export interface Conversation {
  /** Of the last event. */
  readonly seq: number
  readonly items: ReadonlyArray<Items.Item>
  readonly agent: string
  readonly cwd: string
  readonly title: string | undefined
  readonly phase: "starting" | "ready" | "restarting" | "failed" | "closed"
  readonly connected: boolean
  readonly run: { readonly id: string; readonly at: string } | undefined
  readonly queued: ReadonlyArray<{ readonly runId: string; readonly content: ReadonlyArray<ContentBlock> }>
  /** The questions that wait for an answer, the oldest first. */
  readonly questions: ReadonlyArray<Elicitation>
  /** The plan of the open run. */
  readonly plan: ReadonlyArray<Items.PlanEntry>
  readonly usage: EventOf<"UsageUpdated"> | undefined
  readonly mode: string | undefined
  readonly modes: NonNullable<EventOf<"ModeChanged">["available"]>
  readonly options: ReadonlyArray<Options.Option>
  readonly commands: EventOf<"CommandsChanged">["commands"]
  readonly processes: ReadonlyMap<string, Items.Process>
  /** Where the items are that later events still change. */
  readonly places: {
    readonly calls: ReadonlyMap<string, number>
    readonly questions: ReadonlyMap<string, number>
    /** Of the runs that the agent opened itself. */
    readonly runs: ReadonlyMap<string, number>
    readonly plan: number | undefined
    readonly restart: number | undefined
  }
}

export const empty: Conversation = {
  seq: 0,
  items: [],
  agent: "",
  cwd: "",
  title: undefined,
  phase: "starting",
  connected: false,
  run: undefined,
  queued: [],
  questions: [],
  plan: [],
  usage: undefined,
  mode: undefined,
  modes: [],
  options: [],
  commands: [],
  processes: new Map(),
  places: { calls: new Map(), questions: new Map(), runs: new Map(), plan: undefined, restart: undefined }
}

/** As `Session.status` of the gateway tells it. */
export const status = ({ phase, questions, run }: Conversation): SessionStatus => {
  if (phase === "closed" || phase === "restarting") return phase
  if (questions.length > 0) return "waiting"
  if (run !== undefined) return "running"
  return phase === "ready" ? "idle" : phase
}

// ------------------------------------------------------------------------------------------------- the draft

type Mutable<A> = { -readonly [K in keyof A]: A[K] }
type Draft = Mutable<Omit<Conversation, "items" | "processes" | "places">> & {
  items: Array<Items.Item>
  processes: Map<string, Items.Process>
  places: {
    calls: Map<string, number>
    questions: Map<string, number>
    runs: Map<string, number>
    plan: number | undefined
    restart: number | undefined
  }
}

type ItemOf<Kind extends Items.Item["kind"]> = Extract<Items.Item, { readonly kind: Kind }>
type New<I> = I extends Items.Item ? Omit<I, "key" | "at" | "within"> : never

const push = (draft: Draft, stored: StoredEvent, item: New<Items.Item>): number => {
  const run = draft.items[draft.places.runs.get(stored.runId ?? "") ?? -1]
  const within = run?.kind === "run" ? { within: run.name } : {}
  return draft.items.push({ ...item, ...within, key: `${stored.seq}.${draft.items.length}`, at: stored.at }) - 1
}

const replace = <Kind extends Items.Item["kind"]>(
  draft: Draft,
  index: number | undefined,
  kind: Kind,
  change: (item: ItemOf<Kind>) => ItemOf<Kind>
) => {
  const item = index === undefined ? undefined : draft.items[index]
  if (index !== undefined && item !== undefined && isKind(item, kind)) draft.items[index] = change(item)
}

const isKind = <Kind extends Items.Item["kind"]>(item: Items.Item, kind: Kind): item is ItemOf<Kind> =>
  item.kind === kind

const note = (draft: Draft, stored: StoredEvent, tone: Items.Note["tone"], text: string, detail?: string) =>
  push(draft, stored, { kind: "note", tone, text, detail })

// --------------------------------------------------------------------------------------------- what is said

const say = (draft: Draft, stored: StoredEvent, kind: Items.Message["kind"], text: string, messageId?: string) => {
  if (text === "") return
  const { runId } = stored
  const last = draft.items.at(-1)
  const goesOn = last?.kind === kind && last.runId === runId && last.messageId === messageId
  const [first = "", ...parts] = Passage.extend(goesOn ? last.text : "", text)
  if (goesOn) draft.items[draft.items.length - 1] = { ...last, text: first }
  else push(draft, stored, { kind, runId, messageId, text: first, continued: false })
  for (const part of parts) push(draft, stored, { kind, runId, messageId, text: part, continued: true })
}

const onContent = (draft: Draft, stored: StoredEvent, { content, messageId, role }: EventOf<"ContentChunk">) => {
  if (content.type === "text") say(draft, stored, role === "agent" ? "message" : "thought", content.text, messageId)
  else push(draft, stored, { kind: "media", content })
}

const onUser = (draft: Draft, stored: StoredEvent, { content }: EventOf<"UserChunk">) => {
  const last = draft.items.at(-1)
  if (last?.kind === "prompt" && last.reported) {
    draft.items[draft.items.length - 1] = { ...last, content: [...last.content, content] }
  } else push(draft, stored, { kind: "prompt", content: [content], reported: true })
}

// -------------------------------------------------------------------------------------- what is done for it

type ToolEvent = EventOf<"ToolCallStarted" | "ToolCallUpdated" | "ToolCallEnded">

const onTool = (draft: Draft, stored: StoredEvent, { type: _, ...told }: ToolEvent) => {
  const fields = Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined))
  const known = draft.places.calls.get(told.toolCallId)
  if (known === undefined) {
    const call: Items.ToolCall = { title: told.toolCallId, status: "pending", ...fields, toolCallId: told.toolCallId }
    draft.places.calls.set(told.toolCallId, push(draft, stored, { kind: "tool", runId: stored.runId, call }))
  } else replace(draft, known, "tool", (item) => ({ ...item, call: { ...item.call, ...fields } }))
  for (const shown of told.content ?? []) {
    if (shown.type === "terminal") change(draft, shown.terminalId, (process) => ({ ...process, owned: true }))
  }
}

const unknown = (id: string): Items.Process => ({
  id,
  command: undefined,
  status: "running",
  exitCode: undefined,
  signal: undefined,
  output: Items.noOutput,
  owned: false
})

const change = (draft: Draft, id: string, f: (process: Items.Process) => Items.Process) =>
  draft.processes.set(id, f(draft.processes.get(id) ?? unknown(id)))

const onProcess = (draft: Draft, stored: StoredEvent, event: EventOf<"ProcessStatus" | "ProcessOutput">) => {
  const { processId } = event
  if (!draft.processes.has(processId)) push(draft, stored, { kind: "process", processId })
  change(draft, processId, (process) =>
    event.type === "ProcessOutput"
      ? { ...process, output: Items.append(process.output, event.data) }
      : {
        ...process,
        status: event.status,
        command: event.command ?? process.command,
        exitCode: event.exitCode,
        signal: event.signal
      })
}

const onShell = (draft: Draft, stored: StoredEvent, data: string) => {
  const last = draft.items.at(-1)
  if (last?.kind === "shell") {
    draft.items[draft.items.length - 1] = { ...last, output: Items.append(last.output, data) }
  } else push(draft, stored, { kind: "shell", output: Items.append(Items.noOutput, data) })
}

const onPlan = (draft: Draft, stored: StoredEvent, { entries }: EventOf<"PlanUpdated">) => {
  draft.plan = entries
  if (draft.places.plan === undefined) draft.places.plan = push(draft, stored, { kind: "plan", entries })
  else replace(draft, draft.places.plan, "plan", (item) => ({ ...item, entries }))
}

// ------------------------------------------------------------------------------- beginnings, ends, questions

const dequeue = (draft: Draft, runId: string | undefined) => {
  draft.queued = draft.queued.filter((each) => each.runId !== runId)
}

/**
 * Ends the calls of a run that has ended; a turn's end is also that of whatever belongs to no run that is open. What comes late is a call of
 * its own.
 */
const endCalls = (draft: Draft, runId: string | undefined) => {
  const { runs } = draft.places
  const opened = runs.has(runId ?? "")
  for (const [id, index] of draft.places.calls) {
    const item = draft.items[index]
    if (item?.kind !== "tool" || item.runId !== runId && (opened || runs.has(item.runId ?? ""))) continue
    draft.places.calls.delete(id)
    if (item.call.status === "completed" || item.call.status === "failed") continue
    draft.items[index] = { ...item, call: { ...item.call, unfinished: true } }
  }
}

const onRunEnded = (draft: Draft, stored: StoredEvent, { outcome }: EventOf<"RunEnded">) => {
  endCalls(draft, stored.runId)
  const millis = draft.run === undefined ? undefined : Date.parse(stored.at) - Date.parse(draft.run.at)
  push(draft, stored, { kind: "ended", outcome, millis })
  draft.run = undefined
  draft.plan = []
  draft.places.plan = undefined
}

const onOpened = (draft: Draft, stored: StoredEvent, { agent, prompt }: EventOf<"RunStarted">) =>
  draft.places.runs.set(
    stored.runId ?? "",
    push(draft, stored, {
      kind: "run",
      runId: stored.runId,
      name: agent ?? "Sub-agent",
      asked: Describe.toText(prompt),
      output: Items.noOutput,
      outcome: undefined
    })
  )

/** What is said in a run that the agent opened is folded into it; whether it was. */
const within = (draft: Draft, { event, runId }: StoredEvent): boolean => {
  const place = runId === undefined ? undefined : draft.places.runs.get(runId)
  if (runId === undefined || place === undefined) return false
  const change = (f: (run: Items.Run) => Items.Run) => replace(draft, place, "run", f)
  switch (event.type) {
    case "TextChunk":
      change((run) => ({ ...run, output: Items.append(run.output, event.text) }))
      return true
    // its thoughts, its plan and its use of tokens are not those of the session
    case "ThoughtChunk":
    case "UserChunk":
    case "PlanUpdated":
    case "UsageUpdated":
      return true
    case "RunEnded":
      change((run) => ({ ...run, outcome: event.outcome }))
      endCalls(draft, runId)
      draft.places.runs.delete(runId)
      return true
    default:
      return false
  }
}

const onSettled = (draft: Draft, { elicitationId, outcome }: EventOf<"ElicitationSettled">) => {
  draft.questions = draft.questions.filter(({ id }) => id !== elicitationId)
  replace(draft, draft.places.questions.get(elicitationId), "question", (item) => ({ ...item, outcome }))
  draft.places.questions.delete(elicitationId)
}

const onConnected = (draft: Draft, stored: StoredEvent, { how }: EventOf<"AgentConnected">) => {
  const returns = draft.phase !== "starting" && draft.phase !== "restarting"
  draft.connected = true
  if (draft.phase === "restarting") return
  draft.phase = "ready"
  if (returns) note(draft, stored, "quiet", `The agent is back${how === "opened" ? ", with a new session" : ""}`)
}

const onDisconnected = (draft: Draft, stored: StoredEvent, { error, reason }: EventOf<"AgentDisconnected">) => {
  draft.connected = false
  if (draft.phase === "starting") draft.phase = "failed"
  // the run or the restart that it belongs to says it
  if (draft.run !== undefined || draft.phase === "restarting") return
  const { detail, message }: Items.Fault = error === undefined
    ? { message: `The agent has left: ${reason}` }
    : Describe.fault(error)
  note(draft, stored, error === undefined ? "quiet" : draft.phase === "failed" ? "error" : "warning", message, detail)
}

/** The line that told the beginning tells the end, too. */
const onRestarted = (draft: Draft, stored: StoredEvent) => {
  draft.phase = "ready"
  const text = (since: string) =>
    `The agent was restarted in ${Describe.duration(Date.parse(stored.at) - Date.parse(since))}`
  if (draft.places.restart === undefined) note(draft, stored, "quiet", "The agent was restarted")
  else replace(draft, draft.places.restart, "note", (item) => ({ ...item, text: text(item.at) }))
  draft.places.restart = undefined
}

const step = (draft: Draft, stored: StoredEvent): unknown => {
  const { event, runId } = stored
  if (within(draft, stored)) return
  switch (event.type) {
    case "TextChunk":
      return say(draft, stored, "message", event.text, event.messageId)
    case "ThoughtChunk":
      return say(draft, stored, "thought", event.text, event.messageId)
    case "ContentChunk":
      return onContent(draft, stored, event)
    case "UserChunk":
      return onUser(draft, stored, event)
    case "ToolCallStarted":
    case "ToolCallUpdated":
    case "ToolCallEnded":
      return onTool(draft, stored, event)
    case "ProcessOutput":
    case "ProcessStatus":
      return onProcess(draft, stored, event)
    case "ShellOutput":
      return onShell(draft, stored, event.data)
    case "PlanUpdated":
      return onPlan(draft, stored, event)
    case "UsageUpdated":
      return draft.usage = event
    case "ModeChanged":
      draft.modes = event.available ?? draft.modes
      return draft.mode = event.modeId
    case "ConfigChanged":
      return draft.options = Options.parse(event.options)
    case "CommandsChanged":
      return draft.commands = event.commands
    case "TitleChanged":
      return draft.title = event.title
    case "FilesChanged": {
      const count = event.changes.length
      const files = event.changes.map(({ kind, path }) => `${kind} ${path}`).join("\n")
      return note(draft, stored, "quiet", `${count} ${count === 1 ? "file" : "files"} changed`, files)
    }
    case "ContextCompacted":
      return note(draft, stored, "quiet", "the conversation was summarised", event.summary)
    case "Warning":
      return note(draft, stored, "warning", event.message, event.detail)
    case "SessionOpened":
      draft.agent = event.agent
      draft.cwd = event.cwd
      return draft.title = event.title
    case "SessionClosed":
      draft.phase = "closed"
      draft.connected = false
      return note(draft, stored, "quiet", "The session was closed")
    case "AgentConnected":
      return onConnected(draft, stored, event)
    case "AgentDisconnected":
      return onDisconnected(draft, stored, event)
    case "AgentRestarting":
      draft.phase = "restarting"
      return draft.places.restart = note(draft, stored, "quiet", Describe.restarting(event.cause, event.requests))
    case "AgentRestarted":
      return onRestarted(draft, stored)
    case "AgentRestartFailed": {
      draft.phase = "failed"
      draft.places.restart = undefined
      const { detail, message } = Describe.fault(event.error)
      return note(draft, stored, "error", `The agent did not restart: ${message}`, detail)
    }
    case "RunQueued":
      return draft.queued = [...draft.queued, { runId: runId ?? "", content: event.prompt }]
    case "RunDropped":
      dequeue(draft, runId)
      return note(draft, stored, "quiet", `A queued prompt was dropped: ${event.reason}`)
    case "RunStarted":
      if (event.until !== undefined) return onOpened(draft, stored, event)
      dequeue(draft, runId)
      draft.run = { id: runId ?? "", at: stored.at }
      return push(draft, stored, { kind: "prompt", content: event.prompt, reported: false })
    case "RunEnded":
      // of a run that was opened before the log begins
      if (draft.run !== undefined && draft.run.id !== runId) return
      return onRunEnded(draft, stored, event)
    case "ElicitationRequested": {
      const { elicitation } = event
      draft.questions = [...draft.questions, elicitation]
      const place = push(draft, stored, { kind: "question", elicitation, outcome: undefined })
      return draft.places.questions.set(elicitation.id, place)
    }
    case "ElicitationSettled":
      return onSettled(draft, event)
    default:
      // what only the log shows, and what a newer gateway may have to say
      return undefined
  }
}

/** The conversation after more events; those that it has already are passed over. */
export const fold = (conversation: Conversation, events: ReadonlyArray<StoredEvent>): Conversation => {
  const { items, places, processes } = conversation
  const draft: Draft = {
    ...conversation,
    items: items.slice(),
    processes: new Map(processes),
    places: {
      ...places,
      calls: new Map(places.calls),
      questions: new Map(places.questions),
      runs: new Map(places.runs)
    }
  }
  for (const stored of events) {
    if (stored.seq <= draft.seq) continue
    step(draft, stored)
    draft.seq = stored.seq
  }
  return draft
}

/** Begins again where the log still begins: what was before is gone. */
export const beginningAt = (oldest: number): Conversation => ({
  ...empty,
  seq: oldest - 1,
  phase: "ready",
  items: [{
    kind: "note",
    key: "horizon",
    at: "",
    tone: "quiet",
    text: `The log begins with event ${oldest.toLocaleString("en")}: what was before is no longer kept`
  }]
})
