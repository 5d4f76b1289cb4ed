import { HttpAgent } from "@ag-ui/client"
import { EventType } from "@ag-ui/core"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { leakFreeFile } from "holdfast/testing/vitest"
import type { ContentBlock } from "../../../src/domain/Content.js"
import * as EventLog from "../../../src/log/EventLog.js"
import * as ScriptedAgent from "../../../src/testing/ScriptedAgent.js"
import { connect, request, until } from "../fixture.js"
import { client, fetchOnce, over, type Running, silent, start, texts } from "./fixture.js"

leakFreeFile()
silent()

const text = (text: string) => ({ type: "TextChunk", text }) as const
const { RUN_FINISHED } = EventType

const user = (content: unknown, id = "u1") => ({ id, role: "user", content })
const input = (fields: Record<string, unknown> = {}) => ({
  threadId: "a thread",
  runId: "a run",
  state: {},
  messages: [user("hi")],
  tools: [],
  context: [],
  forwardedProps: {},
  ...fields
})

const post = (
  { gateway }: Running,
  body: unknown,
  options: { readonly agent?: string; readonly headers?: Record<string, string> } = {}
) =>
  request(gateway, "POST", `/agui/${options.agent ?? "scripted"}`, {
    json: body,
    ...(options.headers === undefined ? {} : { headers: options.headers })
  })

const sessions = ({ sessions }: Running) => sessions.list({ status: Option.none(), after: Option.none(), limit: 9 })

/** Waits until a turn is open. */
const opened = (running: Running) =>
  Effect.repeat(Effect.delay(sessions(running), "5 millis"), { until: ([session]) => session?.run !== undefined })

interface Frame {
  readonly id: number | undefined
  readonly event: { readonly type: string; readonly [key: string]: unknown }
}

const frames = (body: string): ReadonlyArray<Frame> =>
  body.split("\n\n").flatMap((frame) => {
    const data = /^data: (.*)$/m.exec(frame)?.[1]
    const id = /^id: (\d+)$/m.exec(frame)?.[1]
    return data === undefined ? [] : [{ id: id === undefined ? undefined : Number(id), event: JSON.parse(data) }]
  })

const echo: ScriptedAgent.Options["turn"] = ({ content, say }) => say(text(JSON.stringify(content)))

