/** What is kept of a session on its host from one connection to the next, and what is not, whatever happens there meanwhile. */
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import type { Control } from "../../../src/agent/agentctl/Control.js"
import { HostError } from "../../../src/agent/agentctl/HostError.js"
import * as Instances from "../../../src/agent/agentctl/Instances.js"
import { IdSource } from "../../../src/domain/Ids.js"

leakFreeFile()

const failure = (reason: HostError["reason"], status?: number) =>
  new HostError({ reason, method: "GET", status, message: reason })

/** A host of which each instance has a port of its own, at which nobody listens when it is gone. */
const host = () => {
  const there = new Map<string, string>()
  const removed: Array<string> = []
  let made = 0
  let hangs = false
  let creating: Effect.Effect<void, HostError> = Effect.void
  const calls: Array<string> = []
  const called = <A>(name: string, answer: Effect.Effect<A, HostError>) =>
    Effect.suspend(() => {
      calls.push(name)
      return hangs ? Effect.never : answer
    })
  const make = (id: string, session: string) => {
    there.set(id, session)
    return { id, port: 41000 + ++made }
  }
  const control: Control = {
    health: Effect.void,
    create: ({ id, session_id }) =>
      called("create", Effect.zipRight(creating, Effect.sync(() => make(id, session_id)))),
    list: called("list", Effect.sync(() => [...there].map(([id, session_id]) => ({ id, port: 1, session_id })))),
    get: (id) =>
      called(
        "get",
        Effect.suspend(() => there.has(id) ? Effect.succeed({ id, port: 1 }) : Effect.fail(failure("Gone")))
      ),
    remove: (id) =>
      called(
        "remove",
        Effect.sync(() => {
          removed.push(id)
          there.delete(id)
        })
      ),
    send: ({ id }, _verb, path) =>
      called(
        path,
        Effect.suspend((): Effect.Effect<unknown, HostError> =>
          there.has(id)
            ? Effect.succeed(path === "/api/v1/status" ? { agent_status: "stopped" } : {})
            : Effect.fail(failure("Unreachable"))
        )
      ),
    socket: () => Effect.succeed({ url: "", headers: {} })
  }
  return {
    control,
    there,
    removed,
    calls,
    make,
    /** What becomes of the next requests to make one, before it is made. */
    create: (effect: Effect.Effect<void, HostError>) => void (creating = effect),
    /** It is ended for being idle, or the host is started anew. */
    reap: () => there.clear(),
    hang: (now = true) => void (hangs = now)
  }
}

/** The lines of the log, at least warnings. */
const logged = Effect.gen(function*() {
  const lines: Array<string> = []
  const logger = Logger.make<unknown, void>(({ message }) => void lines.push(String(message)))
  return { lines, layer: Logger.replace(Logger.defaultLogger, logger) }
})

const setup = Effect.gen(function*() {
  const { control, ...rest } = host()
  let named = 0
  const made = Instances.make(control)
  const instances: Instances.Instances = {
    lease: (place) =>
      Effect.provideService(made.lease(place), IdSource, {
        next: () => Effect.sync(() => `exec-${++named}`)
      })
  }
  const session = yield* Scope.make()
  const place = { sessionId: "ses_1", folder: "/project", env: {}, keep: session }
  return { ...rest, session, place, instances }
})

