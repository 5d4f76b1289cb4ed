import type * as acp from "@agentclientprotocol/sdk"
import { describe, expect, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { leakFreeFile } from "holdfast/testing/vitest"
import { SessionEvent } from "../../../src/domain/AgentEvent.js"
import { RunId, SessionId } from "../../../src/domain/Ids.js"
import type { StoredEvent } from "../../../src/domain/StoredEvent.js"
import * as Terminal from "../../../src/gateway/acp/Terminal.js"
import * as Updates from "../../../src/gateway/acp/Updates.js"
import * as Fixture from "./fixture.js"

leakFreeFile()

const sessionId = SessionId.make("ses_1")
const runId = RunId.make("run_1")
const at = "2026-11-21T02:00:00.000Z"
const stored = (event: SessionEvent, seq = 1): StoredEvent => ({ seq, sessionId, runId, at, event })

/** All that is said of these events, told as one page. */
const told = (
  events: ReadonlyArray<SessionEvent | StoredEvent>,
  client: acp.ClientCapabilities = Fixture.everything,
  own = false
) => {
  const step = Updates.step(client)
  let view = Updates.empty
  const all: Array<Updates.Update> = []
  const say = ([next, updates]: Updates.Step) => {
    view = next
    all.push(...updates)
  }
  for (const each of events) {
    const event = "seq" in each ? each : stored(each)
    if (!Updates.isPiece(view, event)) say(Updates.flush(view))
    say(step(view, event, own))
  }
  say(Updates.flush(view))
  return { view, updates: JSON.parse(JSON.stringify(all)) as ReadonlyArray<Record<string, unknown>> }
}

const started = (fields: object = {}): SessionEvent =>
  ({ type: "ToolCallStarted", toolCallId: "c1", title: "Run", status: "pending", ...fields }) as SessionEvent
const output = (data: string, processId = "t1"): SessionEvent => ({
  type: "ProcessOutput",
  processId,
  stream: "merged",
  data
})
const terminal = { type: "terminal", terminalId: "t1" } as const
const text = (text: string) => ({ type: "content", content: { type: "text", text } })

describe("Updates", () => {
  it.scopedLive("whatever the log holds, the protocol's own client takes every update of it", () =>
    Effect.gen(function*() {
      const events = Arbitrary.make(Schema.typeSchema(SessionEvent)).filter((event) =>
        !/NaN|Infinity|__proto__/i.test(FastCheck.stringify(event)) &&
        // after which nothing comes, and questions, which are no updates
        !/^(SessionClosed|Elicitation)/.test(event.type)
      )
      // as the log gives it: what JSON leaves out is not there
      const samples = FastCheck.sample(events, { numRuns: 3000, seed: 11 }).map((event): SessionEvent =>
        JSON.parse(JSON.stringify(event))
      )
      const last: SessionEvent = { type: "TextChunk", text: "the end" }
      const log = [
        ...samples.map((event, index) => stored(event, index + 1)),
        // of no run: those of the samples may be any
        { seq: samples.length + 1, sessionId, at, event: last }
      ]
      const hosting = Fixture.ofEvents(log)
      for (const capabilities of [Fixture.everything, {}]) {
        const editor = yield* Fixture.connect(hosting, { capabilities })
        const loaded = yield* editor.load(sessionId)
        yield* Fixture.until("the end", () => loaded.said().endsWith("the end"))
        const sent = editor.lines.filter((line) => line.includes("\"method\":\"session/update\""))
        expect(sent.length).toBeGreaterThan(1500)
        // one that does not fit its schema is dropped by the client
        let next = 0
        const dropped = sent.map((line) => JSON.parse(line).params.update).filter((update: Updates.Update) => {
          if (editor.updates[next]?.update.sessionUpdate !== update.sessionUpdate) return true
          next += 1
          return false
        })
        expect([dropped.slice(0, 3), editor.updates.length]).toStrictEqual([[], sent.length])
      }
    }))

  describe("tool calls", () => {
    it("keep their fields, diffs and locations; kinds that the protocol does not have are other", () => {
      const diff = { type: "diff", path: "/a", oldText: null, newText: "b" } as const
      const { updates, view } = told([
        started({ kind: "edit", rawInput: { a: 1 }, locations: [{ path: "/a", line: 3 }] }),
        { type: "ToolCallUpdated", toolCallId: "c1", kind: "brew", content: [diff], status: "in_progress" },
        { type: "ToolCallEnded", toolCallId: "c1", status: "completed", rawOutput: "ok" }
      ])
      expect(updates).toStrictEqual([
        {
          sessionUpdate: "tool_call",
          toolCallId: "c1",
          title: "Run",
          status: "pending",
          kind: "edit",
          rawInput: { a: 1 },
          locations: [{ path: "/a", line: 3 }]
        },
        { sessionUpdate: "tool_call_update", toolCallId: "c1", kind: "other", content: [diff], status: "in_progress" },
        { sessionUpdate: "tool_call_update", toolCallId: "c1", status: "completed", rawOutput: "ok" }
      ])
      expect(view.calls.size).toBe(0)
    })

    it("one that was never announced is, and one that its run leaves open has failed with it", () => {
      const update: SessionEvent = { type: "ToolCallUpdated", toolCallId: "c1", title: "Do it", status: "pending" }
      const ended = (outcome: object): SessionEvent => ({ type: "RunEnded", outcome }) as SessionEvent
      const kinds = (...events: ReadonlyArray<SessionEvent>) =>
        told(events, Fixture.everything, true).updates.map(({ sessionUpdate, status }) =>
          `${String(sessionUpdate)} ${String(status)}`
        )
      expect(kinds(update, update)).toStrictEqual(["tool_call pending", "tool_call_update pending"])
      expect(kinds(update, ended({ _tag: "Cancelled" }))).toStrictEqual([
        "tool_call pending",
        "tool_call_update failed"
      ])
      expect(kinds(update, ended({ _tag: "Completed", stopReason: "end_turn" }))).toStrictEqual(["tool_call pending"])
    })

    it("a question about one comes with what is known of it", () => {
      const { view } = told([started({ kind: "execute", content: [terminal] }), output("hi\n")])
      expect(Updates.callOf(view, "c1")).toStrictEqual({
        toolCallId: "c1",
        title: "Run",
        status: "pending",
        kind: "execute",
        content: [text("```\nhi\n```")]
      })
      expect(Updates.callOf(view, "c2")).toStrictEqual({})
    })
  })

  describe("terminals", () => {
    it("output is shown as text where the terminal is, and many pieces of a page in one update", () => {
      const { updates } = told([
        output("before\n"),
        started({ content: [terminal] }),
        output("one "),
        output("two\r\n"),
        { type: "TextChunk", text: "hm" },
        output("three\n"),
        output("of another", "t2")
      ])
      expect(updates.map(({ content, sessionUpdate }) => [sessionUpdate, content])).toStrictEqual([
        ["tool_call", [text("```\nbefore\n```")]],
        ["tool_call_update", [text("```\nbefore\none two\n```")]],
        ["agent_message_chunk", { type: "text", text: "hm" }],
        ["tool_call_update", [text("```\nbefore\none two\nthree\n```")]]
      ])
    })

    it("a terminal's commands and marks of code are no part of the text around it", () => {
      const shown = Terminal.shown(Terminal.append(Terminal.none, "t", "\u001b[31mred\u001b[0m ````\n# no title"), "t")
      expect(shown).toBe("`````\nred ````\n# no title\n`````")
      expect(Terminal.shown(Terminal.none, "t")).toBe("```\n```")
    })

    it("of an endless output the end is kept, and of many terminals the last ones", () => {
      let terminals = Terminal.none
      for (let piece = 0; piece < 1000; piece++) terminals = Terminal.append(terminals, "t", `${"x".repeat(99)}\n`)
      expect(terminals.outputs.get("t")?.length).toBe(16 * 1024)
      for (let other = 0; other < 100; other++) terminals = Terminal.append(terminals, `t${other}`, "hi")
      expect([terminals.outputs.size, terminals.outputs.has("t"), terminals.outputs.has("t99")])
        .toStrictEqual([32, false, true])
    })
  })

  it("what Holdfast has to say is a notice, or a quoted line for who knows no notices", () => {
    const warning: SessionEvent = { type: "Warning", message: "careful", detail: "it is hot" }
    expect(told([warning]).updates).toStrictEqual([
      { sessionUpdate: "notice", severity: "warning", title: "careful", description: "it is hot" }
    ])
    expect(told([warning], {}).updates).toStrictEqual([{
      sessionUpdate: "agent_message_chunk",
      content: { type: "text", text: "\n\n> Holdfast: careful; it is hot\n\n" }
    }])
  })

  it("the prompt and the end of a run are told to those who have not asked for it", () => {
    const prompt: SessionEvent = { type: "RunStarted", prompt: [{ type: "text", text: "go" }] }
    const end: SessionEvent = { type: "RunEnded", outcome: { _tag: "Lost", reason: "the power went" } }
    expect(told([prompt, end]).updates).toStrictEqual([
      { sessionUpdate: "user_message_chunk", content: { type: "text", text: "go" }, messageId: runId },
      { sessionUpdate: "notice", severity: "error", title: "the run was lost: the power went" }
    ])
    expect(told([prompt, end], Fixture.everything, true).updates).toStrictEqual([])
  })

  it("options that are none in the protocol's eyes are left out, and one can be shown with another value", () => {
    const select = { type: "select", id: "m", name: "Model", currentValue: "a", options: [{ name: "A", value: "a" }] }
    const flag = { type: "boolean", id: "f", name: "Fast", currentValue: false }
    const { view } = told([{ type: "ConfigChanged", options: [select, flag, { id: "x" }, "y"] }])
    expect(Updates.beginning(Fixture.everything, view)).toStrictEqual({ configOptions: [select, flag] })
    expect(Updates.beginning({}, view)).toStrictEqual({ configOptions: [select] })
    expect(Updates.optionsWith(Fixture.everything, view, "f", true)).toStrictEqual([select, {
      ...flag,
      currentValue: true
    }])
    expect(Updates.optionsWith({}, view, "m", "b")).toStrictEqual([{ ...select, currentValue: "b" }])
  })

  describe("a run that the agent opened", () => {
    const child = RunId.make("run_2")
    const within = (event: SessionEvent): StoredEvent => ({ ...stored(event), runId: child })
    const opened = within({
      type: "RunStarted",
      prompt: [{ type: "text", text: "look it up\nplease" }],
      until: "parent",
      parentRunId: runId,
      agent: "librarian"
    })
    const say = (text: string): SessionEvent => ({ type: "TextChunk", text })

    it("is a call, whose output is what is said in it; the agent's own words stay whole", () => {
      const { updates, view } = told([
        say("on it"),
        opened,
        within(say("found ")),
        within({ type: "PlanUpdated", entries: [] }),
        within(say("it")),
        say("..."),
        within({ type: "RunEnded", outcome: { _tag: "Completed", stopReason: "end_turn" } })
      ])
      expect(updates).toEqual([
        { sessionUpdate: "agent_message_chunk", content: { type: "text", text: "on it" } },
        {
          sessionUpdate: "tool_call",
          toolCallId: child,
          title: "librarian: look it up",
          kind: "other",
          status: "in_progress"
        },
        { sessionUpdate: "tool_call_update", toolCallId: child, content: [text("```\nfound \n```")] },
        { sessionUpdate: "tool_call_update", toolCallId: child, content: [text("```\nfound it\n```")] },
        { sessionUpdate: "agent_message_chunk", content: { type: "text", text: "..." } },
        { sessionUpdate: "tool_call_update", toolCallId: child, status: "completed" }
      ])
      expect(view.calls.size).toBe(0)
    })

    it("that fails is a call that fails, and tells why", () => {
      const { updates, view } = told([
        opened,
        within(started()),
        within({ type: "RunEnded", outcome: { _tag: "Failed", error: { _tag: "AgentDied", message: "gone" } } })
      ])
      expect(updates.slice(2)).toEqual([
        {
          sessionUpdate: "tool_call_update",
          toolCallId: child,
          content: [text("```\n\nthe run failed: gone\n```")]
        },
        { sessionUpdate: "tool_call_update", toolCallId: "c1", status: "failed" },
        { sessionUpdate: "tool_call_update", toolCallId: child, status: "failed" }
      ])
      expect(view.calls.size).toBe(0)
    })
  })
})
