/**
 * One session of an agent behind a host: an instance of its own, the two streams of it, and what both say as `AgentSignal`s.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Mailbox from "effect/Mailbox"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { AgentEvent } from "../../domain/AgentEvent.js"
import { AgentDied, type AgentError, AgentLost, AgentRequestFailed, AgentStartTimeout } from "../../domain/Errors.js"
import * as StreamManager from "../../lifecycle/StreamManager.js"
import type { AgentConnection, AgentSignal, ConnectOptions } from "../Agent.js"
import type { AgentctlOptions } from "./AgentctlOptions.js"
import * as AgentStream from "./AgentStream.js"
import type { Control, Instance } from "./Control.js"
import * as Frames from "./Frames.js"
import * as HostError from "./HostError.js"
import * as OpenQuestions from "./OpenQuestions.js"
import * as TurnCommands from "./TurnCommands.js"
import * as Turns from "./Turns.js"
import * as Wire from "./Wire.js"
import * as WorkspaceStream from "./WorkspaceStream.js"

/** What an agentctl host has beyond the contract of drivers. @since 0.1.0 */
export interface AgentctlConnection extends AgentConnection {
  /** What the agent takes in a prompt: `image`, `audio`, `embedded_context`, `prompt_queueing`. */
  readonly supports: () => ReadonlyArray<string>
  /** The last lines that the agent wrote to stderr. */
  readonly stderr: Effect.Effect<ReadonlyArray<string>, AgentError>
  /** Lets the agent begin anew, in the same process; its new name for the session. */
  readonly reset: Effect.Effect<string, AgentError>
  readonly setModel: (modelId: string) => Effect.Effect<void, AgentError>
}

/** How many signals may wait to be taken before the host's frames are no longer read. */
const capacity = 1024
const mebibyte = 1024 * 1024

const inFolder = (cwd: string, workspace = cwd): string =>
  workspace.startsWith("/") ? workspace : workspace === "." ? cwd : `${cwd}/${workspace}`

const reveal = (values: AgentctlOptions["env"] = {}): Record<string, string> =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, Redacted.isRedacted(value) ? Redacted.value(value) : value])
  )

/** The session that the agent has forgotten, or an agent that remembers none: our log has it all the same. */
const isForgotten = (error: AgentError) =>
  error._tag === "AgentRequestFailed" && /-32002|-32601|not support/i.test(error.message)

