import { HttpAgent } from "@ag-ui/client"
import { type AGUIEvent, EventType } from "@ag-ui/core"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { ResumingHttpAgent } from "holdfast/client/agui"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as Http from "node:http"
import type { AgentEvent } from "../../src/domain/AgentEvent.js"
import * as EventLog from "../../src/log/EventLog.js"
import * as ScriptedAgent from "../../src/testing/ScriptedAgent.js"
import { fetchOnce, over, type Running, silent, start } from "../gateway/agui/fixture.js"
import * as Proxy from "./proxy.js"

leakFreeFile()
silent()

const text = (text: string) => ({ type: "TextChunk", text }) as const

/** Some of everything. */
const story: ReadonlyArray<AgentEvent> = Array.from({ length: 40 }, (_, n): ReadonlyArray<AgentEvent> => [
  { type: "ThoughtChunk", text: `thought ${n} ` },
  text(`text ${n} `),
  text(`and more of it, with an ü `),
  { type: "ToolCallStarted", toolCallId: `t${n}`, title: "T", kind: "read", status: "pending", rawInput: { n } },
  { type: "ProcessOutput", processId: "p", stream: "stdout", data: `${n}` },
  { type: "ToolCallEnded", toolCallId: `t${n}`, status: "completed", rawOutput: `result ${n}` },
  { type: "PlanUpdated", entries: [{ content: `${n}`, priority: "low", status: "pending" }] }
]).flat()

const telling: ScriptedAgent.Options["turn"] = ({ say }) => Effect.forEach(story, say, { discard: true })

interface Ran {
  readonly events: ReadonlyArray<AGUIEvent>
  readonly error: unknown
  readonly agent: HttpAgent
}

const config = { threadId: "a thread", fetch: fetchOnce, resume: { delay: () => 0 } }

const run = (agent: HttpAgent, said: string | undefined, parameters: Parameters<HttpAgent["runAgent"]>[0] = {}) =>
  Effect.promise(async (): Promise<Ran> => {
    if (said !== undefined) agent.addMessage({ id: said, role: "user", content: said })
    const events: Array<AGUIEvent> = []
    let error: unknown
    await agent.runAgent(parameters, { onEvent: ({ event }) => void events.push(event as AGUIEvent) })
      .catch((failed: unknown) => error = failed)
    return { events, error, agent }
  })

const url = (base: string) => `${base}/agui/scripted`

/** The same run of a client that nothing happens to. */
const whole = ({ gateway }: Running, runId: string) =>
  run(new HttpAgent({ ...config, url: url(gateway.url) }), "go", { runId })

/** The same chance in each run of the test. */
const chance = (seed: number) => () => (seed = (seed * 1103515245 + 12345) % 2 ** 31) / 2 ** 31

describe("a connection that is cut", () => {
  for (const seed of [1, 2, 3, 4]) {
    it.scopedLive(
      `anywhere, again and again, loses nothing and doubles nothing (${seed})`,
      () =>
        Effect.gen(function*() {
          const running = yield* start(telling)
          const proxy = yield* Proxy.make(running.gateway.url)
          const random = chance(seed)
          proxy.fate = () => ({ bytes: Math.floor(300 + random() * 4000), then: random() < 0.5 ? "reset" : "end" })
          const cut = yield* run(new ResumingHttpAgent({ ...config, url: url(proxy.url) }), "go", { runId: "the run" })
          expect(proxy.connections()).toBeGreaterThan(5)
          expect(cut.error).toBeUndefined()
          const uncut = yield* whole(running, "the run")
          expect(cut.events).toEqual(uncut.events)
          expect(cut.agent.messages).toEqual(uncut.agent.messages)
          expect(cut.agent.state).toEqual(uncut.agent.state)
          expect(cut.events.at(-1)).toMatchObject({ type: EventType.RUN_FINISHED, outcome: { type: "success" } })
        }),
      60_000
    )
  }

  it.scopedLive("before the first id: the run is not begun twice", () =>
    Effect.gen(function*() {
      let turns = 0
      const running = yield* start(({ say }) => Effect.suspend(() => say(text(`turn ${++turns}`))))
      const proxy = yield* Proxy.make(running.gateway.url)
      proxy.fate = (n) => n < 4 ? { bytes: 315 + n * 60, then: "end" } : undefined
      const cut = yield* run(new ResumingHttpAgent({ ...config, url: url(proxy.url) }), "go")
      expect(cut.error).toBeUndefined()
      expect(cut.events.at(-1)?.type).toBe(EventType.RUN_FINISHED)
      expect(turns).toBe(1)
      expect(proxy.connections()).toBe(5)
    }))

  it.scopedLive("while a question is answered", () =>
    Effect.gen(function*() {
      const running = yield* start(({ ask, say }) =>
        Effect.flatMap(ask({ kind: "confirmation", message: "Sure?" }), (answer) =>
          Effect.forEach([text(JSON.stringify(Option.getOrNull(answer))), ...story], say, { discard: true }))
      )
      const proxy = yield* Proxy.make(running.gateway.url)
      const agent = new ResumingHttpAgent({ ...config, url: url(proxy.url) })
      yield* run(agent, "go")
      const [interrupt] = agent.pendingInterrupts
      proxy.fate = (n) =>
        n < 12 ? { bytes: 200 + n * 300, then: "reset" } : undefined
      const answered = yield* run(agent, undefined, {
        resume: [{ interruptId: interrupt!.id, status: "resolved", payload: { approved: true } }]
      })
      expect(answered.error).toBeUndefined()
      expect(answered.events.at(-1)).toMatchObject({ type: EventType.RUN_FINISHED, outcome: { type: "success" } })
      expect(agent.messages[1]?.content).toBe("{\"action\":\"accept\"}")
      expect(agent.messages.filter(({ role }) => role === "tool")).toHaveLength(40)
    }))

  it.scopedLive("that goes quiet is taken for dead", () =>
    Effect.gen(function*() {
      const running = yield* start(telling)
      const proxy = yield* Proxy.make(running.gateway.url)
      proxy.fate = (n) => n < 2 ? { bytes: 3000, then: "stall" } : undefined
      const agent = new ResumingHttpAgent({
        ...config,
        url: url(proxy.url),
        resume: { delay: () => 0, silence: 300 }
      })
      const ran = yield* run(agent, "go", { runId: "the run" })
      expect(ran.error).toBeUndefined()
      expect(ran.events).toEqual((yield* whole(running, "the run")).events)
    }))
})

