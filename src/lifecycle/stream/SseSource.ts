/**
 * Server-sent events as a connection: a pull of events, which begins again after the last one that was handled.
 *
 * ```ts
 * const source = yield* SseSource.make({ request: HttpClientRequest.get("http://127.0.0.1:8000/events/thread_1") })
 * const handle = yield* streams.attach("events/thread_1", {
 *   connect: source.connect,
 *   run: (events, heartbeat) => Inbox.drain(events.pull, { heartbeat, handle: (event) => record(event.data) }),
 *   redialAfter: source.retry,
 *   idle: "45 seconds"
 * })
 * ```
 *
 * @since 0.1.0
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { createParser } from "eventsource-parser"
import type { Pull } from "./Inbox.js"

/**
 * - `Unreachable`: no answer.
 * - `Refused`: an answer with another status than 200, or that is no event stream. `body` is its beginning, `location` where a redirect
 *   points: it is not followed, as what the request carries may not be for whoever is there.
 * - `Cut`: the answer broke off.
 * - `TooLarge`: an event is larger than `maxEvent`.
 *
 * @since 0.1.0
 */
export class SseError extends Schema.TaggedError<SseError>()("SseError", {
  url: Schema.String,
  reason: Schema.Literal("Unreachable", "Refused", "Cut", "TooLarge"),
  status: Schema.optional(Schema.Number),
  body: Schema.optional(Schema.String),
  location: Schema.optional(Schema.String),
  /** Of what went wrong below: `ECONNREFUSED`, `ERR_TLS_CERT_ALTNAME_INVALID`. */
  code: Schema.optional(Schema.String),
  message: Schema.String
}) {}

/** @since 0.1.0 */
export interface SseEvent {
  /** `message` when the server gave none. */
  readonly event: string
  readonly id: string | undefined
  readonly data: string
}

/** @since 0.1.0 */
export interface SseConnection {
  /** The events that have come; waits for one. A comment gives an empty chunk. Ends when the server ends its answer. */
  readonly pull: Pull<SseEvent, SseError>
}

/** @since 0.1.0 */
export interface SseSource {
  /** Dials, with the `Last-Event-ID` of what was handled. Closing the scope aborts the request. */
  readonly connect: Effect.Effect<SseConnection, SseError, Scope.Scope>
  /**
   * The id to begin after. It moves when the next events are asked for, because those of the pull before are handled, or handed over, then.
   * Who knows better what is handled sets it, at the latest in `onEnd`.
   */
  readonly position: Ref.Ref<Option.Option<string>>
  /** How long the server wants to be left alone after an end; nothing until it said so. For `redialAfter`. */
  readonly retry: Effect.Effect<Duration.Duration>
}

/** The longest `retry` that is believed. */
const longest = Duration.minutes(5)

/** The first KiB of an answer that is no event stream, for whoever has to find out why; it may not come, or never end. */
const beginning = ({ stream }: HttpClientResponse.HttpClientResponse): Effect.Effect<string> =>
  stream.pipe(
    Stream.decodeText(),
    Stream.interruptAfter("1 second"),
    Stream.runFoldWhile("", (text) => text.length < 1024, (text, more) => text + more),
    Effect.map((text) => text.slice(0, 1024)),
    Effect.orElseSucceed(() => "")
  )

const codeOf = (cause: unknown): string | undefined => {
  if (typeof cause !== "object" || cause === null) return undefined
  if ("code" in cause && typeof cause.code === "string") return cause.code
  return "cause" in cause ? codeOf(cause.cause) : undefined
}

/**
 * One for each stream: it remembers, over its connections, where it was.
 *
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(options: {
  readonly request: HttpClientRequest.HttpClientRequest
  /** Where to begin; at the server's choice when left out. */
  readonly after?: string | undefined
  /** The largest event, in characters; 1 MiB when left out. */
  readonly maxEvent?: number | undefined
}) {
  const client = HttpClient.withScope(yield* HttpClient.HttpClient)
  const { maxEvent = 1024 * 1024, request } = options
  const { url } = request
  const position = yield* Ref.make(Option.fromNullable(options.after))
  let retry = Duration.zero

  const failed = (
    reason: SseError["reason"],
    message: string,
    details: Partial<Pick<SseError, "status" | "body" | "location" | "code">> = {}
  ) => new SseError({ url, reason, message, ...details })

  const check = (response: HttpClientResponse.HttpClientResponse) => {
    const { headers, status } = response
    const type = headers["content-type"] ?? "no content type"
    if (status === 200 && type.startsWith("text/event-stream")) return Effect.succeed(response)
    const { location } = headers
    const message = status === 200
      ? `${url} answered with ${type} and not with text/event-stream`
      : `${url} answered ${status}${location === undefined ? "" : `, to go to ${location},`} and no events`
    return Effect.flatMap(
      beginning(response),
      (body) =>
        Effect.fail(failed("Refused", message, { status, body, ...(location === undefined ? {} : { location }) }))
    )
  }

  const connect = Effect.gen(function*() {
    const last = yield* Ref.get(position)
    const response = yield* client.execute(
      HttpClientRequest.setHeaders(request, {
        accept: "text/event-stream",
        "cache-control": "no-cache",
        ...(Option.isSome(last) ? { "last-event-id": last.value } : {})
      })
    ).pipe(
      Effect.mapError((error) => {
        const code = codeOf(error)
        const message = `${url} cannot be reached: ${code ?? error.message}`
        return failed("Unreachable", message, code === undefined ? {} : { code })
      }),
      Effect.flatMap(check)
    )
    let events: Array<SseEvent> = []
    let broken: SseError | undefined
    const tooLarge = () => {
      broken ??= failed("TooLarge", `${url} sent an event of more than ${maxEvent} characters`)
    }
    const parser = createParser({
      onEvent: ({ data, event = "message", id }) => {
        // one that came in one piece was never in the parser's buffer
        if (data.length > maxEvent) tooLarge()
        if (broken === undefined) events.push({ event, id, data })
      },
      // it is for the next dial, the answer goes on
      onRetry: (millis) => {
        retry = Duration.min(millis, longest)
      },
      onError: ({ type }) => {
        if (type === "max-buffer-size-exceeded") tooLarge()
      },
      maxBufferSize: maxEvent
    })
    const decoder = new TextDecoder()
    let handled: string | undefined

    const read: Pull<Uint8Array, SseError> = Effect.mapError(
      yield* Stream.toPull(response.stream),
      Option.map((error) => failed("Cut", `${url} broke off: ${error.message}`))
    )
    const move = Effect.suspend(() => {
      const before = handled
      handled = undefined
      // an empty id takes it back
      return before === undefined
        ? Effect.void
        : Ref.set(position, before === "" ? Option.none() : Option.some(before))
    })
    const parse = (chunks: Chunk.Chunk<Uint8Array>) => {
      for (const bytes of chunks) {
        parser.feed(decoder.decode(bytes, { stream: true }))
        if (broken !== undefined) break
      }
      const parsed = events
      events = []
      handled = parsed.findLast(({ id }) => id !== undefined)?.id
      return Chunk.unsafeFromArray(parsed)
    }
    const pull: Pull<SseEvent, SseError> = Effect.zipRight(
      move,
      Effect.suspend(() => broken === undefined ? Effect.map(read, parse) : Effect.fail(Option.some(broken)))
    )
    return { pull }
  })
  const source: SseSource = { connect, position, retry: Effect.sync(() => retry) }
  return source
})
