import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Elicitation } from "../../src/domain/Elicitation.js"
import * as Questions from "./questions.js"

const { accept, answered, confirmation, elsewhere, permission, runA, runB, sessionId, setup, url } = Questions

describe("ElicitationBridge.open", () => {
  it.scoped("a question outlives the request that carried it, and its outcome can be awaited by several, and afterwards", () =>
    Effect.gen(function*() {
      const { bridge, question, settled } = yield* setup()
      const scope = yield* Effect.scope
      const request = yield* Effect.fork(Scope.extend(bridge.open(question(permission)), scope))
      const { elicitation, outcome } = yield* Fiber.join(request)
      const waiters = yield* Effect.replicateEffect(Effect.fork(outcome), 3)
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(yield* Effect.fork(outcome))
      expect(yield* bridge.pending({ sessionId })).toStrictEqual([elicitation])
      yield* bridge.answer(sessionId, elicitation.id, accept({ optionId: "no" }))
      for (const waiter of waiters) expect(yield* Fiber.join(waiter)).toStrictEqual(answered({ optionId: "no" }))
      expect(yield* outcome).toStrictEqual(answered({ optionId: "no" }))
      expect(settled).toStrictEqual([[elicitation.id, answered({ optionId: "no" })]])
    }))

  it.scoped("EB4 its end is told also when nobody waits for it", () =>
    Effect.gen(function*() {
      const { bridge, question } = yield* setup()
      const told = yield* Deferred.make<void>()
      const { elicitation } = yield* bridge.open(
        question(permission, { settled: () => Effect.asVoid(Deferred.succeed(told, void 0)) })
      )
      yield* bridge.answer(sessionId, elicitation.id, { action: "decline" })
      yield* Deferred.await(told)
    }))

  it.scoped("EB4 it ends with its scope, and closing that waits until its end is told", () =>
    Effect.gen(function*() {
      const { bridge, question } = yield* setup()
      const scope = yield* Scope.make()
      const told: Array<string> = []
      const { elicitation, outcome } = yield* Scope.extend(
        bridge.open(question(permission, {
          settled: (_, outcome) => Effect.zipRight(Effect.yieldNow(), Effect.sync(() => told.push(outcome._tag)))
        })),
        scope
      )
      yield* Scope.close(scope, Exit.void)
      expect(told).toStrictEqual(["Withdrawn"])
      expect(yield* outcome).toMatchObject({ _tag: "Withdrawn" })
      const late = yield* Effect.flip(bridge.answer(sessionId, elicitation.id, { action: "cancel" }))
      expect(late._tag).toBe("ElicitationAlreadySettled")
    }))

  it.scoped("EB4 opened in a scope that is closed it is withdrawn at once", () =>
    Effect.gen(function*() {
      const { bridge, outcomes, question } = yield* setup()
      const scope = yield* Scope.make()
      yield* Scope.close(scope, Exit.void)
      const { outcome } = yield* Scope.extend(bridge.open(question(permission)), scope)
      expect(yield* outcome).toMatchObject({ _tag: "Withdrawn" })
      expect(yield* outcomes).toHaveLength(1)
    }))

  it.effect("EB4 closing the bridge withdraws it and waits until that is told", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const { bridge, outcomes, question } = yield* Scope.extend(setup(), scope)
      const own = yield* Scope.make()
      yield* Scope.extend(bridge.open(question(permission)), own)
      yield* Scope.close(scope, Exit.void)
      expect(yield* outcomes).toMatchObject([{ _tag: "Withdrawn" }])
      // and what is opened afterwards ends at once
      const { outcome } = yield* Scope.extend(bridge.open(question(permission)), own)
      expect(yield* outcome).toMatchObject({ _tag: "Withdrawn" })
      yield* Scope.close(own, Exit.void)
      expect(yield* outcomes).toHaveLength(2)
    }))

  it.scoped("a scope that lives long keeps nothing of the questions that ended", () =>
    Effect.gen(function*() {
      const { bridge, question } = yield* setup()
      const scope = yield* Scope.make()
      for (let i = 0; i < 100; i++) {
        const { elicitation, outcome } = yield* Scope.extend(bridge.open(question(permission)), scope)
        yield* bridge.answer(sessionId, elicitation.id, { action: "decline" })
        yield* outcome
      }
      yield* Effect.repeatN(Effect.yieldNow(), 9)
      // what the scope holds is not public, but it is all that there is to see
      expect(Reflect.get(Reflect.get(scope, "state"), "finalizers").size).toBe(0)
    }))

  it.scoped("a question whose end cannot be told fails those who wait for it, and not the scope", () =>
    Effect.gen(function*() {
      const { bridge } = yield* setup()
      const { elicitation, outcome } = yield* bridge.open({
        sessionId,
        request: permission,
        announce: () => Effect.void,
        settled: () => Effect.fail("the log is full")
      })
      yield* bridge.answer(sessionId, elicitation.id, { action: "decline" })
      expect(yield* Effect.flip(outcome)).toBe("the log is full")
    }))
})

