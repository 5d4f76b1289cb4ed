/** What is still open when a run ends: the log of a gateway that was killed has such ends, and no other. */
import { EventType } from "@ag-ui/core"
import { describe, expect, it } from "@effect/vitest"
import { leakFreeFile } from "holdfast/testing/vitest"
import type { SessionEvent } from "../../../src/domain/AgentEvent.js"
import * as Content from "../../../src/domain/Content.js"
import { ElicitationId, RunId } from "../../../src/domain/Ids.js"
import * as State from "../../../src/gateway/agui/State.js"
import * as Translator from "../../../src/gateway/agui/Translator.js"
import { log, session } from "./histories.js"
import * as Oracle from "./oracle.js"

leakFreeFile()

const started: SessionEvent = { type: "RunStarted", prompt: [Content.text("go")] }
const ended: SessionEvent = { type: "RunEnded", outcome: { _tag: "Lost", reason: "it was killed" } }
const call = (toolCallId: string): SessionEvent => ({
  type: "ToolCallStarted",
  toolCallId,
  title: toolCallId,
  status: "pending",
  rawInput: 1
})
const question = (name: string, runId?: string): SessionEvent => ({
  type: "ElicitationRequested",
  elicitation: {
    id: ElicitationId.make(`eli_${name}`),
    sessionId: session,
    kind: "confirmation",
    message: "?",
    ...runId === undefined ? {} : { runId: RunId.make(runId) }
  }
})

/** A turn, a run within it, and something that goes on outside: each with a call and a question. */
const open: Parameters<typeof log>[0] = [
  [started, "run_1"],
  [call("outside"), undefined],
  [question("outside"), undefined],
  [call("turn"), "run_1"],
  [question("turn", "run_1"), "run_1"],
  [started, "run_2"],
  [call("within"), "run_2"],
  [{ type: "TextChunk", text: "half a" }, "run_2"]
]

/** What the last of these events is told as, and what is so after it. */
const last = (events: Parameters<typeof log>[0]) => {
  let step: Translator.Step = { state: State.initial(session), events: [], begins: false }
  for (const stored of log(events)) step = Translator.step(step.state, stored)
  return step
}

const abandoned = (told: Translator.Step["events"]) =>
  told.flatMap((event) =>
    event.type === "TOOL_CALL_RESULT" && JSON.stringify(event.metadata).includes("abandoned")
      ? [`${event.toolCallId} ${event.subagentRunId}`]
      : []
  )

describe("the end of a turn", () => {
  const { events, state } = last([...open, [ended, "run_1"]])

  it("ends the runs within it: their messages, their calls, and then themselves", () => {
    expect(events.map(({ type }) => type).slice(0, 3)).toEqual([
      "TEXT_MESSAGE_END",
      "TOOL_CALL_RESULT",
      "SUBAGENT_ERROR"
    ])
    expect(events[2]).toMatchObject({ subagentRunId: "run_2", code: "Lost" })
    expect([...state.lanes.keys()]).toEqual([State.outside])
  })

  it("leaves none of its calls without a result, and lets alone what is outside of it", () => {
    expect(abandoned(events)).toEqual(["ses_test:7 run_2", "ses_test:4 undefined"])
  })

  it("leaves none of its questions to be answered, and lets alone what is outside of it", () => {
    expect(state.questions.map(({ elicitation }) => elicitation.id)).toEqual(["eli_outside"])
  })
})

describe("the end of a run within a turn", () => {
  const { events, state } = last([...open, [ended, "run_2"]])

  it("leaves none of its own calls without a result, and the turn's alone", () => {
    expect(abandoned(events)).toEqual(["ses_test:7 run_2"])
    expect(state.turn).toMatchObject({ _tag: "Open", runId: "run_1" })
  })

  it("leaves the questions of others alone", () => {
    expect(state.questions.map(({ elicitation }) => elicitation.id)).toEqual(["eli_outside", "eli_turn"])
  })
})

describe("a run in the background, whose parent has ended", () => {
  it("is joined as a subagent of the turn: of that parent the reader is told nothing", () => {
    const within = (parent: string, until: "parent" | "session"): SessionEvent => ({
      type: "RunStarted",
      prompt: [],
      parentRunId: RunId.make(parent),
      until
    })
    const { state } = last([
      [started, "run_1"],
      [within("run_1", "parent"), "run_2"],
      [within("run_2", "session"), "run_3"],
      [ended, "run_2"]
    ])
    const run = { threadId: "thread", runId: "run" }
    const told = Translator.open(state)
    expect(told).toMatchObject([{ type: EventType.SUBAGENT_STARTED, subagentRunId: "run_3" }])
    Oracle.verify([
      { type: EventType.RUN_STARTED, ...run },
      ...told,
      ...Translator.close(state),
      { type: EventType.RUN_FINISHED, ...run }
    ])
  })
})
