/**
 * One session as an editor sees it: a cursor that tells it what happens, the prompts that it waits for, and the questions that it is asked.
 *
 * The cursor is the only source of all three. A prompt is over when its `RunEnded` has been told, so its response comes after the last
 * update of its turn; a question is asked when its `ElicitationRequested` is told, and taken back at its `ElicitationSettled`, wherever it
 * was answered.
 *
 * @since 0.1.0
 */
import type * as acp from "@agentclientprotocol/sdk"
import * as Cause from "effect/Cause"
import type * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { RunOutcome } from "../../domain/AgentEvent.js"
import type { ContentBlock } from "../../domain/Content.js"
import type { Elicitation } from "../../domain/Elicitation.js"
import { type ElicitationId, IdSource, type RunId, type SessionId } from "../../domain/Ids.js"
import type { StoredEvent } from "../../domain/StoredEvent.js"
import type { Editor } from "./Editor.js"
import type { Fault, Hosting } from "./Hosting.js"
import * as PendingQuestions from "./PendingQuestions.js"
import * as Updates from "./Updates.js"

/** How a prompt ended; a queued one may never have been a run. @since 0.1.0 */
export type Ended = RunOutcome | { readonly _tag: "Dropped"; readonly reason: string }

/**
 * What an editor is told of what happened before it came: everything at once (`session/load`), everything but not before it knows the
 * session's id (`session/new`), nothing (`session/resume`).
 *
 * @since 0.1.0
 */
export type History = "replay" | "hold" | "skip"

/** @since 0.1.0 */
export interface Attachment {
  readonly id: SessionId
  /** Follows the session from its beginning. It returns at the head; what comes then is told once `answered` has completed. */
  readonly follow: (
    history: History,
    answered: Effect.Effect<void>,
    ...first: ReadonlyArray<Updates.Update>
  ) => Effect.Effect<void, Fault>
  readonly view: Effect.Effect<Updates.View>
  /** Waits for the end of the run. */
  readonly prompt: (content: ReadonlyArray<ContentBlock>) => Effect.Effect<Ended, Fault>
  readonly cancel: Effect.Effect<void, Fault>
}

interface Turn {
  runId: RunId | undefined
  cancelled: boolean
  readonly done: Deferred.Deferred<Ended, Fault>
}

/** Where a cursor starts, and what it does before it gets to the head of that moment. */
interface Start {
  readonly head: number
  readonly history: History
  readonly answered: Effect.Effect<void>
  readonly caughtUp: Deferred.Deferred<void, Fault>
}

const over: Fault = { _tag: "SessionEnded", message: "the session's events have ended" }
const internal: Fault = { _tag: "Defect", message: "an internal error; the log on stderr has its cause" }

/** The questions that end within the page: there is no point in asking them. */
const settledIn = (page: Chunk.Chunk<StoredEvent>): ReadonlySet<ElicitationId> => {
  const found = new Set<ElicitationId>()
  for (const { event } of page) if (event.type === "ElicitationSettled") found.add(event.elicitationId)
  return found
}

