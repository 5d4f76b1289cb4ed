import type * as acp from "@agentclientprotocol/sdk"
import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as AcpQuestions from "../../../src/agent/acp/AcpQuestions.js"

const option = (kind: acp.PermissionOptionKind, optionId: string = kind) => ({ kind, optionId, name: optionId })
const asks = (
  toolCall: Partial<acp.ToolCallUpdate>,
  options: ReadonlyArray<acp.PermissionOption> = [option("allow_once"), option("allow_always")]
): acp.RequestPermissionRequest => ({
  sessionId: "s1",
  toolCall: { toolCallId: "c1", ...toolCall },
  options: [...options]
})

const permission = (params: acp.RequestPermissionRequest, before?: AcpQuestions.ToolCall) => {
  const { request } = Either.getOrThrow(AcpQuestions.ofPermission(params, before))
  return request.kind === "permission" ? request : assert.fail("it is no permission")
}
const refusal = <A>(asked: Either.Either<A, ReadonlyArray<{ readonly path: ReadonlyArray<string> }>>) =>
  Either.getOrThrow(Either.flip(asked)).map(({ path }) => path.join("."))

describe("AcpQuestions", () => {
  it("what \"always\" is about is the kind and the title of the tool call, as they are known", () => {
    assert.strictEqual(permission(asks({ title: "rm x", kind: "execute" })).subject, "execute: rm x")
    assert.strictEqual(permission(asks({ title: "rm x" }), { kind: "execute", title: "old" }).subject, "execute: rm x")
    assert.strictEqual(permission(asks({}), { kind: "edit", title: "a.txt" }).subject, "edit: a.txt")
    // a tool call without a kind is of the kind "other"
    assert.strictEqual(permission(asks({ title: "rm x", kind: null })).subject, "other: rm x")
  })

  it("nothing is asked about for always that has no title, or no such option", () => {
    assert.isUndefined(permission(asks({ kind: "execute" })).subject)
    assert.isUndefined(permission(asks({ title: "rm x" }, [option("allow_once"), option("reject_once")])).subject)
    assert.isDefined(permission(asks({ title: "rm x" }, [option("reject_always")])).subject)
  })

  it("a permission without options, or with two of one name, is refused with the path", () => {
    assert.deepStrictEqual(refusal(AcpQuestions.ofPermission(asks({}, []))), ["options"])
    assert.deepStrictEqual(
      refusal(AcpQuestions.ofPermission(asks({}, [option("allow_once", "a"), option("reject_once", "a")]))),
      ["options.0.optionId", "options.1.optionId"]
    )
  })

  it("an elicitation is asked as MCP's is, about a tool call if it names one", () => {
    const form = { type: "object" as const, properties: { name: { type: "string" as const } } }
    const asked = (params: object) =>
      AcpQuestions.ofElicitation({ sessionId: "s1", message: "Who?", ...params } as acp.CreateElicitationRequest)
    assert.deepStrictEqual(Either.getOrThrow(asked({ mode: "form", toolCallId: "c1", requestedSchema: form })), {
      request: { kind: "form", message: "Who?", schema: form, toolCallId: "c1" },
      elicitationId: undefined
    })
    assert.deepStrictEqual(Either.getOrThrow(asked({ mode: "url", url: "https://a.org", elicitationId: "e1" })), {
      request: { kind: "url", message: "Who?", url: "https://a.org" },
      elicitationId: "e1"
    })
    assert.deepStrictEqual(refusal(asked({ mode: "think" })), ["mode"])
    assert.deepStrictEqual(
      refusal(asked({ mode: "form", requestedSchema: { properties: { a: { type: "object" } } } })),
      ["requestedSchema.properties.a.type"]
    )
    assert.deepStrictEqual(refusal(asked({ mode: "url", url: "file:///x", elicitationId: "e1" })), ["url"])
  })

  it("an answer that the agent did not offer is no answer", () => {
    const params = asks({})
    const outcome = (answer: Parameters<typeof AcpQuestions.toPermission>[1]) =>
      AcpQuestions.toPermission(params, answer).outcome
    assert.deepStrictEqual(outcome(Option.some({ action: "accept", content: { optionId: "allow_always" } })), {
      outcome: "selected",
      optionId: "allow_always"
    })
    assert.deepStrictEqual(outcome(Option.some({ action: "accept", content: { optionId: "x" } })), {
      outcome: "cancelled"
    })
    assert.deepStrictEqual(outcome(Option.none()), { outcome: "cancelled" })
  })
})
