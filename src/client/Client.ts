/**
 * A gateway, from an Effect program: the commands of its HTTP API, and a session's events as a stream that outlives
 * connections and restarts of the gateway.
 *
 * ```ts
 * const program = Effect.gen(function*() {
 *   const holdfast = yield* Client.Client
 *   const session = yield* holdfast.sessions.create({ payload: { agent: "demo" } })
 *   yield* holdfast.runs.prompt({ path: session, headers: {}, payload: { prompt: "hello" } })
 *   yield* holdfast.events({ session: session.id, after: 0 }).pipe(Stream.runForEach(Console.log))
 * })
 *
 * program.pipe(
 *   Effect.provide(Client.layer({ url: "http://127.0.0.1:4455" })),
 *   Effect.provide(FetchHttpClient.layer)
 * )
 * ```
 *
 * @since 0.1.0
 */
import * as HttpApiClient from "@effect/platform/HttpApiClient"
import type * as HttpApiError from "@effect/platform/HttpApiError"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { CursorExpired, SessionNotFound } from "../domain/Errors.js"
import type { SessionId } from "../domain/Ids.js"
import { StoredEvent } from "../domain/StoredEvent.js"
import { Api } from "../gateway/Api.js"
import { Refusal, RequestInvalid } from "../gateway/GatewayError.js"
import * as EventText from "./EventText.js"
import * as Resume from "./Resume.js"

/** @since 0.1.0 */
export interface Options {
  /** `http://127.0.0.1:4455` */
  readonly url: string
  readonly token?: Redacted.Redacted | undefined
  /** How long a connection may say nothing, not even a heartbeat, before it is given up; default 30 s, three of them. */
  readonly idle?: Duration.DurationInput | undefined
}

/** What answers is no Holdfast gateway, or one of another version. @since 0.1.0 */
export class ForeignServer extends Schema.TaggedError<ForeignServer>()("ForeignServer", {
  url: Schema.String,
  status: Schema.Number,
  message: Schema.String
}) {}

/** What trying again does not mend. @since 0.1.0 */
export type EventsError =
  | SessionNotFound
  | CursorExpired
  | Refusal
  | HttpApiError.HttpApiDecodeError
  | ForeignServer

/** An event, and the JSON in which it is stored. @since 0.1.0 */
export interface Entry {
  readonly stored: StoredEvent
  readonly json: string
}

/** @since 0.1.0 */
export interface Follow {
  readonly session: SessionId
  /** Only events with a greater number; default 0. */
  readonly after?: number | undefined
  /** Told each time that a connection is lost, or not made, and why; it is tried again then. */
  readonly onBreak?: ((reason: string) => Effect.Effect<void>) | undefined
}

/** `makeWith` is a value: its type is what the API makes of it. */
const commands = (httpClient: HttpClient.HttpClient) => HttpApiClient.makeWith(Api, { httpClient })
type Commands = Effect.Effect.Success<ReturnType<typeof commands>>

/** @since 0.1.0 */
export class Client extends Context.Tag("holdfast/Client")<
  Client,
  & Omit<Commands, "events">
  & {
    /**
     * The session's events after the cursor, replayed and followed, without a gap or a duplicate and without end: a
     * connection that breaks is made again, from the event after the last one that came, with a back-off that honours
     * `Retry-After`. It fails when trying again would not help. Events of types that this version does not know are
     * left out.
     */
    readonly events: (follow: Follow) => Stream.Stream<StoredEvent, EventsError>
    /** As `events`, with the JSON. */
    readonly entries: (follow: Follow) => Stream.Stream<Entry, EventsError>
  }
>() {}

// ----------------------------------------------------------------------------------------------------- events

/** The connection is gone, or was not made; trying again may help, after `asked` milliseconds. */
class Broken extends Data.TaggedError("Broken")<{ readonly reason: string; readonly asked: number }> {}

const decodeRefusal = Schema.decode(
  Schema.parseJson(Schema.Union(SessionNotFound, CursorExpired, ...Refusal.members, RequestInvalid))
)
const decodeMessage = Schema.decode(Schema.parseJson(Schema.Struct({ message: Schema.String })))
const decodeEvent = Schema.decodeOption(Schema.parseJson(StoredEvent))