describe("what is refused, before anything happens", () => {
  it.scopedLive("a body that does not decode, with the path of each fault", () =>
    Effect.gen(function*() {
      const running = yield* start(echo)
      const { body, status } = yield* post(running, {
        runId: 7,
        messages: [{ id: "a", role: "user", content: [{ type: "image", source: { type: "data", value: "x" } }] }],
        resume: [{ interruptId: "a", status: "maybe" }]
      })
      expect(status).toBe(400)
      expect(body["_tag"]).toBe("RequestInvalid")
      const issues = body["issues"] as ReadonlyArray<{ readonly path: ReadonlyArray<string> }>
      const paths = issues.map(({ path }) => path.join("."))
      expect(paths).toEqual(expect.arrayContaining(["threadId", "runId", "resume.0.status"]))
      expect(paths.some((path) => path.startsWith("messages.0.content"))).toBe(true)
      expect((yield* post(running, {})).status).toBe(400)
      expect((yield* request(running.gateway, "POST", "/agui/scripted", { raw: "{" })).status).toBe(400)
      expect(yield* sessions(running)).toEqual([])
    }))

  it.scopedLive("an agent that is not there, and another method", () =>
    Effect.gen(function*() {
      const running = yield* start(echo)
      expect(yield* post(running, input(), { agent: "nobody" })).toMatchObject({
        status: 404,
        body: { _tag: "AgentNotFound", known: ["scripted"] }
      })
      expect((yield* request(running.gateway, "GET", "/agui/scripted")).status).toBe(405)
    }))

  it.scopedLive("a thread that is a session of ours, but is not there or is another agent's", () =>
    Effect.gen(function*() {
      const log = yield* Effect.map(Layer.build(EventLog.layerMemory), Context.get(EventLog.EventLog))
      const running = yield* over(log, [
        yield* ScriptedAgent.make({ name: "one", turn: echo }),
        yield* ScriptedAgent.make({ name: "two", turn: echo })
      ])
      expect(yield* post(running, input({ threadId: "ses_nobody" }), { agent: "one" })).toMatchObject({
        status: 404,
        body: { _tag: "SessionNotFound" }
      })
      const { id } = yield* running.sessions.create({ agent: "one" })
      expect(yield* post(running, input({ threadId: id }), { agent: "two" })).toMatchObject({
        status: 409,
        body: { _tag: "ThreadOfOtherAgent", agent: "one" }
      })
      expect((yield* post(running, input({ threadId: id }), { agent: "one" })).status).toBe(200)
    }))

  it.scopedLive("what no agent can be given", () =>
    Effect.gen(function*() {
      const running = yield* start(echo)
      const file = { type: "image", source: { type: "file", value: "file-1", provider: "openai" } }
      expect(yield* post(running, input({ messages: [user([{ type: "text", text: "a" }, file])] }))).toMatchObject({
        status: 400,
        body: { issues: [{ path: ["messages", "0", "content", "1", "source"] }] }
      })
      expect(yield* post(running, input({ messages: [user(" ")] }))).toMatchObject({ body: { _tag: "PromptInvalid" } })
      const props = { holdfast: { cwd: 7, folder: "/tmp" } }
      expect(yield* post(running, input({ threadId: "new", forwardedProps: props }))).toMatchObject({
        status: 400,
        body: {
          issues: expect.arrayContaining([
            expect.objectContaining({ path: ["forwardedProps", "holdfast", "cwd"] }),
            expect.objectContaining({ path: ["forwardedProps", "holdfast", "folder"] })
          ])
        }
      })
      const nowhere = { holdfast: { cwd: "/nowhere" } }
      expect(yield* post(running, input({ threadId: "new", forwardedProps: nowhere }))).toMatchObject({
        status: 400,
        body: { _tag: "CwdInvalid" }
      })
    }))

  it.scopedLive("a page of another origin, a call without the token, and one too many", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const running = yield* start(() => Deferred.await(gate), { token: Redacted.make("secret"), maxEventStreams: 1 })
      const authorization = "Bearer secret"
      expect((yield* post(running, input())).status).toBe(401)
      expect((yield* post(running, input(), { headers: { authorization, origin: "https://evil.example" } })).status)
        .toBe(403)
      const first = yield* Effect.fork(post(running, input(), { headers: { authorization } }))
      yield* opened(running)
      const look = yield* post(running, input({ messages: [] }), { headers: { authorization } })
      expect(look).toMatchObject({ status: 429, body: { what: "event streams" } })
      yield* Deferred.succeed(gate, undefined)
      expect((yield* Fiber.join(first)).status).toBe(200)
    }))
})

describe("a run id", () => {
  it.scopedLive("names one run, however often it is sent", () =>
    Effect.gen(function*() {
      let turns = 0
      const running = yield* start(({ say }) => Effect.suspend(() => say(text(`turn ${++turns}`))))
      const bodies = yield* Effect.all(
        [post(running, input()), post(running, input()), post(running, input())],
        { concurrency: "unbounded" }
      )
      const again = yield* post(running, input())
      for (const { status, text } of [...bodies, again]) {
        expect(status).toBe(200)
        expect(text).toBe(again.text)
      }
      expect(turns).toBe(1)
      expect(yield* sessions(running)).toHaveLength(1)
    }))

  it.scopedLive("cannot name two", () =>
    Effect.gen(function*() {
      const running = yield* start(echo)
      yield* post(running, input())
      const other = yield* post(running, input({ messages: [user("hi"), user("something else", "u2")] }))
      expect(other).toMatchObject({ status: 409, body: { _tag: "RunIdTaken", runId: "a run" } })
    }))

  it.scopedLive("a turn that is open refuses another", () =>
    Effect.gen(function*() {
      const running = yield* start(() => Effect.never)
      const first = yield* Effect.fork(post(running, input()))
      yield* opened(running)
      const second = yield* post(running, input({ runId: "another" }))
      expect(second).toMatchObject({ status: 409, body: { _tag: "SessionBusy" } })
      expect(second.body.message).toMatch(/^the thread is in a turn; .* POST \/v1\/sessions\/ses_\w+\/cancel$/)
      yield* Fiber.interrupt(first)
    }))
})

