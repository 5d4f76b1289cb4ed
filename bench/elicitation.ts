/**
 * Questions in process: from asking over the answer to the asker's going on, against a bare `Deferred` that is handed from one fiber to
 * another; and what 10,000 questions that wait at once hold in memory over 10,000 fibers that wait for a bare `Deferred` each.
 *
 * The requests themselves, which an agent makes, are made before, for both.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { type Elicitation, ElicitationBridge, Ids } from "holdfast"
import type { Result } from "./main.js"

type Bridge = ElicitationBridge.ElicitationBridge["Type"]

const rounds = 5_000
const repetitions = 15
const waiting = 10_000
/** Of one session. */
const perSession = 50

const request = (index: number): Elicitation.ElicitationRequest => ({
  kind: "permission",
  message: `Write file ${index}?`,
  options: [
    { optionId: "yes", name: "Allow", kind: "allow_once" },
    { optionId: "no", name: "Reject", kind: "reject_once" }
  ]
})
const requests = Array.from({ length: waiting }, (_, index) => request(index))
const sessions = Array.from({ length: waiting / perSession }, (_, index) => Ids.SessionId.make(`ses_${index}`))
const sessionOf = (index: number) => sessions[index % sessions.length] ?? Ids.SessionId.make("ses_none")
const yes = { action: "accept", content: { optionId: "yes" } } as const

const bare = Effect.gen(function*() {
  for (let i = 0; i < rounds; i++) {
    const answer = yield* Deferred.make<typeof yes>()
    const asker = yield* Effect.fork(Deferred.await(answer))
    yield* Effect.yieldNow()
    yield* Deferred.succeed(answer, yes)
    yield* Fiber.join(asker)
  }
})

const bridged = (bridge: Bridge) =>
  Effect.gen(function*() {
    for (let i = 0; i < rounds; i++) {
      let id: Ids.ElicitationId | undefined
      const sessionId = sessionOf(i)
      const asker = yield* Effect.fork(bridge.ask({
        sessionId,
        request: requests[i] ?? request(i),
        announce: (elicitation) =>
          Effect.sync(() => {
            id = elicitation.id
          }),
        settled: () => Effect.void
      }))
      yield* Effect.yieldNow()
      if (id === undefined) return yield* Effect.dieMessage("the question was not announced")
      yield* bridge.answer(sessionId, id, yes)
      yield* Fiber.join(asker)
    }
  })

const timed = async (effect: Effect.Effect<void, unknown>) => {
  const start = performance.now()
  await Effect.runPromise(effect)
  return ((performance.now() - start) * 1000) / rounds
}

const median = (numbers: ReadonlyArray<number>) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN

const heap = async () => {
  for (let i = 0; i < 4; i++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return process.memoryUsage().heapUsed
}

/** Bytes of each of so many fibers that wait, and how long it takes to start and to end all of them. */
const held = async (ask: (index: number) => Effect.Effect<unknown, unknown>, answerAll: Effect.Effect<unknown>) => {
  const before = await heap()
  const start = performance.now()
  const fibers = requests.map((_, index) => Effect.runFork(ask(index)))
  await Effect.runPromise(Effect.yieldNow({ priority: 1 }))
  const asked = performance.now() - start
  const bytes = (await heap() - before) / waiting
  const answering = performance.now()
  await Effect.runPromise(answerAll)
  await Effect.runPromise(Effect.forEach(fibers, Fiber.join, { discard: true }))
  return { bytes, asked, answered: performance.now() - answering }
}

const bareHeld = () => {
  const answers: Array<Deferred.Deferred<typeof yes>> = []
  return held(
    (index) =>
      Effect.flatMap(Deferred.make<typeof yes>(), (answer) => {
        answers[index] = answer
        return Deferred.await(answer)
      }),
    Effect.suspend(() => Effect.forEach(answers, (answer) => Deferred.succeed(answer, yes), { discard: true }))
  )
}

const bridgeHeld = (bridge: Bridge) => {
  const ids: Array<Ids.ElicitationId> = []
  return held(
    (index) =>
      bridge.ask({
        sessionId: sessionOf(index),
        request: requests[index] ?? request(index),
        announce: ({ id }) =>
          Effect.sync(() => {
            ids[index] = id
          }),
        settled: () => Effect.void
      }),
    Effect.suspend(() =>
      // from the last to the first
      Effect.forEach(ids.map((id, index) => [id, index] as const).reverse(), ([id, index]) =>
        bridge.answer(sessionOf(index), id, yes), { discard: true })
    ).pipe(Effect.orDie)
  )
}

export default async (): Promise<ReadonlyArray<Result>> => {
  const scope = Effect.runSync(Scope.make())
  const bridge = await Effect.runPromise(Scope.extend(ElicitationBridge.make({ maxPending: perSession }), scope))
  try {
    // first, as what the other leaves behind would be measured, too
    await bareHeld()
    await bridgeHeld(bridge)
    const theirs = await bareHeld()
    const ours = await bridgeHeld(bridge)
    const over = ours.bytes - theirs.bytes
    const pairs: Array<{ readonly ours: number; readonly theirs: number }> = []
    // the first of each warms up
    for (let i = 0; i <= repetitions; i++) {
      const pair = { theirs: await timed(bare), ours: await timed(bridged(bridge)) }
      if (i > 0) pairs.push(pair)
    }
    const ratio = median(pairs.map(({ ours, theirs }) => ours / theirs))
    return [
      {
        name: "elicitation: ask, answer, go on, of a bare Deferred's handover",
        ratio,
        target: "<= 5",
        ok: ratio <= 5,
        details: {
          "holdfast, µs": median(pairs.map(({ ours }) => ours)).toFixed(1),
          "bare, µs": median(pairs.map(({ theirs }) => theirs)).toFixed(1)
        }
      },
      {
        name: "elicitation: bytes of one of 10,000 pending questions, over a fiber on a bare Deferred",
        ratio: over,
        target: "<= 1024",
        ok: over <= 1024,
        details: {
          "holdfast, bytes": Math.round(ours.bytes),
          "bare, bytes": Math.round(theirs.bytes),
          "holdfast, ms to ask and to answer all": `${ours.asked.toFixed(0)}, ${ours.answered.toFixed(0)}`,
          "bare, ms": `${theirs.asked.toFixed(0)}, ${theirs.answered.toFixed(0)}`
        }
      }
    ]
  } finally {
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
}
