/**
 * The steps from a host to an open session: an instance, and the agent's own session in it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { AgentEvent } from "../../domain/AgentEvent.js"
import { AgentDied, type AgentError, AgentRequestFailed } from "../../domain/Errors.js"
import type * as AgentStream from "./AgentStream.js"
import type { Control, Instance } from "./Control.js"
import * as Wire from "./Wire.js"

/** The session that the agent has forgotten, or an agent that remembers none: our log has it all the same. */
const isForgotten = (error: AgentError) =>
  error._tag === "AgentRequestFailed" && /-32002|-32601|not support/i.test(error.message)

/**
 * An instance for this session, and for nobody else. The host is asked before anything of it is touched: what a killed gateway left there of
 * this session is ended only when it can be replaced.
 *
 * @since 0.1.0
 */
export const claim = Effect.fnUntraced(function*(control: Control, { env, folder, sessionId }: {
  readonly sessionId: string
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
}) {
  const left = (yield* control.list).filter((instance) => instance.session_id === sessionId)
  yield* Effect.forEach(left, ({ id }) => control.remove(id), { discard: true })
  return yield* Effect.acquireRelease(
    control.create({ workspace_path: folder, session_id: sessionId, env }),
    ({ id }) => control.remove(id).pipe(Effect.interruptible, Effect.timeout("10 seconds"), Effect.ignore)
  )
})

/** Fails finally when the instance is gone, or its agent. @since 0.1.0 */
export const isThere = (control: Control, instance: Instance) =>
  control.send(instance, "GET", "/api/v1/status").pipe(
    // nobody listens at its port: the host says whether it still has it
    Effect.catchIf(
      ({ reason }) => reason === "Unreachable",
      (error) => Effect.zipRight(control.get(instance.id), Effect.fail(error))
    ),
    Effect.flatMap((status) => {
      const { agent_status, process_info } = Wire.fieldsOf(status)
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
  resume: Option.Option<string>
) {
  const timeout = { timeout: "2 minutes" } as const
  const common = { cwd, mcp_servers: [] }
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
  const { config_options } = Wire.fieldsOf(answer["model_state"])
  const begins: ReadonlyArray<AgentEvent> = Array.isArray(config_options) && config_options.length > 0
    ? [{ type: "ConfigChanged", options: config_options }]
    : []
  return { id, how, begins }
})
