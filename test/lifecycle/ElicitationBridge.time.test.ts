import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { SessionId } from "../../src/domain/Ids.js"
import type * as ElicitationBridge from "../../src/lifecycle/ElicitationBridge.js"
import * as Questions from "./questions.js"

const { elsewhere, permission, sessionId, setup } = Questions

const outcomeOf = <A, E>(fiber: Fiber.RuntimeFiber<A, E>) =>
  Effect.map(
    Fiber.poll(fiber),
    Option.flatMap((exit) => Exit.isSuccess(exit) ? Option.some(exit.value) : Option.none())
  )
const expired = Option.some({ _tag: "Expired" })
const open = Option.none()
const byPolicy = (action: "decline" | "cancel") => Option.some({ _tag: "Answered", action, by: "policy" })

/** A bridge, and for how long its clock's sleepers sleep at the moment. */
const watched = Effect.fnUntraced(function*(options?: ElicitationBridge.Options) {
  const { sleeps, watching } = Questions.watched(yield* Effect.clock)
  return { sleeps, ...yield* Effect.withClock(setup(options), watching) }
})

/** Lets the sweep come to rest. */
const settle = Effect.repeatN(Effect.yieldNow(), 9)

describe("EB9 deadlines", () => {
  it.scoped("a question ends at its deadline, which its record tells", () =>
    Effect.gen(function*() {
      const { asked, bridge, outcomes } = yield* setup()
      yield* TestClock.setTime(Date.parse("2026-11-21T02:00:00Z"))
      const { asker, elicitation } = yield* asked(permission, { deadline: "10 minutes" })
      expect(elicitation.deadline).toBe("2026-11-21T02:10:00.000Z")
      yield* TestClock.adjust("599 seconds")
      expect(yield* outcomeOf(asker)).toStrictEqual(open)
      yield* TestClock.adjust("1 second")
      expect(yield* outcomeOf(asker)).toStrictEqual(expired)
      expect(yield* outcomes).toStrictEqual([{ _tag: "Expired" }])
      const late = yield* Effect.flip(bridge.answer(sessionId, elicitation.id, { action: "cancel" }))
      expect(late).toMatchObject({ _tag: "ElicitationAlreadySettled", outcome: { _tag: "Expired" } })
    }))

  it.scoped("the bridge's own deadline is for those that have none; one that is answered in time has had it", () =>
    Effect.gen(function*() {
      const { asked, bridge } = yield* setup({ deadline: "1 minute" })
      const short = yield* asked(permission, { deadline: "10 seconds" })
      const own = yield* asked(permission)
      const long = yield* asked(permission, { deadline: "1 hour" })
      const never = yield* asked(permission, { deadline: Infinity })
      const answered = yield* asked(permission)
      yield* bridge.answer(sessionId, answered.elicitation.id, { action: "decline" })
      expect(never.elicitation.deadline).toBeUndefined()
      yield* TestClock.adjust("10 seconds")
      expect(yield* outcomeOf(short.asker)).toStrictEqual(expired)
      expect(yield* outcomeOf(own.asker)).toStrictEqual(open)
      yield* TestClock.adjust("50 seconds")
      expect(yield* outcomeOf(own.asker)).toStrictEqual(expired)
      expect(yield* outcomeOf(answered.asker)).toMatchObject(Option.some({ _tag: "Answered" }))
      yield* TestClock.adjust("1 hour")
      expect(yield* outcomeOf(long.asker)).toStrictEqual(expired)
      yield* TestClock.adjust("1000 days")
      expect(yield* outcomeOf(never.asker)).toStrictEqual(open)
    }))

  it.scoped("an earlier deadline that comes later is kept, and one timer serves them all", () =>
    Effect.gen(function*() {
      const { asked, sleeps } = yield* watched()
      const askers = yield* Effect.forEach(
        [60, 10, 30, 20, 50, 40],
        (seconds) =>
          Effect.map(asked(permission, { deadline: `${seconds} seconds` }), ({ asker }) => [seconds, asker] as const)
      )
      yield* settle
      expect(sleeps).toStrictEqual([10_000])
      for (let now = 10; now <= 60; now += 10) {
        yield* TestClock.adjust("10 seconds")
        for (const [seconds, asker] of askers) {
          expect([now, seconds, yield* outcomeOf(asker)]).toStrictEqual([
            now,
            seconds,
            seconds <= now ? expired : open
          ])
        }
      }
      yield* settle
      expect(sleeps).toStrictEqual([])
    }))

  it.scoped("a deadline that no timer of the platform knows is kept, too", () =>
    Effect.gen(function*() {
      const { asked, sleeps } = yield* watched()
      const { asker } = yield* asked(permission, { deadline: "60 days" })
      yield* settle
      expect(sleeps).toStrictEqual([2 ** 31 - 1])
      yield* TestClock.adjust("59 days")
      expect(yield* outcomeOf(asker)).toStrictEqual(open)
      yield* TestClock.adjust("1 day")
      expect(yield* outcomeOf(asker)).toStrictEqual(expired)
    }))

  it.effect("no timer is left when the bridge has closed", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const { asked, sleeps } = yield* Scope.extend(watched({ deadline: "1 day" }), scope)
      yield* asked(permission)
      yield* settle
      expect(sleeps).toHaveLength(1)
      yield* Scope.close(scope, Exit.void)
      expect(sleeps).toStrictEqual([])
    }))
})

