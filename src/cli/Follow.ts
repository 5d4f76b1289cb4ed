/**
 * Shows a conversation and puts its questions to the person at the terminal.
 *
 * There is one reader and no queue: while a prompt is open nothing is drawn over it, and what the agent says meanwhile is read from the
 * log afterwards. A second cursor waits for the question's end, so a prompt closes when the question is withdrawn.
 *
 * @since 0.1.0
 */
import type * as Prompt from "@effect/cli/Prompt"
import type * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Entry } from "../client/Client.js"
import type { Elicitation, ElicitationAnswer } from "../domain/Elicitation.js"
import type { ElicitationId } from "../domain/Ids.js"
import type { StoredEvent } from "../domain/StoredEvent.js"
import * as Ansi from "./Ansi.js"
import type { CliError } from "./CliError.js"
import type { Conversation } from "./Conversation.js"
import * as Questions from "./Questions.js"
import * as Renderer from "./Renderer.js"
import { Screen } from "./Screen.js"

/** @since 0.1.0 */
export interface Options {
  /** Shows the events after this one. */
  readonly after: number
  /** As the lines in which they are stored; nobody is asked then, for a prompt is no JSON. */
  readonly json: boolean
  /** Shows the prompts of the runs too. */
  readonly prompts: boolean
  /** Answers what can be answered without a person (`--yes`). */
  readonly consent: boolean
  /** What happens to a question when nobody can be asked: it is declined, or left to another client. */
  readonly unasked: "decline" | "leave"
}

/** @since 0.1.0 */
export interface Follow {
  /** Shows what comes, up to and with the first event that `isLast` picks. It goes on from where the last call has stopped. */
  readonly until: (isLast: (event: StoredEvent) => boolean) => Effect.Effect<
    Option.Option<StoredEvent>,
    CliError,
    Prompt.Prompt.Environment
  >
  /** Leaves the cursor's line to someone else; from now on questions are only shown. */
  readonly standBack: Effect.Effect<void, CliError>
}

