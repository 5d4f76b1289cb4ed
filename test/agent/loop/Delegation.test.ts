import { describe, expect } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { AgentConnection, AgentSignal } from "../../../src/agent/Agent.js"
import type { Definition } from "../../../src/agent/loop/Definition.js"
import * as Toolset from "../../../src/agent/loop/Toolset.js"
import type { RunId } from "../../../src/domain/Ids.js"
import { it, leakFreeFile } from "../../../src/testing/vitest.js"
import * as Script from "./Script.js"

leakFreeFile()

const opened = (signals: ReadonlyArray<AgentSignal>) =>
  signals.flatMap((signal) => signal._tag === "RunOpened" ? [signal] : [])

/** What is said, asked and ended, with whose it is: `P` for the turn, a letter each for the others. */
const story = (signals: ReadonlyArray<AgentSignal>): ReadonlyArray<string> => {
  const names = new Map<RunId, string>([[Script.runId, "P"]])
  const nameOf = (run: RunId | undefined) => run === undefined ? "-" : names.get(run) ?? "?"
  return signals.flatMap((signal) => {
    switch (signal._tag) {
      case "RunOpened":
        names.set(signal.run, String.fromCharCode(64 + names.size))
        return [`${nameOf(signal.parent)} opens ${nameOf(signal.run)}`]
      case "Said":
        return signal.event.type === "TextChunk" ? [`${nameOf(signal.run)}: ${signal.event.text}`] : []
      case "Asked":
        return [`${nameOf(signal.run)} asks`]
      case "TurnEnded":
        return [`${nameOf(signal.run)} ends ${signal.result._tag === "Stopped" ? signal.result.stopReason : "failed"}`]
    }
  })
}

/** Takes signals until one fits. */
const until = (connection: AgentConnection, fits: (signal: AgentSignal) => boolean) =>
  Effect.gen(function*() {
    const signals: Array<AgentSignal> = []
    while (true) {
      const signal = yield* connection.signals.take
      signals.push(signal)
      if (fits(signal)) return signals
    }
  })

const write = Script.tool("write", () => Effect.succeed(Toolset.text("written")), { readOnly: false })

