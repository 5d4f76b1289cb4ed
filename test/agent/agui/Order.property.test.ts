import { type BaseEvent, transformChunks, verifyEvents } from "@ag-ui/client"
import type { AGUIEvent } from "@ag-ui/core"
import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import { from, type OperatorFunction } from "rxjs"
import * as Chunks from "../../../src/agent/agui/Chunks.js"
import * as Order from "../../../src/agent/agui/Order.js"
import { short, whole } from "./events.js"
import "../../seed.js"

/** What the official client makes of the stream, and how far it came. */
const official = (events: ReadonlyArray<AGUIEvent>, by: OperatorFunction<BaseEvent, BaseEvent>) => {
  const passed: Array<BaseEvent> = []
  let fault: unknown
  from<ReadonlyArray<BaseEvent>>([...events]).pipe(by).subscribe({
    next: (event) => void passed.push(event),
    error: (error) => fault = error
  })
  return { passed, refused: fault !== undefined }
}

describe("the order of events", () => {
  it.prop("is refused at the event at which the official client refuses it, and nowhere else", [whole], ([events]) => {
    const order = Order.make()
    const bad = events.findIndex((event) => order.check(event) !== undefined)
    const { passed, refused } = official(events, verifyEvents())
    expect({ passed: bad === -1 ? events.length : bad, refused: bad !== -1 }).toStrictEqual({
      passed: passed.length,
      refused
    })
  }, { fastCheck: { numRuns: 2000 } })

  it.prop("is judged alike for each event that may come after a stream that is right", [whole], ([events]) => {
    const right: Array<AGUIEvent> = []
    for (const event of events) {
      const order = Order.make()
      for (const before of right) order.check(before)
      const refused = order.check(event) !== undefined
      expect({ event, refused }).toStrictEqual({ event, refused: official([...right, event], verifyEvents()).refused })
      if (!refused) right.push(event)
    }
  }, { fastCheck: { numRuns: 1000 } })
})

describe("events in short form", () => {
  it.prop("stand for the events that the official client makes of them", [short], ([events]) => {
    const chunks = Chunks.make()
    const ours: Array<AGUIEvent> = []
    let refused = false
    for (const event of events) {
      const expanded = chunks.expand(event)
      refused = Either.isLeft(expanded)
      if (refused) break
      ours.push(...Either.getOrElse(expanded, () => []))
    }
    const theirs = official(events, transformChunks())
    // at the end of a stream the client closes what is open; here a stream does not end before its run
    const { passed } = theirs
    expect(refused).toBe(theirs.refused)
    expect(JSON.parse(JSON.stringify(ours))).toStrictEqual(JSON.parse(JSON.stringify(passed.slice(0, ours.length))))
    expect(passed.slice(ours.length).every(({ type }) => type.endsWith("_END"))).toBe(true)
  }, { fastCheck: { numRuns: 3000 } })
})
