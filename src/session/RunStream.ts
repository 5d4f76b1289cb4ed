/**
 * A run as a stream: from its `RunStarted` to its `RunEnded`.
 *
 * ```ts
 * yield* RunStream.run(sessions, session.id, { content: [Content.text("hello")] }).pipe(
 *   Stream.runForEach((stored) => Console.log(stored.event))
 * )
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type {
  CursorExpired,
  IdempotencyKeyReused,
  LimitReached,
  LogError,
  PromptInvalid,
  SessionBusy,
  SessionClosed,
  SessionNotFound
} from "../domain/Errors.js"
import type { RunId, SessionId } from "../domain/Ids.js"
import * as StoredEvent from "../domain/StoredEvent.js"
import type { PromptOptions, Sessions } from "./Sessions.js"

/** The run, and what is nested in it while that is open: a nested run says so when it starts. */
const family = (run: RunId) => {
  const ids = new Set([run])
  return {
    // an id has no character that JSON escapes, so only the events of these runs are decoded
    isNamedIn: (json: string) => {
      for (const id of ids) if (json.includes(id)) return true
      return false
    },
    has: ({ event, runId }: StoredEvent.StoredEvent) => {
      if (runId === undefined) return false
      if (event.type === "RunStarted" && event.until === "parent" && ids.has(event.parentRunId ?? run)) ids.add(runId)
      return ids.has(runId) && (event.type !== "RunEnded" || runId === run || ids.delete(runId))
    }
  }
}

/**
 * The events of a run that was prompted already, and of the runs that are nested in it; `seq` is what `prompt` returned. It ends after
 * `RunEnded`, or after `RunDropped` for a queued run that never started (RS1). Whoever leaves it leaves the run alone (RS3).
 *
 * @since 0.1.0
 */
export const follow = (
  sessions: Sessions["Type"],
  session: SessionId,
  run: { readonly runId: RunId; readonly seq: number }
): Stream.Stream<StoredEvent.StoredEvent, SessionNotFound | CursorExpired | LogError> =>
  Stream.suspend(() => {
    const runs = family(run.runId)
    return sessions.events({ session, after: run.seq - 1 }).pipe(
      Stream.filter((entry) => runs.isNamedIn(entry.json)),
      Stream.mapEffect((entry) => Effect.orDie(StoredEvent.fromJson(entry.json))),
      Stream.filter(runs.has),
      Stream.takeUntil(({ event, runId }) =>
        runId === run.runId && (event.type === "RunEnded" || event.type === "RunDropped")
      )
    )
  })

/**
 * Prompts, and ties the run to the stream: leaving it before its end cancels the run.
 *
 * @since 0.1.0
 */
export const run = (
  sessions: Sessions["Type"],
  session: SessionId,
  prompt: PromptOptions
): Stream.Stream<
  StoredEvent.StoredEvent,
  | SessionNotFound
  | SessionClosed
  | SessionBusy
  | IdempotencyKeyReused
  | PromptInvalid
  | LimitReached
  | CursorExpired
  | LogError
> =>
  Stream.unwrapScoped(
    Effect.acquireRelease(
      sessions.prompt(session, prompt),
      // a run that is over is not there to be cancelled
      ({ runId }) => Effect.ignore(sessions.cancel(session, runId))
    ).pipe(Effect.map((accepted) => follow(sessions, session, accepted)))
  )
