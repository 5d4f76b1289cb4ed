/** Histories as a log has them: numbered from 1, a millisecond apart. */
import type { SessionEvent } from "../../../src/domain/AgentEvent.js"
import { ElicitationId, RunId, SessionId } from "../../../src/domain/Ids.js"
import type { StoredEvent } from "../../../src/domain/StoredEvent.js"

const sessionId = SessionId.make("ses_test")
export const run = RunId.make("run_1")
export const question = ElicitationId.make("eli_1")

export type Said = SessionEvent | readonly [event: SessionEvent, runId: RunId]

export const history = (...said: ReadonlyArray<Said>): ReadonlyArray<StoredEvent> =>
  said.map((each, index) => {
    const [event, runId] = "type" in each ? [each, undefined] as const : each
    const at = new Date(Date.UTC(2026, 10, 21, 2) + index).toISOString()
    return { seq: index + 1, sessionId, at, event, ...runId === undefined ? {} : { runId } }
  })

export const opened: SessionEvent = { type: "SessionOpened", agent: "demo", cwd: "/project" }
export const connected: SessionEvent = { type: "AgentConnected", how: "opened" }
export const started: Said = [{ type: "RunStarted", prompt: [{ type: "text", text: "go" }] }, run]
export const ended: Said = [{ type: "RunEnded", outcome: { _tag: "Completed", stopReason: "end_turn" } }, run]
export const text = (text: string): Said => [{ type: "TextChunk", text }, run]
export const during = (event: SessionEvent): Said => [event, run]

export const permission: SessionEvent = {
  type: "ElicitationRequested",
  elicitation: {
    id: question,
    sessionId,
    runId: run,
    kind: "permission",
    message: "May I?",
    options: [{ optionId: "yes", name: "Yes, once", kind: "allow_once" }]
  }
}
