import { describe, expect, it } from "@effect/vitest"
import { leakFreeFile } from "holdfast/testing/vitest"
import type { AgentEvent } from "../../src/domain/AgentEvent.js"
import { RunId } from "../../src/domain/Ids.js"
import * as Ownership from "../../src/session/Ownership.js"

leakFreeFile()

const [one, two, three] = [RunId.make("run_1"), RunId.make("run_2"), RunId.make("run_3")]
const started = (toolCallId: string): AgentEvent => ({
  type: "ToolCallStarted",
  toolCallId,
  title: "read",
  status: "pending"
})
const updated = (toolCallId: string): AgentEvent => ({ type: "ToolCallUpdated", toolCallId })
const text: AgentEvent = { type: "TextChunk", text: "hi" }

describe("RS6 to which run a word belongs", () => {
  it("what is said in a turn belongs to its run, and between turns to none", () => {
    const ownerOf = Ownership.make()
    expect([ownerOf(text, one), ownerOf(text, undefined), ownerOf(text, two)]).toStrictEqual([one, undefined, two])
  })

  it("a late word of a tool call is given to no later run, however late", () => {
    const ownerOf = Ownership.make()
    expect(ownerOf(started("t"), one)).toBe(one)
    expect(ownerOf(updated("t"), one)).toBe(one)
    expect(ownerOf(updated("t"), undefined)).toBeUndefined()
    expect(ownerOf(updated("t"), two)).toBeUndefined()
    expect(ownerOf(updated("t"), three)).toBeUndefined()
  })

  it("a tool call of the session in the background is not taken over by a run", () => {
    const ownerOf = Ownership.make()
    expect(ownerOf(started("t"), undefined)).toBeUndefined()
    expect(ownerOf(updated("t"), one)).toBeUndefined()
  })

  it("an id that is used again starts again, and a call that is told late belongs to the one in which it is told", () => {
    const ownerOf = Ownership.make()
    ownerOf(started("t"), one)
    expect(ownerOf(started("t"), two)).toBe(two)
    expect(ownerOf(updated("t"), two)).toBe(two)
    expect(ownerOf(updated("unheard of"), two)).toBe(two)
  })

  it("only the last thousands of calls are remembered", () => {
    const ownerOf = Ownership.make()
    for (let index = 0; index <= 4096; index++) ownerOf(started(`t${index}`), one)
    expect(ownerOf(updated("t1"), two)).toBeUndefined()
    expect(ownerOf(updated("t0"), two)).toBe(two)
  })
})
