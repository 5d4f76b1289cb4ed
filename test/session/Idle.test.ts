/**
 * Sessions that nobody uses give up their agents, and lose nothing by it.
 */
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { Interleave, ScriptedAgent } from "holdfast/testing"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import * as Content from "../../src/domain/Content.js"
import { RunId } from "../../src/domain/Ids.js"
import * as RunStream from "../../src/session/RunStream.js"
import * as Harness from "./Harness.js"
import * as InMemory from "./InMemory.js"

leakFreeFile()

const confirmation = { kind: "confirmation", message: "Go on?" } as const
const hang = Effect.async<never>(() => {})
const background = RunId.make("run_background")

/** An agent that remembers its sessions, and takes a second to be gone. */
const script: ScriptedAgent.Options = {
  onConnect: () => Effect.addFinalizer(() => Effect.sleep("1 second")),
  onResume: () => Effect.succeed({ how: "loaded", replayed: [] }),
  turn: ({ ask, content, open, say }) => {
    switch (Content.toText(content)) {
      case "hang":
        return hang
      case "ask":
        return Effect.asVoid(ask(confirmation))
      case "background":
        return Effect.asVoid(Effect.forkScoped(open({ until: "session", run: background }, () => hang)))
      case "between":
        return Effect.asVoid(Effect.forkScoped(Effect.zipRight(Effect.sleep("1 second"), ask(confirmation))))
      case "chatty":
        return Effect.asVoid(Effect.forkScoped(
          Effect.forever(Effect.zipRight(Effect.sleep("20 minutes"), say({ type: "TextChunk", text: "still here" })))
        ))
      default:
        return say({ type: "TextChunk", text: "hi" })
    }
  }
}

const setup = Effect.gen(function*() {
  const agent = yield* ScriptedAgent.make(script)
  const scope = yield* Scope.make()
  const harness = yield* Scope.extend(Harness.make([agent], { idle: { after: "30 minutes" } }), scope)
  yield* Effect.addFinalizer(() =>
    Effect.gen(function*() {
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* Effect.repeatN(TestClock.adjust("1 second"), 5)
      yield* Fiber.join(closing)
    })
  )
  const id = yield* harness.open
  const agents = Effect.map(agent.live, ({ length }) => length)
  const pass = (minutes: number) => Effect.repeatN(TestClock.adjust("1 minute"), minutes - 1)
  return { ...harness, id, agents, agent, pass }
})

describe("a session that is idle", () => {
  it.scoped("gives up its agent and its memory, says why, and stays idle", () =>
    Effect.gen(function*() {
      const { agents, finish, history, id, pass, prompt, sessions } = yield* setup
      yield* Effect.flatMap(prompt(id), (run) => finish(id, run))
      yield* pass(29)
      expect(yield* agents).toBe(1)
      yield* pass(6)
      expect(yield* agents).toBe(0)
      expect((yield* history(id)).at(-1)?.event).toStrictEqual({
        type: "AgentDisconnected",
        reason: "nothing happened for 30m; the next prompt starts it again"
      })
      expect((yield* sessions.get(id)).status).toBe("idle")
      expect((yield* sessions.counts).sessions.idle).toBe(0)
    }))

  it.scoped("wakes with the next prompt, and its agent loads what it was about", () =>
    Effect.gen(function*() {
      const { agents, finish, history, id, pass, prompt } = yield* setup
      yield* pass(35)
      expect(yield* agents).toBe(0)
      const run = yield* prompt(id)
      expect((yield* finish(id, run)).map(Harness.label)).toStrictEqual([
        "RunStarted",
        "TextChunk",
        "RunEnded(Completed)"
      ])
      expect((yield* history(id)).filter(({ event }) => event.type === "AgentConnected").map(({ event }) => event))
        .toMatchObject([{ how: "opened" }, { how: "loaded", agentSessionId: "scripted-1" }])
      expect(yield* agents).toBe(1)
      yield* pass(36)
      expect(yield* agents).toBe(0)
    }))

  it.scoped("can be closed, and is closed then", () =>
    Effect.gen(function*() {
      const { id, pass, sessions } = yield* setup
      yield* pass(35)
      yield* sessions.close(id)
      expect((yield* sessions.get(id)).status).toBe("closed")
    }))

  it.scoped("is not one where something runs or waits, or whose agent speaks", () =>
    Effect.gen(function*() {
      const { agents, id, log, pass, prompt, sessions } = yield* setup
      const others = yield* Effect.forEach(
        ["ask", "background", "between", "chatty"],
        (text) =>
          Effect.gen(function*() {
            const { id } = yield* sessions.create({ agent: "scripted" })
            yield* prompt(id, text)
            return id
          })
      )
      yield* prompt(id, "hang")
      yield* pass(120)
      expect(yield* agents).toBe(5)
      expect(yield* Effect.forEach(others, (id) => Effect.map(log.state(id), ({ connected }) => connected)))
        .toStrictEqual([true, true, true, true])
      // once that is over, they are
      yield* sessions.cancel(others[1] ?? id, background)
      yield* sessions.cancel(id)
      yield* pass(36)
      expect(yield* agents).toBe(3)
    }))

  it.scoped("is not one that somebody follows, however, until the last has left", () =>
    Effect.gen(function*() {
      const { agents, id, pass, sessions } = yield* setup
      const tail = yield* Effect.fork(Stream.runDrain(sessions.events({ session: id, after: 0 })))
      const reading = yield* Scope.make()
      yield* Scope.extend(sessions.reader({ session: id, after: 0 }, { follow: true }), reading)
      yield* pass(60)
      yield* Fiber.interrupt(tail)
      yield* pass(60)
      expect(yield* agents).toBe(1)
      yield* Scope.close(reading, Exit.void)
      yield* pass(29)
      expect(yield* agents).toBe(1)
      yield* pass(6)
      expect(yield* agents).toBe(0)
    }))

  it.scoped("is not one that is commanded", () =>
    Effect.gen(function*() {
      const { agents, id, pass, sessions } = yield* setup
      for (let times = 0; times < 4; times++) {
        yield* pass(20)
        yield* sessions.cancel(id)
      }
      expect(yield* agents).toBe(1)
    }))
})

