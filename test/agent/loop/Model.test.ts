/** What a model may do wrong, and what becomes of the run. */
import * as AiError from "@effect/ai/AiError"
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import type { Definition } from "../../../src/agent/loop/Definition.js"
import * as Hooks from "../../../src/agent/loop/Hooks.js"
import type * as LoopModel from "../../../src/agent/loop/LoopModel.js"
import * as ModelError from "../../../src/agent/loop/ModelError.js"
import * as Toolset from "../../../src/agent/loop/Toolset.js"
import * as Content from "../../../src/domain/Content.js"
import { it, leakFreeFile } from "../../../src/testing/vitest.js"
import * as Script from "./Script.js"

leakFreeFile()

/** One turn, with as much virtual time as it needs. */
const turn = (
  model: LoopModel.LoopModel | readonly [LoopModel.LoopModel, LoopModel.LoopModel],
  more: Partial<Definition> = {}
) =>
  Effect.gen(function*() {
    const connection = yield* Script.connect({ name: "clerk", model, ...more })
    const fiber = yield* Effect.fork(Script.turn(connection, "go"))
    yield* TestClock.adjust("1 hour")
    return yield* Fiber.join(fiber)
  })

const ok = Script.says("ok")

describe("a model that", () => {
  it.scoped("cannot be reached is asked again, and then fails the run by name and address", () =>
    Effect.gen(function*() {
      const { asked, model } = yield* Script.make([Script.fails(Script.unreachable)])
      const signals = yield* turn(model)
      expect(asked.length).toBe(3)
      expect(Script.endOf(signals)).toMatch(
        /^AgentRequestFailed: the model "script" cannot be reached at http:\/\/model/
      )
    }))

  it.scoped("does not accept the key fails the run at once, as one that needs a login", () =>
    Effect.gen(function*() {
      const { asked, model } = yield* Script.make([Script.fails(Script.status(401, {}, "bad key"))])
      const signals = yield* turn(model)
      expect(asked.length).toBe(1)
      expect(Script.endOf(signals)).toMatch(/^AgentAuthRequired: .*status 401: bad key; its API key is/)
    }))

  it.scoped("is asked too often is left alone for as long as it wants, and no longer", () =>
    Effect.gen(function*() {
      const { asked, model } = yield* Script.make([Script.fails(Script.status(429, { "retry-after": "20" })), ok])
      const connection = yield* Script.connect({ name: "clerk", model })
      const fiber = yield* Effect.fork(Script.turn(connection, "go"))
      yield* TestClock.adjust("19 seconds")
      expect(asked.length).toBe(1)
      yield* TestClock.adjust("1 second")
      expect(Script.endOf(yield* Fiber.join(fiber))).toBe("end_turn")
    }))

  it.scoped("wants more patience than there is gives way to the next one, and is not asked while it cools down", () =>
    Effect.gen(function*() {
      const first = yield* Script.make([Script.fails(Script.status(429, { "retry-after": "300" })), ok], {
        name: "first"
      })
      const second = yield* Script.make([ok], { name: "second" })
      const connection = yield* Script.connect({ name: "clerk", model: [first.model, second.model] })
      const signals = yield* Script.turn(connection, "go")
      expect(Script.warnings(signals)).toEqual([`the model "first" failed, "second" is asked instead`])
      yield* Script.turn(connection, "again")
      expect([first.asked.length, second.asked.length]).toEqual([1, 2])
      yield* TestClock.adjust("5 minutes")
      yield* Script.turn(connection, "and again")
      expect([first.asked.length, second.asked.length]).toEqual([2, 2])
    }))

  it.scoped("breaks off in the middle is asked again, without what it had said", () =>
    Effect.gen(function*() {
      const { asked, model } = yield* Script.make([Script.breaksOff("ha"), ok, ok])
      const signals = yield* turn(model)
      expect(Script.warnings(signals)).toEqual(["the answer broke off and does not count"])
      expect(Script.endOf(signals)).toBe("end_turn")
      expect(asked[1]).toEqual(["user: go"])
    }))

  it.scoped("breaks off in the middle of a call's arguments makes no call", () =>
    Effect.gen(function*() {
      const { model } = yield* Script.make([
        Script.parts(
          { type: "tool-params-start", id: "1", name: "look" },
          { type: "tool-params-delta", id: "1", delta: "{\"at\":" }
        ),
        ok
      ])
      const signals = yield* turn(model, { tools: Script.tools(Script.tool("look")) })
      expect(Script.ofType(signals, "ToolCallStarted")).toEqual([])
      expect(Script.endOf(signals)).toBe("end_turn")
    }))

  it.scoped("sends an error in its answer is asked again", () =>
    Effect.gen(function*() {
      const { model } = yield* Script.make([Script.parts({ type: "error", error: { message: "overloaded" } }), ok])
      expect(Script.endOf(yield* turn(model))).toBe("end_turn")
    }))

  it.scoped("calls a tool that is not there is told so, and goes on", () =>
    Effect.gen(function*() {
      const { asked, model } = yield* Script.make([Script.calls(["fly", { to: "moon" }]), ok])
      const signals = yield* turn(model, { tools: Script.tools(Script.tool("look")) })
      expect(Script.ofType(signals, "ToolCallEnded").map(({ status }) => status)).toEqual(["failed"])
      expect(asked[1]?.at(-1)).toBe("tool: failed there is no tool \"fly\"; there are: look")
      expect(Script.endOf(signals)).toBe("end_turn")
    }))

  it.scoped("says something before it calls a tool that is not there has said it", () =>
    Effect.gen(function*() {
      const wanted: Script.Turn = Stream.rechunk(
        Stream.concat(Script.breaksOff("let me fly"), Script.calls(["fly"])),
        100
      )
      const { model } = yield* Script.make([wanted, ok])
      const signals = yield* turn(model)
      expect(Script.said(signals)).toBe("let me flyok")
      expect(Script.ofType(signals, "ToolCallEnded").length).toBe(1)
    }))

  it.scoped("gives arguments that are no JSON is told so, and goes on", () =>
    Effect.gen(function*() {
      const begun = Stream.rechunk(
        Script.parts(
          { type: "tool-params-start", id: "1", name: "look" },
          { type: "tool-params-delta", id: "1", delta: "{\"at\": moon" }
        ),
        1
      )
      const malformed = new AiError.MalformedOutput({
        module: "Provider",
        method: "streamText",
        description: "no JSON"
      })
      const { asked, model } = yield* Script.make([
        Stream.concat(begun, Stream.fail(malformed)),
        Script.calls(["look", "{moon"]),
        ok
      ])
      const signals = yield* turn(model, { tools: Script.tools(Script.tool("look")) })
      expect(asked[1]?.at(-1)).toBe("tool: failed the arguments are not a JSON object: {\"at\": moon")
      expect(asked[2]?.at(-1)).toBe("tool: failed the arguments are not a JSON object: {moon")
      expect(Script.endOf(signals)).toBe("end_turn")
    }))

  it.scoped("wants what no provider takes back, or says nothing but blanks, is told of it in a form that all take", () =>
    Effect.gen(function*() {
      const { asked, model } = yield* Script.make([
        Script.calls(["functions.look", "{moon"], ["", [1]]),
        Script.says("\n "),
        ok
      ])
      const connection = yield* Script.connect({ name: "clerk", model, tools: Script.tools(Script.tool("look")) })
      yield* Script.turn(connection, "go")
      yield* Script.turn(connection, "again")
      expect(asked[2]).toEqual([
        "user: go",
        "assistant: functions_look({\"invalid\":\"{moon\"}) | _({\"invalid\":[1]})",
        expect.stringMatching(/^tool: failed there is no tool "functions.look"; there are: look/),
        "user: again"
      ])
    }))

  it.scoped("is given text that all providers take, whoever wrote it", () =>
    Effect.gen(function*() {
      const { asked, model } = yield* Script.make([Script.calls(["look"]), Script.says("half \uD83D"), ok])
      const look = Script.tool("look", () => Effect.succeed(Toolset.text("\uDE00 seen \u{1F600}")))
      const connection = yield* Script.connect({ name: "clerk", model, tools: Script.tools(look) })
      yield* Script.turn(connection, " \n")
      yield* Script.turn(connection, "a \uD83D")
      expect(asked[2]).toEqual([
        "user: (an empty message)",
        "assistant: look({})",
        "tool: \uFFFD seen \u{1F600}",
        "assistant: half \uFFFD",
        "user: a \uFFFD"
      ])
    }))

  it.scoped("breaks off in a thought takes back nothing of what was said before", () =>
    Effect.gen(function*() {
      const thought = Script.parts({ type: "reasoning-delta", id: "1", delta: "hm" })
      const { asked, model } = yield* Script.make([Script.ends("pause", "one"), thought, Script.says("two")])
      yield* turn(model)
      expect(asked[2]).toEqual(["user: go", "assistant: one"])
    }))

  it.scoped("is cancelled while it is left alone is not asked again", () =>
    Effect.gen(function*() {
      const { asked, model } = yield* Script.make([Script.fails(Script.status(500)), ok])
      const connection = yield* Script.connect({ name: "clerk", model })
      yield* Script.prompt(connection, "go")
      const fiber = yield* Effect.fork(Script.untilEnd(connection))
      while (asked.length === 0) yield* Effect.yieldNow()
      yield* connection.cancel
      yield* TestClock.adjust("1 hour")
      expect(Script.endOf(yield* Fiber.join(fiber))).toBe("cancelled")
      expect(asked.length).toBe(1)
    }))

  it.scoped("counts no tokens is guessed at", () =>
    Effect.gen(function*() {
      const { model } = yield* Script.make([
        Script.parts(
          { type: "text-delta", id: "1", delta: "x".repeat(4000) },
          {
            type: "finish",
            reason: "stop",
            usage: { inputTokens: undefined, outputTokens: undefined, totalTokens: undefined }
          }
        )
      ], { contextSize: 1000 })
      const connection = yield* Script.connect({ name: "clerk", model })
      expect(Script.ofType(yield* Script.turn(connection, "go"), "UsageUpdated")).toEqual([])
      expect(Script.ofType(yield* Script.turn(connection, "again"), "ContextCompacted").length).toBe(1)
    }))

  it.scoped("answers nothing ends the turn, and a warning says so", () =>
    Effect.gen(function*() {
      const { model } = yield* Script.make([Script.says()])
      const signals = yield* turn(model)
      expect(Script.warnings(signals)).toEqual(["the model answered nothing"])
      expect(Script.endOf(signals)).toBe("end_turn")
    }))

  it.scoped("runs out of tokens, or refuses, ends the turn as such", () =>
    Effect.gen(function*() {
      for (const [reason, end] of [["length", "max_tokens"], ["content-filter", "refusal"]] as const) {
        const { model } = yield* Script.make([Script.ends(reason, "well")])
        expect(Script.endOf(yield* turn(model))).toBe(end)
      }
    }))

  it.scoped("pauses is asked to go on", () =>
    Effect.gen(function*() {
      const { model } = yield* Script.make([Script.ends("pause", "one"), Script.says("two")])
      expect(Script.said(yield* turn(model))).toBe("onetwo")
    }))

  it.scoped("has a provider that dies fails the run, whose error tells nothing of it", () =>
    Effect.gen(function*() {
      const { model } = yield* Script.make([Stream.dieMessage("secret")])
      const end = Script.endOf(yield* turn(model))
      expect(end).toMatch(/^AgentRequestFailed: the provider of the model "script" failed with an internal error/)
      expect(end).not.toContain("secret")
    }))

  it.scoped("cannot summarise leaves the conversation as it is", () =>
    Effect.gen(function*() {
      const { asked, model } = yield* Script.make(
        [Script.saysUsing(950, "long"), Script.fails(Script.status(400)), ok],
        { contextSize: 1000 }
      )
      const connection = yield* Script.connect({ name: "clerk", model })
      yield* Script.turn(connection, "first")
      const signals = yield* Script.turn(connection, "second")
      expect(Script.warnings(signals)).toEqual([expect.stringContaining("could not be summarised")])
      expect(asked[2]).toEqual(["user: first", "assistant: long", "user: second"])
    }))
})