describe("a gateway that goes away", () => {
  it.scopedLive("and comes back: what became of the run is told", () =>
    Effect.gen(function*() {
      const agent = yield* ScriptedAgent.make({
        turn: ({ say }) => Effect.zipRight(say(text("I start")), Effect.never)
      })
      const log = yield* Effect.map(Layer.build(EventLog.layerMemory), Context.get(EventLog.EventLog))
      const first = yield* Scope.make()
      const before = yield* Scope.extend(over(log, [agent]), first)
      const proxy = yield* Proxy.make(before.gateway.url)
      const client = new ResumingHttpAgent({ ...config, url: url(proxy.url), resume: { delay: () => 20 } })
      const started = yield* Deferred.make<void>()
      client.subscribe({ onTextMessageContentEvent: () => void Deferred.unsafeDone(started, Exit.void) })
      const ran = yield* Effect.fork(run(client, "go"))
      yield* Deferred.await(started)
      yield* Scope.close(first, Exit.void)
      const after = yield* over(log, [agent])
      proxy.target = after.gateway.url
      const { error, events } = yield* Fiber.join(ran)
      expect(error).toBeUndefined()
      expect(events.map(({ type }) => type).slice(-3)).toEqual([
        EventType.STATE_DELTA,
        EventType.TEXT_MESSAGE_END,
        EventType.RUN_ERROR
      ])
      expect(events.at(-1)).toMatchObject({ code: "Lost" })
    }))

  it.scopedLive("and does not come back is an error of the run, and nothing is left unhandled", () =>
    Effect.gen(function*() {
      const running = yield* start(({ say }) => Effect.zipRight(say(text("I start")), Effect.never))
      const proxy = yield* Proxy.make(running.gateway.url)
      const client = new ResumingHttpAgent({ ...config, url: url(proxy.url), resume: { delay: () => 0, attempts: 3 } })
      client.subscribe({ onTextMessageContentEvent: proxy.close })
      const ran = yield* run(client, "go")
      expect(ran.error).toBeUndefined()
      expect(ran.events.at(-1)).toMatchObject({ type: EventType.RUN_ERROR, code: "connection_lost" })
    }))

  it.scopedLive("and has forgotten all is an error of the run", () =>
    Effect.gen(function*() {
      const running = yield* start(({ say }) => Effect.zipRight(say(text("I start")), Effect.never))
      const another = yield* start(telling)
      const proxy = yield* Proxy.make(running.gateway.url)
      const client = new ResumingHttpAgent({ ...config, url: url(proxy.url) })
      client.subscribe({
        onTextMessageContentEvent: () => {
          proxy.target = another.gateway.url
          proxy.cut()
        }
      })
      const ran = yield* run(client, "go")
      expect(ran.error).toBeUndefined()
      expect(ran.events.at(-1)).toMatchObject({ type: EventType.RUN_ERROR, code: "SessionNotFound" })
    }))

  it.scopedLive("and asks for patience gets it", () =>
    Effect.gen(function*() {
      const answers: Array<(response: Http.ServerResponse) => void> = [
        (response) => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          response.write("id: 1\ndata: {\"type\":\"RUN_STARTED\",\"threadId\":\"t\",\"runId\":\"r\"}\n\n")
          response.end("data: {\"type\":\"CUSTOM\",\"name\":\"half a group\",\"value\":1}\n\n")
        },
        (response) => response.writeHead(503, { "retry-after": "0" }).end(),
        (response) => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          response.end("id: 2\ndata: {\"type\":\"RUN_FINISHED\",\"threadId\":\"t\",\"runId\":\"r\"}\n\n")
        }
      ]
      const asked: Array<string | undefined> = []
      const server = yield* Effect.acquireRelease(
        Effect.async<Http.Server>((resume) => {
          const server = Http.createServer((request, response) => {
            asked.push(request.headers["last-event-id"]?.toString())
            request.resume().on("end", () => answers.shift()?.(response))
          }).listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
      )
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      const ran = yield* run(new ResumingHttpAgent({ ...config, url: `http://127.0.0.1:${port}/` }), "go")
      expect(ran.error).toBeUndefined()
      expect(ran.events.map(({ type }) => type)).toEqual([EventType.RUN_STARTED, EventType.RUN_FINISHED])
      expect(asked).toEqual([undefined, "1", "1"])
    }))
})

