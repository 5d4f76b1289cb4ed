/**
 * What an agent of the loop must know to go on with a session, read from the session's log, which is the truth.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { AgentEvent, SessionEvent } from "../../domain/AgentEvent.js"
import * as Events from "../../domain/AgentEvent.js"
import type { EventLogUnavailable, SessionNotFound } from "../../domain/Errors.js"
import type { RunId, SessionId } from "../../domain/Ids.js"
import * as StoredEvent from "../../domain/StoredEvent.js"
import type { EventLog, LogEntry } from "../../log/EventLog.js"
import * as Conversation from "./Conversation.js"

/** @since 0.1.0 */
export interface History {
  readonly conversation: Conversation.Conversation
  /** It has a title, and needs none of ours. */
  readonly titled: boolean
  /** Who has the conversation, if it was handed over. */
  readonly active: string | undefined
  readonly cost: { readonly amount: number; readonly currency: string } | undefined
}

/** Of a session that begins. @since 0.1.0 */
export const none = (): History => ({
  conversation: Conversation.make(),
  titled: false,
  active: undefined,
  cost: undefined
})

const isAgentEvent: (event: SessionEvent) => event is AgentEvent = Schema.is(Events.AgentEvent)

/** `open` is the run that the agent comes up for: its prompt is still to come. @since 0.1.0 */
export const of = (events: Iterable<StoredEvent.StoredEvent>, open: RunId | null = null): History => {
  const history = { ...none() }
  /** The session's own turns; what others did in runs of their own is in the result of the call that had them do it. */
  const own = new Set<RunId>()
  for (const { event, runId } of events) {
    switch (event.type) {
      case "ModeChanged":
        if (runId === undefined || own.has(runId)) history.active = event.modeId
        break
      case "RunStarted":
        if (runId === undefined || runId === open || event.until !== undefined) break
        own.add(runId)
        history.conversation.user(event.prompt)
        break
      case "UsageUpdated":
        history.cost = event.cost ?? history.cost
        break
    }
    if (runId !== undefined && own.has(runId) && isAgentEvent(event)) history.conversation.add(event)
  }
  return history
}

const read = (
  log: EventLog["Type"],
  session: SessionId,
  after: number
): Stream.Stream<LogEntry, SessionNotFound | EventLogUnavailable> =>
  Stream.catchTag(log.read({ session, after }), "CursorExpired", ({ oldest }) => read(log, session, oldest - 1))

/** @since 0.1.0 */
export const load = (
  log: EventLog["Type"],
  session: SessionId
): Effect.Effect<History, SessionNotFound | EventLogUnavailable> =>
  Effect.zipWith(
    log.state(session),
    read(log, session, 0).pipe(
      Stream.mapEffect(({ json }) => Effect.orDie(StoredEvent.fromJson(json))),
      Stream.runCollect
    ),
    ({ run, title }, events) => ({ ...of(events, run), titled: title !== undefined })
  )
