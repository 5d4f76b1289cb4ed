import { describe, expect, it } from "@effect/vitest"
import { leakFreeFile } from "holdfast/testing/vitest"
import type { AgentEvent, SessionEvent } from "../../src/domain/AgentEvent.js"
import * as Replay from "../../src/session/Replay.js"

leakFreeFile()

const prompt = (text: string): SessionEvent => ({ type: "RunStarted", prompt: [{ type: "text", text }] })
const ended: SessionEvent = { type: "RunEnded", outcome: { _tag: "Cancelled" } }
const user = (text: string): AgentEvent => ({ type: "UserChunk", content: { type: "text", text } })
const says = (...texts: ReadonlyArray<string>): ReadonlyArray<AgentEvent> =>
  texts.map((text) => ({ type: "TextChunk", text }))
const tool = (toolCallId: string): AgentEvent => ({
  type: "ToolCallStarted",
  toolCallId,
  title: "read",
  status: "completed"
})

describe("AG5 what an agent replays is matched against the log", () => {
  const history = [prompt("one"), ...says("first ", "answer"), tool("t1"), ended, prompt("two"), ...says("the secon")]

  it("nothing is recorded twice, however the replay is cut", () => {
    const replayed = [user("o"), user("ne"), ...says("fir", "st answer "), tool("t1"), user("two")]
    expect(Replay.unseen(history, replayed)).toStrictEqual([])
    expect(Replay.unseen(history, [...replayed, ...says("the secon")])).toStrictEqual([])
  })

  it("the partial answer of a killed turn stays when the agent does not know it", () => {
    expect(Replay.unseen(history, [user("one"), ...says("first answer")])).toStrictEqual([])
  })

  it("the rest of an answer that was finished while nobody listened is new", () => {
    const replayed = [user("one"), ...says("first answer"), tool("t1"), user("two"), ...says("the second", " answer")]
    expect(Replay.unseen(history, replayed)).toStrictEqual(says("d answer"))
    // and is not new the next time
    expect(Replay.unseen([...history, ended, ...says("d answer")], replayed)).toStrictEqual([])
  })

  it("the rest begins where the log ends, though white space was told otherwise", () => {
    const replayed = (text: string) => [user("one"), ...says("first answer"), tool("t1"), user("two"), ...says(text)]
    expect(Replay.unseen(history, replayed("the  \n secon, and more"))).toStrictEqual(says(", and more"))
    expect(Replay.unseen([...history, ...says("d ")], replayed("the second answer"))).toStrictEqual(says("answer"))
  })

  it("a long history that is told in other words is looked through in no time", () => {
    const talk = (word: string) => Array.from({ length: 3000 }, (_, index) => `${word} ${index} ${"x ".repeat(100)}`)
    const known = talk("known").flatMap((text) => [prompt(text), ...says(text)])
    const replayed = talk("told").flatMap((text) => [user(text), ...says(text)])
    expect(Replay.unseen(known, replayed)).toStrictEqual([])
  })

  it("a turn that the log has not seen comes after what both know", () => {
    const later = [user("three"), ...says("a later answer"), tool("t9")]
    const replayed = [user("one"), ...says("first answer"), user("two"), ...says("the secon"), ...later]
    expect(Replay.unseen(history, replayed)).toStrictEqual(later)
  })

  it("where nothing matches nothing is recorded, and an empty log takes all", () => {
    expect(Replay.unseen(history, [user("elsewhere"), ...says("else")])).toStrictEqual([])
    expect(Replay.unseen([], [user("one"), tool("t1")])).toStrictEqual([user("one"), tool("t1")])
  })
})
