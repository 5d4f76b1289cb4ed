import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Deadlines from "../../src/lifecycle/Deadlines.js"
import "../seed.js"

const member = (name: number): Deadlines.Due & { readonly name: number } => ({ name, at: 0, place: -1 })

describe("Deadlines", () => {
  it("tells what is due first, whatever is put in, moved and taken out", () => {
    const change = FastCheck.tuple(
      FastCheck.integer({ min: 0, max: 19 }),
      FastCheck.option(FastCheck.integer({ min: 0, max: 50 }), { nil: undefined })
    )
    FastCheck.assert(FastCheck.property(FastCheck.array(change, { maxLength: 200 }), (changes) => {
      const deadlines = Deadlines.make<ReturnType<typeof member>>()
      const members = Array.from({ length: 20 }, (_, name) => member(name))
      const plain = new Map<number, number>()
      for (const [name, at] of changes) {
        const changed = members[name]
        if (changed === undefined) continue
        deadlines.set(changed, at)
        if (at === undefined) plain.delete(name)
        else plain.set(name, at)
        expect(deadlines.first()?.at).toBe(plain.size === 0 ? undefined : Math.min(...plain.values()))
        expect(changed.place >= 0).toBe(plain.has(name))
      }
      // and one after the other, in order
      const left: Array<number> = []
      for (let first = deadlines.first(); first !== undefined; first = deadlines.first()) {
        left.push(first.at)
        deadlines.set(first, undefined)
      }
      expect(left).toEqual([...plain.values()].toSorted((a, b) => a - b))
    }))
  })
})
