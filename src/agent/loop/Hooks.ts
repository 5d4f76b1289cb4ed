/**
 * Hooks: programs of the application that see a run at named points and may have a say in it.
 *
 * ```ts
 * const noForce = Hooks.on("PreToolUse", ({ args }) =>
 *   Effect.succeed(JSON.stringify(args).includes("--force") ? { decision: "deny", reason: "not by force" } : {}), {
 *   tools: "shell*"
 * })
 * ```
 *
 * The hooks of one point run at the same time, and what they say is made one by rule, see `combine`. A hook that fails, dies or takes too
 * long is a warning, and as if it had said nothing; at `PreToolUse` it is a `deny`: a guard that is broken lets nothing through.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ContentBlock } from "../../domain/Content.js"
import type { ElicitationRequest } from "../../domain/Elicitation.js"
import type { RunId, SessionId } from "../../domain/Ids.js"

/** What each point tells, beside what all of them tell. Everything in it is JSON. @since 0.1.0 */
export interface HookPoints {
  /** The session's agent comes up. `context` is put before the conversation. */
  readonly SessionStart: { readonly how: "opened" | "loaded" }
  /** A person sent a message, as a prompt or into a running turn. `deny` refuses it, `context` is added to it. */
  readonly UserPromptSubmit: { readonly prompt: ReadonlyArray<ContentBlock>; readonly steers: boolean }
  /** A turn begins. `deny` ends it, `context` is told to the model in this turn. */
  readonly TurnStart: object
  /** `deny` ends the turn. */
  readonly BeforeModel: { readonly model: string; readonly iteration: number }
  /** `deny` ends the turn, its tool calls are not made. */
  readonly AfterModel: {
    readonly model: string
    readonly iteration: number
    readonly text: string
    readonly toolCalls: ReadonlyArray<{ readonly id: string; readonly name: string; readonly args: unknown }>
  }
  /** `deny` refuses the call, `ask` asks a person, `allow` does not; `args` replaces the arguments. No `deny` rule is overruled. */
  readonly PreToolUse: { readonly tool: string; readonly callId: string; readonly args: unknown }
  /** `context` is added to the result. `deny` ends the turn after these calls. */
  readonly PostToolUse: {
    readonly tool: string
    readonly callId: string
    readonly args: unknown
    readonly content: ReadonlyArray<ContentBlock>
    readonly isError: boolean
  }
  /** The model is done. `deny` sends it on, with the reason as a message. */
  readonly Stop: { readonly text: string }
  /** A turn is over, however it ended. Always runs. */
  readonly TurnEnd: { readonly outcome: string }
  /** The session's agent goes. Always runs. */
  readonly SessionEnd: object
  /** A person is about to be asked. */
  readonly OnQuestion: { readonly question: ElicitationRequest }
  /** Something went wrong: a model, a tool, or the turn. */
  readonly OnError: { readonly error: { readonly _tag: string; readonly message: string } }
  /** The conversation is about to be summarised. `deny` leaves it, `context` is told to the one who summarises. */
  readonly PreCompact: { readonly used: number; readonly size: number }
}

/** @since 0.1.0 */
export type HookPoint = keyof HookPoints

/** @since 0.1.0 */
export const points = [
  "SessionStart",
  "UserPromptSubmit",
  "TurnStart",
  "BeforeModel",
  "AfterModel",
  "PreToolUse",
  "PostToolUse",
  "Stop",
  "TurnEnd",
  "SessionEnd",
  "OnQuestion",
  "OnError",
  "PreCompact"
] as const satisfies ReadonlyArray<HookPoint>

/** What happened. @since 0.1.0 */
export type HookTold<Point extends HookPoint = HookPoint> = {
  readonly [P in Point]: { readonly point: P } & HookPoints[P]
}[Point]

/** What a hook is told: `agent` is the one that works, `runId` its run. @since 0.1.0 */
export type HookInput<Point extends HookPoint = HookPoint> = HookTold<Point> & {
  readonly sessionId: SessionId
  readonly runId?: RunId | undefined
  readonly agent: string
  readonly cwd: string
}

/** What a hook may say; all of it is optional, and what a point has no use for is ignored. @since 0.1.0 */
export const HookOutput = Schema.Struct({
  decision: Schema.optional(Schema.Literal("allow", "ask", "deny")),
  /** Why: told to the model, and to people. */
  reason: Schema.optional(Schema.String),
  /** Something that the model should know. */
  context: Schema.optional(Schema.String),
  /** Other arguments for the tool call, whole. */
  args: Schema.optional(Schema.Unknown),
  /** Something that people should know. */
  warning: Schema.optional(Schema.String)
})
/** @since 0.1.0 */
export type HookOutput = typeof HookOutput.Type

/** @since 0.1.0 */
export class HookFailed extends Schema.TaggedError<HookFailed>()("HookFailed", {
  hook: Schema.String,
  message: Schema.String
}) {}

/** @since 0.1.0 */
export interface HookOptions {
  /** How warnings call it; the point by default. */
  readonly name?: string | undefined
  /** Of the tool points: the tools that it is for, a glob; all by default. */
  readonly tools?: string | undefined
  /** 60 s by default; at `OnError`, `TurnEnd` and `SessionEnd` never more than 5 s. */
  readonly within?: Duration.DurationInput | undefined
}

/** @since 0.1.0 */
export interface Hook {
  readonly name: string
  readonly point: HookPoint
  readonly tools: string | undefined
  readonly within: Duration.Duration
  readonly run: (input: HookInput) => Effect.Effect<HookOutput, HookFailed>
}

/** A hook at one point. @since 0.1.0 */
export const on = <Point extends HookPoint>(
  point: Point,
  run: (input: HookInput<Point>) => Effect.Effect<HookOutput, HookFailed>,
  options: HookOptions = {}
): Hook => {
  const isPoint = (input: HookInput): input is HookInput<Point> & HookInput => input.point === point
  return {
    name: options.name ?? point,
    point,
    tools: options.tools,
    within: Duration.decode(options.within ?? "60 seconds"),
    run: (input) => isPoint(input) ? run(input) : Effect.succeed({})
  }
}
