import { describe, expect } from "@effect/vitest"
import * as History from "../../../src/agent/loop/History.js"
import type { SessionEvent } from "../../../src/domain/AgentEvent.js"
import * as Content from "../../../src/domain/Content.js"
import { RunId, SessionId } from "../../../src/domain/Ids.js"
import type { StoredEvent } from "../../../src/domain/StoredEvent.js"
import { it, leakFreeFile } from "../../../src/testing/vitest.js"

leakFreeFile()

const stored = (run: string, ...events: ReadonlyArray<SessionEvent>) =>
  events.map((event, index): StoredEvent => ({
    seq: index + 1,
    sessionId: SessionId.make("ses_1"),
    runId: RunId.make(run),
    at: "2026-01-01T00:00:00.000Z",
    event
  }))

const begins: SessionEvent = { type: "RunStarted", prompt: [Content.text("go")] }
const steers = (text: string): SessionEvent => ({ type: "UserChunk", content: Content.text(text) })
const ends: SessionEvent = { type: "RunEnded", outcome: { _tag: "Cancelled" } }

describe("what an agent reads of its past", () => {
  it("takes no message that it was not told for one that is below the log's horizon", () => {
    const heard = History.heard([Content.text("of a turn that was forgotten")], false)
    const { unheard } = History.of([
      ...stored("run_2", begins, heard, ends),
      ...stored("run_3", begins, steers("softly"), ends)
    ])
    expect(unheard).toEqual([[Content.text("softly")]])
  })
})
