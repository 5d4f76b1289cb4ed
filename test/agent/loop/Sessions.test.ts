/** The loop through real sessions: what clients see of it. */
import { describe, expect } from "@effect/vitest"
import * as Array from "effect/Array"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Definition } from "../../../src/agent/loop/Definition.js"
import * as Hooks from "../../../src/agent/loop/Hooks.js"
import * as LoopAgent from "../../../src/agent/loop/LoopAgent.js"
import * as Toolset from "../../../src/agent/loop/Toolset.js"
import * as Content from "../../../src/domain/Content.js"
import * as EventLog from "../../../src/log/EventLog.js"
import { it, leakFreeFile } from "../../../src/testing/vitest.js"
import * as Harness from "../../session/Harness.js"
import * as Script from "./Script.js"

leakFreeFile()

/** The first agent's sessions, over the log that is there: a second life of it is what a restart of the gateway is. */
const start = (definition: Definition) =>
  Effect.gen(function*() {
    const log = yield* EventLog.EventLog
    return yield* Harness.over(log, [yield* LoopAgent.make(definition)])
  })

/** It closes after the sessions. */
const withLog = <A, E>(program: Effect.Effect<A, E, EventLog.EventLog | Scope.Scope>) =>
  Effect.flatMap(Layer.build(EventLog.layerMemory), (context) => Effect.provide(program, context))

const write = Script.tool("write", () => Effect.succeed(Toolset.text("written")), { readOnly: false })

describe("ten background agents that ask at once", () => {
  it.scopedLive("each get their own answer (EB1, EB2, RS6)", () =>
    Effect.gen(function*() {
      const names = Array.makeBy(10, (n) => `agent${n}`)
      const boss = yield* Script.make([
        Script.calls(...names.map((agent) => ["start_agent", { agent, task: agent }] as const)),
        Script.says("started")
      ])
      const agents = yield* Effect.forEach(names, (name) =>
        Effect.gen(function*() {
          const { asked, model } = yield* Script.make([Script.calls(["ask"]), Script.says("thanks")])
          const ask = Script.tool("ask", (_args, call) =>
            Effect.map(
              call.ask({
                kind: "form",
                message: name,
                schema: { type: "object", properties: { word: { type: "string" } } }
              }),
              (answer) => Toolset.text(JSON.stringify(Option.getOrUndefined(answer)?.content ?? "nobody"))
            ))
          return { asked, definition: { name, model, tools: Script.tools(ask) } }
        }))
      const { finish, history, open, prompt, sessions } = yield* start({
        name: "boss",
        model: boss.model,
        agents: agents.map(({ definition }) => definition),
        limits: { concurrency: 10 }
      })
      const session = yield* open
      yield* finish(session, yield* prompt(session))
      // a client that sees a question answers it, the last one first
      const pending = yield* sessions.events({ session, after: 0 }).pipe(
        Stream.filter(({ type }) => type === "ElicitationRequested"),
        Stream.take(10),
        Stream.runDrain,
        Effect.zipRight(sessions.elicitations(session)),
        Effect.map((pending) => [...pending])
      )
      expect(pending.map(({ message }) => message).sort()).toEqual(names)
      expect(new Set(pending.map(({ runId }) => runId)).size).toBe(10)
      for (const { id, message } of pending.reverse()) {
        yield* sessions.answer(session, id, { action: "accept", content: { word: `for ${message}` } })
      }
      yield* sessions.events({ session, after: 0 }).pipe(
        Stream.filter(({ type }) => type === "RunEnded"),
        Stream.take(11),
        Stream.runDrain
      )
      for (const { asked, definition } of agents) {
        expect(asked[1]?.at(-1)).toBe(`tool: {"word":"for ${definition.name}"}`)
      }
      const events = yield* history(session)
      expect(events.filter(({ event }) => event.type === "RunEnded").length).toBe(11)
      expect(events.filter(({ event }) => event.type === "ElicitationSettled").length).toBe(10)
    }).pipe(withLog))
})

