/** What an agent that remembers nothing is sent of a conversation from before: what the log still has of it. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Conversation from "../../../src/agent/agui/Conversation.js"
import * as History from "../../../src/agent/agui/History.js"
import * as Reader from "../../../src/agent/agui/Reader.js"
import type { SessionEvent } from "../../../src/domain/AgentEvent.js"
import * as Content from "../../../src/domain/Content.js"
import { RunId, SessionId } from "../../../src/domain/Ids.js"

const restored = (events: ReadonlyArray<SessionEvent>, first = 1) => {
  const conversation = Conversation.make({ maxCharacters: 100_000 })
  const reader = Reader.make(conversation)
  let run = 1
  const stored = events.map((event, index) => ({
    sessionId: SessionId.make("ses_1"),
    seq: first + index,
    at: "2026-01-01T00:00:00.000Z",
    runId: RunId.make(`run_${event.type === "RunEnded" ? run++ : run}`),
    event
  }))
  Effect.runSync(History.restore({ conversation, reader }, Stream.fromIterable(stored)))
  return { messages: conversation.toSend(), state: reader.state() }
}

const prompt: SessionEvent = { type: "RunStarted", prompt: [Content.text("read it")] }
const started: SessionEvent = {
  type: "ToolCallStarted",
  toolCallId: "call",
  title: "Read",
  kind: "read",
  status: "pending",
  rawInput: { file: "a" }
}
const result: SessionEvent = {
  type: "ToolCallEnded",
  toolCallId: "call",
  status: "completed",
  content: [{ type: "content", content: { type: "text", text: "hello" } }]
}
const said: SessionEvent = { type: "TextChunk", text: "it says hello", messageId: "m1" }
const over: SessionEvent = { type: "RunEnded", outcome: { _tag: "Completed", stopReason: "end_turn" } }
const roles = (events: ReadonlyArray<SessionEvent>, first?: number) =>
  restored(events, first).messages.map(({ role }) => role)

describe("the conversation from before", () => {
  it("is told as it was", () => {
    expect(roles([prompt, started, result, said, over])).toStrictEqual(["user", "assistant", "tool", "assistant"])
  })

  it("EL6 has no result whose call the log has forgotten: some agents fail with it, and for ever", () => {
    expect(roles([result, said, over], 3)).toStrictEqual(["assistant"])
  })

  it("EL6 has no state of which the log has only the changes: an agent would take it for the whole", () => {
    const change: SessionEvent = {
      type: "Extension",
      name: "agui.STATE_DELTA",
      payload: [{ op: "add", path: "/b", value: 1 }]
    }
    expect(restored([change, over], 3).state).toBeUndefined()
    expect(restored([change, over]).state).toStrictEqual({ b: 1 })
  })

  it("has no prompt of the run that is open: it is still to come", () => {
    expect(roles([prompt, said, over, { type: "RunStarted", prompt: [Content.text("next")] }])).toStrictEqual([
      "user",
      "assistant"
    ])
  })

  it("begins with a prompt, where a prompt is left at all", () => {
    const next: SessionEvent = { type: "RunStarted", prompt: [Content.text("again")] }
    expect(roles([said, over, next, { ...said, messageId: "m2" }, over], 3)).toStrictEqual([
      "assistant",
      "user",
      "assistant"
    ])
  })
})
