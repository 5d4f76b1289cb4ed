import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import type { FormField } from "../../src/domain/Elicitation.js"
import { checkForm } from "../../src/domain/Elicitation.js"

const check = (field: FormField, value: unknown) => checkForm({ properties: { it: field } }, { it: value })

/** What is said of the value, or "" if it is taken. */
const fault = (field: FormField, value: unknown): string =>
  Either.match(check(field, value), {
    onLeft: (issues) => issues.map(({ message }) => message).join(),
    onRight: () => ""
  })

const taken = (field: FormField, ...values: ReadonlyArray<unknown>) => values.map((value) => fault(field, value) === "")

describe("EB7 a form is checked against its schema", () => {
  it("a string is bounded by its lengths, its pattern, its format and its choices", () => {
    const bounded: FormField = { type: "string", minLength: 2, maxLength: 3 }
    expect(taken(bounded, "a", "ab", "abc", "abcd", 12, null)).toStrictEqual([false, true, true, false, false, false])
    expect(taken({ type: "string", pattern: "^[a-z]+$" }, "abc", "ABC", "")).toStrictEqual([true, false, false])
    // a pattern is not anchored, and one that is none binds no one
    expect(taken({ type: "string", pattern: "b" }, "abc", "ac")).toStrictEqual([true, false])
    expect(taken({ type: "string", pattern: "(" }, "abc")).toStrictEqual([true])
    expect(taken({ type: "string", format: "email" }, "a@b.org", "a@b", "a b@c.org")).toStrictEqual([
      true,
      false,
      false
    ])
    expect(taken({ type: "string", format: "uri" }, "https://a.org/x", "a.org")).toStrictEqual([true, false])
    expect(taken({ type: "string", format: "date" }, "2026-11-21", "21.11.2026")).toStrictEqual([true, false])
    expect(taken({ type: "string", format: "date-time" }, "2026-11-21T02:00:00Z", "2026-11-21")).toStrictEqual([
      true,
      false
    ])
    expect(taken({ type: "string", format: "colour" }, "anything")).toStrictEqual([true])
    expect(taken({ type: "string", enum: ["a", "b"] }, "a", "c")).toStrictEqual([true, false])
    expect(taken({ type: "string", oneOf: [{ const: "a", title: "A" }] }, "a", "A")).toStrictEqual([true, false])
  })

  it("a number is a finite number within its bounds, an integer has no fraction; a bound of 0 is a bound", () => {
    expect(taken({ type: "number", minimum: 0, maximum: 1 }, -0.1, 0, 0.5, 1, 1.1)).toStrictEqual([
      false,
      true,
      true,
      true,
      false
    ])
    expect(taken({ type: "number", maximum: 0 }, 1, -1)).toStrictEqual([false, true])
    expect(taken({ type: "number" }, "1", Number.NaN, Number.POSITIVE_INFINITY)).toStrictEqual([false, false, false])
    expect(taken({ type: "integer" }, 1, 1.5, "1")).toStrictEqual([true, false, false])
  })

  it("a boolean is no string, and a list holds only what was offered, as many as allowed", () => {
    expect(taken({ type: "boolean" }, true, "true", 1)).toStrictEqual([true, false, false])
    const list: FormField = { type: "array", minItems: 1, maxItems: 2, items: { enum: ["a", "b", "c"] } }
    expect(taken(list, [], ["a"], ["a", "b"], ["a", "b", "c"], ["d"], "a")).toStrictEqual([
      false,
      true,
      true,
      false,
      false,
      false
    ])
    expect(taken({ type: "array", items: { anyOf: [{ const: "a", title: "A" }] } }, ["a"], ["A"])).toStrictEqual([
      true,
      false
    ])
    expect(taken({ type: "array", items: {} }, ["anything"], [1])).toStrictEqual([true, false])
  })

  it("what is required must be there unless it has a default, and nothing else may be", () => {
    const form = {
      properties: { a: { type: "string" }, b: { type: "integer", default: 0 }, c: { type: "boolean" } },
      required: ["a", "b"]
    } as const
    expect(checkForm(form, { a: "x" })).toStrictEqual(Either.right({ a: "x", b: 0 }))
    expect(checkForm(form, { a: "x", b: undefined, c: undefined })).toStrictEqual(Either.right({ a: "x", b: 0 }))
    expect(checkForm(form, { a: "", b: 2, c: false })).toStrictEqual(Either.right({ a: "", b: 2, c: false }))
    expect(Either.flip(checkForm(form, {})).pipe(Either.map((issues) => issues.map(({ path }) => path))))
      .toStrictEqual(Either.right([["a"]]))
    expect(Either.isLeft(checkForm(form, { a: "x", d: 1 }))).toBe(true)
    expect(checkForm({ properties: {} }, {})).toStrictEqual(Either.right({}))
  })

  it("a field may have the name of something that every object has", () => {
    const form = { properties: { constructor: { type: "string", default: "none" } } } as const
    expect(checkForm(form, {})).toStrictEqual(Either.right({ constructor: "none" }))
    const required = { properties: { toString: { type: "string" } }, required: ["toString"] } as const
    expect(Either.isLeft(checkForm(required, {}))).toBe(true)
  })

  it("every fault is told at once, with its field, and EB11 without the value", () => {
    const issues = Either.flip(checkForm({
      properties: {
        code: { type: "integer" },
        pin: { type: "string", minLength: 20 },
        choice: { type: "string", enum: ["a"] }
      }
    }, { code: "hunter2", pin: "hunter2", choice: "hunter2", "more": "hunter2" }))
    expect(Either.getOrThrow(issues).map(({ path }) => path.join(".")).sort()).toStrictEqual([
      "choice",
      "code",
      "more",
      "pin"
    ])
    expect(JSON.stringify(issues)).not.toContain("hunter2")
  })
})
