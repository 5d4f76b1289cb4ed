import { describe, expect } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import * as ScriptedAgent from "../../../src/testing/ScriptedAgent.js"
import * as Harness from "../../session/Harness.js"
import * as FakeHost from "./FakeHost.js"
import { agentOf, eventually } from "./fixture.js"

leakFreeFile()

const hows = (history: ReadonlyArray<{ readonly event: { readonly type: string; readonly how?: string } }>) =>
  history.flatMap(({ event }) => event.type === "AgentConnected" ? [event.how] : [])

const setup = Effect.fnUntraced(function*(options: Parameters<typeof agentOf>[1] = {}) {
  const host = yield* FakeHost.make()
  const agent = yield* agentOf(host, options)
  const harness = yield* Harness.make([agent])
  const session = yield* harness.open
  return { ...harness, host, session }
})

describe("a session of an agent behind a host", () => {
  it.scopedLive("ends its run as Lost, with the reason, when the host is gone for good", () =>
    Effect.gen(function*() {
      const { finish, host, prompt, session } = yield* setup({ outage: Duration.millis(300) })
      host.onPrompt = () => host.chunk("I work")
      const run = yield* prompt(session)
      yield* eventually(() => host.asked.some(({ action }) => action === "agent.prompt"))
      yield* host.kill
      const end = (yield* finish(session, run)).at(-1)?.event
      expect(end).toMatchObject({
        type: "RunEnded",
        outcome: { _tag: "Lost", reason: expect.stringContaining("the agent host is gone") }
      })
    }))

  it.scopedLive("restarts as the host does: the agent is stopped, configured and started in the same instance, and loads the session", () =>
    Effect.gen(function*() {
      const { finish, history, host, prompt, session, sessions } = yield* setup({ command: "an-agent" })
      yield* finish(session, yield* prompt(session))
      const before = host.calls.length
      const instances = [...host.instances.keys()]
      yield* Effect.flatten(sessions.restart(session, "requested"))
      expect(host.calls.slice(before).filter((call) => !call.startsWith("GET"))).toStrictEqual([
        "POST /api/v1/stop",
        "POST /api/v1/agent/configure",
        "POST /api/v1/start"
      ])
      expect([...host.instances.keys()]).toStrictEqual(instances)
      // a number that an earlier prompt of the instance had is never given again: a late end cannot be the next turn's
      host.onPrompt = ({ generation }) => {
        host.complete(1)
        host.chunk(`prompt ${generation}`)
        host.complete(generation)
      }
      const events = yield* finish(session, yield* prompt(session))
      expect(events.map(({ event }) => event)).toMatchObject([
        { type: "RunStarted" },
        { type: "TextChunk", text: "prompt 2" },
        { type: "RunEnded", outcome: { _tag: "Completed" } }
      ])
      expect(hows(yield* history(session))).toStrictEqual(["opened", "resumed"])
      yield* sessions.close(session)
      expect(host.instances.size).toBe(0)
    }))

  it.scopedLive("does so, too, when a cancel is not acknowledged, and takes a new instance when the agent cannot be stopped", () =>
    Effect.gen(function*() {
      const { finish, history, host, prompt, seen, session, sessions } = yield* setup()
      host.onPrompt = () => host.chunk("I work")
      const run = yield* prompt(session)
      yield* seen(session, "TextChunk")
      const instances = [...host.instances.keys()]
      host.faults.neverAcknowledge = true
      yield* sessions.cancel(session)
      expect((yield* finish(session, run)).at(-1)?.event).toMatchObject({ outcome: { _tag: "Cancelled" } })
      // it was only just started: the next prompt starts it again (RC9)
      host.onPrompt = ({ generation }) => host.complete(generation)
      expect((yield* finish(session, yield* prompt(session))).at(-1)?.event).toMatchObject({
        outcome: { _tag: "Completed" }
      })
      expect([...host.instances.keys()]).toStrictEqual(instances)
      host.faults.unstoppable = true
      yield* Effect.flatten(sessions.restart(session, "requested"))
      expect(host.calls.filter((call) => call.startsWith("DELETE"))).toStrictEqual(
        instances.map((id) => `DELETE /api/v1/instances/${id}`)
      )
      expect(host.instances.size).toBe(1)
      expect(hows(yield* history(session))).toStrictEqual(["opened", "resumed", "resumed"])
    }))

  it.scopedLive("kandev: a restart that could not be prepared had stopped the agent already; here nothing is touched before the host is there", () =>
    Effect.gen(function*() {
      const { finish, history, host, prompt, seen, session, sessions } = yield* setup()
      let generation = 0
      host.onPrompt = (prompt) => {
        generation = prompt.generation
        host.chunk("I work")
      }
      const run = yield* prompt(session)
      yield* seen(session, "TextChunk")
      host.faults.answer = { path: "/api/v1/status", status: 503, body: "{\"error\":\"overloaded\"}" }
      const error = yield* Effect.flip(Effect.flatten(sessions.restart(session, "requested")))
      expect(error).toMatchObject({ _tag: "AgentRequestFailed", message: expect.stringContaining("overloaded") })
      host.faults.answer = undefined
      // the turn goes on
      host.complete(generation)
      expect((yield* finish(session, run)).at(-1)?.event).toMatchObject({ outcome: { _tag: "Completed" } })
      expect(host.calls).not.toContain("POST /api/v1/stop")
      const types = (yield* history(session)).map(({ event }) => event.type)
      expect(types.filter((type) => type.startsWith("Agent"))).toStrictEqual([
        "AgentConnected",
        "AgentRestarting",
        "AgentRestartFailed"
      ])
    }))

  it.scopedLive("kandev: a restore that failed went on with half a session; here the agent is stopped, and the next prompt tries it again", () =>
    Effect.gen(function*() {
      const { finish, host, prompt, session, sessions } = yield* setup()
      host.faults.load = "failed to load session: {\"code\":-32603,\"message\":\"disk\"}"
      const error = yield* Effect.flip(Effect.flatten(sessions.restart(session, "requested")))
      expect(error).toMatchObject({ _tag: "AgentRequestFailed", method: "agent.session.load" })
      expect(host.calls.filter((call) => call === "POST /api/v1/stop")).toHaveLength(2)
      expect((yield* finish(session, yield* prompt(session))).at(-1)?.event).toMatchObject({
        outcome: { _tag: "Failed", error: { message: expect.stringContaining("disk") } }
      })
      host.faults.load = undefined
      expect((yield* finish(session, yield* prompt(session))).at(-1)?.event).toMatchObject({
        outcome: { _tag: "Completed" }
      })
    }))

  it.scopedLive("leaves no instance to the next connection whose agent spoke while nobody listened: its words would be the next one's", () =>
    Effect.gen(function*() {
      const { finish, host, prompt, seen, session } = yield* setup()
      const [instance] = host.instances.keys()
      host.raw("[1]")
      yield* eventually(() => host.readers() === 0)
      host.chunk("said to nobody")
      yield* seen(session, "AgentDisconnected")
      const events = yield* finish(session, yield* prompt(session))
      expect(events.map(({ event }) => event.type)).not.toContain("TextChunk")
      expect(events.at(-1)?.event).toMatchObject({ outcome: { _tag: "Completed" } })
      expect([...host.instances.keys()]).not.toContain(instance)
    }))

  it.scopedLive("goes on when its host was started anew with the same nonce: a run that was open is lost, the next one is not", () =>
    Effect.gen(function*() {
      const { finish, history, host, prompt, seen, session } = yield* setup()
      host.onPrompt = () => host.chunk("I work")
      const run = yield* prompt(session)
      yield* seen(session, "TextChunk")
      host.startAnew()
      expect((yield* finish(session, run)).at(-1)?.event).toMatchObject({ outcome: { _tag: "Lost" } })
      host.onPrompt = ({ generation }) => host.complete(generation)
      expect((yield* finish(session, yield* prompt(session))).at(-1)?.event).toMatchObject({
        outcome: { _tag: "Completed" }
      })
      expect(hows(yield* history(session))).toStrictEqual(["opened", "resumed"])
      expect(host.instances.size).toBe(1)
    }))

  it.scopedLive("says what to do when its host was started anew with another nonce", () =>
    Effect.gen(function*() {
      const { finish, host, prompt, seen, session } = yield* setup()
      host.startAnew("another")
      yield* seen(session, "AgentDisconnected")
      const end = (yield* finish(session, yield* prompt(session))).at(-1)?.event
      expect(JSON.stringify(end)).toContain("start the host with a new nonce")
    }))

  it.scopedLive("takes commands for its workspace; a session of another kind of agent says that it has none", () =>
    Effect.gen(function*() {
      const { host, session, sessions } = yield* setup()
      const workspace = yield* sessions.workspace(session)
      expect(yield* workspace.start({ command: "make" })).toBe("proc-1")
      expect(host.bodies.at(-1)).toMatchObject({ command: "make", session_id: session })
      const other = yield* Harness.make([yield* ScriptedAgent.make({ turn: () => Effect.void })])
      const error = yield* Effect.flip(other.sessions.workspace(yield* other.open))
      expect(error).toMatchObject({ _tag: "WorkspaceNotOffered", message: expect.stringContaining("no shell") })
    }))
})
