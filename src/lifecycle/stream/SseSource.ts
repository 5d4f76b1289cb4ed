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
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { createParser } from "eventsource-parser"
import * as HttpText from "./HttpText.js"
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
const beginning = ({ pull }: HttpText.Answer<SseError>): Effect.Effect<string> => {
  let text = ""
  const more = Effect.map(pull, (texts) => void (text += Chunk.join(texts, "")))
  return Effect.repeat(more, { while: () => text.length < 1024 }).pipe(
    Effect.timeout("1 second"),
    Effect.ignore,
    Effect.map(() => text.slice(0, 1024))
  )
}

/** What went wrong, and the system's name for it. Who is dialed at several addresses gets an error that has a code only. */
const detailsOf = (cause: unknown): { readonly said: string; readonly code?: string } => {
  const code = Predicate.hasProperty(cause, "code") && typeof cause.code === "string" ? cause.code : undefined
  const said = Predicate.isError(cause) ? cause.message : ""
  if (code === undefined) return { said: said || "the connection was closed" }
  return { said: said.includes(code) ? said : said === "" ? code : `${said} (${code})`, code }
}

/** What is sent: it is in memory, as it is sent again with each dial. */
const bodyOf = ({ body }: HttpClientRequest.HttpClientRequest): string | Uint8Array | undefined => {
  if (body._tag === "Empty") return undefined
  if (body._tag === "Uint8Array") return body.body
  if (body._tag === "Raw" && typeof body.body === "string") return body.body
  throw new TypeError(`the request of an event stream may have a body of text or bytes, not of ${body._tag}`)
}

/**
 * One for each stream: it remembers, over its connections, where it was.
 *
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(options: {
  /** Without a body, or with one of text or bytes (`bodyJson`): it is sent with each dial. */
  readonly request: HttpClientRequest.HttpClientRequest
  /** Where to begin; at the server's choice when left out. */
  readonly after?: string | undefined
  /** The largest event, in characters; 1 MiB when left out. */
  readonly maxEvent?: number | undefined
}) {
  const { maxEvent = 1024 * 1024, request } = options
  const { url } = request
  const body = bodyOf(request)
  const position = yield* Ref.make(Option.fromNullable(options.after))
  let retry = Duration.zero

  const failed = (
    reason: SseError["reason"],
    message: string,
    details: Partial<Pick<SseError, "status" | "body" | "location" | "code">> = {}
  ) => new SseError({ url, reason, message, ...details })

  const lost = (reason: "Unreachable" | "Cut", cause: unknown) => {
    const { said, ...details } = detailsOf(cause)
    return failed(reason, `${url} ${reason === "Cut" ? "broke off" : "cannot be reached"}: ${said}`, details)
  }

  const check = (answer: HttpText.Answer<SseError>) => {
    const { headers, status } = answer
    const type = headers["content-type"] ?? "no content type"
    const isStream = status === 200 && type.startsWith("text/event-stream")
    const encoding = headers["content-encoding"] ?? "identity"
    if (isStream && encoding !== "identity") {
      const message = `${url} answered with events that are compressed (${encoding}), which was not asked for`
      return Effect.fail(failed("Refused", message, { status, body: "" }))
    }
    if (isStream) return Effect.succeed(answer.pull)
    const { location } = headers
    const message = status === 200
      ? `${url} answered with ${type} and not with text/event-stream`
      : `${url} answered ${status}${location === undefined ? "" : `, to go to ${location},`} and no events`
    return Effect.flatMap(
      beginning(answer),
      (body) =>
        Effect.fail(failed("Refused", message, { status, body, ...(location === undefined ? {} : { location }) }))
    )
  }

  /** What the answer says, from its first text on. */
  const connected = (texts: Pull<string, SseError>): SseConnection => {
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
    let handled: string | undefined

    const move = Effect.suspend(() => {
      const before = handled
      handled = undefined
      // an empty id takes it back
      return before === undefined
        ? Effect.void
        : Ref.set(position, before === "" ? Option.none() : Option.some(before))
    })
    let begun = false
    const parse = (texts: Chunk.Chunk<string>) => {
      for (const text of texts) {
        // a byte order mark, which is no part of the first field's name
        parser.feed(begun || text.charCodeAt(0) !== 0xfeff ? text : text.slice(1))
        begun = true
        if (broken !== undefined) break
      }
      const parsed = events
      events = []
      handled = parsed.findLast(({ id }) => id !== undefined)?.id
      return Chunk.unsafeFromArray(parsed)
    }
    const pull: Pull<SseEvent, SseError> = Effect.zipRight(
      move,
      Effect.suspend(() => broken === undefined ? Effect.map(texts, parse) : Effect.fail(Option.some(broken)))
    )
    return { pull }
  }

  // no generator: a function that makes them, in each of thousands of sources, keeps a prototype for them
  const connect = Effect.suspend(() => {
    const to = HttpClientRequest.toUrl(request)
    return Option.isNone(to) ? Effect.fail(lost("Unreachable", new Error("it is no address"))) : Effect.flatMap(
      Ref.get(position),
      (last) =>
        HttpText.request({
          url: to.value,
          method: request.method,
          headers: {
            ...request.headers,
            accept: "text/event-stream",
            // what is compressed comes when a block is full, and not when it is said
            "accept-encoding": "identity",
            "cache-control": "no-cache",
            ...(Option.isSome(last) ? { "last-event-id": last.value } : {})
          },
          body,
          failed: lost
        })
    )
  }).pipe(Effect.flatMap(check), Effect.map(connected))

  const source: SseSource = { connect, position, retry: Effect.sync(() => retry) }
  return source
})
