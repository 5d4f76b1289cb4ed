import * as acp from "@agentclientprotocol/sdk"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as OpenQuestions from "../../../src/agent/acp/OpenQuestions.js"
import type { AgentSignal } from "../../../src/agent/Agent.js"
import type { AgentEvent } from "../../../src/domain/AgentEvent.js"

type Asked = Extract<AgentSignal, { _tag: "Asked" }>

const setup = () => {
  const asked: Array<Asked> = []
  const said: Array<AgentEvent> = []
  const questions = OpenQuestions.make({
    push: (signal) => {
      if (signal._tag === "Asked") asked.push(signal)
    },
    say: (event) => said.push(event),
    run: Effect.runPromise,
    isOpen: () => true,
    titleOf: () => "rm x",
    kindOf: () => "execute"
  })
  return { asked, questions, said, signal: new AbortController().signal }
}

const options = [{ optionId: "a", name: "Always", kind: "allow_always" as const }]

/** With what the agent's request fails. */
const refusal = (call: () => unknown): acp.RequestError => {
  try {
    call()
  } catch (error) {
    if (error instanceof acp.RequestError) return error
  }
  return assert.fail("it was not refused")
}

describe("OpenQuestions", () => {
  it.effect("a permission is asked about what the tool call was said to be", () =>
    Effect.gen(function*() {
      const { asked, questions, signal } = setup()
      const answering = questions.permission({ sessionId: "s1", toolCall: { toolCallId: "c1" }, options }, signal)
      assert.deepInclude({ ...asked[0]?.request }, { message: "rm x", subject: "execute: rm x" })
      yield* asked[0]?.reply(Option.some({ action: "accept", content: { optionId: "a" } })) ?? Effect.void
      assert.deepStrictEqual(yield* Effect.promise(() => answering), {
        outcome: { outcome: "selected", optionId: "a" }
      })
    }))

  it("what cannot be asked is refused with -32602 and every reason, and a person is warned", () => {
    const { asked, questions, said, signal } = setup()
    const permission = refusal(() =>
      questions.permission(
        { sessionId: "s1", toolCall: { toolCallId: "c1" }, options: [...options, ...options] },
        signal
      )
    )
    assert.strictEqual(permission.code, -32602)
    assert.deepStrictEqual(
      (permission.data as { issues: ReadonlyArray<{ path: ReadonlyArray<string> }> }).issues.map(({ path }) => path),
      [["options", "0", "optionId"], ["options", "1", "optionId"]]
    )
    const form = refusal(() =>
      questions.elicitation({
        sessionId: "s1",
        mode: "form",
        message: "Where?",
        requestedSchema: { properties: { address: { type: "object" } } }
      }, signal)
    )
    assert.strictEqual(form.code, -32602)
    assert.include(form.message, "requestedSchema.properties.address.type")
    assert.include(form.message, "a form is flat")
    assert.deepStrictEqual(asked, [])
    assert.deepStrictEqual(said.map((event) => [event.type, "detail" in event ? event.detail : ""]), [
      ["Warning", "rm x"],
      ["Warning", "Where?"]
    ])
  })

  it.effect("a page that says that it is done is accepted by its completion, once", () =>
    Effect.gen(function*() {
      const { asked, questions, signal } = setup()
      const answering = questions.elicitation({
        sessionId: "s1",
        mode: "url",
        message: "Log in",
        url: "https://a.org",
        elicitationId: "e1"
      }, signal)
      questions.completed("e2")
      questions.completed("e1")
      questions.completed("e1")
      assert.deepStrictEqual(yield* asked[0]?.elsewhere ?? Effect.dieMessage("it was not asked"), {
        _tag: "Answered",
        action: "accept",
        by: "completion"
      })
      assert.deepStrictEqual(yield* Effect.promise(() => answering), { action: "accept", content: {} })
    }))
})
