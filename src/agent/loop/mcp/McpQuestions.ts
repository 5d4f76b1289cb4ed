/**
 * Whose question is it? A server asks within a call (`elicitation/create`), but the request does not name that call.
 *
 * - Over HTTP it comes in the answer to the call, and over both from 2026-07-28 on it is part of the result: there it is known, because
 *   what is handled in an answer runs in the asynchronous context of its call.
 * - Over stdio, from a server of 2025, nothing in the message tells it: the `_meta` of a question is about the question, and its progress
 *   token is the server's own. With one call open, that is the one. With several it is asked in the name of the one that has been open
 *   longest, and says which others it may be of.
 *
 * A question belongs to its call: it is withdrawn when that ends, however it does. If it may be of another one, it is then asked in the
 * name of that. The server has one answer in any case, which is a cancel if no call is left.
 *
 * @since 0.1.0
 */
import { type ElicitResult, ProtocolError, ProtocolErrorCode } from "@modelcontextprotocol/client"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FiberId from "effect/FiberId"
import * as FiberSet from "effect/FiberSet"
import * as Option from "effect/Option"
import * as Record from "effect/Record"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { AsyncLocalStorage } from "node:async_hooks"
import type { ElicitationAnswer, ElicitationOutcome } from "../../../domain/Elicitation.js"
import * as Issues from "../../../domain/Issues.js"
import * as McpElicitation from "../../../domain/McpElicitation.js"
import type { ToolContext } from "../Toolset.js"

/** A call that is under way. @since 0.1.0 */
export interface OpenCall {
  /** As the loop knows it. */
  readonly id: string
  readonly ask: (asked: McpElicitation.Asked) => Effect.Effect<Option.Option<ElicitationAnswer>>
  /** Is put around the time in which a person is asked. */
  readonly hold: <A>(effect: Effect.Effect<A>) => Effect.Effect<A>
  /** As `ask`, for a request of the server, which may take it back. Rejected if the call ends before. */
  readonly answer: (
    asked: McpElicitation.Asked,
    signal: AbortSignal,
    possible: ReadonlyArray<OpenCall>
  ) => Promise<ElicitResult>
  /** Starts it in the asynchronous context of the call. */
  readonly enter: <A>(f: () => A) => A
}

/** @since 0.1.0 */
export interface McpQuestions {
  /** Opens a call in its scope. `hold` is put around the time in which a person is asked. */
  readonly open: (
    context: ToolContext,
    hold: <A>(effect: Effect.Effect<A>) => Effect.Effect<A>
  ) => Effect.Effect<OpenCall, never, Scope.Scope>
  /** The handler of `elicitation/create`. */
  readonly elicit: (params: unknown, signal: AbortSignal) => Promise<ElicitResult>
  /** The handler of `notifications/elicitation/complete`. */
  readonly completed: (elicitationId: string) => void
}

const done: ElicitationOutcome = { _tag: "Answered", action: "accept", by: "completion" }
const takenBack: ElicitationOutcome = { _tag: "Withdrawn", reason: "the server took the question back" }

const isContentValue: (value: unknown) => value is string | number | boolean | Array<string> = Schema.is(
  Schema.Union(Schema.String, Schema.Number, Schema.Boolean, Schema.mutable(Schema.Array(Schema.String)))
)

/** Whatever is no answer is a cancel. The content was checked against the form (EB7): servers do not check what they get. */
const toResult = (answer: Option.Option<ElicitationAnswer>): ElicitResult => {
  if (Option.isNone(answer)) return { action: "cancel" }
  const { action, content } = answer.value
  if (action !== "accept" || content === undefined) return { action }
  return { action, content: Record.filter(content, isContentValue) }
}

/** The questions of one connection. @since 0.1.0 */
export const make = (): McpQuestions => {
  const current = new AsyncLocalStorage<OpenCall>()
  const calls = new Set<OpenCall>()
  const pages = new Map<string, Deferred.Deferred<ElicitationOutcome>>()

  const open: McpQuestions["open"] = (context, hold) =>
    Effect.gen(function*() {
      const run = yield* FiberSet.makeRuntimePromise<never, ElicitResult, never>()
      const ask = ({ externalId, request }: McpElicitation.Asked, signal?: AbortSignal) => {
        const elsewhere = Deferred.unsafeMake<ElicitationOutcome>(FiberId.none)
        signal?.addEventListener("abort", () => Deferred.unsafeDone(elsewhere, Effect.succeed(takenBack)))
        if (externalId !== undefined) pages.set(externalId, elsewhere)
        return Effect.ensuring(
          context.ask({ ...request, toolCallId: context.callId }, Deferred.await(elsewhere)),
          Effect.sync(() => externalId !== undefined && pages.get(externalId) === elsewhere && pages.delete(externalId))
        )
      }
      const call: OpenCall = {
        id: context.callId,
        hold,
        ask: (asked) => hold(Effect.suspend(() => ask(asked))),
        answer: ({ request, ...asked }, signal, possible) => {
          const known = possible.length === 1
            ? request
            : { ...request, possibleToolCallIds: possible.map(({ id }) => id) }
          const answer = Effect.map(ask({ ...asked, request: known }, signal), toResult)
          // the one that waits for the answer has given no sign of life
          return run(possible.reduce((waiting, { hold }) => hold(waiting), answer))
        },
        enter: (f) => current.run(call, f)
      }
      yield* Effect.acquireRelease(Effect.sync(() => calls.add(call)), () => Effect.sync(() => calls.delete(call)))
      return call
    })

  const oneOf = (
    possible: ReadonlyArray<OpenCall>,
    asked: McpElicitation.Asked,
    signal: AbortSignal
  ): Promise<ElicitResult> => {
    const [call, ...others] = possible.filter((call) => calls.has(call))
    if (call === undefined || signal.aborted) return Promise.resolve({ action: "cancel" })
    return call.answer(asked, signal, [call, ...others]).catch((error: unknown) => {
      if (calls.has(call)) throw error
      return oneOf(others, asked, signal)
    })
  }

  return {
    open,
    elicit: (params, signal) => {
      const asked = McpElicitation.fromCreate(params)
      if (Either.isLeft(asked)) throw new ProtocolError(ProtocolErrorCode.InvalidParams, Issues.toText(asked.left))
      const within = current.getStore()
      const possible = within !== undefined && calls.has(within) ? [within] : [...calls]
      if (possible.length === 0) {
        throw new ProtocolError(ProtocolErrorCode.InvalidRequest, "nobody is asked outside of a tool call")
      }
      return oneOf(possible, asked.right, signal)
    },
    completed: (elicitationId) => {
      const page = pages.get(elicitationId)
      if (page !== undefined) Deferred.unsafeDone(page, Effect.succeed(done))
    }
  }
}
