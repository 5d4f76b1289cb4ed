/** Holdfast with SQLite and an agent in its own process that says as many events as its prompt asks for. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Agent, Content, EventLog, Gateway, Sessions } from "holdfast"
import { ScriptedAgent } from "holdfast/testing"
import { text } from "./events.js"

const turnOfLoop = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

const agent = ScriptedAgent.make({
  turn: ({ content, say }) =>
    Effect.repeatN(
      Effect.zipRight(turnOfLoop, say({ type: "TextChunk", text })),
      Number(Content.toText(content)) - 1
    )
})

const serving = Effect.gen(function*() {
  const { url } = yield* Gateway.Gateway
  yield* Effect.sync(() => console.log(`listening on ${url}`))
  yield* Effect.never
})

const runtime = Sessions.layer.pipe(
  Layer.provideMerge(Layer.unwrapEffect(Effect.map(agent, (agent) => Agent.layer([agent])))),
  Layer.provide(EventLog.layerSqlite({ filename: process.argv[2] ?? "" })),
  Layer.provide(NodeContext.layer)
)

// no heartbeat among the frames that are counted
const gateway = Gateway.layer({ version: "bench", port: 0, heartbeat: "1 hour" }).pipe(Layer.provide(runtime))

NodeRuntime.runMain(Effect.provide(serving, gateway))
