/**
 * Through real sessions: what a log says of an AG-UI agent.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { describe, expect } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import * as AguiAgent from "../../../src/agent/agui/AguiAgent.js"
import * as Content from "../../../src/domain/Content.js"
import type { SessionId } from "../../../src/domain/Ids.js"
import { StoredEvent } from "../../../src/domain/StoredEvent.js"
import * as EventLog from "../../../src/log/EventLog.js"
import * as Fixture from "../../gateway/agui/fixture.js"
import { finished, message, type Run, type Server, start, started, until } from "./server.js"

leakFreeFile()

const decode = Schema.decodeSync(Schema.parseJson(StoredEvent))

const agentAt = (server: Server, options: Partial<AguiAgent.AguiAgentOptions> = {}) =>
  Effect.provide(
    AguiAgent.make("remote", { url: server.url, events: `${server.url}events`, ...options }),
    NodeHttpClient.layer
  )

const memory = Effect.map(Layer.build(EventLog.layerMemory), Context.get(EventLog.EventLog))

/** What a test does with a session, and its log. */
const driving = (sessions: Fixture.Running["sessions"], id: SessionId) => ({
  id,
  sessions,
  prompt: (text: string) => sessions.prompt(id, { content: [Content.text(text)] }),
  /** The log up to the first event that fits. */
  upTo: (fits: (stored: StoredEvent) => boolean) =>
    sessions.events({ session: id, after: 0 }).pipe(
      Stream.map(({ json }) => decode(json)),
      Stream.takeUntil(fits),
      Stream.runCollect,
      Effect.map((events) => [...events])
    )
})

/** A session of an agent at that server, and its log. */
const open = Effect.fnUntraced(function*(server: Server, options: Partial<AguiAgent.AguiAgentOptions> = {}) {
  const { gateway, sessions } = yield* Fixture.over(yield* memory, [yield* agentAt(server, options)])
  const { id } = yield* sessions.create({ agent: "remote" })
  yield* until("somebody listens", () => server.listeners.some((listener) => !listener.isClosed()))
  return { ...driving(sessions, id), gateway }
})

const reply = (run: Run, text: string) =>
  run.send(started(run.input), ...message(run.input.runId, `m${run.number}`, text), finished(run.input))

const ended = (runId: string) => ({ event, runId: id }: StoredEvent) => event.type === "RunEnded" && id === runId

