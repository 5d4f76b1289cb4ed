/**
 * The tool calls of one answer: each is checked, allowed, made and told of, several at a time, and each has an end.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { AgentEvent } from "../../domain/AgentEvent.js"
import type { ContentBlock } from "../../domain/Content.js"
import * as Content from "../../domain/Content.js"
import type { ElicitationOutcome, ElicitationRequest } from "../../domain/Elicitation.js"
import * as Concurrently from "../../lifecycle/Concurrently.js"
import type { Proposed } from "./Answer.js"
import { wordsOf } from "./HookRunner.js"
import type { LoopRun } from "./LoopRun.js"
import { failed, type Tool, type ToolContext, ToolFailure, type ToolResult } from "./Toolset.js"

const refuse = (message: string) => Effect.fail(new ToolFailure({ message }))

const isObject = (args: unknown): args is object => typeof args === "object" && args !== null && !Array.isArray(args)

const shown = (value: unknown) =>
  Content.head(typeof value === "string" ? value : JSON.stringify(value) ?? "nothing", 200)

const permission = (tool: Tool, callId: string, agent: string, eachTime: boolean): ElicitationRequest => ({
  kind: "permission",
  message: tool.title ?? tool.name,
  toolCallId: callId,
  options: [
    { optionId: "allow", name: "Allow", kind: "allow_once" },
    ...(eachTime
      ? []
      : [{ optionId: "always", name: `Always allow ${tool.name} in this session`, kind: "allow_always" }]),
    { optionId: "reject", name: "Reject", kind: "reject_once" },
    ...(eachTime
      ? []
      : [{ optionId: "never", name: `Always reject ${tool.name} in this session`, kind: "reject_always" }])
  ],
  // whom it was given to: another agent with a tool of this name asks for itself
  ...(eachTime ? {} : { subject: `${agent}: ${tool.name}` })
})

/** Succeeds if the call may be made. */
const allowed = Effect.fnUntraced(function*(
  run: LoopRun,
  tool: Tool,
  callId: string,
  args: object,
  hook: "allow" | "ask" | undefined
) {
  const { definition: { name }, judge } = run.actor
  const call = { tool: tool.name, args, readOnly: tool.readOnly }
  const verdict = judge(call)
  if (verdict._tag === "Deny") return yield* refuse(verdict.why)
  // an agent may not have others do what its own rules deny
  for (const { judge } of run.waiting) {
    const verdict = judge(call)
    if (verdict._tag === "Deny" && verdict.byRule) return yield* refuse(verdict.why)
  }
  if (hook === "allow" || (verdict._tag === "Allow" && hook !== "ask")) return
  const answer = yield* run.ask(permission(tool, callId, name, verdict._tag === "Allow" || verdict.byRule))
  if (Option.isNone(answer)) return yield* refuse("nobody answered whether the call may be made, so it was not made")
  const { action, content } = answer.value
  const chosen = content?.["optionId"]
  if (action !== "accept" || (chosen !== "allow" && chosen !== "always")) {
    return yield* refuse("the user rejected the call")
  }
})

/** What is longer is cut: a model is told so, and nobody pays for what nobody reads. */
const cut = (content: ReadonlyArray<ContentBlock>, most: number): ReadonlyArray<ContentBlock> => {
  let room = most
  const fit = (text: string) => {
    const left = room
    room = Math.max(0, room - text.length)
    return text.length <= left
      ? text
      : `${Content.head(text, left)}\n[${text.length - left} more characters were cut off]`
  }
  return content.map((block) =>
    block.type === "text"
      ? { ...block, text: fit(block.text) }
      : block.type === "resource" && "text" in block.resource
      ? { ...block, resource: { ...block.resource, text: fit(block.resource.text) } }
      : block
  )
}

/** A model reads text: data that comes without any is told as such. */
const shownOf = ({ content, structured }: ToolResult): ReadonlyArray<ContentBlock> =>
  content.length > 0 || structured === undefined ? content : [Content.text(JSON.stringify(structured))]

const context = (run: LoopRun, callId: string, over: Deferred.Deferred<ElicitationOutcome>): ToolContext => {
  const { cwd, sessionId } = run.place
  const live = (effect: Effect.Effect<void>) =>
    Effect.flatMap(Deferred.isDone(over), (done) => done ? Effect.void : effect)
  return {
    sessionId,
    runId: run.id,
    callId,
    cwd,
    progress: (progress) => live(run.say({ type: "ToolCallUpdated", toolCallId: callId, ...progress })),
    say: (event) => live(run.say(event)),
    ask: (request, elsewhere) =>
      Effect.flatMap(Deferred.isDone(over), (done) =>
        done ? Effect.succeedNone : run.ask(
          { ...request, toolCallId: callId },
          elsewhere === undefined ? Deferred.await(over) : Effect.raceFirst(Deferred.await(over), elsewhere)
        ))
  }
}

