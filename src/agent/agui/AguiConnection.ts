/**
 * One thread of an AG-UI agent as a connection: what is posted, what is heard between runs, and the one queue of what both say.
 *
 * There is nothing to open: a thread is there when it is named. So a connection is ready at once, never gone by itself, and what cannot be
 * reached fails the run that wants it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { type AgentError, AgentUnsupported } from "../../domain/Errors.js"
import * as Intake from "../../lifecycle/stream/Intake.js"
import type { StreamManager } from "../../lifecycle/StreamManager.js"
import type { AgentConnection, AgentSignal, ConnectOptions } from "../Agent.js"
import { type AguiAgentOptions, defaults } from "./AguiOptions.js"
import * as BetweenRunListener from "./BetweenRunListener.js"
import * as Conversation from "./Conversation.js"
import * as History from "./History.js"
import * as Reader from "./Reader.js"
import * as Runs from "./Runs.js"
import type { Thread } from "./Thread.js"
import * as Told from "./Told.js"
import * as Turns from "./Turns.js"
import type { Upstream } from "./Wire.js"

/** How many signals may wait to be taken before the sockets are no longer read. */
const capacity = 1024

/** A session's thread: a DNS label, as some servers want it, and no session id of a Holdfast, which would have to be there. @since 0.1.0 */
export const threadOf = (sessionId: string): string =>
  `thread-${sessionId.replace(/^ses_/, "").toLowerCase().replaceAll("_", "-")}`.slice(0, 63).replace(/-+$/, "")

const unsupported = (capability: string) =>
  Effect.fail(
    new AgentUnsupported({ capability, message: `an AG-UI agent has no ${capability}: the protocol knows none` })
  )

/** @since 0.1.0 */
export const connect = (
  options: AguiAgentOptions,
  upstream: Upstream,
  /** Keeps up the listeners of all its sessions. */
  streams: StreamManager["Type"],
  { history, resume, sessionId }: ConnectOptions
): Effect.Effect<AgentConnection, never, Scope.Scope> =>
  Effect.gen(function*() {
    const id = Option.getOrElse(resume, () => threadOf(sessionId))
    const signals = Intake.make<AgentSignal, AgentError>(capacity)
    const scope = yield* Effect.scope

    const begin = (): BetweenRunListener.Begun => {
      const conversation = Conversation.make({
        maxCharacters: options.maxHistoryCharacters ?? defaults.maxHistoryCharacters
      })
      const thread: Thread = {
        id,
        options,
        upstream,
        conversation,
        reader: Reader.make(conversation),
        told: Told.make(),
        runs: Runs.make(),
        signals,
        scope
      }
      return { thread, turns: Turns.make(thread) }
    }
    // with the first run or the first event: there are thousands of sessions in which nothing was said yet
    let begun: BetweenRunListener.Begun | undefined
    const talk = () => begun ??= begin()
    if (history !== undefined && Option.isSome(resume) && options.maxHistoryCharacters !== 0) {
      yield* History.restore(talk().thread, history())
    }

    const key = `events/${sessionId}`
    yield* Scope.addFinalizer(
      scope,
      Effect.suspend(() => {
        // first of all nobody listens any more: whoever waits for room goes on, and finds its end
        signals.end(Exit.void)
        return streams.detach(key, "the session's connection was closed")
      })
    )
    const source = yield* upstream.events(id)
    // AG3: with the connection, and not with the first run
    if (source !== undefined) {
      const idle = options.eventsIdle ?? defaults.eventsIdle
      yield* BetweenRunListener.attach({ key, source, streams, signals, idle, talk })
    }

    const connection: AgentConnection = {
      agentSessionId: id,
      how: Option.isSome(resume) ? "resumed" : "opened",
      replayed: [],
      signals,
      prompt: (run, content) =>
        Effect.suspend(() => talk().turns.prompt(run, Conversation.ofPrompt(`${run}-prompt`, content))),
      cancel: Effect.suspend(() => begun === undefined ? Effect.void : begun.turns.cancel),
      cancelRun: (run) => begun?.turns.cancelRun(run),
      setMode: () => unsupported("mode"),
      setConfigOption: () => unsupported("option")
    }
    return connection
  })
