/** Sessions over a log in memory and scripted agents, and what tests ask of them again and again. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Mailbox from "effect/Mailbox"
import * as Stream from "effect/Stream"
import type { Agent, AgentSignal } from "../../src/agent/Agent.js"
import * as Agents from "../../src/agent/Agent.js"
import type { SessionEvent } from "../../src/domain/AgentEvent.js"
import * as Content from "../../src/domain/Content.js"
import { type AgentError, EventLogUnavailable } from "../../src/domain/Errors.js"
import { type ElicitationId, freshSessionId, type SessionId } from "../../src/domain/Ids.js"
import type { Draft } from "../../src/domain/Session.js"
import * as StoredEvent from "../../src/domain/StoredEvent.js"
import * as EventLog from "../../src/log/EventLog.js"
import * as RunStream from "../../src/session/RunStream.js"
import * as Sessions from "../../src/session/Sessions.js"

export const make = Effect.fnUntraced(function*(
  agents: ReadonlyArray<Agent>,
  options: Parameters<typeof Sessions.layerWith>[0] = {}
) {
  const log = yield* Effect.map(Layer.build(EventLog.layerMemory), Context.get(EventLog.EventLog))
  return yield* over(log, agents, options)
})

/** A further life of the same log: what a restart of the gateway is to its sessions. */
export const over = Effect.fnUntraced(function*(
  log: EventLog.EventLog["Type"],
  agents: ReadonlyArray<Agent>,
  options: Parameters<typeof Sessions.layerWith>[0] = {}
) {
  const layer = Sessions.layerWith(options).pipe(
    Layer.provide([Layer.succeed(EventLog.EventLog, log), Agents.layer(agents), NodeContext.layer])
  )
  const sessions = yield* Effect.map(Layer.build(layer), Context.get(Sessions.Sessions))

  const history = (session: SessionId) =>
    sessions.history({ session, after: 0 }).pipe(
      Stream.mapEffect((entry) => StoredEvent.fromJson(entry.json)),
      Stream.runCollect,
      Effect.map(Chunk.toReadonlyArray)
    )

  return {
    log,
    sessions,
    history,
    open: Effect.map(sessions.create({ agent: agents[0]?.name ?? "" }), ({ id }) => id),
    prompt: (session: SessionId, text = "hello", whenBusy?: "refuse" | "queue" | "steer") =>
      sessions.prompt(session, { content: [Content.text(text)], whenBusy }),
    /** The types of the session's events, a run's outcome in brackets. */
    types: (session: SessionId) => Effect.map(history(session), (events) => events.map(label)),
    /** Waits until the run has ended; its events. */
    finish: (session: SessionId, run: Effect.Effect.Success<ReturnType<typeof sessions.prompt>>) =>
      RunStream.follow(sessions, session, run).pipe(Stream.runCollect, Effect.map(Chunk.toReadonlyArray)),
    /** Waits until the session's log holds an event of this type. */
    seen: (session: SessionId, type: string, times = 1) =>
      sessions.events({ session, after: 0 }).pipe(
        Stream.filter((entry) => entry.type === type),
        Stream.take(times),
        Stream.runDrain
      ),
    /** Waits until a question is open, and tells its id. */
    asked: (session: SessionId): Effect.Effect<ElicitationId> =>
      sessions.events({ session, after: 0 }).pipe(
        Stream.filter((entry) => entry.type === "ElicitationRequested"),
        Stream.mapEffect(() => sessions.elicitations(session)),
        Stream.filterMap((pending) => Chunk.head(Chunk.fromIterable(pending))),
        Stream.runHead,
        Effect.flatten,
        Effect.map((elicitation) => elicitation.id),
        Effect.orDie
      )
  }
})

/** An agent on strings: the test says what it says, and sees what it is told. */
export const puppet = (options: { readonly prompt?: Effect.Effect<void> } = {}) =>
  Effect.sync(() => {
    const told: Array<"prompt" | "cancel"> = []
    let signals: Mailbox.Mailbox<AgentSignal, AgentError> | undefined
    const agent: Agent = {
      name: "puppet",
      kind: "puppet",
      description: "an agent on strings",
      connect: () =>
        Effect.map(Mailbox.make<AgentSignal, AgentError>(), (mailbox) => {
          signals = mailbox
          return {
            agentSessionId: "puppet",
            how: "opened",
            replayed: [],
            signals: mailbox,
            prompt: () => Effect.zipRight(options.prompt ?? Effect.void, Effect.sync(() => void told.push("prompt"))),
            cancel: Effect.sync(() => void told.push("cancel")),
            setMode: () => Effect.void,
            setConfigOption: () => Effect.void
          }
        })
    }
    return {
      agent,
      told,
      /** All at once. */
      signal: (...all: ReadonlyArray<AgentSignal>) => Effect.suspend(() => signals?.offerAll(all) ?? Effect.void),
      end: Effect.suspend(() => signals?.end ?? Effect.void)
    }
  })

/** A log that takes nothing while it is told to fail. */
export const faultyLog = Effect.gen(function*() {
  const inner = yield* Effect.map(Layer.build(EventLog.layerMemory), Context.get(EventLog.EventLog))
  let failing: (drafts: ReadonlyArray<Draft>) => boolean = () => false
  const log: EventLog.EventLog["Type"] = {
    ...inner,
    // a store takes its time to look
    state: (session) => Effect.zipRight(Effect.yieldNow(), inner.state(session)),
    append: (session, drafts) =>
      Effect.suspend(() =>
        failing(drafts)
          ? Effect.fail(new EventLogUnavailable({ message: "the disk is full" }))
          : inner.append(session, drafts)
      )
  }
  const id = yield* freshSessionId
  return {
    log,
    /** All appends, or those that hold such an event. */
    fail: (which: boolean | SessionEvent["type"]) =>
      Effect.sync(() => {
        failing = (drafts) => typeof which === "boolean" ? which : drafts.some(({ event }) => event.type === which)
      }),
    session: Effect.as(log.append(id, [{ event: { type: "SessionOpened", agent: "scripted", cwd: "/" } }]), id),
    stored: log.read({ session: id, after: 0 }).pipe(
      Stream.mapEffect((entry) => StoredEvent.fromJson(entry.json)),
      Stream.runCollect,
      Effect.map(Chunk.toReadonlyArray)
    )
  }
})

export const label = ({ event }: StoredEvent.StoredEvent): string =>
  event.type === "RunEnded" ? `RunEnded(${event.outcome._tag})` : event.type
