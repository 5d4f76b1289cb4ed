import * as AiTool from "@effect/ai/Tool"
import * as Toolkit from "@effect/ai/Toolkit"
import { describe, expect } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import type { AgentSignal } from "../../../src/agent/Agent.js"
import type { Definition } from "../../../src/agent/loop/Definition.js"
import * as ToolkitTools from "../../../src/agent/loop/ToolkitTools.js"
import * as Toolset from "../../../src/agent/loop/Toolset.js"
import * as Content from "../../../src/domain/Content.js"
import type { ElicitationAnswer, ElicitationOutcome } from "../../../src/domain/Elicitation.js"
import { it, leakFreeFile } from "../../../src/testing/vitest.js"
import * as Script from "./Script.js"

leakFreeFile()

/** One turn in which the model makes these calls. */
const turn = (
  wanted: ReadonlyArray<readonly [name: string, args?: unknown]>,
  more: Partial<Definition>,
  reply?: Parameters<typeof Script.turn>[2]
) =>
  Effect.gen(function*() {
    const { asked, model } = yield* Script.make([Script.calls(...wanted), Script.says("ok")])
    const connection = yield* Script.connect({ name: "clerk", model, ...more })
    const fiber = yield* Effect.fork(Script.turn(connection, "go", reply))
    yield* TestClock.adjust("1 minute")
    const signals = yield* Fiber.join(fiber)
    expect(Script.endOf(signals)).toBe("end_turn")
    return { signals, result: asked.at(-1)?.at(-1) }
  })

const write = Script.tool("write", () => Effect.succeed(Toolset.text("written")), { readOnly: false })
const choose = (optionId: string): ElicitationAnswer => ({ action: "accept", content: { optionId } })
const questions = (signals: ReadonlyArray<AgentSignal>) =>
  signals.flatMap((signal) => signal._tag === "Asked" ? [signal.request] : [])

