/**
 * What an idempotency key promises: the same command, sent again, is the first one. Another command is not the same, and is refused
 * instead of dropped in silence.
 *
 * @since 0.1.0
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { ContentBlock } from "../domain/Content.js"
import { IdempotencyKeyReused, type LogError } from "../domain/Errors.js"
import type { RunId, SessionId } from "../domain/Ids.js"
import * as StoredEvent from "../domain/StoredEvent.js"
import type { EventLog } from "../log/EventLog.js"

const fromJson = Schema.decode(Schema.parseJson(Schema.Array(ContentBlock)))

/** In one form, whoever wrote it down. */
const toText = (prompt: ReadonlyArray<ContentBlock>) =>
  Effect.map(Effect.orDie(fromJson(JSON.stringify(prompt))), (prompt) => JSON.stringify(prompt))

/**
 * The prompt that was recorded at `seq`, as far as it can be as long as `content`: one that steers is an event for each block, and nothing
 * tells where it ends.
 */
const recorded = (log: EventLog["Type"], session: SessionId, seq: number, content: ReadonlyArray<ContentBlock>) =>
  log.read({ session, after: seq - 1 }).pipe(
    Stream.take(content.length),
    Stream.mapEffect((entry) => Effect.orDie(StoredEvent.fromJson(entry.json))),
    Stream.runCollect,
    Effect.map(Chunk.toReadonlyArray),
    Effect.map((events) => {
      const [first] = events
      return first?.event.type === "RunStarted" || first?.event.type === "RunQueued"
        ? first.event.prompt
        : events.flatMap(({ event }) => event.type === "UserChunk" ? [event.content] : [])
    }),
    Effect.catchTags({
      // what nobody remembers is believed
      CursorExpired: () => Effect.succeed(content),
      SessionNotFound: Effect.die
    })
  )

/**
 * What was accepted with the same key before, if anything was.
 *
 * @since 0.1.0
 */
export const acceptedBefore = Effect.fnUntraced(function*(
  log: EventLog["Type"],
  session: SessionId,
  { content, idempotencyKey: key }: {
    readonly content: ReadonlyArray<ContentBlock>
    readonly idempotencyKey?: string | undefined
  }
): Effect.fn.Return<{ readonly runId: RunId; readonly seq: number } | undefined, IdempotencyKeyReused | LogError> {
  if (key === undefined) return undefined
  const { accepted } = yield* Effect.catchTag(log.state(session), "SessionNotFound", Effect.die)
  const earlier = accepted.find((each) => each.key === key)
  if (earlier === undefined) return undefined
  const { runId, seq } = earlier
  const before = yield* recorded(log, session, seq, content)
  if ((yield* toText(before)) !== (yield* toText(content))) {
    const message = `the idempotency key ${
      JSON.stringify(key)
    } came with another prompt before (${runId}); use a new one`
    return yield* Effect.fail(new IdempotencyKeyReused({ sessionId: session, runId, seq, message }))
  }
  return { runId, seq }
})
