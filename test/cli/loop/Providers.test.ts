/** What providers do on the wire, byte for byte: each way to cut, leave out and refuse an answer becomes what the loop documents. */
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as AiTool from "@effect/ai/Tool"
import * as Toolkit from "@effect/ai/Toolkit"
import { describe, expect } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import type { PreparedModel } from "../../../src/cli/loop/LoopConfig.js"
import * as Models from "../../../src/cli/loop/Models.js"
import * as Script from "../../agent/loop/Script.js"
import * as Provider from "./Provider.js"

leakFreeFile()

const model = (more: Partial<PreparedModel>): PreparedModel => ({
  provider: "openai",
  model: "demo",
  apiKey: undefined,
  ...more
})

const connect = (more: Partial<PreparedModel>, idle = Duration.seconds(20)) =>
  Effect.gen(function*() {
    return yield* Script.connect({
      name: "clerk",
      model: yield* Models.make(model(more)),
      tools: Script.tools(Script.tool("look"), Script.tool("other")),
      limits: { idle, attempts: 2 },
      titles: "off"
    })
  })

const ask = (more: Partial<PreparedModel>, idle?: Duration.Duration) =>
  Effect.flatMap(connect(more, idle), (connection) => Script.turn(connection, "go"))

const delta = (delta: unknown, finish_reason?: string) => ({ choices: [{ index: 0, delta, finish_reason }] })
const event = (data: unknown) => `data: ${JSON.stringify(data)}\n\n`
const text = (content: string) => Provider.events([delta({ content }, "stop")])

describe("chat completions", () => {
  it.scopedLive("are read however their bytes are cut, and whatever else is among them", () =>
    Effect.gen(function*() {
      const call = (index: number, more: object) => delta({ tool_calls: [{ index, ...more }] })
      const { url } = yield* Provider.serve(
        Provider.bytes([
          ": a comment that keeps the connection alive\n\n",
          event(delta({ role: "assistant", content: "" })),
          event(delta({ content: "Grüße, " })),
          `data:${JSON.stringify(delta({ content: "wörld 👋🏽" }))}\r\n\r\n`,
          event(delta({ content: "" })),
          event(call(0, { id: "a", function: { name: "look", arguments: "" } })),
          event(call(1, { id: "b", function: { name: "other", arguments: "{\"to\":" } })),
          event(call(0, { function: { arguments: "{\"at\":\"" } })),
          event(call(1, { function: { arguments: "\"ö\"}" } })),
          event(call(0, { function: { arguments: "ß\"}" } })),
          event(delta({}, "tool_calls")),
          event({ choices: [], usage: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 } }),
          "data: [DONE]\n\n"
        ].join("")),
        text("done")
      )
      const signals = yield* ask({ baseUrl: url })
      expect(Script.said(signals)).toBe("Grüße, wörld 👋🏽done")
      expect(Script.ofType(signals, "ToolCallStarted").map(({ name, rawInput }) => [name, rawInput])).toEqual([
        ["look", { at: "ß" }],
        ["other", { to: "ö" }]
      ])
      expect(Script.ofType(signals, "UsageUpdated")).toMatchObject([{ used: 10 }])
      expect(Script.endOf(signals)).toBe("end_turn")
    }))

  it.scopedLive("that say no reason for their end are whole when they say that they are done, and only then", () =>
    Effect.gen(function*() {
      const unfinished = Provider.events([delta({ content: "ha" })])
      const last = Provider.bytes(`${event(delta({ content: "ok" }))}data: [DONE]\n\n`)
      const { asked, url } = yield* Provider.serve(unfinished, last)
      const signals = yield* ask({ baseUrl: url })
      expect(Script.warnings(signals)).toEqual(["the answer broke off and does not count"])
      expect(Script.endOf(signals)).toBe("end_turn")
      expect(asked.length).toBe(2)
    }))

  it.scopedLive("that end for their length before a call has its arguments, or with an error, make no call", () =>
    Effect.gen(function*() {
      const call = { index: 0, id: "a", function: { name: "look", arguments: "" } }
      const { asked, url } = yield* Provider.serve(
        Provider.events([delta({ tool_calls: [call] }, "length")]),
        Provider.events([delta({ tool_calls: [call] }, "error")]),
        text("ok")
      )
      const signals = yield* ask({ baseUrl: url })
      expect(Script.ofType(signals, "ToolCallEnded").map(({ status }) => status)).toEqual(["failed"])
      expect([Script.endOf(signals), asked.length]).toEqual(["end_turn", 3])
    }))

  it.scopedLive("of which only comments come are silence", () =>
    Effect.gen(function*() {
      const { url } = yield* Provider.serve(Provider.repeats(": keep-alive\n\n"), Provider.repeats(": keep-alive\n\n"))
      expect(Script.endOf(yield* ask({ baseUrl: url }, Duration.millis(300)))).toMatch(/said nothing for 300ms/)
    }))
})

