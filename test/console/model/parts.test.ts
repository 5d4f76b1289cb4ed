import { describe, expect, it } from "@effect/vitest"
import * as Changes from "../../../console/model/Changes.js"
import * as Filter from "../../../console/model/Filter.js"
import * as Options from "../../../console/model/Options.js"

describe("an agent's options", () => {
  it("are what the protocol lets it send: choices, choices in groups, and switches; what is not understood is left out", () => {
    expect(Options.parse([
      { id: "pace", name: "Pace", currentValue: "slow", options: [{ value: "slow", name: "Slow" }, { value: "fast" }] },
      {
        id: "model",
        currentValue: "a",
        options: [{ group: "g", name: "Group", options: [{ value: "a", name: "A", description: "the first" }] }]
      },
      { id: "loud", name: "Loud", type: "boolean", currentValue: true },
      { id: "number", currentValue: 3 },
      { id: "none", currentValue: "x", options: [] },
      { name: "without an id", currentValue: true },
      null,
      "text"
    ])).toMatchObject([
      {
        kind: "select",
        id: "pace",
        name: "Pace",
        value: "slow",
        choices: [{ name: "Slow" }, { value: "fast", name: "fast" }]
      },
      {
        kind: "select",
        id: "model",
        name: "model",
        choices: [{ value: "a", group: "Group", description: "the first" }]
      },
      { kind: "boolean", id: "loud", value: true }
    ])
  })
})

describe("changes", () => {
  const lines = ({ lines }: Changes.Changes) => lines.map(({ kind, number, text }) => [kind, number, text])

  it("are lines with their numbers, those around them, and gaps", () => {
    const before = Array.from({ length: 30 }, (_, n) => `line ${n + 1}`)
    const after = before.map((line) => line === "line 2" ? "line two" : line).filter((line) => line !== "line 25")
    const changes = Changes.compare(`${before.join("\n")}\n`, `${after.join("\n")}\n`)
    expect(changes).toMatchObject({ added: 1, removed: 2 })
    expect(lines(changes).slice(0, 4)).toStrictEqual([
      ["same", 1, "line 1"],
      ["removed", 2, "line 2"],
      ["added", 2, "line two"],
      ["same", 3, "line 3"]
    ])
    expect(changes.lines.filter(({ kind }) => kind === "gap")).toHaveLength(1)
    expect(lines(changes)).toContainEqual(["removed", 25, "line 25"])
  })

  it("of a new file are all its lines", () => {
    expect(lines(Changes.compare("", "a\nb\n"))).toStrictEqual([["added", 1, "a"], ["added", 2, "b"]])
  })

  it("of files that have nothing in common come in time", () => {
    const noise = (seed: number) => Array.from({ length: 20_000 }, (_, n) => `${(n * seed) % 99_991} ${n}`).join("\n")
    const { added, removed } = Changes.compare(noise(7), noise(13))
    expect(added + removed).toBeGreaterThan(10_000)
  })
})

describe("the log's filter", () => {
  const entry = (seq: number, type: string, text: string) => ({
    seq,
    type,
    json: JSON.stringify({ seq, sessionId: "ses_1", at: "2026-11-21T02:00:00.000Z", event: { type, text } })
  })

  it("finds by text and by type, and looks only at what is new", () => {
    const entries = [entry(1, "TextChunk", "Hello"), entry(2, "Warning", "hello"), entry(3, "TextChunk", "bye")]
    const wanted = { text: "HELLO", type: "" }
    const two = Filter.run(undefined, entries, 2, wanted)
    expect(two.found.map(({ seq }) => seq)).toStrictEqual([1, 2])
    entries.push(entry(4, "TextChunk", "hello again"))
    const four = Filter.run(two, entries, 4, wanted)
    expect(four.found.map(({ seq }) => seq)).toStrictEqual([1, 2, 4])
    expect(Object.fromEntries(four.types)).toStrictEqual({ TextChunk: 3, Warning: 1 })
    expect(Filter.run(four, entries, 4, wanted)).toBe(four)
    expect(Filter.run(four, entries, 4, { text: "", type: "Warning" }).found.map(({ seq }) => seq)).toStrictEqual([2])
    // a log that began again is another one
    expect(Filter.run(four, entries.slice(0, 1), 1, wanted).found.map(({ seq }) => seq)).toStrictEqual([1])
  })

  it("says in a line what an event is about", () => {
    expect(Filter.summarise(entry(1, "TextChunk", "Hello"))).toStrictEqual({
      at: "2026-11-21T02:00:00.000Z",
      text: "Hello"
    })
    const json = JSON.stringify({ event: { type: "PlanUpdated", entries: [] } })
    expect(Filter.summarise({ seq: 2, type: "PlanUpdated", json })).toStrictEqual({ at: "", text: `{"entries":[]}` })
  })
})
