/**
 * One reader's AG-UI run: from its `RUN_STARTED` to its `RUN_FINISHED` or `RUN_ERROR`, as bytes.
 *
 * It is a window on the log that opens at a place and closes with the turn that is open there, or where the turn waits for a person.
 * The turn itself knows nothing of it: it goes on, whoever looks.
 *
 * @since 0.1.0
 */
import { type AGUIEvent, EventType, type Message, PROTOCOL_VERSION } from "@ag-ui/core"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Page, Reader } from "../../log/EventLog.js"
import type { Sessions } from "../../session/Sessions.js"
import type { Encoding } from "./Encoding.js"
import * as Interrupts from "./Interrupts.js"
import type { Projection, ReadError } from "./Projection.js"
import type { State } from "./State.js"
import * as Translator from "./Translator.js"
import type * as Turns from "./Turns.js"

/** The run as its client names it. @since 0.1.0 */
export interface Run {
  readonly threadId: string
  readonly runId: string
  readonly parentRunId?: string | undefined
}

/** What an AG-UI run begins with. @since 0.1.0 */
export interface Beginning {
  /** What the client should know at once. */
  readonly warnings: ReadonlyArray<string>
  /** The client's own document, which is kept beside ours. */
  readonly document: Readonly<Record<string, unknown>>
  /** The conversation, where the client cannot have all of it, and how many messages of it are left out. */
  readonly conversation: { readonly messages: Array<Message>; readonly left: number } | undefined
}

const warning = (message: string): AGUIEvent => ({
  type: EventType.CUSTOM,
  name: "holdfast.Warning",
  value: { type: "Warning", message }
})

/** @since 0.1.0 */
export const begin = (
  { parentRunId, runId, threadId }: Run,
  state: State,
  { conversation, document, warnings }: Beginning
): ReadonlyArray<AGUIEvent> => [
  {
    type: EventType.RUN_STARTED,
    threadId,
    runId,
    protocolVersion: PROTOCOL_VERSION,
    ...(parentRunId === undefined ? {} : { parentRunId }),
    metadata: {
      holdfast: { sessionId: state.session, ...(state.turn._tag === "Open" ? { runId: state.turn.runId } : {}) }
    }
  },
  ...warnings.map(warning),
  { type: EventType.STATE_SNAPSHOT, snapshot: { ...document, holdfast: state.document } },
  ...(conversation === undefined ? [] : [
    ...(conversation.left === 0
      ? []
      : [warning(`the conversation is long: its first ${conversation.left} messages are left out`)]),
    { type: EventType.MESSAGES_SNAPSHOT, messages: conversation.messages } as const
  ]),
  ...Translator.open(state)
]

const finish = ({ runId, threadId }: Run, outcome: Turns.Ended["outcome"]): AGUIEvent => {
  const finished = { type: EventType.RUN_FINISHED, threadId, runId } as const
  switch (outcome._tag) {
    case "Completed":
      return { ...finished, outcome: { type: "success" }, result: { stopReason: outcome.stopReason } }
    case "Cancelled":
    case "Dropped":
      return { ...finished, outcome: { type: "cancelled" } }
    case "Failed":
      return { type: EventType.RUN_ERROR, message: outcome.error.message, code: outcome.error._tag }
    case "Lost":
      return { type: EventType.RUN_ERROR, message: outcome.reason, code: "Lost" }
  }
}

/** Two questions that an agent asks at once are a moment apart in the log: a person is shown both. */
const settle: Duration.DurationInput = "10 millis"

/** For one caller at a time. @since 0.1.0 */
export interface View {
  /** Groups that are ready together, whole. It waits for them, and is done when the run is over. */
  readonly next: Effect.Effect<Option.Option<ReadonlyArray<Uint8Array>>, ReadError>
}

/** One group, and that is all. @since 0.1.0 */
export const only = (group: Effect.Effect<Uint8Array, ReadError>): View => {
  let over = false
  return {
    next: Effect.suspend(() => {
      if (over) return Effect.succeedNone
      over = true
      return Effect.map(group, (bytes) => Option.some([bytes]))
    })
  }
}

/**
 * From `state` on, where `reader` stands; `opening` is what is told first, and empty for one that has been told all up to `state`.
 *
 * @since 0.1.0
 */
export const open = (options: {
  readonly sessions: Sessions["Type"]
  readonly projection: Projection
  readonly encoding: Encoding
  readonly run: Run
  /** Absent where no turn is open. */
  readonly reader: Reader | undefined
  readonly state: State
  readonly opening: ReadonlyArray<AGUIEvent>
}): View => {
  const { encoding, opening, projection, reader, run, sessions } = options
  const { session, turn } = options.state
  let state = options.state
  let over = false

  /** The questions that wait for a person now; none if the log has gone on in the meantime. */
  const waiting = Effect.suspend(() =>
    state.questions.length === 0
      ? Effect.succeed([])
      : Effect.map(sessions.get(session), ({ elicitations = [], head }) =>
        head === state.seq
          ? state.questions.filter(({ elicitation }) => elicitations.some(({ id }) => id === elicitation.id))
          : [])
  )

  /** Whatever the reader has open is closed: also what goes on behind it. */
  const last = (events: ReadonlyArray<AGUIEvent>, end: AGUIEvent) => {
    over = true
    return encoding.encode([...events, ...Translator.close(state), end], state.seq)
  }

  const interrupt = (questions: State["questions"], before: ReadonlyArray<AGUIEvent> = []) =>
    last(before, {
      type: EventType.RUN_FINISHED,
      threadId: run.threadId,
      runId: run.runId,
      outcome: { type: "interrupt", interrupts: questions.map((question) => Interrupts.of(state, question)) }
    })

  // no turn is open: the run tells how things are
  if (turn._tag !== "Open" || reader === undefined) {
    if (opening.length === 0) return { next: Effect.succeedNone }
    return only(Effect.map(waiting, (questions) =>
      questions.length > 0
        ? interrupt(questions, opening)
        : last(opening, {
          type: EventType.RUN_FINISHED,
          threadId: run.threadId,
          runId: run.runId,
          outcome: { type: "success" }
        })))
  }

  const advance = (page: Page): ReadonlyArray<Uint8Array> => {
    const groups: Array<Uint8Array> = []
    for (const entry of page) {
      const step = projection.step(state, entry)
      state = step.state
      if (step.ended?.runId === turn.runId) {
        groups.push(last(step.events, finish(run, step.ended.outcome)))
        break
      }
      if (step.events.length > 0) groups.push(projection.bytes(encoding, entry, step))
    }
    projection.reached(state)
    return groups
  }

  /** What follows in the log; done when the log is closed. */
  const follow: View["next"] = Effect.flatMap(
    reader.next,
    Option.match({
      onNone: () => Effect.succeedNone,
      onSome: (page) => {
        const groups = advance(page)
        return groups.length === 0 ? next : Effect.succeedSome(groups)
      }
    })
  )

  /** The reader has come to the head of the log. */
  const caughtUp: View["next"] = Effect.flatMap(
    waiting,
    (questions) =>
      questions.length === 0 ? follow : Effect.flatMap(
        Effect.zipRight(Effect.sleep(settle), waiting),
        (questions) => questions.length === 0 ? follow : Effect.sync(() => Option.some([interrupt(questions)]))
      )
  )

  let opened = opening.length === 0
  const next: View["next"] = Effect.suspend(() => {
    if (over) return Effect.succeedNone
    if (!opened) {
      opened = true
      return Effect.succeedSome([encoding.encode(opening, state.seq)])
    }
    return reader.waits() ? caughtUp : follow
  })
  return { next }
}
