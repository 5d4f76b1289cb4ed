/**
 * What an AG-UI client's request means: a prompt, an answer, a look at what goes on, or the rest of a stream that was cut.
 *
 * @since 0.1.0
 */
import { type AGUIEvent, EventType } from "@ag-ui/core"
import * as HttpApiError from "@effect/platform/HttpApiError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Agents } from "../../agent/Agent.js"
import type { AnswerIssue } from "../../domain/Elicitation.js"
import type {
  AgentError,
  AgentNotFound,
  CwdInvalid,
  LimitReached,
  PromptInvalid,
  SessionClosed
} from "../../domain/Errors.js"
import { CursorExpired, SessionBusy } from "../../domain/Errors.js"
import type { RunId, SessionId } from "../../domain/Ids.js"
import * as Issues from "../../domain/Issues.js"
import type { Session } from "../../domain/Session.js"
import type { Reader } from "../../log/EventLog.js"
import type { Sessions } from "../../session/Sessions.js"
import * as AguiError from "./AguiError.js"
import * as Conversation from "./Conversation.js"
import type { Encoding } from "./Encoding.js"
import * as Interrupts from "./Interrupts.js"
import * as Projection from "./Projection.js"
import * as Resume from "./Resume.js"
import * as RunAgentInput from "./RunAgentInput.js"
import * as State from "./State.js"
import * as Thread from "./Thread.js"
import * as View from "./View.js"

/** @since 0.1.0 */
export type RunError =
  | HttpApiError.HttpApiDecodeError
  | AguiError.ThreadOfOtherAgent
  | AguiError.RunIdTaken
  | Projection.ReadError
  | AgentNotFound
  | AgentError
  | CwdInvalid
  | LimitReached
  | SessionClosed
  | SessionBusy
  | PromptInvalid

/** Where a reader begins, and what it is told first. */
interface Place {
  readonly state: State.State
  /** What follows in the log, where a turn is open. */
  readonly reader: Reader | undefined
  readonly conversation?: View.Beginning["conversation"]
}

const invalid = (issues: ReadonlyArray<AnswerIssue>) =>
  new HttpApiError.HttpApiDecodeError({
    message: Issues.toText(issues),
    issues: issues.map(({ message, path }) => ({ _tag: "Type", path, message }))
  })

const decodeProps = Schema.decodeUnknown(RunAgentInput.Props)

