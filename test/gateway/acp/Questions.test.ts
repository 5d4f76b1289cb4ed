import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import { leakFreeFile } from "holdfast/testing/vitest"
import type { Elicitation, ElicitationAnswer } from "../../../src/domain/Elicitation.js"
import { ElicitationId, SessionId } from "../../../src/domain/Ids.js"
import * as Questions from "../../../src/gateway/acp/Questions.js"
import * as Forms from "../../domain/forms.js"
import * as Fixture from "./fixture.js"

leakFreeFile()

const sessionId = SessionId.make("ses_1")
const asked = { id: ElicitationId.make("eli_1"), sessionId, message: "May I?" }

const toRequest = (question: Elicitation, call = {}) =>
  Option.getOrThrow(Questions.toRequest(Fixture.everything, question, call))

/** What each of these responses is as an answer; `undefined` for what is none. */
const answers = (
  question: Elicitation,
  ...responses: ReadonlyArray<unknown>
): ReadonlyArray<ElicitationAnswer | undefined> =>
  responses.map((response) => Option.getOrUndefined(toRequest(question).toAnswer(response)))

const select = FastCheck.record({ optionId: FastCheck.string(), name: FastCheck.string(), kind: FastCheck.string() })
const request = FastCheck.oneof(
  FastCheck.record({
    kind: FastCheck.constant("permission" as const),
    options: FastCheck.uniqueArray(select, { minLength: 1, maxLength: 5, selector: ({ optionId }) => optionId })
  }),
  FastCheck.record({ kind: FastCheck.constant("form" as const), schema: Forms.form }),
  FastCheck.record({ kind: FastCheck.constant("url" as const), url: FastCheck.webUrl() }),
  FastCheck.record({ kind: FastCheck.constant("confirmation" as const) })
)

describe("Questions", () => {
  it.scopedLive("whatever an agent may ask, the protocol's own client takes it", () =>
    Effect.gen(function*() {
      const requests = FastCheck.sample(FastCheck.tuple(request, FastCheck.string(), FastCheck.boolean()), {
        numRuns: 300,
        seed: 5
      })
      const log = requests.map(([request, message, ofCall], index) => ({
        seq: index + 1,
        sessionId,
        at: "2026-11-21T02:00:00.000Z",
        event: {
          type: "ElicitationRequested" as const,
          elicitation: {
            ...request,
            ...(ofCall ? { toolCallId: `call_${index}` } : {}),
            message,
            sessionId,
            id: ElicitationId.make(`eli_${index}`)
          }
        }
      }))
      const editor = yield* Fixture.connect(Fixture.ofEvents(log))
      yield* editor.load(sessionId)
      yield* Fixture.until("all of them", () => editor.questions.length + editor.updates.length >= log.length)
      expect(editor.updates).toStrictEqual([])
      expect(editor.questions).toHaveLength(log.length)
    }))

  it("a permission shows its tool call and its options; an option of an unknown kind is no allowance", () => {
    const question: Elicitation = {
      ...asked,
      kind: "permission",
      toolCallId: "c1",
      options: [
        { optionId: "y", name: "Yes", kind: "allow_always" },
        { optionId: "z", name: "Perhaps", kind: "allow_on_tuesdays" }
      ]
    }
    expect(toRequest(question, { toolCallId: "c1", status: "pending", title: "Old" })).toMatchObject({
      method: "session/request_permission",
      params: {
        sessionId,
        toolCall: { toolCallId: "c1", status: "pending", title: "May I?" },
        options: [{ optionId: "y", kind: "allow_always" }, { optionId: "z", kind: "reject_once" }]
      }
    })
    expect(answers(
      question,
      { outcome: { outcome: "selected", optionId: "y" } },
      { outcome: { outcome: "cancelled" } },
      { outcome: { outcome: "selected" } },
      null
    )).toStrictEqual([{ action: "accept", content: { optionId: "y" } }, { action: "cancel" }, undefined, undefined])
  })

  it("a confirmation is a permission with a yes and a no", () => {
    const question: Elicitation = { ...asked, kind: "confirmation" }
    const [yes, no] = toRequest(question).params["options"] as ReadonlyArray<{ readonly optionId: string }>
    expect(answers(question, Fixture.select(yes?.optionId ?? ""), Fixture.select(no?.optionId ?? ""))).toStrictEqual([
      { action: "accept" },
      { action: "decline" }
    ])
  })

  it("a form's answer has its content, a page's has none, and what is no answer is none", () => {
    const form: Elicitation = { ...asked, kind: "form", schema: { properties: { name: { type: "string" } } } }
    const url: Elicitation = { ...asked, kind: "url", url: "https://example.com/" }
    expect(toRequest(url).params).toMatchObject({ mode: "url", url: "https://example.com/", elicitationId: "eli_1" })
    const accept = { action: "accept", content: { name: "Ann" } }
    expect(answers(form, accept, { action: "accept" }, { action: "decline", content: {} }, { action: "sulk" }))
      .toStrictEqual([
        accept,
        { action: "accept", content: {} },
        { action: "decline" },
        undefined
      ])
    expect(answers(url, accept, { action: "cancel" })).toStrictEqual([{ action: "accept" }, { action: "cancel" }])
  })

  it("what the client has not said that it can ask is not asked", () => {
    const form: Elicitation = { ...asked, kind: "form", schema: { properties: {} } }
    const url: Elicitation = { ...asked, kind: "url", url: "https://example.com/" }
    for (const question of [form, url]) {
      expect(Option.isNone(Questions.toRequest({ elicitation: {} }, question, {}))).toBe(true)
    }
  })
})