/** As OpenAI and most others say it. */
const tooLong = Script.fails(Script.status(
  400,
  {},
  JSON.stringify({
    error: {
      message: "This model's maximum context length is 1000 tokens. However, your messages resulted in 1200 tokens.",
      code: "context_length_exceeded"
    }
  })
))

describe("a conversation that is too long for its model", () => {
  /** Two turns, of which the second is refused. */
  const talk = (turns: ReadonlyArray<Script.Turn>, more: Partial<Definition> = {}) =>
    Effect.gen(function*() {
      const script = yield* Script.make([Script.says("a".repeat(4000)), ...turns])
      const connection = yield* Script.connect({ name: "clerk", model: script.model, ...more })
      yield* Script.turn(connection, "first")
      return { ...script, connection, signals: yield* Script.turn(connection, "second") }
    })

  it.scoped("is summarised, which is told, and the model is asked once more", () =>
    Effect.gen(function*() {
      const { asked, signals } = yield* talk([tooLong, Script.says("it was long"), ok])
      expect(Script.said(signals)).toBe("ok")
      expect(Script.warnings(signals)).toEqual([expect.stringMatching(/refuses the conversation as too long/)])
      expect(Script.ofType(signals, "ContextCompacted")).toEqual([
        { type: "ContextCompacted", summary: "it was long", used: 1200, size: 1000 }
      ])
      // what was too long to be answered is too long to be summarised
      expect(asked[2]?.length).toBe(1)
      expect(asked[2]?.[0]).toMatch(/only.\n\nUser: first\n\nAssistant: a{300,420}\[…\]\n\nUser: second$/)
      expect(asked[3]).toEqual(["user: What happened so far:\n\nit was long", "user: second"])
      expect(asked.length).toBe(4)
    }))

  it.scoped("for its pictures loses none of its words", () =>
    Effect.gen(function*() {
      const { asked, model } = yield* Script.make([Script.fails(Script.status(413)), Script.says("a picture"), ok])
      const connection = yield* Script.connect({ name: "clerk", model })
      const picture = { type: "image", mimeType: "image/png", data: "AAAA" } as const
      yield* connection.prompt(Script.runId, [Content.text("what is to be seen here?"), picture])
      yield* Script.untilEnd(connection)
      expect(asked[1]?.[0]).toMatch(/only.\n\nUser: what is to be seen here\?\n\[image\/png, 3 bytes\]$/)
    }))

  it.scoped("and is refused again fails the run, with what can be done, and without a third time", () =>
    Effect.gen(function*() {
      const { asked, signals } = yield* talk([tooLong, Script.says("it was long"), tooLong])
      expect(asked.length).toBe(4)
      expect(Script.endOf(signals)).toMatch(
        /^AgentContextExceeded: the model "script" refuses .*\(1200 tokens, and it takes 1000\).* begin a new session/
      )
    }))

  it.scoped("and cannot be summarised, or is not to be, fails the run with the refusal", () =>
    Effect.gen(function*() {
      const broken = yield* talk([tooLong, Script.says("")])
      expect(Script.endOf(broken.signals)).toMatch(/^AgentContextExceeded/)
      expect(Script.warnings(broken.signals).at(-1)).toMatch(/could not be summarised: the model answered nothing/)
      const never = yield* talk([tooLong], { limits: { compactAt: 2 } })
      expect(Script.endOf(never.signals)).toMatch(/^AgentContextExceeded/)
      expect(never.asked.length).toBe(2)
      const kept = yield* talk([tooLong], {
        hooks: [Hooks.on("PreCompact", () => Effect.succeed({ decision: "deny" }))]
      })
      expect(Script.endOf(kept.signals)).toMatch(/^AgentContextExceeded/)
      expect(kept.asked.length).toBe(2)
    }))

  it.scoped("teaches how long it may be: the next one is summarised before it is refused", () =>
    Effect.gen(function*() {
      const { asked, connection } = yield* talk([
        tooLong,
        Script.says("it was long"),
        Script.saysUsing(950, "ok"),
        Script.says("long again"),
        ok
      ])
      const signals = yield* Script.turn(connection, "third")
      expect(Script.ofType(signals, "ContextCompacted")).toMatchObject([{ size: 1000 }])
      expect(Script.ofType(signals, "UsageUpdated")).toMatchObject([{ size: 1000 }])
      expect(asked.at(-1)).toEqual(["user: What happened so far:\n\nlong again", "user: third"])
    }))

  it.scoped("teaches nothing where it was not told: what was refused may have been too large for a proxy", () =>
    Effect.gen(function*() {
      const { asked, connection } = yield* talk([
        Script.fails(Script.status(413)),
        Script.says("it was long"),
        Script.saysUsing(1000, "ok"),
        ok
      ])
      // of what is known of the refused one, 1000 tokens would be full
      const signals = yield* Script.turn(connection, "third")
      expect(Script.ofType(signals, "ContextCompacted")).toEqual([])
      expect(Script.endOf(signals)).toBe("end_turn")
      expect(asked.length).toBe(5)
    }))

  it.scoped("goes to the next model when also its summary is refused", () =>
    Effect.gen(function*() {
      const small = yield* Script.make([tooLong, Script.says("it was long"), tooLong], { name: "small" })
      const large = yield* Script.make([ok], { name: "large" })
      const connection = yield* Script.connect({ name: "clerk", model: [small.model, large.model] })
      const signals = yield* Script.turn(connection, "go")
      expect(Script.endOf(signals)).toBe("end_turn")
      expect([small.asked.length, large.asked.length]).toEqual([3, 1])
    }))

  it.scoped("because of what tools have answered is summarised before the model is asked, as their answers count", () =>
    Effect.gen(function*() {
      const { asked, model } = yield* Script.make(
        [Script.calls(["look"]), Script.says("much was seen"), ok],
        { contextSize: 1000 }
      )
      const look = Script.tool("look", () => Effect.succeed(Toolset.text("x".repeat(8000))))
      const connection = yield* Script.connect({ name: "clerk", model, tools: Script.tools(look) })
      const signals = yield* Script.turn(connection, "go")
      expect(Script.ofType(signals, "ContextCompacted").length).toBe(1)
      expect(asked.at(-1)).toEqual(["user: What happened so far:\n\nmuch was seen", "user: go"])
    }))
})

describe("Retry-After", () => {
  it("is a number of seconds, or a date, or nothing that counts", () => {
    const now = Date.parse("2026-01-01T00:00:00Z")
    expect(ModelError.retryAfter("1.5", now)).toBe(1500)
    expect(ModelError.retryAfter("Thu, 01 Jan 2026 00:00:07 GMT", now)).toBe(7000)
    expect(ModelError.retryAfter("Thu, 01 Jan 2015 00:00:07 GMT", now)).toBe(0)
    expect(ModelError.retryAfter("soon", now)).toBe(undefined)
    expect(ModelError.retryAfter(undefined, now)).toBe(undefined)
  })
})
