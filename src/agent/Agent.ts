/**
 * The driver contract: how Holdfast talks to any agent.
 *
 * A driver turns one agent's wire into `AgentSignal`s, in the order they came, and commands into that wire. It knows nothing of logs,
 * runs or clients: the session decides to which run a signal belongs.
 *
 * ```ts
 * const connection = yield* agent.connect({ sessionId, cwd, resume: Option.none() })
 * yield* connection.prompt(runId, [Content.text("hello")])
 * const [signals] = yield* connection.signals.takeAll // … { _tag: "Said", event: { type: "TextChunk", … } } …
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { AgentEvent } from "../domain/AgentEvent.js"
import type { ContentBlock } from "../domain/Content.js"
import type { ElicitationAnswer, ElicitationOutcome, ElicitationRequest } from "../domain/Elicitation.js"
import { type AgentError, AgentNotFound } from "../domain/Errors.js"
import type { RunId, SessionId } from "../domain/Ids.js"
import type { StoredEvent } from "../domain/StoredEvent.js"
import type { Intake } from "../lifecycle/stream/Intake.js"

/**
 * Something that an agent said, in wire order (AG4).
 *
 * - `Said`: an event to record, of `run`, or without one of the turn that is open.
 * - `Asked`: a question. `reply` answers the agent, once; `None` means that nobody will answer (it was withdrawn), and the driver
 *   says so in the protocol's own way. `elsewhere` completes when the question ends on the agent's side: it takes it back, or what the
 *   question was for is done. It belongs to `run`, or without one to the turn.
 * - `RunOpened`: the agent begins a run that nobody prompted for: a sub-agent's, or a turn that it takes by itself (RS6). With `until`
 *   "parent" it ends with `parent` at the latest, with "session" it may outlive it. Its end is `TurnEnded`, or the connection's.
 * - `TurnEnded`: the turn that `prompt` opened for `run`, or the run that the agent opened, is over. Everything that it said comes before.
 *
 * @since 0.1.0
 */
export type AgentSignal =
  | { readonly _tag: "Said"; readonly event: AgentEvent; readonly run?: RunId | undefined }
  | {
    readonly _tag: "Asked"
    readonly request: ElicitationRequest
    readonly reply: (answer: Option.Option<ElicitationAnswer>) => Effect.Effect<void>
    readonly elsewhere: Effect.Effect<ElicitationOutcome>
    readonly run?: RunId | undefined
  }
  | {
    readonly _tag: "RunOpened"
    readonly run: RunId
    readonly parent?: RunId | undefined
    readonly until: "parent" | "session"
    /** Who works in it, when it is not the session's own agent. */
    readonly agent?: string | undefined
    readonly prompt: ReadonlyArray<ContentBlock>
  }
  | { readonly _tag: "TurnEnded"; readonly run: RunId; readonly result: TurnResult }

/** @since 0.1.0 */
export type TurnResult =
  | { readonly _tag: "Stopped"; readonly stopReason: string }
  | { readonly _tag: "Failed"; readonly error: AgentError }

/** @since 0.1.0 */
export interface ConnectOptions {
  readonly sessionId: SessionId
  /** Absolute; exists. */
  readonly cwd: string
  /** The agent's own name for the session, when it had one before: load it again if the agent can. */
  readonly resume: Option.Option<string>
  /** What has been said in the session, from the oldest that is left, for an agent that remembers nothing itself. */
  readonly history?: (() => Stream.Stream<StoredEvent>) | undefined
  /** Closes with the session, after its connection: what the next connection of the session shall find lives here. */
  readonly keep?: Scope.Scope | undefined
}

/** What an agent has said and nobody has taken yet, in order. @since 0.1.0 */
export type Signals = Pick<Intake<AgentSignal, AgentError>, "take" | "takeAll">

/**
 * The folder in which an agent works, where its host lets others work in it, too. What happens there is told by `ShellOutput`,
 * `ProcessOutput`, `ProcessStatus`, `GitStatusChanged` and `FilesChanged`.
 *
 * @since 0.1.0
 */
export interface Workspace {
  /** Types into the session's shell, as a terminal does: a line ends with `\r`. */
  readonly shell: (data: string) => Effect.Effect<void, AgentError>
  readonly resize: (columns: number, rows: number) => Effect.Effect<void, AgentError>
  /** Starts a command beside the agent, and tells its id; a `cwd` that is relative is taken from the session's. */
  readonly start: (process: {
    readonly command: string
    readonly cwd?: string | undefined
    readonly env?: Readonly<Record<string, string>> | undefined
    readonly name?: string | undefined
  }) => Effect.Effect<string, AgentError>
  /** Ends it. It is no error if it has ended. */
  readonly stop: (processId: string) => Effect.Effect<void, AgentError>
}

