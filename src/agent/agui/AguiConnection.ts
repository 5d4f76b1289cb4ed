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
import type * as Scope from "effect/Scope"
import { type AgentError, AgentUnsupported } from "../../domain/Errors.js"
import * as Intake from "../../lifecycle/stream/Intake.js"
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
  { history, resume, sessionId }: ConnectOptions
): Effect.Effect<AgentConnection, never, Scope.Scope> =>
  Effect.gen(function*() {
    const id = Option.getOrElse(resume, () => threadOf(sessionId))
    const conversation = Conversation.make({
      maxCharacters: options.maxHistoryCharacters ?? defaults.maxHistoryCharacters
    })
    const signals = Intake.make<AgentSignal, AgentError>(capacity)
    const thread: Thread = {
      id,
      options,
      upstream,
      conversation,
      reader: Reader.make(conversation),
      told: Told.make(),
      runs: Runs.make(),
      signals,
      scope: yield* Effect.scope
    }
    if (history !== undefined && Option.isSome(resume) && options.maxHistoryCharacters !== 0) {
      History.restore(thread, yield* history)
    }
    const turns = Turns.make(thread)
    const source = yield* upstream.events(id)
    // AG3: with the connection, and not with the first run
    if (source !== undefined) yield* BetweenRunListener.make(thread, turns, { source })
    // first of all nobody listens any more: whoever waits for room goes on, and finds its end
    yield* Effect.addFinalizer(() => Effect.sync(() => signals.end(Exit.void)))

    const connection: AgentConnection = {
      agentSessionId: id,
      how: Option.isSome(resume) ? "resumed" : "opened",
      replayed: [],
      signals,
      prompt: (run, content) => turns.prompt(run, Conversation.ofPrompt(`${run}-prompt`, content)),
      cancel: turns.cancel,
      cancelRun: turns.cancelRun,
      setMode: () => unsupported("mode"),
      setConfigOption: () => unsupported("option")
    }
    return connection
  })
