import { describe, expect } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as HookRunner from "../../../src/agent/loop/HookRunner.js"
import * as Hooks from "../../../src/agent/loop/Hooks.js"
import * as Toolset from "../../../src/agent/loop/Toolset.js"
import * as Content from "../../../src/domain/Content.js"
import { it, leakFreeFile } from "../../../src/testing/vitest.js"
import * as Script from "./Script.js"

leakFreeFile()

const ok = Script.says("ok")
const deny = (reason: string) => () => Effect.succeed({ decision: "deny" as const, reason })

/** One turn in which the model calls `write`, with these hooks. */
const turn = (hooks: ReadonlyArray<Hooks.Hook>, made: Array<unknown> = []) =>
  Effect.gen(function*() {
    const { asked, model } = yield* Script.make([Script.calls(["write", { path: "a" }]), ok])
    const write = Script.tool("write", (args) =>
      Effect.sync(() => {
        made.push(args)
        return Toolset.text("written")
      }))
    const connection = yield* Script.connect({ name: "clerk", model, hooks, tools: Script.tools(write) })
    const fiber = yield* Effect.fork(Script.turn(connection, "go", () => ({ action: "decline" })))
    yield* TestClock.adjust("2 minutes")
    return { signals: yield* Fiber.join(fiber), asked, made }
  })

