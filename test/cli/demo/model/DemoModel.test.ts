import * as OpenAiClient from "@effect/ai-openai/OpenAiClient"
import * as OpenAiLanguageModel from "@effect/ai-openai/OpenAiLanguageModel"
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as Tool from "@effect/ai/Tool"
import * as Toolkit from "@effect/ai/Toolkit"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as DemoModel from "../../../../src/cli/demo/model/DemoModel.js"
import * as Program from "../../program.js"

leakFreeFile({ grace: "5 seconds" })

const demo = DemoModel.make({ port: 0, pace: 0 })

/** A client of the official API's form, as the run loop has it. */
const provider = (url: string) =>
  OpenAiLanguageModel.layer({ model: "demo" }).pipe(
    Layer.provide(OpenAiClient.layer({ apiUrl: url })),
    Layer.provide(NodeHttpClient.layerWithoutAgent),
    Layer.provide(NodeHttpClient.makeAgentLayer({ keepAlive: false }))
  )

const Echo = Toolkit.make(Tool.make("everything__echo", {
  parameters: { message: Schema.String },
  success: Schema.String
}))

const streamed = (url: string, prompt: string) =>
  LanguageModel.streamText({ prompt, toolkit: Echo, disableToolCallResolution: true }).pipe(
    Stream.runCollect,
    Effect.map(Chunk.toReadonlyArray),
    Effect.provide(Echo.toLayer({ everything__echo: ({ message }) => Effect.succeed(message) })),
    Effect.provide(provider(url))
  )

const chat = (url: string, body: object, path = "/chat/completions") =>
  Effect.promise(async () => {
    const response = await fetch(url + path, {
      method: "POST",
      headers: { "content-type": "application/json", connection: "close" },
      body: JSON.stringify({ model: "demo", ...body })
    })
    return {
      status: response.status,
      retryAfter: response.headers.get("retry-after"),
      // a body that is cut off rejects
      text: await response.text().catch((error: unknown) => `cut: ${String(error)}`)
    }
  })

const data = (text: string): ReadonlyArray<string> =>
  text.split("\n\n").filter((event) => event !== "").map((event) => event.replace(/^data: /, ""))

