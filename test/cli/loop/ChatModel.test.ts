/** Both forms of OpenAI's API, over real HTTP: what a model says reaches the run, and what it does wrong ends the run as documented. */
import { describe, expect } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import * as DemoModel from "../../../src/cli/demo/model/DemoModel.js"
import * as ChatWire from "../../../src/cli/loop/ChatWire.js"
import type { PreparedModel } from "../../../src/cli/loop/LoopConfig.js"
import * as Models from "../../../src/cli/loop/Models.js"
import * as Content from "../../../src/domain/Content.js"
import * as Script from "../../agent/loop/Script.js"
import * as Provider from "./Provider.js"

leakFreeFile()

const model = (baseUrl: string, more: Partial<PreparedModel> = {}): PreparedModel => ({
  provider: "openai",
  model: "demo",
  baseUrl,
  apiKey: undefined,
  ...more
})

/** What is silent for this long on a busy machine is silent. */
const long = Duration.seconds(20)

const connect = (options: PreparedModel, { idle = long, name = "look" } = {}) =>
  Effect.gen(function*() {
    return yield* Script.connect({
      name: "clerk",
      model: yield* Models.make(options),
      tools: Script.tools(Script.tool(name), Script.tool("other")),
      limits: { idle, attempts: 2, repeats: 3 },
      titles: "off"
    })
  })

for (const api of ["chat", "responses"] as const) {
  describe(`a model behind the API "${api}"`, () => {
    const ask = (prompt: string, idle = long) =>
      Effect.gen(function*() {
        const { url } = yield* DemoModel.make({ port: 0, pace: 0 })
        return yield* Script.turn(yield* connect(model(url, { api }), { idle }), prompt)
      })

    it.scopedLive("streams its text word by word, and tells what it used", () =>
      Effect.gen(function*() {
        const signals = yield* ask("/stream 5")
        expect(Script.said(signals)).toBe("1 2 3 4 5 ")
        expect(Script.ofType(signals, "UsageUpdated")).toMatchObject([{ used: 15 }])
        expect(Script.endOf(signals)).toBe("end_turn")
      }))

    it.scopedLive("thinks, and then speaks", () =>
      Effect.gen(function*() {
        const signals = yield* ask("/think")
        expect(Script.ofType(signals, "ThoughtChunk").map(({ text }) => text).join("")).toMatch(/^This needs/)
        expect(Script.said(signals)).toBe("I have thought about it.")
      }))

    it.scopedLive("calls a tool with its arguments, and is told what it answered", () =>
      Effect.gen(function*() {
        const signals = yield* ask("/tool look {\"at\": \"the moon\", \"for\": [1, 2]}")
        expect(Script.ofType(signals, "ToolCallStarted")).toMatchObject([
          { name: "look", rawInput: { at: "the moon", for: [1, 2] } }
        ])
        expect(Script.said(signals)).toMatch(/^I will use a tool. The tool answered: "?look done"?$/)
      }))

    it.scopedLive("refuses the key: the run fails at once, as one that needs a login", () =>
      Effect.gen(function*() {
        expect(Script.endOf(yield* ask("/401"))).toMatch(
          /^AgentAuthRequired: .*status 401[^]*Incorrect API key provided/
        )
      }))

    it.scopedLive("is asked too often: it is left alone for as long as it wants, and asked again", () =>
      Effect.gen(function*() {
        const before = Date.now()
        expect(Script.said(yield* ask("/429"))).toBe("Now it works.")
        expect(Date.now() - before).toBeGreaterThan(900)
      }))

    it.scopedLive("breaks off in the middle of an event, each time: the run fails, and what it said does not count", () =>
      Effect.gen(function*() {
        const signals = yield* ask("/half")
        expect(Script.endOf(signals)).toMatch(/^AgentRequestFailed: .*broke off/)
        expect(Script.warnings(signals)).toContain("the answer broke off and does not count")
      }))

    it.scopedLive("falls silent: the run fails", () =>
      Effect.gen(function*() {
        expect(Script.endOf(yield* ask("/stall", Duration.millis(300)))).toMatch(
          /^AgentRequestFailed: .*said nothing for 300ms/
        )
      }))

    it.scopedLive("calls a tool that is not there, or with what is no JSON: it is told so, and goes on", () =>
      Effect.gen(function*() {
        for (const [prompt, told] of [["/unknown", "there is no tool"], ["/garbage", "not a JSON object"]] as const) {
          const signals = yield* ask(prompt)
          expect(Script.ofType(signals, "ToolCallEnded").map(({ status }) => status)).toEqual(["failed"])
          expect(Script.said(signals)).toContain(told)
          expect(Script.endOf(signals)).toBe("end_turn")
        }
      }))

    it.scopedLive("answers nothing: the turn is over, and a warning says so", () =>
      Effect.gen(function*() {
        const signals = yield* ask("/empty")
        expect(Script.warnings(signals)).toEqual(["the model answered nothing"])
        expect(Script.endOf(signals)).toBe("end_turn")
      }))
  })
}

/** A server that answers each request with the next of these. */
const server = (...answers: ReadonlyArray<ReadonlyArray<unknown>>) => Provider.serve(...answers.map(Provider.events))

