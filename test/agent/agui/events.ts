/**
 * Streams of AG-UI events, legal and not: few names, so that they meet.
 */
import { type AGUIEvent, EventType } from "@ag-ui/core"
import * as FastCheck from "effect/FastCheck"

const name = FastCheck.constantFrom("a", "b")
const maybe = <A>(value: FastCheck.Arbitrary<A>) => FastCheck.option(value, { nil: undefined, freq: 2 })
const tag = FastCheck.option(FastCheck.constantFrom("s", "t"), { nil: undefined, freq: 1 })

const defined = <A extends object>(event: A): A => JSON.parse(JSON.stringify(event))

const make = (build: (id: string, other: string, subagentRunId: string | undefined) => object) =>
  FastCheck.tuple(name, name, tag).map(([id, other, subagent]) => defined(build(id, other, subagent)) as AGUIEvent)

const text = FastCheck.oneof(
  make((messageId, _, subagentRunId) => ({ type: EventType.TEXT_MESSAGE_START, messageId, subagentRunId })),
  make((messageId, delta, subagentRunId) => ({
    type: EventType.TEXT_MESSAGE_CONTENT,
    messageId,
    delta,
    subagentRunId
  })),
  make((messageId, _, subagentRunId) => ({ type: EventType.TEXT_MESSAGE_END, messageId, subagentRunId }))
)
const call = FastCheck.oneof(
  make((toolCallId, other, subagentRunId) => ({
    type: EventType.TOOL_CALL_START,
    toolCallId,
    toolCallName: "tool",
    parentMessageId: other,
    subagentRunId
  })),
  make((toolCallId, _, subagentRunId) => ({
    type: EventType.TOOL_CALL_START,
    toolCallId,
    toolCallName: "tool",
    subagentRunId
  })),
  make((toolCallId, delta, subagentRunId) => ({ type: EventType.TOOL_CALL_ARGS, toolCallId, delta, subagentRunId })),
  make((toolCallId, _, subagentRunId) => ({ type: EventType.TOOL_CALL_END, toolCallId, subagentRunId })),
  make((toolCallId, messageId, subagentRunId) => ({
    type: EventType.TOOL_CALL_RESULT,
    toolCallId,
    messageId,
    content: "x",
    subagentRunId
  }))
)
const reasoning = FastCheck.oneof(
  ...([
    EventType.REASONING_START,
    EventType.REASONING_END,
    EventType.REASONING_MESSAGE_END
  ] as const).map((type) => make((messageId, _, subagentRunId) => ({ type, messageId, subagentRunId }))),
  make((messageId, _, subagentRunId) => ({
    type: EventType.REASONING_MESSAGE_START,
    messageId,
    role: "reasoning",
    subagentRunId
  })),
  make((messageId, delta, subagentRunId) => ({
    type: EventType.REASONING_MESSAGE_CONTENT,
    messageId,
    delta,
    subagentRunId
  })),
  FastCheck.constantFrom("tool-call", "message").chain((subtype) =>
    make((entityId, encryptedValue, subagentRunId) => ({
      type: EventType.REASONING_ENCRYPTED_VALUE,
      subtype,
      entityId,
      encryptedValue,
      subagentRunId
    }))
  )
)
const rest = FastCheck.oneof(
  make((stepName, _, subagentRunId) => ({ type: EventType.STEP_STARTED, stepName, subagentRunId })),
  make((stepName, _, subagentRunId) => ({ type: EventType.STEP_FINISHED, stepName, subagentRunId })),
  make((id, _, subagentRunId) => ({ type: EventType.SUBAGENT_STARTED, name: id, subagentRunId: subagentRunId ?? "u" })),
  make((id, _, subagentRunId) => ({
    type: EventType.SUBAGENT_STARTED,
    name: id,
    subagentRunId: "u",
    parentSubagentRunId: subagentRunId
  })),
  make((_, __, subagentRunId) => ({ type: EventType.SUBAGENT_FINISHED, subagentRunId: subagentRunId ?? "u" })),
  make((_, __, subagentRunId) => ({
    type: EventType.SUBAGENT_ERROR,
    message: "no",
    subagentRunId: subagentRunId ?? "u"
  })),
  make((messageId, other, subagentRunId) => ({
    type: EventType.ACTIVITY_SNAPSHOT,
    messageId,
    activityType: "x",
    content: {},
    replace: other === "a",
    subagentRunId
  })),
  make((messageId, _, subagentRunId) => ({
    type: EventType.ACTIVITY_DELTA,
    messageId,
    activityType: "x",
    patch: [],
    subagentRunId
  })),
  make((id, other, subagentRunId) => ({
    type: EventType.MESSAGES_SNAPSHOT,
    messages: [
      {
        id,
        role: "assistant",
        toolCalls: [{ id: other, type: "function", function: { name: "x", arguments: "" } }],
        subagentRunId
      },
      { id: other, role: "reasoning", content: "" }
    ]
  })),
  make((name, value, subagentRunId) => ({ type: EventType.CUSTOM, name, value, subagentRunId })),
  make(() => ({ type: EventType.STATE_SNAPSHOT, snapshot: {} }))
)
const run = FastCheck.oneof(
  make((threadId, runId) => ({ type: EventType.RUN_STARTED, threadId, runId })),
  make((threadId, runId) => ({ type: EventType.RUN_FINISHED, threadId, runId })),
  make((message) => ({ type: EventType.RUN_ERROR, message }))
)

const chunk = FastCheck.tuple(maybe(name), maybe(name), maybe(name), tag).chain(([id, delta, other, subagentRunId]) =>
  FastCheck.constantFrom(
    defined({
      type: EventType.TEXT_MESSAGE_CHUNK,
      messageId: id,
      delta,
      role: other === undefined ? undefined : other === "a" ? "user" : "assistant",
      name: other,
      subagentRunId
    }),
    defined({
      type: EventType.TOOL_CALL_CHUNK,
      toolCallId: id,
      delta,
      toolCallName: other ?? id,
      parentMessageId: other,
      subagentRunId
    }),
    defined({ type: EventType.REASONING_MESSAGE_CHUNK, messageId: id, delta, subagentRunId })
  )
) as FastCheck.Arbitrary<AGUIEvent>

const first: AGUIEvent = { type: EventType.RUN_STARTED, threadId: "t", runId: "r" }

/** Mostly such as begin well, because after the first fault nothing is looked at. */
const begun = (events: FastCheck.Arbitrary<AGUIEvent>) =>
  FastCheck.tuple(FastCheck.boolean(), FastCheck.array(events, { maxLength: 25 })).map(([begins, events]) =>
    begins ? [first, ...events] : events
  )

export const whole = begun(FastCheck.oneof(
  { weight: 4, arbitrary: text },
  { weight: 4, arbitrary: call },
  { weight: 4, arbitrary: reasoning },
  { weight: 4, arbitrary: rest },
  { weight: 1, arbitrary: run }
))

export const short = begun(FastCheck.oneof(
  { weight: 8, arbitrary: chunk },
  { weight: 1, arbitrary: text },
  { weight: 1, arbitrary: call },
  { weight: 1, arbitrary: rest },
  { weight: 1, arbitrary: run }
))
