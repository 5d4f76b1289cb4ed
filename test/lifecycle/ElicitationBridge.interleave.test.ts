/**
 * Questions in every order of events. A program asserts within itself; what it leaves behind (a fiber that outlives its scope, a wait that
 * nothing ends) is a failure, too.
 */
import { describe, expect } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Interleave } from "holdfast/testing"
import { it } from "holdfast/testing/vitest"
import type { Elicitation, ElicitationRequest } from "../../src/domain/Elicitation.js"
import * as ElicitationBridge from "../../src/lifecycle/ElicitationBridge.js"
import {
  accept,
  answered,
  type Bridge,
  confirmation,
  form,
  permission,
  type Question,
  recorded,
  runA,
  runB,
  sessionId,
  takenBack
} from "./questions.js"

/** All schedules within the bound, or the test fails. */
const exhaustive = (
  name: string,
  program: () => Effect.Effect<unknown, unknown, Scope.Scope>,
  strategy: Interleave.Strategy,
  granularity: "op" | "async" = "op"
) => it.interleaved(name, program, { strategy, granularity, exhaustive: true }, 300_000)

const deadline = { deadline: "1 second" } as const

describe("EB1 EB3 EB4 EB6 with the interruption of an asker at each of its steps", () => {
  /** An asker that may be interrupted anywhere, and one who answers what is announced. */
  const interrupted = (ask: (bridge: Bridge, question: Question) => Effect.Effect<unknown, unknown>) => () =>
    Effect.gen(function*() {
      const bridge = yield* ElicitationBridge.make()
      const { id, question, told } = recorded(permission)
      const asker = yield* Interleave.victim(ask(bridge, question))
      const answer = yield* Effect.fork(
        Effect.flatMap(id, (id) => Effect.either(bridge.answer(sessionId, id, accept({ optionId: "yes" }))))
      )
      const exit = yield* Fiber.await(asker)
      if (told.length === 0) {
        // then nothing was announced, either
        expect(Exit.isInterrupted(exit)).toBe(true)
        yield* Fiber.interrupt(answer)
      } else {
        // EB1: what was announced can be answered, or has ended (EB6): never is it unknown
        const heard = yield* Fiber.join(answer)
        expect(told).toHaveLength(1)
        if (Either.isRight(heard)) expect(told[0]).toStrictEqual(answered({ optionId: "yes" }))
        else expect(heard.left).toMatchObject({ _tag: "ElicitationAlreadySettled", outcome: told[0] })
        if (Exit.isSuccess(exit)) expect(told[0]).toStrictEqual(answered({ optionId: "yes" }))
      }
      expect(yield* bridge.pending({ sessionId })).toStrictEqual([])
    })

  const waits = interrupted((bridge, question) => bridge.ask(question))
  it.interleaved("EB1 EB4 ask", waits, { interruptAt: "every-step", schedules: 1000 })
  exhaustive(
    "EB1 an answer to what is announced (exhaustive: all schedules with three preemptions)",
    waits,
    Interleave.exhaustive({ preemptions: 3 })
  )
  it.interleaved(
    "EB1 EB4 open, in a scope that closes with its fiber",
    interrupted((bridge, question) => Effect.scoped(Effect.flatMap(bridge.open(question), ({ outcome }) => outcome))),
    { interruptAt: "every-step", schedules: 1000 }
  )
  it.interleaved(
    "EB4 ask, with something that watches for an end on the asker's side",
    interrupted((bridge, question) =>
      bridge.ask({ ...question, elsewhere: Effect.as(Effect.sleep("1 second"), takenBack("too late")) })
    ),
    { interruptAt: "every-step", schedules: 1000 }
  )

  it.interleaved("EB3 the end of one question touches no other", () =>
    Effect.gen(function*() {
      const bridge = yield* ElicitationBridge.make()
      const [a, b] = [recorded(permission, { runId: runA }), recorded(permission, { runId: runB })]
      const first = yield* Interleave.victim(bridge.ask(a.question))
      const second = yield* Effect.fork(bridge.ask(b.question))
      const answering = yield* Effect.fork(
        Effect.flatMap(a.id, (id) => Effect.ignore(bridge.answer(sessionId, id, accept({ optionId: "no" }))))
      )
      yield* bridge.answer(sessionId, yield* b.id, accept({ optionId: "yes" }))
      expect(yield* Fiber.join(second)).toStrictEqual(answered({ optionId: "yes" }))
      yield* Fiber.await(first)
      yield* Fiber.interrupt(answering)
      expect(a.told.length).toBeLessThan(2)
      if (a.told[0]?._tag === "Answered") expect(a.told[0]).toStrictEqual(answered({ optionId: "no" }))
      expect(b.told).toStrictEqual([answered({ optionId: "yes" })])
    }), { interruptAt: "every-step", schedules: 1000 })

  it.interleaved("EB4 what is asked while the bridge closes is withdrawn, and told so", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const bridge = yield* Scope.extend(ElicitationBridge.make(deadline), scope)
      const [a, b] = [recorded(permission), recorded(confirmation)]
      const asker = yield* Interleave.victim(bridge.ask(a.question))
      const own = yield* Scope.make()
      const opening = yield* Effect.fork(Scope.extend(bridge.open(b.question), own))
      yield* Scope.close(scope, Exit.void)
      const { outcome } = yield* Fiber.join(opening)
      yield* outcome
      yield* Scope.close(own, Exit.void)
      const exit = yield* Fiber.await(asker)
      if (Exit.isSuccess(exit)) expect(a.told).toHaveLength(1)
      expect(a.told.length).toBeLessThan(2)
      for (const end of [...a.told, ...b.told]) expect(end._tag).toBe("Withdrawn")
      expect(b.told).toHaveLength(1)
      expect(yield* bridge.pending({ sessionId })).toStrictEqual([])
    }), { interruptAt: "every-step", schedules: 1000 })
})

