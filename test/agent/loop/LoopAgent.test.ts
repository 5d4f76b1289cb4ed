import { describe, expect } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as Hooks from "../../../src/agent/loop/Hooks.js"
import * as Toolset from "../../../src/agent/loop/Toolset.js"
import * as Content from "../../../src/domain/Content.js"
import { it, leakFreeFile } from "../../../src/testing/vitest.js"
import * as Script from "./Script.js"

leakFreeFile()

describe("a turn", () => {
  it.scoped("says what the model says, as it says it, and ends", () =>
    Effect.gen(function*() {
      const { asked, model } = yield* Script.make([Script.says("hel", "lo")])
      const connection = yield* Script.connect({ name: "clerk", model, instructions: "You are brief." })
      const signals = yield* Script.turn(connection, "hi")
      expect(Script.ofType(signals, "TextChunk").map(({ text }) => text)).toEqual(["hel", "lo"])
      expect(new Set(Script.ofType(signals, "TextChunk").map(({ messageId }) => messageId)).size).toBe(1)
      expect(Script.ofType(signals, "UsageUpdated")).toEqual([{ type: "UsageUpdated", used: 15, size: 128_000 }])
      expect(Script.endOf(signals)).toBe("end_turn")
      expect(asked).toEqual([["system: You are brief.", "user: hi"]])
    }))

  it.scoped("makes the calls that the model wants, and asks it again with their results in the order of the calls", () =>
    Effect.gen(function*() {
      const slow = yield* Deferred.make<void>()
      const { asked, model } = yield* Script.make([
        Script.calls(["slow", { n: 1 }], ["fast", { n: 2 }]),
        Script.says("both")
      ])
      const connection = yield* Script.connect({
        name: "clerk",
        model,
        tools: Script.tools(
          Script.tool("slow", () => Effect.as(Deferred.await(slow), Toolset.text("one"))),
          Script.tool("fast", () => Effect.as(Deferred.succeed(slow, void 0), Toolset.text("two")))
        )
      })
      const signals = yield* Script.turn(connection, "go")
      expect(asked[1]).toEqual([`user: go`, `assistant: slow({"n":1}) | fast({"n":2})`, "tool: one | two"])
      expect(Script.ofType(signals, "ToolCallEnded").map(({ status }) => status)).toEqual(["completed", "completed"])
      expect(new Set(Script.ofType(signals, "ToolCallStarted").map(({ toolCallId }) => toolCallId)).size).toBe(2)
      expect(Script.endOf(signals)).toBe("end_turn")
    }))

  it.scoped("remembers the turns before it", () =>
    Effect.gen(function*() {
      const { asked, model } = yield* Script.make([Script.says("one"), Script.says("two")])
      const connection = yield* Script.connect({ name: "clerk", model })
      yield* Script.turn(connection, "first")
      yield* Script.turn(connection, "second")
      expect(asked[1]).toEqual(["user: first", "assistant: one", "user: second"])
    }))

  it.scoped("that is cancelled ends as cancelled, each of its calls has an end, and the next turn knows it", () =>
    Effect.gen(function*() {
      const began = yield* Deferred.make<void>()
      const { asked, model } = yield* Script.make([Script.calls(["hangs"], ["hangs"], ["waits"]), Script.says("well")])
      const connection = yield* Script.connect({
        name: "clerk",
        model,
        limits: { concurrency: 2 },
        tools: Script.tools(
          Script.tool("hangs", () => Effect.zipRight(Deferred.succeed(began, void 0), Effect.never)),
          Script.tool("waits")
        )
      })
      yield* Script.prompt(connection, "go")
      yield* Effect.zipRight(Deferred.await(began), connection.cancel)
      const signals = yield* Script.untilEnd(connection)
      expect(Script.endOf(signals)).toBe("cancelled")
      expect(Script.ofType(signals, "ToolCallEnded").map(({ status }) => status)).toEqual([
        "failed",
        "failed",
        "failed"
      ])
      yield* Script.turn(connection, "and now?")
      const cancelled = "failed the call was cancelled"
      expect(asked[1]?.slice(2)).toEqual([`tool: ${cancelled} | ${cancelled} | ${cancelled}`, "user: and now?"])
    }))

  it.scoped("takes a message into itself before it asks the model again, and says when it is too late", () =>
    Effect.gen(function*() {
      const began = yield* Deferred.make<void>()
      const gate = yield* Deferred.make<void>()
      const waits = Effect.zipRight(Deferred.succeed(began, void 0), Deferred.await(gate))
      const { asked, model } = yield* Script.make([Script.calls(["waits"]), Script.says("ok")])
      const connection = yield* Script.connect({
        name: "clerk",
        model,
        tools: Script.tools(Script.tool("waits", () => Effect.as(waits, Toolset.text("waited"))))
      })
      yield* Effect.zipRight(Script.prompt(connection, "go"), Deferred.await(began))
      expect(yield* connection.steer!(Script.runId, [Content.text("but softly")])).toBe(true)
      yield* Deferred.succeed(gate, void 0)
      const signals = yield* Script.untilEnd(connection)
      expect(asked.at(-1)?.at(-1)).toBe("user: but softly")
      // the session records it
      expect(Script.ofType(signals, "UserChunk")).toEqual([])
      expect(yield* connection.steer!(Script.runId, [Content.text("late")])).toBe(false)
    }))

  it.scoped("takes also the message that comes while the hooks look at another", () =>
    Effect.gen(function*() {
      const looks = yield* Deferred.make<void>()
      const gate = yield* Deferred.make<void>()
      const { asked, model } = yield* Script.make([Script.calls(["look"]), Script.says("ok")])
      let steer = (_: string) => Effect.succeed(false)
      const connection = yield* Script.connect({
        name: "clerk",
        model,
        hooks: [
          Hooks.on("UserPromptSubmit", ({ steers }) =>
            steers
              ? Deferred.succeed(looks, void 0).pipe(
                Effect.zipRight(Deferred.await(gate)),
                Effect.as({ context: "mind the time" })
              )
              : Effect.succeed({}))
        ],
        tools: Script.tools(
          Script.tool("look", () => Effect.suspend(() => Effect.as(steer("one"), Toolset.text("seen"))))
        )
      })
      steer = (text) => connection.steer!(Script.runId, [Content.text(text)]).pipe(Effect.orDie)
      yield* Effect.zipRight(Script.prompt(connection, "go"), Deferred.await(looks))
      expect(yield* steer("two")).toBe(true)
      yield* Deferred.succeed(gate, void 0)
      yield* Script.untilEnd(connection)
      const told = ["user: one", "user: mind the time", "user: two", "user: mind the time"]
      expect(asked.at(-1)?.slice(3)).toEqual(told)
    }))

  it.scoped("asks a person whether it shall go on when it has asked its model often enough", () =>
    Effect.gen(function*() {
      let n = 0
      const { asked, model } = yield* Script.make([() => Script.calls(["look", { n: n++ }])])
      const definition = { name: "clerk", model, limits: { iterations: 3 }, tools: Script.tools(Script.tool("look")) }
      const connection = yield* Script.connect(definition)
      let answers = 0
      const signals = yield* Script.turn(
        connection,
        "go",
        () => answers++ === 0 ? { action: "accept" } : { action: "decline" }
      )
      expect(answers).toBe(2)
      expect(asked.length).toBe(6)
      expect(Script.endOf(signals)).toBe("max_turn_requests")
    }))

  it.scoped("that wants the same calls again and again is ended", () =>
    Effect.gen(function*() {
      const { asked, model } = yield* Script.make([Script.calls(["look", { at: "the same" }])])
      const connection = yield* Script.connect({ name: "clerk", model, tools: Script.tools(Script.tool("look")) })
      const signals = yield* Script.turn(connection, "go")
      expect(asked.length).toBe(5)
      expect(Script.endOf(signals)).toBe("max_turn_requests")
      expect(Script.warnings(signals)).toEqual([expect.stringContaining("the same calls 5 times in a row")])
    }))

  it.scoped("whose context is nearly full goes on with a summary", () =>
    Effect.gen(function*() {
      const { asked, model } = yield* Script.make(
        [Script.saysUsing(950, "long"), Script.says("all was well"), Script.says("done")],
        { contextSize: 1000 }
      )
      const connection = yield* Script.connect({ name: "clerk", model })
      yield* Script.turn(connection, "first")
      const signals = yield* Script.turn(connection, "second")
      expect(Script.ofType(signals, "ContextCompacted")).toEqual([
        { type: "ContextCompacted", summary: "all was well", used: 958, size: 1000 }
      ])
      expect(Script.said(signals)).toBe("done")
      expect(asked[2]).toEqual(["user: What happened so far:\n\nall was well", "user: second"])
    }))

  it.scoped("adds up what it costs", () =>
    Effect.gen(function*() {
      const { model } = yield* Script.make([Script.says("hi")], { price: { input: 1_000_000, output: 2_000_000 } })
      const connection = yield* Script.connect({ name: "clerk", model })
      yield* Script.turn(connection, "first")
      const signals = yield* Script.turn(connection, "second")
      expect(Script.ofType(signals, "UsageUpdated")[0]?.cost).toEqual({ amount: 40, currency: "USD" })
    }))
})

