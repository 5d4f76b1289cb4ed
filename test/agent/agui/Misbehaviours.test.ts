import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import { finished, message, type Run, start, started } from "./server.js"
import { connect, texts } from "./support.js"

leakFreeFile()

/** What a run does, and what its turn ends with. */
const cases: ReadonlyArray<readonly [what: string, run: (run: Run) => void, error: object]> = [
  [
    "a line that is not JSON",
    (run) => run.raw("data: {\"type\":\"RUN_ST\n\n"),
    { _tag: "AgentProtocolError", message: "the agent sent a line that is not JSON", detail: "{\"type\":\"RUN_ST" }
  ],
  [
    // ambient: lines of two producers were interleaved, and both events lost without a word
    "two events in one frame",
    (run) => run.raw(`data: ${JSON.stringify(started(run.input))}\ndata: ${JSON.stringify(started(run.input))}\n\n`),
    { _tag: "AgentProtocolError", message: "the agent sent a line that is not JSON" }
  ],
  [
    "a frame that is no event",
    (run) => run.raw("data: [1]\n\n"),
    { _tag: "AgentProtocolError", message: expect.stringContaining("an event is an object with a type") }
  ],
  [
    "a field of the wrong kind",
    (run) => run.send({ ...started(run.input), threadId: 7 }),
    {
      _tag: "AgentProtocolError",
      message: expect.stringMatching(/^the agent sent a RUN_STARTED that is wrong at threadId: /)
    }
  ],
  [
    "another order",
    (run) => run.send(started(run.input), { type: "TEXT_MESSAGE_CONTENT", messageId: "m", delta: "x" }),
    {
      _tag: "AgentProtocolError",
      message: "the agent sent TEXT_MESSAGE_CONTENT of m, and no such text message is open"
    }
  ],
  [
    "an event over the limit",
    (run) => run.send(started(run.input), { type: "CUSTOM", name: "x", value: "x".repeat(5000) }),
    { _tag: "AgentMessageTooLarge", limit: 2000 }
  ],
  [
    "an error",
    (run) => run.send(started(run.input), { type: "RUN_ERROR", message: "no model", code: "E1", timestamp: null }),
    { _tag: "AgentRequestFailed", method: "run", message: "the agent failed (E1): no model" }
  ],
  [
    "a compressed stream, which was not asked for",
    (run) => run.refuse(200, { "content-type": "text/event-stream", "content-encoding": "gzip" }, "\u001f"),
    { _tag: "AgentProtocolError", message: expect.stringMatching(/compressed \(gzip\)/) }
  ],
  [
    "401",
    (run) => run.refuse(401, {}, "{\"detail\":\"Unauthorized\"}"),
    { _tag: "AgentAuthRequired", message: expect.stringMatching(/answered 401.*give it a token.*Unauthorized/) }
  ],
  [
    "404",
    (run) => run.refuse(404, {}, "not here"),
    { _tag: "AgentRequestFailed", code: 404, message: expect.stringMatching(/answered 404 and no events: not here$/) }
  ],
  [
    "422, with a long body",
    (run) => run.refuse(422, {}, "x".repeat(5000)),
    { _tag: "AgentRequestFailed", code: 422, message: expect.stringMatching(/: x{200}$/) }
  ],
  ["500", (run) => run.refuse(500, {}, ""), { _tag: "AgentRequestFailed", code: 500 }],
  [
    // what the request carries may not be for whoever is there
    "a redirect",
    (run) => run.refuse(307, { location: "http://elsewhere.example/" }, ""),
    {
      _tag: "AgentRequestFailed",
      code: 307,
      message: expect.stringMatching(
        /to go to http:\/\/elsewhere\.example\/.*redirects are not followed, so set url to it$/
      )
    }
  ],
  [
    "a page",
    (run) => run.refuse(200, { "content-type": "text/html" }, "<title>hello"),
    {
      _tag: "AgentProtocolError",
      detail: "<title>hello",
      message: expect.stringContaining("not with text/event-stream")
    }
  ],
  ["an empty answer", (run) => run.end(), { _tag: "AgentLost" }],
  ["a cut before any answer", (run) => run.cut(), { _tag: "AgentLost" }],
  [
    // the proxy merges
    "the end of the body in the middle of a frame",
    (run) => {
      run.send(started(run.input))
      run.raw("data: {\"type\":\"CUST")
      run.end()
    },
    { _tag: "AgentLost", message: "the agent's stream ended before its run had" }
  ]
]