/** An answer that is no event stream. */
const refused = (url: string, response: HttpClientResponse.HttpClientResponse) =>
  Effect.gen(function*() {
    const { headers, status } = response
    const text = yield* Effect.orElseSucceed(response.text, () => "")
    if (Resume.isPassing(status)) {
      const asked = Resume.retryAfter(headers["retry-after"], yield* Clock.currentTimeMillis)
      const { message } = yield* Effect.orElseSucceed(decodeMessage(text), () => ({ message: `${url} says ${status}` }))
      return yield* new Broken({ reason: message, asked })
    }
    return yield* Effect.matchEffect(decodeRefusal(text), {
      onSuccess: Effect.fail,
      onFailure: () =>
        new ForeignServer({
          url,
          status,
          message: `what answers at ${url} (${status}) is not a Holdfast gateway of this version`
        })
    })
  })

const isEventStream = ({ headers, status }: HttpClientResponse.HttpClientResponse) =>
  status === 200 && (headers["content-type"] ?? "").startsWith("text/event-stream")

const follow = (http: HttpClient.HttpClient, { idle = Resume.idle, url }: Options) => (to: Follow) =>
  Stream.suspend(() => {
    let after = to.after ?? 0
    let failures = 0
    const onAlive = () => {
      failures = 0
    }
    const lost = () => new Broken({ reason: `the connection to ${url} was lost`, asked: 0 })

    /** The events of one connection. */
    const connection: Stream.Stream<Entry, Broken | EventsError> = Stream.suspend(() => {
      const read = EventText.reader(onAlive)
      return http.get(`/v1/sessions/${to.session}/events`, {
        urlParams: { after },
        headers: { accept: "text/event-stream" }
      }).pipe(
        Effect.mapError(() => new Broken({ reason: `no gateway answers at ${url}`, asked: 0 })),
        Effect.timeoutFail({ duration: idle, onTimeout: lost }),
        Effect.flatMap((response) => isEventStream(response) ? Effect.succeed(response) : refused(url, response)),
        Effect.map((response) => Stream.mapError(response.stream, lost)),
        Stream.unwrapScoped,
        Stream.timeoutFail(lost, idle),
        Stream.decodeText(),
        Stream.mapChunks((pieces) => {
          const entries: Array<Entry> = []
          for (const piece of pieces) {
            for (const { json, seq } of read(piece)) {
              after = seq
              const stored = decodeEvent(json)
              if (Option.isSome(stored)) entries.push({ stored: stored.value, json })
            }
          }
          return Chunk.unsafeFromArray(entries)
        }),
        // the stream of a session has no end of its own
        Stream.concat(Stream.fail(lost()))
      )
    })

    const pause = ({ asked, reason }: Broken) =>
      Effect.gen(function*() {
        if (to.onBreak !== undefined) yield* to.onBreak(reason)
        const millis = Resume.wait(failures++, yield* Random.next, asked)
        yield* Effect.sleep(millis)
      })

    // repeated and not retried: a retry is a stream within the one that failed, and this goes on for ever
    return Stream.forever(Stream.catchTag(connection, "Broken", (broken) => Stream.execute(pause(broken))))
  })

// -------------------------------------------------------------------------------------------------- the client

/** @since 0.1.0 */
export const make = Effect.fnUntraced(function*(options: Options): Effect.fn.Return<
  Client["Type"],
  never,
  HttpClient.HttpClient
> {
  const url = options.url.replace(/\/+$/, "")
  const http = HttpClient.mapRequest(
    yield* HttpClient.HttpClient,
    (request) => {
      const to = HttpClientRequest.prependUrl(request, url)
      return options.token === undefined ? to : HttpClientRequest.bearerToken(to, options.token)
    }
  )
  const entries = follow(http, { ...options, url })
  const { events: _, ...rest } = yield* commands(http)
  return { ...rest, entries, events: (to) => Stream.map(entries(to), ({ stored }) => stored) }
})

/** @since 0.1.0 */
export const layer = (options: Options): Layer.Layer<Client, never, HttpClient.HttpClient> =>
  Layer.effect(Client, make(options))