describe("the client", () => {
  it.scopedLive("that is refused at once is told as the official one is", () =>
    Effect.gen(function*() {
      const running = yield* start(telling)
      const ran = yield* run(new ResumingHttpAgent({ ...config, url: `${running.gateway.url}/agui/nobody` }), "go")
      expect(ran.error).toMatchObject({ status: 404, payload: { _tag: "AgentNotFound" } })
    }))

  it.scopedLive("that aborts asks for nothing more", () =>
    Effect.gen(function*() {
      const running = yield* start(({ say }) => Effect.zipRight(say(text("I start")), Effect.never))
      let requests = 0
      const client = new ResumingHttpAgent({
        ...config,
        url: url(running.gateway.url),
        fetch: (url, init) => {
          requests++
          return fetchOnce(url, init)
        }
      })
      client.subscribe({ onTextMessageContentEvent: () => client.abortRun() })
      const ran = yield* run(client, "go")
      expect(ran.events.at(-1)).toMatchObject({ type: EventType.RUN_ERROR, code: "abort" })
      yield* Effect.sleep(50)
      expect(requests).toBe(1)
    }))

  it.scopedLive("connects to a thread: its conversation, and what goes on", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const running = yield* start(({ say }) =>
        Effect.zipRight(say(text("Hello")), Effect.zipRight(Deferred.await(gate), say(text(" there"))))
      )
      const make = () => new ResumingHttpAgent({ ...config, url: url(running.gateway.url) })
      const first = yield* Effect.fork(run(make(), "go"))
      yield* Effect.repeat(
        Effect.delay(running.sessions.list({ status: Option.none(), after: Option.none(), limit: 1 }), "5 millis"),
        { until: ([session]) => (session?.head ?? 0) >= 4 }
      )
      const second = make()
      second.subscribe({ onTextMessageStartEvent: () => void Deferred.unsafeDone(gate, Exit.void) })
      yield* Effect.promise(() => second.connectAgent())
      expect(second.messages.map(({ content }) => content)).toEqual(["go", "Hello there"])
      yield* Fiber.join(first)
    }))

  it.scopedLive("asks for the next turn when the cancel of the last one has arrived, however long that is on its way", () =>
    Effect.gen(function*() {
      const running = yield* start(({ content, say }) =>
        JSON.stringify(content).includes("go")
          ? Effect.zipRight(say(text("I start")), Effect.never)
          : say(text("I go on"))
      )
      const slow: typeof fetch = async (...request) => {
        if (String(request[0]).endsWith("/cancel")) await new Promise((resolve) => setTimeout(resolve, 100))
        return fetchOnce(...request)
      }
      const client = new ResumingHttpAgent({ ...config, fetch: slow, url: url(running.gateway.url) })
      // as CopilotKit's Stop does
      client.subscribe({
        onTextMessageContentEvent: ({ event }) => {
          if (event.delta !== "I start") return
          void client.cancelTurn()
          client.abortRun()
        }
      })
      yield* run(client, "go")
      const ran = yield* run(client, "on")
      expect(ran.error).toBeUndefined()
      expect(ran.events.at(-1)).toMatchObject({ type: EventType.RUN_FINISHED, outcome: { type: "success" } })
    }))

  it.scopedLive("cancels the turn", () =>
    Effect.gen(function*() {
      const running = yield* start(({ say }) => Effect.zipRight(say(text("I start")), Effect.never))
      const client = new ResumingHttpAgent({ ...config, url: url(running.gateway.url) })
      yield* Effect.promise(() => client.cancelTurn())
      client.subscribe({ onTextMessageContentEvent: () => client.cancelTurn() })
      const ran = yield* run(client, "go")
      expect(ran.events.at(-1)).toMatchObject({ type: EventType.RUN_FINISHED, outcome: { type: "cancelled" } })
    }))
})