/** @since 0.1.0 */
export const connect = (
  options: AgentctlOptions,
  control: Control,
  { cwd, resume, sessionId }: ConnectOptions
): Effect.Effect<AgentctlConnection, AgentError, Scope.Scope> =>
  Effect.gen(function*() {
    const signals = yield* Mailbox.make<AgentSignal, AgentError>(capacity)
    yield* Effect.addFinalizer(() => signals.end)
    // in the mailbox's own order; nearly always there is room
    const emit = (signal: AgentSignal) =>
      Effect.suspend(() => signals.unsafeOffer(signal) ? Effect.void : Effect.asVoid(signals.offer(signal)))
    const say = (event: AgentEvent) => emit({ _tag: "Said", event })
    const host = <A, R>(effect: Effect.Effect<A, HostError.HostError, R>) =>
      Effect.mapError(effect, HostError.toAgentError)
    const folder = inFolder(cwd, options.workspace)
    const maxFrame = options.maxMessageBytes ?? 16 * mebibyte

    const fork = yield* FiberSet.makeRuntime<never>()

    // ------------------------------------------------------------------------------------- what it says

    const turns = Turns.make()
    let agentSessionId: string | undefined
    const frames = Frames.make({
      emit,
      say,
      turns,
      fork: (effect) => void fork(effect),
      ours: () => [agentSessionId, sessionId, ""]
    })
    let stream: AgentStream.AgentStream | undefined
    const call: AgentStream.AgentStream["call"] = (...request) =>
      Effect.suspend(() =>
        stream?.call(...request) ?? new AgentLost({ message: "the agent host is not connected yet" })
      )
    const questions = OpenQuestions.make({ emit, call, fork: (effect) => void fork(effect) })
    const fail = (error: AgentError) => Effect.asVoid(signals.fail(error))
    const commands = TurnCommands.make({
      turns,
      call,
      emit,
      fail,
      over: frames.over,
      heard: frames.heard,
      waits: questions.waits,
      silence: options.turnSilence ?? Duration.minutes(5)
    })

    const handshake = Effect.gen(function*() {
      const instance = yield* host(claim(control, { sessionId, folder, env: reveal(options.env) }))
      const send = (path: string, body?: unknown) => host(control.send(instance, "POST", path, body))
      const streams = yield* StreamManager.make
      if (options.command !== undefined) {
        const { args = [], command } = options
        yield* send("/api/v1/agent/configure", { command, agent_args: [command, ...args], env: reveal(options.env) })
      }
      yield* send("/api/v1/start")
      stream = yield* AgentStream.make({
        streams,
        address: Effect.zipRight(isThere(control, instance), control.socket(instance, "/api/v1/agent/stream")),
        handle: (frame, respond) => frames.handle(frame, respond, questions),
        connected: (again) =>
          again ? Effect.zipRight(commands.reconnected, Effect.forkScoped(questions.reconcile)) : Effect.void,
        disconnected: questions.disconnected,
        lost: fail,
        outage: options.outage ?? Duration.seconds(30),
        maxFrame
      })
      const { agent_info } = yield* call("agent.initialize", { client_name: "holdfast", client_version: "0.1.0" }, {
        timeout: "3 minutes"
      })
      const opened = yield* open(call, folder, resume)
      return { instance, streams, opened, info: Wire.fieldsOf(agent_info) }
    })
    const startTimeout = options.startTimeout ?? Duration.seconds(60)
    const { info, instance, opened, streams } = yield* Effect.timeoutFail(handshake, {
      duration: startTimeout,
      onTimeout: () => {
        const message = `the agent behind ${options.url} was not ready within ${
          Duration.format(Duration.decode(startTimeout))
        }`
        const command = options.command ?? "the host's own agent"
        return new AgentStartTimeout({ command, millis: Duration.toMillis(startTimeout), stderr: "", message })
      }
    })
    agentSessionId = opened.id

    const workspace = yield* WorkspaceStream.make({
      streams,
      control,
      instance,
      sessionId,
      folder,
      say,
      unknown: frames.unknown,
      maxFrame
    })

    return {
      agentSessionId,
      how: opened.how,
      name: Wire.string(info["name"]),
      version: Wire.string(info["version"]),
      // the host keeps what an agent replays to itself
      replayed: [],
      begins: opened.begins,
      signals,
      prompt: commands.prompt,
      cancel: commands.cancel,
      workspace,
      setMode: (mode_id) =>
        Effect.zipRight(
          call("agent.session.set_mode", { session_id: agentSessionId, mode_id }, { again: true }),
          say({ type: "ModeChanged", modeId: mode_id })
        ),
      setConfigOption: (config_id, value) =>
        Effect.asVoid(
          call("agent.session.set_config_option", { config_id, value: String(value) }, { again: true })
        ),
      setModel: (model_id) => Effect.asVoid(call("agent.session.set_model", { model_id }, { again: true })),
      stderr: Effect.map(
        call("agent.stderr", null, { again: true }),
        ({ lines }) => Array.isArray(lines) ? lines.filter(Predicate.isString) : []
      ),
      reset: Effect.map(
        call("agent.session.reset", { cwd: folder, mcp_servers: [] }, { timeout: "2 minutes" }),
        (answer) => agentSessionId = Wire.string(answer["session_id"]) ?? agentSessionId ?? ""
      ),
      supports: frames.supports
    }
  })

/**
 * An instance for this session, and for nobody else. The host is asked before anything of it is touched: what a killed gateway left there of
 * this session is ended only when it can be replaced.
 */
const claim = Effect.fnUntraced(function*(control: Control, { env, folder, sessionId }: {
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

/** Fails finally when the instance is gone, or its agent. */
const isThere = (control: Control, instance: Instance) =>
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

const open = Effect.fnUntraced(function*(
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