describe("EB2 EB6 EB7 with the interruption of the one who answers at each of its steps", () => {
  it.interleaved(
    "EB2 EB6 two answer: one wins, and whoever else answers hears how it ended",
    () =>
      Effect.gen(function*() {
        const bridge = yield* ElicitationBridge.make()
        const { id, question, told } = recorded(permission)
        const asker = yield* Effect.fork(bridge.ask(question))
        const known = yield* id
        const leaving = yield* Interleave.victim(bridge.answer(sessionId, known, accept({ optionId: "yes" })))
        const mine = yield* Effect.either(bridge.answer(sessionId, known, accept({ optionId: "no" })))
        const outcome = yield* Fiber.join(asker)
        const exit = yield* Fiber.await(leaving)
        expect(told).toStrictEqual([outcome])
        const ended = { _tag: "ElicitationAlreadySettled", outcome }
        if (Either.isRight(mine)) expect(outcome).toStrictEqual(answered({ optionId: "no" }))
        else expect(mine.left).toMatchObject(ended)
        if (Exit.isSuccess(exit)) expect(outcome).toStrictEqual(answered({ optionId: "yes" }))
        else if (!Exit.isInterrupted(exit)) expect(exit).toMatchObject({ cause: { error: ended } })
        expect(yield* Effect.flip(bridge.answer(sessionId, known, { action: "cancel" }))).toMatchObject(ended)
      }),
    { interruptAt: "every-step" }
  )

  it.interleaved(
    "EB7 an answer that does not fit ends nothing, and one that does is filled up with the defaults",
    () =>
      Effect.gen(function*() {
        const bridge = yield* ElicitationBridge.make()
        const { id, question, told } = recorded(form)
        const asker = yield* Effect.fork(bridge.ask(question))
        const known = yield* id
        const wrong = yield* Interleave.victim(
          Effect.flip(bridge.answer(sessionId, known, accept({ name: "x", age: -1 })))
        )
        yield* bridge.answer(sessionId, known, accept({ name: "Ada" }))
        expect(yield* Fiber.join(asker)).toStrictEqual(answered({ name: "Ada", colour: "blue" }))
        expect(told).toHaveLength(1)
        const exit = yield* Fiber.await(wrong)
        if (Exit.isSuccess(exit) && exit.value._tag !== "ElicitationAlreadySettled") {
          expect(exit.value).toMatchObject({
            _tag: "ElicitationAnswerInvalid",
            issues: [{ path: ["name"] }, { path: ["age"] }]
          })
        }
      }),
    { interruptAt: "every-step" }
  )
})

