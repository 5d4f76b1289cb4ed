import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { leakFreeFile } from "holdfast/testing/vitest"
import parse from "parse-prometheus-text-format"
import * as Agent from "../../src/agent/Agent.js"
import * as Gateway from "../../src/gateway/Gateway.js"
import * as EventLog from "../../src/log/EventLog.js"
import * as Sessions from "../../src/session/Sessions.js"
import * as ScriptedAgent from "../../src/testing/ScriptedAgent.js"
import { connect, get, request, start, until } from "./fixture.js"

leakFreeFile()

const counts = {
  sessions: { starting: 0, idle: 0, running: 0, waiting: 0, restarting: 0, closed: 0, failed: 0 },
  questions: 0
}

/** One value of a scrape: of the sample with this label value, where there are several. */
const read = (text: string, name: string, label?: string) => {
  const metrics = parse(text).find((family) => family.name === name)?.metrics ?? []
  const found = metrics.find(({ labels = {} }) => label === undefined || Object.values(labels).includes(label))
  return Number(found?.value ?? found?.count)
}

describe("GET /metrics", () => {
  it.scopedLive("tells what the gateway has and does, and a parser understands it", () =>
    Effect.gen(function*() {
      const goOn = yield* Deferred.make<void>()
      const agent = yield* ScriptedAgent.make({
        turn: ({ ask, say }) =>
          Effect.zipRight(
            Effect.zipRight(say({ type: "TextChunk", text: "one" }), ask({ kind: "confirmation", message: "Well?" })),
            Deferred.await(goOn)
          )
      })
      const agents = Agent.layer([agent])
      const sessions = Sessions.layer.pipe(Layer.provide([EventLog.layerMemory, agents, NodeContext.layer]))
      const layer = Gateway.layer({ version: "0.1.0", port: 0 }).pipe(Layer.provide([sessions, agents]))
      const gateway = Context.get(yield* Layer.build(layer), Gateway.Gateway)
      const scrape = Effect.map(request(gateway, "GET", "/metrics"), ({ text }) => text)

      const before = yield* scrape
      const open = yield* request(gateway, "POST", "/v1/sessions", { json: { agent: "scripted" } })
      yield* request(gateway, "POST", "/v1/sessions", { json: { agent: "scripted" } })
      const path = `/v1/sessions/${open.body.id}`
      const client = yield* connect(gateway)
      client.write(get(`${path}/events`))
      yield* request(gateway, "POST", `${path}/runs`, { json: { prompt: "do it" } })
      yield* until("the question", () => client.received().includes("event: ElicitationRequested"))
      const asking = yield* scrape
      expect(read(asking, "holdfast_sessions", "waiting")).toBe(1)
      expect(read(asking, "holdfast_sessions", "idle")).toBe(1)
      expect(read(asking, "holdfast_questions_pending")).toBe(1)
      expect(read(asking, "holdfast_event_streams_open")).toBe(1)

      const { body } = yield* request(gateway, "GET", `${path}/elicitations`)
      const [question] = body.elicitations as ReadonlyArray<{ readonly id: string }>
      yield* request(gateway, "POST", `${path}/elicitations/${question?.id}`, { json: { action: "accept" } })
      expect(read(yield* scrape, "holdfast_sessions", "running")).toBe(1)
      yield* Deferred.succeed(goOn, void 0)
      yield* until("the end", () => client.received().includes("event: RunEnded"))
      yield* request(gateway, "POST", `${path}/restart`, { json: { wait: true } })
      const after = yield* scrape

      const gained = (name: string, label?: string) => read(after, name, label) - read(before, name, label)
      expect(read(after, "holdfast_questions_pending")).toBe(0)
      expect(gained("holdfast_runs_ended_total", "Completed")).toBe(1)
      expect(gained("holdfast_runs_ended_total", "Failed")).toBe(0)
      const { body: session } = yield* request(gateway, "GET", path)
      // and the two of the session that nobody prompted
      expect(gained("holdfast_events_appended_total")).toBe(Number(session.head) + 2)
      expect(gained("holdfast_append_batch_events")).toBeGreaterThan(3)
      expect(gained("holdfast_append_seconds")).toBe(gained("holdfast_append_batch_events"))
      expect(gained("holdfast_restart_cycles_started_total")).toBe(1)
      expect(gained("holdfast_stream_dials_total")).toBe(3)
      expect(read(after, "holdfast_streams_live")).toBe(2)
      expect(read(after, "process_resident_memory_bytes")).toBeGreaterThan(1e6)
      expect(read(after, "process_start_time_seconds") * 1000).toBeCloseTo(performance.timeOrigin, -1)

      // the event loop is watched from the first scrape on, and has to turn a few times
      const lag = Effect.map(
        Effect.delay(scrape, "30 millis"),
        (text) => read(text, "nodejs_eventloop_lag_max_seconds")
      )
      expect(yield* Effect.repeat(lag, { until: (seconds) => seconds >= 0 })).toBeLessThan(60)

      yield* request(gateway, "DELETE", path)
      expect(read(yield* scrape, "holdfast_sessions", "idle")).toBe(1)
    }))

  it.scopedLive("is Prometheus' text, and behind the same checks as every route", () =>
    Effect.gen(function*() {
      const given = { counts: Effect.succeed(counts) }
      const plain = yield* start(given)
      const { headers, status } = yield* request(plain, "GET", "/metrics")
      expect([status, headers["content-type"]]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"])
      expect((yield* request(plain, "POST", "/metrics", { json: {} })).status).toBe(405)
      expect((yield* request(plain, "GET", "/metrics", { headers: { host: "evil.example" } })).status).toBe(403)

      const token = Redacted.make("s3cret")
      const closed = yield* start(given, { token })
      expect((yield* request(closed, "GET", "/metrics")).status).toBe(401)
      const bearer = { headers: { authorization: "Bearer s3cret" } }
      expect((yield* request(closed, "GET", "/metrics", bearer)).status).toBe(200)

      const open = yield* start(given, { token, publicMetrics: true })
      expect((yield* request(open, "GET", "/metrics")).status).toBe(200)
      expect((yield* request(open, "GET", "/v1/agents")).status).toBe(401)
      expect((yield* request(open, "GET", "/metrics/../v1/agents")).status).not.toBe(200)
    }))
})