describe("a tool call", () => {
  it.scoped("that changes something is made when a person allows it, and not otherwise", () =>
    Effect.gen(function*() {
      const results: Record<string, string | undefined> = {}
      for (const option of ["allow", "always", "reject", "never"]) {
        results[option] = (yield* turn([["write"]], { tools: Script.tools(write) }, () => choose(option))).result
      }
      const rejected = "tool: failed the user rejected the call"
      expect(results).toEqual({ allow: "tool: written", always: "tool: written", reject: rejected, never: rejected })
      const { result } = yield* turn([["write"]], { tools: Script.tools(write) }, () => "nobody")
      expect(result).toMatch(/^tool: failed nobody answered/)
    }))

  it.scoped("is asked for with an always about the agent's tool, unless a rule wants to be asked each time", () =>
    Effect.gen(function*() {
      const [plain] = questions((yield* turn([["write"]], { tools: Script.tools(write) })).signals)
      expect(plain).toMatchObject({ kind: "permission", message: "write", subject: "clerk: write" })
      expect(plain?.kind === "permission" && plain.options.map(({ kind }) => kind)).toEqual(
        ["allow_once", "allow_always", "reject_once", "reject_always"]
      )
      const [ruled] = questions(
        (yield* turn([["write"]], { tools: Script.tools(write), permissions: { ask: ["write"] } })).signals
      )
      expect(ruled).not.toHaveProperty("subject")
      expect(ruled?.kind === "permission" && ruled.options.map(({ kind }) => kind)).toEqual([
        "allow_once",
        "reject_once"
      ])
    }))

  it.scoped("that a rule denies is not made, and nobody is asked", () =>
    Effect.gen(function*() {
      const { result, signals } = yield* turn([["write"]], {
        tools: Script.tools(write),
        permissions: { allow: ["*"], deny: ["write"] }
      })
      expect(result).toBe("tool: failed the permissions deny write with these arguments")
      expect(questions(signals)).toEqual([])
    }))

  it.scoped("that fails, dies or interrupts itself fails alone: the others have their results, and the run goes on", () =>
    Effect.gen(function*() {
      const { result, signals } = yield* turn([["fails"], ["dies"], ["stops"], ["works"]], {
        tools: Script.tools(
          Script.tool("fails", () => Effect.fail(new Toolset.ToolFailure({ message: "disk full" }))),
          Script.tool("dies", () => Effect.dieMessage("secret")),
          Script.tool("stops", () => Effect.interrupt),
          Script.tool("works")
        )
      })
      expect(result).toBe(
        "tool: failed disk full | failed it failed with an internal error | failed it was interrupted | works done"
      )
      expect(Script.warnings(signals).length).toBe(2)
    }))

  it.scoped("with a result that is too long has it cut", () =>
    Effect.gen(function*() {
      const { result } = yield* turn([["long"]], {
        limits: { resultSize: 10 },
        tools: Script.tools(Script.tool("long", () => Effect.succeed(Toolset.text("0123456789abc"))))
      })
      expect(result).toBe("tool: 0123456789\n[3 more characters were cut off]")
    }))

  it.scoped("whose check dies is refused, with a warning, and the run goes on", () =>
    Effect.gen(function*() {
      const look = Script.tool("look", undefined, { check: () => Effect.dieMessage("a bug") })
      const { result, signals } = yield* turn([["look"]], { tools: Script.tools(look) })
      expect(result).toMatch(/^tool: failed the tool "look" could not check the arguments/)
      expect(Script.warnings(signals)).toEqual([expect.stringContaining("could not check the arguments")])
    }))

  it.scoped("that answers in many parts is cut as a whole, and between two characters", () =>
    Effect.gen(function*() {
      const parts: Toolset.ToolResult = {
        content: [
          Content.text("01234567"),
          Content.text("8\u{1F600}!"),
          { type: "resource", resource: { uri: "file:///log", text: "and more" } }
        ]
      }
      const many = Script.tool("many", () => Effect.succeed(parts))
      const { result } = yield* turn([["many"]], { tools: Script.tools(many), limits: { resultSize: 10 } })
      expect(result).toBe(
        "tool: 01234567\n8\n[2 more characters were cut off]\nfile:///log\n\n\n[8 more characters were cut off]"
      )
    }))

  it.scoped("that answers with a picture shows it to people; the model is told of it, and not of its bytes", () =>
    Effect.gen(function*() {
      const picture = { type: "image", mimeType: "image/png", data: "iVBORw0KGgoAAAAN".repeat(100) } as const
      const look = Script.tool("look", () => Effect.succeed({ content: [Content.text("seen"), picture] }))
      const { result, signals } = yield* turn([["look"]], { tools: Script.tools(look) })
      expect(result).toBe("tool: seen\n[image/png, 1200 bytes]")
      expect(Script.ofType(signals, "ToolCallEnded")[0]?.content?.[1]).toEqual({ type: "content", content: picture })
    }))

  it.scoped("that answers with data alone is told as text, and cut as such", () =>
    Effect.gen(function*() {
      const count = Script.tool("count", () => Effect.succeed({ content: [], structured: { sum: 12345 } }))
      const { result } = yield* turn([["count"]], { tools: Script.tools(count), limits: { resultSize: 10 } })
      expect(result).toBe("tool: {\"sum\":123\n[3 more characters were cut off]")
    }))

  it.scoped("asks in the name of its run, and what it asked is withdrawn when it is over", () =>
    Effect.gen(function*() {
      const other = yield* Deferred.make<void>()
      let late: Toolset.ToolContext | undefined
      let withdrawn: Effect.Effect<ElicitationOutcome> | undefined
      const asks = Script.tool("asks", (_args, call) =>
        Effect.gen(function*() {
          late = call
          // as a callback of somebody else's would: not a part of the call
          yield* Effect.forkDaemon(
            Effect.timeout(call.ask({ kind: "confirmation", message: "never mind" }), "10 seconds")
          )
          yield* Deferred.await(other)
          const answer = yield* call.ask({ kind: "confirmation", message: "sure?" })
          return Toolset.text(Option.isSome(answer) ? answer.value.action : "nobody")
        }))
      const { result, signals } = yield* turn([["asks"]], { tools: Script.tools(asks) }, (asked) => {
        if (asked.request.message === "sure?") return { action: "accept" }
        withdrawn = asked.elsewhere
        Deferred.unsafeDone(other, Effect.void)
        return "waits"
      })
      expect(result).toBe("tool: accept")
      const [first] = signals.filter((signal) => signal._tag === "Asked")
      expect(first).toMatchObject({ run: Script.runId, request: { toolCallId: expect.stringMatching(/^call_/) } })
      expect(yield* withdrawn!).toMatchObject({ _tag: "Withdrawn" })
      expect(yield* late!.ask({ kind: "confirmation", message: "too late" })).toEqual(Option.none())
    }))

  it.scoped("that is cancelled while it asks takes its question back before the run ends", () =>
    Effect.gen(function*() {
      const asked = yield* Deferred.make<Effect.Effect<ElicitationOutcome>>()
      const { model } = yield* Script.make([Script.calls(["asks"])])
      const asks = Script.tool(
        "asks",
        (_args, call) => Effect.as(call.ask({ kind: "confirmation", message: "sure?" }), Toolset.text(""))
      )
      const connection = yield* Script.connect({ name: "clerk", model, tools: Script.tools(asks) })
      const fiber = yield* Effect.fork(Script.turn(connection, "go", (signal) => {
        Deferred.unsafeDone(asked, Effect.succeed(signal.elsewhere))
        return "waits"
      }))
      const elsewhere = yield* Deferred.await(asked)
      yield* connection.cancel
      expect(Script.endOf(yield* Fiber.join(fiber))).toBe("cancelled")
      expect((yield* elsewhere)._tag).toBe("Withdrawn")
    }))
})

