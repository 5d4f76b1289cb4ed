import type { AGUIEvent } from "@ag-ui/core"
import { describe, expect, it } from "@effect/vitest"
import { leakFreeFile } from "holdfast/testing/vitest"
import type { AgentEvent, SessionEvent } from "../../../src/domain/AgentEvent.js"
import * as Content from "../../../src/domain/Content.js"
import { ElicitationId, RunId } from "../../../src/domain/Ids.js"
import * as State from "../../../src/gateway/agui/State.js"
import * as Translator from "../../../src/gateway/agui/Translator.js"
import { log, session } from "./histories.js"

leakFreeFile()

const started: SessionEvent = { type: "RunStarted", prompt: [Content.text("go")] }
const completed: SessionEvent = { type: "RunEnded", outcome: { _tag: "Completed", stopReason: "end_turn" } }
const failed: SessionEvent = {
  type: "RunEnded",
  outcome: { _tag: "Failed", error: { _tag: "AgentDied", message: "x" } }
}

/** The AG-UI events of these events, without what is undefined. */
const translate = (events: Parameters<typeof log>[0], from = State.initial(session)) => {
  let state = from
  const told: Array<AGUIEvent> = []
  let ended: Translator.Step["ended"]
  for (const stored of log(events)) {
    const step = Translator.step(state, { ...stored, seq: from.seq + stored.seq })
    state = step.state
    ended = step.ended ?? ended
    for (const event of step.events) told.push(event)
  }
  return { state, told: JSON.parse(JSON.stringify(told)), ended }
}

/** Within a turn whose beginning is event 1. */
const inTurn = (...events: ReadonlyArray<SessionEvent>) =>
  translate([[started, "run_1"], ...events.map((event) => [event, "run_1"] as const)])

const text = (text: string, messageId?: string): AgentEvent => ({
  type: "TextChunk",
  text,
  ...(messageId === undefined ? {} : { messageId })
})
const id = (seq: number, part = "") => `ses_test:${seq}${part}`
const tagged = (run: string) => ({ subagentRunId: run })

describe("messages", () => {
  it("chunks of one message are one message, named by where it began", () => {
    expect(inTurn(text("a"), text("b")).told).toEqual([
      { type: "TEXT_MESSAGE_START", messageId: id(2), role: "assistant" },
      { type: "TEXT_MESSAGE_CONTENT", messageId: id(2), delta: "a" },
      { type: "TEXT_MESSAGE_CONTENT", messageId: id(2), delta: "b" }
    ])
  })

  it("another kind, another name or a tool call ends it", () => {
    const { told } = inTurn(
      text("a", "one"),
      text("b", "two"),
      { type: "ThoughtChunk", text: "c" },
      { type: "UserChunk", content: Content.text("d") },
      { type: "ToolCallStarted", toolCallId: "t", title: "t", status: "pending" }
    )
    expect(told.map(({ messageId, role, type }: Record<string, string>) => [type, messageId, role])).toEqual([
      ["TEXT_MESSAGE_START", id(2), "assistant"],
      ["TEXT_MESSAGE_CONTENT", id(2), undefined],
      ["TEXT_MESSAGE_END", id(2), undefined],
      ["TEXT_MESSAGE_START", id(3), "assistant"],
      ["TEXT_MESSAGE_CONTENT", id(3), undefined],
      ["TEXT_MESSAGE_END", id(3), undefined],
      ["REASONING_START", id(4), undefined],
      ["REASONING_MESSAGE_START", id(4), "reasoning"],
      ["REASONING_MESSAGE_CONTENT", id(4), undefined],
      ["REASONING_MESSAGE_END", id(4), undefined],
      ["REASONING_END", id(4), undefined],
      ["TEXT_MESSAGE_START", id(5), "user"],
      ["TEXT_MESSAGE_CONTENT", id(5), undefined],
      ["TEXT_MESSAGE_END", id(5), undefined],
      ["TOOL_CALL_START", undefined, undefined]
    ])
  })

  it("what is said after a question is another message", () => {
    const { told } = inTurn(
      text("a"),
      {
        type: "ElicitationRequested",
        elicitation: { id: ElicitationId.make("eli_1"), sessionId: session, kind: "confirmation", message: "?" }
      },
      text("b")
    )
    expect(told.map(({ messageId, type }: Record<string, string>) => [type, messageId])).toEqual([
      ["TEXT_MESSAGE_START", id(2)],
      ["TEXT_MESSAGE_CONTENT", id(2)],
      ["TEXT_MESSAGE_END", id(2)],
      ["TEXT_MESSAGE_START", id(4)],
      ["TEXT_MESSAGE_CONTENT", id(4)]
    ])
  })

  it("what is not text stands in its place as an activity", () => {
    const content = { type: "image", data: "AA==", mimeType: "image/png" } as const
    expect(inTurn({ type: "ContentChunk", role: "agent", content }).told).toEqual([{
      type: "ACTIVITY_SNAPSHOT",
      messageId: id(2),
      activityType: "holdfast.content",
      content: { role: "agent", content }
    }])
  })
})

