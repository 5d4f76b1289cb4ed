import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as Frames from "../../../src/agent/acp/Frames.js"
import "../../seed.js"

leakFreeFile()

const note = (params: unknown) => ({ jsonrpc: "2.0", method: "note", params })

const all = (frames: Frames.Frames, chunks: ReadonlyArray<Buffer>) =>
  [...chunks.flatMap((chunk) => [...frames.push(chunk)]), ...frames.end()].map(Either.merge)

describe("Frames", () => {
  it("however the bytes are cut, the messages are the same", () => {
    const strings = Arbitrary.make(Schema.Array(Schema.String))
    FastCheck.assert(
      FastCheck.property(strings, FastCheck.array(FastCheck.nat(40), { minLength: 1 }), (texts, cuts) => {
        const bytes = Buffer.from(texts.map((text) => `${JSON.stringify(note(`${text} ü 𝄞`))}\r\n`).join("\n"))
        const chunks: Array<Buffer> = []
        for (let from = 0, i = 0; from < bytes.length; i++) {
          const to = from + 1 + (cuts[i % cuts.length] ?? 0)
          chunks.push(bytes.subarray(from, to))
          from = to
        }
        assert.deepStrictEqual<ReadonlyArray<unknown>>(
          all(Frames.make(1e6), chunks),
          texts.map((text) => note(`${text} ü 𝄞`))
        )
      })
    )
  })

  it("the last line needs no line feed, and half a line is no fault", () => {
    assert.deepStrictEqual<ReadonlyArray<unknown>>(all(Frames.make(100), [Buffer.from(JSON.stringify(note(1)))]), [
      note(1)
    ])
    assert.deepStrictEqual(all(Frames.make(100), [Buffer.from("{\"jsonrpc\":")]), [])
  })

  it.each([["5"], ["[]"], ["{}"], ["{\"jsonrpc\":\"2.0\"}"], ["{\"jsonrpc\":\"1.0\",\"method\":\"a\"}"], ["null"], [
    "oops"
  ]])(
    "%s is no message",
    (line) => {
      const [frame] = all(Frames.make(100), [Buffer.from(`${line}\n`)])
      assert.deepInclude({ ...frame }, { _tag: "AgentProtocolError", detail: line })
    }
  )

  it("a message may be as long as the limit and not longer, ended or not", () => {
    const line = JSON.stringify(note("x"))
    assert.deepStrictEqual<ReadonlyArray<unknown>>(all(Frames.make(line.length), [Buffer.from(`${line}\n`)]), [
      note("x")
    ])
    const [ended] = all(Frames.make(line.length - 1), [Buffer.from(`${line}\n`)])
    assert.deepInclude({ ...ended }, { _tag: "AgentMessageTooLarge", limit: line.length - 1 })
    const [endless] = all(Frames.make(10), [Buffer.from("x".repeat(6)), Buffer.from("x".repeat(6))])
    assert.deepInclude({ ...endless }, { _tag: "AgentMessageTooLarge", limit: 10 })
  })
})