describe("a provider that refuses the conversation as too long", () => {
  const openai = (message: string) => Provider.refuses(400, { error: { message, code: "context_length_exceeded" } })

  const claude = (text: string) =>
    Provider.events([
      {
        type: "message_start",
        message: {
          id: "msg",
          type: "message",
          role: "assistant",
          model: "claude",
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage: { input_tokens: 5, output_tokens: 1 }
        }
      },
      { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text } },
      { type: "content_block_stop", index: 0 },
      {
        type: "message_delta",
        delta: { stop_reason: "end_turn", stop_sequence: null },
        usage: { input_tokens: 5, output_tokens: 5 }
      },
      { type: "message_stop" }
    ])

  it.scopedLive("is asked again with a summary, whoever it is", () =>
    Effect.gen(function*() {
      const chat = yield* Provider.serve(
        openai("This model's maximum context length is 10 tokens. However, your messages resulted in 12 tokens."),
        text("long"),
        text("ok")
      )
      const proxied = yield* Provider.serve(
        Provider.refuses(413, "<html>Request Entity Too Large</html>", "text/html"),
        text("long"),
        text("ok")
      )
      const anthropic = yield* Provider.serve(
        Provider.refuses(400, {
          type: "error",
          error: { type: "invalid_request_error", message: "prompt is too long: 12 tokens > 10 maximum" }
        }),
        claude("long"),
        claude("ok")
      )
      for (
        const [options, { asked }] of [
          [{ baseUrl: chat.url }, chat],
          [{ baseUrl: proxied.url }, proxied],
          [{ provider: "anthropic", baseUrl: anthropic.root }, anthropic]
        ] as const
      ) {
        const signals = yield* ask(options)
        expect(Script.endOf(signals)).toBe("end_turn")
        expect(Script.said(signals)).toBe("ok")
        expect(Script.ofType(signals, "ContextCompacted")).toMatchObject([{ summary: "long" }])
        expect(asked.length).toBe(3)
      }
    }))

  it.scopedLive("twice fails the run", () =>
    Effect.gen(function*() {
      const { url } = yield* Provider.serve(openai("too long"), text("long"), openai("too long"))
      expect(Script.endOf(yield* ask({ baseUrl: url }))).toMatch(/^AgentContextExceeded: the model "demo" refuses/)
    }))
})

describe("the key of a provider", () => {
  it.scopedLive("is told to nobody, also when what refuses it is not what it says to be", () =>
    Effect.gen(function*() {
      for (
        const more of [{ api: "chat" }, { api: "responses" }, { provider: "anthropic" }] as const
      ) {
        const proxy = Provider.refuses(404, "<html>no such page</html>")
        const { root, url } = yield* Provider.serve(proxy)
        const baseUrl = "provider" in more ? root : url
        const signals = yield* ask({ ...more, baseUrl, apiKey: Redacted.make("sk-secret") })
        expect(Script.endOf(signals)).toBe("AgentRequestFailed: the model \"demo\" answered with status 404")
        expect(JSON.stringify(signals)).not.toContain("secret")
      }
    }))
})

