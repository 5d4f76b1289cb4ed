import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { leakFreeFile } from "holdfast/testing/vitest"
import { processesWith } from "../../../program.js"
import { faulty, open, runs, textOf, until } from "./support.js"

leakFreeFile({ grace: "5 seconds" })

describe("a server of 2025-11-25 with faults", () => {
  it.scopedLive("that exits when it is asked for 2026 is started again and asked for less; a greeting on stdout is passed over", () =>
    Effect.gen(function*() {
      const { call, warnings } = yield* open(faulty("strict", "chatty"))
      expect(textOf(yield* call("whoami"))).toMatch(/^\d+$/)
      expect(warnings).toEqual([])
    }))

  it.scopedLive("that never answers: no tools, and a warning that says it", () =>
    Effect.gen(function*() {
      const { tools, warnings } = yield* open({ ...faulty("mute"), startTimeout: 0.5 })
      const error = yield* Effect.flip(tools)
      expect(error._tag).toBe("ToolsetUnavailable")
      expect(error.message).toMatch(/^the MCP server faulty cannot be used: /)
      yield* until(Effect.sync(() => warnings.length > 0))
      expect(warnings[0]).toMatch(/^the MCP server faulty cannot be used and is tried again: /)
    }))

  it.scopedLive("that is not there: no tools, and what was looked for", () =>
    Effect.gen(function*() {
      const { tools } = yield* open({ name: "nowhere", command: "no-such-command" })
      expect((yield* Effect.flip(tools)).message).toContain("the command \"no-such-command\" is not there")
    }))

  it.scopedLive("that cannot be reached over HTTP: no tools, and why", () =>
    Effect.gen(function*() {
      const { tools } = yield* open({ name: "nowhere", url: "http://127.0.0.1:9/mcp" })
      expect((yield* Effect.flip(tools)).message).toMatch(/^the MCP server nowhere cannot be used: .+/)
    }))

  it.scopedLive("that dies in a call: the call fails, the server is started again, its tools are there all the while (SM5)", () =>
    Effect.gen(function*() {
      const { call, tools, warnings } = yield* open(faulty())
      const first = textOf(yield* call("whoami"))
      expect((yield* Effect.flip(call("die"))).message).toMatch(/^faulty: /)
      expect((yield* tools).length).toBeGreaterThan(5)
      expect(textOf(yield* call("whoami"))).not.toBe(first)
      expect(warnings).toEqual(["the MCP server faulty is gone and is started again: its process exited with code 3"])
    }))

  it.scopedLive("that dies while its question is open: the question is withdrawn and the call fails", () =>
    Effect.gen(function*() {
      const { asked, call } = yield* open(faulty())
      const calling = yield* Effect.fork(Effect.flip(call("askAndDie")))
      const question = yield* asked
      expect(yield* question.end).toMatch(/withdrawn/i)
      expect((yield* Fiber.join(calling)).message).toMatch(/^faulty: /)
    }))

  it.scopedLive("that takes its question back", () =>
    Effect.gen(function*() {
      const { asked, call } = yield* open(faulty())
      const calling = yield* Effect.fork(call("retract"))
      expect(yield* (yield* asked).end).toMatch(/withdrawn/i)
      expect(textOf(yield* Fiber.join(calling))).toBe("taken back")
    }))

  it.scopedLive("that says when the page of its question was visited (elicitation/complete)", () =>
    Effect.gen(function*() {
      const { asked, call } = yield* open(faulty())
      const calling = yield* Effect.fork(call("page"))
      expect(yield* (yield* asked).end).toBe("completion")
      expect(JSON.parse(textOf(yield* Fiber.join(calling)))).toEqual({ action: "accept" })
    }))

  it.scopedLive("that asks with a nested schema: nobody is asked, and it is told so (-32602)", () =>
    Effect.gen(function*() {
      const { call } = yield* open(faulty())
      expect(textOf(yield* call("nested"))).toBe("-32602")
    }))

  it.scopedLive("with two calls open: both ask in the name of the one that was open first, and each hears its own answer", () =>
    Effect.gen(function*() {
      const { asked, call } = yield* open(faulty())
      const first = yield* Effect.fork(call("ask", { message: "one" }, runs[0]))
      const one = yield* asked
      const second = yield* Effect.fork(call("ask", { message: "two" }, runs[1]))
      const two = yield* asked
      expect([one.run, two.run]).toEqual([runs[0], runs[0]])
      expect(one.request.possibleToolCallIds).toBe(undefined)
      expect(two.request).toMatchObject({ toolCallId: "call-1", possibleToolCallIds: ["call-1", "call-2"] })
      yield* two.answer({ action: "accept", content: { name: "b" } })
      yield* one.answer({ action: "decline" })
      expect(textOf(yield* Fiber.join(second))).toBe("two → {\"action\":\"accept\",\"content\":{\"name\":\"b\"}}")
      expect(textOf(yield* Fiber.join(first))).toBe("one → {\"action\":\"decline\"}")
    }))

  it.scopedLive("with two calls open of which the first ends: the question is withdrawn, and asked in the name of the other", () =>
    Effect.gen(function*() {
      const { asked, call } = yield* open(faulty())
      const first = yield* Effect.fork(call("sleep", {}, runs[0]))
      yield* call("whoami")
      const second = yield* Effect.fork(call("ask", { message: "two" }, runs[1]))
      const before = yield* asked
      expect(before.run).toBe(runs[0])
      yield* Fiber.interrupt(first)
      expect(yield* before.end).toBe("withdrawn")
      const after = yield* asked
      expect([after.run, after.request.possibleToolCallIds]).toEqual([runs[1], undefined])
      yield* after.answer({ action: "accept", content: { name: "b" } })
      expect(textOf(yield* Fiber.join(second))).toContain("accept")
      expect(JSON.parse(textOf(yield* call("replies")))).toEqual([
        ["ask-1", { action: "accept", content: { name: "b" } }]
      ])
    }))

  it.scopedLive("whose call ends while its question is open: it is withdrawn, and the server has one answer to it, a cancel", () =>
    Effect.gen(function*() {
      const { asked, call } = yield* open(faulty())
      const calling = yield* Effect.fork(call("ask", { message: "one" }))
      const question = yield* asked
      yield* Fiber.interrupt(calling)
      expect(yield* question.end).toBe("withdrawn")
      // too late: it has ended
      yield* question.answer({ action: "accept", content: { name: "late" } })
      expect(JSON.parse(textOf(yield* call("replies")))).toEqual([["ask-1", { action: "cancel" }]])
    }))

  it.scopedLive("that gives no sign of life: the call is given up; while a person is asked no time passes", () =>
    Effect.gen(function*() {
      const { asked, call } = yield* open({ ...faulty(), callTimeout: 1 })
      expect((yield* Effect.flip(call("sleep"))).message).toBe(
        "faulty: no sign of life came for 1s, so it was given up"
      )
      const calling = yield* Effect.fork(call("ask", { message: "slow" }))
      const question = yield* asked
      // nor for one that may be the one that asked
      const other = yield* Effect.fork(call("ask", { message: "slower" }))
      const second = yield* asked
      yield* Effect.sleep("1500 millis")
      yield* second.answer({ action: "decline" })
      yield* question.answer({ action: "cancel" })
      expect(textOf(yield* Fiber.join(calling))).toContain("cancel")
      expect(textOf(yield* Fiber.join(other))).toContain("decline")
    }))

  it.scopedLive("that floods a call with progress: the newest is shown, and the result comes", () =>
    Effect.gen(function*() {
      const { call, progress } = yield* open(faulty())
      expect(textOf(yield* call("flood"))).toBe("flooded")
      expect(progress.length).toBeLessThan(20_000)
      const shown = progress.map(({ content }) => {
        const [first] = content ?? []
        return first?.type === "content" && first.content.type === "text"
          ? Number.parseInt(first.content.text, 10)
          : NaN
      })
      // never again what was shown before, nor something older
      expect(shown).toEqual([...new Set(shown)].toSorted((a, b) => a - b))
    }))

  it.scopedLive("whose tools take nothing are described with properties all the same: OpenAI refuses a schema without", () =>
    Effect.gen(function*() {
      const { tools } = yield* open(faulty())
      expect((yield* tools)[0]?.parameters).toEqual({ type: "object", properties: {} })
    }))

  it.scopedLive("whose tools differ only in what a model cannot write lists both: which one is left out is told", () =>
    Effect.gen(function*() {
      const { call, tools } = yield* open(faulty())
      const twins = (yield* tools).filter(({ name }) => name === "faulty__two_names")
      // of two with one name the toolbox leaves the second out, with a warning
      expect(twins.map(({ title }) => title)).toEqual(["two.names", "two_names"])
      expect(textOf(yield* call("two_names"))).toBe("dot")
    }))

  it.scopedLive("that has more tools by now tells so, and they are there", () =>
    Effect.gen(function*() {
      const { call, tools } = yield* open(faulty())
      yield* call("more")
      yield* until(Effect.map(tools, (all) => all.some(({ name }) => name === "faulty__another")))
      expect(textOf(yield* call("another"))).toBe("another")
    }))

  it.live("whose child does not end with it: it is ended with the session (AG1)", () =>
    Effect.gen(function*() {
      yield* Effect.scoped(Effect.gen(function*() {
        const { call } = yield* open(faulty("grandchild"))
        yield* call("whoami")
        expect(processesWith("grandchild-of-mcp").length).toBeGreaterThan(0)
      }))
      expect(processesWith("grandchild-of-mcp")).toEqual([])
    }))

  it.live("that is still being dialed when the session closes is gone with it (SM1)", () =>
    Effect.gen(function*() {
      yield* Effect.scoped(open(faulty("mute", "grandchild")))
      expect(processesWith("grandchild-of-mcp")).toEqual([])
    }))
})
