/**
 * Histories of a session: what an agent could say, and what it never would, in any order.
 */
import * as Arbitrary from "effect/Arbitrary"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { SessionEvent } from "../../../src/domain/AgentEvent.js"
import { RunId, SessionId } from "../../../src/domain/Ids.js"
import type { StoredEvent } from "../../../src/domain/StoredEvent.js"

export const session = SessionId.make("ses_test")
const at = "2026-11-21T02:00:00.000Z"

/** A log of these events, numbered from 1. */
export const log = (
  events: ReadonlyArray<readonly [event: SessionEvent, run?: string | undefined]>
): ReadonlyArray<StoredEvent> =>
  events.map(([event, run], index) => ({
    seq: index + 1,
    sessionId: session,
    ...(run === undefined ? {} : { runId: RunId.make(run) }),
    at,
    event
  }))

const runs = ["run_1", "run_2", "run_3"]
const name = FastCheck.constantFrom<Array<keyof typeof runOf>>("a", "b", "c")
const runOf = { a: "run_1", b: "run_2", c: "run_3" }

// what JSON makes of numbers that it has no word for, and JavaScript of this name, is no matter of ours
const any = Arbitrary.make(Schema.typeSchema(SessionEvent)).filter((event) =>
  !/NaN|Infinity|__proto__/i.test(FastCheck.stringify(event))
)

/** Few names, so that events meet. */
const named = FastCheck.tuple(any, name, name).map(([event, first, second]): SessionEvent => {
  switch (event.type) {
    case "TextChunk":
    case "ThoughtChunk":
    case "UserChunk":
    case "ContentChunk":
      return second === "c" ? event : { ...event, messageId: second }
    case "ToolCallStarted":
    case "ToolCallUpdated":
    case "ToolCallEnded":
      return { ...event, toolCallId: first }
    case "ProcessOutput":
    case "ProcessStatus":
      return { ...event, processId: first }
    case "RunStarted":
      return event.until === undefined ? event : { ...event, parentRunId: RunId.make(runOf[first]) }
    case "ElicitationRequested": {
      const id = `eli_${first}`
      const elicitation = { ...event.elicitation, id, toolCallId: second, sessionId: session }
      return Schema.decodeUnknownSync(SessionEvent)(JSON.parse(JSON.stringify({ type: event.type, elicitation })))
    }
    case "ElicitationSettled":
      return Schema.decodeUnknownSync(SessionEvent)(
        JSON.parse(JSON.stringify({ ...event, elicitationId: `eli_${first}` }))
      )
    default:
      return event
  }
})

/** As an agent tells it: chunks, calls and runs more often than the rest. */
const usual = FastCheck.oneof(
  named.filter(({ type }) => /Chunk|ToolCall|Elicitation|Process|Shell/.test(type)),
  named.filter(({ type }) => /^Run/.test(type)),
  named
)

/** Any events of any runs, legal or not: nothing that a log can hold may break a stream. */
export const histories = FastCheck.array(
  FastCheck.tuple(usual, FastCheck.option(FastCheck.constantFrom(...runs), { nil: undefined, freq: 4 })),
  { maxLength: 40 }
).map(log)
