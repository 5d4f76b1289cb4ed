/**
 * Questions to a person as one writes them first. `docs/races.md` tells of the bugs.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"

export const announcedFirst = (announce: (id: string) => Effect.Effect<void>) => {
  const open = new Map<string, Deferred.Deferred<string>>()
  const ask = (id: string) =>
    Effect.gen(function*() {
      yield* announce(id)
      const question = yield* Deferred.make<string>()
      open.set(id, question)
      return yield* Deferred.await(question)
    })
  const find = (id: string) => Effect.suspend(() => Effect.fromNullable(open.get(id)))
  return { ask, answer: (id: string, text: string) => Effect.flatMap(find(id), Deferred.succeed(text)) }
}

export const twoEnds = (record: (end: "answered" | "withdrawn") => Effect.Effect<void>) => {
  let open: Deferred.Deferred<string> | undefined
  const close = Effect.sync(() => open = undefined)
  const ask = Effect.gen(function*() {
    const question = open = yield* Deferred.make<string>()
    return yield* Effect.onInterrupt(Deferred.await(question), () => Effect.zipRight(close, record("withdrawn")))
  })
  const find = Effect.suspend(() => Effect.fromNullable(open))
  const answer = (text: string) =>
    find.pipe(Effect.flatMap(Deferred.succeed(text)), Effect.zipRight(close), Effect.zipRight(record("answered")))
  return { ask, answer }
}

export const oneSlot = () => {
  let slot: Deferred.Deferred<string> | undefined
  const ask = Effect.gen(function*() {
    const before = slot
    const mine = slot = yield* Deferred.make<string>()
    return yield* Effect.ensuring(Deferred.await(mine), Effect.sync(() => slot = before)) // as it was
  })
  const find = Effect.suspend(() => Effect.fromNullable(slot))
  return { ask, answer: (text: string) => Effect.flatMap(find, Deferred.succeed(text)) }
}
