import type { AGUIEvent } from "@ag-ui/core"
import { EventType } from "@ag-ui/core"
import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { leakFreeFile } from "holdfast/testing/vitest"
import type { StoredEvent } from "../../../src/domain/StoredEvent.js"
import * as Conversation from "../../../src/gateway/agui/Conversation.js"
import * as State from "../../../src/gateway/agui/State.js"
import * as Translator from "../../../src/gateway/agui/Translator.js"
import * as View from "../../../src/gateway/agui/View.js"
import { histories, session } from "./histories.js"
import * as Oracle from "./oracle.js"
import "../../seed.js"

leakFreeFile()

const run = { threadId: "thread", runId: "run" }

/** The state and the conversation after each event; the first is that of an empty log. */
const fold = (history: ReadonlyArray<StoredEvent>) => {
  const conversation = Conversation.make()
  let state = State.initial(session)
  const before = { state, messages: [...conversation.messages] }
  const after = history.map((stored) => {
    const step = Translator.step(state, stored)
    state = step.state
    Conversation.follow(conversation, step)
    return { state, messages: structuredClone(conversation.messages) }
  })
  return [before, ...after]
}

interface Window {
  readonly events: ReadonlyArray<AGUIEvent>
  /** How many events of the history were read. */
  readonly upTo: number
}

/** What a reader is told that joins after `from` events, and leaves at the end of the turn or of the history. */
const look = (history: ReadonlyArray<StoredEvent>, at: ReturnType<typeof fold>[number], from: number): Window => {
  const beginning = View.begin(run, at.state, {
    warnings: [],
    document: {},
    conversation: { messages: at.messages, left: 0 }
  })
  let { state } = at
  const { turn } = state
  const rest: Array<AGUIEvent> = []
  let upTo = from
  let ended = turn._tag !== "Open"
  for (const stored of ended ? [] : history.slice(from)) {
    const step = Translator.step(state, stored)
    state = step.state
    upTo++
    for (const event of step.events) rest.push(event)
    ended = turn._tag === "Open" && step.ended?.runId === turn.runId
    if (ended) break
  }
  const finished: AGUIEvent = { type: EventType.RUN_FINISHED, ...run }
  return { events: [...beginning, ...rest, ...Translator.close(state), finished], upTo }
}

const joined = FastCheck.tuple(histories, FastCheck.nat()).map(([history, place]) => ({
  history,
  from: place % (history.length + 1)
}))

describe("any history, joined anywhere", () => {
  it("is a stream that the official client accepts", () => {
    FastCheck.assert(
      FastCheck.property(joined, ({ from, history }) => {
        const at = fold(history)[from]
        if (at !== undefined) Oracle.verify(look(history, at, from).events)
      }),
      { numRuns: 1000 }
    )
  })

  it("makes the conversation and the state that everything from the beginning makes", () =>
    FastCheck.assert(
      FastCheck.asyncProperty(joined, async ({ from, history }) => {
        const places = fold(history)
        const at = places[from]
        if (at === undefined) return
        const { events, upTo } = look(history, at, from)
        const client = await Oracle.apply(events)
        const there = places[upTo]
        expect(client.messages).toEqual(JSON.parse(JSON.stringify(there?.messages)))
        expect(client.state).toEqual(JSON.parse(JSON.stringify({ holdfast: there?.state.document })))
      }),
      { numRuns: 500 }
    ), 60_000)
})
