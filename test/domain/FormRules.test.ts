import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import { checkForm } from "../../src/domain/FormCheck.js"
import * as FormRules from "../../src/domain/FormRules.js"
import * as Forms from "./forms.js"
import "../seed.js"

/** Where a form is wrong, and the first reason. */
const faults = (schema: unknown) =>
  Either.match(FormRules.parse(schema), {
    onLeft: (issues) => issues.map(({ message, path }) => `${path.join(".")}: ${message}`),
    onRight: () => []
  })

const paths = (schema: unknown) => faults(schema).map((fault) => fault.slice(0, fault.indexOf(": ")))
const ofField = (field: unknown) => faults({ type: "object", properties: { it: field } })
const pathsOf = (field: unknown) =>
  paths({ type: "object", properties: { it: field } }).map((path) => path.replace(/^properties\.it\.?/, ""))

describe("FormRules", () => {
  it("every kind of field that ACP and MCP have may be asked", () => {
    const schema = {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      type: "object",
      title: "About you",
      additionalProperties: false,
      properties: {
        name: { type: "string", title: "Name", minLength: 1, maxLength: 40, default: "Ada" },
        code: { type: "string", pattern: "^[A-Z]{2}-\\d+$" },
        email: { type: "string", format: "email" },
        site: { type: "string", format: "uri" },
        born: { type: "string", format: "date", default: "2000-02-29" },
        when: { type: "string", format: "date-time" },
        share: { type: "number", minimum: 0, maximum: 1, default: 0.5 },
        age: { type: "integer", minimum: 0 },
        news: { type: "boolean", default: false },
        size: { type: "string", enum: ["s", "m"], default: "m" },
        legacy: { type: "string", enum: ["s", "m"], enumNames: ["Small", "Medium"] },
        colour: { type: "string", oneOf: [{ const: "r", title: "Red" }, { const: "g", title: "Green" }], default: "r" },
        days: {
          type: "array",
          items: { type: "string", enum: ["mo", "tu"] },
          minItems: 1,
          maxItems: 2,
          default: ["mo"]
        },
        tags: { type: "array", items: { anyOf: [{ const: "a", title: "A" }] }, uniqueItems: true, default: [] },
        remarked: { type: "string", $comment: "?", examples: ["x"], readOnly: true, _meta: {} }
      },
      required: ["name", "days"]
    }
    const parsed = Either.getOrThrow(FormRules.parse(schema))
    expect(Object.keys(parsed.properties)).toStrictEqual(Object.keys(schema.properties))
    expect(parsed.properties["remarked"]).toStrictEqual({ type: "string" })
    expect(parsed.properties["legacy"]).toStrictEqual(schema.properties.legacy)
    expect(parsed.required).toStrictEqual(["name", "days"])
  })

  it("what an agent leaves out by `null` is left out", () => {
    expect(faults({
      type: null,
      properties: { it: { type: "string", title: null, minLength: null, enum: null, default: null, pattern: null } },
      required: null
    })).toStrictEqual([])
    expect(faults({})).toStrictEqual([])
  })

  it("a nested form is refused, with the path and what would be allowed", () => {
    expect(ofField({ type: "object", properties: { street: { type: "string" } } })).toStrictEqual([
      "properties.it.type: \"object\" is no type of a field; a form is flat: ask for the parts of an object as fields of " +
      "their own; allowed are string, number, integer, boolean, array"
    ])
    expect(pathsOf({ type: "array", items: { type: "object", properties: {} } })).toContain("items.properties")
    expect(pathsOf({ type: "array", items: { type: "array", items: { type: "string" } } })).toContain("items.items")
    expect(pathsOf({ type: "array", items: { type: "string" } })).toStrictEqual(["items"])
    expect(pathsOf({ type: "array" })).toStrictEqual(["items"])
    expect(pathsOf({ type: "string", properties: {} })).toStrictEqual(["properties"])
  })

  it("types that are none are refused", () => {
    for (const type of ["null", "date", "_mine", undefined, 3, ["string", "null"], "constructor"]) {
      expect(pathsOf({ type })).toStrictEqual(["type"])
    }
    for (const field of [undefined, null, "string", []]) expect(pathsOf(field)).toStrictEqual([""])
  })

  it("rules that nobody would apply are refused", () => {
    expect(pathsOf({ type: "string", $ref: "#/x" })).toStrictEqual(["$ref"])
    expect(pathsOf({ type: "number", exclusiveMinimum: 1, multipleOf: 2 })).toStrictEqual([
      "exclusiveMinimum",
      "multipleOf"
    ])
    expect(pathsOf({ type: "integer", enum: [1, 2] })).toStrictEqual(["enum"])
    expect(pathsOf({ type: "string", const: "x" })).toStrictEqual(["const"])
    expect(pathsOf({ type: "boolean", minLength: 1 })).toStrictEqual(["minLength"])
    expect(paths({ properties: {}, anyOf: [], minProperties: 1 })).toStrictEqual(["anyOf", "minProperties"])
    expect(paths({ properties: {}, additionalProperties: { type: "string" } })).toStrictEqual(["additionalProperties"])
  })

  it("bounds that no value can meet are refused", () => {
    expect(pathsOf({ type: "string", minLength: 3, maxLength: 2 })).toStrictEqual(["minLength"])
    expect(pathsOf({ type: "number", minimum: 1, maximum: 0 })).toStrictEqual(["minimum"])
    expect(pathsOf({ type: "array", items: { enum: ["a"] }, minItems: 2, maxItems: 1 })).toStrictEqual([
      "minItems",
      "minItems"
    ])
    expect(pathsOf({ type: "array", items: { enum: ["a"] }, minItems: 2 })).toStrictEqual(["minItems"])
    expect(pathsOf({ type: "string", minLength: -1 })).toStrictEqual(["minLength"])
    expect(pathsOf({ type: "string", minLength: "1" })).toStrictEqual(["minLength"])
    expect(pathsOf({ type: "number", minimum: Number.NaN })).toStrictEqual(["minimum"])
    expect(pathsOf({ type: "string", minLength: 2, maxLength: 2 })).toStrictEqual([])
  })

  it("choices are there, each once, and told in one way", () => {
    expect(pathsOf({ type: "string", enum: [] })).toStrictEqual([""])
    expect(pathsOf({ type: "string", enum: ["a", "b", "a"] })).toStrictEqual([""])
    expect(ofField({ type: "string", enum: ["a", "b", "a", "a"] })).toHaveLength(1)
    expect(pathsOf({ type: "string", oneOf: [{ const: "a", title: "A" }, { const: "a", title: "B" }] })).toStrictEqual([
      ""
    ])
    expect(pathsOf({ type: "array", items: { enum: ["a", "a"] } })).toStrictEqual(["items"])
    expect(pathsOf({ type: "array", items: { anyOf: [] } })).toStrictEqual(["items"])
    expect(pathsOf({ type: "string", enum: ["a"], oneOf: [{ const: "a", title: "A" }] })).toStrictEqual(["oneOf"])
    expect(pathsOf({ type: "array", items: { enum: ["a"], anyOf: [{ const: "a", title: "A" }] } })).toStrictEqual([
      "items.anyOf"
    ])
    expect(pathsOf({ type: "string", enum: ["a", "b"], enumNames: ["A"] })).toStrictEqual(["enumNames"])
    expect(pathsOf({ type: "string", enumNames: ["A"] })).toStrictEqual(["enumNames"])
    expect(pathsOf({ type: "string", enum: [1] })).toStrictEqual(["enum.0"])
    expect(pathsOf({ type: "string", oneOf: [{ const: "a" }] })).toStrictEqual(["oneOf.0.title"])
  })

  it("a default fits its own field", () => {
    expect(pathsOf({ type: "string", minLength: 2, default: "a" })).toStrictEqual(["default"])
    expect(pathsOf({ type: "string", format: "date", default: "2026-02-30" })).toStrictEqual(["default"])
    expect(pathsOf({ type: "string", pattern: "^a$", default: "b" })).toStrictEqual(["default"])
    expect(pathsOf({ type: "string", enum: ["a"], default: "b" })).toStrictEqual(["default"])
    expect(pathsOf({ type: "integer", default: 1.5 })).toStrictEqual(["default"])
    expect(pathsOf({ type: "number", minimum: 1, default: 0 })).toStrictEqual(["default"])
    expect(pathsOf({ type: "boolean", default: "true" })).toStrictEqual(["default"])
    expect(pathsOf({ type: "array", items: { enum: ["a"] }, default: ["a", "b"] })).toStrictEqual(["default.1"])
    expect(pathsOf({ type: "array", items: { enum: ["a"] }, minItems: 1, default: [] })).toStrictEqual(["default"])
  })

  it("what is required is a field", () => {
    expect(faults({ properties: { a: { type: "string" } }, required: ["a", "b"] })).toStrictEqual([
      "required.1: there is no field \"b\"; there are a"
    ])
    expect(paths({ properties: {}, required: ["toString"] })).toStrictEqual(["required.0"])
    expect(paths({ properties: {}, required: [1] })).toStrictEqual(["required.0"])
    expect(paths({ properties: {}, required: "a" })).toStrictEqual(["required"])
  })

  it("a pattern that cannot be checked is refused", () => {
    expect(pathsOf({ type: "string", pattern: "(" })).toStrictEqual(["pattern"])
    expect(pathsOf({ type: "string", pattern: "(a)\\1" })).toStrictEqual(["pattern"])
    expect(pathsOf({ type: "string", pattern: 1 })).toStrictEqual(["pattern"])
  })

  it("what is no form at all is refused", () => {
    for (const schema of [undefined, null, "x", 1, [], () => {}]) expect(faults(schema)).toHaveLength(1)
    expect(paths({ type: "array" })).toStrictEqual(["type"])
    expect(paths({ properties: [] })).toStrictEqual(["properties"])
    expect(paths(JSON.parse("{\"properties\":{\"__proto__\":{\"type\":\"string\"}}}"))).toStrictEqual([
      "properties.__proto__"
    ])
  })

  it("every fault is told at once", () => {
    expect(paths({
      type: "object",
      properties: { a: { type: "object" }, b: { type: "string", minLength: 2, maxLength: 1 }, c: { type: "string" } },
      required: ["c", "d"]
    })).toStrictEqual(["properties.a.type", "properties.b.minLength", "required.1"])
  })

  it("a form that follows the rules is asked as it is, and its defaults are an answer to what they cover", () => {
    FastCheck.assert(FastCheck.property(Forms.form, (form) => {
      expect(FormRules.parse(form)).toStrictEqual(Either.right(form))
      expect(FormRules.parse(JSON.parse(JSON.stringify(form)))).toStrictEqual(Either.right(form))
      const missing = (form.required ?? []).filter((name) => form.properties[name]?.default === undefined)
      expect(
        Either.match(checkForm(form, {}), {
          onLeft: (issues) => issues.map(({ path }) => path[0]),
          onRight: () => []
        }).sort()
      ).toStrictEqual([...missing].sort())
    }))
  })

  it("nothing makes it throw", () => {
    FastCheck.assert(FastCheck.property(FastCheck.anything(), (anything) => {
      FormRules.parse(anything)
      FormRules.parse({ properties: { it: anything } })
      FormRules.parse({ properties: { it: { type: "string", default: anything, enum: anything, pattern: anything } } })
      FormRules.parse({ properties: { it: { type: "array", items: anything, default: anything } }, required: anything })
    }))
  })
})