/** @since 0.1.0 */
export interface AgentConnection {
  readonly agentSessionId: string
  readonly how: "opened" | "loaded" | "resumed"
  readonly name?: string | undefined
  readonly version?: string | undefined
  /**
   * What the agent replayed while it loaded the session, in order. The log is the truth (AG5): the session records only what the log
   * does not have. Empty unless `how` is "loaded".
   */
  readonly replayed: ReadonlyArray<AgentEvent>
  /**
   * The modes and the options that the session begins with. They are recorded together with the connection, so whoever is told of a
   * new session finds them in its log.
   */
  readonly begins?: ReadonlyArray<AgentEvent> | undefined
  /**
   * Everything that the agent says, also between turns. Bounded: while it is full the agent's output is not read. It fails, after
   * the last signal, with the reason for which the agent is gone, and is done when the scope closes.
   */
  readonly signals: Signals
  /** Opens a turn; returns when the prompt is on its way. Its end comes as `TurnEnded`, or as the failure of `signals`. */
  readonly prompt: (run: RunId, content: ReadonlyArray<ContentBlock>) => Effect.Effect<void, AgentError>
  /** Asks the agent to stop its turn; it should then end with the stop reason `cancelled`. Nothing happens between turns. */
  readonly cancel: Effect.Effect<void>
  /** As `cancel`, for a run that the agent opened itself; `undefined` for one that cannot be stopped alone. Absent where none can. */
  readonly cancelRun?: ((run: RunId) => Effect.Effect<void> | undefined) | undefined
  /**
   * Puts a message into the turn that is open; `false` if it is too late for that. Absent where the agent has no such thing: then a
   * message that steers ends the turn and opens the next one.
   */
  readonly steer?:
    | ((run: RunId, content: ReadonlyArray<ContentBlock>) => Effect.Effect<boolean, AgentError>)
    | undefined
  /** Whether another connection could be had now: it is asked before this one is ended for a restart. Absent where that is always so. */
  readonly renewable?: Effect.Effect<void, AgentError> | undefined
  /** Absent where the agent's host has no such thing. */
  readonly workspace?: Workspace | undefined
  readonly setMode: (modeId: string) => Effect.Effect<void, AgentError>
  readonly setConfigOption: (configId: string, value: string | boolean) => Effect.Effect<void, AgentError>
}

/**
 * How often a message that an agent is telling is recorded, at most: agents tell a text in hundreds of pieces a second, a person reads
 * frames, and a store pays for each event. The first piece is recorded at once, and nothing is lost or put out of order. `false`: every
 * piece is an event.
 *
 * @since 0.1.0
 */
export type Coalesce = { readonly every: Duration.Duration } | false

/** @since 0.1.0 */
export interface Agent {
  readonly name: string
  readonly kind: string
  readonly description: string
  /** `false` when left out. */
  readonly coalesce?: Coalesce | undefined
  /**
   * A connection that holds one session of the agent. It is ready to be prompted on return; closing the scope ends everything that
   * belongs to it (AG1).
   */
  readonly connect: (options: ConnectOptions) => Effect.Effect<AgentConnection, AgentError, Scope.Scope>
}

/**
 * The agents that sessions can be opened with.
 *
 * @since 0.1.0
 */
export class Agents extends Context.Tag("holdfast/Agents")<Agents, {
  readonly all: ReadonlyArray<Agent>
  readonly get: (name: string) => Effect.Effect<Agent, AgentNotFound>
}>() {}

/** @since 0.1.0 */
export const makeAgents = (all: ReadonlyArray<Agent>): Agents["Type"] => ({
  all,
  get: (name) => {
    const agent = all.find((agent) => agent.name === name)
    if (agent !== undefined) return Effect.succeed(agent)
    const known = all.map((agent) => agent.name)
    return Effect.fail(
      new AgentNotFound({
        agent: name,
        known,
        message: `there is no agent "${name}"; there are: ${known.join(", ") || "none"}`
      })
    )
  }
})

/** @since 0.1.0 */
export const layer = (all: ReadonlyArray<Agent>): Layer.Layer<Agents> => Layer.succeed(Agents, makeAgents(all))
