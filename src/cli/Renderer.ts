/**
 * Stored events as terminal text: a pure fold.
 *
 * ```ts
 * const render = Renderer.step({ live: true, color: true, rows: 40, prompts: false })
 * const [view, text] = render(Renderer.empty, stored) // text: what to write now
 * ```
 *
 * A tool call has one line. On a live terminal that line is rewritten in place as long as it is at the bottom of the screen; once
 * something else was written below, it stays as it is and the end of the call gets a line of its own. Elsewhere each call is one
 * line, written when it ends.
 *
 * @since 0.1.0
 */
import type {
  PlanUpdated,
  RunOutcome,
  ToolCallEnded,
  ToolCallStarted,
  ToolCallUpdated,
  UsageUpdated
} from "../domain/AgentEvent.js"
import * as Content from "../domain/Content.js"
import type { ElicitationOutcome } from "../domain/Elicitation.js"
import type { RunId } from "../domain/Ids.js"
import type { StoredEvent } from "../domain/StoredEvent.js"
import * as Ansi from "./Ansi.js"

/** @since 0.1.0 */
export interface Style {
  /** The terminal's cursor can be moved. */
  readonly live: boolean
  readonly color: boolean
  /** The height of the terminal: what scrolled out of it cannot be rewritten. */
  readonly rows: number
  /** Shows what was asked, for a reader who did not type it. */
  readonly prompts: boolean
}

interface Tool {
  readonly run: RunId | undefined
  /** What stands before its line: a margin, in a run that the agent opened. */
  readonly margin: string
  readonly title: string
  readonly status: "pending" | "in_progress" | "completed" | "failed"
  readonly detail: string
}

type Plan = (typeof PlanUpdated.Type)["entries"]

const restarts = { requested: "someone asked", changed: "its settings changed", failed: "it failed" }
const count = (requests = 1) => requests === 1 ? "" : ` (${requests} requests)`

/** What is on the screen, as far as later text depends on it. @since 0.1.0 */
export interface View {
  /** What the cursor's line holds: nothing, or a text of this kind, or of this run, that can be continued. */
  readonly line: "empty" | "text" | "thought" | "output" | RunId
  /** The runs that the agent opened itself, by the name of who works in them. */
  readonly runs: ReadonlyMap<string, string>
  readonly tools: ReadonlyMap<string, Tool>
  /** The tool calls whose lines are the last ones of the screen, from top to bottom. */
  readonly bottom: ReadonlyArray<string>
  readonly plan: Plan
  readonly usage: typeof UsageUpdated.Type | undefined
  readonly mode: string | undefined
  readonly running: boolean
}

/** @since 0.1.0 */
export const empty: View = {
  line: "empty",
  runs: new Map(),
  tools: new Map(),
  bottom: [],
  plan: [],
  usage: undefined,
  mode: undefined,
  running: false
}

type Step = readonly [view: View, text: string]

const ended = (tool: Tool): boolean => tool.status === "completed" || tool.status === "failed"

const fresh = (view: View): string => view.line === "empty" ? "" : "\n"

/** Text that goes on in the cursor's line if that holds the same kind. */
const flow = (view: View, kind: Exclude<View["line"], "empty">, raw: string, paint: (text: string) => string): Step => {
  const text = Ansi.printable(raw)
  if (text === "") return [view, ""]
  return [
    { ...view, bottom: [], line: text.endsWith("\n") ? "empty" : kind },
    (view.line === kind ? "" : fresh(view)) + paint(text)
  ]
}

const margin = "┆ "

/** What is said in a run that the agent opened stands behind a margin, so that it is not taken for the agent's own word. */
const aside = (view: View, run: RunId, raw: string, paint: (text: string) => string): Step =>
  flow(view, run, raw, (text) => {
    const rest = text.replace(/\n(?=[^])/g, `\n${margin}`)
    return paint(view.line === run ? rest : `${margin}${rest}`)
  })

const line = (view: View, text: string): Step => [{ ...view, bottom: [], line: "empty" }, `${fresh(view)}${text}\n`]

const firstLine = (text: string): string => Ansi.oneLine(text.trim().split("\n", 1)[0] ?? "")

type ToolEvent = typeof ToolCallStarted.Type | typeof ToolCallUpdated.Type | typeof ToolCallEnded.Type

/** What a tool call's line says after its title: why it failed, or which file it is about. */
const detail = (event: ToolEvent, title: string, before: string): string => {
  if (event.status === "failed") {
    const blocks = event.content?.flatMap((item) => item.type === "content" ? [item.content] : []) ?? []
    return firstLine(Content.toText(blocks)) || before
  }
  const diff = event.content?.find((item) => item.type === "diff")
  const path = diff?.path ?? event.locations?.[0]?.path
  return path === undefined ? before : title.includes(path) ? "" : Ansi.oneLine(path)
}