describe("tool calls", () => {
  const call = (event: Partial<Extract<AgentEvent, { type: "ToolCallStarted" }>>): AgentEvent => ({
    type: "ToolCallStarted",
    toolCallId: "t",
    title: "Run it",
    kind: "execute",
    status: "pending",
    ...event
  })
  const end = (event: Partial<Extract<AgentEvent, { type: "ToolCallEnded" }>> = {}): AgentEvent => ({
    type: "ToolCallEnded",
    toolCallId: "t",
    status: "completed",
    ...event
  })
  const content = (text: string) => [{ type: "content", content: Content.text(text) } as const]

  it("with its input, and its result as text", () => {
    const { told } = inTurn(call({ rawInput: { command: "ls" } }), end({ content: content("a file") }))
    expect(told).toEqual([
      {
        type: "TOOL_CALL_START",
        toolCallId: id(2),
        toolCallName: "execute",
        metadata: { holdfast: { toolCallId: "t", title: "Run it", kind: "execute" } }
      },
      { type: "TOOL_CALL_ARGS", toolCallId: id(2), delta: "{\"command\":\"ls\"}" },
      { type: "TOOL_CALL_END", toolCallId: id(2) },
      {
        type: "TOOL_CALL_RESULT",
        messageId: id(2, ":result"),
        toolCallId: id(2),
        content: "a file",
        role: "tool",
        metadata: { holdfast: { status: "completed" } }
      }
    ])
  })

  it("its name is the tool's, or else its kind", () => {
    expect(inTurn(call({ name: "bash" })).told[0].toolCallName).toBe("bash")
    const { told } = inTurn({ type: "ToolCallStarted", toolCallId: "t", title: "Run it", status: "pending" })
    expect(told[0].toolCallName).toBe("Run it")
  })

  it("stays open until its input is known", () => {
    const open = inTurn(call({ rawInput: {} }))
    expect(open.told.map(({ type }: AGUIEvent) => type)).toEqual(["TOOL_CALL_START"])
    expect(Translator.open(open.state)).toMatchObject([{ type: "TOOL_CALL_START", toolCallId: id(2) }])
    expect(Translator.close(open.state)).toMatchObject([{ type: "TOOL_CALL_END", toolCallId: id(2) }])
    const { told } = inTurn(call({ rawInput: {} }), {
      type: "ToolCallUpdated",
      toolCallId: "t",
      rawInput: { command: "ls" }
    })
    expect(told.slice(1)).toMatchObject([
      { type: "TOOL_CALL_ARGS", delta: "{\"command\":\"ls\"}" },
      { type: "TOOL_CALL_END" }
    ])
  })

  it("another input than the one that was told is shown beside it", () => {
    const { told } = inTurn(call({ rawInput: 1 }), { type: "ToolCallUpdated", toolCallId: "t", rawInput: 2 })
    expect(told.slice(3)).toMatchObject([{ type: "ACTIVITY_SNAPSHOT", content: { rawInput: 2 } }])
  })

  it("one that had no input has an empty object", () => {
    expect(inTurn(call({}), end({ rawOutput: { exitCode: 0 } })).told.slice(1)).toMatchObject([
      { type: "TOOL_CALL_ARGS", delta: "{}" },
      { type: "TOOL_CALL_END" },
      { type: "TOOL_CALL_RESULT", content: "{\"exitCode\":0}" }
    ])
  })

  it("its progress, and what is no text, are an activity beside it", () => {
    const diff = [{ type: "diff", path: "/a", oldText: null, newText: "b" } as const]
    const { told } = inTurn(
      call({ rawInput: { a: 1 } }),
      { type: "ToolCallUpdated", toolCallId: "t", status: "in_progress", content: diff },
      end({ status: "failed" })
    )
    expect(told.slice(3)).toEqual([
      {
        type: "ACTIVITY_SNAPSHOT",
        messageId: id(2, ":progress"),
        activityType: "holdfast.tool_call",
        content: {
          toolCallId: id(2),
          name: "execute",
          title: "Run it",
          status: "in_progress",
          content: [{ type: "diff", path: "/a", oldText: null, newText: "b" }]
        }
      },
      {
        type: "ACTIVITY_DELTA",
        messageId: id(2, ":progress"),
        activityType: "holdfast.tool_call",
        patch: [{ op: "add", path: "/status", value: "failed" }]
      },
      {
        type: "TOOL_CALL_RESULT",
        messageId: id(2, ":result"),
        toolCallId: id(2),
        content: "changed /a",
        role: "tool",
        metadata: { holdfast: { status: "failed" } }
      }
    ])
  })

  it("a result with an image has parts", () => {
    const image = { type: "image", data: "AA==", mimeType: "image/png" } as const
    const { told } = inTurn(call({ rawInput: 1 }), end({ content: [{ type: "content", content: image }] }))
    expect(told.at(-1).content).toEqual([
      { type: "image", source: { type: "data", value: "AA==", mimeType: "image/png" } }
    ])
  })

  it("several run side by side, and an id that an agent uses again is another call", () => {
    const { told } = inTurn(
      call({ rawInput: 1 }),
      call({ toolCallId: "u", rawInput: 2 }),
      end({ rawOutput: "one" }),
      call({ rawInput: 3 }),
      end({ rawOutput: "three" }),
      end({ toolCallId: "u", rawOutput: "two" })
    )
    expect(
      told.filter(({ type }: AGUIEvent) => type === "TOOL_CALL_RESULT").map((
        { content, toolCallId }: Record<string, string>
      ) => [toolCallId, content])
    ).toEqual([[id(2), "one"], [id(5), "three"], [id(3), "two"]])
  })

  it("one without a result when the turn ends is told so: a client would take it for one that it has to make", () => {
    const { told } = inTurn(call({}), completed)
    expect(told.slice(1)).toMatchObject([
      { type: "TOOL_CALL_ARGS" },
      { type: "TOOL_CALL_END" },
      { type: "TOOL_CALL_RESULT", metadata: { holdfast: { status: "abandoned" } } }
    ])
  })

  it("what is heard of one that is over is told as it is", () => {
    const { told } = inTurn(call({ rawInput: 1 }), end(), { type: "ToolCallUpdated", toolCallId: "t", title: "late" })
    expect(told.at(-1)).toEqual({
      type: "CUSTOM",
      name: "holdfast.ToolCallUpdated",
      value: { type: "ToolCallUpdated", toolCallId: "t", title: "late" }
    })
  })
})

