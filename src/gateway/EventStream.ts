/**
 * A session's events as the body of an HTTP response: SSE or NDJSON.
 *
 * Each open body is a cursor on the log. Nothing is read ahead of the client: a page is pulled when the one before has
 * left, and what is ready together leaves in one write. A client that stops reading holds one page and holds up nobody.
 *
 * ```ts
 * const body = yield* streams.open("sse", yield* sessions.reader({ session, after }, { follow: true }))
 * return HttpServerResponse.raw(body, { contentType: EventStream.contentType.sse })
 * ```
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { Readable } from "node:stream"
import { LimitReached } from "../domain/Errors.js"
import type { LogEntry, Page, Reader } from "../log/EventLog.js"
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
  /** Takes a place among the `limit` until the scope closes; `onEnd` is called at `end`. */
  readonly admit: (onEnd: () => void) => Effect.Effect<void, LimitReached | Draining, Scope.Scope>
  /**
   * The body that carries what the reader reads. It ends when that ends, when it fails (the client's next request is
   * told why) and at `end`. Closing the scope frees its place among the `limit`.
   */
  readonly open: (format: Format, reader: Reader) => Effect.Effect<Readable, LimitReached | Draining, Scope.Scope>
  /** How many are open. */
  readonly count: Effect.Effect<number>
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

type Writes = ReadonlyArray<Uint8Array>

/** Whole events, joined into as few writes as `writeSize` allows. */
const join = (format: Format, page: Page): Writes => {
  const writes: Array<Uint8Array> = []
  let text = ""
  for (const entry of page) {
    text += encode[format](entry)
    if (text.length >= writeSize) {
      writes.push(encoder.encode(text))
      text = ""
    }
  }
  if (text !== "") writes.push(encoder.encode(text))
  return writes
}

/** The log gives those who follow it at the head the same page: its bytes are made once, and held no longer than it. */
const shared: Readonly<Record<Format, WeakMap<Page, Writes>>> = { sse: new WeakMap(), ndjson: new WeakMap() }

const writesOf = (format: Format, page: Page): Writes => {
  let writes = shared[format].get(page)
  if (writes === undefined) shared[format].set(page, writes = join(format, page))
  return writes
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

  const open = Effect.fnUntraced(function*(format: Format, reader: Reader) {
    const run = yield* FiberSet.makeRuntime<never>()
    let writes: Writes = []
    let given = 0
    // the client has taken everything and there is nothing more
    let idle = false
    let over = false

    const end = () => {
      if (over) return
      over = true
      // from here on neither more nor a heartbeat is for this body
      idle = false
      body.push(null)
    }
    const give = (page: Page) => {
      if (over) return
      writes = writesOf(format, page)
      given = 1
      body.push(writes[0])
    }
    const fetch = reader.next.pipe(
      Effect.map(Option.match({ onNone: end, onSome: give })),
      // headers are long gone: the end of the body is all that can be said, and a reconnect is answered with the error
      Effect.catchAllCause((cause) =>
        Effect.zipRight(
          (Cause.isDie(cause) ? Effect.logError : Effect.logDebug)("an event stream ended early", cause),
          Effect.sync(end)
        )
      )
    )
    // EL3: called when the client has taken the last write; until then nothing more is read
    const read = () => {
      if (given < writes.length) return void body.push(writes[given++])
      writes = []
      const page = reader.take()
      if (page !== undefined) return give(page)
      if (!reader.waits()) return void run(fetch)
      idle = true
      reader.onMore(wake)
    }
    const wake = () => {
      if (!idle) return
      idle = false
      read()
    }
    const beat = () => {
      if (!idle) return
      idle = false
      body.push(comment)
    }

    // an object is a write, which may be empty
    const body: Readable = new Readable({ objectMode: true, highWaterMark: 1, read })
    body.push(preamble[format])
    yield* admit(end)
    yield* Effect.addFinalizer(() => Effect.sync(() => body.destroy()))
    if (format === "sse") {
      yield* Effect.sync(beat).pipe(Effect.delay(options.heartbeat), Effect.forever, Effect.forkScoped)
    }
    return body
  })

  return {
    admit,
    open,
    count: Effect.sync(() => live.size),
    end: Effect.sync(() => {
      ended = true
      for (const onEnd of live) onEnd()
    })
  }
}
