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
import { StoredEvent } from "../../../src/domain/StoredEvent.js"
import * as EventLog from "../../../src/log/EventLog.js"
import * as Fixture from "../../gateway/agui/fixture.js"
import { finished, message, type Run, type Server, start, started, until } from "./server.js"

leakFreeFile()

const decode = Schema.decodeSync(Schema.parseJson(StoredEvent))

/** A session of an agent at that server, and its log. */
const open = Effect.fnUntraced(function*(server: Server) {
  const log = yield* Effect.map(Layer.build(EventLog.layerMemory), Context.get(EventLog.EventLog))
  const agent = yield* Effect.provide(
    AguiAgent.make("remote", { url: server.url, events: `${server.url}events` }),
    NodeHttpClient.layer
  )
  const { sessions } = yield* Fixture.over(log, [agent])
  const { id } = yield* sessions.create({ agent: "remote" })
  yield* until("somebody listens", () => server.listeners.some((listener) => !listener.isClosed()))
  return {
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
  }
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
})