const toolLine = (tool: Tool, paint: Ansi.Palette): string => {
  const mark = {
    pending: paint.dim("○"),
    in_progress: paint.yellow("◐"),
    completed: paint.green("✔"),
    failed: paint.red("✖")
  }[tool.status]
  return `${paint.dim(tool.margin)}${mark} ${tool.title}${tool.detail === "" ? "" : paint.dim(`  ${tool.detail}`)}`
}

const onTool = (
  view: View,
  event: ToolEvent,
  run: RunId | undefined,
  style: Style,
  paint: Ansi.Palette
): Step => {
  const id = event.toolCallId
  const before = view.tools.get(id)
  const title = event.title === undefined ? before?.title ?? id : Ansi.oneLine(event.title)
  const tool: Tool = {
    run,
    margin: run !== undefined && view.runs.has(run) ? margin : "",
    title,
    status: event.status ?? before?.status ?? "pending",
    detail: detail(event, title, before?.detail ?? "")
  }
  const next = { ...view, tools: new Map(view.tools).set(id, tool) }
  const known = view.bottom.includes(id)
  // a call whose line has scrolled up or is not shown while it runs: only its end is worth a new line
  if (!known && !ended(tool) && (!style.live || before !== undefined)) return [next, ""]
  if (!known && ended(tool) && before !== undefined && ended(before)) return [next, ""]
  if (!style.live) return line(next, toolLine(tool, paint))
  const bottom = known ? view.bottom : [...view.bottom, id]
  const draw = (ids: ReadonlyArray<string>) =>
    ids.map((id) => Ansi.oneRow(toolLine(next.tools.get(id) ?? tool, paint))).join("")
  const text = known ? Ansi.eraseUp(view.bottom.length) + draw(bottom) : fresh(view) + draw([id])
  // lines at the top that have reached their end are done with; nor can more lines be rewritten than the screen has
  const open = bottom.findIndex((id) => !ended(next.tools.get(id) ?? tool))
  const rewritable = open === -1 ? [] : bottom.slice(Math.max(open, bottom.length - style.rows + 1))
  return [{ ...next, line: "empty", bottom: rewritable }, text]
}

/** The entries that are new or have moved on, so that a plan costs a line a step and not a screen. */
const onPlan = (view: View, entries: Plan, paint: Ansi.Palette): Step => {
  const changed = entries.filter((entry) =>
    !view.plan.some((known) => known.content === entry.content && known.status === entry.status)
  )
  const next = { ...view, plan: entries }
  if (changed.length === 0) return [next, ""]
  const mark = (status: string) =>
    status === "completed" ? paint.green("☑") : status === "in_progress" ? paint.yellow("▸") : paint.dim("☐")
  return line(next, changed.map((entry) => `${mark(entry.status)} ${Ansi.oneLine(entry.content)}`).join("\n"))
}

const number = (value: number): string => value.toLocaleString("en-US")

const usage = (view: View): string => {
  if (view.usage === undefined) return ""
  const { cost, size, used } = view.usage
  const spent = cost === undefined ? "" : ` · ${cost.amount} ${Ansi.oneLine(cost.currency)}`
  return ` · ${number(used)} of ${number(size)} tokens${spent}`
}

const outcome = (view: View, outcome: RunOutcome, paint: Ansi.Palette): string => {
  switch (outcome._tag) {
    case "Completed": {
      const stop = outcome.stopReason === "end_turn" ? "" : `: ${Ansi.oneLine(outcome.stopReason)}`
      return `${paint.green("✔")} ${paint.dim(`completed${stop}${usage(view)}`)}`
    }
    case "Failed":
      return `${paint.red("✖")} failed: ${Ansi.oneLine(outcome.error.message)}`
    case "Cancelled":
      return `${paint.yellow("■")} cancelled`
    case "Lost":
      return `${paint.red("✖")} lost: ${Ansi.oneLine(outcome.reason)}`
  }
}

const answerers = { memory: ", as before", policy: ", as nobody was there", completion: ", as its page says" }

const settled = (outcome: ElicitationOutcome): string => {
  switch (outcome._tag) {
    case "Answered": {
      const optionId = outcome.content?.["optionId"]
      const chosen = typeof optionId === "string" ? `: ${Ansi.oneLine(optionId)}` : ""
      const by = outcome.by === undefined ? "" : answerers[outcome.by]
      return `${{ accept: "accepted", decline: "declined", cancel: "cancelled" }[outcome.action]}${chosen}${by}`
    }
    case "Withdrawn":
      return `withdrawn: ${Ansi.oneLine(outcome.reason)}`
    case "Expired":
      return "expired"
  }
}

/**
 * The run is over, and with it its tool calls; a turn's end is also that of whatever belongs to no run that is open. A call that it left
 * open still has its line to come, where lines are not rewritten.
 */
