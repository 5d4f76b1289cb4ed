/** A toolset of an MCP server as the loop has it: opened for a session, called by a run, with a person who is asked. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Mailbox from "effect/Mailbox"
import * as Option from "effect/Option"
import { fileURLToPath } from "node:url"
import type { McpServer } from "../../../../src/agent/loop/mcp/McpOptions.js"
import * as McpToolset from "../../../../src/agent/loop/mcp/McpToolset.js"
import {
  type ToolContext,
  ToolFailure,
  type ToolProgress,
  type ToolResult
} from "../../../../src/agent/loop/Toolset.js"
import type { ElicitationAnswer, ElicitationOutcome, ElicitationRequest } from "../../../../src/domain/Elicitation.js"
import { RunId, SessionId } from "../../../../src/domain/Ids.js"

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url))

const node = { command: process.execPath, startTimeout: 20 }

export const everything = path("../../../../node_modules/@modelcontextprotocol/server-everything/dist/index.js")

/** The reference server of the protocol, over stdio. */
export const reference: McpServer = { ...node, name: "everything", args: [everything, "stdio"] }

/** The official SDK's server of 2026. */
export const modern: McpServer = { ...node, name: "modern", args: [path("fixtures/modern.mjs")] }

/** One written by hand, with faults. */
export const faulty = (...faults: ReadonlyArray<string>): McpServer => ({
  ...node,
  name: "faulty",
  args: [path("fixtures/server.mjs"), ...faults]
})

/** A question that reached the person, and how it ends. */
export interface Asked {
  readonly run: string
  readonly request: ElicitationRequest
  readonly answer: (answer: ElicitationAnswer) => Effect.Effect<unknown>
  /** What the tool was told; `withdrawn` if it was interrupted, or ended elsewhere. */
  readonly end: Effect.Effect<string>
}

const session = SessionId.make("ses_00000000000000000000000001")
export const runs = ["run_00000000000000000000000001", "run_00000000000000000000000002"] as const

export const open = Effect.fnUntraced(function*(server: McpServer) {
  const asked = yield* Mailbox.make<Asked>()
  const warnings: Array<string> = []
  const progress: Array<ToolProgress> = []

  const context = (run: string, call: string): ToolContext => ({
    sessionId: session,
    runId: RunId.make(run),
    callId: call,
    cwd: process.cwd(),
    say: () => Effect.void,
    progress: (told) => Effect.sync(() => void progress.push(told)),
    ask: (request, elsewhere = Effect.never) =>
      Effect.gen(function*() {
        const settled = yield* Deferred.make<ElicitationOutcome>()
        const end = yield* Deferred.make<string>()
        yield* Effect.forkScoped(Effect.flatMap(elsewhere, (outcome) => Deferred.succeed(settled, outcome)))
        yield* asked.offer({
          run,
          request,
          answer: (given) => Deferred.succeed(settled, { _tag: "Answered", ...given }),
          end: Deferred.await(end)
        })
        const outcome = yield* Effect.onInterrupt(Deferred.await(settled), () => Deferred.succeed(end, "withdrawn"))
        yield* Deferred.succeed(end, outcome._tag === "Answered" ? outcome.by ?? outcome.action : outcome._tag)
        return outcome._tag === "Answered"
          ? Option.some({ action: outcome.action, content: outcome.content })
          : Option.none()
      }).pipe(Effect.scoped)
  })

  const tools = yield* McpToolset.make(server).open({
    sessionId: session,
    cwd: process.cwd(),
    warn: (message) => Effect.sync(() => void warnings.push(message))
  })

  let calls = 0
  /** A call as the loop makes it, in a scope of its own. */
  const call = (name: string, args: unknown = {}, run: string = runs[0]): Effect.Effect<ToolResult, ToolFailure> =>
    Effect.gen(function*() {
      const all = yield* Effect.mapError(tools, ({ message }) => new ToolFailure({ message }))
      const tool = all.find((tool) => tool.name === `${server.name}__${name}`)
      if (tool === undefined) {
        return yield* Effect.dieMessage(`no tool ${name} among ${all.map(({ name }) => name).join(", ")}`)
      }
      return yield* tool.call(args, context(run, `call-${++calls}`))
    }).pipe(Effect.scoped)

  return { tools, call, asked: asked.take, progress, warnings }
})

export const textOf = ({ content }: ToolResult): string =>
  content.map((block) => block.type === "text" ? block.text : block.type).join("\n")

/** Looks until it is so, for as long as the test may take. */
export const until = <E>(look: Effect.Effect<boolean, E>): Effect.Effect<void, E> =>
  Effect.flatMap(look, (found) => found ? Effect.void : Effect.delay(until(look), "20 millis"))
