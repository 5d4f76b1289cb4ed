import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import { leakFreeFile } from "holdfast/testing/vitest"
import type { ElicitationRequest } from "../../src/domain/Elicitation.js"
import { LimitReached } from "../../src/domain/Errors.js"
import { ElicitationId, SessionId } from "../../src/domain/Ids.js"
import * as Questions from "./questions.js"

leakFreeFile()

const { accept, form, permission, runA, runB, sessionId } = Questions

/** With the bound that the tests here count to. */
const setup = Questions.setup({ maxPending: 3 })

describe("ElicitationBridge", () => {
  it.scoped("EB1 an answer sent the instant the announcement is seen is not lost", () =>
    Effect.gen(function*() {
      const { bridge } = yield* setup
      const outcome = yield* bridge.ask({
        sessionId,
        request: permission,
        // the answer comes before `announce` has even returned
        announce: (elicitation) => Effect.orDie(bridge.answer(sessionId, elicitation.id, accept({ optionId: "yes" }))),
        settled: () => Effect.void
      })
      expect(outcome).toStrictEqual({ _tag: "Answered", action: "accept", content: { optionId: "yes" } })
    }))

  it.scoped("EB2 of many answers at once one wins, and every other one hears how the question ended", () =>
    Effect.gen(function*() {
      const { announced, ask, bridge, settled } = yield* setup
      const asker = yield* Effect.fork(ask(permission))
      const { id } = yield* Queue.take(announced)
      const answers = yield* Effect.forEach(
        ["yes", "no", "yes", "no"],
        (optionId) => Effect.either(bridge.answer(sessionId, id, accept({ optionId }))),
        { concurrency: "unbounded" }
      )
      const outcome = yield* Fiber.join(asker)
      expect(answers.filter((answer) => answer._tag === "Right")).toHaveLength(1)
      for (const answer of answers) {
        if (answer._tag === "Left") expect(answer.left).toMatchObject({ _tag: "ElicitationAlreadySettled", outcome })
      }
      expect(settled).toStrictEqual([[id, outcome]])
    }))

  it.scoped("EB2 an answer and an interruption of the asker in one instant give one end", () =>
    Effect.gen(function*() {
      const { announced, ask, bridge, settled } = yield* setup
      const asker = yield* Effect.fork(ask(permission))
      const { id } = yield* Queue.take(announced)
      const interrupting = yield* Effect.fork(Fiber.interrupt(asker))
      yield* Effect.ignore(bridge.answer(sessionId, id, accept({ optionId: "no" })))
      yield* Fiber.join(interrupting)
      expect(settled).toStrictEqual([[id, { _tag: "Answered", action: "accept", content: { optionId: "no" } }]])
    }))

  it.scoped("EB3 questions of several runs wait side by side and each answer goes to its own", () =>
    Effect.gen(function*() {
      const { announced, ask, bridge } = yield* setup
      const askers = yield* Effect.forEach([runA, runB, undefined], (runId) => Effect.fork(ask(permission, { runId })))
      const questions = Chunk.toReadonlyArray(yield* Queue.takeN(announced, 3))
      expect(yield* bridge.pending({ sessionId })).toStrictEqual(questions)
      expect(yield* bridge.pending({ sessionId, runId: runB })).toStrictEqual([questions[1]])
      const options = ["yes", "no", "yes"]
      // answered from the last to the first
      for (const index of [2, 1, 0]) {
        const question = questions[index]
        if (question !== undefined) yield* bridge.answer(sessionId, question.id, accept({ optionId: options[index] }))
      }
      const outcomes = yield* Effect.forEach(askers, Fiber.join)
      expect(outcomes.map((outcome) => outcome._tag === "Answered" && outcome.content?.["optionId"])).toStrictEqual(
        options
      )
    }))

  it.scoped("EB4 an interrupted asker's question is withdrawn and announced so", () =>
    Effect.gen(function*() {
      const { announced, ask, bridge, settled } = yield* setup
      const asker = yield* Effect.fork(ask(permission))
      const { id } = yield* Queue.take(announced)
      yield* Fiber.interrupt(asker)
      expect(settled).toMatchObject([[id, { _tag: "Withdrawn" }]])
      expect(yield* bridge.pending({ sessionId })).toStrictEqual([])
      const late = yield* Effect.flip(bridge.answer(sessionId, id, accept({ optionId: "yes" })))
      expect(late).toMatchObject({ _tag: "ElicitationAlreadySettled", outcome: { _tag: "Withdrawn" } })
    }))

  it.scoped("EB4 the asker can take its question back", () =>
    Effect.gen(function*() {
      const { announced, ask } = yield* setup
      const gate = yield* Deferred.make<string>()
      const asker = yield* Effect.fork(
        ask(permission, { runId: runA, elsewhere: Effect.map(Deferred.await(gate), Questions.takenBack) })
      )
      yield* Queue.take(announced)
      yield* Deferred.succeed(gate, "completed")
      expect(yield* Fiber.join(asker)).toStrictEqual({ _tag: "Withdrawn", reason: "completed" })
    }))

  it.effect("EB4 closing the bridge withdraws what is open and what is asked afterwards", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const { announced, ask, settled } = yield* Scope.extend(setup, scope)
      const asker = yield* Effect.fork(ask(permission))
      yield* Queue.take(announced)
      yield* Scope.close(scope, Exit.void)
      expect(yield* Fiber.join(asker)).toMatchObject({ _tag: "Withdrawn" })
      expect(yield* ask(permission)).toMatchObject({ _tag: "Withdrawn" })
      expect(settled).toHaveLength(2)
    }))

  it.scoped("EB4 withdrawing a run's questions leaves those of others open", () =>
    Effect.gen(function*() {
      const { announced, ask, bridge } = yield* setup
      const asker = yield* Effect.fork(ask(permission, { runId: runA }))
      yield* Effect.fork(ask(permission, { runId: runB }))
      yield* Queue.takeN(announced, 2)
      yield* bridge.withdraw({ sessionId, runId: runA }, "cancelled")
      expect(yield* Fiber.join(asker)).toStrictEqual({ _tag: "Withdrawn", reason: "cancelled" })
      expect(yield* bridge.pending({ sessionId })).toHaveLength(1)
    }))

  it.scoped("EB4 an asker whose own signal dies takes its question back rather than wait for ever", () =>
    Effect.gen(function*() {
      const { ask, bridge } = yield* setup
      expect(yield* ask(permission, { elsewhere: Effect.die("broken") })).toMatchObject({ _tag: "Withdrawn" })
      expect(yield* bridge.pending({ sessionId })).toStrictEqual([])
    }))

  it.scoped("EB4 what watches for an end on the asker's side is gone when the question is, though the asker goes on", () =>
    Effect.gen(function*() {
      const { ask, bridge } = yield* setup
      const gone = yield* Deferred.make<void>()
      yield* ask(permission, {
        elsewhere: Effect.ensuring(Effect.never, Deferred.succeed(gone, void 0)),
        // once it watches
        announce: ({ id }) =>
          Effect.yieldNow().pipe(
            Effect.repeatN(5),
            Effect.zipRight(Effect.orDie(bridge.answer(sessionId, id, { action: "decline" }))),
            Effect.fork,
            Effect.asVoid
          )
      })
      expect(yield* Deferred.isDone(gone)).toBe(true)
    }))

  it.scoped("EB4 one question of several can be withdrawn by its id", () =>
    Effect.gen(function*() {
      const { asked, bridge } = yield* setup
      const first = yield* asked(permission)
      const second = yield* asked(permission)
      yield* bridge.withdraw({ sessionId, id: first.elicitation.id }, "not needed any more")
      expect(yield* Fiber.join(first.asker)).toStrictEqual({ _tag: "Withdrawn", reason: "not needed any more" })
      expect(yield* bridge.pending({ sessionId })).toStrictEqual([second.elicitation])
    }))

  it.scoped("a question that cannot be put to anyone is refused when it is asked, with every reason", () =>
    Effect.gen(function*() {
      const { ask, bridge, settled } = yield* setup
      const address: unknown = { type: "object", properties: { street: { type: "string" } } }
      const nested = {
        kind: "form",
        message: "Where?",
        schema: { properties: { address, name: { type: "string", default: "", minLength: 1 } }, required: ["zip"] }
      } as ElicitationRequest
      const refused = yield* Effect.flip(ask(nested, { announce: () => Effect.dieMessage("it was announced") }))
      expect(refused).toMatchObject({
        _tag: "ElicitationInvalid",
        issues: [
          { path: ["schema", "properties", "address", "type"] },
          { path: ["schema", "properties", "name", "default"] },
          { path: ["schema", "required", "0"] }
        ]
      })
      expect(refused.message).toContain("string, number, integer, boolean, array")
      const others: ReadonlyArray<ElicitationRequest> = [
        { ...permission, kind: "permission", options: [] },
        { kind: "url", message: "Go", url: "javascript:alert(1)" }
      ]
      for (const request of others) expect((yield* Effect.flip(ask(request)))._tag).toBe("ElicitationInvalid")
      expect(yield* bridge.pending({ sessionId })).toStrictEqual([])
      expect(settled).toStrictEqual([])
    }))

  it.scoped("a question that cannot be announced was never asked", () =>
    Effect.gen(function*() {
      const { bridge, settled } = yield* setup
      const refused = yield* Effect.flip(bridge.ask({
        sessionId,
        request: permission,
        announce: () => Effect.fail("the log is closed"),
        settled: () => Effect.sync(() => void settled.push([ElicitationId.make("eli_x"), { _tag: "Expired" }]))
      }))
      expect(refused).toBe("the log is closed")
      expect(yield* bridge.pending({ sessionId })).toStrictEqual([])
      expect(settled).toStrictEqual([])
    }))

  it.scoped("EB6 an unknown id, and one of another session, are not found", () =>
    Effect.gen(function*() {
      const { announced, ask, bridge } = yield* setup
      yield* Effect.fork(ask(permission))
      const { id } = yield* Queue.take(announced)
      const unknown = yield* Effect.flip(bridge.answer(sessionId, ElicitationId.make("eli_x"), { action: "cancel" }))
      const foreign = yield* Effect.flip(bridge.answer(SessionId.make("ses_2"), id, { action: "cancel" }))
      yield* bridge.answer(sessionId, id, { action: "decline" })
      const settled = yield* Effect.flip(bridge.answer(SessionId.make("ses_2"), id, { action: "cancel" }))
      expect([unknown, foreign, settled].map(({ _tag }) => _tag)).toStrictEqual([
        "ElicitationNotFound",
        "ElicitationNotFound",
        "ElicitationNotFound"
      ])
    }))

  it.scoped("EB6 of the questions that have ended the last thousand are remembered", () =>
    Effect.gen(function*() {
      const { bridge } = yield* setup
      const ids: Array<ElicitationId> = []
      yield* Effect.replicateEffect(
        bridge.ask({
          sessionId,
          request: permission,
          announce: ({ id }) => {
            ids.push(id)
            return Effect.orDie(bridge.answer(sessionId, id, { action: "decline" }))
          },
          settled: () => Effect.void
        }),
        1025
      )
      const late = yield* Effect.forEach(ids, (id) => Effect.flip(bridge.answer(sessionId, id, { action: "cancel" })))
      expect(late.filter(({ _tag }) => _tag === "ElicitationNotFound")).toHaveLength(1)
      expect(late[0]?._tag).toBe("ElicitationNotFound")
    }))

  it.scoped("EB7 a bad form tells its faults and stays open; a good one comes with its defaults", () =>
    Effect.gen(function*() {
      const { announced, ask, bridge } = yield* setup
      const asker = yield* Effect.fork(ask(form))
      const { id } = yield* Queue.take(announced)
      const refused = yield* Effect.flip(bridge.answer(sessionId, id, accept({ age: -1, height: 2, colour: "green" })))
      expect(refused._tag).toBe("ElicitationAnswerInvalid")
      const paths = refused._tag === "ElicitationAnswerInvalid" ? refused.issues.map(({ path }) => path.join(".")) : []
      expect(paths.sort()).toStrictEqual(["age", "colour", "height", "name"])
      expect(yield* bridge.pending({ sessionId })).toHaveLength(1)
      yield* bridge.answer(sessionId, id, accept({ name: "Ada", age: 36 }))
      expect(yield* Fiber.join(asker)).toStrictEqual({
        _tag: "Answered",
        action: "accept",
        content: { name: "Ada", age: 36, colour: "blue" }
      })
    }))

  it.scoped("EB7 an answer whose content does not belong to its action is refused, and the question stays open", () =>
    Effect.gen(function*() {
      const { asked, bridge } = yield* setup
      const { asker, elicitation } = yield* asked(Questions.confirmation)
      const refused = yield* Effect.flip(
        bridge.answer(sessionId, elicitation.id, { action: "decline", content: { because: "hunter2" } })
      )
      expect(refused).toMatchObject({ _tag: "ElicitationAnswerInvalid", issues: [{ path: ["because"] }] })
      expect(JSON.stringify(refused)).not.toContain("hunter2")
      yield* bridge.answer(sessionId, elicitation.id, accept())
      expect(yield* Fiber.join(asker)).toStrictEqual({ _tag: "Answered", action: "accept" })
    }))

  it.scoped("EB7 a permission takes only an option that was offered; a refusal needs none", () =>
    Effect.gen(function*() {
      const { announced, ask, bridge } = yield* setup
      const asker = yield* Effect.fork(ask(permission))
      const { id } = yield* Queue.take(announced)
      const refused = yield* Effect.flip(bridge.answer(sessionId, id, accept({ optionId: "maybe" })))
      expect(refused.message).toContain("yes, no")
      yield* bridge.answer(sessionId, id, { action: "decline" })
      expect(yield* Fiber.join(asker)).toStrictEqual({ _tag: "Answered", action: "decline" })
    }))

  it.scoped("EB10 the open questions of a session are bounded", () =>
    Effect.gen(function*() {
      const { announced, ask, bridge } = yield* setup
      const askers = yield* Effect.forEach([1, 2, 3], () => Effect.fork(ask(permission)))
      yield* Queue.takeN(announced, 3)
      expect(yield* Effect.flip(ask(permission))).toBeInstanceOf(LimitReached)
      // each session has its own
      const elsewhere = yield* bridge.ask({
        sessionId: SessionId.make("ses_2"),
        request: permission,
        announce: ({ id, sessionId }) => Effect.orDie(bridge.answer(sessionId, id, { action: "decline" })),
        settled: () => Effect.void
      })
      expect(elsewhere._tag).toBe("Answered")
      const [first] = askers
      if (first !== undefined) yield* Fiber.interrupt(first)
      const again = yield* Effect.fork(ask(permission))
      yield* Queue.take(announced)
      yield* Fiber.interrupt(again)
    }))

  it.scoped("EB10 the open questions of all sessions are bounded, too", () =>
    Effect.gen(function*() {
      const { ask, asked, bridge } = yield* Questions.setup({ maxPendingTotal: 2 })
      const first = yield* asked(permission)
      yield* asked(permission, { sessionId: Questions.elsewhere })
      const refused = yield* Effect.flip(ask(permission, { sessionId: SessionId.make("ses_3") }))
      expect(refused).toMatchObject({ _tag: "LimitReached", what: "pendingElicitationsTotal", limit: 2 })
      yield* bridge.answer(sessionId, first.elicitation.id, { action: "cancel" })
      yield* asked(permission, { sessionId: SessionId.make("ses_3") })
    }))

  it.scoped(
    "EB10 ten thousand questions wait side by side, and each answer goes to its own",
    () =>
      Effect.gen(function*() {
        const { announced, ask, bridge, settled } = yield* Questions.setup()
        const sessionOf = (index: number) => SessionId.make(`ses_${index % 200}`)
        const askers = yield* Effect.forEach(Array.from({ length: 10_000 }, (_, index) => index), (index) =>
          Effect.fork(
            ask({ kind: "confirmation", message: `${index}` }, { sessionId: sessionOf(index), deadline: "1 day" })
          ))
        const questions = Chunk.toReadonlyArray(yield* Queue.takeN(announced, 10_000))
        const start = performance.now()
        // every one from the last to the first, by an even or an odd answer
        for (const question of questions.toReversed()) {
          const action = Number(question.message) % 2 === 0 ? "accept" : "decline"
          yield* bridge.answer(question.sessionId, question.id, { action })
        }
        // a scan of all of them for each would take minutes
        expect(performance.now() - start).toBeLessThan(20_000)
        const outcomes = yield* Effect.forEach(askers, Fiber.join)
        expect(
          outcomes.every((outcome, index) =>
            outcome._tag === "Answered" && outcome.action === (index % 2 === 0 ? "accept" : "decline")
          )
        ).toBe(true)
        expect(settled).toHaveLength(10_000)
      }),
    30_000
  )

  it.scoped("EB11 what is told of the end of a sensitive question is only that it was answered", () =>
    Effect.gen(function*() {
      const { asked, bridge, settled } = yield* setup
      const { asker, elicitation } = yield* asked({ ...form, sensitive: true })
      yield* bridge.answer(sessionId, elicitation.id, accept({ name: "hunter2" }))
      expect(yield* Fiber.join(asker)).toMatchObject({ content: { name: "hunter2" } })
      expect(settled).toStrictEqual([[elicitation.id, { _tag: "Answered", action: "accept" }]])
    }))

  it.scoped("EB11 what is kept of a sensitive answer is only that it was given", () =>
    Effect.gen(function*() {
      const { announced, ask, bridge } = yield* setup
      const asker = yield* Effect.fork(ask({ ...form, sensitive: true }))
      const { id } = yield* Queue.take(announced)
      yield* bridge.answer(sessionId, id, accept({ name: "hunter2" }))
      expect(yield* Fiber.join(asker)).toMatchObject({ content: { name: "hunter2" } })
      const late = yield* Effect.flip(bridge.answer(sessionId, id, { action: "cancel" }))
      expect(JSON.stringify(late)).not.toContain("hunter2")
    }))
})