describe("what reaches the agent", () => {
  const prompts = Effect.fnUntraced(function*(body: Record<string, unknown>) {
    const running = yield* start(({ content, say }) => say(text(JSON.stringify(content))))
    const reply = yield* post(running, body)
    const told = frames(reply.text)
    const said = told.flatMap(({ event }) => event.type === "TEXT_MESSAGE_CONTENT" ? [String(event["delta"])] : [])
    const warnings = told.flatMap(({ event }) =>
      event.type === "CUSTOM" && event["name"] === "holdfast.Warning"
        ? [(event["value"] as { message: string }).message]
        : []
    )
    const prompt: ReadonlyArray<ContentBlock> = JSON.parse(said.join(""))
    return { prompt, warnings, running }
  })

  it.scopedLive("is what the user said last, with its pictures, and the context", () =>
    Effect.gen(function*() {
      const { prompt, running, warnings } = yield* prompts(input({
        messages: [
          user("long ago"),
          { id: "a1", role: "assistant", content: "yes" },
          user("look at", "u2"),
          user([
            { type: "text", text: "these" },
            { type: "image", source: { type: "data", value: "AA==", mimeType: "image/png" } },
            {
              type: "document",
              source: { type: "url", value: "https://example.com/a.pdf", mimeType: "application/pdf" }
            },
            { type: "video", source: { type: "data", value: "AA==", mimeType: "video/mp4" } }
          ], "u3")
        ],
        context: [{ description: "The open file", value: "a.txt" }]
      }))
      expect(prompt).toEqual([
        { type: "text", text: "look at" },
        { type: "text", text: "these" },
        { type: "image", data: "AA==", mimeType: "image/png" },
        {
          type: "resource_link",
          name: "https://example.com/a.pdf",
          uri: "https://example.com/a.pdf",
          mimeType: "application/pdf"
        },
        { type: "resource", resource: { uri: "data:video/mp4", blob: "AA==", mimeType: "video/mp4" } },
        { type: "text", text: "The open file\na.txt", annotations: { audience: ["assistant"] } }
      ])
      expect(warnings).toEqual([])
      // a person is not shown what was said for the agent
      const { agent, run } = client(running)
      yield* run()
      expect(JSON.stringify(agent.messages[0])).not.toContain("The open file")
    }))

  it.scopedLive("and what does not is said", () =>
    Effect.gen(function*() {
      const { warnings } = yield* prompts(input({
        messages: [{ id: "s", role: "system", content: "be brief" }, user("hi")],
        tools: [{ name: "confirm", description: "asks" }, { name: "paint", description: "paints" }],
        state: { page: 3, holdfast: { plan: [] } },
        forwardedProps: { model: "x", holdfast: { title: "mine" } }
      }))
      expect(warnings).toEqual([
        "the agent cannot call the client's tools: confirm, paint",
        "system messages are not given to the agent; its own instructions hold",
        "the agent is not given the client's state: page",
        "forwardedProps that nothing reads: model"
      ])
    }))

  it.scopedLive("the session is opened as forwardedProps say", () =>
    Effect.gen(function*() {
      const { running } = yield* prompts(input({ forwardedProps: { holdfast: { title: "mine", cwd: "/" } } }))
      expect(yield* sessions(running)).toMatchObject([{ title: "mine", cwd: "/" }])
    }))

  it.scopedLive("what a turn without an answer was asked is not asked again", () =>
    Effect.gen(function*() {
      const asked: Array<string> = []
      const running = yield* start(({ content }) => Effect.sync(() => void asked.push(JSON.stringify(content))))
      const { say } = client(running)
      yield* say("one")
      yield* say("two")
      yield* say("three")
      expect(asked).toEqual(["one", "two", "three"].map((text) => JSON.stringify([{ type: "text", text }])))
    }))
})

