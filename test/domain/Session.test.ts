import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import type { SessionEvent } from "../../src/domain/AgentEvent.js"
import type { Elicitation } from "../../src/domain/Elicitation.js"
import { ElicitationId, RunId, SessionId } from "../../src/domain/Ids.js"
import * as Session from "../../src/domain/Session.js"
import type { StoredEvent } from "../../src/domain/StoredEvent.js"
import { checkHistory } from "../session/InMemory.js"
import "../seed.js"

const id = SessionId.make("ses_1")
const runId = RunId.make("run_1")
const later = RunId.make("run_2")
const elicitation: Elicitation = {
  id: ElicitationId.make("eli_1"),
  sessionId: id,
  kind: "confirmation",
  message: "Go?"
}

type Told = SessionEvent | readonly [SessionEvent, RunId]

const fold = (drafts: ReadonlyArray<Told>, from = Session.initial(id)) =>
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

const stored = (all: ReadonlyArray<Told>): ReadonlyArray<StoredEvent> =>
  all.map((draft, index) => {
    const [event, runId] = "type" in draft ? [draft, undefined] as const : draft
    return { seq: index + 1, sessionId: id, at: `t${index}`, event, ...(runId === undefined ? {} : { runId }) }
  })

/** Sessions as they can be when they are cut off: each number says what happens next, and to which run. */
const histories = FastCheck.array(FastCheck.tuple(FastCheck.nat(5), FastCheck.nat(7)), { maxLength: 40 }).map(
  (steps) => {
    const told: Array<Told> = [opened, connected]
    /** What is open, with what it is nested in; the first may be the turn. */
    const open: Array<{ readonly run: RunId; readonly within: RunId | undefined; readonly isTurn: boolean }> = []
    const questions: Array<readonly [ElicitationId, RunId]> = []
    steps.forEach(([what, which], index) => {
      const run = RunId.make(`run_${index}`)
      const at = open[which % Math.max(open.length, 1)]
      const question = questions[which % Math.max(questions.length, 1)]
      if (what === 0 && !open.some(({ isTurn }) => isTurn)) {
        open.push({ run, within: undefined, isTurn: true })
        told.push([{ type: "RunStarted", prompt: [] }, run])
      } else if (what === 1 && at !== undefined) {
        open.push({ run, within: at.run, isTurn: false })
        told.push([{ type: "RunStarted", prompt: [], parentRunId: at.run, until: "parent" }, run])
      } else if (what === 2) {
        open.push({ run, within: undefined, isTurn: false })
        told.push([{ type: "RunStarted", prompt: [], until: "session" }, run])
      } else if (what === 3 && at !== undefined) {
        const asked = ElicitationId.make(`eli_${index}`)
        questions.push([asked, at.run])
        told.push([{ type: "ElicitationRequested", elicitation: { ...elicitation, id: asked } }, at.run])
      } else if (what === 4 && question !== undefined) {
        questions.splice(questions.indexOf(question), 1)
        told.push([
          { type: "ElicitationSettled", elicitationId: question[0], outcome: { _tag: "Expired" } },
          question[1]
        ])
      } else if (what === 5 && at !== undefined) {
        const busy = questions.some(([, run]) => run === at.run) || open.some(({ within }) => within === at.run)
        if (busy) return
        open.splice(open.indexOf(at), 1)
        told.push([{ type: "RunEnded", outcome: { _tag: "Cancelled" } }, at.run])
      }
    })
    return told
  }
)

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

  it("a run that the agent opened is listed beside the turn, and makes the session neither busy nor idle", () => {
    const child = RunId.make("run_child")
    const nested = [
      { type: "RunStarted", prompt: [], parentRunId: runId, until: "parent", agent: "librarian" },
      child
    ] as const
    const state = fold([opened, connected, started, nested, [asked[0], child]])
    expect(Session.toSession(state)).toMatchObject({
      status: "waiting",
      run: runId,
      runs: [{ id: child, parent: runId, until: "parent", agent: "librarian", pending: [elicitation.id] }]
    })
    const over = fold([[settled[0], child], [ended[0], child]], state)
    expect(Session.toSession(over)).toMatchObject({ status: "running", run: runId, pending: 0 })
    expect(Session.toSession(over).runs).toBeUndefined()
    const background = fold([ended, [{ type: "RunStarted", prompt: [], until: "session" }, later]], over)
    expect(Session.toSession(background)).toMatchObject({ status: "idle", runs: [{ id: later }] })
  })

  it("a state that was stored before agents could open runs has none", () => {
    const { open: _, ...before } = fold([opened, connected, started])
    expect(Schema.decodeUnknownSync(Session.SessionState)(before)).toMatchObject({ run: runId, open: [] })
  })

  it("EL5 RS2 whenever a session is cut off, recovery ends all that is open, in order, and once", () => {
    FastCheck.assert(FastCheck.property(histories, (history) => {
      const drafts = Session.recovery(fold(history), "crash")
      const whole = [
        ...history,
        ...drafts.map(({ event, runId }): Told => runId === undefined ? event : [event, runId])
      ]
      checkHistory(stored(whole))
      expect(Session.recovery(fold(whole), "crash")).toStrictEqual([])
      expect(Session.toSession(fold(whole))).toMatchObject({ status: "idle", pending: 0 })
    }))
  })
})
