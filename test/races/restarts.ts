/**
 * Restarts as one writes them first: one of whatever `cycle` does for many who ask. `docs/races.md` tells of the bugs.
 */
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"

export const tryLock = (cycle: Effect.Effect<void>) =>
  Effect.gen(function*() {
    const lock = yield* Effect.makeSemaphore(1)
    return { request: lock.withPermitsIfAvailable(1)(cycle) } // somebody restarts already: nothing to do
  })

export const drainLoop = (cycle: Effect.Effect<void>) =>
  Effect.gen(function*() {
    const running = yield* Ref.make(false)
    const pending = yield* Ref.make(false)
    const request = Effect.gen(function*() {
      yield* Ref.set(pending, true)
      if (yield* Ref.getAndSet(running, true)) return // whoever runs will see it
      while (yield* Ref.getAndSet(pending, false)) yield* cycle
      yield* Ref.set(running, false)
    })
    return { request }
  })

export const pendingDiesToo = (cycle: Effect.Effect<void>) => {
  let [running, pending] = [false, false]
  const drain: Effect.Effect<void> = Effect.flatMap(cycle, () => {
    ;[running, pending] = [pending, false] // one step: no wake-up is lost here
    return running ? drain : Effect.void
  })
  return Effect.suspend(() => {
    if (running) return Effect.succeed(pending = true)
    running = true
    return Effect.onError(drain, () => Effect.sync(() => running = false)) // and who was pending?
  })
}

export const impatientProbe = (boot: Effect.Effect<void>) => {
  let [healthy, running, pending] = [false, false, false]
  const begin = Effect.sync(() => healthy = pending = false)
  const cycle = Effect.zipRight(begin, Effect.tap(boot, () => healthy = true))
  const request = Effect.suspend(() => {
    if (running) return Effect.sync(() => pending = true) // one more when this one is done
    running = true
    return Effect.tap(Effect.repeat(cycle, { while: () => pending }), () => running = false)
  })
  return { request, probe: Effect.suspend(() => healthy ? Effect.void : request) }
}
