/**
 * What an agent of the loop must know to go on with a session, read from the session's log, which is the truth.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { AgentEvent, SessionEvent } from "../../domain/AgentEvent.js"
import * as Events from "../../domain/AgentEvent.js"
import type { ContentBlock } from "../../domain/Content.js"
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
  /** Messages that steered, and came too late for their turn. */
  readonly unheard: ReadonlyArray<ReadonlyArray<ContentBlock>>
  readonly cost: { readonly amount: number; readonly currency: string } | undefined
}

/** Of a session that begins. @since 0.1.0 */
export const none = (): History => ({
  conversation: Conversation.make(),
  titled: false,
  active: undefined,
  unheard: [],
  cost: undefined
})

const name = "loop.heard"
const Heard = Schema.Struct({ parts: Schema.Number, refused: Schema.Boolean })
const decodeHeard = Schema.decodeUnknownOption(Heard)

/**
 * What the loop says where the model is told of a message that steered, or is not to be told of it: the session records such a message
 * when it comes, which is before that. Parts, since messages are recorded one part at a time.
 *
 * @since 0.1.0
 */
export const heard = ({ length: parts }: ReadonlyArray<ContentBlock>, refused: boolean): AgentEvent => {
  const payload: typeof Heard.Type = { parts, refused }
  return { type: "Extension", name, payload }
}

/** Puts the messages that steered where the model was told of them. */
const steering = (conversation: Conversation.Conversation) => {
  const parts: Array<ContentBlock> = []
  // each may be recorded a little before the other
  const fates: Array<{ readonly message: string; readonly refused: boolean }> = []
  let messages = 0
  const settle = () => {
    for (let [part] = parts, [fate] = fates; part !== undefined && fate !== undefined; [part] = parts, [fate] = fates) {
      parts.shift()
      fates.shift()
      if (!fate.refused) conversation.user([part], fate.message)
    }
  }
  return {
    came: (part: ContentBlock) => {
      parts.push(part)
      settle()
    },
    heard: (payload: unknown) => {
      const told = Option.getOrUndefined(decodeHeard(payload))
      if (told === undefined) return
      const message = `steered ${++messages}`
      for (let n = 0; n < told.parts; n++) fates.push({ message, refused: told.refused })
      settle()
    },
    // a message is recorded before its turn ends: what waits for one still is of a message that the log does not hold any more
    began: () => fates.splice(0),
    left: () => parts.map((part) => [part])
  }
}

const isAgentEvent: (event: SessionEvent) => event is AgentEvent = Schema.is(Events.AgentEvent)

/** `open` is the run that the agent comes up for: its prompt is still to come. @since 0.1.0 */
export const of = (events: Iterable<StoredEvent.StoredEvent>, open: RunId | null = null): History => {
  const history = { ...none() }
  /** The session's own turns; what others did in runs of their own is in the result of the call that had them do it. */
  const own = new Set<RunId>()
  const steered = steering(history.conversation)
  for (const { event, runId } of events) {
    switch (event.type) {
      case "ModeChanged":
        if (runId === undefined || own.has(runId)) history.active = event.modeId
        break
      case "RunStarted":
        if (runId === undefined || runId === open || event.until !== undefined) break
        own.add(runId)
        steered.began()
        history.conversation.user(event.prompt)
        break
      case "UsageUpdated":
        history.cost = event.cost ?? history.cost
        break
    }
    if (runId === undefined || !own.has(runId)) continue
    if (event.type === "UserChunk" && event.messageId === undefined) steered.came(event.content)
    else if (event.type === "Extension" && event.name === name) steered.heard(event.payload)
    else if (isAgentEvent(event)) history.conversation.add(event)
  }
  return { ...history, unheard: steered.left() }
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
