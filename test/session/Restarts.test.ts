import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { leakFreeFile } from "holdfast/testing/vitest"
import { AgentDied } from "../../src/domain/Errors.js"
import type { SessionId } from "../../src/domain/Ids.js"
import * as ScriptedAgent from "../../src/testing/ScriptedAgent.js"
import * as Harness from "./Harness.js"

leakFreeFile()

const died = new AgentDied({ exitCode: 3, signal: null, stderr: "boom", message: "the agent died: exit code 3" })

/** A session whose agent boots as `boot` says, from the second time on. */
const setup = Effect.fnUntraced(function*(
  boot: (attempt: number) => Effect.Effect<void, AgentDied> = () => Effect.void
) {
  const agent = yield* ScriptedAgent.make({
    onConnect: ({ attempt }) => attempt === 1 ? Effect.void : boot(attempt),
    turn: ({ say }) => say({ type: "TextChunk", text: "on it" })
  })
  const harness = yield* Harness.make([agent], {
    restarts: { settle: "10 seconds", intensity: { max: 3, within: "5 minutes" }, coolDown: "1 minute" }
  })
  const id = yield* harness.open
  const restarts = (session: SessionId) =>
    Effect.map(
      harness.history(session),
      (events) => events.flatMap(({ event }) => event.type === "AgentRestarting" ? [event] : [])
    )
  /** The agent that is up dies. */
  const die = Effect.gen(function*() {
    const voice = (yield* agent.live).at(-1)
    yield* voice?.die(died) ?? Effect.dieMessage("no agent is up")
    yield* TestClock.adjust("10 millis")
  })
  return { ...harness, agent, id, restarts, die }
})

