/** What the tests of questions share: some questions, and a bridge that keeps what it announced. */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Queue from "effect/Queue"
import type { Elicitation, ElicitationOutcome, ElicitationRequest } from "../../src/domain/Elicitation.js"
import { type ElicitationId, RunId, SessionId } from "../../src/domain/Ids.js"
import * as ElicitationBridge from "../../src/lifecycle/ElicitationBridge.js"

export const sessionId = SessionId.make("ses_1")
export const elsewhere = SessionId.make("ses_2")
export const [runA, runB] = [RunId.make("run_a"), RunId.make("run_b")]

export const takenBack = (reason: string): ElicitationOutcome => ({ _tag: "Withdrawn", reason })

export const permission: ElicitationRequest = {
  kind: "permission",
  message: "Write the file?",
  options: [
    { optionId: "yes", name: "Allow", kind: "allow_once" },
    { optionId: "no", name: "Reject", kind: "reject_once" }
  ]
}

export const form: ElicitationRequest = {
  kind: "form",
  message: "Who are you?",
  schema: {
    properties: {
      name: { type: "string", minLength: 2 },
      age: { type: "integer", minimum: 0 },
      colour: { type: "string", enum: ["red", "blue"], default: "blue" }
    },
    required: ["name"]
  }
}

export const url: ElicitationRequest = { kind: "url", message: "Log in", url: "https://example.com/login" }
export const confirmation: ElicitationRequest = { kind: "confirmation", message: "Sure?" }

export const accept = (content?: Record<string, unknown>) =>
  ({ action: "accept", ...content === undefined ? {} : { content } }) as const
export const answered = (content: Record<string, unknown>): ElicitationOutcome => ({
  _tag: "Answered",
  action: "accept",
  content
})

export type Bridge = ElicitationBridge.ElicitationBridge["Type"]
export type Question = ElicitationBridge.Question<never>

/** A question that keeps what was told of it: once announced, and once how it ended. */
export const recorded = (request: ElicitationRequest, more: Partial<Question> = {}) => {
  const announced = Deferred.unsafeMake<ElicitationId>(FiberId.none)
  const told: Array<ElicitationOutcome> = []
  const question: Question = {
    sessionId,
    request,
    announce: ({ id }) => Effect.sync(() => Deferred.unsafeDone(announced, Effect.succeed(id))),
    settled: (_, outcome) => Effect.sync(() => void told.push(outcome)),
    ...more
  }
  return { question, told, id: Deferred.await(announced) }
}

/** A bridge that keeps what it announced. */
export const setup = Effect.fnUntraced(function*(options: ElicitationBridge.Options = {}) {
  const bridge = yield* ElicitationBridge.make(options)
  const announced = yield* Queue.unbounded<Elicitation>()
  const settled: Array<readonly [id: ElicitationId, outcome: ElicitationOutcome]> = []
  const question = (
    request: ElicitationRequest,
    more: Partial<ElicitationBridge.Question<never>> = {}
  ): ElicitationBridge.Question<never> => ({
    sessionId,
    request,
    announce: (elicitation) => Queue.offer(announced, elicitation),
    settled: (elicitation, outcome) => Effect.sync(() => void settled.push([elicitation.id, outcome])),
    ...more
  })
  return {
    bridge,
    announced,
    settled,
    question,
    /** How the questions ended, in that order. */
    outcomes: Effect.sync(() => settled.map(([, outcome]) => outcome)),
    ask: (request: ElicitationRequest, more?: Partial<ElicitationBridge.Question<never>>) =>
      bridge.ask(question(request, more)),
    /** Asks in a fiber of its own, and returns when it is announced. */
    asked: (request: ElicitationRequest, more?: Partial<ElicitationBridge.Question<never>>) =>
      Effect.gen(function*() {
        const asker = yield* Effect.fork(bridge.ask(question(request, more)))
        return { asker, elicitation: yield* Queue.take(announced) }
      })
  }
})

/** A clock that knows for how many milliseconds its sleepers sleep at the moment. */
export const watched = (clock: Clock.Clock) => {
  const sleeps: Array<number> = []
  const watching: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis(),
    unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
    currentTimeMillis: clock.currentTimeMillis,
    currentTimeNanos: clock.currentTimeNanos,
    sleep: (duration) =>
      Effect.acquireUseRelease(
        Effect.sync(() => sleeps.push(Duration.toMillis(duration))),
        () => clock.sleep(duration),
        () => Effect.sync(() => sleeps.splice(sleeps.indexOf(Duration.toMillis(duration)), 1))
      )
  }
  return { sleeps, watching }
}