/** @since 0.1.0 */
export const make = (sessions: Sessions["Type"], agents: Agents["Type"]) => {
  const projection = Projection.make(sessions)
  const none = Effect.succeedNone

  const find = (id: SessionId) => sessions.get(id).pipe(Effect.asSome, Effect.catchTag("SessionNotFound", () => none))

  /** The log is followed from here on. */
  const at = (state: State.State, conversation?: Place["conversation"]) =>
    state.turn._tag !== "Open" ? Effect.succeed<Place>({ state, reader: undefined, conversation }) : Effect.map(
      sessions.reader({ session: state.session, after: state.seq }, { follow: true }),
      (reader): Place => ({ state, reader, conversation })
    )

  /** Joins at the head, or at `seq`: with all of the conversation, as nobody knows what the client has of it. */
  const join = (id: SessionId, input: RunAgentInput.RunAgentInput, seq?: number) =>
    Effect.flatMap(projection.conversation(id, seq), ({ messages, state }) => {
      const newest = Conversation.newest(messages)
      const all = [...RunAgentInput.instructionsOf(input), ...newest.messages]
      return at(state, { ...newest, messages: all })
    })

  const resumed = Effect.fnUntraced(function*(id: SessionId, seq: number) {
    const state = yield* projection.at(id, seq)
    if (state.seq < seq) {
      return yield* Effect.fail(
        invalid([{ path: ["last-event-id"], message: `Expected at most ${state.seq}, which is the last event's` }])
      )
    }
    if (state.turn._tag === "Open" && !state.turn.whole) {
      const message = `the beginning of the turn is gone; without Last-Event-ID its rest can be joined`
      return yield* Effect.fail(new CursorExpired({ sessionId: id, oldest: state.origin + 1, message }))
    }
    return state
  })

  /** The place at which the reader left, if the interrupts name it and the log still has it. */
  const leftAt = (id: SessionId, { resume }: RunAgentInput.RunAgentInput) => {
    const places = resume.flatMap(({ interruptId }) =>
      Option.toArray(Option.flatMapNullable(Interrupts.parseId(interruptId), ({ seq }) => seq))
    )
    return places.length === 0
      ? none
      : Effect.option(resumed(id, Math.max(...places)))
  }

  const answered = Effect.fnUntraced(function*(id: SessionId, input: RunAgentInput.RunAgentInput) {
    const left = yield* leftAt(id, input)
    // before it is answered: what comes of the answer is then told from memory, and not read again from the store
    const place = Option.isSome(left) ? yield* at(left.value) : yield* join(id, input)
    const pending = yield* sessions.elicitations(id)
    const open = [...pending, ...place.state.questions.map(({ elicitation }) => elicitation)]
    const refused = yield* Resume.answer(sessions, id, input.resume, open)
    return Option.match(refused, { onNone: () => Either.right(place), onSome: Either.left })
  })

  const openSession = Effect.fnUntraced(function*(
    agent: string,
    thread: ReturnType<typeof Thread.sessionOf>,
    input: RunAgentInput.RunAgentInput
  ) {
    const props = yield* Effect.mapError(
      decodeProps(RunAgentInput.propsOf(input)),
      (error) => invalid(Issues.below("forwardedProps", "holdfast")(Issues.ofError(error)))
    )
    return yield* sessions.create({ ...props, agent, id: thread.id })
  })

  /** Waits for the run's end, which is not told before `after`. */
  const ended = (session: SessionId, runId: RunId, after: number) =>
    sessions.events({ session, after }).pipe(
      Stream.filter((entry) => entry.type === "RunEnded" && entry.json.includes(`"${runId}"`)),
      Stream.take(1),
      Stream.runDrain
    )

  const prompted = Effect.fnUntraced(function*(
    { head, id }: Session,
    said: RunAgentInput.Said,
    input: RunAgentInput.RunAgentInput
  ) {
    const { asked } = said.said.length > 1 ? yield* projection.at(id, head) : State.initial(id)
    const prompt = sessions.prompt(id, {
      content: RunAgentInput.promptOf(said, asked),
      idempotencyKey: input.runId
    }).pipe(
      // of the same messages it is another prompt once the agent was asked some of them: what is the same is told below
      Effect.catchTag("IdempotencyKeyReused", ({ runId, seq }) => Effect.succeed({ runId, seq }))
    )
    const { runId, seq } = yield* prompt.pipe(
      // who has stopped a turn means it to be over: a client's Stop is followed by the next message at once
      Effect.catchTag(
        "SessionBusy",
        (busy) => busy.stopping === true ? Effect.zipRight(ended(id, busy.runId, head), prompt) : Effect.fail(busy)
      ),
      // to queue and to steer are no words of this protocol
      Effect.catchTag("SessionBusy", ({ runId }) => {
        const message = `the thread is in a turn; wait for its end, or cancel it with POST /v1/sessions/${id}/cancel`
        return Effect.fail(new SessionBusy({ sessionId: id, runId, message }))
      })
    )
    const state = yield* projection.at(id, seq)
    if (seq <= head && !RunAgentInput.isAsked(said.said, state.asked)) {
      const message = `the run id ${JSON.stringify(input.runId)} was used for another prompt; each run needs its own`
      return yield* Effect.fail(new AguiError.RunIdTaken({ runId: input.runId, message }))
    }
    if (state.turn._tag !== "Open" || state.turn.runId !== runId) {
      return yield* Effect.fail(
        new SessionBusy({ sessionId: id, runId, message: `run ${runId} waits behind another turn; wait for its end` })
      )
    }
    const { before } = state
    if (before === undefined || input.messages.some((message) => message.id === before)) {
      return yield* at(state)
    }
    // the client has not seen all of what was said: by another client, or while it was cut off
    return yield* join(id, input, seq)
  })

  /**
   * The AG-UI run. What it fails with is told before the first byte. What concerns interrupts is a `RUN_ERROR`, as the
   * protocol wants it. `after` is the number that a reader whose stream was cut has come to.
   */
  const run = (
    agent: string,
    input: RunAgentInput.RunAgentInput,
    after: number | undefined,
    encoding: Encoding
  ): Effect.Effect<View.View, RunError, Scope.Scope> =>
    Effect.gen(function*() {
      yield* agents.get(agent)
      const thread = Thread.sessionOf(agent, input.threadId)
      const { id } = thread
      const found = yield* thread.made ? find(id) : Effect.asSome(sessions.get(id))
      if (Option.isSome(found) && found.value.agent !== agent) {
        const { threadId } = input
        const message = `${threadId} is a session of the agent ${found.value.agent}, and not of ${agent}`
        return yield* Effect.fail(new AguiError.ThreadOfOtherAgent({ threadId, agent: found.value.agent, message }))
      }
      const view = ({ reader, state }: Place, opening: ReadonlyArray<AGUIEvent>) =>
        View.open({ sessions, projection, encoding, run: input, reader, state, opening })
      const begin = (place: Place) => {
        const { conversation, state } = place
        return view(
          place,
          View.begin(input, state, {
            warnings: RunAgentInput.notPassed(input),
            document: RunAgentInput.stateOf(input),
            conversation
          })
        )
      }

      if (Option.isSome(found)) yield* sessions.attend(id)
      if (after !== undefined) return view(yield* Effect.flatMap(resumed(id, after), at), [])
      if (input.resume.length > 0 && Option.isSome(found)) {
        const place = yield* answered(id, input)
        return Either.isRight(place) ? begin(place.right) : refusal(encoding, place.left)
      }
      if (input.resume.length > 0) return refusal(encoding, noThread(input.threadId))
      const said = yield* Effect.mapError(RunAgentInput.saidIn(input), invalid)
      if (said.said.length > 0) {
        const session = Option.isSome(found) ? found.value : yield* openSession(agent, thread, input)
        if (Option.isNone(found)) yield* sessions.attend(id)
        return begin(yield* prompted(session, said, input))
      }
      // nobody has written to the thread: a look at it makes nothing
      return begin(
        Option.isNone(found) ? { state: State.initial(id), reader: undefined } : yield* join(id, input)
      )
    })

  return { run }
}

const refusal = (encoding: Encoding, { code, details, message }: Resume.Refused) => {
  const event: AGUIEvent = { type: EventType.RUN_ERROR, message, code, metadata: { holdfast: details } }
  return View.only(Effect.sync(() => encoding.encode([event], 0)))
}

const noThread = (threadId: string): Resume.Refused => ({
  code: "SessionNotFound",
  message: `nothing was ever said in the thread ${threadId}, so there is nothing to resume`,
  details: { threadId }
})