describe("transfer", () => {
  it.scoped("runs the other agent within the run, and gives its answer to the model", () =>
    Effect.gen(function*() {
      const boss = yield* Script.make([
        Script.calls(["transfer", { agent: "poet", task: "a verse" }]),
        Script.says("fine")
      ])
      const poet = yield* Script.make([Script.says("roses")])
      const connection = yield* Script.connect({
        name: "boss",
        model: boss.model,
        agents: [{ name: "poet", model: poet.model, instructions: "You rhyme." }]
      })
      const signals = yield* Script.turn(connection, "go")
      expect(story(signals)).toEqual(["P opens A", "A: roses", "A ends end_turn", "P: fine", "P ends end_turn"])
      expect(opened(signals)).toMatchObject([{
        parent: Script.runId,
        until: "parent",
        agent: "poet",
        prompt: [{ text: "a verse" }]
      }])
      expect(poet.asked).toEqual([["system: You rhyme.", "user: a verse"]])
      expect(boss.asked[1]?.at(-1)).toBe("tool: roses")
      expect(boss.tools[0]).toEqual(["transfer", "start_agent", "list_agents", "view_agent", "stop_agent"])
      expect(poet.tools[0]).toEqual([])
    }))

  it.scoped("asks in the name of the other's run, and does not do what the rules of the first one deny", () =>
    Effect.gen(function*() {
      const definition = Effect.gen(function*() {
        const boss = yield* Script.make([
          Script.calls(["transfer", { agent: "hand", task: "write" }]),
          Script.says("fine")
        ])
        const hand = yield* Script.make([Script.calls(["write"]), Script.says("tried")])
        const all: Definition = {
          name: "boss",
          model: boss.model,
          agents: [{ name: "hand", model: hand.model, tools: Script.tools(write) }]
        }
        return { all, hand }
      })
      const asks = yield* definition
      const signals = yield* Script.turn(yield* Script.connect(asks.all), "go", () => ({
        action: "accept",
        content: { optionId: "allow" }
      }))
      expect(story(signals)).toEqual([
        "P opens A",
        "A asks",
        "A: tried",
        "A ends end_turn",
        "P: fine",
        "P ends end_turn"
      ])
      expect(signals.find(({ _tag }) => _tag === "Asked")).toMatchObject({ request: { subject: "hand: write" } })

      const denies = yield* definition
      const denied = yield* Script.turn(
        yield* Script.connect({ ...denies.all, permissions: { deny: ["write"] } }),
        "go"
      )
      expect(story(denied)).not.toContain("A asks")
      expect(denies.hand.asked[1]?.at(-1)).toBe("tool: failed the permissions deny write with these arguments")
    }))

  it.scoped("to one that is stopped alone, or fails, fails the call, and the run goes on", () =>
    Effect.gen(function*() {
      const boss = yield* Script.make([
        Script.calls(["transfer", { agent: "slow", task: "t" }], ["transfer", { agent: "ill", task: "t" }]),
        Script.says("well")
      ])
      const slow = yield* Script.make([Script.stalls("hm")])
      const ill = yield* Script.make([Script.fails(Script.status(400))])
      const connection = yield* Script.connect({
        name: "boss",
        model: boss.model,
        agents: [{ name: "slow", model: slow.model }, { name: "ill", model: ill.model }]
      })
      yield* Script.prompt(connection, "go")
      const before = yield* until(connection, (signal) => signal._tag === "Said" && signal.event.type === "TextChunk")
      const first = opened(before).find(({ agent }) => agent === "slow")
      yield* connection.cancelRun!(first!.run)!
      const signals = [...before, ...yield* Script.untilEnd(connection)]
      expect(story(signals)).toEqual(
        expect.arrayContaining(["A ends cancelled", "B ends failed", "P: well", "P ends end_turn"])
      )
      expect(boss.asked[1]?.at(-1)).toMatch(
        /^tool: failed the agent was stopped; it had said: hm \| failed the agent failed: /
      )
    }))

  it.scoped("ends with the run that waits for it", () =>
    Effect.gen(function*() {
      const boss = yield* Script.make([Script.calls(["transfer", { agent: "slow", task: "t" }])])
      const slow = yield* Script.make([Script.stalls("hm")])
      const connection = yield* Script.connect({
        name: "boss",
        model: boss.model,
        agents: [{ name: "slow", model: slow.model }]
      })
      yield* Script.prompt(connection, "go")
      const before = yield* until(connection, (signal) => signal._tag === "Said" && signal.event.type === "TextChunk")
      yield* connection.cancel
      expect(story([...before, ...yield* Script.untilEnd(connection)])).toEqual([
        "P opens A",
        "A: hm",
        "A ends cancelled",
        "P ends cancelled"
      ])
    }))

  it.scoped("goes to nobody who waits already, and not deeper than is allowed", () =>
    Effect.gen(function*() {
      const next = (agent: string) => Script.calls(["transfer", { agent, task: "t" }])
      const a = yield* Script.make([next("b"), Script.says("a")])
      const b = yield* Script.make([next("a"), next("c"), Script.says("b")])
      const c = yield* Script.make([Script.says("c")])
      const ring: Array<Definition> = []
      const limits = { depth: 2 }
      const definitions: ReadonlyArray<Definition> = [
        { name: "a", model: a.model, agents: ring, limits },
        { name: "b", model: b.model, agents: ring, limits },
        { name: "c", model: c.model, agents: ring, limits }
      ]
      ring.push(...definitions)
      const signals = yield* Script.turn(yield* Script.connect(definitions[0]!), "go")
      expect(story(signals)).toEqual(["P opens A", "A: b", "A ends end_turn", "P: a", "P ends end_turn"])
      expect(b.asked[1]?.at(-1)).toMatch(/^tool: failed .*"a"/s)
      expect(b.asked[2]?.at(-1)).toBe("tool: failed 2 agents have given this task on already: do it yourself")
    }))
})

