/**
 * What a script of the demo agent has in its hands: one session, one prompt, and ways to speak, work and ask.
 *
 * @since 0.1.0
 */
import * as acp from "@agentclientprotocol/sdk"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import type * as Stream from "effect/Stream"
import { IdSource } from "../../domain/Ids.js"
import type { Client } from "./Client.js"

/** @since 0.1.0 */
export interface Turn {
  readonly sessionId: string
  readonly cwd: string
  readonly client: Client
  /** What the client wrote after the script's name. */
  readonly argument: string
  /** How many prompts this session has had, this one included. */
  readonly count: number
  readonly verbose: boolean
  readonly say: (text: string) => Effect.Effect<void>
  /** Many pieces of text, as fast as they are read. */
  readonly sayAll: (texts: Stream.Stream<string>) => Effect.Effect<void>
  readonly pause: (duration: Duration.DurationInput) => Effect.Effect<void>
  /** Runs on after the turn, until the connection ends. */
  readonly afterwards: (effect: Effect.Effect<void>) => Effect.Effect<void>
  /** From here on `session/cancel` does nothing. */
  readonly ignoreCancel: Effect.Effect<void>
  /** From here on the process outlives its stdin and SIGTERM. */
  readonly stay: Effect.Effect<void>
  /** The next `session/new` of this process speaks before it is answered. */
  readonly speakEarly: Effect.Effect<void>
  readonly setTitle: (title: string) => Effect.Effect<void>
  readonly reportUsage: Effect.Effect<void>
  /** Tells the client which scripts there are. */
  readonly announceCommands: Effect.Effect<void>
  /** Somebody has answered "always" in this session. */
  readonly alwaysAllowed: Ref.Ref<boolean>
}

/**
 * What the demo agent does on `/name`. It returns the turn's stop reason, `end_turn` if none; what it fails with is the
 * answer to `session/prompt`.
 *
 * @since 0.1.0
 */
export interface Script {
  readonly name: string
  /** What stands after the name, if anything does. */
  readonly hint?: string | undefined
  readonly description: string
  readonly run: (turn: Turn) => Effect.Effect<acp.StopReason | void, acp.RequestError>
}

/** A block of text. @since 0.1.0 */
export const text = (text: string): acp.ContentBlock => ({ type: "text", text })

/** The content of a tool call that is one text. @since 0.1.0 */
export const shows = (shown: string): acp.ToolCallContent => ({ type: "content", content: text(shown) })

/** Speaks word by word, at a pace that one can read. @since 0.1.0 */
export const speak = (turn: Turn, sentence: string): Effect.Effect<void> =>
  Effect.forEach(sentence.split(/(?<=\s)/), (word) => Effect.zipRight(turn.pause("15 millis"), turn.say(word)), {
    discard: true
  })

/** Thinks word by word. @since 0.1.0 */
export const think = (turn: Turn, sentence: string): Effect.Effect<void> =>
  Effect.forEach(
    sentence.split(/(?<=\s)/),
    (word) =>
      Effect.zipRight(
        turn.pause("10 millis"),
        turn.client.update({ sessionUpdate: "agent_thought_chunk", content: text(word) })
      ),
    { discard: true }
  )

/** Shows the plan with the first `done` entries behind it. @since 0.1.0 */
export const plan = (turn: Turn, entries: ReadonlyArray<string>, done: number): Effect.Effect<void> =>
  turn.client.update({
    sessionUpdate: "plan",
    entries: entries.map((content, index) => ({
      content,
      priority: index === 0 ? "high" : "medium",
      status: index < done ? "completed" : index === done ? "in_progress" : "pending"
    }))
  })

/** A fresh name for a tool call; a session that is loaded by a new process must not see one twice. @since 0.1.0 */
export const freshCallId = Effect.flatMap(IdSource, (ids) => ids.next("call"))

type Call = Omit<acp.ToolCall, "toolCallId" | "status">

/** How a tool call turned out. @since 0.1.0 */
export type ToolResult = Omit<acp.ToolCallUpdate, "toolCallId">

/**
 * One tool call: announced, at work, and completed with what `work` returns, or failed with what it fails with.
 *
 * @since 0.1.0
 */
export const tool = Effect.fnUntraced(function*<R>(
  turn: Turn,
  call: Call,
  work: (toolCallId: string) => Effect.Effect<ToolResult, acp.RequestError, R>
) {
  const toolCallId = yield* freshCallId
  yield* turn.client.update({ sessionUpdate: "tool_call", toolCallId, status: "pending", ...call })
  yield* turn.pause("40 millis")
  yield* turn.client.update({ sessionUpdate: "tool_call_update", toolCallId, status: "in_progress" })
  yield* turn.pause("80 millis")
  const result = yield* Effect.catchAll(
    Effect.map(work(toolCallId), (result): ToolResult => ({ status: "completed", ...result })),
    (error) => Effect.succeed<ToolResult>({ status: "failed", content: [shows(error.message)] })
  )
  yield* turn.client.update({ sessionUpdate: "tool_call_update", toolCallId, ...result })
})

const allowOnce: acp.PermissionOption = { optionId: "allow_once", name: "Allow once", kind: "allow_once" }
const allowAlways: acp.PermissionOption = { optionId: "allow_always", name: "Allow always", kind: "allow_always" }
const rejectOnce: acp.PermissionOption = { optionId: "reject_once", name: "Reject", kind: "reject_once" }
const options = [allowOnce, allowAlways, rejectOnce]

/**
 * Asks whether a tool call may run; `None` if the client has cancelled the question.
 *
 * @since 0.1.0
 */
export const permission = Effect.fnUntraced(function*(turn: Turn, toolCall: acp.ToolCallUpdate) {
  const { outcome } = yield* turn.client.request(acp.methods.client.session.requestPermission, {
    sessionId: turn.sessionId,
    toolCall,
    options
  })
  if (outcome.outcome === "cancelled") return Option.none()
  const chosen = options.find(({ optionId }) => optionId === outcome.optionId)
  return chosen === undefined
    ? yield* Effect.fail(acp.RequestError.invalidParams({ optionId: outcome.optionId }, "there is no such option"))
    : Option.some(chosen)
})

/**
 * A tool call that runs if it may; "always" holds for the session. Returns what was chosen, as `permission` does.
 *
 * @since 0.1.0
 */
export const guarded = Effect.fnUntraced(function*(
  turn: Turn,
  call: Call,
  result: ToolResult
) {
  const toolCallId = yield* freshCallId
  const update = (update: ToolResult) =>
    turn.client.update({ sessionUpdate: "tool_call_update", toolCallId, ...update })
  yield* turn.client.update({ sessionUpdate: "tool_call", toolCallId, status: "pending", ...call })
  const chosen = (yield* Ref.get(turn.alwaysAllowed))
    ? Option.some(allowAlways)
    : yield* permission(turn, { toolCallId, status: "pending", ...call })
  if (Option.isNone(chosen) || chosen.value === rejectOnce) {
    yield* update({ status: "failed", content: [shows("It was not allowed.")] })
    return chosen
  }
  yield* Ref.set(turn.alwaysAllowed, chosen.value === allowAlways)
  yield* update({ status: "in_progress" })
  yield* turn.pause("80 millis")
  yield* update({ status: "completed", ...result })
  return chosen
})
