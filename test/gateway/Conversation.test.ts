import * as NodeContext from "@effect/platform-node/NodeContext"
import { expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as Agent from "../../src/agent/Agent.js"
import * as Gateway from "../../src/gateway/Gateway.js"
import * as EventLog from "../../src/log/EventLog.js"
import * as Sessions from "../../src/session/Sessions.js"
import * as ScriptedAgent from "../../src/testing/ScriptedAgent.js"
import { connect, get, parseSse, request, until } from "./fixture.js"

leakFreeFile()

/** The gateway over the real sessions, an agent that asks before it acts, and a log in memory. */
const start = Effect.gen(function*() {
  const agent = yield* ScriptedAgent.make({
    turn: ({ ask, say }) =>
      Effect.gen(function*() {
        yield* say({ type: "TextChunk", text: "one moment" })
        const answer = yield* ask({
          kind: "permission",
          message: "May I?",
          options: [{ optionId: "yes", name: "Yes", kind: "allow_once" }]
        })
        yield* say({ type: "TextChunk", text: `told ${Option.getOrThrow(answer).content?.optionId}` })
      })
  })
  const agents = Agent.layer([agent])
  const sessions = Sessions.layer.pipe(Layer.provide([EventLog.layerMemory, agents, NodeContext.layer]))
  const gateway = Gateway.layer({ version: "0.1.0", port: 0 }).pipe(Layer.provide([sessions, agents]))
  return Context.get(yield* Layer.build(gateway), Gateway.Gateway)
})

it.scopedLive("a session, a prompt, a question, its answer and the end, by HTTP alone", () =>
  Effect.gen(function*() {
    const gateway = yield* start
    const opened = yield* request(gateway, "POST", "/v1/sessions", { json: { agent: "scripted" } })
    expect(opened).toMatchObject({ status: 201, body: { status: "idle", agent: "scripted" } })
    const path = `/v1/sessions/${opened.body.id}`

    const client = yield* connect(gateway)
    client.write(get(`${path}/events`))
    const headers = { "idempotency-key": "once" }
    const prompted = yield* request(gateway, "POST", `${path}/runs`, { json: { prompt: "do it" }, headers })
    expect(prompted.status).toBe(202)
    const again = yield* request(gateway, "POST", `${path}/runs`, { json: { prompt: "do it" }, headers })
    expect(again.body).toEqual(prompted.body)
    const other = yield* request(gateway, "POST", `${path}/runs`, { json: { prompt: "do that" }, headers })
    expect(other).toMatchObject({ status: 422, body: { _tag: "IdempotencyKeyReused", ...prompted.body } })

    yield* until("the question", () => client.received().includes("event: ElicitationRequested"))
    const busy = yield* request(gateway, "POST", `${path}/runs`, { json: { prompt: "more" } })
    expect(busy).toMatchObject({ status: 409, body: { _tag: "SessionBusy", runId: prompted.body.runId } })
    const { body } = yield* request(gateway, "GET", `${path}/elicitations`)
    const [question] = body.elicitations as ReadonlyArray<{ readonly id: string }>
    const answer = `${path}/elicitations/${question?.id}`
    const wrong = { action: "accept", content: { optionId: "maybe" } }
    expect((yield* request(gateway, "POST", answer, { json: wrong })).status).toBe(422)
    const right = { action: "accept", content: { optionId: "yes" } }
    expect((yield* request(gateway, "POST", answer, { json: right })).status).toBe(200)
    const late = yield* request(gateway, "POST", answer, { json: right })
    expect(late).toMatchObject({ status: 409, body: { outcome: { _tag: "Answered" } } })

    yield* until("the end", () => client.received().includes("event: RunEnded"))
    const history = yield* request(gateway, "GET", `${path}/events?follow=false`)
    const followed = parseSse(client.received().replace(/\r\n[0-9a-f]+\r\n/g, ""))
    expect(followed).toEqual(parseSse(history.text))
    expect(followed.map(({ id }) => id)).toEqual(followed.map((_, n) => n + 1))
    expect(followed.at(-1)?.data).toContain("\"_tag\":\"Completed\"")
    expect(history.text).toContain("told yes")

    expect((yield* request(gateway, "DELETE", path)).status).toBe(204)
    expect((yield* request(gateway, "DELETE", path)).status).toBe(204)
    const closed = yield* request(gateway, "POST", `${path}/runs`, { json: { prompt: "hello?" } })
    expect(closed).toMatchObject({ status: 409, body: { _tag: "SessionClosed" } })
  }))