describe("the Responses API", () => {
  it.scopedLive("is told of tools as they are: a schema need not be one of those that OpenAI calls strict", () =>
    Effect.gen(function*() {
      const { asked, url } = yield* Provider.serve(Provider.refuses(401, {}))
      yield* ask({ baseUrl: url, api: "responses" })
      expect(asked[0]?.body).toMatchObject({ tools: [{ name: "look", strict: false }, { strict: false }] })
    }))

  it.scopedLive("that says that an answer has failed is asked again, and fails the run with what it said", () =>
    Effect.gen(function*() {
      const response = {
        id: "resp_1",
        object: "response",
        created_at: 0,
        status: "failed",
        model: "demo",
        output: [],
        error: { code: "server_error", message: "the engine has stopped" },
        incomplete_details: null,
        instructions: null,
        metadata: {},
        parallel_tool_calls: true,
        temperature: 1,
        tool_choice: "auto",
        tools: [],
        top_p: 1
      }
      const failed = Provider.events([{ type: "response.failed", sequence_number: 0, response }])
      const { asked, url } = yield* Provider.serve(failed, failed)
      expect(Script.endOf(yield* ask({ baseUrl: url, api: "responses" }))).toMatch(
        /^AgentRequestFailed: .*the engine has stopped/
      )
      expect(asked.length).toBe(2)
    }))
})

describe("a whole answer of chat completions (generateText)", () => {
  const generate = <A, E>(url: string, program: Effect.Effect<A, E, LanguageModel.LanguageModel>) =>
    Effect.flatMap(
      Models.make(model({ baseUrl: url })),
      ({ service }) => Effect.provideService(program, LanguageModel.LanguageModel, service)
    )

  it.scopedLive("has its text, its thoughts, its calls and its usage", () =>
    Effect.gen(function*() {
      const Adder = Toolkit.make(
        AiTool.make("add", { parameters: { a: Schema.Number, b: Schema.Number }, success: Schema.Number })
      )
      const call = { index: 0, id: "a", function: { name: "add", arguments: "{\"a\":1,\"b\":2}" } }
      const { asked, url } = yield* Provider.serve(Provider.events([
        delta({ reasoning_content: "hm" }),
        delta({ content: "It " }),
        delta({ content: "is " }),
        delta({ tool_calls: [call] }, "tool_calls"),
        { choices: [], usage: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 } },
        "[DONE]"
      ]))
      const answer = yield* generate(
        url,
        LanguageModel.generateText({ prompt: "1 + 2?", toolkit: Adder, toolChoice: "required" }).pipe(
          Effect.provide(Adder.toLayer({ add: ({ a, b }) => Effect.succeed(a + b) }))
        )
      )
      expect([answer.text, answer.reasoningText, answer.finishReason]).toEqual(["It is ", "hm", "tool-calls"])
      expect(answer.toolResults.map(({ result }) => result)).toEqual([3])
      expect(answer.usage).toMatchObject({ inputTokens: 7, outputTokens: 3 })
      expect(asked[0]?.body).toMatchObject({ tool_choice: "required" })
    }))

  it.scopedLive("can be an object of a schema", () =>
    Effect.gen(function*() {
      const { asked, url } = yield* Provider.serve(text("{\"city\":\"Paris\"}"))
      const City = Schema.Struct({ city: Schema.String })
      const answer = yield* generate(
        url,
        LanguageModel.generateObject({ prompt: "France?", schema: City, objectName: "city" })
      )
      expect(answer.value).toEqual({ city: "Paris" })
      expect(asked[0]?.body).toMatchObject({ response_format: { type: "json_schema", json_schema: { name: "city" } } })
    }))

  it.scopedLive("fails with a tagged error when it breaks off, or is refused", () =>
    Effect.gen(function*() {
      const { url } = yield* Provider.serve(
        Provider.events([delta({ content: "ha" })]),
        Provider.events([{ error: { message: "overloaded" } }]),
        Provider.refuses(400, { error: { message: "no" } })
      )
      for (
        const [tag, message] of [["MalformedOutput", "middle"], ["UnknownError", "overloaded"], [
          "HttpResponseError",
          ""
        ]] as const
      ) {
        const error = yield* Effect.flip(generate(url, LanguageModel.generateText({ prompt: "hi" })))
        expect(error).toMatchObject({ _tag: tag, message: expect.stringContaining(message) })
      }
    }))
})
