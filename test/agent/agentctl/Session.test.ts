import { describe, expect } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import * as ScriptedAgent from "../../../src/testing/ScriptedAgent.js"
import * as Harness from "../../session/Harness.js"
import * as FakeHost from "./FakeHost.js"
import { agentOf, eventually } from "./fixture.js"

leakFreeFile()

const setup = Effect.fnUntraced(function*() {
  const host = yield* FakeHost.make()
  const agent = yield* agentOf(host, { outage: Duration.millis(300) })
  const harness = yield* Harness.make([agent])
  const session = yield* harness.open
  return { ...harness, host, session }
})

describe("a session of an agent behind a host", () => {
  it.scopedLive("ends its run as Lost, with the reason, when the host is gone for good", () =>
    Effect.gen(function*() {
      const { finish, host, prompt, session } = yield* setup()
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

  it.scopedLive("restarts by ending its instance and loading the session in a new one; a cancel that nobody acknowledges does that, too", () =>
    Effect.gen(function*() {
      const { finish, history, host, prompt, seen, session, sessions } = yield* setup()
      yield* Effect.flatten(sessions.restart(session, "requested"))
      host.onPrompt = () => host.chunk("I work")
      const run = yield* prompt(session)
      yield* seen(session, "TextChunk")
      host.faults.neverAcknowledge = true
      yield* sessions.cancel(session)
      expect((yield* finish(session, run)).at(-1)?.event).toMatchObject({ outcome: { _tag: "Cancelled" } })
      // it was only just started: the next prompt starts it again (RC9)
      host.onPrompt = ({ generation }) => host.complete(generation)
      expect((yield* finish(session, yield* prompt(session))).at(-1)?.event).toMatchObject({
        outcome: { _tag: "Completed" }
      })
      const connected = (yield* history(session)).map(({ event }) => event.type === "AgentConnected" ? [event.how] : [])
        .flat()
      expect(connected).toStrictEqual(["opened", "resumed", "resumed"])
      expect(host.calls.filter((call) => call.startsWith("DELETE"))).toHaveLength(2)
      expect(host.instances.size).toBe(1)
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
