/**
 * `submit` on a key that is busy, against a bare `Ref.update`; and what a key costs that has been restarted and is idle again.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Ref from "effect/Ref"
import * as Scope from "effect/Scope"
import * as RestartCoalescer from "../src/lifecycle/RestartCoalescer.js"
import type { Result } from "./main.js"

const rounds = 300_000
const repetitions = 9
const keys = 20_000

const median = (numbers: ReadonlyArray<number>) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN

/** Nanoseconds an operation. */
const timed = async (operation: Effect.Effect<unknown, unknown>) => {
  const loop = Effect.gen(function*() {
    for (let i = 0; i < rounds; i++) yield* operation
  })
  const start = performance.now()
  await Effect.runPromise(Effect.orDie(loop))
  return (performance.now() - start) * 1e6 / rounds
}

const heap = () => {
  for (let i = 0; i < 4; i++) globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

const speed = async (): Promise<Result> => {
  const scope = Effect.runSync(Scope.make())
  const restarts = await Effect.runPromise(
    Scope.extend(RestartCoalescer.make({ cycle: (_: string) => Effect.never }), scope)
  )
  const ref = Effect.runSync(Ref.make(0))
  const bare = Ref.update(ref, (n) => n + 1)
  // the first makes it busy, the second pending
  await Effect.runPromise(Effect.all([restarts.submit("busy", "changed"), restarts.submit("busy", "changed")]))
  const pairs: Array<Record<"bare" | "changed" | "failed", number>> = []
  // the first round warms up
  for (let i = 0; i <= repetitions; i++) {
    const pair = {
      bare: await timed(bare),
      changed: await timed(restarts.submit("busy", "changed")),
      failed: await timed(restarts.submit("busy", "failed"))
    }
    if (i > 0) pairs.push(pair)
  }
  await Effect.runPromise(Scope.close(scope, Exit.void))
  const ratio = median(pairs.map(({ bare, changed }) => changed / bare))
  return {
    name: "restarts: submit on a busy key, times a bare Ref.update",
    ratio,
    target: "<= 10",
    ok: ratio <= 10,
    details: {
      "Ref.update, ns": Math.round(median(pairs.map(({ bare }) => bare))),
      "submit changed, ns": Math.round(median(pairs.map(({ changed }) => changed))),
      "submit failed, ns": Math.round(median(pairs.map(({ failed }) => failed)))
    }
  }
}

const memory = async (): Promise<Result> => {
  const scope = Effect.runSync(Scope.make())
  const restarts = await Effect.runPromise(
    Scope.extend(RestartCoalescer.make({ policy: { settle: 50 }, cycle: (_: number) => Effect.void }), scope)
  )
  /** Restarts so many keys that were never seen before, and returns when they are idle. */
  const wave = (first: number) =>
    Effect.runPromise(Effect.gen(function*() {
      for (let key = first; key < first + keys; key++) yield* restarts.request(key, "changed")
      while ((yield* restarts.size) > 0) yield* Effect.sleep(10)
    }))
  for (let i = -2; i <= 0; i++) await wave(i * keys)
  const before = heap()
  for (let i = 1; i <= 5; i++) await wave(i * keys)
  const perKey = (heap() - before) / (5 * keys)
  await Effect.runPromise(Scope.close(scope, Exit.void))
  return {
    name: "restarts: bytes an idle key keeps, of keys that were restarted and have settled",
    ratio: perKey,
    // none, but for the noise of a heap that has run another second
    target: "< 4",
    ok: perKey < 4,
    details: { "keys": 5 * keys }
  }
}

export default async (): Promise<ReadonlyArray<Result>> => [await speed(), await memory()]