const endRun = (
  view: View,
  run: RunId | undefined,
  style: Style,
  paint: Ansi.Palette
): [View, ReadonlyArray<string>] => {
  const tools = new Map(view.tools)
  const runs = new Map(view.runs)
  const opened = view.runs.has(run ?? "")
  const open: Array<string> = []
  for (const [id, tool] of view.tools) {
    if (tool.run !== run && (opened || view.runs.has(tool.run ?? ""))) continue
    tools.delete(id)
    if (!style.live && !ended(tool)) open.push(toolLine(tool, paint))
  }
  if (run !== undefined) runs.delete(run)
  return [{ ...view, tools, runs }, open]
}

/**
 * The view after one more event, and what to write for it.
 *
 * @since 0.1.0
 */
export const step = (style: Style) => {
  const paint = Ansi.palette(style.color)
  const question = (message: string) => `${paint.cyan("?")} ${Ansi.oneLine(message)}`

  const within = (view: View, run: RunId, name: string, { event }: StoredEvent): Step | undefined => {
    switch (event.type) {
      case "TextChunk":
      case "ThoughtChunk":
        return aside(view, run, event.text, paint.dim)
      case "PlanUpdated":
      case "UsageUpdated":
        return [view, ""]
      case "RunEnded": {
        const [next, open] = endRun(view, run, style, paint)
        const last = `${paint.dim(`${margin}${name}`)} ${outcome(empty, event.outcome, paint)}`
        return line(next, [...open, last].join("\n"))
      }
      case "ElicitationRequested":
        return line(view, `${paint.dim(`${margin}${name}`)} ${question(event.elicitation.message)}`)
      case "ElicitationSettled":
        return line(view, paint.dim(`${margin}  ${settled(event.outcome)}`))
      default:
        return undefined
    }
  }

  return (view: View, stored: StoredEvent): Step => {
    const { event, runId } = stored
    const name = runId === undefined ? undefined : view.runs.get(runId)
    const elsewhere = runId === undefined || name === undefined ? undefined : within(view, runId, name, stored)
    if (elsewhere !== undefined) return elsewhere
    switch (event.type) {
      case "TextChunk":
        return flow(view, "text", event.text, (text) => text)
      case "ThoughtChunk":
        return flow(view, "thought", event.text, paint.dim)
      case "ContentChunk":
        return line(view, paint.dim(`[${event.content.type}]`))
      case "ProcessOutput":
      case "ShellOutput":
        return flow(view, "output", event.data, paint.dim)
      case "ToolCallStarted":
      case "ToolCallUpdated":
      case "ToolCallEnded":
        return onTool(view, event, runId, style, paint)
      case "PlanUpdated":
        return onPlan(view, event.entries, paint)
      case "UsageUpdated":
        return [{ ...view, usage: event }, ""]
      case "ModeChanged": {
        const next = { ...view, mode: event.modeId }
        // the mode that a session begins with is no change
        return view.mode === undefined || view.mode === event.modeId
          ? [next, ""]
          : line(next, paint.dim(`mode: ${Ansi.oneLine(event.modeId)}`))
      }
      case "Warning":
        return line(view, `${paint.yellow("!")} ${Ansi.oneLine(event.message)}`)
      case "RunStarted": {
        if (event.until !== undefined && runId !== undefined) {
          const name = Ansi.oneLine(event.agent ?? "sub-agent")
          const asked = firstLine(Content.toText(event.prompt))
          const next = { ...view, runs: new Map(view.runs).set(runId, name) }
          return line(next, paint.dim(`${margin}${name}${asked === "" ? "" : `: ${asked}`}`))
        }
        const next = { ...view, running: true }
        return style.prompts ? line(next, paint.bold(`› ${Ansi.oneLine(Content.toText(event.prompt))}`)) : [next, ""]
      }
      case "RunDropped":
        return line(view, `${paint.yellow("■")} prompt dropped: ${Ansi.oneLine(event.reason)}`)
      case "RunEnded": {
        const [next, open] = endRun(view, runId, style, paint)
        const lines = [...open, outcome(view, event.outcome, paint)]
        return line({ ...next, plan: [], running: false }, lines.join("\n"))
      }
      case "ElicitationRequested":
        return line(view, question(event.elicitation.message))
      case "ElicitationSettled":
        return line(view, paint.dim(`  ${settled(event.outcome)}`))
      case "AgentDisconnected":
        // the run that it takes along says why
        return view.running ? [view, ""] : line(view, paint.dim(`agent disconnected: ${Ansi.oneLine(event.reason)}`))
      case "AgentRestarting":
        return line(view, paint.dim(`restarting the agent: ${restarts[event.cause]}${count(event.requests)}`))
      case "AgentRestarted":
        return line(view, paint.dim("the agent is back"))
      case "AgentRestartFailed":
        return line(view, `${paint.red("✖")} the agent did not restart: ${Ansi.oneLine(event.error.message)}`)
      case "SessionClosed":
        return line(view, paint.dim(`session closed: ${Ansi.oneLine(event.reason)}`))
      default:
        return [view, ""]
    }
  }
}

/** Ends the cursor's line, for what someone else wants to write next. @since 0.1.0 */
export const settle = (view: View): Step => [{ ...view, line: "empty", bottom: [] }, fresh(view)]
