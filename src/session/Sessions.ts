/**
 * The commands: the one door through which clients reach sessions.
 *
 * ```ts
 * const sessions = yield* Sessions.Sessions
 * const session = yield* sessions.create({ agent: "demo", cwd: process.cwd() })
 * const { runId } = yield* sessions.prompt(session.id, { content: [Content.text("hello")] })
 * yield* sessions.events({ session: session.id, after: 0 }).pipe(Stream.runForEach(({ json }) => Console.log(json)))
 * ```
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Agents, type Workspace } from "../agent/Agent.js"
import type { Decision } from "../domain/Decision.js"
import type { Elicitation, ElicitationAnswer } from "../domain/Elicitation.js"
import type {
  AgentError,
  AgentNotFound,
  CursorExpired,
  DecisionNotFound,
  ElicitationAlreadySettled,
  ElicitationAnswerInvalid,
  ElicitationNotFound,
  IdempotencyKeyReused,
  LogError,
  SessionBusy,
  SessionNotFound
} from "../domain/Errors.js"
import {
  type AgentUnsupported,
  CwdInvalid,
  LimitReached,
  PromptInvalid,
  type SessionClosed,
  WorkspaceNotOffered
} from "../domain/Errors.js"
import { type ElicitationId, freshSessionId, type RunId, type SessionId } from "../domain/Ids.js"
import { type Session, type SessionStatus, status, toSession } from "../domain/Session.js"
import * as ElicitationBridge from "../lifecycle/ElicitationBridge.js"
import type * as RestartCoalescer from "../lifecycle/RestartCoalescer.js"
import { type Cursor, EventLog, type LogEntry, type Reader } from "../log/EventLog.js"
import * as History from "./History.js"
import type * as SessionRuntime from "./SessionRuntime.js"
import * as Waking from "./Waking.js"

export type {
  /** @since 0.1.0 */
  PromptOptions
} from "./SessionRuntime.js"

