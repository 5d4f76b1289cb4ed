import { describe, expect } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import * as Requests from "../../../src/lifecycle/stream/Requests.js"

leakFreeFile()

interface Sent {
  readonly id: string
  readonly request: string
}

/** The requests of one connection to a peer that answers when the test does. */
const connect = Effect.fnUntraced(function*(
  requests: Requests.Requests<string, string, string>,
  write: Effect.Effect<void, string> = Effect.void
) {
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
  const sent: Array<Sent> = []
  const calls = yield* Scope.extend(
    requests.bind((id, request) => Effect.zipRight(write, Effect.sync(() => void sent.push({ id, request })))),
    scope
  )
  return { calls, sent, close: Scope.close(scope, Exit.void) }
})

const make = (maxPending?: number) => Requests.make<string, string, string>({ maxPending })

describe("Requests", () => {
  it.scoped("a response reaches the one who asked, in any order", () =>
    Effect.gen(function*() {
      const { calls, sent } = yield* connect(make())
      const asking = yield* Effect.forEach(["a", "b", "c"], (what) => Effect.fork(calls.request(what)))
      yield* Effect.yieldNow()
      for (const { id, request } of sent.toReversed()) expect(calls.resolve(id, `re: ${request}`)).toBe(true)
      expect(yield* Effect.forEach(asking, Fiber.join)).toStrictEqual(["re: a", "re: b", "re: c"])
    }))

  it.scoped("a response that comes before send returns is not lost", () =>
    Effect.gen(function*() {
      const requests = make()
      const calls: Requests.Calls<string, string, string> = yield* requests.bind((id) =>
        Effect.sync(() => void calls.resolve(id, "at once"))
      )
      expect(yield* calls.request("a")).toBe("at once")
    }))

  it.scoped("a refusal, a write that fails and a write that dies reach the one who asked", () =>
    Effect.gen(function*() {
      const { calls, sent } = yield* connect(make())
      const asking = yield* Effect.fork(Effect.flip(calls.request("a")))
      yield* Effect.yieldNow()
      calls.reject(sent[0]!.id, "no")
      expect(yield* Fiber.join(asking)).toBe("no")
      const failing = yield* connect(make(), Effect.fail("broken pipe"))
      expect(yield* Effect.flip(failing.calls.request("a"))).toBe("broken pipe")
      const dying = yield* connect(make(), Effect.die("a bug"))
      expect(yield* Effect.exit(dying.calls.request("a"))).toStrictEqual(Exit.die("a bug"))
    }))

  it.scoped("SM9 all that is pending fails the moment the connection ends, also what could not be sent yet", () =>
    Effect.gen(function*() {
      for (const write of [Effect.void, Effect.never]) {
        const { calls, close } = yield* connect(make(), write)
        const asking = yield* Effect.forEach(["a", "b"], (what) => Effect.fork(Effect.flip(calls.request(what))))
        yield* Effect.yieldNow()
        yield* close
        for (const error of yield* Effect.forEach(asking, Fiber.join)) {
          expect(error).toMatchObject({ _tag: "RequestAborted" })
        }
      }
    }))

  it.scoped("SM9 the end can be told before the scope closes, with its reason", () =>
    Effect.gen(function*() {
      const { calls } = yield* connect(make())
      const asking = yield* Effect.fork(Effect.flip(calls.request("a")))
      yield* Effect.yieldNow()
      calls.end("the socket was closed")
      expect(yield* Fiber.join(asking)).toMatchObject({
        _tag: "RequestAborted",
        message: "request 1 has no answer: the socket was closed"
      })
    }))

  it.scoped("SM9 after the end a request fails and sends nothing", () =>
    Effect.gen(function*() {
      const { calls, close, sent } = yield* connect(make())
      yield* close
      expect(yield* Effect.flip(calls.request("a"))).toMatchObject({ _tag: "RequestAborted" })
      expect(sent).toStrictEqual([])
    }))

  it.scoped("SM9 a response of an old connection answers nothing of the new one", () =>
    Effect.gen(function*() {
      const requests = make()
      const old = yield* connect(requests)
      yield* Effect.fork(Effect.exit(old.calls.request("a")))
      yield* Effect.yieldNow()
      yield* old.close
      const young = yield* connect(requests)
      const asking = yield* Effect.fork(young.calls.request("a"))
      yield* Effect.yieldNow()
      expect(old.calls.resolve(old.sent[0]!.id, "late")).toBe(false)
      expect(young.calls.resolve(old.sent[0]!.id, "late")).toBe(false)
      expect(young.calls.resolve(young.sent[0]!.id, "mine")).toBe(true)
      expect(yield* Fiber.join(asking)).toBe("mine")
    }))

  it.scoped("a request that is interrupted is forgotten, and its write with it", () =>
    Effect.gen(function*() {
      const interrupted = yield* Deferred.make<void>()
      const { calls, sent } = yield* connect(
        make(1),
        Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, void 0))
      )
      const asking = yield* Effect.fork(calls.request("a"))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(asking)
      yield* Deferred.await(interrupted)
      expect(sent).toStrictEqual([])
      expect(calls.resolve("1", "late")).toBe(false)
      // and it counts no longer
      const next = yield* Effect.fork(calls.request("b"))
      yield* Effect.yieldNow()
      expect(next.unsafePoll()).toBeNull()
    }))

  it.scoped("pending requests are bounded", () =>
    Effect.gen(function*() {
      const { calls, sent } = yield* connect(make(2))
      yield* Effect.forEach(["a", "b"], (what) => Effect.fork(calls.request(what)))
      yield* Effect.yieldNow()
      expect(yield* Effect.flip(calls.request("c"))).toMatchObject({ _tag: "LimitReached", limit: 2 })
      calls.resolve(sent[0]!.id, "done")
      const next = yield* Effect.fork(calls.request("c"))
      yield* Effect.yieldNow()
      expect(next.unsafePoll()).toBeNull()
    }))
})