describe("EB5 announcing never waits for a consumer", () => {
  it.interleaved(
    "EB5 a reader that is stuck, or is interrupted at any step, changes nothing",
    () =>
      Effect.gen(function*() {
        const bridge = yield* ElicitationBridge.make()
        const { id, question, told } = recorded(confirmation)
        yield* Effect.fork(Stream.runForEach(bridge.changes({ sessionId }), () => Effect.async<void>(() => {})))
        const reader = yield* Interleave.victim(Stream.runDrain(bridge.changes({ sessionId })))
        const asker = yield* Effect.fork(bridge.ask(question))
        yield* bridge.answer(sessionId, yield* id, { action: "decline" })
        expect(yield* Fiber.join(asker)).toStrictEqual({ _tag: "Answered", action: "decline" })
        expect(told).toHaveLength(1)
        yield* Fiber.interrupt(reader)
      }),
    { interruptAt: "every-step", schedules: 500 }
  )

  it.interleaved("EB5 EB8 whatever a reader misses, what it has seen last is how it is", () =>
    Effect.gen(function*() {
      const bridge = yield* ElicitationBridge.make()
      let last: ReadonlyArray<Elicitation> = []
      const reader = yield* Effect.fork(
        Stream.runForEach(bridge.changes({ sessionId }), (questions) =>
          Effect.sync(() => {
            last = questions
          }))
      )
      const [a, b] = [recorded(confirmation), recorded(confirmation)]
      const first = yield* Effect.fork(bridge.ask(a.question))
      yield* Effect.fork(bridge.ask(b.question))
      yield* bridge.answer(sessionId, yield* a.id, { action: "decline" })
      yield* Fiber.join(first)
      const left = yield* b.id
      // when nobody can go on any more but time
      yield* Effect.sleep("1 second")
      expect(last.map(({ id }) => id)).toStrictEqual([left])
      yield* Fiber.interrupt(reader)
      yield* bridge.withdraw({ sessionId }, "over")
    }), { schedules: 500 })
})

describe("EB9 deadlines and the unattended policy", () => {
  const policy = { unattended: { after: "1 second", then: "decline" } } as const

  it.interleaved(
    "EB9 whoever comes, goes, or is interrupted at any step, the question has an end",
    () =>
      Effect.gen(function*() {
        const bridge = yield* ElicitationBridge.make(policy)
        const { question, told } = recorded(confirmation)
        const visitor = yield* Interleave.victim(
          Effect.sleep("1 second").pipe(
            Effect.zipRight(Effect.scoped(Effect.zipRight(bridge.attend(sessionId), Effect.sleep("5 seconds"))))
          )
        )
        const started = yield* Clock.currentTimeMillis
        const outcome = yield* bridge.ask(question)
        const took = (yield* Clock.currentTimeMillis) - started
        expect(outcome).toStrictEqual({ _tag: "Answered", action: "decline", by: "policy" })
        expect(told).toHaveLength(1)
        // at once, or a second after the visitor has left, whenever that was
        expect(took).toBeGreaterThanOrEqual(1000)
        expect(took).toBeLessThanOrEqual(7000)
        yield* Fiber.interrupt(visitor)
      }),
    { interruptAt: "every-step", schedules: 500 }
  )

  it.interleaved("EB9 each of several deadlines is kept, in whatever order they come", () =>
    Effect.gen(function*() {
      const bridge = yield* ElicitationBridge.make()
      const expires = (seconds: number) =>
        Effect.gen(function*() {
          const { question } = recorded(confirmation, { deadline: `${seconds} seconds` })
          const started = yield* Clock.currentTimeMillis
          const outcome = yield* bridge.ask(question)
          expect(outcome).toStrictEqual({ _tag: "Expired" })
          expect((yield* Clock.currentTimeMillis) - started).toBe(seconds * 1000)
        })
      const longest = yield* Effect.fork(expires(3))
      const victim = yield* Interleave.victim(expires(1))
      yield* expires(2)
      yield* Fiber.join(longest)
      const exit = yield* Fiber.await(victim)
      expect(Exit.isSuccess(exit) || Exit.isInterrupted(exit)).toBe(true)
    }), { interruptAt: "every-step", schedules: 500 })
})