/** @since 0.1.0 */
export const make = Effect.fnUntraced(function*(conversation: Conversation, options: Options) {
  const screen = yield* Screen
  const paint = Ansi.palette(screen.color)
  const render = Renderer.step({ ...screen, prompts: options.prompts })
  const interactive = screen.interactive && !options.json
  /** The questions whose prompt tells their whole story. */
  const prompted = new Set<ElicitationId>()
  let asking = true
  let cursor = options.after
  let view = Renderer.empty
  let text = ""

  const isPrompted = (event: StoredEvent["event"]) =>
    (event.type === "ElicitationSettled" && prompted.has(event.elicitationId)) ||
    (event.type === "ElicitationRequested" && prompted.has(event.elicitation.id))

  const show = ({ json, stored }: Entry) => {
    const event = stored.event
    cursor = stored.seq
    if (options.json) {
      text += `${json}\n`
    } else if (!isPrompted(event)) {
      const [next, piece] = render(view, stored)
      view = next
      text += piece
    }
  }

  const flush = Effect.suspend(() => {
    const ready = text
    text = ""
    return screen.write(ready)
  })

  /** The question as it is asked: of several agents one has to know whose it is. */
  const named = (question: Elicitation): Elicitation => {
    const asker = question.runId === undefined ? undefined : view.runs.get(question.runId)
    return asker === undefined ? question : { ...question, message: `${asker}: ${question.message}` }
  }

  /** The answer is on its way; that somebody else was faster is shown by the question's end. */
  const send = (question: Elicitation, answer: ElicitationAnswer) =>
    conversation.answer(question.id, answer).pipe(
      Effect.catchTag("ElicitationAlreadySettled", "ElicitationNotFound", () =>
        Effect.sync(() => {
          prompted.delete(question.id)
        }))
    )

  /** What the person chooses, or what happened before: the first event after `since` that is news. */
  const choice = <A>(prompt: Prompt.Prompt<A>, since: number, isNews: (event: StoredEvent["event"]) => boolean) =>
    prompt.pipe(
      Effect.catchTag("QuitException", () => Effect.zipRight(screen.write("\n"), screen.interrupt)),
      Effect.map(Either.right),
      Effect.raceFirst(
        conversation.events(since).pipe(
          Stream.filter(({ stored }) => isNews(stored.event)),
          Stream.runHead,
          Effect.map(Either.left)
        )
      )
    )

  /** Asks what waits, in the order that the person likes, until nothing does of what is told before `question`, nor itself. */
  const prompt = (question: Elicitation, since: number): Effect.Effect<void, CliError, Prompt.Prompt.Environment> =>
    Effect.gen(function*() {
      const waiting = yield* conversation.pending
      if (!waiting.some(({ id }) => id === question.id)) return
      const isOver = (event: StoredEvent["event"]) =>
        event.type === "ElicitationSettled" && waiting.some(({ id }) => id === event.elicitationId)
      const isOther = (event: StoredEvent["event"]) =>
        event.type === "ElicitationRequested" && waiting.every(({ id }) => id !== event.elicitation.id)
      const again = (news: Option.Option<Entry>) =>
        Effect.suspend(() => {
          if (Option.isNone(news)) return Effect.void
          const { stored } = news.value
          if (stored.event.type === "ElicitationSettled") prompted.add(stored.event.elicitationId)
          // at once, though the log may have more before it: another question, say
          const how = isOver(stored.event) ? render(view, stored)[1] : ""
          return Effect.zipRight(screen.write(`\n${how}`), prompt(question, stored.seq))
        })
      const picked = waiting.length === 1
        ? Either.right(question)
        : yield* choice(Questions.choose(waiting.map(named)), since, (event) => isOver(event) || isOther(event))
      if (Either.isLeft(picked)) return yield* again(picked.left)
      const { id, kind } = picked.right
      const answer = yield* choice(
        Questions.prompt(named(picked.right)),
        since,
        (event) =>
          (event.type === "ElicitationSettled" && event.elicitationId === id) ||
          // one more to choose from; but what somebody is typing is left alone
          (kind !== "form" && isOther(event))
      )
      if (Either.isLeft(answer)) return yield* again(answer.left)
      prompted.add(id)
      yield* send(picked.right, answer.right).pipe(
        Effect.catchTag(
          "ElicitationAnswerInvalid",
          (error) => screen.write(`${paint.red("✖")} ${Ansi.oneLine(error.message)}\n`)
        )
      )
      yield* prompt(question, since)
    })

  const unattended = (question: Elicitation) => {
    const message = JSON.stringify(Ansi.oneLine(question.message))
    return options.unasked === "leave"
      ? screen.note(`${message} waits for: holdfast answer ${question.sessionId} ${question.id} accept|decline|cancel`)
      : send(question, { action: "decline" }).pipe(
        Effect.zipRight(screen.note(`declined ${message}: nobody can be asked here; --yes accepts what is asked`))
      )
  }

  const leaveLine = Effect.suspend(() => {
    const [settled, newline] = Renderer.settle(view)
    view = settled
    return screen.write(newline)
  })

  const ask = Effect.fnUntraced(function*(entry: Entry, question: Elicitation) {
    const answer = options.consent ? Questions.consent(question) : Option.none()
    const pending = (yield* conversation.pending).some((each) => each.id === question.id)
    if (pending && interactive && Option.isNone(answer)) {
      cursor = entry.stored.seq
      yield* leaveLine
      return yield* prompt(question, cursor)
    }
    show(entry)
    yield* flush
    if (!pending) return
    yield* Option.match(answer, {
      onNone: () => unattended(question),
      onSome: (answer) => send(question, answer)
    }).pipe(Effect.catchTag("ElicitationAnswerInvalid", (error) => screen.note(Ansi.oneLine(error.message))))
  })

  // between two `yield*` nothing can interrupt: what was rendered is written, or was never rendered
  const page = (isLast: (event: StoredEvent) => boolean) => (entries: Chunk.Chunk<Entry>) =>
    Effect.gen(function*() {
      for (const entry of entries) {
        const { event } = entry.stored
        if (event.type === "ElicitationRequested" && asking) {
          yield* flush
          yield* ask(entry, event.elicitation)
        } else show(entry)
        if (isLast(entry.stored)) {
          yield* flush
          return Option.some(entry.stored)
        }
      }
      yield* flush
      return Option.none<StoredEvent>()
    })

  const follow: Follow = {
    until: (isLast) =>
      Stream.suspend(() => conversation.events(cursor)).pipe(
        Stream.chunks,
        Stream.mapEffect(page(isLast)),
        Stream.filterMap((last) => last),
        Stream.runHead
      ),
    standBack: Effect.suspend(() => {
      asking = false
      return leaveLine
    })
  }
  return follow
})