describe("the instance of a session", () => {
  it.scoped("that its host has ended while no agent ran in it is replaced, though nobody listens at its port any more", () =>
    Effect.gen(function*() {
      const { instances, place, reap, session, there } = yield* setup
      const lease = yield* Effect.scoped(instances.lease(place))
      yield* lease.leave(true)
      reap()
      yield* lease.renewable
      expect((yield* Effect.scoped(instances.lease(place))).instance.id).toBe("exec-2")
      yield* Scope.close(session, Exit.void)
      expect(there.size).toBe(0)
    }))

  it.scoped("SM1 ends with the session within half of what a gateway has for its end, though its host hangs; what is left is said", () =>
    Effect.gen(function*() {
      const { hang, instances, place, session } = yield* setup
      const { layer, lines } = yield* logged
      const lease = yield* Effect.scoped(instances.lease(place))
      hang()
      const closing = yield* Effect.zipRight(lease.leave(true), Scope.close(session, Exit.void)).pipe(
        Effect.provide(layer),
        Effect.fork
      )
      yield* Effect.yieldNow().pipe(Effect.repeatN(20))
      yield* TestClock.adjust("2500 millis")
      yield* Effect.yieldNow().pipe(Effect.repeatN(20))
      yield* TestClock.adjust("2500 millis")
      yield* Effect.yieldNow().pipe(Effect.repeatN(20))
      expect(Option.isSome(yield* Fiber.poll(closing))).toBe(true)
      expect(lines).toStrictEqual([
        expect.stringMatching(
          /^the instance exec-1 of session ses_1 may be left on its agent host: .*within 2s 500ms$/
        )
      ])
    }))

  it.scoped("SM1 whose making is cut off at a host that hangs keeps nobody either", () =>
    Effect.gen(function*() {
      const { create, hang, instances, place, session } = yield* setup
      create(Effect.never)
      const making = yield* Effect.fork(Effect.scoped(instances.lease(place)))
      yield* Effect.yieldNow().pipe(Effect.repeatN(20))
      hang()
      const closing = yield* Effect.fork(
        Effect.zipRight(Fiber.interrupt(making), Scope.close(session, Exit.void))
      )
      for (let steps = 0; steps < 2; steps++) {
        yield* Effect.yieldNow().pipe(Effect.repeatN(20))
        yield* TestClock.adjust("2500 millis")
      }
      yield* Effect.yieldNow().pipe(Effect.repeatN(20))
      expect(Option.isSome(yield* Fiber.poll(closing))).toBe(true)
    }))

  it.scoped("that the host made, though its answer came to nobody, is found and ended at once", () =>
    Effect.gen(function*() {
      const { create, instances, make, place, removed, session, there } = yield* setup
      create(Effect.zipRight(Effect.sync(() => make("exec-1", "ses_1")), failure("Unreachable")))
      yield* Effect.flip(Effect.scoped(instances.lease(place)))
      expect(removed).toStrictEqual(["exec-1"])
      // also when it was a proxy that did not wait
      create(Effect.zipRight(Effect.sync(() => make("exec-2", "ses_1")), failure("Refused", 504)))
      yield* Effect.flip(Effect.scoped(instances.lease(place)))
      expect(removed).toStrictEqual(["exec-1", "exec-2"])
      // and one for which nobody waits any more
      create(Effect.zipRight(Effect.sync(() => make("exec-3", "ses_1")), Effect.never))
      yield* Effect.timeoutOption(Effect.scoped(instances.lease(place)), 0).pipe(
        Effect.zip(TestClock.adjust("1 second"), { concurrent: true })
      )
      expect(removed).toStrictEqual(["exec-1", "exec-2", "exec-3"])
      expect(there.size).toBe(0)
      yield* Scope.close(session, Exit.void)
    }))

  it.scoped("that the host makes even later is found then, and does not take the next one with it", () =>
    Effect.gen(function*() {
      const { calls, create, instances, make, place, session, there } = yield* setup
      create(Effect.fail(failure("Unreachable")))
      yield* Effect.flip(Effect.scoped(instances.lease(place)))
      create(Effect.void)
      yield* Effect.scoped(instances.lease(place))
      yield* TestClock.adjust("5 seconds")
      make("exec-1", "ses_1")
      yield* TestClock.adjust("1 minute")
      expect([...there.keys()]).toStrictEqual(["exec-2"])
      // nor is it asked for ever
      const asked = calls.length
      yield* TestClock.adjust("10 minutes")
      expect(calls.length).toBe(asked)
      yield* Scope.close(session, Exit.void)
      expect(there.size).toBe(0)
    }))

  it.scoped("that the host makes while its session ends is gone with it", () =>
    Effect.gen(function*() {
      const { create, instances, make, place, session, there } = yield* setup
      create(Effect.fail(failure("Unreachable")))
      yield* Effect.flip(Effect.scoped(instances.lease(place)))
      make("exec-1", "ses_1")
      yield* Scope.close(session, Exit.void)
      expect(there.size).toBe(0)
    }))

  it.scoped("that the host refused to make is not looked for", () =>
    Effect.gen(function*() {
      const { calls, create, instances, place, session } = yield* setup
      create(Effect.fail(failure("Refused")))
      yield* Effect.flip(Effect.scoped(instances.lease(place)))
      yield* TestClock.adjust("1 minute")
      yield* Scope.close(session, Exit.void)
      expect(calls).toStrictEqual(["list", "create"])
    }))

  it.scoped("that was made for a fiber which is interrupted there ends with the session, or is the next connection's", () =>
    Effect.gen(function*() {
      const { instances, place, session, there } = yield* setup
      for (let steps = 0; steps < 40; steps++) {
        const fiber = yield* Effect.fork(Effect.scoped(instances.lease(place)))
        yield* Effect.yieldNow().pipe(Effect.repeatN(steps))
        yield* Fiber.interrupt(fiber)
        expect(there.size).toBeLessThanOrEqual(1)
      }
      yield* Scope.close(session, Exit.void)
      expect(there.size).toBe(0)
    }))

  it.scoped("that comes up when its session is closed already is gone with it, and not remembered", () =>
    Effect.gen(function*() {
      const { instances, place, session, there } = yield* setup
      yield* Scope.close(session, Exit.void)
      yield* Effect.scoped(instances.lease(place))
      expect(there.size).toBe(0)
      const again = yield* Scope.make()
      expect((yield* Effect.scoped(instances.lease({ ...place, keep: again }))).instance.id).toBe("exec-2")
      yield* Scope.close(again, Exit.void)
      expect(there.size).toBe(0)
    }))
})
