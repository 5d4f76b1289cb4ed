/** The examples of loop.md. */
import type * as LanguageModel from "@effect/ai/LanguageModel"
import * as Tool from "@effect/ai/Tool"
import * as Toolkit from "@effect/ai/Toolkit"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Agent, Hooks, LoopAgent, LoopModel, ToolkitTools } from "holdfast"

/** The layer of a provider's package, such as `OpenAiLanguageModel.layer({ model: "gpt-5" })`. */
declare const Gpt: Layer.Layer<LanguageModel.LanguageModel>
declare const cheaper: LoopModel.LoopModel
declare const isInRepository: (path: string) => boolean

// #region agent
const Clock = Toolkit.make(Tool.make("now", { description: "What time it is", success: Schema.String }))
const handlers = Clock.toLayer({ now: () => Effect.map(DateTime.now, DateTime.formatIso) })

export const clerk = Effect.gen(function*() {
  const model = yield* LoopModel.make("gpt-5", Gpt, { contextSize: 400_000, price: { input: 1.25, output: 10 } })
  const tools = [ToolkitTools.fromToolkit(Clock, handlers)]
  return yield* LoopAgent.make({ name: "clerk", model, instructions: "You answer briefly.", tools })
})

export const Agents = Layer.scoped(Agent.Agents, Effect.map(clerk, (clerk) => Agent.makeAgents([clerk])))
// #endregion

// #region asks
const Deploy = Toolkit.make(
  Tool.make("deploy", {
    parameters: { to: Schema.String },
    success: Schema.String,
    dependencies: [ToolkitTools.CurrentCall]
  })
)
export const deploy = ToolkitTools.fromToolkit(
  Deploy,
  Deploy.toLayer({
    deploy: Effect.fnUntraced(function*({ to }) {
      const call = yield* ToolkitTools.CurrentCall
      yield* call.progress({ title: `Deploying to ${to}` })
      const answer = yield* call.ask({ kind: "confirmation", message: `Deploy to ${to}?` })
      return Option.isSome(answer) && answer.value.action === "accept" ? "deployed" : "not deployed: nobody allowed it"
    })
  })
)
// #endregion

// #region permissions
export const permissions: LoopAgent.Permissions = {
  allow: ["read_*", { tool: "shell", args: { command: "git *" } }],
  ask: [{ tool: "shell", args: { command: "git push*" } }],
  deny: [{ tool: "*", args: { path: "/etc/*" } }],
  otherwise: "ask"
}
// #endregion

// #region hooks
const Path = Schema.Struct({ path: Schema.String })

export const hooks = [
  Hooks.on("PreToolUse", ({ args }) =>
    Effect.succeed(
      Schema.is(Path)(args) && isInRepository(args.path)
        ? {}
        : { decision: "deny", reason: "only files of the repository" }
    ), { name: "repository", tools: "write_*" }),
  Hooks.on("SessionStart", () => Effect.succeed({ context: "The main branch is called trunk." }))
]
// #endregion

// #region agents
const poet: LoopAgent.Definition = {
  name: "poet",
  description: "writes verse",
  model: cheaper,
  instructions: "You rhyme."
}

export const editor = LoopAgent.make({
  name: "editor",
  model: [cheaper, cheaper],
  agents: [poet],
  delegation: ["transfer", "background", "handoff"],
  limits: { iterations: 20, depth: 2 }
})
// #endregion