describe("EB9 the unattended policy", () => {
  const declines = { unattended: { after: "1 minute", then: "decline" } } as const

  it.scoped("with nobody there a question is answered after a time, and the log tells by whom", () =>
    Effect.gen(function*() {
      const { asked, outcomes } = yield* setup(declines)
      const { asker, elicitation } = yield* asked(permission)
      expect(elicitation.deadline).toBeUndefined()
      yield* TestClock.adjust("59 seconds")
      expect(yield* outcomeOf(asker)).toStrictEqual(open)
      yield* TestClock.adjust("1 second")
      expect(yield* outcomeOf(asker)).toStrictEqual(byPolicy("decline"))
      expect(yield* outcomes).toStrictEqual([{ _tag: "Answered", action: "decline", by: "policy" }])
    }))

  it.scoped("it cancels if it says so, and waits for ever if it says nothing", () =>
    Effect.gen(function*() {
      const cancels = yield* setup({ unattended: { after: "1 minute", then: "cancel" } })
      const waits = yield* setup({ unattended: "wait" })
      const [cancelled, waiting] = [yield* cancels.asked(permission), yield* waits.asked(permission)]
      yield* TestClock.adjust("1000 days")
      expect(yield* outcomeOf(cancelled.asker)).toStrictEqual(byPolicy("cancel"))
      expect(yield* outcomeOf(waiting.asker)).toStrictEqual(open)
    }))

  it.scoped("it waits while somebody is there, and counts from the moment at which the last one leaves", () =>
    Effect.gen(function*() {
      const { asked, bridge } = yield* setup(declines)
      const [first, second] = [yield* Scope.make(), yield* Scope.make()]
      yield* Scope.extend(bridge.attend(sessionId), first)
      const { asker } = yield* asked(permission)
      const other = yield* asked(permission, { sessionId: elsewhere })
      yield* TestClock.adjust("1 hour")
      // of that session only
      expect(yield* outcomeOf(other.asker)).toStrictEqual(byPolicy("decline"))
      yield* Scope.extend(bridge.attend(sessionId), second)
      yield* Scope.close(first, Exit.void)
      yield* TestClock.adjust("1 hour")
      expect(yield* outcomeOf(asker)).toStrictEqual(open)
      yield* Scope.close(second, Exit.void)
      yield* TestClock.adjust("59 seconds")
      expect(yield* outcomeOf(asker)).toStrictEqual(open)
      yield* TestClock.adjust("1 second")
      expect(yield* outcomeOf(asker)).toStrictEqual(byPolicy("decline"))
    }))

  it.scoped("somebody who comes in time stops it; one who left before the question was asked does not count", () =>
    Effect.gen(function*() {
      const { asked, bridge } = yield* setup(declines)
      const gone = yield* Scope.make()
      yield* Scope.extend(bridge.attend(sessionId), gone)
      yield* Scope.close(gone, Exit.void)
      yield* TestClock.adjust("59 seconds")
      const { asker } = yield* asked(permission)
      yield* TestClock.adjust("59 seconds")
      expect(yield* outcomeOf(asker)).toStrictEqual(open)
      const there = yield* Scope.make()
      yield* Scope.extend(bridge.attend(sessionId), there)
      yield* TestClock.adjust("1 day")
      expect(yield* outcomeOf(asker)).toStrictEqual(open)
      yield* Scope.close(there, Exit.void)
    }))

  it.scoped("a deadline that comes first is the end, whether or not somebody is there", () =>
    Effect.gen(function*() {
      const { asked, bridge } = yield* setup(declines)
      const alone = yield* asked(permission, { sessionId: elsewhere, deadline: "30 seconds" })
      const late = yield* asked(permission, { sessionId: elsewhere, deadline: "2 minutes" })
      yield* bridge.attend(sessionId)
      const attended = yield* asked(permission, { deadline: "5 minutes" })
      yield* TestClock.adjust("5 minutes")
      expect(yield* outcomeOf(alone.asker)).toStrictEqual(expired)
      expect(yield* outcomeOf(late.asker)).toStrictEqual(byPolicy("decline"))
      expect(yield* outcomeOf(attended.asker)).toStrictEqual(expired)
    }))
})

describe("EB9 by the real clock", () => {
  it.scopedLive("a question expires", () =>
    Effect.gen(function*() {
      const { ask, bridge } = yield* setup({ unattended: { after: "40 millis", then: "cancel" } })
      const outcomes = yield* Effect.all([
        ask(permission, { deadline: "20 millis" }),
        ask(permission),
        Effect.scoped(
          Effect.zipRight(
            bridge.attend(SessionId.make("ses_3")),
            ask(permission, { sessionId: SessionId.make("ses_3"), deadline: "80 millis" })
          )
        )
      ], { concurrency: "unbounded" })
      expect(outcomes).toStrictEqual([
        { _tag: "Expired" },
        { _tag: "Answered", action: "cancel", by: "policy" },
        { _tag: "Expired" }
      ])
    }))
})