describe("a session", () => {
  it.scoped("is called after its first prompt", () =>
    Effect.gen(function*() {
      const { model } = yield* Script.make([Script.says("ok")])
      const connection = yield* Script.connect({ name: "clerk", model })
      const first = yield* Script.turn(connection, "What is the\ncapital of France?")
      const second = yield* Script.turn(connection, "And of Spain?")
      expect(Script.ofType(first, "TitleChanged")).toEqual([{
        type: "TitleChanged",
        title: "What is the capital of France?"
      }])
      expect(Script.ofType(second, "TitleChanged")).toEqual([])
    }))

  it.scoped("is called as the model says, if that is wanted", () =>
    Effect.gen(function*() {
      const { model } = yield* Script.make([Script.says("ok"), Script.says("\"Capitals\"")])
      const connection = yield* Script.connect({ name: "clerk", model, titles: "model" })
      yield* Script.prompt(connection, "What is the capital of France?")
      let title: string | undefined
      while (title === undefined) {
        const signal = yield* connection.signals.take
        if (signal._tag === "Said" && signal.event.type === "TitleChanged") title = signal.event.title
      }
      expect(["Capitals", "ok"]).toContain(title)
    }))
})

describe("a model", () => {
  it.scoped("that is silent is given up after its deadline, and asked again", () =>
    Effect.gen(function*() {
      const { asked, model } = yield* Script.make([Script.stalls("hal"), Script.says("whole")])
      const connection = yield* Script.connect({ name: "clerk", model })
      const fiber = yield* Effect.fork(Script.turn(connection, "go"))
      yield* TestClock.adjust("3 minutes")
      const signals = yield* Fiber.join(fiber)
      expect(Script.endOf(signals)).toBe("end_turn")
      expect(Script.warnings(signals)).toEqual(["the answer broke off and does not count"])
      // the half answer is for people; the model is not shown it again
      expect(asked[1]).toEqual(["user: go"])
    }))
})