/** @since 0.1.0 */
export class Sessions extends Context.Tag("holdfast/Sessions")<Sessions, {
  /**
   * Opens a session and starts its agent. It returns when the agent is ready; if it does not get ready the session is left `failed`, with the reason in its log.
   * With an `id` of the caller's own, a session that has it is returned as it is.
   */
  readonly create: (options: {
    readonly agent: string
    readonly cwd?: string | undefined
    readonly title?: string | undefined
    readonly id?: SessionId | undefined
  }) => Effect.Effect<Session, AgentNotFound | CwdInvalid | LimitReached | AgentError | LogError>
  readonly get: (id: SessionId) => Effect.Effect<Session, SessionNotFound | LogError>
  readonly list: (options: {
    readonly status: Option.Option<SessionStatus>
    readonly after: Option.Option<SessionId>
    readonly limit: number
  }) => Effect.Effect<ReadonlyArray<Session>, SessionNotFound | LogError>
  /** Accepts a prompt. `seq` is the number of its `RunStarted`, or of its `RunQueued`. */
  readonly prompt: (
    id: SessionId,
    options: SessionRuntime.PromptOptions
  ) => Effect.Effect<
    { readonly runId: RunId; readonly seq: number },
    SessionNotFound | SessionClosed | SessionBusy | IdempotencyKeyReused | PromptInvalid | LimitReached | LogError
  >
  /**
   * Cancels the open turn and drops what is queued, or with `run` only that one. Where there is nothing to cancel it does nothing; a run of
   * the agent's own that the agent cannot stop alone is refused.
   */
  readonly cancel: (
    id: SessionId,
    run?: RunId
  ) => Effect.Effect<void, SessionNotFound | SessionClosed | AgentUnsupported | LogError>
  /**
   * Ends the agent and starts it again; an open turn is cancelled. It returns when the request is accepted; the Effect that it returns
   * waits for the restart that covers it. `failed` tells that the agent looks dead: one that starts, or has only just started, is left
   * alone (RC9). Fails with `RestartStorm` when too many restarts have failed and no person asks (`requested`).
   */
  readonly restart: (
    id: SessionId,
    cause: RestartCoalescer.Cause
  ) => Effect.Effect<
    Effect.Effect<Session, AgentNotFound | AgentError | SessionClosed | LogError>,
    SessionNotFound | SessionClosed | RestartCoalescer.RestartStorm | LogError
  >
  readonly setMode: (
    id: SessionId,
    modeId: string
  ) => Effect.Effect<void, SessionNotFound | SessionClosed | AgentNotFound | AgentError | LogError>
  readonly setConfigOption: (
    id: SessionId,
    configId: string,
    value: string | boolean
  ) => Effect.Effect<void, SessionNotFound | SessionClosed | AgentNotFound | AgentError | LogError>
  /** The folder in which the agent works, if its host lets others work in it, too; starts the agent if it is not there. */
  readonly workspace: (
    id: SessionId
  ) => Effect.Effect<
    Workspace,
    SessionNotFound | SessionClosed | AgentNotFound | AgentError | WorkspaceNotOffered | LogError
  >
  /** The questions that wait for an answer. */
  readonly elicitations: (id: SessionId) => Effect.Effect<ReadonlyArray<Elicitation>, SessionNotFound | LogError>
  /** Says that somebody who could answer questions is there for as long as the Scope is open (EB9). */
  readonly attend: (id: SessionId) => Effect.Effect<void, never, Scope.Scope>
  /** What was decided for every further question about the same, oldest first. */
  readonly decisions: (id: SessionId) => Effect.Effect<ReadonlyArray<Decision>, SessionNotFound | LogError>
  /** Takes such a decision back: the next question about it is asked. */
  readonly revoke: (
    id: SessionId,
    subject: string
  ) => Effect.Effect<void, SessionNotFound | SessionClosed | DecisionNotFound | LogError>
  readonly answer: (
    id: SessionId,
    elicitation: ElicitationId,
    answer: ElicitationAnswer
  ) => Effect.Effect<
    void,
    SessionNotFound | ElicitationNotFound | ElicitationAlreadySettled | ElicitationAnswerInvalid | LogError
  >
  /** The sessions that are live in this process by status, and the questions of theirs that wait for an answer. */
  readonly counts: Effect.Effect<{
    readonly sessions: Readonly<Record<SessionStatus, number>>
    readonly questions: number
  }>
  /** Closes a session and everything that it holds. Closing a closed one does nothing. */
  readonly close: (id: SessionId) => Effect.Effect<void, SessionNotFound | LogError>
  /** The session's events after the cursor, replayed and followed without end. `StoredEvent.fromJson` reads what an entry holds. */
  readonly events: (cursor: Cursor) => Stream.Stream<LogEntry, SessionNotFound | CursorExpired | LogError>
  /** The session's events after the cursor, up to the head. */
  readonly history: (cursor: Cursor) => Stream.Stream<LogEntry, SessionNotFound | CursorExpired | LogError>
  /** What `history` or, with `follow`, `events` gives, for an edge that serves many: a page costs it no fiber. */
  readonly reader: (
    cursor: Cursor,
    options: { readonly follow: boolean }
  ) => Effect.Effect<Reader, SessionNotFound | CursorExpired | LogError, Scope.Scope>
}>() {}

/** @since 0.1.0 */
export interface Options {
  /** The folders in which sessions may work, with all that is in them; any when left out. */
  readonly roots?: ReadonlyArray<string> | undefined
  /** Sessions that may be live at once; 1,000 when left out. */
  readonly maxSessions?: number | undefined
  /** Prompts of one session that may wait behind its turn; 16 when left out. */
  readonly maxQueued?: number | undefined
  /** The size of a prompt's JSON, in characters; 1 Mi when left out. */
  readonly maxPromptLength?: number | undefined
  /** How long an agent may take to end a cancelled turn before it is ended itself; 10 seconds when left out. */
  readonly cancelGrace?: Duration.DurationInput | undefined
  /**
   * A session in which nothing runs and nothing waits, and of which nobody has heard or asked anything for `after`, gives up its agent and
   * goes to sleep; the next command wakes it. Never when left out.
   */
  readonly idle?: { readonly after: Duration.DurationInput } | undefined
  /** How the restarts of an agent are paced; `RestartCoalescer.Policy` has the defaults. */
  readonly restarts?: RestartCoalescer.Policy | undefined
}