describe("Restarts", () => {
  it.scoped("RC1 RC3 a burst of 1,000 mixed requests while the agent boots is one more cycle, and the log says for whom", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const { agent, id, restarts, sessions } = yield* setup(() => Deferred.await(gate))
      const first = yield* sessions.restart(id, "requested")
      yield* TestClock.adjust("10 millis")
      const causes = ["changed", "failed", "requested", "failed", "failed"] as const
      const waits = yield* Effect.forEach(
        Array.from({ length: 1000 }, (_, index) => causes[index % causes.length] ?? "failed"),
        (cause) => sessions.restart(id, cause)
      )
      const waiting = yield* Effect.fork(Effect.all([first, ...waits], { concurrency: "unbounded" }))
      yield* TestClock.adjust("1 minute")
      expect(yield* agent.connects).toBe(2)
      yield* Deferred.succeed(gate, void 0)
      yield* Fiber.join(waiting)
      expect(yield* agent.connects).toBe(3)
      expect(yield* agent.live).toHaveLength(1)
      // the 600 that said it had failed meant the agent that was booting (RC9)
      expect(yield* restarts(id)).toStrictEqual([
        { type: "AgentRestarting", cause: "requested", causes: ["requested"], requests: 1 },
        { type: "AgentRestarting", cause: "requested", causes: ["requested", "changed"], requests: 400 }
      ])
    }))

  it.scoped("an agent that dies while nobody prompts is started again, and the log says why", () =>
    Effect.gen(function*() {
      const { agent, die, id, sessions, types } = yield* setup()
      yield* die
      expect(yield* agent.live).toHaveLength(1)
      expect((yield* types(id)).slice(1)).toStrictEqual([
        "AgentConnected",
        "AgentDisconnected",
        "AgentRestarting",
        "AgentConnected",
        "Warning",
        "AgentRestarted"
      ])
      expect((yield* sessions.get(id)).status).toBe("idle")
    }))

  it.scoped("RC9 an agent that dies as soon as it was restarted is left to the next prompt", () =>
    Effect.gen(function*() {
      const { agent, die, finish, id, prompt, restarts } = yield* setup()
      yield* die
      yield* die
      expect(yield* agent.live).toStrictEqual([])
      expect(yield* restarts(id)).toHaveLength(1)
      const run = yield* prompt(id)
      expect((yield* finish(id, run)).map(Harness.label).at(-1)).toBe("RunEnded(Completed)")
      // what has been up for a while may be brought back once more
      yield* TestClock.adjust("10 seconds")
      yield* die
      expect(yield* restarts(id)).toHaveLength(2)
    }))

  it.scoped("RC9 that an agent looks dead restarts the one that is up, but none that boots or has only just booted", () =>
    Effect.gen(function*() {
      const { agent, id, sessions } = yield* setup((attempt) =>
        attempt === 2 ? Effect.sleep("30 seconds") : Effect.void
      )
      const probe = Effect.fork(Effect.flatten(sessions.restart(id, "failed")))
      const first = yield* probe
      yield* TestClock.adjust("29 seconds")
      const whileBooting = yield* probe
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(first)
      yield* Fiber.join(whileBooting)
      yield* Fiber.join(yield* probe)
      expect(yield* agent.connects).toBe(2)
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(yield* probe)
      expect(yield* agent.connects).toBe(3)
    }))

  it.scoped("RC9 that an agent looked dead does nothing to one that came up since", () =>
    Effect.gen(function*() {
      const { agent, die, finish, id, prompt, sessions } = yield* setup((attempt) =>
        attempt === 2 ? Effect.fail(died) : Effect.void
      )
      yield* die
      // the restart has failed: this one waits for its end of the pause
      const probe = yield* Effect.fork(Effect.flatten(sessions.restart(id, "failed")))
      yield* Effect.flatMap(prompt(id), (run) => finish(id, run))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(probe)
      expect(yield* agent.connects).toBe(3)
    }))

  it.scoped("RC8 an agent that does not come up any more is not tried for ever, but a person is not held off", () =>
    Effect.gen(function*() {
      const { agent, id, sessions, types } = yield* setup((attempt) => attempt < 6 ? Effect.fail(died) : Effect.void)
      for (let failure = 0; failure < 4; failure++) {
        const failing = yield* Effect.fork(Effect.flip(Effect.flatten(sessions.restart(id, "changed"))))
        yield* TestClock.adjust("30 seconds")
        expect((yield* Fiber.join(failing))._tag).toBe("AgentDied")
      }
      expect(yield* Effect.exit(sessions.restart(id, "failed"))).toMatchObject({
        cause: { error: { _tag: "RestartStorm", failures: 4 } }
      })
      expect((yield* sessions.get(id)).status).toBe("failed")
      yield* Effect.flatten(sessions.restart(id, "requested"))
      expect(yield* agent.live).toHaveLength(1)
      expect((yield* types(id)).at(-1)).toBe("AgentRestarted")
    }))

  it.scoped("a person does not wait for an agent that is being brought back and does not come up", () =>
    Effect.gen(function*() {
      const { agent, die, id, restarts, sessions } = yield* setup((attempt) =>
        attempt === 2 ? Effect.never : Effect.void
      )
      yield* die
      expect((yield* sessions.get(id)).status).toBe("restarting")
      const asked = yield* Effect.fork(Effect.flatten(sessions.restart(id, "requested")))
      yield* TestClock.adjust("10 millis")
      yield* Fiber.join(asked)
      expect((yield* restarts(id)).map(({ cause }) => cause)).toStrictEqual(["failed", "requested"])
      expect(yield* agent.live).toHaveLength(1)
    }))

  it.scoped("RC6 a session that is closed while a restart waits for its turn: the waiter hears of it, and none starts", () =>
    Effect.gen(function*() {
      const { agent, id, sessions } = yield* setup(() => Effect.fail(died))
      yield* Effect.flip(Effect.flatten(sessions.restart(id, "changed")))
      const waiting = yield* Effect.fork(Effect.flip(Effect.flatten(sessions.restart(id, "changed"))))
      yield* Effect.yieldNow()
      yield* sessions.close(id)
      expect((yield* Fiber.join(waiting))._tag).toBe("SessionClosed")
      yield* TestClock.adjust("10 minutes")
      expect(yield* agent.connects).toBe(2)
      expect(yield* Effect.exit(sessions.restart(id, "requested"))).toMatchObject({
        cause: { error: { _tag: "SessionClosed" } }
      })
    }))
})
