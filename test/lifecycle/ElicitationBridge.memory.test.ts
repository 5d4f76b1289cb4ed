import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import type { ElicitationRequest } from "../../src/domain/Elicitation.js"
import { SessionId } from "../../src/domain/Ids.js"
import * as Questions from "./questions.js"

const { accept, elsewhere, sessionId, setup } = Questions

const option = (kind: string, optionId = kind) => ({ optionId, name: optionId, kind })
const edit = (
  subject = "edit: a.txt",
  options = [option("allow_once"), option("allow_always"), option("reject_once"), option("reject_always")]
): ElicitationRequest => ({ kind: "permission", message: "May I?", subject, options })

const fromMemory = (optionId: string) => ({
  _tag: "Answered",
  action: "accept",
  content: { optionId },
  by: "memory"
})

/** A bridge that was told "always" once. */
const decided = Effect.fnUntraced(function*(optionId = "allow_always") {
  const all = yield* setup()
  const { asker, elicitation } = yield* all.asked(edit())
  yield* all.bridge.answer(sessionId, elicitation.id, accept({ optionId }))
  yield* Fiber.join(asker)
  return all
})

describe("ElicitationBridge remembers \"always\"", () => {
  it.scoped("the next permission about the same is answered at once, announced and told as from memory", () =>
    Effect.gen(function*() {
      const { announced, ask, outcomes } = yield* decided()
      expect(yield* ask(edit())).toStrictEqual(fromMemory("allow_always"))
      expect(yield* ask(edit("edit: a.txt", [option("allow_always", "other-name")]))).toStrictEqual(
        fromMemory("other-name")
      )
      expect((yield* outcomes).slice(1)).toStrictEqual([fromMemory("allow_always"), fromMemory("other-name")])
      expect(yield* announced.size).toBe(2)
    }))

  it.scoped("a rejection for always is remembered as well", () =>
    Effect.gen(function*() {
      const { ask } = yield* decided("reject_always")
      expect(yield* ask(edit())).toStrictEqual(fromMemory("reject_always"))
    }))

  it.scoped("another subject, another session and a permission without such an option are asked", () =>
    Effect.gen(function*() {
      const { asked, bridge } = yield* decided()
      yield* asked(edit("edit: b.txt"))
      yield* asked(edit(), { sessionId: elsewhere })
      yield* asked(edit("edit: a.txt", [option("allow_once")]))
      expect(yield* bridge.pending({ sessionId })).toHaveLength(2)
      expect(yield* bridge.pending({ sessionId: elsewhere })).toHaveLength(1)
    }))

  it.scoped("a choice for once is not remembered, nor is anything sensitive", () =>
    Effect.gen(function*() {
      const { announced, ask, asked, bridge } = yield* setup()
      const once = yield* asked(edit())
      yield* bridge.answer(sessionId, once.elicitation.id, accept({ optionId: "allow_once" }))
      const sensitive = yield* asked({ ...edit(), sensitive: true })
      yield* bridge.answer(sessionId, sensitive.elicitation.id, accept({ optionId: "allow_always" }))
      expect(yield* bridge.remembered(sessionId)).toStrictEqual([])
      // and what is remembered does not answer a sensitive question
      yield* bridge.remember(sessionId, [{ subject: "edit: a.txt", kind: "allow_always", optionId: "x" }])
      expect(yield* ask(edit())).toStrictEqual(fromMemory("allow_always"))
      yield* Queue.take(announced)
      yield* asked({ ...edit(), sensitive: true })
      expect(yield* bridge.pending({ sessionId })).toHaveLength(1)
    }))

  it.scoped("it is told, taken back, and replaced by a later decision", () =>
    Effect.gen(function*() {
      const { ask, asked, bridge } = yield* decided()
      expect(yield* bridge.remembered(sessionId)).toStrictEqual([
        { subject: "edit: a.txt", kind: "allow_always", optionId: "allow_always" }
      ])
      expect(yield* bridge.revoke(elsewhere, "edit: a.txt")).toBe(false)
      expect(yield* bridge.revoke(sessionId, "edit: a.txt")).toBe(true)
      expect(yield* bridge.revoke(sessionId, "edit: a.txt")).toBe(false)
      const again = yield* asked(edit())
      yield* bridge.answer(sessionId, again.elicitation.id, accept({ optionId: "reject_always" }))
      expect(yield* ask(edit())).toStrictEqual(fromMemory("reject_always"))
      expect(yield* bridge.remembered(sessionId)).toHaveLength(1)
      yield* bridge.forget(sessionId)
      expect(yield* bridge.remembered(sessionId)).toStrictEqual([])
    }))

  it.scoped("what is taken back while the question is being announced does not answer it", () =>
    Effect.gen(function*() {
      const { asked, bridge, question } = yield* decided()
      yield* Effect.fork(
        bridge.ask(question(edit(), { announce: () => Effect.asVoid(bridge.revoke(sessionId, "edit: a.txt")) }))
      )
      yield* Effect.yieldNow()
      yield* asked(edit())
      expect(yield* bridge.pending({ sessionId })).toHaveLength(2)
    }))

  it.scoped("EB2 somebody who answers before memory does has answered", () =>
    Effect.gen(function*() {
      const { bridge, question } = yield* decided()
      const outcome = yield* bridge.ask(question(edit(), {
        announce: ({ id }) => Effect.orDie(bridge.answer(sessionId, id, accept({ optionId: "reject_once" })))
      }))
      expect(outcome).toStrictEqual({ _tag: "Answered", action: "accept", content: { optionId: "reject_once" } })
    }))

  it.scoped("a session that wakes is given what its log tells", () =>
    Effect.gen(function*() {
      const { ask, bridge } = yield* setup()
      yield* bridge.remember(sessionId, [
        { subject: "edit: a.txt", kind: "allow_always", optionId: "1" },
        { subject: "edit: b.txt", kind: "allow_always", optionId: "1" },
        { subject: "edit: a.txt", kind: "reject_always", optionId: "2" }
      ])
      expect((yield* bridge.remembered(sessionId)).map(({ kind, subject }) => [subject, kind])).toStrictEqual([
        ["edit: b.txt", "allow_always"],
        ["edit: a.txt", "reject_always"]
      ])
      expect(yield* ask(edit())).toStrictEqual(fromMemory("reject_always"))
    }))

  it.scoped("it is bounded: the oldest falls out, and is asked again", () =>
    Effect.gen(function*() {
      const { asked, bridge } = yield* setup()
      const decision = (index: number) => ({ subject: `edit: ${index}`, kind: "allow_always", optionId: "1" }) as const
      yield* bridge.remember(sessionId, Array.from({ length: 300 }, (_, index) => decision(index)))
      expect((yield* bridge.remembered(sessionId)).map(({ subject }) => subject)).toStrictEqual(
        Array.from({ length: 256 }, (_, index) => `edit: ${index + 44}`)
      )
      yield* asked(edit("edit: 0"))
      for (let i = 0; i < 4096; i++) yield* bridge.remember(SessionId.make(`ses_many${i}`), [decision(i)])
      expect(yield* bridge.remembered(sessionId)).toStrictEqual([])
    }))
})
