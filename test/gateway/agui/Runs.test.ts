import { expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as Agents from "../../../src/agent/Agent.js"
import type { SessionEvent } from "../../../src/domain/AgentEvent.js"
import * as Content from "../../../src/domain/Content.js"
import type { Elicitation } from "../../../src/domain/Elicitation.js"
import { ElicitationId, RunId } from "../../../src/domain/Ids.js"
import * as Encoding from "../../../src/gateway/agui/Encoding.js"
import * as RunAgentInput from "../../../src/gateway/agui/RunAgentInput.js"
import * as Runs from "../../../src/gateway/agui/Runs.js"
import { Sessions } from "../../../src/session/Sessions.js"
import * as ScriptedAgent from "../../../src/testing/ScriptedAgent.js"
import { session as aSession, sessions as given } from "../fixture.js"
import { log, session } from "./histories.js"

leakFreeFile()

const question: Elicitation = {
  id: ElicitationId.make("eli_1"),
  sessionId: session,
  runId: RunId.make("run_1"),
  kind: "confirmation",
  message: "Go on?"
}
const stored = log([
  [{ type: "RunStarted", prompt: [Content.text("go")] }, "run_1"],
  [{ type: "ElicitationRequested", elicitation: question } satisfies SessionEvent, "run_1"]
])

it.scoped("the log is followed before an answer is given, so that what comes of it is not read again from the store", () =>
  Effect.gen(function*() {
    const calls: Array<string> = []
    const built = yield* Layer.build(Layer.merge(
      given({
        get: () => Effect.succeed({ ...aSession, id: session, head: 2, elicitations: [question] }),
        elicitations: () => Effect.succeed([question]),
        history: ({ after }) =>
          Stream.fromIterable(
            stored.slice(after).map((each) => ({ seq: each.seq, type: each.event.type, json: JSON.stringify(each) }))
          ),
        reader: ({ after }) =>
          Effect.sync(() => {
            calls.push(`read after ${after}`)
            return { next: Effect.never, take: () => undefined, waits: () => true, onMore: () => {} }
          }),
        answer: (_, id, { action }) => Effect.sync(() => void calls.push(`${action} ${id}`))
      }),
      Agents.layer([yield* ScriptedAgent.make({ turn: () => Effect.never })])
    ))
    const runs = Runs.make(Context.get(built, Sessions), Context.get(built, Agents.Agents))
    const input = Schema.decodeUnknownSync(RunAgentInput.RunAgentInput)({
      threadId: session,
      runId: "second",
      messages: [],
      resume: [{ interruptId: "eli_1@2", status: "resolved", payload: true }]
    })
    yield* runs.run("scripted", input, undefined, Encoding.sse)
    expect(calls).toEqual(["read after 2", "accept eli_1"])
  }))
