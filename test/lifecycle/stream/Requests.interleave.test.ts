/** SM9 in every order of a request, its response and the end of its connection. */
import { describe, expect } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { Interleave } from "holdfast/testing"
import { it } from "holdfast/testing/vitest"
import * as Requests from "../../../src/lifecycle/stream/Requests.js"

describe("Requests", () => {
  const race = (start: typeof Effect.fork) => () =>
    Effect.gen(function*() {
      const requests = Requests.make<string, string, string>({ maxPending: 1 })
      const scope = yield* Scope.make()
      const sent: Array<string> = []
      const calls = yield* Scope.extend(
        requests.bind((id) =>
          Effect.zipRight(
            Interleave.maybe("the write", Effect.yieldNow(), { fail: "broken pipe", hang: true }),
            Effect.sync(() => void sent.push(id))
          )
        ),
        scope
      )
      const asking = yield* start(calls.request("a"))
      yield* Effect.fork(
        Effect.zipRight(Effect.yieldNow(), Effect.sync(() => sent.map((id) => calls.resolve(id, "re"))))
      )
      yield* Scope.close(scope, Exit.void)
      // it never waits for a connection that is gone
      const exit = yield* Fiber.await(asking)
      if (Exit.isSuccess(exit)) expect(exit.value).toBe("re")
      else if (!Cause.isInterruptedOnly(exit.cause)) {
        const error = Cause.squash(exit.cause)
        expect(error === "broken pipe" || error instanceof Requests.RequestAborted).toBe(true)
      }
      expect(yield* Effect.flip(calls.request("b"))).toMatchObject({ _tag: "RequestAborted" })
    })

  it.interleaved("SM9 a request ends once, whenever its connection does", race(Effect.fork), {
    strategy: Interleave.exhaustive({ preemptions: 1 })
  })
  it.interleaved("SM9 the same when the one who asks is interrupted anywhere", race(Interleave.victim), {
    interruptAt: "every-step"
  })
})
