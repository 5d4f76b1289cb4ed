/**
 * What an agent can do, as the loop sees it: tools with a name, a JSON schema and a call, from wherever they come.
 *
 * A `Toolset` is opened once for a session, in a scope that is the session's connection, and asked before every model call which tools it
 * has just then. The tools of an Effect application come from an `@effect/ai` toolkit, see `ToolkitTools.fromToolkit`.
 *
 * ```ts
 * const clock = Toolset.of("clock", [{
 *   name: "now",
 *   description: "What time it is",
 *   parameters: { type: "object", properties: {} },
 *   readOnly: true,
 *   call: () => Effect.map(DateTime.now, (now) => Toolset.text(DateTime.formatIso(now)))
 * }])
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { AgentEvent } from "../../domain/AgentEvent.js"
import type { ContentBlock, ToolContent } from "../../domain/Content.js"
import type { ElicitationAnswer, ElicitationOutcome, ElicitationRequest } from "../../domain/Elicitation.js"
import type { RunId, SessionId } from "../../domain/Ids.js"

/** A call that did not work. The message goes to the model as the call's result, and the run goes on. @since 0.1.0 */
export class ToolFailure extends Schema.TaggedError<ToolFailure>()("ToolFailure", { message: Schema.String }) {}

/** A toolset that cannot be opened, or whose list cannot be had: a warning; the run goes on without its tools. @since 0.1.0 */
export class ToolsetUnavailable extends Schema.TaggedError<ToolsetUnavailable>()("ToolsetUnavailable", {
  toolset: Schema.String,
  message: Schema.String
}) {}

/** What a call gave: blocks for the model and for people, and the same as data if there is any. @since 0.1.0 */
export interface ToolResult {
  readonly content: ReadonlyArray<ContentBlock>
  readonly structured?: unknown
  /** The tool itself says that it failed: the model is told so. */
  readonly isError?: boolean | undefined
}

/** What the tool call shows while it runs; absent fields are unchanged. @since 0.1.0 */
export interface ToolProgress {
  readonly title?: string | undefined
  readonly content?: ReadonlyArray<ToolContent> | undefined
}

/**
 * One call, as the tool sees it. All of it belongs to the call: when the call is over, however it ended, what it asked is withdrawn and
 * nothing that it says is heard.
 *
 * @since 0.1.0
 */
export interface ToolContext {
  readonly sessionId: SessionId
  /** The run whose model made the call. */
  readonly runId: RunId
  readonly callId: string
  readonly cwd: string
  readonly progress: (progress: ToolProgress) => Effect.Effect<void>
  /** Something else that happened in the run: a plan, output of a process. */
  readonly say: (event: AgentEvent) => Effect.Effect<void>
  /**
   * Asks a person, in the name of the run. `None` if nobody will answer. Interrupting it takes the question back, and so does the end of
   * the call. `elsewhere` completes when the question ended on the tool's side: an `Answered` there is what this returns.
   */
  readonly ask: (
    request: ElicitationRequest,
    elsewhere?: Effect.Effect<ElicitationOutcome>
  ) => Effect.Effect<Option.Option<ElicitationAnswer>>
}

/** @since 0.1.0 */
export interface Tool {
  /** As the model calls it: letters, digits, `_` and `-`, at most 64; unique in the agent. */
  readonly name: string
  readonly description: string
  /** The JSON schema of the arguments; an object's. */
  readonly parameters: object
  /** It changes nothing: it runs without being asked for, unless a rule says otherwise. */
  readonly readOnly: boolean
  /** What people see; the name by default. */
  readonly title?: string | undefined
  /** ACP's kind of tool call: `read edit delete move search execute think fetch other`. */
  readonly kind?: string | undefined
  /** Why these arguments are wrong, if they are: nobody is asked about a call that cannot work. */
  readonly check?: ((args: unknown) => Effect.Effect<void, ToolFailure>) | undefined
  /**
   * Interrupted when the run is cancelled. The scope is the call's. A failure is told to the model; a defect, too, and in a warning.
   */
  readonly call: (args: unknown, context: ToolContext) => Effect.Effect<ToolResult, ToolFailure, Scope.Scope>
}

/** @since 0.1.0 */
export interface ToolsetContext {
  readonly sessionId: SessionId
  readonly cwd: string
  /** Says a `Warning` in the session, also between turns. */
  readonly warn: (message: string, detail?: string) => Effect.Effect<void>
}

/** @since 0.1.0 */
export interface Toolset {
  readonly name: string
  /** Opening it starts nothing: that is done for the first turn, and not with the session. */
  readonly lazy?: boolean | undefined
  /**
   * Opens it for one session: what it needs is released with the scope. It should return at once and connect in the background: the
   * first prompt waits for it. It gives the list as it is now, which is asked for before every model call.
   */
  readonly open: (
    context: ToolsetContext
  ) => Effect.Effect<Effect.Effect<ReadonlyArray<Tool>, ToolsetUnavailable>, ToolsetUnavailable, Scope.Scope>
}

/** A toolset that is these tools, always. @since 0.1.0 */
export const of = (name: string, tools: ReadonlyArray<Tool>): Toolset => ({
  name,
  lazy: true,
  open: () => Effect.succeed(Effect.succeed(tools))
})

/** A result that is one text. @since 0.1.0 */
export const text = (text: string): ToolResult => ({ content: [{ type: "text", text }] })

/** The result of a call that did not work, and why. @since 0.1.0 */
export const failed = (message: string): ToolResult => ({ ...text(message), isError: true })
