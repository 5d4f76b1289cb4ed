import { describe, expect, it } from "@effect/vitest"
import * as Ansi from "../../src/cli/Ansi.js"
import * as Renderer from "../../src/cli/Renderer.js"
import type { SessionEvent } from "../../src/domain/AgentEvent.js"
import { ElicitationId, RunId, SessionId } from "../../src/domain/Ids.js"
import type { StoredEvent } from "../../src/domain/StoredEvent.js"

const sessionId = SessionId.make("ses_a")
const runId = RunId.make("run_a")
const store = (event: SessionEvent, index: number): StoredEvent => ({
  seq: index + 1,
  sessionId,
  runId,
  at: "2026-11-21T02:00:00.000Z",
  event
})

const style = { live: false, color: false, rows: 24, prompts: false }

const render = (given: Partial<Renderer.Style>, ...events: ReadonlyArray<SessionEvent>): string => {
  const step = Renderer.step({ ...style, ...given })
  let view = Renderer.empty
  let all = ""
  for (const stored of events.map(store)) {
    const [next, text] = step(view, stored)
    view = next
    all += text
  }
  return all
}

/** The screen of a terminal that understands what `Ansi` writes: rows going up, erasing below, lines that are cut at the edge. */
const screen = (text: string, columns = 40): ReadonlyArray<string> => {
  const rows = [""]
  let row = 0
  let wrap = true
  // eslint-disable-next-line no-control-regex
  for (const [token] of text.matchAll(/\u001b\[[?\d]*[A-Za-z]|[^]/g)) {
    if (token === "\n") {
      row++
      rows[row] ??= ""
    } else if (token === "\r") continue
    else if (token === "\u001b[?7l") wrap = false
    else if (token === "\u001b[?7h") wrap = true
    else if (token === "\u001b[0J") rows.splice(row, rows.length, "")
    else if (token.endsWith("A") && token.length > 1) row -= Number(token.slice(2, -1))
    else if (token.startsWith("\u001b")) continue
    else if ((rows[row] ?? "").length < columns) rows[row] += token
    else if (wrap) {
      row++
      rows[row] = token
    }
  }
  return rows
}

const text = (text: string): SessionEvent => ({ type: "TextChunk", text })
const thought = (text: string): SessionEvent => ({ type: "ThoughtChunk", text })
const started = (toolCallId: string, title: string): SessionEvent => ({
  type: "ToolCallStarted",
  toolCallId,
  title,
  status: "pending"
})
const progress = (toolCallId: string, title?: string): SessionEvent => ({
  type: "ToolCallUpdated",
  toolCallId,
  status: "in_progress",
  ...(title === undefined ? {} : { title })
})
const ended = (toolCallId: string, status: "completed" | "failed" = "completed"): SessionEvent => ({
  type: "ToolCallEnded",
  toolCallId,
  status
})
const completed: SessionEvent = { type: "RunEnded", outcome: { _tag: "Completed", stopReason: "end_turn" } }

describe("Renderer", () => {
  it("text streams as it comes, and a thought stands on a line of its own", () => {
    expect(render({}, thought("hm"), thought("m"), text("Hel"), text("lo"), completed)).toBe(
      "hmm\nHello\n✔ completed\n"
    )
  })

  it("without colour there is no escape sequence, with colour thoughts are dimmed", () => {
    expect(render({}, thought("hm"), started("a", "read"), ended("a"), completed)).not.toContain("\u001b")
    expect(render({ color: true }, thought("hm"))).toBe("\u001b[2mhm\u001b[0m")
  })

  it("elsewhere than on a terminal a tool call is one line, written when it ends", () => {
    const events = [started("a", "read x"), progress("a"), text("meanwhile"), ended("a")]
    expect(render({}, ...events)).toBe("meanwhile\n✔ read x\n")
  })

  it("elsewhere than on a terminal a call that never ended is told when the run ends", () => {
    expect(render({}, started("a", "read x"), completed)).toBe("○ read x\n✔ completed\n")
  })

  it("on a terminal each tool call is one line that is rewritten in place", () => {
    const events = [
      started("a", "read"),
      started("b", "write"),
      progress("b", "write it"),
      ended("a"),
      ended("b", "failed")
    ]
    expect(screen(render({ live: true }, ...events))).toEqual(["✔ read", "✖ write it", ""])
    expect(screen(render({ live: true }, ...events.slice(0, 3)))).toEqual(["○ read", "◐ write it", ""])
  })

  it("a title that is wider than the terminal does not break the counting of rows", () => {
    const long = "漢".repeat(200)
    const rows = screen(render({ live: true }, started("a", long), started("b", "write"), ended("b"), ended("a")))
    expect(rows).toHaveLength(3)
    expect(rows[0]).toMatch(/^✔ 漢/)
    expect(rows[1]).toBe("✔ write")
  })

  it("a line above which something was written stays, and the end of its call gets a new one", () => {
    const events = [started("a", "read"), text("so far"), progress("a"), ended("a"), ended("a")]
    expect(screen(render({ live: true }, ...events))).toEqual(["○ read", "so far", "✔ read", ""])
  })

  it("no more lines are rewritten than the terminal has", () => {
    const ids = ["a", "b", "c", "d", "e", "f"]
    const out = render({ live: true, rows: 3 }, ...ids.map((id) => started(id, id)), ended("f"), ended("a"))
    // the end of `a`, whose line has scrolled out, is a new line
    expect(screen(out)).toEqual(["○ a", "○ b", "○ c", "○ d", "○ e", "✔ f", "✔ a", ""])
    // eslint-disable-next-line no-control-regex
    expect(Math.max(...[...out.matchAll(/\u001b\[(\d+)A/g)].map(([, up]) => Number(up)))).toBeLessThan(3)
  })

  it("a failed call says why, another one which file it is about", () => {
    const why: SessionEvent = {
      type: "ToolCallEnded",
      toolCallId: "a",
      status: "failed",
      content: [{ type: "content", content: { type: "text", text: "no such file\nat line 1" } }]
    }
    const where: SessionEvent = {
      type: "ToolCallEnded",
      toolCallId: "b",
      status: "completed",
      locations: [{ path: "/w/a.ts" }]
    }
    expect(render({}, started("a", "read"), why, started("b", "edit"), where)).toBe(
      "✖ read  no such file\n✔ edit  /w/a.ts\n"
    )
  })

  it("a plan costs a line for each step that moves", () => {
    const plan = (...status: ReadonlyArray<string>): SessionEvent => ({
      type: "PlanUpdated",
      entries: status.map((status, index) => ({ content: `step ${index}`, priority: "high", status }))
    })
    expect(
      render({}, plan("in_progress", "pending"), plan("completed", "in_progress"), plan("completed", "in_progress"))
    )
      .toBe("▸ step 0\n☐ step 1\n☑ step 0\n▸ step 1\n")
  })

  it("the end of a run tells the reason and what was used", () => {
    const usage: SessionEvent = {
      type: "UsageUpdated",
      used: 1234,
      size: 200_000,
      cost: { amount: 0.5, currency: "USD" }
    }
    expect(render({}, usage, { type: "RunEnded", outcome: { _tag: "Completed", stopReason: "max_tokens" } })).toBe(
      "✔ completed: max_tokens · 1,234 of 200,000 tokens · 0.5 USD\n"
    )
    const failed = { _tag: "Failed", error: { _tag: "AgentDied", message: "it died\nof old age" } } as const
    expect(render({}, { type: "RunEnded", outcome: failed })).toBe("✖ failed: it died of old age\n")
    expect(render({}, { type: "RunEnded", outcome: { _tag: "Lost", reason: "kill -9" } })).toBe("✖ lost: kill -9\n")
    expect(render({}, text("and"), { type: "RunEnded", outcome: { _tag: "Cancelled" } })).toBe("and\n■ cancelled\n")
  })

  it("an agent's death in a run is told once, by the run's end", () => {
    const gone: SessionEvent = { type: "AgentDisconnected", reason: "it died" }
    const start: SessionEvent = { type: "RunStarted", prompt: [{ type: "text", text: "hi" }] }
    expect(render({}, start, gone, completed, gone)).toBe("✔ completed\nagent disconnected: it died\n")
  })

  it("prompts are shown to those who did not type them", () => {
    const start: SessionEvent = { type: "RunStarted", prompt: [{ type: "text", text: "do\nthis" }] }
    expect(render({ prompts: true }, start)).toBe("› do this\n")
    expect(render({}, start)).toBe("")
  })

  it("the mode that a session begins with is no news", () => {
    const mode = (modeId: string): SessionEvent => ({ type: "ModeChanged", modeId })
    expect(render({}, mode("ask"), mode("ask"), mode("code"))).toBe("mode: code\n")
  })

  it("a question and its end are two lines where nobody is asked", () => {
    const id = ElicitationId.make("eli_a")
    const asked: SessionEvent = {
      type: "ElicitationRequested",
      elicitation: { id, sessionId, kind: "permission", message: "May I?", options: [] }
    }
    const answer = (outcome: Extract<SessionEvent, { type: "ElicitationSettled" }>["outcome"]): SessionEvent => ({
      type: "ElicitationSettled",
      elicitationId: id,
      outcome
    })
    const accepted = answer({ _tag: "Answered", action: "accept", content: { optionId: "yes" } })
    expect(render({}, asked, accepted)).toBe("? May I?\n  accepted: yes\n")
    expect(render({}, asked, answer({ _tag: "Withdrawn", reason: "late" }))).toBe("? May I?\n  withdrawn: late\n")
  })

  it("a run that the agent opened has its calls and questions behind its margin, and a turn's end is not theirs", () => {
    const child = RunId.make("run_child")
    const id = ElicitationId.make("eli_a")
    const within = (event: SessionEvent) => ({ ...store(event, 0), runId: child })
    const history = [
      store(started("own", "Own call"), 0),
      within({ type: "RunStarted", prompt: [], until: "session", parentRunId: runId, agent: "librarian" }),
      within(started("look", "Look it up")),
      within({
        type: "ElicitationRequested",
        elicitation: { id, sessionId, runId: child, kind: "permission", message: "May I?", options: [] }
      }),
      store(completed, 0),
      within({ type: "ElicitationSettled", elicitationId: id, outcome: { _tag: "Expired" } }),
      within({ type: "ToolCallEnded", toolCallId: "look", status: "completed" }),
      store(started("next", "Next turn's"), 0),
      within(started("again", "Look again")),
      within(completed),
      store({ type: "ToolCallEnded", toolCallId: "next", status: "completed" }, 0)
    ]
    const shown = (style: Renderer.Style) => {
      let view = Renderer.empty
      return history.map((stored) => {
        const [next, text] = Renderer.step(style)(view, stored)
        view = next
        return text
      }).join("")
    }
    expect(shown(style)).toBe([
      "┆ librarian",
      "┆ librarian ? May I?",
      "○ Own call",
      "✔ completed",
      "┆   expired",
      "┆ ✔ Look it up",
      "┆ ○ Look again",
      "┆ librarian ✔ completed",
      "✔ Next turn's",
      ""
    ].join("\n"))
    expect(shown({ ...style, live: true })).toContain("┆ ○ Look it up")
  })

  it("what is said in a run that the agent opened stands behind a margin, and its end is not the end", () => {
    const child = RunId.make("run_child")
    const step = Renderer.step(style)
    const within = (event: SessionEvent) => ({ ...store(event, 0), runId: child })
    const history = [
      store(text("on it"), 0),
      within({
        type: "RunStarted",
        prompt: [{ type: "text", text: "look it up\nplease" }],
        until: "parent",
        parentRunId: runId,
        agent: "librarian"
      }),
      within(text("found\nin ")),
      within(text("a book\n")),
      store(text("so it is"), 0),
      within({ type: "UsageUpdated", used: 1, size: 2 }),
      within(text("bye")),
      within(completed),
      store(completed, 0)
    ]
    let view = Renderer.empty
    let all = ""
    for (const stored of history) {
      const [next, text] = step(view, stored)
      view = next
      all += text
    }
    expect(all).toBe([
      "on it",
      "┆ librarian: look it up",
      "┆ found",
      "┆ in a book",
      "so it is",
      "┆ bye",
      "┆ librarian ✔ completed",
      "✔ completed",
      ""
    ].join("\n"))
  })

  it("what an agent says cannot command the terminal", () => {
    const evil = "a\u001b]52;c;ZXZpbA==\u0007b\u001b[2Jc\u009b1Ad\be\r\nf"
    expect(render({}, text(evil), started("a", evil), ended("a"))).toBe("abcde\nf\n✔ abcde f\n")
    expect(Ansi.oneLine("  a\n\tb\u001b[31m  c ")).toBe("a b c")
  })
})
