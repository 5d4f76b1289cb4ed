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

/**
 * The events of a run that was prompted already, `seq` being what `prompt` returned. It ends after `RunEnded`, or after `RunDropped`
 * for a queued run that never started (RS1). Whoever leaves it leaves the run alone (RS3).
 *
 * @since 0.1.0
 */
export const follow = (
  sessions: Sessions["Type"],
  session: SessionId,
  run: { readonly runId: RunId; readonly seq: number }
): Stream.Stream<StoredEvent.StoredEvent, SessionNotFound | CursorExpired | LogError> =>
  sessions.events({ session, after: run.seq - 1 }).pipe(
    // an id has no character that JSON escapes, so only this run's events are decoded
    Stream.filter((entry) => entry.json.includes(run.runId)),
    Stream.mapEffect((entry) => Effect.orDie(StoredEvent.fromJson(entry.json))),
    Stream.filter((stored) => stored.runId === run.runId),
    Stream.takeUntil(({ event }) => event.type === "RunEnded" || event.type === "RunDropped")
  )

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
  SessionNotFound | SessionClosed | SessionBusy | PromptInvalid | LimitReached | CursorExpired | LogError
> =>
  Stream.unwrapScoped(
    Effect.acquireRelease(
      sessions.prompt(session, prompt),
      // a run that is over is not there to be cancelled
      ({ runId }) => Effect.ignore(sessions.cancel(session, runId))
    ).pipe(Effect.map((accepted) => follow(sessions, session, accepted)))
  )
