/**
 * All that can end a question, at once and in every order: EB2, which everything else rests on.
 */
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { Interleave } from "holdfast/testing"
import { it } from "holdfast/testing/vitest"
import type { ElicitationOutcome } from "../../src/domain/Elicitation.js"
import type { ElicitationId } from "../../src/domain/Ids.js"
import * as ElicitationBridge from "../../src/lifecycle/ElicitationBridge.js"
import { accept, type Bridge, permission, type Question, recorded, sessionId, url } from "./questions.js"

interface Attempt {
  readonly bridge: Bridge
  readonly id: ElicitationId
  readonly asker: Fiber.RuntimeFiber<ElicitationOutcome, unknown>
}

/** Tries to end a question, and says whether it did; `null` if it is not told. */
type Party = (attempt: Attempt) => Effect.Effect<unknown, unknown>

// as plain as can be: each operation more multiplies the schedules
const answer = (content?: Record<string, unknown>): Party => ({ bridge, id }) =>
  bridge.answer(sessionId, id, accept(content))
const answers = (optionId: string): Party => answer({ optionId })
const withdraws: Party = ({ bridge }) => Effect.as(bridge.withdraw({ sessionId }, "withdrawn"), null)
const interrupts: Party = ({ asker }) => Effect.as(Fiber.interrupt(asker), null)
const completes: Party = ({ bridge }) => bridge.complete(sessionId, "visit")

/** Whether the one who answered is told that this is how the question ended. */
const hasWon = (exit: Exit.Exit<unknown, unknown>): boolean => {
  if (Exit.isSuccess(exit)) return exit.value === undefined || exit.value === true
  expect(JSON.stringify(exit.cause)).toContain("ElicitationAlreadySettled")
  return false
}

/**
 * Of several parties that end one question at once exactly one does, and all agree how. The first runs in the fiber of the test.
 */
const race = (parties: readonly [Party, ...ReadonlyArray<Party>], more: Partial<Question> = {}) =>
  Effect.gen(function*() {
    const bridge = yield* ElicitationBridge.make()
    // the session has more than this question
    yield* bridge.attend(sessionId)
    const { id, question, told } = recorded(more.request ?? permission, more)
    const asker = yield* Effect.fork(bridge.ask(question))
    const attempt = { bridge, id: yield* id, asker }
    const others: Array<Fiber.RuntimeFiber<unknown, unknown>> = []
    for (const party of parties.slice(1)) others.push(yield* Effect.fork(party(attempt)))
    const exits = [yield* Effect.exit(parties[0](attempt))]
    for (const other of others) exits.push(yield* Fiber.await(other))
    const exit = yield* Fiber.await(asker)
    // from here on nobody else runs
    expect(told).toHaveLength(1)
    const [outcome] = told
    const won = exits.filter(hasWon)
    expect(won).toHaveLength(outcome?._tag === "Answered" ? 1 : 0)
    if (Exit.isSuccess(exit)) expect(exit.value).toStrictEqual(outcome)
    else expect(Exit.isInterrupted(exit)).toBe(true)
    // EB6: who comes later hears the same
    const late = yield* Effect.flip(bridge.answer(sessionId, attempt.id, { action: "cancel" }))
    expect(late).toMatchObject({ _tag: "ElicitationAlreadySettled", outcome })
    expect(yield* bridge.pending({ sessionId })).toStrictEqual([])
  })

/** All schedules within the bound, or the test fails. */
const exhaustive = (
  name: string,
  program: () => Effect.Effect<unknown, unknown, Scope.Scope>,
  strategy: Interleave.Strategy,
  granularity: "op" | "async" = "op"
) => it.interleaved(name, program, { strategy, granularity, exhaustive: true }, 300_000)

/** Waits as long as the deadline, and then does as the party. */
const atTheDeadline = (party: Party): Party => (attempt) => Effect.zipRight(Effect.sleep("1 second"), party(attempt))
const deadline = { deadline: "1 second" } as const

describe("EB2 of all that can end a question exactly one does", () => {
  const three = Interleave.exhaustive({ preemptions: 3 })
  const two = Interleave.exhaustive({ preemptions: 2 })

  exhaustive(
    "EB2 two answers (exhaustive: all schedules with three preemptions)",
    () => race([answers("yes"), answers("no")]),
    three
  )
  exhaustive(
    "EB2 an answer and a withdrawal (exhaustive: all schedules with three preemptions)",
    () => race([withdraws, answers("yes")]),
    three
  )
  exhaustive(
    "EB2 an answer and the interruption of the asker (exhaustive: all schedules with three preemptions)",
    () => race([interrupts, answers("yes")]),
    three
  )
  exhaustive(
    "EB2 an answer at the deadline (exhaustive: all schedules with two preemptions)",
    () => race([atTheDeadline(answers("yes"))], deadline),
    two
  )
  exhaustive(
    "EB2 an answer, a withdrawal and the interruption of the asker (exhaustive: all schedules with two preemptions)",
    () => race([interrupts, answers("yes"), withdraws]),
    two
  )
  exhaustive(
    "EB2 an answer, a completion, the deadline and an interruption (exhaustive: all orders of what happens between two waits)",
    () =>
      race([atTheDeadline(interrupts), atTheDeadline(answer()), atTheDeadline(completes)], {
        ...deadline,
        request: url,
        externalId: "visit"
      }),
    Interleave.exhaustive(),
    "async"
  )
  it.interleaved(
    "EB2 three parties, three preemptions",
    () => race([interrupts, answers("yes"), answers("no")]),
    { strategy: three, schedules: 2000 }
  )
  it.interleaved(
    "EB2 six parties at once",
    () =>
      race([
        atTheDeadline(interrupts),
        atTheDeadline(answers("yes")),
        atTheDeadline(answers("no")),
        atTheDeadline(withdraws),
        answers("yes")
      ], deadline),
    { schedules: 1000 }
  )
})
