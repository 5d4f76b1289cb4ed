import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Questions from "../../src/cli/Questions.js"
import type { Elicitation, FormSchema } from "../../src/domain/Elicitation.js"
import { ElicitationId, SessionId } from "../../src/domain/Ids.js"
import * as Terminal from "./terminal.js"

const { down, enter } = Terminal

const asked = { id: ElicitationId.make("eli_a"), sessionId: SessionId.make("ses_a"), message: "Well?" }

const permission: Elicitation = {
  ...asked,
  kind: "permission",
  options: [
    { optionId: "no", name: "Reject", kind: "reject_once" },
    { optionId: "yes", name: "Allow", kind: "allow_once" },
    { optionId: "always", name: "Always", kind: "allow_always" }
  ]
}

const form = (properties: FormSchema["properties"], ...required: ReadonlyArray<string>): Elicitation => ({
  ...asked,
  kind: "form",
  schema: { properties, required }
})

/** The answer of a person who types this. */
const answer = (question: Elicitation, ...typed: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const terminal = yield* Terminal.make
    const fiber = yield* Effect.fork(Effect.provide(Questions.prompt(question), terminal.layer))
    yield* terminal.type(...typed)
    return { answer: yield* Fiber.join(fiber), shown: terminal.shown.join("") }
  })

describe("Questions", () => {
  it.effect("a permission is a choice of the agent's options", () =>
    Effect.gen(function*() {
      expect((yield* answer(permission, enter)).answer).toEqual({ action: "accept", content: { optionId: "no" } })
      expect((yield* answer(permission, down, down, enter)).answer).toEqual({
        action: "accept",
        content: { optionId: "always" }
      })
    }))

  it.effect("a url is shown, and going there has to be confirmed", () =>
    Effect.gen(function*() {
      const question: Elicitation = { ...asked, kind: "url", url: "https://example.com/x" }
      const { answer: given, shown } = yield* answer(question, "y")
      expect(given).toEqual({ action: "accept" })
      expect(shown).toContain("https://example.com/x")
      expect((yield* answer(question, enter)).answer).toEqual({ action: "decline" })
    }))

  it.effect("a confirmation is yes or no", () =>
    Effect.gen(function*() {
      const question: Elicitation = { ...asked, kind: "confirmation" }
      expect((yield* answer(question, "y")).answer).toEqual({ action: "accept" })
      expect((yield* answer(question, "n")).answer).toEqual({ action: "decline" })
    }))

  it.effect("a form is asked field by field, each with its own kind of prompt", () =>
    Effect.gen(function*() {
      const question = form(
        {
          name: { type: "string", description: "as in your passport" },
          age: { type: "integer" },
          colour: { type: "string", oneOf: [{ const: "r", title: "Red" }, { const: "g", title: "Green" }] },
          news: { type: "boolean", default: true },
          days: { type: "array", items: { enum: ["mon", "tue"] }, default: ["tue"] }
        },
        "name",
        "age",
        "colour",
        "news",
        "days"
      )
      const { answer: given, shown } = yield* answer(
        question,
        enter,
        "Ada",
        enter,
        "36",
        enter,
        down,
        enter,
        enter,
        enter
      )
      expect(given).toEqual({
        action: "accept",
        content: { name: "Ada", age: 36, colour: "g", news: true, days: ["tue"] }
      })
      expect(shown).toContain("name: as in your passport")
    }))

  it.effect("the choices of a field are shown by their titles, however those are told", () =>
    Effect.gen(function*() {
      const question = form({ size: { type: "string", enum: ["s", "m"], enumNames: ["Small", "Medium"] } }, "size")
      const { answer: given, shown } = yield* answer(question, enter, down, enter)
      expect(given).toEqual({ action: "accept", content: { size: "m" } })
      expect(shown).toContain("Medium")
    }))

  it.effect("a form can be declined", () =>
    Effect.gen(function*() {
      expect((yield* answer(form({ name: { type: "string" } }), down, enter)).answer).toEqual({ action: "decline" })
    }))

  it.effect("defaults are offered, and an optional field that is left empty is left out", () =>
    Effect.gen(function*() {
      const question = form({
        name: { type: "string", default: "Ada" },
        age: { type: "number", default: 36 },
        note: { type: "string", minLength: 3 },
        count: { type: "integer" },
        choice: { type: "string", enum: ["a"] }
      })
      const { answer: given } = yield* answer(question, enter, enter, enter, enter, enter, down, enter)
      expect(given).toEqual({ action: "accept", content: { name: "Ada", age: 36 } })
    }))

  it.effect("EB7 a value that breaks its field's rule is refused at once, with the rule", () =>
    Effect.gen(function*() {
      const question = form({ age: { type: "integer", minimum: 18 } }, "age")
      const { answer: given, shown } = yield* answer(question, enter, "7", enter, "7", enter)
      expect(given).toEqual({ action: "accept", content: { age: 77 } })
      expect(shown).toMatch(/greater than or equal to 18/)
    }))

  it.effect("EB11 a secret is not shown while it is typed", () =>
    Effect.gen(function*() {
      const question = { ...form({ password: { type: "string" } }, "password"), sensitive: true }
      const { answer: given, shown } = yield* answer(question, enter, "hush", enter)
      expect(given).toEqual({ action: "accept", content: { password: "hush" } })
      expect(shown).not.toContain("hush")
    }))

  it("--yes takes the first option that allows, and a form whose defaults are enough", () => {
    expect(Questions.consent(permission)).toEqual(Option.some({ action: "accept", content: { optionId: "yes" } }))
    expect(Questions.consent({ ...permission, options: [] })).toEqual(Option.none())
    expect(Questions.consent(form({ name: { type: "string", default: "Ada" } }, "name"))).toEqual(
      Option.some({ action: "accept", content: { name: "Ada" } })
    )
    expect(Questions.consent(form({ name: { type: "string" } }, "name"))).toEqual(Option.none())
    expect(Questions.consent({ ...asked, kind: "url", url: "https://example.com" })).toEqual(Option.none())
  })
})
