/**
 * One session of an agent behind a host: an instance of its own, the two streams of it, and what both say as `AgentSignal`s.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"
import type { AgentEvent } from "../../domain/AgentEvent.js"
import { type AgentError, AgentLost, AgentStartTimeout } from "../../domain/Errors.js"
import * as Intake from "../../lifecycle/stream/Intake.js"
import * as StreamManager from "../../lifecycle/StreamManager.js"
import type { AgentConnection, AgentSignal, ConnectOptions } from "../Agent.js"
import * as OptionFields from "../OptionFields.js"
import type { AgentctlOptions } from "./AgentctlOptions.js"
import * as AgentStream from "./AgentStream.js"
import * as Choices from "./Choices.js"
import type { Control } from "./Control.js"
import * as Frames from "./Frames.js"
import * as HostError from "./HostError.js"
import type { Instances } from "./Instances.js"
import * as McpServers from "./McpServers.js"
import * as Opening from "./Opening.js"
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

/** What all sessions of an agent share. @since 0.1.0 */
export interface Host {
  readonly control: Control
  readonly instances: Instances
}

/** How many signals may wait to be taken before the host's frames are no longer read. */
const capacity = 1024
const mebibyte = 1024 * 1024

const inFolder = (cwd: string, workspace = cwd): string =>
  workspace.startsWith("/") ? workspace : workspace === "." ? cwd : `${cwd}/${workspace}`

const inTime = ({ command = "the host's own agent", startTimeout = Duration.seconds(60), url }: AgentctlOptions) => {
  const within = Duration.format(Duration.decode(startTimeout))
  return Effect.timeoutFail({
    duration: startTimeout,
    onTimeout: () =>
      new AgentStartTimeout({
        command,
        millis: Duration.toMillis(startTimeout),
        stderr: "",
        message: `the agent behind ${url} was not ready within ${within}`
      })
  })
}

/** @since 0.1.0 */
export const connect = (
  options: AgentctlOptions,
  { control, instances }: Host,
  { cwd, keep, resume, sessionId }: ConnectOptions
): Effect.Effect<AgentctlConnection, AgentError, Scope.Scope> =>
  Effect.gen(function*() {
    const signals = Intake.make<AgentSignal, AgentError>(capacity)
    const emit = (signal: AgentSignal) => signals.offer([signal])
    const say = (event: AgentEvent) => emit({ _tag: "Said", event })
    const host = <A, R>(effect: Effect.Effect<A, HostError.HostError, R>) =>
      Effect.mapError(effect, HostError.toAgentError)
    const folder = inFolder(cwd, options.workspace)
    const mcpServers = McpServers.toHost(options.mcpServers)
    const maxFrame = options.maxMessageBytes ?? 16 * mebibyte

    const fork = yield* FiberSet.makeRuntime<never>()
    const streams = yield* StreamManager.make
    const lease = yield* host(instances.lease({ sessionId, folder, env: OptionFields.reveal(options.env), keep }))
    const { instance } = lease
    let over: AgentError | undefined
    let stream: AgentStream.AgentStream | undefined
    // while the stream is still read: what the agent says to its end is not left to the next one
    yield* Effect.addFinalizer(() => {
      signals.end(Exit.void)
      return lease.leave(stream?.isConnected() === true || over?._tag === "AgentDied")
    })

    // ------------------------------------------------------------------------------------- what it says

    const turns = Turns.make(lease.numbers)
    const choices = Choices.make()
    let agentSessionId: string | undefined
    const frames = Frames.make({
      emit,
      say,
      turns,
      choices,
      fork: (effect) => void fork(effect),
      emitAll: (all) => all.length === 0 ? Effect.void : signals.offer(all),
      isOurs: (session) =>
        agentSessionId === undefined || session === agentSessionId || session === undefined || session === "" ||
        session === sessionId
    })
    const call: AgentStream.AgentStream["call"] = (...request) =>
      Effect.suspend(() =>
        stream?.call(...request) ?? new AgentLost({ message: "the agent host is not connected yet" })
      )
    const questions = OpenQuestions.make({ emit, call, fork: (effect) => void fork(effect) })
    const fail = (error: AgentError) =>
      Effect.sync(() => {
        over = error
        signals.end(Exit.fail(error))
      })
    const commands = TurnCommands.make({
      turns,
      call,
      emit,
      fail,
      lastOver: frames.lastOver,
      heard: frames.heard,
      waits: questions.waits,
      silence: options.turnSilence ?? Duration.minutes(5)
    })

    const handshake = Effect.gen(function*() {
      const send = (path: string, body?: unknown) => host(control.send(instance, "POST", path, body))
      if (options.command !== undefined) {
        const { args = [], command } = options
        yield* send("/api/v1/agent/configure", {
          command,
          agent_args: [command, ...args],
          env: OptionFields.reveal(options.env)
        })
      }
      yield* send("/api/v1/start")
      stream = yield* AgentStream.make({
        streams,
        address: Effect.zipRight(Opening.isThere(control, instance), control.socket(instance, "/api/v1/agent/stream")),
        handle: (batch, respond) => frames.handle(batch, respond, questions),
        connected: (again) =>
          again ? Effect.zipRight(commands.reconnected, Effect.forkScoped(questions.reconcile)) : Effect.void,
        disconnected: questions.disconnected,
        lost: fail,
        idle: options.idle,
        outage: options.outage ?? Duration.seconds(30),
        maxFrame
      })
      const { agent_info } = yield* call("agent.initialize", { client_name: "holdfast", client_version: "0.1.0" }, {
        timeout: "3 minutes"
      })
      const opened = yield* Opening.open(call, folder, resume, mcpServers)
      return { opened, info: Wire.fieldsOf(agent_info) }
    })
    const { info, opened } = yield* handshake
    agentSessionId = opened.id

    const workspace = yield* WorkspaceStream.make({
      streams,
      control,
      instance,
      sessionId,
      folder,
      say,
      unknown: frames.unknown,
      idle: options.idle,
      maxFrame
    })

    const connection: AgentctlConnection = {
      agentSessionId,
      how: opened.how,
      name: Wire.string(info["name"]),
      version: Wire.string(info["version"]),
      // the host keeps what an agent replays to itself
      replayed: [],
      begins: choices.tell(opened.state),
      renewable: host(lease.renewable),
      signals,
      prompt: commands.prompt,
      cancel: commands.cancel,
      // known when the agent has said what it can
      get steer() {
        return frames.supports().includes("prompt_queueing") ? commands.steer : undefined
      },
      workspace,
      // the host tells the new mode and the new options itself
      setMode: (mode_id) =>
        Effect.asVoid(call("agent.session.set_mode", { session_id: agentSessionId, mode_id }, { again: true })),
      setConfigOption: (option, value) =>
        Effect.suspend(() => {
          const { action, payload } = choices.choose(option, value)
          return Effect.asVoid(call(action, payload, { again: true }))
        }),
      setModel: (model_id) => Effect.asVoid(call("agent.session.set_model", { model_id }, { again: true })),
      stderr: Effect.map(
        call("agent.stderr", null, { again: true }),
        ({ lines }) => Array.isArray(lines) ? lines.filter(Predicate.isString) : []
      ),
      reset: Effect.map(
        call("agent.session.reset", { cwd: folder, mcp_servers: mcpServers }, { timeout: "2 minutes" }),
        (answer) => agentSessionId = Wire.string(answer["session_id"]) ?? agentSessionId ?? ""
      ),
      supports: frames.supports
    }
    return connection
  }).pipe(inTime(options))
