import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import type { ElicitationAnswer, ElicitationRequest } from "../../src/domain/Elicitation.js"
import { recordable } from "../../src/domain/Elicitation.js"
import { checkAnswer, checkRequest } from "../../src/domain/ElicitationCheck.js"
import "../seed.js"

const option = (optionId: string, kind = "allow_once") => ({ optionId, name: optionId, kind })
const permission = (...optionIds: ReadonlyArray<string>): ElicitationRequest => ({
  kind: "permission",
  message: "May I?",
  options: optionIds.map((optionId) => option(optionId))
})
const form: ElicitationRequest = {
  kind: "form",
  message: "Who?",
  schema: {
    properties: { name: { type: "string" }, days: { type: "array", items: { enum: ["mo", "tu"] } } },
    required: ["name"]
  }
}
const url = (url: string): ElicitationRequest => ({ kind: "url", message: "Go there", url })
const confirmation: ElicitationRequest = { kind: "confirmation", message: "Sure?" }

const refused = (request: ElicitationRequest) => checkRequest(request).map(({ path }) => path.join("."))
const faults = (request: ElicitationRequest, answer: ElicitationAnswer) =>
  Either.match(checkAnswer(request, answer), {
    onLeft: (issues) => issues.map(({ path }) => path.join(".")),
    onRight: () => []
  })

describe("what may be asked", () => {
  it("a permission has options, each with a name of its own", () => {
    expect(refused(permission("a", "b"))).toStrictEqual([])
    expect(refused(permission())).toStrictEqual(["options"])
    expect(refused(permission("a", "b", "a"))).toStrictEqual(["options.0.optionId", "options.2.optionId"])
  })

  it("a url leads to the web", () => {
    expect(refused(url("https://example.com/x?y"))).toStrictEqual([])
    expect(refused(url("javascript:alert(1)"))).toStrictEqual(["url"])
    expect(refused(url("example.com"))).toStrictEqual(["url"])
  })

  it("a form is one that MCP allows", () => {
    expect(refused(form)).toStrictEqual([])
    const schema = { properties: { a: { type: "string", minLength: 2, maxLength: 1 } } } as const
    expect(refused({ kind: "form", message: "?", schema })).toStrictEqual(["schema.properties.a.minLength"])
    expect(refused(confirmation)).toStrictEqual([])
  })
})

describe("EB7 an answer fits its question", () => {
  it("what is declined or cancelled has no content", () => {
    for (const request of [permission("a"), form, url("https://a.org"), confirmation]) {
      for (const action of ["decline", "cancel"] as const) {
        expect(checkAnswer(request, { action })).toStrictEqual(Either.right({ action }))
        expect(checkAnswer(request, { action, content: {} })).toStrictEqual(Either.right({ action }))
        expect(faults(request, { action, content: { optionId: "a" } })).toStrictEqual(["optionId"])
      }
    }
  })

  it("a permission is answered with an option that was offered, and nothing else", () => {
    const accept = (content?: Record<string, unknown>) =>
      faults(permission("a", "b"), { action: "accept", ...content === undefined ? {} : { content } })
    expect(accept({ optionId: "b" })).toStrictEqual([])
    for (const content of [undefined, {}, { optionId: "c" }, { optionId: 1 }, { optionId: ["a"] }]) {
      expect(accept(content)).toStrictEqual(["optionId"])
    }
    expect(accept({ optionId: "a", name: "x" })).toStrictEqual(["name"])
    expect(accept({ optionid: "a" })).toStrictEqual(["optionId", "optionid"])
  })

  it("to a url and a confirmation \"accept\" says it all", () => {
    for (const request of [url("https://a.org"), confirmation]) {
      expect(checkAnswer(request, { action: "accept" })).toStrictEqual(Either.right({ action: "accept" }))
      expect(faults(request, { action: "accept", content: { name: "x" } })).toStrictEqual(["name"])
    }
  })

  it("a form's fault is told with its whole path", () => {
    expect(faults(form, { action: "accept", content: { name: 1, days: ["mo", "fr"] } })).toStrictEqual([
      "name",
      "days.1"
    ])
    expect(faults(form, { action: "accept", content: { name: "x", days: ["mo", "mo"] } })).toStrictEqual(["days.1"])
    expect(faults(form, { action: "accept" })).toStrictEqual(["name"])
  })

  it("EB11 no message tells a value that a person gave", () => {
    const secret = "hunter2-hunter2"
    const schema = {
      properties: {
        a: { type: "string", maxLength: 3 },
        b: { type: "string", pattern: "^x$" },
        c: { type: "string", format: "email" },
        d: { type: "string", enum: ["x"] },
        e: { type: "number" },
        f: { type: "array", items: { enum: ["x"] } },
        g: { type: "boolean" }
      }
    } as const
    for (const request of [permission("a"), { kind: "form", message: "?", schema } as const, confirmation]) {
      FastCheck.assert(FastCheck.property(
        FastCheck.dictionary(
          FastCheck.constantFrom("a", "b", "c", "d", "e", "f", "g", "optionId", "other"),
          FastCheck.constantFrom<unknown>(secret, [secret], { [secret]: secret }, [[secret]])
        ),
        FastCheck.constantFrom("accept" as const, "decline" as const),
        (content, action) => {
          expect(JSON.stringify(checkAnswer(request, { action, content }))).not.toContain(
            action === "accept" && Either.isRight(checkAnswer(request, { action, content })) ? "never" : secret
          )
        }
      ))
    }
  })
})

describe("recordable", () => {
  it("EB11 of a sensitive answer only that it was given", () => {
    const answered = { _tag: "Answered", action: "accept", content: { pin: "1234" }, by: "policy" } as const
    expect(recordable({ sensitive: true }, answered)).toStrictEqual({
      _tag: "Answered",
      action: "accept",
      by: "policy"
    })
    expect(recordable({ sensitive: false }, answered)).toBe(answered)
    expect(recordable({ sensitive: true }, { _tag: "Expired" })).toStrictEqual({ _tag: "Expired" })
  })
})
