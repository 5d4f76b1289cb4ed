/** Bugs that need a certain order, each with its repaired counterpart. Every program fails or hangs when its bug shows. */
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"

/** Two look whether it is free, and both take it. */
const checkThenAct = (taken: Ref.Ref<boolean>, atomic: boolean) => {
  const take = atomic
    ? Ref.modify(taken, (is): [boolean, boolean] => [!is, true])
    : Effect.flatMap(Ref.get(taken), (is) => is ? Effect.succeed(false) : Effect.as(Ref.set(taken, true), true))
  return Effect.gen(function*() {
    const [one, two] = yield* Effect.all([take, take], { concurrency: 2 })
    if (one && two) return yield* Effect.dieMessage("both took it")
  })
}

/** A stream is visible before close could wait for it: close returns while it is there. */
const publishThenRegister = Effect.fnUntraced(function*(registerFirst: boolean) {
  const published = yield* Ref.make(false)
  const registered = yield* Ref.make(0)
  const publish = Ref.set(published, true)
  const register = Ref.update(registered, (n) => n + 1)
  yield* Effect.fork(registerFirst ? Effect.zipRight(register, publish) : Effect.zipRight(publish, register))
  // `close`: who finds a stream waits for those that are registered
  if ((yield* Ref.get(published)) && (yield* Ref.get(registered)) === 0) {
    return yield* Effect.dieMessage("closed without waiting for the stream")
  }
})

/** Two locks, taken in opposite orders. */
const lockOrder = Effect.fnUntraced(function*(sameOrder: boolean) {
  const a = yield* Effect.makeSemaphore(1)
  const b = yield* Effect.makeSemaphore(1)
  const both = (first: Effect.Semaphore, second: Effect.Semaphore) =>
    first.withPermits(1)(second.withPermits(1)(Effect.void))
  const left = yield* Effect.fork(both(a, b).pipe(Effect.withSpan("left")))
  const right = yield* Effect.fork((sameOrder ? both(a, b) : both(b, a)).pipe(Effect.withSpan("right")))
  yield* Fiber.join(left)
  yield* Fiber.join(right)
})

/** A worker drains what is pending and ends; who adds starts one if none runs. Between its last look and its end, nobody is woken. */
const lostWakeUp = Effect.fnUntraced(function*(oneStep: boolean) {
  const state = { running: false, pending: 0, done: 0 }
  const work: Effect.Effect<void> = Effect.suspend(() => {
    if (state.pending > 0) {
      state.done += state.pending
      state.pending = 0
      return Effect.zipRight(Effect.void, work)
    }
    if (oneStep) {
      state.running = false
      return Effect.void
    }
    return Effect.sync(() => state.running = false)
  })
  const request = Effect.suspend(() => {
    state.pending++
    if (state.running) return Effect.void
    state.running = true
    return work
  })
  yield* Effect.all([request, request], { concurrency: 2 })
  if (state.done !== 2) return yield* Effect.dieMessage(`${state.done} of 2 requests were seen`)
})

/** `SubscriptionRef.set` is interrupted between the value and its publication: observers never hear of it. */
const subscriptionRef = Effect.fnUntraced(function*(uninterruptible: boolean) {
  const ref = yield* SubscriptionRef.make(0)
  const ready = yield* Deferred.make<void>()
  const seen = yield* ref.changes.pipe(
    Stream.tap(() => Deferred.succeed(ready, undefined)),
    Stream.takeUntil((n) => n === 2),
    Stream.runCollect,
    Effect.fork
  )
  yield* Deferred.await(ready)
  const set = SubscriptionRef.set(ref, 1)
  const setter = yield* Effect.fork(uninterruptible ? Effect.uninterruptible(set) : set)
  yield* Fiber.interrupt(setter)
  const value = yield* SubscriptionRef.get(ref)
  yield* SubscriptionRef.set(ref, 2)
  const values = Chunk.toReadonlyArray(yield* Fiber.join(seen))
  if (value === 1 && !values.includes(1)) return yield* Effect.dieMessage(`1 was set, and seen was ${values.join()}`)
})

export const planted = {
  "check then act": {
    naive: Effect.flatMap(Ref.make(false), (ref) => checkThenAct(ref, false)),
    fixed: Effect.flatMap(Ref.make(false), (ref) => checkThenAct(ref, true))
  },
  "published before it is registered": { naive: publishThenRegister(false), fixed: publishThenRegister(true) },
  "locks in opposite orders": { naive: lockOrder(false), fixed: lockOrder(true) },
  "lost wake-up": { naive: lostWakeUp(false), fixed: lostWakeUp(true) },
  "SubscriptionRef.set interrupted": { naive: subscriptionRef(false), fixed: subscriptionRef(true) }
}
