/**
 * The tools by which an agent uses the others: `transfer`, the background agents and `hand_off`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as JSONSchema from "effect/JSONSchema"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type { AgentEvent } from "../../domain/AgentEvent.js"
import * as Content from "../../domain/Content.js"
import type { TurnResult } from "../Agent.js"
import type { Definition, Delegation } from "./Definition.js"
import type { Host } from "./Host.js"
import type { LoopRun } from "./LoopRun.js"
import { failed, text, type Tool, ToolFailure, type ToolResult } from "./Toolset.js"

/** @since 0.1.0 */
export const standard: ReadonlyArray<Delegation> = ["transfer", "background"]

const refuse = (message: string) => Effect.fail(new ToolFailure({ message }))

const tool = <A, I>(
  name: string,
  description: string,
  parameters: Schema.Schema<A, I>,
  call: (args: A) => Effect.Effect<ToolResult, ToolFailure>
): Tool => {
  const decode = Schema.decodeUnknown(parameters)
  return {
    name,
    description,
    parameters: JSONSchema.make(parameters),
    // what the other one does is a matter of its own permissions
    readOnly: true,
    call: (args) =>
      Effect.flatMap(
        Effect.mapError(decode(args), (error) =>
          new ToolFailure({ message: ParseResult.TreeFormatter.formatErrorSync(error) })),
        call
      )
  }
}

const toResult = (result: TurnResult, text_: string): ToolResult => {
  if (result._tag === "Failed") return failed(`the agent failed: ${result.error.message}`)
  if (result.stopReason === "cancelled") return failed(`the agent was stopped; it had said: ${text_ || "nothing"}`)
  return text(result.stopReason === "end_turn" ? text_ : `[ended: ${result.stopReason}]\n${text_}`)
}

const statusOf = (result: TurnResult | undefined): string => {
  if (result === undefined) return "working"
  return result._tag === "Failed" ? "failed" : result.stopReason === "cancelled" ? "stopped" : "done"
}

/** Finished ones are forgotten from then on, the oldest first. */
const kept = 100

const Id = Schema.Struct({ id: Schema.String.annotations({ description: "as start_agent gave it" }) })

/** @since 0.1.0 */
export const modeOf = ({ name }: Definition): AgentEvent => ({ type: "ModeChanged", modeId: name })

/** What the one who works in the run has just now. @since 0.1.0 */
export const tools = (run: LoopRun, host: Host): ReadonlyArray<Tool> => {
  const { definition: { agents = [], delegation = standard }, limits } = run.actor
  const busy = new Set([...run.waiting, run.actor].map(({ definition }) => definition.name))
  // one that waits for this run would wait for itself
  const free = agents.filter(({ name }) => !busy.has(name))
  const [first, ...rest] = free
  if (first === undefined) return []

  const list = free.map(({ description = "", name }) => `- ${name}: ${description}`).join("\n")
  const Agent = Schema.Literal(first.name, ...rest.map(({ name }) => name))
  const Task = Schema.Struct({
    agent: Agent,
    task: Schema.String.annotations({ description: "everything it must know: it has not seen this conversation" })
  })
  const open = ({ agent, task }: typeof Task.Type, until: "parent" | "session") =>
    Effect.suspend(() =>
      run.waiting.length + 1 >= limits.depth
        ? refuse(`${limits.depth} agents have given this task on already: do it yourself`)
        : host.open({ by: run, definition: free.find(({ name }) => name === agent) ?? first, task, until })
    )
  const find = (id: string) =>
    Effect.suspend(() => {
      const opened = host.background.get(id)
      return opened === undefined ? refuse(`there is no background agent "${id}"`) : Effect.succeed(opened)
    })

  const byWay: Record<Delegation, () => ReadonlyArray<Tool>> = {
    transfer: () => [
      tool(
        "transfer",
        `Gives a task to another agent and waits for its answer.\n${list}`,
        Task,
        (args) =>
          Effect.uninterruptibleMask((restore) =>
            Effect.flatMap(open(args, "parent"), (opened) =>
              restore(opened.result).pipe(
                Effect.map((result) => toResult(result, opened.text())),
                // it ends before the one who waits for it does
                Effect.onInterrupt(() => Effect.zipRight(opened.cancel, opened.result))
              ))
          )
      )
    ],
    background: () => [
      tool(
        "start_agent",
        `Lets another agent work on a task in the background; returns its id.\n${list}`,
        Task,
        (args) =>
          Effect.gen(function*() {
            const working = [...host.background.values()].filter((opened) => opened.over() === undefined)
            if (working.length >= limits.background) {
              return yield* refuse(
                `${limits.background} agents work in the background already: wait for one, or stop one`
              )
            }
            const opened = yield* Effect.tap(open(args, "session"), (opened) => {
              host.background.set(opened.id, opened)
            }).pipe(Effect.uninterruptible)
            for (const [id, opened] of host.background) {
              if (host.background.size <= kept) break
              if (opened.over() !== undefined) host.background.delete(id)
            }
            return text(opened.id)
          })
      ),
      tool("list_agents", "The agents in the background.", Schema.Struct({}), () =>
        Effect.sync(() =>
          text(
            [...host.background.values()].map((opened) =>
              `${opened.id} ${opened.agent} (${statusOf(opened.over())}): ${Content.head(opened.task, 200)}`
            ).join("\n") || "none"
          )
        )),
      tool(
        "view_agent",
        "What an agent in the background has done; with `wait` when it is done.",
        Schema.Struct({ ...Id.fields, wait: Schema.optional(Schema.Boolean) }),
        ({ id, wait = false }) =>
          Effect.flatMap(
            find(id),
            (opened) =>
              Effect.map(wait ? opened.result : Effect.sync(opened.over), (result) =>
                result === undefined ? text(`[working]\n${opened.text()}`) : toResult(result, opened.text()))
          )
      ),
      tool(
        "stop_agent",
        "Stops an agent in the background.",
        Id,
        ({ id }) =>
          Effect.flatMap(
            find(id),
            (opened) =>
              Effect.map(Effect.zipRight(opened.cancel, opened.result), (result) => text(`it is ${statusOf(result)}`))
          )
      )
    ],
    handoff: () => [
      tool(
        "hand_off",
        `Leaves the conversation to another agent, who goes on with it.\n${list}`,
        Schema.Struct({ agent: Agent }),
        ({ agent }) =>
          Effect.gen(function*() {
            const definition = free.find(({ name }) => name === agent) ?? first
            host.handOver(run, yield* host.actor(definition))
            yield* run.say(modeOf(definition))
            return text(`${definition.name} has the conversation now`)
          })
      )
    ]
  }
  return delegation.flatMap((way) => byWay[way]())
}