describe("a session that is falling asleep", () => {
  it.scoped("keeps whoever comes waiting, and then serves them", () =>
    Effect.gen(function*() {
      const { agents, finish, history, id, pass, prompt } = yield* setup
      yield* pass(30)
      // it takes a second to be gone
      expect(yield* agents).toBe(1)
      const prompting = yield* Effect.fork(prompt(id))
      yield* TestClock.adjust("500 millis")
      expect((yield* history(id)).map(Harness.label)).toStrictEqual(["SessionOpened", "AgentConnected"])
      yield* TestClock.adjust("500 millis")
      const run = yield* Fiber.join(prompting)
      expect((yield* finish(id, run)).map(Harness.label).at(-1)).toBe("RunEnded(Completed)")
      expect((yield* history(id)).slice(2, 5).map(Harness.label)).toStrictEqual([
        "AgentDisconnected",
        "RunStarted",
        "AgentConnected"
      ])
    }))

  const commands: Record<string, (session: InMemory.InMemory) => Effect.Effect<unknown, unknown>> = {
    "a prompt": (session) =>
      Effect.flatMap(
        session.prompt("hello"),
        (run) => Stream.runDrain(RunStream.follow(session.sessions, session.id, run))
      ),
    "a change of its mode": ({ id, sessions }) => sessions.setMode(id, "fast"),
    "a close": ({ id, sessions }) => sessions.close(id),
    "a restart": ({ id, sessions }) => Effect.flatten(sessions.restart(id, "requested"))
  }

  for (const [name, command] of Object.entries(commands)) {
    it.interleaved(
      `is no obstacle to ${name} that comes at the same moment`,
      () =>
        Effect.gen(function*() {
          const agent = yield* ScriptedAgent.make({
            onResume: () => Effect.succeed({ how: "loaded", replayed: [] }),
            turn: ({ say }) => say({ type: "TextChunk", text: "hi" })
          })
          const session = yield* InMemory.make(agent, { idle: { after: "80 millis" } })
          // any of its steps may come before, between or after those of the sweep
          yield* Effect.zipRight(Effect.sleep("80 millis"), command(session))
          yield* session.shutdown
          const history = yield* session.history
          InMemory.checkHistory(history)
          const told = history.map(Harness.label)
          expect(told.filter((label) => /Failed|Lost/.test(label))).toStrictEqual([])
          expect(yield* agent.live).toStrictEqual([])
        }).pipe(InMemory.repeatable),
      { schedules: 80 }
    )
  }

  it.interleaved(
    "is no obstacle to a prompt whose sender leaves at any step: it is a whole run or none, and the session can be used",
    () =>
      Effect.gen(function*() {
        const agent = yield* ScriptedAgent.make({ turn: ({ say }) => say({ type: "TextChunk", text: "hi" }) })
        const session = yield* InMemory.make(agent, { idle: { after: "80 millis" } })
        yield* Effect.sleep("80 millis")
        const leaving = yield* Interleave.victim(session.prompt("hello"))
        yield* Fiber.await(leaving)
        const run = yield* session.prompt("again", "queue")
        yield* Stream.runDrain(RunStream.follow(session.sessions, session.id, run))
        // nobody uses it any more, as far as it knows
        yield* Effect.sleep("200 millis")
        expect(yield* agent.live).toStrictEqual([])
        yield* session.shutdown
        InMemory.checkHistory(yield* session.history)
      }).pipe(InMemory.repeatable),
    { schedules: 80, interruptAt: "every-step" }
  )
})
