import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { AcpAgent, Content, EventLog, RunStream, Sessions } from "holdfast"

const Runtime = Sessions.layer.pipe(
  Layer.provide([
    EventLog.layerSqlite({ filename: "app.db" }),
    AcpAgent.layer({ demo: { command: "holdfast", args: ["demo-agent"] } })
  ]),
  Layer.provide(NodeContext.layer)
)

const program = Effect.gen(function*() {
  const sessions = yield* Sessions.Sessions
  const { id } = yield* sessions.create({ agent: "demo" })
  yield* RunStream.run(sessions, id, { content: [Content.text("/stream 5")] }).pipe(
    Stream.runForEach(({ event, seq }) => Console.log(seq, event))
  )
})

NodeRuntime.runMain(Effect.provide(program, Runtime))