describe("what is true of the session", () => {
  it.each<[SessionEvent, string, unknown]>([
    [{ type: "PlanUpdated", entries: [{ content: "a", priority: "low", status: "pending" }] }, "plan", [{
      content: "a",
      priority: "low",
      status: "pending"
    }]],
    [{ type: "UsageUpdated", used: 1, size: 2 }, "usage", { used: 1, size: 2, cost: null }],
    [{ type: "ConfigChanged", options: [{ id: "a" }] }, "config", [{ id: "a" }]],
    [{ type: "CommandsChanged", commands: [{ name: "a", description: "b" }] }, "commands", [{
      name: "a",
      description: "b"
    }]],
    [{ type: "TitleChanged", title: "a" }, "title", "a"],
    [{ type: "GitStatusChanged", status: { branch: "main" } }, "git", { branch: "main" }],
    [{ type: "AgentRestarting", cause: "failed" }, "connection", { status: "restarting", cause: "failed" }],
    [{ type: "AgentRestarted" }, "connection", { status: "connected" }],
    [{ type: "AgentRestartFailed", error: { _tag: "A", message: "b" } }, "connection", {
      status: "failed",
      error: { _tag: "A", message: "b" }
    }],
    [{ type: "AgentDisconnected", reason: "gone" }, "connection", { status: "disconnected", reason: "gone" }],
    [{ type: "SessionClosed", reason: "requested" }, "closed", "requested"]
  ])("%o is a change of the state document", (event, field, value) => {
    const { state, told } = translate([[event]])
    expect(told).toEqual([{ type: "STATE_DELTA", delta: [{ op: "add", path: `/holdfast/${field}`, value }] }])
    expect(JSON.parse(JSON.stringify(state.document[field]))).toEqual(value)
  })

  it("the modes are told once, and kept", () => {
    const available = [{ id: "a", name: "A" }, { id: "b", name: "B" }]
    const { state } = translate([
      [{ type: "ModeChanged", modeId: "a", available }],
      [{ type: "ModeChanged", modeId: "b" }]
    ])
    expect(state.document["mode"]).toEqual({ modeId: "b", available })
  })
})

