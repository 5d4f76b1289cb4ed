/**
 * Holdfast in front of Holdfast: what the AG-UI edge makes of an event is read back as that event.
 */
import { EventType } from "@ag-ui/core"
import { describe, expect } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import * as Conversation from "../../../src/agent/agui/Conversation.js"
import * as Decode from "../../../src/agent/agui/Decode.js"
import * as Reader from "../../../src/agent/agui/Reader.js"
import { AgentEvent } from "../../../src/domain/AgentEvent.js"
import * as Content from "../../../src/domain/Content.js"
import { RunId } from "../../../src/domain/Ids.js"
import * as State from "../../../src/gateway/agui/State.js"
import * as Translator from "../../../src/gateway/agui/Translator.js"
import * as Fixture from "../../gateway/agui/fixture.js"
import { log, session } from "../../gateway/agui/histories.js"
import { connect, texts } from "./support.js"
import "../../seed.js"

leakFreeFile()

const run = RunId.make("run_1")

/** Told by the edge in a turn, and read again. */
const roundTrip = (events: ReadonlyArray<AgentEvent>): ReadonlyArray<AgentEvent> => {
  const reader = Reader.make(Conversation.make({ maxCharacters: 1_000_000 }))
  let state = State.initial(session)
  // each run begins with it
  reader.read({ type: EventType.STATE_SNAPSHOT, snapshot: { holdfast: state.document } }, run)
  const told = log([[{ type: "RunStarted", prompt: [] }, run], ...events.map((event) => [event, run] as const)])
    .flatMap((stored) => {
      const step = Translator.step(state, stored)
      state = step.state
      return step.events
    })
  return told.flatMap((event) => {
    const frame = Decode.decode(JSON.stringify(event))
    if (frame._tag === "Left") throw frame.left
    if (frame.right._tag === "Unknown") throw new Error(event.type)
    return reader.read(frame.right.event, run).flatMap((signal) => signal._tag === "Said" ? [signal.event] : [])
  })
}

/** As JSON has it: what is absent and what is `null` are one, and names of messages and keys of prompts are each side's own. */
const plain = (event: AgentEvent): unknown =>
  JSON.parse(
    JSON.stringify({ ...event, messageId: undefined, idempotencyKey: undefined }),
    (_, value) => value === null ? undefined : value
  )

const tools = /^ToolCall/

describe("an event that the AG-UI edge tells", () => {
  it.prop("is read back as that event", [
    Arbitrary.make(Schema.typeSchema(AgentEvent)).filter((event) =>
      !tools.test(event.type) && !/NaN|Infinity|__proto__/i.test(FastCheck.stringify(event))
    )
  ], ([event]) => {
    const isNothing = "text" in event && event.text === "" ||
      event.type === "UserChunk" && event.content.type === "text" && event.content.text === "" ||
      event.type === "GitStatusChanged" && event.status == null
    const expected = isNothing ? [] : [plain(event)]
    // a user's text has no place for annotations there
    if (event.type === "UserChunk" && event.content.type === "text") {
      expect(roundTrip([event])).toMatchObject([{ content: { text: event.content.text } }].slice(isNothing ? 1 : 0))
    } else expect(roundTrip([event]).map(plain)).toStrictEqual(expected)
  }, { fastCheck: { numRuns: 500 } })

  it("is the same call, from its beginning to its end", () => {
    const call = { toolCallId: "call_0" }
    const back = roundTrip([
      { ...call, type: "ToolCallStarted", title: "Read a.txt", kind: "read", name: "Read", status: "pending" },
      { ...call, type: "ToolCallUpdated", rawInput: { path: "a.txt" }, locations: [{ path: "a.txt", line: 3 }] },
      { ...call, type: "ToolCallUpdated", status: "in_progress", title: "Reading a.txt" },
      {
        ...call,
        type: "ToolCallEnded",
        status: "failed",
        content: [{ type: "content", content: { type: "text", text: "it is not there" } }]
      }
    ])
    const id = "ses_test:2"
    expect(back.filter(({ type }) => type === "ToolCallStarted")).toStrictEqual([
      { type: "ToolCallStarted", toolCallId: id, title: "Read a.txt", kind: "read", name: "Read", status: "pending" }
    ])
    expect(back).toContainEqual({
      type: "ToolCallUpdated",
      toolCallId: id,
      status: "in_progress",
      rawInput: { path: "a.txt" }
    })
    expect(back).toContainEqual(
      expect.objectContaining({ toolCallId: id, title: "Reading a.txt", status: "in_progress" })
    )
    expect(back.at(-1)).toStrictEqual({
      type: "ToolCallEnded",
      toolCallId: id,
      status: "failed",
      content: [{ type: "content", content: { type: "text", text: "it is not there" } }]
    })
  })

  it("that is told again with the state of the next run is not read again", () => {
    const reader = Reader.make(Conversation.make({ maxCharacters: 1000 }))
    const snapshot = { type: EventType.STATE_SNAPSHOT, snapshot: { holdfast: { title: "A", plan: [] } } } as const
    expect(reader.read(snapshot, run)).toHaveLength(2)
    expect(reader.read(snapshot, run)).toStrictEqual([])
  })
})

