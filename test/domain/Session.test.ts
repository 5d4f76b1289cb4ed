import { describe, expect, it } from "@effect/vitest"
import type { SessionEvent } from "../../src/domain/AgentEvent.js"
import type { Elicitation } from "../../src/domain/Elicitation.js"
import { ElicitationId, RunId, SessionId } from "../../src/domain/Ids.js"
import * as Session from "../../src/domain/Session.js"

const id = SessionId.make("ses_1")
const runId = RunId.make("run_1")
const later = RunId.make("run_2")
const elicitation: Elicitation = {
  id: ElicitationId.make("eli_1"),
  sessionId: id,
  kind: "confirmation",
  message: "Go?"
}

const fold = (drafts: ReadonlyArray<SessionEvent | readonly [SessionEvent, RunId]>, from = Session.initial(id)) =>
  drafts.reduce((state, draft) => {
    const [event, runId] = "type" in draft ? [draft, undefined] as const : draft
    const seq = state.head + 1
    return Session.step(state, { seq, sessionId: id, at: `t${seq}`, event, ...(runId === undefined ? {} : { runId }) })
  }, from)

const opened: SessionEvent = { type: "SessionOpened", agent: "demo", cwd: "/tmp" }
const connected: SessionEvent = { type: "AgentConnected", how: "opened", agentSessionId: "a1" }
const started = [{ type: "RunStarted", prompt: [], idempotencyKey: "k" }, runId] as const
const asked = [{ type: "ElicitationRequested", elicitation }, runId] as const
const settled = [
  { type: "ElicitationSettled", elicitationId: elicitation.id, outcome: { _tag: "Expired" } },
  runId
] as const
const ended = [{ type: "RunEnded", outcome: { _tag: "Cancelled" } }, runId] as const
const queued = [{ type: "RunQueued", prompt: [] }, later] as const

describe("Session", () => {
  it("the status is the fold of the events", () => {
    const steps: ReadonlyArray<readonly [SessionEvent | readonly [SessionEvent, RunId], Session.SessionStatus]> = [
      [opened, "starting"],
      [connected, "idle"],
      [started, "running"],
      [{ type: "TextChunk", text: "hi" }, "running"],
      [asked, "waiting"],
      [settled, "running"],
      [ended, "idle"],
      [{ type: "AgentRestarting", cause: "requested" }, "restarting"],
      [{ type: "AgentDisconnected", reason: "restart" }, "restarting"],
      [connected, "restarting"],
      [{ type: "AgentRestarted" }, "idle"],
      [{ type: "AgentDisconnected", reason: "it died" }, "idle"],
      [{ type: "SessionClosed", reason: "requested" }, "closed"]
    ]
    let state = Session.initial(id)
    for (const [event, status] of steps) {
      state = fold([event], state)
      expect([state.head, Session.toSession(state).status]).toStrictEqual([state.head, status])
    }
    expect(state.head).toBe(steps.length)
  })

  it("an agent that never came up leaves the session failed, and one that does come up heals it", () => {
    const failed = fold([opened, { type: "AgentDisconnected", reason: "no such command" }])
    expect(Session.status(failed)).toBe("failed")
    expect(Session.status(fold([connected], failed))).toBe("idle")
  })

  it("remembers the agent's own name, the title, and the run of an idempotency key", () => {
    const state = fold([opened, connected, { type: "TitleChanged", title: "Tea" }, started])
    expect(state).toMatchObject({ agentSessionId: "a1", title: "Tea", accepted: [{ key: "k", runId, seq: 4 }] })
  })

  it("EL5 what a crash left open is ended in order, and a session left in order needs nothing", () => {
    const open = fold([opened, connected, started, queued, asked])
    const drafts = Session.recovery(open, "crash")
    expect(drafts.map(({ event, runId }) => [event.type, runId])).toStrictEqual([
      ["ElicitationSettled", runId],
      ["AgentDisconnected", undefined],
      ["RunEnded", runId],
      ["RunDropped", later]
    ])
    const recovered = fold(
      drafts.map(({ event, runId }) => runId === undefined ? event : [event, runId] as const),
      open
    )
    expect(Session.toSession(recovered)).toMatchObject({ status: "idle", pending: 0 })
    expect(Session.recovery(recovered, "crash")).toStrictEqual([])
    expect(Session.recovery(fold([{ type: "SessionClosed", reason: "requested" }], open), "crash")).toStrictEqual([])
  })
})