describe("hooks", () => {
  it.scoped("are told of every point of a turn, in order, as JSON", () =>
    Effect.gen(function*() {
      const told: Array<string> = []
      const hooks = Hooks.points.map((point) =>
        Hooks.on(point, (input) => {
          const { point, runId, sessionId } = JSON.parse(JSON.stringify(input)) as Hooks.HookInput
          told.push(runId === undefined ? point : `${point}!`)
          expect(sessionId).toBe(Script.sessionId)
          return Effect.succeed({})
        })
      )
      const scope = yield* Scope.make()
      const { model } = yield* Script.make([Script.calls(["write"]), ok])
      const write = Script.tool("write", () => Effect.fail(new Toolset.ToolFailure({ message: "full" })), {
        readOnly: false
      })
      const connection = yield* Scope.extend(
        Script.connect({ name: "clerk", model, hooks, tools: Script.tools(write) }),
        scope
      )
      yield* Script.turn(connection, "go", () => ({ action: "accept", content: { optionId: "allow" } }))
      yield* Scope.close(scope, Exit.void)
      expect(told).toEqual([
        "SessionStart",
        "UserPromptSubmit!",
        "TurnStart!",
        "BeforeModel!",
        "AfterModel!",
        "PreToolUse!",
        "OnQuestion!",
        "OnError!",
        "PostToolUse!",
        "BeforeModel!",
        "AfterModel!",
        "Stop!",
        "TurnEnd!",
        "SessionEnd"
      ])
    }))

  it.scoped("refuse a prompt, which the model is not shown then, nor later", () =>
    Effect.gen(function*() {
      const { asked, model } = yield* Script.make([ok])
      const guard = Hooks.on("UserPromptSubmit", ({ prompt }) =>
        Effect.succeed(Content.toText(prompt).includes("secret") ? { decision: "deny", reason: "no secrets" } : {}))
      const connection = yield* Script.connect({ name: "clerk", model, hooks: [guard] })
      const signals = yield* Script.turn(connection, "a secret")
      expect(Script.endOf(signals)).toBe("refusal")
      expect(Script.warnings(signals)).toEqual(["a hook refused the message: no secrets"])
      yield* Script.turn(connection, "hello")
      expect(asked).toEqual([["user: hello"]])
    }))

  it.scoped("add to what the model knows, and the log knows it, too", () =>
    Effect.gen(function*() {
      const { asked, model } = yield* Script.make([ok])
      const hooks = [
        Hooks.on("SessionStart", () => Effect.succeed({ context: "It is Monday." })),
        Hooks.on("UserPromptSubmit", () => Effect.succeed({ context: "The user is in Rome." }))
      ]
      const connection = yield* Script.connect({ name: "clerk", model, hooks })
      const signals = yield* Script.turn(connection, "hi")
      expect(asked[0]).toEqual(["system: It is Monday.", "user: hi", "user: The user is in Rome."])
      expect(Script.ofType(signals, "UserChunk").length).toBe(1)
    }))

  it.scoped("end a turn before or after the model, and the calls that it wanted are not made", () =>
    Effect.gen(function*() {
      for (const point of ["TurnStart", "BeforeModel", "AfterModel"] as const) {
        const { made, signals } = yield* turn([Hooks.on(point, deny("enough"))])
        expect(Script.endOf(signals)).toBe("refusal")
        expect(Script.warnings(signals)).toEqual(["a hook ended the turn: enough"])
        expect(made).toEqual([])
      }
    }))

  it.scoped("refuse a call, replace its arguments, add to its result, and end the turn after it", () =>
    Effect.gen(function*() {
      const refused = yield* turn([Hooks.on("PreToolUse", deny("not here"), { tools: "wr*" })])
      expect(refused.made).toEqual([])
      expect(refused.asked[1]?.at(-1)).toBe("tool: failed a hook refused the call: not here")

      const others = yield* turn([Hooks.on("PreToolUse", deny("not here"), { tools: "read*" })])
      expect(others.made).toEqual([{ path: "a" }])

      const replaced = yield* turn([
        Hooks.on("PreToolUse", () => Effect.succeed({ args: { path: "b" } })),
        Hooks.on("PostToolUse", () => Effect.succeed({ context: "and checked" }))
      ])
      expect(replaced.made).toEqual([{ path: "b" }])
      expect(replaced.asked[1]?.at(-1)).toBe("tool: written\nand checked")

      const ended = yield* turn([Hooks.on("PostToolUse", deny("enough"))])
      expect(Script.endOf(ended.signals)).toBe("refusal")
      expect(ended.made.length).toBe(1)
    }))

  it.scoped("that replace arguments by something invalid fail the call, and the run goes on", () =>
    Effect.gen(function*() {
      const { asked, made, signals } = yield* turn([Hooks.on("PreToolUse", () => Effect.succeed({ args: "b" }))])
      expect(made).toEqual([])
      expect(asked[1]?.at(-1)).toBe("tool: failed a hook replaced the arguments by what is no JSON object: b")
      expect(Script.endOf(signals)).toBe("end_turn")
    }))

  it.scoped("have a person asked about a call that would have been made", () =>
    Effect.gen(function*() {
      const { made, signals } = yield* turn([Hooks.on("PreToolUse", () => Effect.succeed({ decision: "ask" }))])
      expect(signals.filter(({ _tag }) => _tag === "Asked").length).toBe(1)
      expect(made).toEqual([])
    }))

  it.scoped("send a model on that thinks it is done", () =>
    Effect.gen(function*() {
      let first = true
      const { asked, model } = yield* Script.make([Script.says("done"), ok])
      const stop = Hooks.on("Stop", () => {
        const decision = first ? { decision: "deny" as const, reason: "the tests fail" } : {}
        first = false
        return Effect.succeed(decision)
      })
      const connection = yield* Script.connect({ name: "clerk", model, hooks: [stop] })
      yield* Script.turn(connection, "go")
      expect(asked[1]).toEqual(["user: go", "assistant: done", "user: the tests fail"])
    }))

  it.scoped("that hang, die, fail, interrupt themselves or say garbage are a warning", () =>
    Effect.gen(function*() {
      const bad: ReadonlyArray<readonly [Effect.Effect<Hooks.HookOutput, Hooks.HookFailed>, string]> = [
        [Effect.never, "took longer than 1m"],
        [Effect.uninterruptible(Effect.sleep("90 seconds")).pipe(Effect.as({})), "took longer than 1m"],
        [Effect.dieMessage("secret"), "internal error"],
        [Effect.fail(new Hooks.HookFailed({ hook: "bad", message: "exit code 1" })), "exit code 1"],
        [Effect.interrupt, "interrupted"],
        [Effect.sync(() => JSON.parse(`{ "decision": "maybe" }`)), "no output of a hook"],
        [
          Effect.sync(() => {
            throw new Error("secret")
          }),
          "internal error"
        ]
      ]
      for (const [effect, words] of bad) {
        const { made, signals } = yield* turn([Hooks.on("TurnStart", () => effect, { name: "bad" })])
        expect(Script.warnings(signals)).toEqual([expect.stringContaining(words)])
        expect(Script.endOf(signals)).toBe("end_turn")
        expect(made.length).toBe(1)
      }
    }))

  it.scoped("that cannot be interrupted end the turn's patience and not its connection, which waits for them (RS1)", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      let over = 0
      const stubborn = Effect.uninterruptible(Effect.as(Deferred.await(gate), {})).pipe(
        Effect.ensuring(Effect.sync(() => over++))
      )
      const points = ["TurnStart", "TurnEnd", "SessionEnd"] as const
      const { model } = yield* Script.make([ok])
      const scope = yield* Scope.make()
      const hooks = points.map((point) => Hooks.on(point, () => stubborn))
      const connection = yield* Scope.extend(Script.connect({ name: "clerk", model, hooks }), scope)
      const turn = yield* Effect.fork(Script.turn(connection, "go"))
      yield* TestClock.adjust("2 minutes")
      const signals = yield* Fiber.join(turn)
      expect(Script.endOf(signals)).toBe("end_turn")
      expect(Script.warnings(signals)).toEqual([
        expect.stringContaining("at TurnStart failed: it took longer"),
        expect.stringContaining("at TurnEnd failed: it took longer")
      ])
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("2 minutes")
      expect([over, (yield* Fiber.poll(closing))._tag]).toEqual([0, "None"])
      yield* Deferred.succeed(gate, void 0)
      yield* Fiber.join(closing)
      expect(over).toBe(points.length)
    }))

  it.scoped("that are broken where they guard a call let nothing through", () =>
    Effect.gen(function*() {
      for (const effect of [Effect.never, Effect.dieMessage("secret"), Effect.interrupt]) {
        const { asked, made, signals } = yield* turn([Hooks.on("PreToolUse", () => effect, { name: "guard" })])
        expect(made).toEqual([])
        expect(asked[1]?.at(-1)).toMatch(/^tool: failed a hook refused the call: the hook "guard" at PreToolUse failed/)
        expect(Script.endOf(signals)).toBe("end_turn")
      }
    }))

  it.scoped("of the end run when the turn was cancelled, and not for long", () =>
    Effect.gen(function*() {
      const began = yield* Deferred.make<void>()
      const ending = yield* Deferred.make<string>()
      const { model } = yield* Script.make([Script.stalls("hm")])
      const end = Hooks.on("TurnEnd", ({ outcome }) => Effect.zipRight(Deferred.succeed(ending, outcome), Effect.never))
      const before = Hooks.on("BeforeModel", () => Effect.as(Deferred.succeed(began, void 0), {}))
      const connection = yield* Script.connect({ name: "clerk", model, hooks: [before, end] })
      yield* Effect.zipRight(Script.prompt(connection, "go"), Deferred.await(began))
      yield* connection.cancel
      expect(yield* Deferred.await(ending)).toBe("cancelled")
      const fiber = yield* Effect.fork(Script.untilEnd(connection))
      yield* TestClock.adjust("4 seconds")
      expect(yield* Fiber.poll(fiber)).toMatchObject({ _tag: "None" })
      yield* TestClock.adjust("1 second")
      expect(Script.endOf(yield* Fiber.join(fiber))).toBe("cancelled")
    }))
})

describe("what hooks say together", () => {
  it("is the strictest decision with its reasons, and all contexts in order", () => {
    expect(HookRunner.combine([
      { decision: "allow", reason: "fine", context: "a" },
      { decision: "deny", reason: "no" },
      { decision: "ask", reason: "hm", context: "b" },
      { decision: "deny", reason: "never" }
    ])).toEqual({ decision: "deny", reason: "no\nnever", context: "a\nb" })
  })

  it("is the last one's arguments, and a warning that there were others", () => {
    const said = HookRunner.combine([{ args: { a: 1 } }, {}, { args: { a: 2 }, warning: "careful" }])
    expect(said).toEqual({ args: { a: 2 }, warning: expect.stringMatching(/^careful\n2 hooks replaced/) })
  })
})