describe("a join", () => {
  it.scopedLive("of a thread in which nobody has written is empty, and makes nothing", () =>
    Effect.gen(function*() {
      const running = yield* start(echo)
      const { agent, run } = client(running)
      const ran = yield* run()
      expect(ran.types).toEqual([EventType.RUN_STARTED, EventType.STATE_SNAPSHOT, RUN_FINISHED])
      expect(agent.messages).toEqual([])
      expect(yield* sessions(running)).toEqual([])
    }))

  it.scopedLive("of a thread at rest is its conversation, also when its session is closed", () =>
    Effect.gen(function*() {
      const running = yield* start(({ say }) =>
        Effect.zipRight(say({ type: "ThoughtChunk", text: "a" }), say(text("b")))
      )
      const first = client(running)
      yield* first.say("one")
      yield* first.say("two")
      const [session] = yield* sessions(running)
      for (const close of [false, true]) {
        if (close) yield* running.sessions.close(session!.id)
        for (const threadId of ["a thread", session!.id]) {
          const other = client(running, { threadId })
          const ran = yield* other.run()
          expect(ran.error).toBeUndefined()
          expect(ran.last).toMatchObject({ outcome: { type: "success" } })
          expect(texts(other.agent.messages)).toEqual(texts(first.agent.messages))
        }
      }
    }))

  it.scopedLive("of a run opens what is open, and goes on with it", () =>
    Effect.gen(function*() {
      const gates = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
      const running = yield* start(({ say }) =>
        Effect.gen(function*() {
          yield* say({ type: "ToolCallStarted", toolCallId: "t", title: "T", status: "pending" })
          yield* say({ type: "ProcessOutput", processId: "p", stream: "stdout", data: "1" })
          yield* say(text("Hello"))
          yield* Deferred.await(gates[0])
          yield* say(text(" there"))
          yield* say({ type: "ProcessOutput", processId: "p", stream: "stdout", data: "2" })
          yield* say({ type: "ToolCallEnded", toolCallId: "t", status: "completed", rawOutput: "done" })
          yield* Deferred.await(gates[1])
          yield* say(text("!"))
        })
      )
      const first = client(running)
      const whole = yield* Effect.fork(first.say("hi"))
      const second = client(running)
      const joined = yield* Effect.fork(Effect.zipRight(
        Effect.repeat(Effect.delay(sessions(running), "5 millis"), { until: ([session]) => (session?.head ?? 0) >= 6 }),
        second.run({}, ({ type }) => {
          if (type === EventType.TOOL_CALL_START) Deferred.unsafeDone(gates[0], Exit.void)
          if (type === EventType.TOOL_CALL_RESULT) Deferred.unsafeDone(gates[1], Exit.void)
        })
      ))
      const ran = yield* Fiber.join(joined)
      yield* Fiber.join(whole)
      expect(ran.error).toBeUndefined()
      expect(second.agent.messages.slice(1)).toEqual(first.agent.messages.slice(1))
      expect(texts(second.agent.messages)).toEqual(["user: hi", "tool: done", "assistant: Hello there!"])
    }))

  it.scopedLive("is not needed by a client that another has overtaken: its next run tells all", () =>
    Effect.gen(function*() {
      const running = yield* start(({ content, say }) => say(text(`you said ${JSON.stringify(content)}`)))
      const [first, second] = [client(running), client(running)]
      yield* first.say("one")
      yield* second.say("two")
      const ran = yield* first.say("three")
      expect(ran.error).toBeUndefined()
      expect(texts(first.agent.messages).filter((each) => each.startsWith("user"))).toEqual([
        "user: one",
        "user: two",
        "user: three"
      ])
      // one that has seen all is not told again
      expect((yield* first.say("four")).types).not.toContain(EventType.MESSAGES_SNAPSHOT)
    }))
})