/** The call itself. Its own interruption is a failure like others; that of the run is not caught. */
const make = (run: LoopRun, tool: Tool, callId: string, args: object): Effect.Effect<ToolResult> =>
  Effect.gen(function*() {
    const over = yield* Deferred.make<ElicitationOutcome>()
    yield* Effect.addFinalizer(() =>
      Deferred.succeed(over, { _tag: "Withdrawn", reason: "the call that asked is over" })
    )
    return yield* tool.call(args, context(run, callId, over))
  }).pipe(
    Effect.scoped,
    Effect.tapDefect((cause) => Effect.logError(`the tool "${tool.name}" died`, cause)),
    Effect.catchAllCause((cause) => {
      const message = wordsOf(cause)
      const told = Cause.isFailure(cause) ? Effect.void : run.warn(`the tool "${tool.name}" failed: ${message}`)
      return told.pipe(
        Effect.zipRight(run.hooks({ point: "OnError", error: { _tag: "ToolFailure", message } })),
        Effect.as(failed(message))
      )
    })
  )

/** A check that dies is a bug of the tool, and no end of the run. */
const checked = (run: LoopRun, { name }: Tool, check: Effect.Effect<void, ToolFailure>) =>
  check.pipe(
    Effect.tapDefect((cause) => Effect.logError(`the tool "${name}" died`, cause)),
    Effect.catchAllDefect(() => {
      const message = `the tool "${name}" could not check the arguments, because of an internal error`
      return Effect.zipRight(run.warn(message), refuse(message))
    })
  )

const one = Effect.fnUntraced(
  function*(run: LoopRun, tools: ReadonlyArray<Tool>, { args: given, id: callId, name }: Proposed) {
    const tool = tools.find((tool) => tool.name === name)
    if (tool === undefined) {
      return yield* refuse(
        `there is no tool "${name}"; there are: ${tools.map(({ name }) => name).join(", ") || "none"}`
      )
    }
    if (!isObject(given)) return yield* refuse(`the arguments are not a JSON object: ${shown(given)}`)
    const hook = yield* run.hooks({ point: "PreToolUse", tool: name, callId, args: given })
    if (hook.decision === "deny") {
      return yield* refuse(`a hook refused the call${hook.reason === undefined ? "" : `: ${hook.reason}`}`)
    }
    const args = hook.args ?? given
    if (!isObject(args)) return yield* refuse(`a hook replaced the arguments by what is no JSON object: ${shown(args)}`)
    if (args !== given) yield* run.say({ type: "ToolCallUpdated", toolCallId: callId, rawInput: args })
    if (tool.check !== undefined) yield* checked(run, tool, tool.check(args))
    yield* allowed(run, tool, callId, args, hook.decision)
    yield* run.say({ type: "ToolCallUpdated", toolCallId: callId, status: "in_progress" })
    const result = yield* make(run, tool, callId, args)
    const { isError = false, structured } = result
    const content = shownOf(result)
    const after = yield* run.hooks({ point: "PostToolUse", tool: name, callId, args, content, isError })
    const added: ReadonlyArray<ContentBlock> = [hook.context, after.context].flatMap((text) =>
      text === undefined ? [] : [{ type: "text", text }]
    )
    return {
      result: { content: [...cut(content, run.actor.limits.resultSize), ...added], structured, isError },
      stop: after.decision === "deny"
    }
  },
  Effect.catchTag("ToolFailure", ({ message }) => Effect.succeed({ result: failed(message), stop: false }))
)

const ended = (id: string, { content, isError, structured }: ToolResult): AgentEvent => ({
  type: "ToolCallEnded",
  toolCallId: id,
  status: isError === true ? "failed" : "completed",
  content: content.map((content) => ({ type: "content", content })),
  ...(structured === undefined ? {} : { rawOutput: structured })
})

/**
 * Makes them; true if a hook wants the turn to end. However it ends, every call has its `ToolCallEnded`, and with it a result for the
 * model. The results stand in the order of the calls, whichever is done first.
 *
 * @since 0.1.0
 */
export const makeAll = (
  run: LoopRun,
  tools: ReadonlyArray<Tool>,
  calls: ReadonlyArray<Proposed>
): Effect.Effect<boolean> => {
  const open = new Set(calls.map(({ id }) => id))
  const end = (id: string, result: ToolResult) =>
    Effect.uninterruptible(Effect.suspend(() => open.delete(id) ? run.say(ended(id, result)) : Effect.void))
  const begun = calls.map(({ args, id, name }): AgentEvent => {
    const tool = tools.find((tool) => tool.name === name)
    return {
      type: "ToolCallStarted",
      toolCallId: id,
      title: tool?.title ?? name,
      name,
      status: "pending",
      ...(tool?.kind === undefined ? {} : { kind: tool.kind }),
      rawInput: args
    }
  })
  return Effect.uninterruptibleMask((restore) =>
    run.say(...begun).pipe(
      Effect.zipRight(restore(Concurrently.forEach(
        calls,
        run.actor.limits.concurrency,
        (call) =>
          Effect.map(Effect.tap(one(run, tools, call), ({ result }) => end(call.id, result)), ({ stop }) => stop)
      ))),
      Effect.map((stops) => stops.includes(true)),
      Effect.ensuring(
        Effect.suspend(() =>
          Effect.forEach([...open], (id) => end(id, failed("the call was cancelled")), { discard: true })
        )
      )
    )
  )
}