describe("background agents", () => {
  it.scoped("work on when the turn has ended, can be listed, viewed, waited for and stopped", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      let id = ""
      const boss = yield* Script.make([
        Script.calls(["start_agent", { agent: "worker", task: "dig" }]),
        (prompt) => {
          id = JSON.stringify(prompt).match(/run_\w+/)?.[0] ?? ""
          return Script.says("started")
        },
        () => Script.calls(["list_agents"], ["view_agent", { id }], ["view_agent", { id: "nobody" }]),
        () => Script.calls(["view_agent", { id, wait: true }]),
        Script.says("all done")
      ])
      const worker = yield* Script.make([Script.calls(["waits"]), Script.says("dug")])
      const waits = Script.tool("waits", () => Effect.as(Deferred.await(gate), Toolset.text("")))
      const connection = yield* Script.connect({
        name: "boss",
        model: boss.model,
        agents: [{ name: "worker", model: worker.model, tools: Script.tools(waits) }]
      })
      const first = yield* Script.turn(connection, "go")
      expect(story(first)).toEqual(["P opens A", "P: started", "P ends end_turn"])
      expect(opened(first)).toMatchObject([{ until: "session", parent: Script.runId }])
      const fiber = yield* Effect.fork(Script.turn(connection, "and?"))
      yield* Effect.yieldNow()
      yield* Deferred.succeed(gate, void 0)
      const second = yield* Fiber.join(fiber)
      expect(boss.asked[3]?.at(-1)).toMatch(
        /^tool: run_\w+ worker \((working|done)\): dig \| .* \| failed there is no background agent "nobody"$/s
      )
      expect(boss.asked[4]?.at(-1)).toBe("tool: dug")
      expect(Script.said(second)).toContain("all done")
    }))

  it.scoped("are stopped by one call, by their run's name, or by the session's end, and not by the end of a turn", () =>
    Effect.gen(function*() {
      let ids: ReadonlyArray<string> = []
      const boss = yield* Script.make([
        Script.calls(...[1, 2, 3].map((n) => ["start_agent", { agent: "worker", task: `task ${n}` }] as const)),
        (prompt) => {
          ids = JSON.stringify(prompt).match(/run_\w+/g) ?? []
          return Script.calls(["stop_agent", { id: ids[0] }])
        },
        Script.says("ok")
      ])
      const worker = yield* Script.make([Script.stalls("hm")])
      const connection = yield* Script.connect({
        name: "boss",
        model: boss.model,
        agents: [{ name: "worker", model: worker.model }]
      })
      const first = yield* Script.turn(connection, "go")
      expect(boss.asked[2]?.at(-1)).toBe("tool: it is stopped")
      const second = opened(first)[1]!
      yield* connection.cancelRun!(second.run)!
      yield* until(connection, (signal) => signal._tag === "TurnEnded" && signal.run === second.run)
      // the third ends with the scope: the check for leaks sees to it
    }))

  it.scoped("are not more than is allowed", () =>
    Effect.gen(function*() {
      const start = ["start_agent", { agent: "worker", task: "t" }] as const
      const boss = yield* Script.make([Script.calls(start), Script.calls(start), Script.says("ok")])
      const worker = yield* Script.make([Script.stalls("hm")])
      const connection = yield* Script.connect({
        name: "boss",
        model: boss.model,
        limits: { background: 1 },
        agents: [{ name: "worker", model: worker.model }]
      })
      yield* Script.turn(connection, "go")
      expect(boss.asked[2]?.at(-1)).toMatch(/^tool: failed 1 agents work in the background already/)
    }))
})

describe("hand-off", () => {
  it.scoped("leaves the conversation to another agent, for the rest of the turn and for those that follow", () =>
    Effect.gen(function*() {
      const front = yield* Script.make([Script.calls(["hand_off", { agent: "expert" }])])
      const expert = yield* Script.make([Script.says("here"), Script.says("still")])
      const connection = yield* Script.connect({
        name: "front",
        model: front.model,
        delegation: ["handoff"],
        agents: [{ name: "expert", model: expert.model, instructions: "You know.", description: "knows" }]
      })
      expect(connection.begins).toEqual([{
        type: "ModeChanged",
        modeId: "front",
        available: [{ id: "front", name: "front" }, { id: "expert", name: "expert", description: "knows" }]
      }])
      const signals = yield* Script.turn(connection, "go")
      expect(Script.ofType(signals, "ModeChanged")).toEqual([{ type: "ModeChanged", modeId: "expert" }])
      expect(story(signals)).toEqual(["P: here", "P ends end_turn"])
      expect(expert.asked[0]?.slice(0, 2)).toEqual(["system: You know.", "user: go"])
      expect(Script.said(yield* Script.turn(connection, "more"))).toBe("still")
    }))

  it.scoped("can be made by a person, who chooses the mode", () =>
    Effect.gen(function*() {
      const front = yield* Script.make([Script.says("front")])
      const expert = yield* Script.make([Script.says("expert")])
      const connection = yield* Script.connect({
        name: "front",
        model: front.model,
        delegation: ["handoff"],
        agents: [{ name: "expert", model: expert.model }]
      })
      yield* connection.setMode("expert")
      expect(Script.said(yield* Script.turn(connection, "go"))).toBe("expert")
      expect(yield* Effect.flip(connection.setMode("nobody"))).toMatchObject({
        _tag: "AgentUnsupported",
        message: "front has no mode \"nobody\"; there are: front, expert"
      })
    }))
})