describe("the stream", () => {
  const many: ScriptedAgent.Options["turn"] = ({ say }) =>
    Effect.forEach(
      [1, 2, 3, 4, 5, 6],
      (n) =>
        Effect.zipRight(say({ type: n % 2 === 0 ? "ThoughtChunk" : "TextChunk", text: `${n}` }), say(text(`${n}`))),
      {
        discard: true
      }
    )

  it.scopedLive("has an id on the last frame of what belongs together, and on no other", () =>
    Effect.gen(function*() {
      const running = yield* start(many)
      const reply = yield* post(running, input())
      expect(reply.headers).toMatchObject({
        "content-type": "text/event-stream",
        "cache-control": "no-cache, no-transform",
        "x-accel-buffering": "no"
      })
      const told = frames(reply.text)
      const ids = told.flatMap(({ id }) => id === undefined ? [] : [id])
      expect(ids).toEqual([...ids].sort((a, b) => a - b))
      expect(new Set(ids).size).toBe(ids.length)
      // a message that begins is one group with its first words
      for (const [index, { event, id }] of told.entries()) {
        if (/_START$|_STARTED$/.test(event.type)) expect(id, event.type).toBeUndefined()
        if (/_CONTENT$|_FINISHED$/.test(event.type)) expect(told[index]?.id, event.type).toBeDefined()
      }
    }))

  it.scopedLive("goes on after any id as if it had not been cut", () =>
    Effect.gen(function*() {
      const running = yield* start(many)
      const whole = yield* post(running, input())
      const told = frames(whole.text)
      for (const [index, { id }] of told.entries()) {
        if (id === undefined) continue
        const rest = yield* post(running, input(), { headers: { "last-event-id": `${id}` } })
        expect(rest.status).toBe(200)
        expect(frames(rest.text)).toEqual(told.slice(index + 1))
      }
      const past = yield* post(running, input(), { headers: { "last-event-id": "999" } })
      expect(past).toMatchObject({ status: 400, body: { issues: [{ path: ["last-event-id"] }] } })
      const nowhere = input({ threadId: "another" })
      expect((yield* post(running, nowhere, { headers: { "last-event-id": "3" } })).status).toBe(404)
    }))

  it.scopedLive("EL6 of a turn whose beginning was trimmed can be joined, and not resumed", () =>
    Effect.gen(function*() {
      const running = yield* start(({ say }) =>
        Effect.zipRight(Effect.forEach([1, 2, 3], (n) => say(text(`${n}`))), Effect.never)
      )
      const cut = yield* Effect.fork(post(running, input()))
      const [session] = yield* Effect.repeat(Effect.delay(sessions(running), "5 millis"), {
        until: ([session]) => (session?.head ?? 0) >= 6
      })
      yield* Fiber.interrupt(cut)
      yield* running.log.trim(session!.id, 5)
      // another life of the gateway, which remembers nothing
      const next = yield* over(running.log, [yield* ScriptedAgent.make({ turn: () => Effect.never })])
      const resumed = yield* post(next, input(), { headers: { "last-event-id": "5" } })
      expect(resumed).toMatchObject({ status: 410, body: { _tag: "CursorExpired" } })
      yield* next.log.append(session!.id, [{
        event: { type: "RunEnded", outcome: { _tag: "Completed", stopReason: "end_turn" } },
        runId: session!.run
      }])
      const { agent, run } = client(next)
      const ran = yield* run()
      expect(ran.error).toBeUndefined()
      expect(texts(agent.messages)).toEqual(["assistant: 23"])
    }))

  it.scopedLive("is SSE for whoever accepts anything, and protobuf for whoever names it", () =>
    Effect.gen(function*() {
      const running = yield* start(many)
      const sse = yield* post(running, input(), { headers: { accept: "*/*" } })
      expect(sse.headers["content-type"]).toBe("text/event-stream")

      const type = "application/vnd.ag-ui.event+proto"
      class Protobuf extends HttpAgent {
        protected override requestInit(input: Parameters<HttpAgent["run"]>[0]) {
          return {
            ...super.requestInit(input),
            headers: { "content-type": "application/json", accept: `${type};q=0.5` }
          }
        }
      }
      let answered: string | null = null
      const { agent, say } = client(running, { make: Protobuf })
      agent.fetch = async (url, init) => {
        const response = await fetchOnce(url, init)
        answered = response.headers.get("content-type")
        return response
      }
      agent.messages = []
      const ran = yield* say("hi", { runId: "a run" })
      expect(answered).toBe(type)
      expect(ran.error).toBeUndefined()
      // the official client's decoder writes the fields in another order, and leaves nothing out
      expect(JSON.parse(JSON.stringify(ran.events))).toEqual(frames(sse.text).map(({ event }) => event))
    }))

  it.scopedLive("shows that it lives while nothing happens, and ends when the gateway does", () =>
    Effect.gen(function*() {
      const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
      const running = yield* Scope.extend(
        start(({ say }) => Effect.zipRight(say(text("a")), Effect.never), { heartbeat: "20 millis" }),
        scope
      )
      const socket = yield* connect(running.gateway)
      const body = JSON.stringify(input())
      socket.write(
        `POST /agui/scripted HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
      )
      yield* until("a heartbeat", () => socket.received().includes(": heartbeat"))
      expect(socket.received()).toContain("retry: 1000")
      yield* Scope.close(scope, Exit.void)
      yield* until("the end", socket.closed)
      expect(socket.received()).not.toMatch(/RUN_FINISHED|RUN_ERROR/)
      expect(socket.received().endsWith("0\r\n\r\n")).toBe(true)
    }))
})
