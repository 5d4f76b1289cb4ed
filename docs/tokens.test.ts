/** The worked example of testing.md: what is expected of tokens.ts. */
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { Interleave } from "holdfast/testing"
import { it } from "holdfast/testing/vitest"
import * as Tokens from "./tokens.js"

type Make = (fetch: Effect.Effect<string>) => Effect.Effect<Effect.Effect<string>, never, Scope.Scope>

const twoAsk = (make: Make) =>
  Effect.gen(function*() {
    let fetches = 0
    const fetch = Effect.sync(() => `token ${++fetches}`).pipe(Effect.delay("1 second"))
    const get = yield* make(fetch)
    const one = yield* Interleave.victim(get)
    const two = yield* Effect.fork(get)
    expect(yield* Fiber.join(two)).toBe("token 1")
    yield* Fiber.await(one)
    expect(fetches).toBe(1)
  })

describe("the worked example", () => {
  it.finds("first: both find nothing and fetch", () => twoAsk(Tokens.first), { within: 1 })

  it.interleaved("second: nothing is found as long as only waits count", () => twoAsk(Tokens.second), {
    strategy: Interleave.exhaustive(),
    granularity: "async"
  })
  it.finds("second: both find nothing and share", () => twoAsk(Tokens.second), { within: 50 })

  it.interleaved("third: one fetch for both", () => twoAsk(Tokens.third), {
    strategy: Interleave.exhaustive({ preemptions: 2 })
  })
  it.finds("third: who is interrupted takes the other one along", () => twoAsk(Tokens.third), {
    interruptAt: "every-step",
    within: 50
  })

  it.interleaved("fourth: one fetch for both", () => twoAsk(Tokens.fourth), {
    strategy: Interleave.exhaustive({ preemptions: 1 })
  })
  it.interleaved("fourth: the other one gets its token, wherever one is interrupted", () => twoAsk(Tokens.fourth), {
    interruptAt: "every-step",
    strategy: Interleave.exhaustive({ preemptions: 1 })
  })
})
