/**
 * What an editor's edge needs of the place where sessions live: this process, or a gateway.
 *
 * The events after a cursor are the only source of updates, and an answer of a command says nothing that they do not say.
 *
 * @since 0.1.0
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { ContentBlock } from "../../domain/Content.js"
import type { ElicitationAnswer } from "../../domain/Elicitation.js"
import type { ElicitationId, SessionId } from "../../domain/Ids.js"
import type { Session } from "../../domain/Session.js"
import { StoredEvent } from "../../domain/StoredEvent.js"
import type { Sessions } from "../../session/Sessions.js"

/** Any tagged error of a command, here or as a gateway has told it. @since 0.1.0 */
export interface Fault {
  readonly _tag: string
  readonly message: string
}

/** @since 0.1.0 */
export interface Hosting {
  readonly create: (options: { readonly agent: string; readonly cwd: string }) => Effect.Effect<Session, Fault>
  readonly get: (id: SessionId) => Effect.Effect<Session, Fault>
  /** All of them, newest first. */
  readonly list: Stream.Stream<Session, Fault>
  /** Waits behind the turn that is open. The run's first event carries the key; a second prompt with it is the first one. */
  readonly prompt: (
    id: SessionId,
    prompt: { readonly content: ReadonlyArray<ContentBlock>; readonly idempotencyKey: string }
  ) => Effect.Effect<void, Fault>
  readonly cancel: (id: SessionId) => Effect.Effect<void, Fault>
  readonly setMode: (id: SessionId, modeId: string) => Effect.Effect<void, Fault>
  readonly setConfigOption: (id: SessionId, configId: string, value: string | boolean) => Effect.Effect<void, Fault>
  readonly answer: (
    id: SessionId,
    elicitation: ElicitationId,
    answer: ElicitationAnswer
  ) => Effect.Effect<void, Fault>
  readonly close: (id: SessionId) => Effect.Effect<void, Fault>
  /**
   * Everything after the cursor, replayed and followed, a page a chunk; whoever reads it attends to the session's questions. A cursor
   * below the log's horizon goes on from the oldest event that is left.
   */
  readonly events: (id: SessionId, after: number) => Stream.Stream<StoredEvent, Fault>
}

/** What this process has stored is as it should be. */
const decode = Schema.decodeSync(Schema.parseJson(StoredEvent))

const pageSize = 200

/** The sessions of this process. @since 0.1.0 */
export const ofSessions = (sessions: Sessions["Type"]): Hosting => {
  const events = (session: SessionId, after: number): Stream.Stream<StoredEvent, Fault> =>
    sessions.events({ session, after }).pipe(
      Stream.mapChunks(Chunk.map(({ json }) => decode(json))),
      Stream.catchTag("CursorExpired", ({ oldest }) => events(session, oldest - 1))
    )
  return {
    create: sessions.create,
    get: sessions.get,
    list: Stream.paginateChunkEffect(
      Option.none<SessionId>(),
      (after) =>
        Effect.map(sessions.list({ status: Option.none(), after, limit: pageSize }), (page) => [
          Chunk.fromIterable(page),
          Option.map(Option.fromNullable(page[pageSize - 1]), (last) => Option.some(last.id))
        ])
    ),
    prompt: (id, prompt) => Effect.asVoid(sessions.prompt(id, { ...prompt, whenBusy: "queue" })),
    cancel: (id) => sessions.cancel(id),
    setMode: sessions.setMode,
    setConfigOption: sessions.setConfigOption,
    answer: sessions.answer,
    close: sessions.close,
    events: (id, after) => Stream.unwrapScoped(Effect.as(sessions.attend(id), events(id, after)))
  }
}
