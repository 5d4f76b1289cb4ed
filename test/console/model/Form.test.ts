import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Form from "../../../console/model/Form.js"
import type { FormSchema } from "../../../src/domain/Elicitation.js"
import { checkForm } from "../../../src/domain/FormCheck.js"
import * as Forms from "../../domain/forms.js"
import "../../seed.js"

// a clock that is not the one of the log
process.env["TZ"] = "Pacific/Auckland"

const schema: FormSchema = {
  properties: {
    name: { type: "string", title: "Your name", description: "As it is printed", minLength: 1, maxLength: 40 },
    mail: { type: "string", format: "email" },
    from: { type: "string", format: "date-time", default: "2026-11-21T02:00:00Z" },
    copies: { type: "integer", minimum: 1, maximum: 10, default: 1 },
    weight: { type: "number" },
    stamp: { type: "boolean" },
    season: { type: "string", oneOf: [{ const: "s", title: "Summer" }, { const: "w", title: "Winter" }] },
    size: { type: "string", enum: ["a", "b"], enumNames: ["Small", "Large"] },
    colours: { type: "array", items: { enum: ["red", "blue"] }, minItems: 1, maxItems: 2 }
  },
  required: ["name", "season"]
}
const fields = Form.fields(schema)
const fill = (values: Form.Values) => Form.toContent(fields, { ...Form.initial(fields), ...values })

describe("fields", () => {
  it("say what they are called, what is expected, and with which control it is given", () => {
    expect(fields.map(({ control, hint, label, required }) => [label, control._tag, hint, required])).toStrictEqual([
      ["Your name", "Text", "1 to 40 characters", true],
      ["mail", "Text", "an e-mail address", false],
      ["from", "Text", "in your time zone", false],
      ["copies", "Number", "a whole number, 1 to 10", false],
      ["weight", "Number", "a number", false],
      ["stamp", "Switch", "", false],
      ["season", "One", "", true],
      ["size", "One", "", false],
      ["colours", "Many", "1 to 2 of them", false]
    ])
  })

  it("name their choices by the titles", () => {
    const titles = fields.flatMap(({ control }) =>
      control._tag === "One" ? [control.choices.map(({ title }) => title)] : []
    )
    expect(titles).toStrictEqual([["Summer", "Winter"], ["Small", "Large"]])
  })
})

describe("toContent", () => {
  it("leaves out what was left empty, and keeps the defaults", () => {
    expect(fill({})).toStrictEqual({ from: "2026-11-21T02:00:00Z", copies: 1 })
  })

  it("gives each field the type of its schema", () => {
    expect(fill({ name: "Ada", copies: "3", weight: "1.5", stamp: false, season: "w", colours: ["blue"] }))
      .toMatchObject({
        name: "Ada",
        copies: 3,
        weight: 1.5,
        stamp: false,
        season: "w",
        colours: ["blue"]
      })
  })

  it("sends a number that is none as it was written, so that the gateway names the field", () => {
    const content = fill({ name: "Ada", season: "s", copies: "three" })
    expect(content).toMatchObject({ copies: "three" })
    expect(Either.flip(checkForm(schema, content))).toStrictEqual(
      Either.right([{ path: ["copies"], message: "Expected an integer" }])
    )
  })

  it("of an untouched form fits its schema, but for what is required and has no default", () => {
    FastCheck.assert(FastCheck.property(Forms.form, (form) => {
      const fields = Form.fields(form)
      const faults = Either.match(checkForm(form, Form.toContent(fields, Form.initial(fields))), {
        onLeft: (issues) => issues.map(({ path: [name = ""] }) => name),
        onRight: () => []
      })
      for (const name of faults) {
        expect(form.required).toContain(name)
        expect(form.properties[name]?.default ?? undefined).toBeUndefined()
      }
    }))
  })
})

describe("byField", () => {
  it("puts each error to its field, those of a list's items too, and the rest together", () => {
    const errors = Form.byField(fields, [
      { path: ["copies"], message: "too many" },
      { path: ["colours", "1"], message: "not one of them" },
      { path: ["colours"], message: "too many" },
      { path: ["other"], message: "unknown" },
      { path: [], message: "wrong" }
    ])
    expect(Object.fromEntries(errors)).toStrictEqual({
      copies: "too many",
      colours: "not one of them; too many",
      "": "unknown; wrong"
    })
  })
})
