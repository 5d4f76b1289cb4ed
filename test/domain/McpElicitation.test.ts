import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import type { ElicitationOutcome } from "../../src/domain/Elicitation.js"
import * as McpElicitation from "../../src/domain/McpElicitation.js"
import * as Forms from "./forms.js"
import "../seed.js"

const wire = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
const paths = <A>(decoded: Either.Either<A, ReadonlyArray<{ readonly path: ReadonlyArray<string> }>>) =>
  Either.match(decoded, { onLeft: (issues) => issues.map(({ path }) => path.join(".")), onRight: () => [] })

const formRequest = FastCheck.record({
  kind: FastCheck.constant("form" as const),
  message: FastCheck.string(),
  schema: Forms.form
})
const urlRequest = FastCheck.record({
  kind: FastCheck.constant("url" as const),
  message: FastCheck.string(),
  url: FastCheck.webUrl({ withQueryParameters: true })
})
const request = FastCheck.oneof(formRequest, urlRequest)
const urlAsked = FastCheck.record({ request: urlRequest, externalId: FastCheck.string() }, {
  requiredKeys: ["request"]
})
const asked = FastCheck.oneof(formRequest.map((request) => ({ request })), urlAsked)

const value = FastCheck.oneof(
  FastCheck.string(),
  FastCheck.integer(),
  FastCheck.boolean(),
  FastCheck.array(FastCheck.string(), { maxLength: 3 })
)
const key = FastCheck.string().filter((key) => key !== "__proto__")
const content = FastCheck.dictionary(key, value, { maxKeys: 4, noNullPrototype: true })
const answer = FastCheck.oneof(
  FastCheck.record({ action: FastCheck.constant("accept" as const), content }, { requiredKeys: ["action"] }),
  FastCheck.record({ action: FastCheck.constantFrom("decline" as const, "cancel" as const) })
)
const keyed = <A>(arbitrary: FastCheck.Arbitrary<A>) =>
  FastCheck.dictionary(key, arbitrary, { maxKeys: 4, noNullPrototype: true })

