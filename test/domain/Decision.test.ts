import { describe, expect, it } from "@effect/vitest"
import * as Option from "effect/Option"
import * as Decision from "../../src/domain/Decision.js"
import type { ElicitationOutcome, ElicitationRequest } from "../../src/domain/Elicitation.js"

type Permission = Extract<ElicitationRequest, { kind: "permission" }>

const option = (kind: string, optionId = kind) => ({ optionId, name: optionId, kind })
const permission = (changes: Partial<Permission> = {}): Permission => ({
  kind: "permission",
  message: "May I?",
  subject: "edit: a.txt",
  options: [option("allow_once"), option("allow_always"), option("reject_once"), option("reject_always")],
  ...changes
})
type By = Extract<ElicitationOutcome, { _tag: "Answered" }>["by"]
const chose = (optionId: string, by?: By): ElicitationOutcome => ({
  _tag: "Answered",
  action: "accept",
  content: { optionId },
  by
})
const always = Option.getOrThrow(Decision.of(permission(), chose("allow_always")))

describe("Decision", () => {
  it("a choice for always is one, whether it allows or rejects", () => {
    expect(always).toStrictEqual({ subject: "edit: a.txt", kind: "allow_always", optionId: "allow_always" })
    expect(Option.map(Decision.of(permission(), chose("reject_always")), ({ kind }) => kind)).toStrictEqual(
      Option.some("reject_always")
    )
  })

  it("nothing else is", () => {
    const none = [
      Decision.of(permission(), chose("allow_once")),
      Decision.of(permission(), chose("reject_once")),
      Decision.of(permission(), chose("never offered")),
      Decision.of(permission(), { _tag: "Answered", action: "decline" }),
      Decision.of(permission(), { _tag: "Expired" }),
      Decision.of(permission(), { _tag: "Withdrawn", reason: "gone" }),
      Decision.of(permission(), chose("allow_always", "memory")),
      Decision.of(permission(), chose("allow_always", "policy")),
      Decision.of({ ...permission(), subject: undefined }, chose("allow_always")),
      Decision.of(permission({ subject: "" }), chose("allow_always")),
      Decision.of(permission({ subject: "x".repeat(1001) }), chose("allow_always")),
      Decision.of({ kind: "confirmation", message: "?" }, { _tag: "Answered", action: "accept" })
    ]
    expect(none.filter(Option.isSome)).toStrictEqual([])
  })

  it("EB11 a sensitive question is never remembered, nor answered from memory", () => {
    expect(Decision.of(permission({ sensitive: true }), chose("allow_always"))).toStrictEqual(Option.none())
    expect(Decision.optionOf(always, permission({ sensitive: true }))).toStrictEqual(Option.none())
  })

  it("it answers a permission about the same with the option of the same kind, whatever its name", () => {
    expect(Decision.optionOf(always, permission())).toStrictEqual(Option.some("allow_always"))
    expect(Decision.optionOf(always, permission({ options: [option("allow_once"), option("allow_always", "2")] })))
      .toStrictEqual(Option.some("2"))
  })

  it("it answers no other", () => {
    const none = [
      permission({ subject: "edit: b.txt" }),
      { ...permission(), subject: undefined },
      permission({ options: [option("allow_once"), option("reject_always")] }),
      // its name, but not its kind
      permission({ options: [option("allow_once", "allow_always")] }),
      // which of the two was meant?
      permission({ options: [option("allow_always", "1"), option("allow_always", "2")] }),
      { kind: "confirmation", message: "?" } as const
    ].map((request) => Decision.optionOf(always, request))
    expect(none.filter(Option.isSome)).toStrictEqual([])
    expect(Decision.optionOf(always, permission({ options: [option("allow_always"), option("allow_always", "2")] })))
      .toStrictEqual(Option.some("allow_always"))
  })
})