/** Lives until its scope closes, which leaves the session alone. @since 0.1.0 */
export const make = Effect.fnUntraced(function*(options: {
  readonly id: SessionId
  readonly hosting: Hosting
  readonly editor: Editor
  readonly client: acp.ClientCapabilities
}) {
  const { client, editor, hosting, id } = options
  const scope = yield* Effect.scope
  const ids = yield* IdSource
  const questions = yield* PendingQuestions.make(options)
  // a cancel is for what was prompted before it, and for nothing that is prompted after
  const commands = yield* Effect.makeSemaphore(1)
  const following = yield* Effect.makeSemaphore(1)
  const turns = new Map<string, Turn>()
  const step = Updates.step(client)
  let view = Updates.empty
  let cursor = 0
  let pump: Fiber.RuntimeFiber<void> | undefined
  let alive = false
  let unsent: Array<Updates.Update> = []

  const say = ([next, updates]: Updates.Step) => {
    view = next
    for (const update of updates) unsent.push(update)
  }

  const send = Effect.suspend(() => {
    const ready = unsent
    unsent = []
    return editor.update(id, ready)
  })

  const ask = (question: Elicitation) => questions.ask(question, Updates.callOf(view, question.toolCallId))

  /** The prompt that the event is about, if this editor waits for it. */
  const turnOf = ({ event, runId }: StoredEvent): Turn | undefined => {
    const { type } = event
    if (type !== "RunQueued" && type !== "RunStarted" && type !== "RunEnded" && type !== "RunDropped") return undefined
    // the key is known before the run has a name; a run that was queued starts without it
    const key = type === "RunQueued" || type === "RunStarted" ? event.idempotencyKey : undefined
    const named = key === undefined ? undefined : turns.get(key)
    if (named !== undefined) named.runId = runId
    return named ?? Array.from(turns.values()).find((turn) => turn.runId === runId)
  }

  const run = ({ answered, caughtUp, head, history }: Start) => {
    /** Those of before, which are asked once the editor knows the session. */
    const open = new Map<ElicitationId, Elicitation>()
    let live = cursor >= head

    const sendIfTold = Effect.suspend(() => live || history === "replay" ? send : Effect.void)

    const arrive = Effect.gen(function*() {
      if (history === "skip") unsent = []
      yield* sendIfTold
      yield* Deferred.succeed(caughtUp, void 0)
      yield* answered
      yield* send
      live = true
      yield* Effect.forEach(open.values(), ask, { discard: true })
    })

    const event = (stored: StoredEvent, settled: ReadonlySet<ElicitationId>): Effect.Effect<void> => {
      const { event, seq } = stored
      if (seq > cursor + 1) {
        say([view, [Updates.notice(client, "info", `what happened before event ${seq} is not kept any more`)]])
      }
      cursor = seq
      if (!Updates.isPiece(view, stored)) say(Updates.flush(view))
      const turn = turnOf(stored)
      // a replay shows all prompts, for it is not known which of them the editor still has
      const own = turn !== undefined && live
      const [next, updates] = step(view, stored, own)
      // of what was before, the modes and options are told by the response
      const told = !live && (event.type === "ModeChanged" || event.type === "ConfigChanged")
      say([next, told ? [] : updates])
      switch (event.type) {
        case "RunEnded":
          return turn === undefined
            ? Effect.void
            : Effect.zipRight(sendIfTold, Deferred.succeed(turn.done, event.outcome))
        case "RunDropped":
          return turn === undefined
            ? Effect.void
            : Effect.zipRight(sendIfTold, Deferred.succeed(turn.done, { _tag: "Dropped", reason: event.reason }))
        case "ElicitationRequested":
          if (settled.has(event.elicitation.id)) return Effect.void
          if (live) return Effect.zipRight(send, ask(event.elicitation))
          open.set(event.elicitation.id, event.elicitation)
          return Effect.void
        case "ElicitationSettled": {
          open.delete(event.elicitationId)
          const done = live && event.outcome._tag === "Answered" && event.outcome.by === "completion"
          return Effect.zipRight(
            questions.end(event.elicitationId),
            done ? editor.completed(event.elicitationId) : Effect.void
          )
        }
        default:
          return Effect.void
      }
    }

    const page = Effect.fnUntraced(function*(entries: Chunk.Chunk<StoredEvent>) {
      const settled = settledIn(entries)
      for (const stored of entries) {
        yield* event(stored, settled)
        if (!live && cursor >= head) yield* arrive
      }
      say(Updates.flush(view))
      yield* sendIfTold
    })

    /** One step: who waits for this cursor is told, and who comes later finds that it has stopped. */
    const stop = (fault: Fault) =>
      Effect.suspend(() => {
        alive = false
        const waiting = Array.from(turns.values(), ({ done }) => Deferred.fail(done, fault))
        return Effect.all([Deferred.fail(caughtUp, fault), ...waiting], { discard: true })
      })

    return hosting.events(id, cursor).pipe(
      Stream.takeUntil(({ event }) => event.type === "SessionClosed"),
      Stream.runForEachChunk(page),
      Effect.matchCauseEffect({
        onSuccess: () => stop(over),
        onFailure: (cause) =>
          Option.match(Cause.failureOption(cause), {
            onSome: stop,
            onNone: () => Effect.zipRight(Effect.logError("a cursor failed", cause), stop(internal))
          })
      })
    )
  }

  const start = Effect.fnUntraced(function*(place: Start) {
    alive = true
    pump = yield* Effect.forkIn(Effect.interruptible(run(place)), scope)
  })

  const follow: Attachment["follow"] = (history, answered, ...first) =>
    following.withPermits(1)(Effect.gen(function*() {
      const { head } = yield* hosting.get(id)
      if (pump !== undefined) yield* Fiber.interrupt(pump)
      yield* questions.clear
      const caughtUp = yield* Deferred.make<void, Fault>()
      view = Updates.empty
      cursor = 0
      unsent = [...first]
      yield* start({ head, history, answered, caughtUp })
      yield* Deferred.await(caughtUp)
    }))

  /** A cursor that has failed goes on from where it was. */
  const followOn = following.withPermits(1)(Effect.gen(function*() {
    if (alive) return
    const caughtUp = yield* Deferred.make<void, Fault>()
    yield* start({ head: cursor, history: "replay", answered: Effect.void, caughtUp })
  }))

  const attachment: Attachment = {
    id,
    follow,
    view: Effect.sync(() => view),
    prompt: (content) =>
      Effect.gen(function*() {
        const key = yield* ids.next("acp")
        const turn: Turn = { runId: undefined, cancelled: false, done: yield* Deferred.make<Ended, Fault>() }
        // registered before the look at the cursor, so that one that stops tells it
        turns.set(key, turn)
        const send = Effect.suspend(() =>
          turn.cancelled
            ? Deferred.succeed(turn.done, { _tag: "Cancelled" })
            : hosting.prompt(id, { content, idempotencyKey: key })
        )
        return yield* followOn.pipe(
          Effect.zipRight(commands.withPermits(1)(send)),
          Effect.zipRight(Deferred.await(turn.done)),
          // whatever became of it: that is how the protocol wants it
          Effect.map((ended): Ended => turn.cancelled ? { _tag: "Cancelled" } : ended),
          Effect.ensuring(Effect.sync(() => turns.delete(key)))
        )
      }),
    cancel: Effect.suspend(() => {
      for (const turn of turns.values()) turn.cancelled = true
      return commands.withPermits(1)(hosting.cancel(id))
    })
  }
  return attachment
})
