import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Passage from "../../../console/model/Passage.js"
import "../../seed.js"

const longest = 26_000

/** As a stream brings it. */
const stream = (text: string, size: number): ReadonlyArray<string> => {
  let parts: ReadonlyArray<string> = [""]
  for (let from = 0; from < text.length; from += size) {
    parts = [...parts.slice(0, -1), ...Passage.extend(parts.at(-1) ?? "", text.slice(from, from + size))]
  }
  return parts
}

const paragraph = "One sentence of a paragraph that goes on for a while. ".repeat(10)

describe("extend", () => {
  it("leaves a short text whole", () => {
    expect(Passage.extend("Hello, ", "world")).toStrictEqual(["Hello, world"])
  })

  it("cuts a long text between its paragraphs, and loses nothing", () => {
    const text = Array.from({ length: 200 }, (_, n) => `${n}: ${paragraph}`).join("\n\n")
    const parts = stream(text, 100)
    expect(parts.join("")).toBe(text)
    expect(parts.length).toBeGreaterThan(10)
    for (const part of parts.slice(1)) expect(part).toMatch(/^\d+: /)
  })

  it("cuts neither a list, a quote nor a table in the middle while there is a better place", () => {
    const list = Array.from({ length: 60 }, (_, n) => `- item ${n} ${"x".repeat(100)}`).join("\n\n")
    const parts = stream(`${paragraph}\n\n${list}\n\nAfter it.\n\n${paragraph.repeat(20)}`, 500)
    expect(parts.filter((part) => part.startsWith("- "))).toStrictEqual([])
  })

  it("takes a block of code that is too long up again with its fence", () => {
    const line = "const answer = 42\n"
    const text = `Look:\n\n\`\`\`ts\n${line.repeat(4000)}\`\`\`\n\nThat was it.`
    const parts = stream(text, 1000)
    expect(parts.length).toBeGreaterThan(2)
    for (const part of parts.slice(1)) expect(part.startsWith("```ts\n")).toBe(true)
    expect(parts.map((part, index) => index === 0 ? part : part.slice(6)).join("")).toBe(text)
  })

  it("repeats a long fence as far as its characters are whole", () => {
    for (const info of ["", "x"]) {
      const [, second = ""] = Passage.extend(`~~~${info}${"😀".repeat(50)}\n`, "z".repeat(40_000))
      expect(second).toMatch(/^~~~x?😀+\nz/u)
    }
  })

  it("cuts any text into parts that are not too long, in which every character is whole", () => {
    const piece = FastCheck.oneof(
      FastCheck.constantFrom("\n", "\n\n", "```", "~~~~", " ", "- ", "> ", "😀"),
      FastCheck.string({ unit: "grapheme", maxLength: 400 }),
      FastCheck.constant("z".repeat(9000)),
      FastCheck.constant("😀".repeat(9000))
    )
    FastCheck.assert(
      FastCheck.property(FastCheck.array(piece, { maxLength: 40 }), (pieces) => {
        let parts: ReadonlyArray<string> = [""]
        for (const piece of pieces) {
          parts = [...parts.slice(0, -1), ...Passage.extend(parts.at(-1) ?? "", piece)]
        }
        for (const part of parts) expect(part.length).toBeLessThanOrEqual(longest)
        expect(() => parts.map(encodeURIComponent)).not.toThrow()
        // nothing is lost: what is added is only the fence that goes on
        const length = parts.reduce((sum, part) => sum + part.length, 0)
        expect(length).toBeGreaterThanOrEqual(pieces.join("").length)
      }),
      { numRuns: 200 }
    )
  })
})
