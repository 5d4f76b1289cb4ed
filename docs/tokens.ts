/** The worked example of testing.md: a token that is fetched once, however many ask for it at once. Four attempts; the last one holds. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"

export const first = (fetch: Effect.Effect<string>) =>
  Effect.map(Ref.make(Option.none<string>()), (known) =>
    Effect.gen(function*() {
      const token = yield* Ref.get(known)
      if (Option.isSome(token)) return token.value
      const fetched = yield* fetch
      yield* Ref.set(known, Option.some(fetched))
      return fetched
    }))

export const second = (fetch: Effect.Effect<string>) =>
  Effect.map(Ref.make(Option.none<Deferred.Deferred<string>>()), (shared) =>
    Effect.gen(function*() {
      const known = yield* Ref.get(shared)
      if (Option.isSome(known)) return yield* Deferred.await(known.value)
      const token = yield* Deferred.make<string>()
      yield* Ref.set(shared, Option.some(token))
      yield* Effect.intoDeferred(fetch, token)
      return yield* Deferred.await(token)
    }))

export const third = (fetch: Effect.Effect<string>) =>
  Effect.sync(() => {
    let shared: Deferred.Deferred<string> | undefined
    return Effect.suspend(() => {
      if (shared !== undefined) return Deferred.await(shared)
      const token = shared = Deferred.unsafeMake<string>(FiberId.none)
      return Effect.zipRight(Effect.intoDeferred(fetch, token), Deferred.await(token))
    })
  })

export const fourth = (fetch: Effect.Effect<string>) =>
  Effect.map(Effect.scope, (scope) => {
    let shared: Deferred.Deferred<string> | undefined
    return Effect.uninterruptibleMask((restore) =>
      Effect.suspend(() => {
        if (shared !== undefined) return restore(Deferred.await(shared))
        const token = shared = Deferred.unsafeMake<string>(FiberId.none)
        return Effect.interruptible(Effect.intoDeferred(fetch, token)).pipe(
          Effect.forkIn(scope),
          Effect.zipRight(restore(Deferred.await(token)))
        )
      })
    )
  })