describe("a session with an AG-UI agent", () => {
  it.scopedLive("AG3 records a turn that comes late as a run of its own, which tells where it comes from", () =>
    Effect.gen(function*() {
      const server = yield* start({ run: (run) => reply(run, "hello") })
      const session = yield* open(server)
      const { runId } = yield* session.prompt("hi")
      yield* session.upTo(ended(runId))
      const late = { runId: "late", threadId: server.inputs[0]?.threadId ?? "" }
      server.say(started(late, { parentRunId: runId }), ...message("late", "lm", "it is done"), finished(late))
      const events = yield* session.upTo(({ event, runId: id }) => event.type === "RunEnded" && id !== runId)
      const own = events.at(-1)?.runId
      expect(events.slice(-3)).toMatchObject([
        { runId: own, event: { type: "RunStarted", until: "session", parentRunId: runId, prompt: [] } },
        { runId: own, event: { type: "TextChunk", text: "it is done" } },
        { runId: own, event: { type: "RunEnded", outcome: { _tag: "Completed", stopReason: "end_turn" } } }
      ])
    }))

  it.scopedLive("RS1 ends a run as Lost whose stream ends before it, and the session goes on", () =>
    Effect.gen(function*() {
      const server = yield* start({
        run: (run) => {
          if (run.number > 1) return reply(run, "well")
          run.send(started(run.input), ...message(run.input.runId, "m", "partly"))
          run.end()
        }
      })
      const session = yield* open(server)
      const { runId } = yield* session.prompt("hi")
      const events = yield* session.upTo(ended(runId))
      expect(events.slice(-2)).toMatchObject([
        { runId, event: { type: "TextChunk", text: "partly" } },
        {
          runId,
          event: { type: "RunEnded", outcome: { _tag: "Lost", reason: expect.stringContaining("ended before") } }
        }
      ])
      const next = yield* session.prompt("again")
      expect((yield* session.upTo(ended(next.runId))).at(-1)).toMatchObject({
        event: { outcome: { _tag: "Completed" } }
      })
    }))

  it.scopedLive("EB3 carries the answer to an interrupt back, and the run stays one", () =>
    Effect.gen(function*() {
      const interrupts = [{ id: "i1", reason: "confirmation", message: "Shall I?" }]
      const server = yield* start({
        run: (run) => {
          if (run.input.resume === undefined) {
            return run.send(started(run.input), finished(run.input, { outcome: { type: "interrupt", interrupts } }))
          }
          reply(run, "I did")
        }
      })
      const session = yield* open(server)
      const { runId } = yield* session.prompt("hi")
      yield* session.upTo(({ event }) => event.type === "ElicitationRequested")
      const [asked] = yield* session.sessions.elicitations(session.id)
      expect(asked).toMatchObject({ kind: "confirmation", message: "Shall I?", runId })
      if (asked === undefined) return
      expect(yield* session.sessions.get(session.id)).toMatchObject({ status: "waiting" })
      yield* session.sessions.answer(session.id, asked.id, { action: "accept" })
      const events = yield* session.upTo(ended(runId))
      expect(events.slice(-3).map(({ event }) => event.type)).toStrictEqual([
        "ElicitationSettled",
        "TextChunk",
        "RunEnded"
      ])
      expect(events.filter(({ event }) => event.type === "RunStarted")).toHaveLength(1)
    }))

  it.scopedLive("cancels a run that waits for an answer, and the agent hears that it is given up", () =>
    Effect.gen(function*() {
      const interrupts = [{ id: "i1", reason: "confirmation", message: "Shall I?" }]
      const server = yield* start({
        run: (run) =>
          run.input.resume === undefined
            ? run.send(started(run.input), finished(run.input, { outcome: { type: "interrupt", interrupts } }))
            : run.send(started(run.input), finished(run.input, { outcome: { type: "cancelled" } }))
      })
      const session = yield* open(server)
      const { runId } = yield* session.prompt("hi")
      yield* session.upTo(({ event }) => event.type === "ElicitationRequested")
      yield* session.sessions.cancel(session.id)
      expect((yield* session.upTo(ended(runId))).at(-1)).toMatchObject({ event: { outcome: { _tag: "Cancelled" } } })
      expect(server.inputs[1]?.resume).toStrictEqual([{ interruptId: "i1", status: "cancelled" }])
    }))

  it.scopedLive("AG3 stops listening when it is closed", () =>
    Effect.gen(function*() {
      const server = yield* start({})
      const session = yield* open(server)
      yield* session.sessions.close(session.id)
      yield* until("nobody listens", () => server.sockets.size === 0)
    }))

  it.scopedLive("an endpoint that remembers nothing is sent the whole conversation also after a restart of the gateway, and the state", () =>
    Effect.gen(function*() {
      const call = [
        { type: "TOOL_CALL_START", toolCallId: "c1", toolCallName: "read", parentMessageId: "a1" },
        { type: "TOOL_CALL_ARGS", toolCallId: "c1", delta: "{\"path\":\"a.txt\"}" },
        { type: "TOOL_CALL_END", toolCallId: "c1" },
        { type: "TOOL_CALL_RESULT", messageId: "r1", toolCallId: "c1", content: "one" }
      ]
      const server = yield* start({
        run: (run) => {
          if (run.number > 1) return reply(run, `answer ${run.number}`)
          run.send(
            started(run.input),
            { type: "STATE_SNAPSHOT", snapshot: { topic: "files" } },
            ...message(run.input.runId, "a1", "I look ", "at it"),
            ...call,
            ...message(run.input.runId, "a2", "it says one"),
            finished(run.input)
          )
        }
      })
      const log = yield* memory
      const life = <A, E, R>(
        body: (sessions: Fixture.Running["sessions"]) => Effect.Effect<A, E, R>
      ) =>
        Effect.scoped(
          Effect.flatMap(agentAt(server), (agent) =>
            Effect.flatMap(Fixture.over(log, [agent]), ({ sessions }) => body(sessions)))
        )
      const turn = (sessions: Fixture.Running["sessions"], id: SessionId, text: string) =>
        Effect.gen(function*() {
          const { prompt, upTo } = driving(sessions, id)
          yield* upTo(ended((yield* prompt(text)).runId))
        })
      const id = yield* life((sessions) =>
        Effect.gen(function*() {
          const { id } = yield* sessions.create({ agent: "remote" })
          yield* turn(sessions, id, "what is in a.txt?")
          // something between the runs
          server.say(...message("late", "a3", "and nobody has changed it"))
          yield* driving(sessions, id).upTo(({ event }) => event.type === "TextChunk" && event.messageId === "a3")
          return id
        })
      )
      yield* life((sessions) => turn(sessions, id, "and now?"))
      yield* life((sessions) => turn(sessions, id, "still?"))
      expect(server.inputs.map(({ threadId }) => threadId)).toStrictEqual(Array(3).fill(server.inputs[0]?.threadId))
      const read = { id: "c1", type: "function", function: { name: "read", arguments: "{\"path\":\"a.txt\"}" } }
      expect(server.inputs[2]?.state).toStrictEqual({ topic: "files" })
      expect(server.inputs[2]?.messages).toMatchObject([
        { role: "user", content: "what is in a.txt?" },
        { id: "a1", role: "assistant", content: "I look at it" },
        { role: "assistant", toolCalls: [read] },
        { role: "tool", toolCallId: "c1", content: "one" },
        { id: "a2", role: "assistant", content: "it says one" },
        { id: "a3", role: "assistant", content: "and nobody has changed it" },
        { role: "user", content: "and now?" },
        { role: "assistant", content: "answer 2" },
        { role: "user", content: "still?" }
      ])
    }))

  /** A run that the agent has begun itself, and that does not end by itself. */
  const own = Effect.fnUntraced(function*(options: Partial<AguiAgent.AguiAgentOptions>) {
    const server = yield* start({ run: (run) => reply(run, "hello") })
    const session = yield* open(server, {
      ...options,
      ...("interrupt" in options ? { interrupt: `${server.url}interrupt` } : {})
    })
    const { runId } = yield* session.prompt("hi")
    yield* session.upTo(ended(runId))
    const late = { runId: "late", threadId: server.inputs[0]?.threadId ?? "" }
    server.say(started(late, { parentRunId: runId }), ...message("late", "lm", "I work"))
    const events = yield* session.upTo(({ event }) => event.type === "TextChunk" && event.text === "I work")
    const run = events.at(-1)?.runId
    const cancel = Effect.promise(() =>
      Fixture.fetchOnce(`${session.gateway.url}/v1/sessions/${session.id}/cancel?run=${run}`, { method: "POST" })
    )
    return { server, session, late, run, cancel }
  })

  it.scopedLive("interrupts a run of the agent's own where it can be told, and hears how it ends", () =>
    Effect.gen(function*() {
      const { cancel, late, run, server, session } = yield* own({ interrupt: "" })
      expect((yield* cancel).status).toBe(202)
      yield* until("it is interrupted", () => server.interrupts.length === 1)
      expect(server.interrupts).toStrictEqual([{ thread_id: late.threadId }])
      server.say(finished(late, { outcome: { type: "cancelled" } }))
      const events = yield* session.upTo(({ event, runId }) => event.type === "RunEnded" && runId === run)
      expect(events.at(-1)).toMatchObject({ event: { outcome: { _tag: "Cancelled" } } })
    }))

  it.scopedLive("says that a run of the agent's own cannot be stopped where that is so, and tells no end that did not come", () =>
    Effect.gen(function*() {
      const { cancel, late, run, server, session } = yield* own({})
      const refused = yield* cancel
      expect(refused.status).toBe(501)
      expect(yield* Effect.promise(() => refused.json())).toMatchObject({
        _tag: "AgentUnsupported",
        capability: "cancelRun",
        message: `the agent remote cannot stop the run ${run} alone; a restart of the session ends it`
      })
      server.say(finished(late))
      const events = yield* session.upTo(({ event, runId }) => event.type === "RunEnded" && runId === run)
      expect(events.at(-1)).toMatchObject({ event: { outcome: { _tag: "Completed" } } })
    }))
})