describe("the demo model", () => {
  it.scopedLive("streams text through Effect's own client of OpenAI", () =>
    Effect.gen(function*() {
      const { url } = yield* demo
      const parts = yield* streamed(url, "/stream 5")
      const deltas = parts.flatMap((part) => part.type === "text-delta" ? [part.delta] : [])
      expect(deltas.join("")).toBe("1 2 3 4 5 ")
      expect(deltas.length).toBe(5)
      expect(parts.at(-1)).toMatchObject({ type: "finish", reason: "stop", usage: { outputTokens: 5 } })
    }))

  it.scopedLive("thinks before it speaks", () =>
    Effect.gen(function*() {
      const { url } = yield* demo
      const types = (yield* streamed(url, "/think")).map(({ type }) => type)
      expect(types.indexOf("reasoning-delta")).toBeGreaterThan(0)
      expect(types.indexOf("text-delta")).toBeGreaterThan(types.lastIndexOf("reasoning-delta"))
    }))

  it.scopedLive("calls a tool by its name within a server, and tells what it answered", () =>
    Effect.gen(function*() {
      const { url } = yield* demo
      const parts = yield* streamed(url, "/tool echo {\"message\":\"hi\"}")
      expect(parts.find((part) => part.type === "tool-call")).toMatchObject({
        name: "everything__echo",
        params: { message: "hi" }
      })
      expect(parts.at(-1)).toMatchObject({ type: "finish", reason: "tool-calls" })
      const after = yield* chat(url, {
        messages: [
          { role: "user", content: "/tool echo {}" },
          { role: "assistant", tool_calls: [] },
          { role: "tool", tool_call_id: "call_1", content: "hi" }
        ]
      })
      expect(JSON.parse(after.text).choices[0].message.content).toBe("The tool answered: hi")
    }))

  it.scopedLive("sends chat completions with the usage last, once, after the reason", () =>
    Effect.gen(function*() {
      const { url } = yield* demo
      const { text } = yield* chat(url, {
        stream: true,
        messages: [{ role: "user", content: [{ type: "text", text: "/tool echo {\"message\":\"hi\"}" }] }],
        tools: [{ type: "function", function: { name: "echo", parameters: {} } }]
      })
      const [done, usage, reason] = data(text).toReversed()
      expect(done).toBe("[DONE]")
      expect(JSON.parse(usage ?? "")).toMatchObject({ choices: [], usage: { prompt_tokens: 10 } })
      expect(JSON.parse(reason ?? "").choices[0].finish_reason).toBe("tool_calls")
      const args = data(text).slice(0, -1).flatMap((event) => JSON.parse(event).choices[0]?.delta.tool_calls ?? [])
        .map((call) => call.function.arguments).join("")
      expect(args).toBe("{\"message\":\"hi\"}")
    }))

  it.scopedLive("misbehaves as it is asked to: refusals, half an answer, arguments that are none, nothing at all", () =>
    Effect.gen(function*() {
      const { url } = yield* demo
      const ask = (content: string, stream = true) => chat(url, { stream, messages: [{ role: "user", content }] })
      expect((yield* ask("/401")).status).toBe(401)
      expect(yield* ask("/429")).toMatchObject({ status: 429, retryAfter: "1" })
      expect(yield* ask("/429")).toMatchObject({ status: 200 })
      expect((yield* ask("/down demo")).status).toBe(503)
      expect((yield* ask("/down other")).status).toBe(200)
      expect((yield* ask("/half")).text).toMatch(/^cut: /)
      expect((yield* ask("/garbage")).text).toContain("{\\\"half\\\":")
      expect((yield* ask("/unknown")).text).toContain("no-such-tool")
      expect(data((yield* ask("/empty")).text)).toHaveLength(4)
    }))

  it.scopedLive("says what it cannot read", () =>
    Effect.gen(function*() {
      const { url } = yield* demo
      expect(yield* chat(url, {})).toMatchObject({ status: 400, text: expect.stringContaining("messages") })
      expect(yield* chat(url, {}, "/embeddings")).toMatchObject({
        status: 404,
        text: expect.stringContaining("there is no POST /v1/embeddings")
      })
    }))

  it.live("ends at once, a stalled answer with it", () =>
    Effect.gen(function*() {
      const answered = yield* Effect.scoped(Effect.gen(function*() {
        const { url } = yield* demo
        const response = yield* Effect.promise(() =>
          fetch(`${url}/chat/completions`, {
            method: "POST",
            body: JSON.stringify({ model: "demo", stream: true, messages: [{ role: "user", content: "/stall" }] })
          })
        )
        const reader = response.body?.getReader()
        yield* Effect.promise(async () => reader?.read())
        return Effect.promise(async () => {
          try {
            while ((await reader?.read())?.done === false);
            return "ended"
          } catch {
            return "cut"
          }
        })
      }))
      expect(yield* answered).toBe("cut")
    }))

  it.scopedLive("is a command: one line with its address, and Ctrl-C ends it well", () =>
    Effect.gen(function*() {
      const cwd = yield* Program.folder
      const running = yield* Program.start({ cwd }, "demo-model", "--port", "0")
      yield* running.says(/^demo model listening on http:\/\/127\.0\.0\.1:\d+\/v1\n$/)
      const url = running.stdout().trim().split(" ").at(-1)
      const models = yield* Effect.promise(async () => (await fetch(`${url}/models`)).json())
      expect(models).toMatchObject({ data: [{ id: "demo" }, { id: "demo-small" }] })
      yield* running.signal("SIGINT")
      expect((yield* running.exit).code).toBe(0)
    }))
})