describe("ElicitationBridge.complete", () => {
  it.scoped("a url whose page says that it is done ends as accepted, once, and the log tells by what", () =>
    Effect.gen(function*() {
      const { asked, bridge, outcomes } = yield* setup()
      const { asker, elicitation } = yield* asked(url, { externalId: "visit-1" })
      expect(yield* bridge.complete(sessionId, "visit-1")).toBe(true)
      expect(yield* Fiber.join(asker)).toStrictEqual({ _tag: "Answered", action: "accept", by: "completion" })
      expect(yield* bridge.complete(sessionId, "visit-1")).toBe(false)
      expect(yield* outcomes).toHaveLength(1)
      const late = yield* Effect.flip(bridge.answer(sessionId, elicitation.id, { action: "decline" }))
      expect(late).toMatchObject({ _tag: "ElicitationAlreadySettled", outcome: { by: "completion" } })
    }))

  it.scoped("a name that nothing has, that another session has, or that is no url's completes nothing", () =>
    Effect.gen(function*() {
      const { asked, bridge } = yield* setup()
      yield* asked(url, { externalId: "visit-1" })
      yield* asked(permission, { externalId: "tool-1" })
      expect(yield* bridge.complete(sessionId, "visit-2")).toBe(false)
      expect(yield* bridge.complete(elsewhere, "visit-1")).toBe(false)
      expect(yield* bridge.complete(sessionId, "tool-1")).toBe(false)
      expect(yield* bridge.pending({ sessionId })).toHaveLength(2)
    }))

  it.scoped("an asker that hears of the completion itself ends the question with the same outcome", () =>
    Effect.gen(function*() {
      const { asked } = yield* setup()
      const done = yield* Deferred.make<void>()
      const { asker } = yield* asked(url, {
        elsewhere: Effect.as(Deferred.await(done), { _tag: "Answered", action: "accept", by: "completion" } as const)
      })
      yield* Deferred.succeed(done, void 0)
      expect(yield* Fiber.join(asker)).toStrictEqual({ _tag: "Answered", action: "accept", by: "completion" })
    }))
})

describe("ElicitationBridge.changes", () => {
  const messages = (questions: ReadonlyArray<Elicitation>) => questions.map((question) => question.message)
  const ask = (message: string) => ({ ...confirmation, message })

  it.scoped("EB8 a reader sees what is pending now, and then every change", () =>
    Effect.gen(function*() {
      const { asked, bridge } = yield* setup()
      yield* asked(ask("a"))
      const seen = yield* Queue.unbounded<ReadonlyArray<string>>()
      yield* bridge.changes({ sessionId }).pipe(
        Stream.runForEach((questions) => Queue.offer(seen, messages(questions))),
        Effect.fork
      )
      expect(yield* Queue.take(seen)).toStrictEqual(["a"])
      const { elicitation } = yield* asked(ask("b"))
      expect(yield* Queue.take(seen)).toStrictEqual(["a", "b"])
      yield* bridge.answer(sessionId, elicitation.id, { action: "cancel" })
      expect(yield* Queue.take(seen)).toStrictEqual(["a"])
      yield* bridge.withdraw({ sessionId }, "over")
      expect(yield* Queue.take(seen)).toStrictEqual([])
    }))

  it.scoped("EB5 a reader that is stuck holds nobody up, and sees the latest when it goes on", () =>
    Effect.gen(function*() {
      const { ask: wait, bridge } = yield* setup()
      const gate = yield* Deferred.make<void>()
      const entered = yield* Deferred.make<void>()
      const seen: Array<number> = []
      const reader = yield* bridge.changes({ sessionId }).pipe(
        Stream.tap((questions) => {
          seen.push(questions.length)
          return Effect.zipRight(Deferred.succeed(entered, void 0), Deferred.await(gate))
        }),
        Stream.take(2),
        Stream.runDrain,
        Effect.fork
      )
      yield* Deferred.await(entered)
      // announced and settled a thousand times while the reader holds the first list
      for (let i = 0; i < 1000; i++) {
        yield* wait(permission, {
          announce: ({ id }) => Effect.orDie(bridge.answer(sessionId, id, { action: "decline" }))
        })
      }
      yield* Effect.fork(wait(permission))
      yield* Effect.yieldNow()
      yield* Deferred.succeed(gate, void 0)
      yield* Fiber.join(reader)
      expect(seen).toStrictEqual([0, 1])
    }))

  it.scoped("EB3 a reader of one run hears nothing of others", () =>
    Effect.gen(function*() {
      const { asked, bridge } = yield* setup()
      const reader = yield* bridge.changes({ sessionId, runId: runA }).pipe(
        Stream.map(messages),
        Stream.take(2),
        Stream.runCollect,
        Effect.fork
      )
      yield* Effect.yieldNow()
      yield* asked(ask("b"), { runId: runB })
      yield* asked(ask("other"), { sessionId: elsewhere })
      yield* asked(ask("a"), { runId: runA })
      expect(Chunk.toReadonlyArray(yield* Fiber.join(reader))).toStrictEqual([[], ["a"]])
    }))

  it.effect("EB4 it ends with the bridge, having told that nothing is pending any more", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const { asked, bridge } = yield* Scope.extend(setup(), scope)
      yield* asked(ask("a"))
      const reader = yield* bridge.changes({ sessionId }).pipe(Stream.map(messages), Stream.runCollect, Effect.fork)
      const idle = yield* bridge.changes({ sessionId: elsewhere }).pipe(Stream.runCollect, Effect.fork)
      yield* Effect.yieldNow()
      yield* Effect.yieldNow()
      yield* Scope.close(scope, Exit.void)
      expect(Chunk.toReadonlyArray(yield* Fiber.join(reader))).toStrictEqual([["a"], []])
      expect(Chunk.toReadonlyArray(yield* Fiber.join(idle))).toStrictEqual([[]])
    }))
})