describe("a session of the loop", () => {
  it.scopedLive("has nested runs in its log between the beginning and the end of the turn (RS6)", () =>
    Effect.gen(function*() {
      const boss = yield* Script.make([
        Script.calls(["transfer", { agent: "poet", task: "a verse" }]),
        Script.says("fine")
      ])
      const poet = yield* Script.make([Script.says("roses")])
      const { finish, history, open, prompt } = yield* start({
        name: "boss",
        model: boss.model,
        agents: [{ name: "poet", model: poet.model }]
      })
      const session = yield* open
      yield* finish(session, yield* prompt(session))
      const runs = (yield* history(session)).filter(({ runId }) => runId !== undefined)
      const ids = [...new Set(runs.map(({ runId }) => runId))]
      expect(ids.length).toBe(2)
      const story = runs.filter(({ event: { type } }) => /^Run|TextChunk|ToolCall(Started|Ended)/.test(type))
        .map((stored) => `${ids.indexOf(stored.runId)} ${Harness.label(stored)}`)
      expect(story).toEqual([
        "0 RunStarted",
        "0 ToolCallStarted",
        "1 RunStarted",
        "1 TextChunk",
        "1 RunEnded(Completed)",
        "0 ToolCallEnded",
        "0 TextChunk",
        "0 RunEnded(Completed)"
      ])
    }).pipe(withLog))

  it.scopedLive("remembers an always, for the agent and the tool that it was given for", () =>
    Effect.gen(function*() {
      const { asked, model } = yield* Script.make([
        Script.calls(["write"]),
        Script.says("one"),
        Script.calls(["write"]),
        Script.says("two")
      ])
      const harness = yield* start({ name: "clerk", model, tools: Script.tools(write) })
      const session = yield* harness.open
      const run = yield* harness.prompt(session)
      const question = yield* harness.asked(session)
      yield* harness.sessions.answer(session, question, { action: "accept", content: { optionId: "always" } })
      yield* harness.finish(session, run)
      yield* harness.finish(session, yield* harness.prompt(session))
      expect(asked.at(-1)?.at(-1)).toBe("tool: written")
      expect((yield* harness.history(session)).filter(({ event }) => event.type === "ElicitationSettled").length).toBe(
        2
      )
      expect(yield* harness.sessions.decisions(session)).toMatchObject([{
        subject: "clerk: write",
        kind: "allow_always"
      }])
    }).pipe(withLog))

  it.scopedLive("goes on in another life with all that was said, done, refused, summarised and handed over (AG5)", () =>
    Effect.gen(function*() {
      const script = yield* Script.make([
        Script.saysUsing(950, "long ago"),
        Script.says("it was long ago"),
        Script.calls(["look", { at: "sea" }], ["write"]),
        Script.calls(["hand_off", { agent: "expert" }])
      ], { contextSize: 1000 })
      const expert = yield* Script.make([Script.says("at your service"), Script.says("still here")])
      const definition: Definition = {
        name: "clerk",
        model: script.model,
        instructions: "You are brief.",
        tools: Script.tools(Script.tool("look"), write),
        delegation: ["handoff"],
        agents: [{ name: "expert", model: expert.model, instructions: "You know." }],
        limits: { iterations: 10 }
      }
      const session = yield* Effect.scoped(Effect.gen(function*() {
        const { finish, open, prompt, sessions, asked } = yield* start(definition)
        const session = yield* open
        yield* finish(session, yield* prompt(session, "first"))
        const run = yield* prompt(session, "second")
        yield* sessions.answer(session, yield* asked(session), { action: "decline" })
        yield* finish(session, run)
        return session
      }))
      const { finish, history, prompt } = yield* start(definition)
      yield* finish(session, yield* prompt(session, "third"))
      const before = expert.asked[0] ?? []
      expect(before).toEqual([
        "system: You know.",
        "user: What happened so far:\n\nit was long ago",
        "user: second",
        `assistant: look({"at":"sea"}) | write({})`,
        "tool: look done | failed the user rejected the call",
        `assistant: hand_off({"agent":"expert"})`,
        "tool: expert has the conversation now"
      ])
      // what the second life knows is what the first one knew
      expect(expert.asked[1]).toEqual([...before, "assistant: at your service", "user: third"])
      expect((yield* history(session)).filter(({ event }) => event.type === "TitleChanged").length).toBe(1)
    }).pipe(withLog))

  /** A life of a clerk whose only tool takes as long as its gate is closed. */
  const waiting = (script: Script.Script) =>
    Effect.gen(function*() {
      const began = yield* Deferred.make<void>()
      const gate = yield* Deferred.make<void>()
      const waits = Effect.zipRight(Deferred.succeed(began, void 0), Deferred.await(gate))
      const tools = Script.tools(Script.tool("wait", () => Effect.as(waits, Toolset.text("waited"))))
      const hooks = [
        Hooks.on("UserPromptSubmit", ({ prompt }) =>
          Effect.succeed(Content.toText(prompt) === "shout" ? { decision: "deny" } : {}))
      ]
      const harness = yield* start({ name: "clerk", model: script.model, tools, hooks })
      return { ...harness, began: Deferred.await(began), open: Deferred.succeed(gate, void 0), create: harness.open }
    })

  it.scopedLive("knows in another life what steered it, and when; it is in the log once (AG5)", () =>
    Effect.gen(function*() {
      const script = yield* Script.make([Script.calls(["wait"]), Script.says("as you wish")])
      const session = yield* Effect.scoped(Effect.gen(function*() {
        const { began, create, finish, history, open, prompt } = yield* waiting(script)
        const session = yield* create
        const run = yield* prompt(session, "go")
        yield* began
        for (const text of ["softly", "shout", "slowly"]) yield* prompt(session, text, "steer")
        yield* open
        yield* finish(session, run)
        const told = (yield* history(session)).filter(({ event }) => event.type === "UserChunk")
        expect(told.length).toBe(3)
        return session
      }))
      const before = script.asked.at(-1) ?? []
      expect(before.slice(2)).toEqual(["tool: waited", "user: softly", "user: slowly"])
      const { finish, prompt } = yield* waiting(script)
      yield* finish(session, yield* prompt(session, "and now?"))
      expect(script.asked.at(-1)).toEqual([...before, "assistant: as you wish", "user: and now?"])
    }).pipe(withLog))

  it.scopedLive("tells what steered a turn that was cancelled in the next one, once, also in another life (AG5)", () =>
    Effect.gen(function*() {
      const script = yield* Script.make([Script.calls(["wait"]), Script.says("well")])
      const session = yield* Effect.scoped(Effect.gen(function*() {
        const { began, create, finish, prompt, sessions } = yield* waiting(script)
        const session = yield* create
        const run = yield* prompt(session, "go")
        yield* began
        yield* prompt(session, "softly", "steer")
        yield* sessions.cancel(session)
        yield* finish(session, run)
        return session
      }))
      const lives = [["and now?", "user: and now?", "user: softly"], ["still there?", "user: still there?"]] as const
      for (const [text, ...told] of lives) {
        yield* Effect.scoped(Effect.gen(function*() {
          const { finish, prompt } = yield* waiting(script)
          yield* finish(session, yield* prompt(session, text))
          expect(script.asked.at(-1)?.slice(-told.length)).toEqual(told)
        }))
      }
      expect(script.asked.at(-1)?.filter((message) => message === "user: softly").length).toBe(1)
    }).pipe(withLog))

  it.scopedLive("that is cancelled ends the turn and the questions of all that is nested in it (RS2)", () =>
    Effect.gen(function*() {
      const boss = yield* Script.make([
        Script.calls(["transfer", { agent: "hand", task: "write" }]),
        Script.says("fine")
      ])
      const hand = yield* Script.make([Script.calls(["write"])])
      const { asked, finish, history, open, prompt, sessions } = yield* start({
        name: "boss",
        model: boss.model,
        agents: [{ name: "hand", model: hand.model, tools: Script.tools(write) }]
      })
      const session = yield* open
      const run = yield* prompt(session)
      yield* asked(session)
      yield* sessions.cancel(session)
      yield* finish(session, run)
      const ends = (yield* history(session)).filter(({ event: { type } }) => /RunEnded|Settled/.test(type))
      expect(ends.map(Harness.label)).toEqual(["ElicitationSettled", "RunEnded(Cancelled)", "RunEnded(Cancelled)"])
    }).pipe(withLog))
})
