/** A gateway in this process, whose agent says exactly what a test wants, with the page as it is built. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { fileURLToPath } from "node:url"
import * as Agent from "../../src/agent/Agent.js"
import * as Gateway from "../../src/gateway/Gateway.js"
import * as EventLog from "../../src/log/EventLog.js"
import * as Sessions from "../../src/session/Sessions.js"
import * as ScriptedAgent from "../../src/testing/ScriptedAgent.js"

/** Built before the tests, see vitest.config.ts. */
export const page = fileURLToPath(new URL("../../dist/console", import.meta.url))

export const gateway = (turn: ScriptedAgent.Options["turn"], options: Partial<Gateway.Options> = {}) =>
  Effect.gen(function*() {
    const agents = Agent.layer([yield* ScriptedAgent.make({ turn })])
    const sessions = Sessions.layer.pipe(Layer.provide([EventLog.layerMemory, agents, NodeContext.layer]))
    const gateway = Gateway.layer({ version: "0.1.0", port: 0, console: page, ...options }).pipe(
      Layer.provide([sessions, agents])
    )
    return Context.get(yield* Layer.build(gateway), Gateway.Gateway)
  })
