import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Agenda from "../../src/lifecycle/Agenda.js"
import "../seed.js"

type Step = { readonly add: number } | { readonly remove: number } | { readonly take: number }

const step: FastCheck.Arbitrary<Step> = FastCheck.oneof(
  { weight: 3, arbitrary: FastCheck.record({ add: FastCheck.nat(30) }) },
  FastCheck.record({ remove: FastCheck.nat(20) }),
  FastCheck.record({ take: FastCheck.nat(30) })
)

describe("EB9 the agenda", () => {
  it("gives what is due, the earliest first, and nothing that was taken out", () => {
    FastCheck.assert(FastCheck.property(FastCheck.array(step, { maxLength: 60 }), (steps) => {
      const agenda = Agenda.make<number>()
      const entries: Array<Agenda.Entry<number>> = []
      let model: ReadonlyArray<Agenda.Entry<number>> = []
      for (const [index, step] of steps.entries()) {
        if ("add" in step) {
          const entry = agenda.add(step.add, index)
          entries.push(entry)
          model = [...model, entry]
        } else if ("remove" in step) {
          const entry = entries[step.remove]
          if (entry !== undefined) agenda.remove(entry)
          model = model.filter((each) => each !== entry)
        } else {
          const first = Math.min(...model.map((entry) => entry.at))
          const taken = agenda.take(step.take)
          if (first > step.take) expect(taken).toBeUndefined()
          else {
            const entry = model.find((each) => each.value === taken)
            expect(entry?.at).toBe(first)
            model = model.filter((each) => each !== entry)
          }
        }
        expect(agenda.next()).toBe(model.length === 0 ? undefined : Math.min(...model.map((entry) => entry.at)))
      }
    }))
  })
})