describe("toolsets", () => {
  it.scoped("that cannot be opened, or listed, are warnings, told once, and the others are there", () =>
    Effect.gen(function*() {
      const unavailable = new Toolset.ToolsetUnavailable({ toolset: "x", message: "no such command" })
      const { asked, model, tools } = yield* Script.make([Script.calls(["look"]), Script.says("ok")])
      const connection = yield* Script.connect({
        name: "clerk",
        model,
        tools: [
          { name: "closed", open: () => Effect.fail(unavailable) },
          { name: "dies", open: () => Effect.dieMessage("secret") },
          { name: "empty", open: () => Effect.succeed(Effect.fail(unavailable)) },
          Toolset.of("good", [Script.tool("look"), Script.tool("look"), Script.tool("what a name")])
        ]
      })
      const signals = yield* Script.turn(connection, "go")
      expect(Script.endOf(signals)).toBe("end_turn")
      expect(asked.length).toBe(2)
      expect(tools).toEqual([["look"], ["look"]])
      expect([...Script.warnings(signals)].sort()).toEqual([
        `the toolset "closed" cannot be opened: no such command`,
        `the toolset "dies" cannot be opened: it failed with an internal error`,
        `the toolset "empty" has no list of tools now: no such command`,
        "tools whose name is taken, or none that a model can call, are left out: look, what a name"
      ])
    }))

  it.scoped("that hang are given up, and the run goes on", () =>
    Effect.gen(function*() {
      const { signals } = yield* turn([["look"]], {
        tools: [{ name: "hangs", open: () => Effect.never }, ...Script.tools(Script.tool("look"))]
      })
      expect(Script.warnings(signals)).toEqual([`the toolset "hangs" cannot be opened: it took longer than 30s`])
    }))
})

describe("a toolkit", () => {
  const Add = Toolkit.make(
    AiTool.make("add", {
      description: "Adds",
      parameters: { a: Schema.NumberFromString, b: Schema.NumberFromString },
      success: Schema.Struct({ sum: Schema.Number }),
      failure: Schema.String
    }).annotate(AiTool.Readonly, true),
    AiTool.make("ask", { success: Schema.String, dependencies: [ToolkitTools.CurrentCall] }).annotate(
      AiTool.Readonly,
      true
    )
  )
  const released: Array<string> = []
  const handlers = Add.toLayer(Effect.as(
    Effect.addFinalizer(() => Effect.sync(() => released.push("released"))),
    {
      add: ({ a, b }: { a: number; b: number }) => a > 9 ? Effect.fail("too much") : Effect.succeed({ sum: a + b }),
      ask: () =>
        Effect.flatMap(
          ToolkitTools.CurrentCall,
          (call) => Effect.map(call.ask({ kind: "confirmation", message: "sure?" }), ({ _tag }) => _tag)
        )
    }
  )).pipe(Layer.orDie)
  const tools = [ToolkitTools.fromToolkit(Add, handlers)]

  it.scoped("is a toolset: its arguments are checked, its results are encoded, and it can ask", () =>
    Effect.gen(function*() {
      const { result, signals } = yield* turn(
        [["add", { a: "1", b: "2" }], ["add", { a: "x", b: "2" }], ["add", { a: "10", b: "2" }], ["ask"]],
        { tools },
        () => ({ action: "accept" })
      )
      expect(result).toMatch(/^tool: \{"sum":3\} \| failed [^|]*NumberFromString[^|]*\| failed too much \| Some$/)
      expect(Script.ofType(signals, "ToolCallEnded").map(({ rawOutput }) => rawOutput)).toContainEqual({ sum: 3 })
    }))
})
