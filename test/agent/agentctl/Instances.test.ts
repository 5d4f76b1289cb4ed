/** What is kept of a session on its host from one connection to the next, and what is not, whatever happens there meanwhile. */
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import type { Control } from "../../../src/agent/agentctl/Control.js"
import { HostError } from "../../../src/agent/agentctl/HostError.js"
import * as Instances from "../../../src/agent/agentctl/Instances.js"

leakFreeFile()

const failure = (reason: HostError["reason"]) => new HostError({ reason, method: "GET", message: reason })

/** A host of which each instance has a port of its own, at which nobody listens when it is gone. */
const host = () => {
  const there = new Map<string, string>()
  const removed: Array<string> = []
  let made = 0
  let hangs = false
  const control: Control = {
    health: Effect.void,
    create: ({ session_id }) =>
      Effect.sync(() => {
        const id = `exec-${++made}`
        there.set(id, session_id)
        return { id, port: 41000 + made }
      }),
    list: Effect.sync(() => [...there].map(([id, session_id]) => ({ id, port: 1, session_id }))),
    get: (id) => Effect.suspend(() => there.has(id) ? Effect.succeed({ id, port: 1 }) : Effect.fail(failure("Gone"))),
    remove: (id) =>
      Effect.suspend(() => {
        if (hangs) return Effect.never
        removed.push(id)
        there.delete(id)
        return Effect.void
      }),
    send: ({ id }, _verb, path) =>
      Effect.suspend(() => {
        if (hangs) return Effect.never
        if (!there.has(id)) return Effect.fail(failure("Unreachable"))
        return Effect.succeed(path === "/api/v1/status" ? { agent_status: "stopped" } : {})
      }),
    socket: () => Effect.succeed({ url: "", headers: {} })
  }
  return {
    control,
    there,
    removed,
    /** It is ended for being idle, or the host is started anew. */
    reap: () => there.clear(),
    hang: () => void (hangs = true)
  }
}

const setup = Effect.gen(function*() {
  const { control, ...rest } = host()
  const instances = Instances.make(control)
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

  it.scoped("SM1 ends with the session within a bounded time, though its host hangs", () =>
    Effect.gen(function*() {
      const { hang, instances, place, session } = yield* setup
      const lease = yield* Effect.scoped(instances.lease(place))
      hang()
      const closing = yield* Effect.fork(Effect.zipRight(lease.leave(true), Scope.close(session, Exit.void)))
      yield* Effect.yieldNow().pipe(Effect.repeatN(20))
      yield* TestClock.adjust("20 seconds")
      expect(Exit.isSuccess(yield* Fiber.await(closing))).toBe(true)
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
