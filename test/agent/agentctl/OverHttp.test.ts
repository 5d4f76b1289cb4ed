/**
 * Agents behind a host as a user of the HTTP interface has them: what works, and what is said of what does not.
 */
import { describe, expect } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import type { Agent } from "../../../src/agent/Agent.js"
import * as EventLog from "../../../src/log/EventLog.js"
import * as Fixture from "../../gateway/agui/fixture.js"
import * as FakeHost from "./FakeHost.js"
import { agentOf, eventually } from "./fixture.js"

leakFreeFile()

const gateway = Effect.fnUntraced(function*(
  agents: ReadonlyArray<Agent>,
  limits: Parameters<typeof Fixture.over>[3] = {}
) {
  const log = yield* Effect.map(Layer.build(EventLog.layerMemory), Context.get(EventLog.EventLog))
  const { gateway: { url } } = yield* Fixture.over(log, agents, {}, limits)
  const call = (method: string, path: string, body?: object) =>
    Effect.promise(async () => {
      const answer = await Fixture.fetchOnce(`${url}/v1/sessions${path}`, {
        method,
        headers: { "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) })
      })
      const text = await answer.text()
      return { status: answer.status, body: text.startsWith("{") ? JSON.parse(text) : text }
    })
  return { call, url }
})

describe("a session of an agent behind a host, over HTTP", () => {
  it.scopedLive("takes what is typed, commands and their end", () =>
    Effect.gen(function*() {
      const host = yield* FakeHost.make()
      const { call } = yield* gateway([yield* agentOf(host)])
      const { body: { id } } = yield* call("POST", "", { agent: "host" })
      expect((yield* call("POST", `/${id}/shell`, { data: "ls\r", columns: 120, rows: 40 })).status).toBe(202)
      yield* eventually(() => host.workspaceHeard.length === 2)
      expect(host.workspaceHeard).toContainEqual(expect.objectContaining({ type: "shell_input", data: "ls\r" }))
      expect(host.workspaceHeard).toContainEqual(expect.objectContaining({ type: "shell_resize", cols: 120, rows: 40 }))
      const started = yield* call("POST", `/${id}/processes`, { command: "make", cwd: "sub", env: { A: "1" } })
      expect(started).toMatchObject({ status: 201, body: { processId: "proc-1" } })
      expect((yield* call("DELETE", `/${id}/processes/proc-1`)).status).toBe(204)
      expect(host.bodies.at(-1)).toStrictEqual({ process_id: "proc-1" })
      // and what the host does not take is told in its own words
      host.faults.answer = { path: "/api/v1/processes/start", status: 400, body: "{\"error\":\"no such folder\"}" }
      expect(yield* call("POST", `/${id}/processes`, { command: "make" })).toMatchObject({
        status: 502,
        body: { _tag: "AgentRequestFailed", message: expect.stringContaining("no such folder") }
      })
    }))

  it.scopedLive("releases its instance when it is idle, and has another with the next prompt", () =>
    Effect.gen(function*() {
      const host = yield* FakeHost.make()
      const { call, url } = yield* gateway([yield* agentOf(host)], { idle: { after: Duration.millis(300) } })
      const { body: { id } } = yield* call("POST", "", { agent: "host" })
      yield* eventually(() => host.instances.size === 0)
      yield* eventually(() => host.readers() === 0)
      yield* call("POST", `/${id}/runs`, { prompt: "are you there?" })
      yield* eventually(() => host.asked.some(({ action }) => action === "agent.prompt"))
      expect(host.asked.map(({ action }) => action)).toContain("agent.session.load")
      const events = yield* Effect.promise(async () =>
        await (await Fixture.fetchOnce(`${url}/v1/sessions/${id}/events?follow=false`)).text()
      )
      expect(events).toContain("AgentDisconnected")
    }))

  it.scopedLive("is refused with what is wrong and what would be right", () =>
    Effect.gen(function*() {
      const host = yield* FakeHost.make()
      const broken = (answer: NonNullable<FakeHost.Faults["answer"]>) =>
        Effect.tap(FakeHost.make(), ({ faults }) => Effect.sync(() => faults.answer = answer))
      const dead = yield* Effect.scoped(FakeHost.make())
      const named = (name: string, host: FakeHost.FakeHost, options: Parameters<typeof agentOf>[1] = {}) =>
        Effect.map(agentOf(host, options), (agent) => ({ ...agent, name }))
      const elsewhere = "http://elsewhere.example/api"
      const agents = yield* Effect.all([
        named("nonce", host, { nonce: Redacted.make("wr0ng") }),
        named("token", host, { nonce: undefined, token: Redacted.make("wr0ng") }),
        named("dead", dead),
        named("tls", { ...host, url: host.url.replace("http:", "https:") }),
        named(
          "redirect",
          yield* broken({ path: "/api/v1/instances", status: 302, body: "", location: elsewhere })
        ),
        named("html", yield* broken({ path: "/api/v1/instances", status: 200, body: "<html>" })),
        named("odd", yield* broken({ path: "/api/v1/instances", status: 200, body: "{\"instances\":[{}]}" })),
        named("command", yield* broken({ path: "/api/v1/start", status: 500, body: "{\"error\":\"no such file\"}" }))
      ])
      const { call } = yield* gateway(agents)
      const seen = yield* Effect.forEach(agents, ({ name }) =>
        Effect.map(call("POST", "", { agent: name }), ({ body, status }) => [name, status, body._tag, body.message]))
      const told = (...words: ReadonlyArray<string>) =>
        expect.stringMatching(
          new RegExp(
            words.map((word) =>
              word.replace(/[.()?]/g, "\\$&")
            ).join(".*")
          )
        )
      expect(seen).toStrictEqual([
        ["nonce", 502, "AgentAuthRequired", told("POST /auth/handshake (403)", "start the host with a new nonce")],
        ["token", 502, "AgentAuthRequired", told("invalid auth token", "The configured token is not the host's")],
        ["dead", 502, "AgentLost", told("cannot be reached: connect ECONNREFUSED")],
        ["tls", 502, "AgentLost", told("cannot be reached: no TLS")],
        ["redirect", 502, "AgentRequestFailed", told(`it redirects to ${elsewhere}; put that address`)],
        ["html", 502, "AgentProtocolError", told("answered GET /api/v1/instances with what is not JSON: <html>")],
        ["odd", 502, "AgentProtocolError", told("the agent host's answer to GET /api/v1/instances")],
        ["command", 502, "AgentRequestFailed", told("POST /api/v1/start (500): no such file")]
      ])
      expect(JSON.stringify(seen)).not.toContain("wr0ng")
    }))
})
