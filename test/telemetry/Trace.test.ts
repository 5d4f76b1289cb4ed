import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import { leakFreeFile } from "holdfast/testing/vitest"
import type { SessionEvent } from "../../src/domain/AgentEvent.js"
import { ElicitationId, RunId, SessionId } from "../../src/domain/Ids.js"
import type { StoredEvent } from "../../src/domain/StoredEvent.js"
import * as Traceparent from "../../src/domain/Traceparent.js"
import * as Trace from "../../src/telemetry/Trace.js"
import "../seed.js"

leakFreeFile()

const session: Trace.Whose = { id: SessionId.make("ses_1"), agent: "demo" }
const one = RunId.make("run_1")
const eli = ElicitationId.make("eli_1")

/** What is said in a session, and must be in no span. */
const secret = "hunter2"
const prompt = [{ type: "text", text: secret } as const]
const started: SessionEvent = { type: "RunStarted", prompt }
const ended = (outcome: Extract<SessionEvent, { type: "RunEnded" }>["outcome"]): SessionEvent => ({
  type: "RunEnded",
  outcome
})
const completed = ended({ _tag: "Completed", stopReason: "end_turn" })
const tool = (toolCallId: string): SessionEvent => ({
  type: "ToolCallStarted",
  toolCallId,
  title: `cat ${secret}`,
  name: "read",
  kind: "read",
  status: "pending",
  rawInput: { path: secret },
  locations: [{ path: `/home/${secret}` }]
})
const toolEnded = (toolCallId: string, status: "completed" | "failed" = "completed"): SessionEvent => ({
  type: "ToolCallEnded",
  toolCallId,
  status,
  content: [{ type: "content", content: { type: "text", text: secret } }],
  rawOutput: secret
})
const asked: SessionEvent = {
  type: "ElicitationRequested",
  elicitation: { id: eli, sessionId: session.id, kind: "confirmation", message: `really ${secret}?`, toolCallId: "t" }
}
const answered: SessionEvent = {
  type: "ElicitationSettled",
  elicitationId: eli,
  outcome: { _tag: "Answered", action: "accept", content: { password: secret } }
}

type Told = readonly [event: SessionEvent, run?: RunId | undefined]

/** The traces that a history tells; each event comes a second after the one before. */
const tell = (...history: ReadonlyArray<Told>) => {
  let traces = Trace.empty
  const complete: Array<Trace.Span> = []
  history.forEach(([event, runId], index) => {
    const at = new Date(Date.UTC(2026, 10, 21) + index * 1000).toISOString()
    const stored: StoredEvent = { seq: index + 1, sessionId: session.id, runId, at, event }
    const step = Trace.step(traces, session, stored)
    traces = step.traces
    for (const span of step.complete) complete.push(span)
  })
  return { complete, traces, isEmpty: Trace.isEmpty(traces) }
}

const seqs = ({ attributes }: Trace.Span) => [attributes["holdfast.seq.start"], attributes["holdfast.seq.end"]]