describe("output", () => {
  it("of a process is an activity that grows", () => {
    const { told } = inTurn(
      { type: "ProcessStatus", processId: "p", status: "running", command: "ls" },
      { type: "ProcessOutput", processId: "p", stream: "stdout", data: "a" },
      { type: "ProcessStatus", processId: "p", status: "exited", exitCode: 0 }
    )
    const of = { messageId: "ses_test:process:p", activityType: "holdfast.process" }
    expect(told).toEqual([
      {
        ...of,
        type: "ACTIVITY_SNAPSHOT",
        content: { processId: "p", status: "running", command: "ls", output: [] }
      },
      {
        ...of,
        type: "ACTIVITY_DELTA",
        patch: [{ op: "add", path: "/output/-", value: { stream: "stdout", data: "a" } }]
      },
      {
        ...of,
        type: "ACTIVITY_DELTA",
        patch: [
          { op: "add", path: "/processId", value: "p" },
          { op: "add", path: "/status", value: "exited" },
          { op: "add", path: "/exitCode", value: 0 }
        ]
      }
    ])
  })

  it("of the shell, too", () => {
    const { told } = inTurn({ type: "ShellOutput", data: "a" }, { type: "ShellOutput", data: "b" })
    expect(told).toMatchObject([
      { type: "ACTIVITY_SNAPSHOT", activityType: "holdfast.shell", content: { output: ["a"] } },
      { type: "ACTIVITY_DELTA", patch: [{ path: "/output/-", value: "b" }] }
    ])
  })
})

describe("what AG-UI has no word for", () => {
  it.each<SessionEvent>([
    { type: "Warning", message: "a" },
    { type: "FilesChanged", changes: [{ path: "a", kind: "created" }] },
    { type: "ContextCompacted", summary: "a", used: 9, size: 10 },
    { type: "DecisionRevoked", subject: "a" },
    { type: "ElicitationSettled", elicitationId: ElicitationId.make("eli_1"), outcome: { _tag: "Expired" } }
  ])("%o is CUSTOM", (event) => {
    expect(inTurn(event).told).toEqual([{ type: "CUSTOM", name: `holdfast.${event.type}`, value: event }])
  })

  it("an agent's own extension is RAW", () => {
    expect(inTurn({ type: "Extension", name: "acp.x", payload: { a: 1 } }).told).toEqual([
      { type: "RAW", event: { a: 1 }, source: "acp.x" }
    ])
    expect(inTurn({ type: "Extension", name: "acp.x", payload: undefined }).told[0].event).toBeNull()
  })

  it("a kind of event that only a newer version knows is CUSTOM", () => {
    const { events, state } = Translator.unknown(State.initial(session), 7, "Novelty", { type: "Novelty", a: 1 })
    expect(events).toEqual([{ type: "CUSTOM", name: "holdfast.Novelty", value: { type: "Novelty", a: 1 } }])
    expect(state.seq).toBe(7)
  })
})