describe("EB10 bounds", () => {
  exhaustive(
    "EB10 of two that ask for the last place one gets it (exhaustive: all schedules with two preemptions)",
    () =>
      Effect.gen(function*() {
        const bridge = yield* ElicitationBridge.make({ maxPending: 1 })
        const ask = Effect.either(bridge.ask({
          sessionId,
          request: confirmation,
          announce: () => Effect.void,
          settled: () => Effect.void
        }))
        const askers = [yield* Effect.fork(ask), yield* Effect.fork(ask)]
        yield* Effect.sleep("1 second")
        expect(yield* bridge.pending({ sessionId })).toHaveLength(1)
        yield* bridge.withdraw({ sessionId }, "over")
        const ends: Array<string> = []
        for (const asker of askers) ends.push((yield* Fiber.join(asker))._tag)
        expect(ends.sort()).toStrictEqual(["Left", "Right"])
      }),
    Interleave.exhaustive({ preemptions: 2 })
  )

  it.interleaved("EB10 an asker that is interrupted anywhere takes no place along", () =>
    Effect.gen(function*() {
      const bridge = yield* ElicitationBridge.make({ maxPending: 1, maxPendingTotal: 1 })
      const ask = bridge.ask({
        sessionId,
        request: confirmation,
        announce: () => Effect.void,
        settled: () => Effect.void
      })
      const leaving = yield* Interleave.victim(Effect.either(ask))
      // it may meet the one who leaves before it has left: then there is no place yet
      const other = yield* Effect.fork(Effect.either(ask))
      yield* Effect.sleep("1 second")
      expect((yield* bridge.pending({ sessionId })).length).toBeLessThanOrEqual(1)
      yield* bridge.withdraw({ sessionId }, "over")
      yield* Fiber.await(leaving)
      yield* Fiber.join(other)
      const next = yield* Effect.fork(ask)
      yield* Effect.sleep("1 second")
      expect(yield* bridge.pending({ sessionId })).toHaveLength(1)
      yield* Fiber.interrupt(next)
    }), { interruptAt: "every-step" })
})

describe("EB11 what is sensitive", () => {
  it.interleaved(
    "EB11 it is given to its asker and told to nobody, wherever the asker is interrupted",
    () =>
      Effect.gen(function*() {
        const bridge = yield* ElicitationBridge.make()
        const seen: Array<unknown> = []
        yield* Effect.fork(
          Stream.runForEach(bridge.changes({ sessionId }), (questions) => Effect.sync(() => void seen.push(questions)))
        )
        const { id, question, told } = recorded({ ...form, sensitive: true })
        const asker = yield* Interleave.victim(bridge.ask(question))
        const answering = yield* Effect.fork(
          Effect.flatMap(id, (id) =>
            Effect.zipRight(
              Effect.ignore(bridge.answer(sessionId, id, accept({ name: "hunter2" }))),
              Effect.flip(bridge.answer(sessionId, id, { action: "cancel" }))
            ))
        )
        const exit = yield* Fiber.await(asker)
        if (Exit.isSuccess(exit)) expect(exit.value).toStrictEqual(answered({ name: "hunter2", colour: "blue" }))
        if (told.length > 0) seen.push(yield* Fiber.join(answering))
        else yield* Fiber.interrupt(answering)
        expect(JSON.stringify([seen, told])).not.toContain("hunter2")
      }),
    { interruptAt: "every-step" }
  )
})

describe("remembered decisions", () => {
  it.interleaved(
    "EB2 memory, a person and a revocation: one answers, and a revoked decision never does later",
    () =>
      Effect.gen(function*() {
        const bridge = yield* ElicitationBridge.make()
        const request: ElicitationRequest = {
          kind: "permission",
          message: "?",
          subject: "edit: a",
          options: [{ optionId: "always", name: "Always", kind: "allow_always" }, {
            optionId: "no",
            name: "No",
            kind: "reject_once"
          }]
        }
        yield* bridge.remember(sessionId, [{ subject: "edit: a", kind: "allow_always", optionId: "always" }])
        const { id, question, told } = recorded(request)
        const asker = yield* Effect.fork(bridge.ask(question))
        const revoked = yield* Effect.fork(bridge.revoke(sessionId, "edit: a"))
        yield* Effect.ignore(bridge.answer(sessionId, yield* id, accept({ optionId: "no" })))
        const outcome = yield* Fiber.join(asker)
        expect(told).toStrictEqual([outcome])
        expect(yield* Fiber.join(revoked)).toBe(true)
        expect(outcome).toMatchObject({ _tag: "Answered" })
        // and what is asked after the revocation is asked
        const next = recorded(request)
        const again = yield* Effect.fork(bridge.ask(next.question))
        yield* bridge.answer(sessionId, yield* next.id, accept({ optionId: "no" }))
        expect(yield* Fiber.join(again)).toStrictEqual(answered({ optionId: "no" }))
      }),
    { schedules: 500 }
  )
})
