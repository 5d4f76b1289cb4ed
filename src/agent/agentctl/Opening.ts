/**
 * The steps from an instance to an open session: the agent in it, and the agent's own session.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { AgentDied, type AgentError, AgentRequestFailed } from "../../domain/Errors.js"
import type * as AgentStream from "./AgentStream.js"
import type { Control, Instance } from "./Control.js"
import * as Wire from "./Wire.js"

/** The session that the agent has forgotten, or an agent that remembers none: our log has it all the same. */
const isForgotten = (error: AgentError) =>
  error._tag === "AgentRequestFailed" && /-32002|-32601|not support/i.test(error.message)

/** Of the instance: `Gone`, too, when nobody listens at its port and the host has it no more. @since 0.1.0 */
export const status = (control: Control, instance: Instance) =>
  control.send(instance, "GET", "/api/v1/status").pipe(
    Effect.catchIf(
      ({ reason }) => reason === "Unreachable",
      (error) => Effect.zipRight(control.get(instance.id), Effect.fail(error))
    ),
    Effect.map(Wire.fieldsOf)
  )

/** Fails finally when the instance is gone, or its agent. @since 0.1.0 */
export const isThere = (control: Control, instance: Instance) =>
  status(control, instance).pipe(
    Effect.flatMap(({ agent_status, process_info }) => {
      if (agent_status !== "stopped" && agent_status !== "failed") return Effect.void
      const { exit_code } = Wire.fieldsOf(process_info)
      const exitCode = typeof exit_code === "number" ? exit_code : null
      return new AgentDied({
        exitCode,
        signal: null,
        stderr: "",
        message: `the agent has ended (${exitCode ?? "unknown"})`
      })
    })
  )

/** The session: a new one, or the one that the agent had before. @since 0.1.0 */
export const open = Effect.fnUntraced(function*(
  call: AgentStream.AgentStream["call"],
  cwd: string,
  resume: Option.Option<string>,
  mcp_servers: ReadonlyArray<Wire.Fields>
) {
  const timeout = { timeout: "2 minutes" } as const
  const common = { cwd, mcp_servers }
  const create = Effect.map(
    call("agent.session.new", common, timeout),
    (answer) => ({ how: "opened" as const, answer })
  )
  const { answer, how } = yield* Option.match(resume, {
    onNone: () => create,
    onSome: (session_id) =>
      Effect.map(call("agent.session.load", { ...common, session_id }, timeout), (answer) => ({
        how: "resumed" as const,
        answer
        // any other failure closes the connection: an agent that is restored by half is not gone on with
      })).pipe(Effect.catchIf(isForgotten, () => create))
  })
  const id = Wire.string(answer["session_id"])
  if (id === undefined) {
    const message = `the agent host opened no session: ${Wire.string(answer["error"]) ?? "it told no session_id"}`
    return yield* new AgentRequestFailed({ method: "agent.session.new", code: 0, message })
  }
  return { id, how, state: Wire.fieldsOf(answer["model_state"]) }
})