describe("McpElicitation", () => {
  it("a question goes to the wire and back", () => {
    FastCheck.assert(FastCheck.property(asked, (asked) => {
      expect(McpElicitation.fromCreate(wire(McpElicitation.toCreate(asked)))).toStrictEqual(Either.right(asked))
    }))
  })

  it("a request without a mode is a form", () => {
    const schema = { type: "object", properties: { name: { type: "string" } } }
    expect(McpElicitation.fromCreate({ message: "Who?", requestedSchema: schema })).toStrictEqual(
      Either.right({ request: { kind: "form", message: "Who?", schema } })
    )
  })

  it("a page without a name is one of the later protocol", () => {
    expect(McpElicitation.fromCreate({ mode: "url", message: "Log in", url: "https://a.org" })).toStrictEqual(
      Either.right({ request: { kind: "url", message: "Log in", url: "https://a.org" } })
    )
  })

  it("what cannot be asked says where", () => {
    expect(paths(McpElicitation.fromCreate({ mode: "think", message: "?" }))).toStrictEqual(["mode"])
    expect(paths(McpElicitation.fromCreate({ mode: "form", message: "?" }))).toStrictEqual(["requestedSchema"])
    expect(paths(McpElicitation.fromCreate({ requestedSchema: {} }))).toStrictEqual(["message"])
    expect(paths(McpElicitation.fromCreate({
      message: "?",
      requestedSchema: { type: "object", properties: { a: { type: "object" } } }
    }))).toStrictEqual(["requestedSchema.properties.a.type"])
    expect(paths(McpElicitation.fromCreate({ mode: "url", message: "?", url: "file:///x" }))).toStrictEqual(["url"])
    expect(paths(McpElicitation.fromCreate({ mode: "url", message: "?", url: "https://a.org", elicitationId: 1 })))
      .toStrictEqual(["elicitationId"])
    expect(paths(McpElicitation.fromCreate(null))).toStrictEqual([""])
  })

  it("an answer goes to the wire and back, and what is no answer is a cancel", () => {
    FastCheck.assert(FastCheck.property(answer, (answer) => {
      const result = McpElicitation.toResult({ _tag: "Answered", ...answer, by: "memory" })
      expect(McpElicitation.fromResult(wire(result))).toStrictEqual(Either.right(answer))
    }))
    const none: ReadonlyArray<ElicitationOutcome> = [{ _tag: "Expired" }, { _tag: "Withdrawn", reason: "gone" }]
    for (const outcome of none) expect(McpElicitation.toResult(outcome)).toStrictEqual({ action: "cancel" })
    expect(paths(McpElicitation.fromResult({ action: "maybe" }))).toStrictEqual(["action"])
  })

  it("the pages of -32042 go to the wire and back", () => {
    FastCheck.assert(FastCheck.property(FastCheck.array(urlAsked, { maxLength: 3 }), (pages) => {
      const error = McpElicitation.toUrlRequired(pages)
      expect(error.code).toBe(-32042)
      expect(McpElicitation.fromUrlRequired(wire(error))).toStrictEqual(Either.right(pages))
    }))
  })

  it("the error of server-everything is understood, and others are not taken for it", () => {
    const page = { mode: "url", url: "https://a.org/x", message: "Please", elicitationId: "e1" }
    const error = { code: -32042, message: "URL required", data: { elicitations: [page] } }
    expect(McpElicitation.fromUrlRequired(error)).toStrictEqual(
      Either.right([{ request: { kind: "url", message: "Please", url: "https://a.org/x" }, externalId: "e1" }])
    )
    expect(paths(McpElicitation.fromUrlRequired({ ...error, code: -32602 }))).toStrictEqual(["code"])
    expect(paths(McpElicitation.fromUrlRequired({ code: -32042 }))).toStrictEqual(["data.elicitations"])
    expect(paths(McpElicitation.fromUrlRequired({
      code: -32042,
      data: { elicitations: [page, { message: "?", requestedSchema: {} }, { ...page, url: "x" }] }
    }))).toStrictEqual(["data.elicitations.1.mode", "data.elicitations.2.url"])
  })

  it("the inputs that a call requires go to the wire and back", () => {
    FastCheck.assert(FastCheck.property(
      keyed(request),
      FastCheck.option(FastCheck.string(), { nil: undefined }),
      (requests, requestState) => {
        const required = {
          questions: Object.entries(requests).map(([key, request]) => ({ key, request })),
          ...requestState === undefined ? {} : { requestState }
        }
        expect(McpElicitation.fromInputRequired(wire(McpElicitation.toInputRequired(required)))).toStrictEqual(
          Either.right({ ...required, others: [] })
        )
      }
    ))
  })

  it("what a server wants that is no question is named apart", () => {
    const params = { mode: "form", message: "Sure?", requestedSchema: { type: "object", properties: {} } }
    expect(McpElicitation.fromInputRequired({
      resultType: "input_required",
      inputRequests: {
        confirm: { method: "elicitation/create", params },
        think: { method: "sampling/createMessage", params: {} }
      },
      requestState: "abc"
    })).toStrictEqual(Either.right({
      questions: [{
        key: "confirm",
        request: { kind: "form", message: "Sure?", schema: { type: "object", properties: {} } }
      }],
      others: ["think"],
      requestState: "abc"
    }))
    expect(paths(McpElicitation.fromInputRequired({ resultType: "complete" }))).toStrictEqual(["resultType"])
    expect(paths(McpElicitation.fromInputRequired({
      resultType: "input_required",
      inputRequests: { a: { method: "elicitation/create", params: { message: "?", mode: "url" } } }
    }))).toStrictEqual(["inputRequests.a.params.url"])
  })

  it("the answers go back under the names of their questions", () => {
    FastCheck.assert(FastCheck.property(keyed(answer), (answers) => {
      const entries = Object.entries(answers)
      const responses = McpElicitation.toInputResponses(
        entries.map(([key, answer]) => ({ key, outcome: { _tag: "Answered", ...answer } }))
      )
      expect(McpElicitation.fromInputResponses(wire(responses))).toStrictEqual(
        Either.right(entries.map(([key, answer]) => ({ key, answer })))
      )
    }))
    expect(paths(McpElicitation.fromInputResponses({ a: { action: "x" } }))).toStrictEqual(["a.action"])
  })

  it("nothing makes it throw", () => {
    FastCheck.assert(FastCheck.property(FastCheck.anything(), (anything) => {
      McpElicitation.fromCreate(anything)
      McpElicitation.fromResult(anything)
      McpElicitation.fromUrlRequired({ code: -32042, data: anything })
      McpElicitation.fromInputRequired({ resultType: "input_required", inputRequests: anything })
      McpElicitation.fromInputResponses(anything)
    }))
  })
})