const upstream = (turn: Parameters<typeof Fixture.start>[0]) =>
  Effect.flatMap(
    Fixture.start(turn),
    (running) =>
      Effect.map(
        connect({ url: `${running.gateway.url}/agui/scripted`, headers: { connection: "close" } }),
        (agent) => ({
          ...running,
          agent
        })
      )
  )

describe("Holdfast in front of Holdfast", () => {
  it.scopedLive("speaks, calls tools and goes on in one thread", () =>
    Effect.gen(function*() {
      const { agent } = yield* upstream(({ content, say }) =>
        Effect.gen(function*() {
          yield* say({ type: "ThoughtChunk", text: "hm" })
          yield* say({ type: "ToolCallStarted", toolCallId: "c", title: "Look", status: "pending", rawInput: { a: 1 } })
          yield* say({ type: "ToolCallEnded", toolCallId: "c", status: "completed", rawOutput: "seen" })
          yield* say({ type: "TextChunk", text: `you said ${Content.toText(content)}` })
          yield* say({ type: "PlanUpdated", entries: [{ content: "rest", priority: "low", status: "pending" }] })
        })
      )
      expect(yield* agent.turn("one")).toStrictEqual({ _tag: "Stopped", stopReason: "end_turn" })
      expect(agent.events().map(({ type }) => type)).toStrictEqual([
        "ThoughtChunk",
        "ToolCallStarted",
        "ToolCallUpdated",
        "ToolCallEnded",
        "TextChunk",
        "PlanUpdated"
      ])
      yield* agent.turn("two")
      expect(texts(agent.events())).toStrictEqual(["you said one", "you said two"])
      // told with each run's state, and one plan
      expect(agent.events().filter(({ type }) => type === "PlanUpdated")).toHaveLength(1)
    }))

  it.scopedLive("asks, two questions at once, and goes on with the same turn", () =>
    Effect.gen(function*() {
      const { agent } = yield* upstream(({ ask, say }) =>
        Effect.gen(function*() {
          yield* say({ type: "TextChunk", text: "before" })
          const options = [
            { optionId: "yes", name: "Yes", kind: "allow_once" },
            { optionId: "no", name: "No", kind: "reject_once" }
          ]
          const answers = yield* Effect.all([
            ask({ kind: "permission", message: "May I?", options }),
            ask({ kind: "confirmation", message: "Sure?" })
          ], { concurrency: 2 })
          yield* say({
            type: "TextChunk",
            text: answers.map(Option.match({ onNone: () => "none", onSome: (answer) => JSON.stringify(answer) })).join()
          })
        })
      )
      yield* agent.prompt(run, [Content.text("hi")])
      const permission = yield* agent.take(({ _tag }) => _tag === "Asked")
      const confirmation = yield* agent.take(({ _tag }) => _tag === "Asked")
      if (permission._tag !== "Asked" || confirmation._tag !== "Asked") return
      expect(permission.request).toMatchObject({
        kind: "permission",
        message: "May I?",
        options: [{ optionId: "yes" }, {}]
      })
      expect(confirmation.request).toMatchObject({ kind: "confirmation", message: "Sure?" })
      yield* permission.reply(Option.some({ action: "accept", content: { optionId: "no" } }))
      yield* confirmation.reply(Option.some({ action: "decline" }))
      expect(yield* agent.ended(run)).toStrictEqual({ _tag: "Stopped", stopReason: "end_turn" })
      expect(texts(agent.events())).toStrictEqual([
        "before",
        "{\"action\":\"accept\",\"content\":{\"optionId\":\"no\"}},{\"action\":\"decline\"}"
      ])
    }))

  it.scopedLive("cancels the turn behind it, which a closed request alone does not", () =>
    Effect.gen(function*() {
      const stopped = yield* Deferred.make<void>()
      const { agent } = yield* upstream(({ say }) =>
        Effect.zipRight(say({ type: "TextChunk", text: "working" }), Effect.never).pipe(
          Effect.onInterrupt(() => Deferred.succeed(stopped, void 0))
        )
      )
      yield* agent.prompt(run, [Content.text("hi")])
      yield* agent.take(({ _tag }) => _tag === "Said")
      yield* agent.cancel
      expect(yield* agent.ended(run)).toStrictEqual({ _tag: "Stopped", stopReason: "cancelled" })
      yield* Deferred.await(stopped)
    }))

  it.scopedLive("tells how a turn failed", () =>
    Effect.gen(function*() {
      const { agent } = yield* upstream(() => Effect.dieMessage("a bug"))
      expect(yield* agent.turn("hi")).toMatchObject({ _tag: "Failed" })
    }))
})
