/**
 * A session's events as the body of an HTTP response: SSE or NDJSON.
 *
 * Each open body is a cursor on the log. Nothing is read ahead of the client: a page is pulled when the one before has
 * left, and what is ready together leaves in one write. A client that stops reading holds one page and holds up nobody.
 *
 * ```ts
 * const body = yield* streams.open("sse", sessions.events({ session, after }))
 * return HttpServerResponse.stream(body, { contentType: EventStream.contentType.sse })
 * ```
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Chunk from "effect/Chunk"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Mailbox from "effect/Mailbox"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { LimitReached } from "../domain/Errors.js"
import type { LogEntry } from "../log/EventLog.js"
import { type Draining, draining } from "./GatewayError.js"

/** @since 0.1.0 */
export type Format = "sse" | "ndjson"

/** @since 0.1.0 */
export const contentType: Readonly<Record<Format, string>> = {
  sse: "text/event-stream",
  ndjson: "application/x-ndjson"
}

/** @since 0.1.0 */
export interface EventStreams {
  /**
   * The body that carries `entries`. It ends when they end, when they fail (the client's next request is told why) and
   * at `end`. Closing the scope frees its place among the `limit`.
   */
  readonly open: <E>(
    format: Format,
    entries: Stream.Stream<LogEntry, E>
  ) => Effect.Effect<Stream.Stream<Uint8Array>, LimitReached | Draining, Scope.Scope>
  /** Takes a place among the `limit` until the scope closes; `onEnd` is called at `end`. */
  readonly admit: (onEnd: () => void) => Effect.Effect<void, LimitReached | Draining, Scope.Scope>
  /**
   * Ends every open body after its last whole event, and refuses new ones: a server with an open response never closes.
   */
  readonly end: Effect.Effect<void>
}

const encoder = new TextEncoder()
const comment = encoder.encode(": heartbeat\n\n")

/**
 * The bytes before the first event. An empty write sends the headers, so that a client of a silent session sees the
 * 200.
 */
const preamble: Readonly<Record<Format, Uint8Array>> = {
  sse: encoder.encode("retry: 1000\n\n"),
  ndjson: new Uint8Array(0)
}

const encode: Readonly<Record<Format, (entry: LogEntry) => string>> = {
  // JSON has no raw line break, so one `data` line is enough
  sse: (entry) => `id: ${entry.seq}\nevent: ${entry.type}\ndata: ${entry.json}\n\n`,
  ndjson: (entry) => `${entry.json}\n`
}

/**
 * In characters. A write is as large as this and one event at most: larger ones are no faster and a stuck client holds
 * one.
 */
const writeSize = 64 * 1024

/** Whole events, joined into as few writes as `writeSize` allows. */
const writes = (format: Format, entries: Chunk.Chunk<LogEntry>): ReadonlyArray<string> => {
  const joined: Array<string> = []
  let text = ""
  for (const entry of entries) {
    text += encode[format](entry)
    if (text.length >= writeSize) {
      joined.push(text)
      text = ""
    }
  }
  if (text !== "") joined.push(text)
  return joined
}

/** @since 0.1.0 */
export const make = (options: {
  readonly limit: number
  readonly heartbeat: Duration.DurationInput
}): EventStreams => {
  const live = new Set<() => void>()
  let ended = false

  const admit: EventStreams["admit"] = (onEnd) =>
    Effect.acquireRelease(
      Effect.suspend((): Effect.Effect<void, LimitReached | Draining> => {
        if (ended) return Effect.fail(draining())
        if (live.size >= options.limit) {
          return Effect.fail(
            new LimitReached({
              what: "event streams",
              limit: options.limit,
              message: `${options.limit} event streams are open, which is the limit`
            })
          )
        }
        live.add(onEnd)
        return Effect.void
      }),
      () => Effect.sync(() => live.delete(onEnd))
    )

  const open = Effect.fnUntraced(function*<E>(format: Format, entries: Stream.Stream<LogEntry, E>) {
    // capacity 0: an offer waits for a taker, so nothing is read ahead of the client
    const out = yield* Mailbox.make<Uint8Array>(0)
    yield* admit(() => void out.unsafeDone(Exit.void))
    yield* entries.pipe(
      Stream.runForEachChunk((page) =>
        Effect.forEach(writes(format, page), (text) => Effect.suspend(() => out.offer(encoder.encode(text))), {
          discard: true
        })
      ),
      // headers are long gone: the end of the body is all that can be said, and a reconnect is answered with the error
      Effect.catchAllCause((cause) =>
        (Cause.isDie(cause) ? Effect.logError : Effect.logDebug)("an event stream ended early", cause)
      ),
      Effect.ensuring(out.end),
      Effect.forkScoped
    )
    if (format === "sse") {
      // taken only while the client waits for something, so never between the halves of an event, and never a heap of
      // them
      yield* Effect.sync(() => out.unsafeOffer(comment)).pipe(
        Effect.delay(options.heartbeat),
        Effect.forever,
        Effect.forkScoped
      )
    }
    return Stream.concat(Stream.succeed(preamble[format]), Mailbox.toStream(out))
  })

  return {
    open,
    admit,
    end: Effect.sync(() => {
      ended = true
      for (const onEnd of live) onEnd()
    })
  }
}