describe("AG2 a server that answers with", () => {
  it.scopedLive.each(cases)(
    "%s ends the run with a typed error, and the next run is not touched",
    ([, misbehave, error]) =>
      Effect.gen(function*() {
        const server = yield* start({
          run: (run) => {
            if (run.number === 1) misbehave(run)
            else {run.send(started(run.input), ...message(run.input.runId, "m", "well"), {
                type: "RUN_FINISHED",
                ...run.input
              })}
          }
        })
        const agent = yield* connect({ url: server.url, maxEventCharacters: 2000 })
        expect(yield* agent.turn("hi")).toMatchObject({ _tag: "Failed", error })
        expect(yield* agent.turn("hi")).toMatchObject({ _tag: "Stopped" })
        expect(texts(agent.events())).toStrictEqual(["well"])
      })
  )

  it.scopedLive("no TLS where TLS was wanted is unreachable, and says why", () =>
    Effect.gen(function*() {
      const server = yield* start({})
      const agent = yield* connect({ url: server.url.replace("http:", "https:") })
      expect(yield* agent.turn("hi")).toMatchObject({
        _tag: "Failed",
        error: { _tag: "AgentUnreachable", message: expect.stringMatching(/WRONG_VERSION_NUMBER|EPROTO|ECONNRESET/) }
      })
    }))

  it.scopedLive("a change that does not fit the state: it is said once, and what follows is not taken for a state", () =>
    Effect.gen(function*() {
      const change = (path: string) => ({ type: "STATE_DELTA", delta: [{ op: "replace", path, value: 2 }] })
      const add = { type: "STATE_DELTA", delta: [{ op: "add", path: "/b", value: 1 }] }
      const server = yield* start({
        run: (run) => {
          const told = run.number === 1
            ? [change("/a/x"), change("/a/x"), add]
            : [{ type: "STATE_SNAPSHOT", snapshot: { a: 1 } }, change("/a"), add]
          run.send(started(run.input), ...told, finished(run.input))
        }
      })
      const agent = yield* connect({ url: server.url })
      for (const said of ["one", "two", "three"]) yield* agent.turn(said)
      expect(server.inputs.map(({ state }) => state)).toStrictEqual([{}, {}, { a: 2, b: 1 }])
      expect(agent.events().filter(({ type }) => type === "Warning")).toHaveLength(1)
    }))

  it.scopedLive("events that this release does not know is not wrong: they are recorded", () =>
    Effect.gen(function*() {
      const server = yield* start({
        run: (run) =>
          run.send(
            started(run.input),
            { type: "HOLOGRAM", shape: "cube" },
            { type: "STEP_STARTED", stepName: "s" },
            { type: "STEP_FINISHED", stepName: "s" },
            { type: "RAW", event: { name: "ambient:feedback" } },
            { ...message(run.input.runId, "m", "x")[0], surprise: true },
            { type: "TEXT_MESSAGE_CHUNK", messageId: "n", delta: "short" },
            { type: "TEXT_MESSAGE_END", messageId: "m" },
            { type: "RUN_FINISHED", ...run.input, result: { num_turns: 3 } }
          )
      })
      const agent = yield* connect({ url: server.url })
      expect(yield* agent.turn("hi")).toMatchObject({ _tag: "Stopped" })
      expect(agent.events()).toMatchObject([
        { type: "Extension", name: "agui.HOLOGRAM", payload: { shape: "cube" } },
        { type: "Extension", name: "agui.STEP_STARTED", payload: { stepName: "s" } },
        { type: "Extension", name: "agui.STEP_FINISHED" },
        { type: "Extension", name: "agui.RAW", payload: { name: "ambient:feedback" } },
        { type: "TextChunk", text: "short", messageId: "n" },
        { type: "Extension", name: "agui.RUN_FINISHED", payload: { result: { num_turns: 3 } } }
      ])
    }))

  it.scopedLive("a snapshot only: what it has behind the prompt is told, and no more", () =>
    Effect.gen(function*() {
      const server = yield* start({
        run: (run) =>
          run.send(
            started(run.input),
            ...message(run.input.runId, `streamed ${run.number}`, "streamed"),
            {
              type: "MESSAGES_SNAPSHOT",
              messages: [
                { id: "old", role: "assistant", content: "of before" },
                ...run.input.messages,
                { id: `streamed ${run.number}`, role: "assistant", content: "streamed" },
                { id: `new ${run.number}`, role: "assistant", content: "only here" }
              ]
            },
            { type: "RUN_FINISHED", ...run.input }
          )
      })
      const agent = yield* connect({ url: server.url }, "a-thread")
      yield* agent.turn("hi")
      expect(texts(agent.events())).toStrictEqual(["streamed", "only here"])
      yield* agent.turn("hi")
      expect(texts(agent.events())).toStrictEqual(["streamed", "only here", "streamed", "only here"])
    }))

  it.scopedLive("subagents: each is a run within the run", () =>
    Effect.gen(function*() {
      const server = yield* start({
        run: (run) =>
          run.send(
            started(run.input),
            { type: "SUBAGENT_STARTED", subagentRunId: "s", name: "researcher", description: "looks it up" },
            { type: "SUBAGENT_STARTED", subagentRunId: "t", name: "reader", parentSubagentRunId: "s" },
            { type: "TEXT_MESSAGE_CHUNK", messageId: "m", delta: "found", subagentRunId: "t" },
            { type: "SUBAGENT_ERROR", subagentRunId: "t", message: "no more" },
            { type: "SUBAGENT_FINISHED", subagentRunId: "s" },
            { type: "RUN_FINISHED", ...run.input }
          )
      })
      const agent = yield* connect({ url: server.url })
      yield* agent.turn("hi")
      const [first, second] = agent.said.flatMap((signal) => signal._tag === "RunOpened" ? [signal] : [])
      expect(first).toMatchObject({
        parent: "run_1",
        until: "parent",
        agent: "researcher",
        prompt: [{ type: "text", text: "looks it up" }]
      })
      expect(second).toMatchObject({ parent: first?.run, until: "parent", agent: "reader" })
      expect(agent.said.slice(2)).toMatchObject([
        { _tag: "Said", run: second?.run, event: { type: "TextChunk", text: "found" } },
        { _tag: "TurnEnded", run: second?.run, result: { _tag: "Failed" } },
        { _tag: "TurnEnded", run: first?.run, result: { _tag: "Stopped" } },
        { _tag: "TurnEnded", run: "run_1" }
      ])
    }))
})
