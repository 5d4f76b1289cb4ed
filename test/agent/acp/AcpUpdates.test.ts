import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as AcpUpdates from "../../../src/agent/acp/AcpUpdates.js"
import { AgentEvent } from "../../../src/domain/AgentEvent.js"

leakFreeFile()

const image = { type: "image", data: "aGk=", mimeType: "image/png" }
const diff = { type: "diff", path: "/a", oldText: null, newText: "b" }

/** One line for each form that an update can have: what is said, and what is recorded. */
const cases: ReadonlyArray<readonly [name: string, update: unknown, events: ReadonlyArray<unknown>]> = [
  [
    "a text",
    { sessionUpdate: "agent_message_chunk", content: { type: "text", text: "a", _meta: {} }, messageId: "m" },
    [
      { type: "TextChunk", text: "a", messageId: "m" }
    ]
  ],
  ["a text without a message id", {
    sessionUpdate: "agent_message_chunk",
    content: { type: "text", text: "" },
    messageId: null
  }, [
    { type: "TextChunk", text: "" }
  ]],
  ["a thought", { sessionUpdate: "agent_thought_chunk", content: { type: "text", text: "a" } }, [{
    type: "ThoughtChunk",
    text: "a"
  }]],
  ["an image", { sessionUpdate: "agent_message_chunk", content: image }, [{
    type: "ContentChunk",
    role: "agent",
    content: image
  }]],
  ["a thought that is no text", { sessionUpdate: "agent_thought_chunk", content: image }, [
    { type: "ContentChunk", role: "thought", content: image }
  ]],
  ["a user's text", { sessionUpdate: "user_message_chunk", content: { type: "text", text: "a" } }, [
    { type: "UserChunk", content: { type: "text", text: "a" } }
  ]],
  ["a tool call", {
    sessionUpdate: "tool_call",
    toolCallId: "1",
    title: "Read",
    name: null,
    kind: "read",
    content: [diff, { type: "terminal", terminalId: "t" }],
    locations: [{ path: "/a", line: 3 }],
    rawInput: { a: null },
    _meta: { b: 1 }
  }, [{
    type: "ToolCallStarted",
    toolCallId: "1",
    title: "Read",
    kind: "read",
    status: "pending",
    content: [diff, { type: "terminal", terminalId: "t" }],
    locations: [{ path: "/a", line: 3 }],
    rawInput: { a: null }
  }]],
  [
    "a tool call that is over at once",
    { sessionUpdate: "tool_call", toolCallId: "1", title: "Read", status: "failed" },
    [
      { type: "ToolCallStarted", toolCallId: "1", title: "Read", status: "failed" },
      { type: "ToolCallEnded", toolCallId: "1", status: "failed" }
    ]
  ],
  ["a tool call with parts that are not understood", {
    sessionUpdate: "tool_call",
    toolCallId: "1",
    title: "Read",
    status: "paused",
    content: [{ type: "hologram" }, diff],
    locations: "everywhere"
  }, [{ type: "ToolCallStarted", toolCallId: "1", title: "Read", status: "pending", content: [diff] }]],
  ["progress", { sessionUpdate: "tool_call_update", toolCallId: "1", status: "in_progress", title: null }, [
    { type: "ToolCallUpdated", toolCallId: "1", status: "in_progress" }
  ]],
  ["a tool call's end", { sessionUpdate: "tool_call_update", toolCallId: "1", status: "completed", rawOutput: 1 }, [
    { type: "ToolCallEnded", toolCallId: "1", status: "completed", rawOutput: 1 }
  ]],
  ["a plan", { sessionUpdate: "plan", entries: [{ content: "a", priority: "high", status: "pending", _meta: {} }] }, [
    { type: "PlanUpdated", entries: [{ content: "a", priority: "high", status: "pending" }] }
  ]],
  ["commands", {
    sessionUpdate: "available_commands_update",
    availableCommands: [{ name: "a", description: "A", input: { hint: "what" } }, {
      name: "b",
      description: "B",
      input: null
    }]
  }, [{
    type: "CommandsChanged",
    commands: [{ name: "a", description: "A", hint: "what" }, { name: "b", description: "B" }]
  }]],
  ["a mode", { sessionUpdate: "current_mode_update", currentModeId: "ask" }, [{ type: "ModeChanged", modeId: "ask" }]],
  ["options", { sessionUpdate: "config_option_update", configOptions: [{ id: "a" }] }, [
    { type: "ConfigChanged", options: [{ id: "a" }] }
  ]],
  ["a title", { sessionUpdate: "session_info_update", title: "T", updatedAt: null }, [{
    type: "TitleChanged",
    title: "T"
  }]],
  ["a title and more", { sessionUpdate: "session_info_update", title: "T", updatedAt: "now" }, [
    { type: "TitleChanged", title: "T" },
    { type: "Extension", name: "session_info_update", payload: { updatedAt: "now" } }
  ]],
  ["usage", { sessionUpdate: "usage_update", used: 1, size: 2, cost: { amount: 0.5, currency: "USD" } }, [
    { type: "UsageUpdated", used: 1, size: 2, cost: { amount: 0.5, currency: "USD" } }
  ]],
  ["usage without a cost", { sessionUpdate: "usage_update", used: 1, size: 2, cost: null }, [{
    type: "UsageUpdated",
    used: 1,
    size: 2
  }]],
  ["a notice", { sessionUpdate: "notice", severity: "warning", title: "Slow", description: "Very" }, [
    { type: "Warning", message: "warning: Slow", detail: "Very" }
  ]],
  ["a notice that is for information", { sessionUpdate: "notice", severity: "info", title: "Slow" }, [
    { type: "Warning", message: "Slow" }
  ]],
  ["a compaction", { sessionUpdate: "compaction_update", compactionId: "c", status: "completed" }, [
    {
      type: "Extension",
      name: "compaction_update",
      payload: { sessionUpdate: "compaction_update", compactionId: "c", status: "completed" }
    }
  ]],
  ["a variant of tomorrow", { sessionUpdate: "toString", a: 1, _meta: {} }, [
    { type: "Extension", name: "toString", payload: { sessionUpdate: "toString", a: 1 } }
  ]],
  ["a known variant without its form", { sessionUpdate: "tool_call", title: "no id" }, [
    { type: "Extension", name: "tool_call", payload: { sessionUpdate: "tool_call", title: "no id" } }
  ]],
  ["a text that is none", { sessionUpdate: "agent_message_chunk", content: { type: "text", text: 3 } }, [
    {
      type: "Extension",
      name: "agent_message_chunk",
      payload: { sessionUpdate: "agent_message_chunk", content: { type: "text", text: 3 } }
    }
  ]],
  ["nothing", undefined, [{ type: "Extension", name: "session/update", payload: null }]],
  ["a list", [], [{ type: "Extension", name: "session/update", payload: [] }]]
]

describe("AcpUpdates", () => {
  const encode = Schema.encodeUnknownSync(AgentEvent)

  it.each(cases)("%s becomes an event that can be stored", (_, update, expected) => {
    const events = AcpUpdates.toEvents(update)
    assert.deepStrictEqual(events, expected)
    for (const event of events) encode(event)
  })

  it("a session begins with its modes and options, where it has them", () => {
    assert.deepStrictEqual(AcpUpdates.ofSession({}), [])
    assert.deepStrictEqual(
      AcpUpdates.ofSession({
        modes: { currentModeId: "a", availableModes: [{ id: "a", name: "A", description: null }] },
        configOptions: [{ id: "x" }]
      }),
      [
        { type: "ModeChanged", modeId: "a", available: [{ id: "a", name: "A" }] },
        { type: "ConfigChanged", options: [{ id: "x" }] }
      ]
    )
  })
})
