/**
 * The questions of one instance that are not answered yet.
 *
 * A permission is held open by the host whatever becomes of the connection, so it survives one and is looked up after the next is there; a
 * question of the host's MCP tool ends with the connection that it came on.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import type { AgentEvent } from "../../domain/AgentEvent.js"
import type { ElicitationOutcome } from "../../domain/Elicitation.js"
import * as Issues from "../../domain/Issues.js"
import type { AgentSignal } from "../Agent.js"
import type { AgentStream, Respond } from "./AgentStream.js"
import * as Questions from "./Questions.js"
import * as Wire from "./Wire.js"

/** @since 0.1.0 */
export interface OpenQuestions {
  /** The agent asks; an announcement that comes twice is one. */
  readonly permission: (fields: Wire.Fields) => Effect.Effect<void>
  /** It does not ask any more. */
  readonly permissionOver: (fields: Wire.Fields) => Effect.Effect<void>
  /** After a reconnect: what the host holds open is asked if it was not, and what it does not is withdrawn. */
  readonly reconcile: Effect.Effect<void>
  /** Whether the agent waits for a person. */
  readonly waits: () => boolean
  /** A request of the host; each is answered, with an error if need be. */
  readonly request: (frame: Extract<Wire.Frame, { _tag: "Request" }>, respond: Respond) => Effect.Effect<void>
  /** The connection has ended, and with it what was asked on it. */
  readonly disconnected: Effect.Effect<void>
}

type End = Deferred.Deferred<ElicitationOutcome>

const withdraw = (end: End, reason: string) => Deferred.unsafeDone(end, Exit.succeed({ _tag: "Withdrawn", reason }))

/** @since 0.1.0 */
export const make = (options: {
  readonly emit: (signal: AgentSignal) => Effect.Effect<void>
  readonly call: AgentStream["call"]
  /** Runs what the one who answers shall not wait for. */
  readonly fork: (effect: Effect.Effect<void>) => void
}): OpenQuestions => {
  const { call, emit, fork } = options
  /** By the host's own id of the request, which is never used twice. */
  const permissions = new Map<string, { readonly end: End; readonly pendingId: string }>()
  /** The host may list one whose answer is on its way, or was when it made the list. */
  const answered = new Set<string>()
  /** By the id of the host's request. */
  const asked = new Map<string, End>()
  const say = (event: AgentEvent) => emit({ _tag: "Said", event })

  const permission: OpenQuestions["permission"] = (fields) => {
    const found = Questions.ofPermission(fields)
    if (found === undefined) {
      const detail = JSON.stringify(fields).slice(0, 500)
      return say({ type: "Warning", message: "a permission that the agent asks for could not be read", detail })
    }
    const { pendingId, request, requestId } = found
    if (permissions.has(requestId) || answered.has(requestId)) return Effect.void
    const end = Deferred.unsafeMake<ElicitationOutcome>(FiberId.none)
    permissions.set(requestId, { end, pendingId })
    const ids = { request_id: requestId, pending_id: pendingId }
    return emit({
      _tag: "Asked",
      request,
      elsewhere: Deferred.await(end),
      reply: (answer) =>
        Effect.sync(() => {
          permissions.delete(requestId)
          answered.add(requestId)
          const option_id = Questions.toOption(found, answer)
          const told = option_id === undefined
            ? call("agent.permissions.cancel", ids, { again: true })
            : call("agent.permissions.resolve", { ...ids, option_id }, { again: true })
          // the host may be out of reach for a while
          fork(Effect.catchAll(Effect.asVoid(told), ({ message }) => {
            // said twice because of a cut, or over already: the agent has gone on
            if (/already_resolved|permission_stale|not_found/.test(message)) return Effect.void
            answered.delete(requestId)
            return say({ type: "Warning", message: `an answer did not reach the agent: ${message}` })
          }))
        })
    })
  }

  const reconcile = Effect.suspend(() => {
    // only what was open before the host was asked: what comes meanwhile comes by itself
    const before = [...permissions.keys()]
    return Effect.flatMap(call("agent.permissions.list", null), ({ permissions: listed }) => {
      const open = Array.isArray(listed) ? listed.map(Wire.fieldsOf) : []
      const still = new Set(open.map((fields) => fields["request_id"]))
      for (const requestId of before) {
        if (!still.has(requestId)) over(requestId, "the agent host does not wait for it any more")
      }
      return Effect.forEach(open, permission, { discard: true })
    })
  }).pipe(
    Effect.catchAll(({ message }) =>
      say({ type: "Warning", message: `the open permissions could not be looked up: ${message}` })
    )
  )

  const over = (requestId: string, reason: string) => {
    const open = permissions.get(requestId)
    permissions.delete(requestId)
    if (open !== undefined) withdraw(open.end, reason)
  }

  const ask: OpenQuestions["request"] = ({ action, id, payload }, respond) =>
    Either.match(Questions.ofAsked(payload), {
      onLeft: (issues) => Effect.ignore(respond(Wire.failure(id, action, "VALIDATION_ERROR", Issues.toText(issues)))),
      onRight: (question) => {
        if (asked.has(id)) return Effect.void
        const end = Deferred.unsafeMake<ElicitationOutcome>(FiberId.none)
        asked.set(id, end)
        return emit({
          _tag: "Asked",
          request: question.request,
          elsewhere: Deferred.await(end),
          reply: (answer) =>
            Effect.suspend(() => {
              // over already: nobody waits at the other end
              if (asked.get(id) !== end) return Effect.void
              asked.delete(id)
              return Effect.ignore(
                respond(Wire.response(id, action, { pending_id: id, ...Questions.toAnswers(question.asked, answer) }))
              )
            })
        })
      }
    })

  const allOver = (reason: string) =>
    Effect.sync(() => {
      for (const end of asked.values()) withdraw(end, reason)
      asked.clear()
    })

  return {
    permission,
    permissionOver: (fields) =>
      Effect.sync(() => over(Wire.string(fields["request_id"]) ?? "", "the agent took the question back")),
    reconcile,
    waits: () => permissions.size + asked.size > 0,
    request: (frame, respond) => {
      const { action, id } = frame
      switch (action) {
        case "mcp.ask_user_question":
          return ask(frame, respond)
        case "mcp.clarification_timeout":
          return Effect.zipRight(
            allOver("the agent does not wait for the answer any more"),
            Effect.ignore(respond(Wire.response(id, action, { success: true })))
          )
        default:
          return Effect.ignore(
            respond(
              Wire.failure(
                id,
                action,
                "UNKNOWN_ACTION",
                `Holdfast does not offer ${action || "an action without a name"}`
              )
            )
          )
      }
    },
    disconnected: allOver("the connection on which it was asked was cut")
  }
}