describe("runs within the turn", () => {
  const within = translate([
    [started, "run_1"],
    [text("a"), "run_1"],
    [{ type: "RunStarted", prompt: [Content.text("look it up")] }, "run_2"],
    [text("b"), "run_2"],
    [text("c"), "run_1"],
    [text("d"), "run_2"]
  ])

  it("are subagents, whose events say so, and speak side by side with the turn", () => {
    expect(within.told).toEqual([
      { type: "TEXT_MESSAGE_START", messageId: id(2), role: "assistant" },
      { type: "TEXT_MESSAGE_CONTENT", messageId: id(2), delta: "a" },
      { type: "SUBAGENT_STARTED", subagentRunId: "run_2", name: "subagent", description: "look it up" },
      { type: "TEXT_MESSAGE_START", messageId: id(4), role: "assistant", ...tagged("run_2") },
      { type: "TEXT_MESSAGE_CONTENT", messageId: id(4), delta: "b", ...tagged("run_2") },
      { type: "TEXT_MESSAGE_CONTENT", messageId: id(2), delta: "c" },
      { type: "TEXT_MESSAGE_CONTENT", messageId: id(4), delta: "d", ...tagged("run_2") }
    ])
  })

  it.each<[string, SessionEvent, Record<string, unknown>]>([
    ["completed", completed, { type: "SUBAGENT_FINISHED" }],
    ["failed", failed, { type: "SUBAGENT_ERROR", message: "x", code: "AgentDied" }],
    [
      "cancelled",
      { type: "RunEnded", outcome: { _tag: "Cancelled" } },
      { type: "SUBAGENT_ERROR", message: "it was cancelled", code: "Cancelled" }
    ],
    [
      "lost",
      { type: "RunEnded", outcome: { _tag: "Lost", reason: "y" } },
      { type: "SUBAGENT_ERROR", message: "y", code: "Lost" }
    ]
  ])("end as they end: %s", (_, event, end) => {
    const { ended, told } = translate([[event, "run_2"]], within.state)
    expect(told).toEqual([
      { type: "TEXT_MESSAGE_END", messageId: id(4), ...tagged("run_2") },
      { ...end, ...tagged("run_2") }
    ])
    expect(ended?.runId).toBe("run_2")
  })

  it("are suspended for a reader who leaves, and begin again for one who joins", () => {
    const question: SessionEvent = {
      type: "ElicitationRequested",
      elicitation: {
        id: ElicitationId.make("eli_1"),
        sessionId: session,
        runId: RunId.make("run_2"),
        kind: "confirmation",
        message: "?"
      }
    }
    const { state } = translate([[question, "run_2"]], within.state)
    expect(Translator.close(state)).toEqual([
      { type: "TEXT_MESSAGE_END", messageId: id(2) },
      {
        type: "SUBAGENT_FINISHED",
        subagentRunId: "run_2",
        outcome: { type: "suspended", interruptIds: ["eli_1@7"] }
      }
    ])
    expect(Translator.open(state)).toEqual([
      { type: "SUBAGENT_STARTED", subagentRunId: "run_2", name: "subagent", description: "look it up" },
      { type: "TEXT_MESSAGE_START", messageId: id(2), role: "assistant" }
    ])
  })
})

describe("a log whose beginning is trimmed", () => {
  it("tells which turn is open by what belongs to it", () => {
    const { state } = translate([[text("a"), "run_1"]], State.initial(session, 100))
    expect(state.turn).toEqual({ _tag: "Open", runId: "run_1", whole: false })
  })

  it("an end without a beginning is the end", () => {
    const { ended, state } = translate([[completed, "run_1"]], State.initial(session, 100))
    expect(state.turn._tag).toBe("None")
    expect(ended?.runId).toBe("run_1")
  })
})