const delta = (delta: unknown, finish_reason?: string) => ({ choices: [{ delta, finish_reason }] })
const text = (content: string) => delta({ content }, "stop")

describe("a server that has only chat completions", () => {
  it.scopedLive("is asked for them without further words, with the whole conversation and the tools", () =>
    Effect.gen(function*() {
      const call = { index: 0, id: "abc", function: { name: "look", arguments: "{\"at\":1}" } }
      const { asked, url } = yield* server(
        [delta({ role: "assistant", content: null, tool_calls: [call] }), delta({}, "tool_calls"), "[DONE]"],
        [text("seen")]
      )
      const connection = yield* connect(
        model(`${url}/`, { apiKey: Redacted.make("hush"), maxOutputTokens: 99 })
      )
      yield* connection.prompt(Script.runId, [
        Content.text("look"),
        { type: "image", mimeType: "image/png", data: "iVBORw0KGgo=" }
      ])
      expect(Script.said(yield* Script.untilEnd(connection))).toBe("seen")
      expect(asked).toMatchObject([{ path: "/v1/chat/completions", key: "Bearer hush" }, {}])
      const image = { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } }
      const tool = { type: "function", function: { description: "look", parameters: { type: "object" } } }
      expect(asked[0]?.body).toMatchObject({
        model: "demo",
        stream: true,
        stream_options: { include_usage: true },
        max_tokens: 99,
        messages: [{ role: "user", content: [{ type: "text", text: "look" }, image] }],
        tools: expect.arrayContaining([expect.objectContaining({ type: tool.type })])
      })
      expect(asked[1]?.body).toMatchObject({
        messages: [
          { role: "user" },
          {
            role: "assistant",
            tool_calls: [{ type: "function", function: { name: "look", arguments: "{\"at\":1}" } }]
          },
          { role: "tool", content: "look done" }
        ]
      })
    }))

  it.scopedLive("calls several tools at once whichever way it counts them", () =>
    Effect.gen(function*() {
      const whole = (name: string, id: string, index?: number) => ({ id, index, function: { name, arguments: "{}" } })
      for (
        const answer of [
          // by index, in pieces that take turns
          [
            delta({ tool_calls: [{ index: 0, id: "a", function: { name: "look", arguments: "" } }] }),
            delta({ tool_calls: [{ index: 1, id: "b", function: { name: "other", arguments: "{" } }] }),
            delta({
              tool_calls: [{ index: 0, id: "a", function: { arguments: "{}" } }, {
                index: 1,
                function: { arguments: "}" }
              }]
            }),
            delta({}, "tool_calls")
          ],
          // the name after the id
          [
            delta({ tool_calls: [{ index: 0, id: "a", function: { arguments: "" } }] }),
            delta({ tool_calls: [{ index: 0, function: { name: "look", arguments: "{}" } }] }),
            delta({ tool_calls: [{ index: 1, id: "b", function: { name: "other" } }] }, "tool_calls")
          ],
          // all with the index 0, each whole
          [delta({ tool_calls: [whole("look", "a", 0)] }), delta({ tool_calls: [whole("other", "b", 0)] }, "stop")],
          // without one
          [delta({ tool_calls: [whole("look", "a"), whole("other", "b")] }, "tool_calls")]
        ]
      ) {
        const { url } = yield* server(answer, [text("done")])
        const signals = yield* Script.turn(yield* connect(model(url)), "go")
        expect(Script.ofType(signals, "ToolCallStarted").map(({ name, rawInput }) => [name, rawInput])).toEqual([
          ["look", {}],
          ["other", {}]
        ])
        expect(Script.said(signals)).toBe("done")
      }
    }))

  it.scopedLive("breaks off with an error in its stream, or says what cannot be read: it is asked again", () =>
    Effect.gen(function*() {
      const broken = [delta({ content: "well" }), { error: { message: "out of memory" } }]
      const { url } = yield* server(broken, [text("ok")])
      expect(Script.endOf(yield* Script.turn(yield* connect(model(url)), "go"))).toBe("end_turn")
      const twice = yield* server(broken, broken)
      expect(Script.endOf(yield* Script.turn(yield* connect(model(twice.url)), "go"))).toMatch(/out of memory/)
      const garbage = yield* server(["<html>"], ["<html>"])
      expect(Script.endOf(yield* Script.turn(yield* connect(model(garbage.url)), "go"))).toMatch(
        /^AgentRequestFailed: the model "demo" answered what cannot be read: /
      )
    }))
})

describe("a piece of an answer", () => {
  const decode = Schema.decodeUnknownEither(ChatWire.Chunk)

  it("may lack everything that servers leave out, and bring what nobody reads", () => {
    for (
      const chunk of [{}, { choices: [] }, { choices: [{ delta: null }], usage: null }, { choices: null, more: 1 }]
    ) {
      expect(Either.map(decode(chunk), ChatWire.reader().take)).toEqual(Either.right([]))
    }
  })

  it("ends nothing: an answer without a reason and without the last event is not whole", () => {
    const reader = ChatWire.reader()
    reader.take({ choices: [{ delta: { content: "well" } }] })
    expect(reader.end(false)).toEqual([])
    expect(reader.end(true)).toMatchObject([{ type: "finish", reason: "unknown" }])
  })
})
