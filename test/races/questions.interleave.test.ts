/**
 * The races of questions: `Interleave` finds each in the naive code, and none in `ElicitationBridge`. docs/races.md tells of them.
 */
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import { it } from "holdfast/testing/vitest"
import type { ElicitationOutcome } from "../../src/domain/Elicitation.js"
import { ElicitationId, IdSource, RunId, SessionId } from "../../src/domain/Ids.js"
import * as ElicitationBridge from "../../src/lifecycle/ElicitationBridge.js"
import { itFinds } from "./found.js"
import * as naive from "./questions.js"

const sessionId = SessionId.make("ses_1")
const request = {
  kind: "form",
  message: "What shall I say?",
  schema: { properties: { text: { type: "string" } }, required: ["text"] }
} as const

/** The bridge as the scenarios want it: a question has a text for an answer, or fails as it was withdrawn. */
const holdfast = Effect.fnUntraced(function*(options: {
  readonly announce?: (id: string) => Effect.Effect<unknown>
  readonly record?: (end: "answered" | "withdrawn") => Effect.Effect<void>
}) {
  let n = 0
  const { announce = () => Effect.void, record = () => Effect.void } = options
  const bridge = yield* ElicitationBridge.make()
  const textOf = (outcome: ElicitationOutcome) =>
    outcome._tag === "Answered" ? Effect.succeed(String(outcome.content?.["text"])) : Effect.fail(outcome)
  const ask = (run: string) =>
    bridge.ask({
      sessionId,
      runId: RunId.make(`run_${run}`),
      request,
      announce: ({ id }) => Effect.asVoid(announce(id)),
      settled: (_, outcome) => record(outcome._tag === "Answered" ? "answered" : "withdrawn")
    }).pipe(
      Effect.flatMap(textOf),
      Effect.provideService(IdSource, { next: (prefix) => Effect.sync(() => `${prefix}_${++n}`) })
    )
  const answer = (id: string, text: string) =>
    bridge.answer(sessionId, ElicitationId.make(id), { action: "accept", content: { text } })
  /** Answers the run's question, if it has one. */
  const answerRun = (run: string, text: string) =>
    bridge.pending({ sessionId, runId: RunId.make(`run_${run}`) }).pipe(
      Effect.flatMap(([question]) => Effect.fromNullable(question)),
      Effect.flatMap(({ id }) => answer(id, text))
    )
  return { ask, answer, answerRun }
})

describe("a question announced before it is registered", () => {
  const scenario = <R>(
    subject: (announce: (id: string) => Effect.Effect<void>) => Effect.Effect<
      {
        readonly ask: (id: string) => Effect.Effect<string, unknown>
        readonly answer: (id: string, text: string) => Effect.Effect<unknown, unknown>
      },
      never,
      R
    >
  ) =>
  () =>
    Effect.gen(function*() {
      const announced = yield* Queue.unbounded<string>()
      const { answer, ask } = yield* subject((id) => Queue.offer(announced, id))
      const asking = yield* Effect.fork(ask("q"))
      const id = yield* Queue.take(announced)
      yield* answer(id, "yes")
      expect(yield* Fiber.join(asking)).toBe("yes")
    })

  itFinds(
    "a naive question is not there when its answer comes",
    scenario((announce) => Effect.sync(() => naive.announcedFirst(announce))),
    { within: 100, choices: "seed=4 10:1", reason: "NoSuchElementException" }
  )

  it.interleaved(
    "EB1 an answer sent the instant the announcement is seen is not lost",
    scenario((announce) => holdfast({ announce }))
  )
})

describe("an answer races the withdrawal", () => {
  const scenario = <R>(
    subject: (record: (end: "answered" | "withdrawn") => Effect.Effect<void>) => Effect.Effect<
      {
        readonly ask: Effect.Effect<string, unknown>
        readonly answer: (text: string) => Effect.Effect<unknown, unknown>
      },
      never,
      R
    >
  ) =>
  () =>
    Effect.gen(function*() {
      const ends: Array<string> = []
      const { answer, ask } = yield* subject((end) => Effect.sync(() => void ends.push(end)))
      const asking = yield* Effect.fork(ask)
      const answering = yield* Effect.fork(answer("yes"))
      yield* Fiber.interrupt(asking)
      const told = yield* Fiber.await(answering)
      // whoever answered was told what became of the answer, and there is one end at most
      expect(ends).toStrictEqual(
        Exit.isSuccess(told) ? ["answered"] : ends.length === 0 ? [] : ["withdrawn"]
      )
    })

  itFinds(
    "a naive question ends twice",
    scenario((record) => Effect.sync(() => naive.twoEnds(record))),
    { within: 100, choices: "seed=7 4:1", reason: "[ 'answered', 'withdrawn' ]" }
  )

  it.interleaved(
    "EB2 one end, and who comes second is told",
    scenario((record) =>
      Effect.map(holdfast({ record }), ({ answerRun, ask }) => ({
        ask: ask("a"),
        answer: (text) => answerRun("a", text)
      }))
    )
  )
})

describe("one global slot swapped by concurrent runs", () => {
  const scenario = <R>(
    subject: Effect.Effect<
      {
        readonly ask: (run: string) => Effect.Effect<string, unknown>
        readonly answer: (run: string, text: string) => Effect.Effect<unknown, unknown>
      },
      never,
      R
    >
  ) =>
  () =>
    Effect.gen(function*() {
      const { answer, ask } = yield* subject
      const asking = yield* Effect.forEach(["a", "b"], (run) => Effect.fork(ask(run)))
      yield* Effect.sleep("1 second")
      yield* Effect.forEach(["a", "b"], (run) => answer(run, `for ${run}`))
      expect(yield* Effect.forEach(asking, Fiber.join)).toStrictEqual(["for a", "for b"])
    })

  itFinds(
    "a naive slot takes the one's answer to the other",
    scenario(Effect.sync(() => {
      const { answer, ask } = naive.oneSlot()
      return { ask: () => ask, answer: (_, text) => answer(text) }
    })),
    { within: 5, choices: "seed=1", reason: "deadlock" }
  )

  it.interleaved(
    "EB3 each answer goes to its own",
    scenario(Effect.map(holdfast({}), ({ answerRun, ask }) => ({ ask, answer: answerRun })))
  )
})
