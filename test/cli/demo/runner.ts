/** The demo agent as a program of its own: `node --import tsx runner.ts '{"early":true}'`. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as DemoAgent from "../../../src/cli/demo/DemoAgent.js"

DemoAgent.run(JSON.parse(process.argv[2] ?? "{}")).pipe(Effect.provide(NodeContext.layer), NodeRuntime.runMain)
