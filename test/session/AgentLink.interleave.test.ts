/** The one connection of a session in every order of those who need it. */
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { Interleave } from "holdfast/testing"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import type { AgentConnection } from "../../src/agent/Agent.js"
import * as StreamManager from "../../src/lifecycle/StreamManager.js"
import * as AgentLink from "../../src/session/AgentLink.js"

leakFreeFile()

/** Says nothing; not a `Mailbox`, whose wake-up can be lost between two operations (docs/effect.md). */
const silent = { takeAll: Effect.async<never>(() => {}) } as unknown as AgentConnection["signals"]

const link = Effect.gen(function*() {
  const scope = yield* Scope.make()
  let open = 0
  const made = AgentLink.make({
    streams: yield* Scope.extend(StreamManager.make, scope),
    key: "ses_1",
    dial: Effect.acquireRelease(
      Effect.sync((): AgentConnection => ({
        agentSessionId: `agent ${++open}`,
        how: "opened",
        replayed: [],
        signals: silent,
        prompt: () => Effect.void,
        cancel: Effect.void,
        setMode: () => Effect.void,
        setConfigOption: () => Effect.void
      })),
      () => Effect.sync(() => void open--)
    ),
    connected: () => Effect.void,
    handle: () => Effect.void,
    disconnected: () => Effect.void
  })
  yield* Scope.addFinalizer(scope, made.close)
  return {
    link: made,
    close: Effect.map(Effect.uninterruptible(Scope.close(scope, Exit.void)), () => expect(open).toBe(0))
  }
})

describe("AgentLink", () => {
  const sharing = (start: typeof Effect.fork) => () =>
    Effect.gen(function*() {
      const { close, link: { get } } = yield* link
      const other = yield* start(get)
      expect((yield* get).agentSessionId).toBe("agent 1")
      const exit = yield* Fiber.await(other)
      if (Exit.isSuccess(exit)) expect(exit.value.agentSessionId).toBe("agent 1")
      yield* close
    })

  it.interleaved("SM3 who needs the agent at once shares one connection", sharing(Effect.fork))
  it.interleaved("SM3 the same when one of them is interrupted anywhere", sharing(Interleave.victim), {
    interruptAt: "every-step"
  })
})
