/**
 * The state of a session at any place of its log, found without reading all of it again, and each event translated once for all who follow.
 *
 * Both are memories of a pure fold: forgetting them costs time and nothing else.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { SessionEvent } from "../../domain/AgentEvent.js"
import type { CursorExpired, LogError, SessionNotFound } from "../../domain/Errors.js"
import type { SessionId } from "../../domain/Ids.js"
import type { StoredEvent } from "../../domain/StoredEvent.js"
import type { LogEntry } from "../../log/EventLog.js"
import type { Sessions } from "../../session/Sessions.js"
import * as Conversation from "./Conversation.js"
import type { Encoding } from "./Encoding.js"
import * as State from "./State.js"
import * as Translator from "./Translator.js"

/** Why a place in the log cannot be found. @since 0.1.0 */
export type ReadError = SessionNotFound | CursorExpired | LogError

/** @since 0.1.0 */
export interface Projection {
  /** The state after event `seq`, which is not past the head. */
  readonly at: (session: SessionId, seq: number) => Effect.Effect<State.State, ReadError>
  /** The whole conversation up to event `seq`, or up to the head. */
  readonly conversation: (
    session: SessionId,
    seq?: number
  ) => Effect.Effect<
    { readonly state: State.State; readonly messages: Conversation.Conversation["messages"] },
    ReadError
  >
  readonly step: (before: State.State, entry: LogEntry) => Translator.Step
  /** The events of `step` as bytes. */
  readonly bytes: (encoding: Encoding, entry: LogEntry, step: Translator.Step) => Uint8Array
  /** Remembers how far a session has been read. */
  readonly reached: (state: State.State) => void
}

/** How many sessions are remembered, those that were read last. */
const remembered = 256

const types: ReadonlySet<string> = new Set(SessionEvent.members.flatMap(({ fields }) => fields.type.literals))

const translate = (before: State.State, { json, seq, type }: LogEntry): Translator.Step => {
  // the log's own JSON, which decodes to itself (see `log/Writer`): to check it again costs ten times the rest of this
  const stored: StoredEvent = JSON.parse(json)
  return types.has(type) ? Translator.step(before, stored) : Translator.unknown(before, seq, type, stored.event)
}

/** Where a reader can start: where the open turn began, and the last place that anyone has reached. */
interface Known {
  readonly turn: State.State | undefined
  readonly latest: State.State
}

/** @since 0.1.0 */
export const make = (sessions: Sessions["Type"]): Projection => {
  const known = new Map<SessionId, Known>()
  // the entries at the live edge are shared by all who follow it, and gone when it has moved on
  const steps = new WeakMap<LogEntry, Translator.Step & { readonly origin: number }>()
  const encoded = new WeakMap<LogEntry, { readonly encoding: Encoding; readonly bytes: Uint8Array }>()

  const remember = (state: State.State, beginsTurn: boolean) => {
    const { session } = state
    const before = known.get(session)
    const turn = beginsTurn && state.seq > (before?.turn?.seq ?? 0) ? state : before?.turn
    const latest = before === undefined || state.seq > before.latest.seq ? state : before.latest
    known.delete(session)
    known.set(session, { turn, latest })
    for (const oldest of known.keys()) {
      if (known.size <= remembered) break
      known.delete(oldest)
    }
  }

  const step = (before: State.State, entry: LogEntry) => {
    const done = steps.get(entry)
    // the state is the fold of the log, so it does not matter who made the step; but of a log that was trimmed there are several folds
    if (done !== undefined && done.origin === before.origin) return done
    const made = translate(before, entry)
    steps.set(entry, { ...made, origin: before.origin })
    if (made.begins) remember(made.state, true)
    return made
  }

  const nearest = (session: SessionId, seq: number): State.State => {
    const place = known.get(session)
    if (place !== undefined && place.latest.seq <= seq) return place.latest
    return place?.turn !== undefined && place.turn.seq <= seq ? place.turn : State.initial(session)
  }

  /**
   * Reads on from a state up to event `upTo`; if what is needed was trimmed, from where the log begins. `begin` is called for each beginning.
   */
  const read = (
    from: State.State,
    upTo: number,
    begin: () => (step: Translator.Step) => void = () => () => {}
  ): Effect.Effect<State.State, ReadError> =>
    Effect.suspend(() => {
      if (from.seq >= upTo) return Effect.succeed(from)
      const each = begin()
      let state = from
      return sessions.history({ session: from.session, after: from.seq }).pipe(
        Stream.takeUntil(({ seq }) => seq >= upTo),
        // a page at a time: `Stream.runFold` takes a stack frame for each event of one
        Stream.runForEachChunk((page) =>
          Effect.sync(() => {
            for (const entry of page) {
              const next = step(state, entry)
              each(next)
              state = next.state
            }
          })
        ),
        Effect.map(() => state),
        Effect.catchTag("CursorExpired", (error) =>
          error.oldest > upTo + 1
            ? Effect.fail(error)
            : read(State.initial(from.session, error.oldest - 1), upTo, begin))
      )
    })

  return {
    at: (session, seq) =>
      Effect.suspend(() => read(nearest(session, seq), seq)).pipe(
        Effect.tap((state) => remember(state, false))
      ),
    conversation: (session, seq = Number.MAX_SAFE_INTEGER) => {
      let conversation = Conversation.make()
      const begin = () => {
        conversation = Conversation.make()
        return (step: Translator.Step) => Conversation.follow(conversation, step)
      }
      return Effect.map(
        read(State.initial(session), seq, begin),
        (state) => ({ state, messages: conversation.messages })
      )
    },
    step,
    bytes: (encoding, entry, { events }) => {
      const done = encoded.get(entry)
      if (done?.encoding === encoding) return done.bytes
      const bytes = encoding.encode(events, entry.seq)
      encoded.set(entry, { encoding, bytes })
      return bytes
    },
    reached: (state) => remember(state, false)
  }
}