/**
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(options: Options) {
  const log = yield* EventLog
  const agents = yield* Agents
  const bridge = yield* ElicitationBridge.ElicitationBridge
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const maxSessions = options.maxSessions ?? 1000
  const maxPromptLength = options.maxPromptLength ?? 1024 * 1024
  const limits: SessionRuntime.Limits = {
    maxQueued: options.maxQueued ?? 16,
    cancelGrace: Duration.decode(options.cancelGrace ?? "10 seconds")
  }
  const waking = yield* Waking.make({
    log,
    agents,
    bridge,
    limits,
    idle: options.idle,
    restarts: options.restarts
  })
  const { close, live, using } = waking

  const get = (id: SessionId) =>
    Effect.zipWith(log.state(id), bridge.pending({ sessionId: id }), (state, elicitations) => ({
      ...toSession(state),
      elicitations
    }))

  const isIn = (root: string, folder: string) => {
    const inside = path.relative(root, folder)
    return inside !== ".." && !inside.startsWith(`..${path.sep}`) && !path.isAbsolute(inside)
  }

  const folder = (cwd: string | undefined) => {
    const absolute = path.resolve(cwd ?? ".")
    // whether a folder outside of the roots is there is not told
    const where = options.roots === undefined ? "" : ` in ${options.roots.join(" or ")}`
    const message = `the working folder ${absolute} is not a folder${where}`
    return Effect.gen(function*() {
      if ((yield* fs.stat(absolute)).type !== "Directory") return Option.none()
      if (options.roots === undefined) return Option.some(absolute)
      // where it really is: neither `..` nor a link leads out, nor a link that is changed later
      const real = yield* fs.realPath(absolute)
      const roots = yield* Effect.forEach(options.roots, (root) => Effect.orElseSucceed(fs.realPath(root), () => root))
      return Option.liftPredicate(real, (real) => roots.some((root) => isIn(root, real)))
    }).pipe(
      Effect.orElseSucceed(() => Option.none<string>()),
      Effect.flatMap(Option.match({
        onNone: () => Effect.fail(new CwdInvalid({ cwd: absolute, message })),
        onSome: Effect.succeed
      }))
    )
  }

  const isThere = (id: SessionId) =>
    log.state(id).pipe(Effect.as(true), Effect.catchTag("SessionNotFound", () => Effect.succeed(false)))

  const create: Sessions["Type"]["create"] = Effect.fnUntraced(function*({ agent, cwd, id: own, title }) {
    yield* agents.get(agent)
    const absolute = yield* folder(cwd)
    const { id, runtime } = yield* waking.exclusively(Effect.uninterruptible(Effect.gen(function*() {
      // looking and making are one step, so of two who make it one finds it
      if (own !== undefined && (yield* isThere(own))) return { id: own, runtime: undefined }
      if (live.size >= maxSessions) {
        return yield* Effect.fail(
          new LimitReached({
            what: "sessions",
            limit: maxSessions,
            message: `${maxSessions} sessions are live already; close some first`
          })
        )
      }
      const id = own ?? (yield* freshSessionId)
      yield* log.append(id, [{
        event: { type: "SessionOpened", agent, cwd: absolute, ...(title === undefined ? {} : { title }) }
      }])
      return { id, runtime: (yield* waking.wake(yield* log.state(id), [])).runtime }
    }))).pipe(Effect.catchTag("SessionNotFound", Effect.die))
    if (runtime !== undefined) yield* runtime.start
    return yield* Effect.catchTag(get(id), "SessionNotFound", Effect.die)
  })

  const checkPrompt = ({ content }: SessionRuntime.PromptOptions) => {
    const length = JSON.stringify(content).length
    if (content.length === 0 || content.every((block) => block.type === "text" && block.text.trim() === "")) {
      return Effect.fail(new PromptInvalid({ message: "the prompt is empty" }))
    }
    return length > maxPromptLength
      ? Effect.fail(
        new PromptInvalid({ message: `the prompt has ${length} characters; at most ${maxPromptLength} are allowed` })
      )
      : Effect.void
  }

  const counts = Effect.gen(function*() {
    const sessions = { starting: 0, idle: 0, running: 0, waiting: 0, restarting: 0, closed: 0, failed: 0 }
    let questions = 0
    for (const id of [...live.keys()]) {
      // one that the store does not tell of is not counted: the figures are for a store in trouble, too
      const state = yield* Effect.option(log.state(id))
      if (Option.isNone(state)) continue
      sessions[status(state.value)]++
      questions += state.value.pending.length
    }
    return { sessions, questions }
  })

  /** How a question ended that the bridge does not remember: in an earlier life of this process, or long ago. */
  const outcomeInLog = (id: SessionId, elicitation: ElicitationId) =>
    History.events(log, id, (entry) => entry.type === "ElicitationSettled" && entry.json.includes(elicitation)).pipe(
      Stream.filterMap(({ event }) =>
        event.type === "ElicitationSettled" && event.elicitationId === elicitation
          ? Option.some(event.outcome)
          : Option.none()
      ),
      Stream.runHead
    )

  return Sessions.of({
    create,
    get,
    list: (query) => Effect.map(log.sessions(query), (states) => states.map(toSession)),
    prompt: (id, prompt) => Effect.zipRight(checkPrompt(prompt), using(id, (runtime) => runtime.prompt(prompt))),
    cancel: (id, run) => using(id, (runtime) => runtime.cancel(run)),
    restart: (id, cause) =>
      using(id, (runtime) => runtime.restart(cause)).pipe(
        Effect.map((settled) => Effect.zipRight(settled, Effect.catchTag(get(id), "SessionNotFound", Effect.die)))
      ),
    setMode: (id, modeId) =>
      using(id, (runtime) => Effect.flatMap(runtime.connection, (connection) => connection.setMode(modeId))),
    setConfigOption: (id, configId, value) =>
      using(
        id,
        (runtime) => Effect.flatMap(runtime.connection, (connection) => connection.setConfigOption(configId, value))
      ),
    workspace: (id) =>
      using(id, (runtime) =>
        Effect.flatMap(runtime.connection, ({ workspace }) => {
          if (workspace !== undefined) return Effect.succeed(workspace)
          const message =
            `the agent of session ${id} offers no shell and no processes: only agents behind a host (agentctl) do`
          return Effect.fail(new WorkspaceNotOffered({ sessionId: id, message }))
        })),
    elicitations: (id) => Effect.zipRight(log.head(id), bridge.pending({ sessionId: id })),
    answer: (id, elicitation, answer) =>
      Effect.zipRight(log.head(id), bridge.answer(id, elicitation, answer)).pipe(
        Effect.catchTag("ElicitationNotFound", (error) =>
          Effect.flatMap(outcomeInLog(id, elicitation), (outcome) =>
            Effect.fail(
              Option.isNone(outcome) ? error : ElicitationBridge.alreadySettled(elicitation, outcome.value)
            )))
      ),
    attend: bridge.attend,
    decisions: (id) => Effect.map(log.state(id), ({ decisions }) => decisions),
    revoke: (id, subject) => using(id, (runtime) => runtime.revoke(subject)),
    counts,
    close,
    events: (cursor) => Stream.unwrapScoped(Effect.as(waking.watch(cursor.session), log.tail(cursor))),
    history: log.read,
    reader: (cursor, options) =>
      options.follow
        ? Effect.zipRight(waking.watch(cursor.session), log.reader(cursor, options))
        : log.reader(cursor, options)
  })
})

/** @since 0.1.0 */
export const layerWith = (
  options: Options & ElicitationBridge.Options
): Layer.Layer<Sessions, never, EventLog | Agents | FileSystem.FileSystem | Path.Path> =>
  Layer.scoped(Sessions, make(options)).pipe(Layer.provide(ElicitationBridge.layerWith(options)))

/**
 * Sessions over the log and the agents that are provided. Closing it ends every agent and every run.
 *
 * @since 0.1.0
 */
export const layer: Layer.Layer<Sessions, never, EventLog | Agents | FileSystem.FileSystem | Path.Path> = layerWith({})