describe("Trace", () => {
  it("a run is a span from its beginning to its end, with its tool calls and questions inside", () => {
    const { complete, isEmpty } = tell(
      [started, one],
      [{ type: "TextChunk", text: secret }, one],
      [tool("t"), one],
      [asked, one],
      [answered, one],
      [toolEnded("t"), one],
      [tool("f"), one],
      [toolEnded("f", "failed"), one],
      [completed, one]
    )
    expect(isEmpty).toBe(true)
    expect(complete).toEqual([{
      name: "holdfast.run",
      startedAt: "2026-11-21T00:00:00.000Z",
      endedAt: "2026-11-21T00:00:08.000Z",
      attributes: {
        "holdfast.session.id": "ses_1",
        "holdfast.agent": "demo",
        "holdfast.run.id": "run_1",
        "holdfast.seq.start": 1,
        "holdfast.run.outcome": "Completed",
        "holdfast.run.stop_reason": "end_turn",
        "holdfast.seq.end": 9
      },
      failure: Option.none(),
      link: Option.none(),
      children: [
        expect.objectContaining({
          name: "holdfast.elicitation",
          attributes: {
            "holdfast.session.id": "ses_1",
            "holdfast.agent": "demo",
            "holdfast.run.id": "run_1",
            "holdfast.elicitation.id": "eli_1",
            "holdfast.elicitation.kind": "confirmation",
            "gen_ai.tool.call.id": "t",
            "holdfast.seq.start": 4,
            "holdfast.elicitation.outcome": "Answered",
            "holdfast.elicitation.action": "accept",
            "holdfast.elicitation.by": "person",
            "holdfast.seq.end": 5
          }
        }),
        expect.objectContaining({
          name: "holdfast.tool_call",
          startedAt: "2026-11-21T00:00:02.000Z",
          endedAt: "2026-11-21T00:00:05.000Z",
          failure: Option.none(),
          attributes: expect.objectContaining({
            "gen_ai.tool.call.id": "t",
            "gen_ai.tool.name": "read",
            "holdfast.tool.kind": "read",
            "holdfast.tool.status": "completed",
            "holdfast.seq.start": 3,
            "holdfast.seq.end": 6
          })
        }),
        expect.objectContaining({ name: "holdfast.tool_call", failure: Option.some("ToolCallFailed") })
      ]
    }])
  })

  it("EB11 what was said, asked, answered or shown is in no span", () => {
    const error = { _tag: "AgentDied", message: secret, stderr: secret }
    for (const outcome of [completed, ended({ _tag: "Failed", error }), ended({ _tag: "Lost", reason: secret })]) {
      const { complete } = tell(
        [started, one],
        [tool("t"), one],
        [asked, one],
        [answered, one],
        [toolEnded("t"), one],
        [
          outcome,
          one
        ]
      )
      expect(complete.length).toBe(1)
      expect(JSON.stringify(complete)).not.toContain(secret)
    }
  })

  it("RS1 however a run ends its trace is told once and whole: what is still open ends with it, unfinished", () => {
    const ends: ReadonlyArray<readonly [SessionEvent, string | undefined]> = [
      [completed, undefined],
      [ended({ _tag: "Cancelled" }), undefined],
      [ended({ _tag: "Failed", error: { _tag: "AgentDied", message: "" } }), "AgentDied"],
      [ended({ _tag: "Lost", reason: "killed" }), "Lost"]
    ]
    for (const [end, failure] of ends) {
      const { complete, isEmpty } = tell([started, one], [tool("a"), one], [tool("b"), one], [toolEnded("a"), one], [
        end,
        one
      ])
      expect(isEmpty).toBe(true)
      expect(complete.map((span) => [Option.getOrUndefined(span.failure), seqs(span)])).toEqual([[failure, [1, 5]]])
      expect(complete[0]?.children.map((child) => [child.attributes["holdfast.unfinished"], seqs(child)])).toEqual([
        [undefined, [2, 4]],
        [true, [3, 5]]
      ])
    }
  })

  it("what happens between runs is a trace of its own, and ends with the agent at the latest", () => {
    const { complete, isEmpty } = tell(
      [tool("a")],
      [toolEnded("a")],
      [tool("b")],
      [asked],
      [answered],
      [{ type: "AgentDisconnected", reason: "gone" }]
    )
    expect(isEmpty).toBe(true)
    expect(complete.map((span) => [span.name, seqs(span)])).toEqual([
      ["holdfast.tool_call", [1, 2]],
      ["holdfast.elicitation", [4, 5]],
      ["holdfast.tool_call", [3, 6]]
    ])
  })

  it("RS6 what is heard of a tool call after its run's end makes no second span", () => {
    const { complete } = tell([started, one], [tool("a"), one], [completed, one], [toolEnded("a")], [tool("a"), one])
    expect(complete.map(({ children, name }) => [name, children.length])).toEqual([["holdfast.run", 1]])
  })

  it("a tool call of which only the end is told is an instant, and one that is told twice began once", () => {
    const { complete } = tell([started, one], [toolEnded("a"), one], [tool("b"), one], [tool("b"), one], [
      toolEnded("b"),
      one
    ], [completed, one])
    expect(complete[0]?.children.map(seqs)).toEqual([[2, 2], [3, 5]])
  })

  it("a run goes back to the trace of the request that prompted it", () => {
    const traceparent = Traceparent.Traceparent.make("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    const { complete } = tell([{ type: "RunStarted", prompt, traceparent }, one], [completed, one])
    expect(complete[0]?.link).toEqual(Option.some(traceparent))
  })

  it("RS6 a nested run is a span within its parent's, and a background run is a trace of its own", () => {
    const [child, background] = [RunId.make("run_child"), RunId.make("run_background")]
    const { complete, isEmpty } = tell(
      [started, one],
      [{ type: "RunStarted", prompt, until: "session", parentRunId: one }, background],
      [{ type: "RunStarted", prompt, until: "parent", parentRunId: one, agent: "librarian" }, child],
      [tool("t"), child],
      [toolEnded("t"), child],
      [completed, child],
      [completed, one],
      [completed, background]
    )
    expect(isEmpty).toBe(true)
    expect(complete.map(seqs)).toEqual([[1, 7], [2, 8]])
    const [nested] = complete[0]?.children ?? []
    expect(nested).toMatchObject({
      name: "holdfast.run",
      attributes: {
        "holdfast.agent": "librarian",
        "holdfast.run.id": child,
        "holdfast.run.parent.id": one,
        "holdfast.run.until": "parent"
      }
    })
    expect(nested?.children.map(seqs)).toEqual([[4, 5]])
    expect(complete[1]?.attributes["holdfast.run.parent.id"]).toBe(one)
  })

  it("the spans of a run are bounded, and so are the words of an agent", () => {
    const many = Array.from({ length: Trace.mostSpans + 10 }, (_, n) => [tool(`${"x".repeat(999)}${n}`), one] as const)
    const { complete } = tell([started, one], ...many, [completed, one])
    expect(complete[0]?.children.length).toBe(Trace.mostSpans)
    expect(complete[0]?.attributes["holdfast.spans.omitted"]).toBe(10)
    expect(String(complete[0]?.children[0]?.attributes["gen_ai.tool.call.id"]).length).toBe(256)
    const between = tell(...many.map(([event]) => [event] as const), [{ type: "SessionClosed", reason: "" }])
    expect(between.complete.length).toBe(Trace.mostSpans)
  })

  it("any history in which runs end leaves nothing open and has a span for each run, with its children within", () => {
    const run = FastCheck.constantFrom(one, RunId.make("run_2"), undefined)
    const id = FastCheck.constantFrom("a", "b")
    const event = FastCheck.oneof(
      FastCheck.constantFrom<SessionEvent>(started, completed, asked, answered, { type: "TextChunk", text: "x" }),
      id.map(tool),
      id.map((each) => toolEnded(each)),
      FastCheck.constant<SessionEvent>({ type: "AgentDisconnected", reason: "x" })
    )
    FastCheck.assert(FastCheck.property(FastCheck.array(FastCheck.tuple(event, run)), (history) => {
      const closing: ReadonlyArray<Told> = [
        [completed, one],
        [completed, RunId.make("run_2")],
        [{ type: "SessionClosed", reason: "" }]
      ]
      const { complete, isEmpty } = tell(...history, ...closing)
      expect(isEmpty).toBe(true)
      let open = new Set<RunId>()
      let runs = 0
      for (const [{ type }, runId] of [...history, ...closing]) {
        if (runId !== undefined && type === "RunStarted") open = new Set(open).add(runId)
        if (runId !== undefined && type === "RunEnded" && open.has(runId)) {
          runs++
          open.delete(runId)
        }
      }
      expect(complete.filter(({ name }) => name === "holdfast.run").length).toBe(runs)
      for (const span of complete) {
        for (const child of [span, ...span.children]) {
          expect(child.startedAt >= span.startedAt && child.endedAt <= span.endedAt).toBe(true)
        }
      }
    }))
  })
})
