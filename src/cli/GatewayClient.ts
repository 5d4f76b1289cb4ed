/**
 * A running gateway, from the outside: the commands of its HTTP API, and a session's events as a stream that outlives connections.
 *
 * @since 0.1.0
 */
import * as Sse from "@effect/experimental/Sse"
import * as HttpApiClient from "@effect/platform/HttpApiClient"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Chunk from "effect/Chunk"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as ParseResult from "effect/ParseResult"
import type * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { ErrorInfo } from "../domain/AgentEvent.js"
import type { ContentBlock } from "../domain/Content.js"
import type { ElicitationAnswer } from "../domain/Elicitation.js"
import type { ElicitationId, SessionId } from "../domain/Ids.js"
import { StoredEvent } from "../domain/StoredEvent.js"
import { Api } from "../gateway/Api.js"
import { CliError, ExitCode, unusable } from "./CliError.js"
import * as Config from "./Config.js"
import type { Entry } from "./Conversation.js"

/** @since 0.1.0 */
export interface Address {
  readonly url: string
  readonly token: Option.Option<Redacted.Redacted>
}

/** The connection broke, or the gateway is on its way down: the same request may work in a moment. */
class Interrupted extends Data.TaggedError("Interrupted")<{ readonly reason: string }> {}

/** What an error of the API looks like on the wire. */
const Reported = Schema.parseJson(ErrorInfo)

type Reported = { readonly _tag: string; readonly message: string }

/** A gateway that says nothing for three heartbeats is gone, whatever the socket believes. */
const silence = "30 seconds"

const backoff = Schedule.exponential("250 millis").pipe(Schedule.union(Schedule.spaced("4 seconds")), Schedule.jittered)

/** @since 0.1.0 */
export const make = Effect.fnUntraced(function*({ token, url }: Address) {
  const http = (yield* HttpClient.HttpClient).pipe(
    HttpClient.mapRequest(Option.match(token, {
      onNone: () => HttpClientRequest.prependUrl(url),
      onSome: (token) => (request) => HttpClientRequest.bearerToken(HttpClientRequest.prependUrl(request, url), token)
    }))
  )
  const api = yield* HttpApiClient.makeWith(Api, { httpClient: http })

  const nobody = `no gateway answers at ${url}; start one with "holdfast serve" or name another with --url`
  const unreachable = new CliError({
    exitCode: ExitCode.unusable,
    lines: [nobody],
    reported: { _tag: "GatewayUnreachable", message: nobody }
  })
  const foreign = unusable(`what answers at ${url} is not a Holdfast gateway of this version; name another with --url`)

  const because = (error: Reported): CliError =>
    new CliError({
      exitCode: ExitCode.failed,
      lines: [error.message],
      reported: { ...error, _tag: error._tag, message: error.message }
    })

  const reported = (error: Reported): CliError =>
    error._tag === "Unauthorized"
      ? unusable(`${error.message}: give the token of ${url} with --token or HOLDFAST_TOKEN`)
      : because(error)

  /** Any failure of a command, as the program reports it. */
  const explain = (
    error: Reported | HttpClientError.HttpClientError | ParseResult.ParseError
  ): CliError => {
    switch (error._tag) {
      case "RequestError":
        return unreachable
      case "ResponseError":
      case "ParseError":
        return foreign
      default:
        return reported(error)
    }
  }

  const refused = (response: HttpClientResponse.HttpClientResponse) =>
    response.text.pipe(
      Effect.flatMap(Schema.decode(Reported)),
      Effect.mapError(() => foreign),
      Effect.flatMap((error): Effect.Effect<never, Interrupted | CliError> =>
        error._tag === "Draining"
          ? Effect.fail(new Interrupted({ reason: error.message }))
          : Effect.fail(reported(error))
      )
    )

  /** The events of one connection. */
  const connect = (session: SessionId, after: number): Stream.Stream<Entry, Interrupted | CliError> => {
    const lost = () => new Interrupted({ reason: `the connection to ${url} was lost` })
    return http.get(`/v1/sessions/${session}/events`, {
      headers: { accept: "text/event-stream", "last-event-id": String(after) }
    }).pipe(
      Effect.mapError(lost),
      Effect.flatMap((response) => response.status === 200 ? Effect.succeed(response) : refused(response)),
      Effect.map((response) => Stream.mapError(response.stream, lost)),
      Stream.unwrapScoped,
      Stream.timeoutFail(lost, silence),
      Stream.decodeText(),
      parse,
      // the stream of a session has no end of its own
      Stream.concat(Stream.fail(lost()))
    )
  }

  /**
   * The session's events after the cursor, replayed and followed. A connection that breaks is made again, from the event after the
   * last one that came; `onBreak` is told each time.
   */
  const events = (
    session: SessionId,
    after: number,
    onBreak: (reason: string) => Effect.Effect<void>
  ): Stream.Stream<Entry, CliError> =>
    Stream.suspend(() => {
      let cursor = after
      return Stream.suspend(() => connect(session, cursor)).pipe(
        Stream.mapChunks((chunk) => {
          cursor = Option.match(Chunk.last(chunk), { onNone: () => cursor, onSome: ({ stored }) => stored.seq })
          return chunk
        }),
        Stream.tapError((error) => error._tag === "Interrupted" ? onBreak(error.reason) : Effect.void),
        Stream.retry(
          backoff.pipe(Schedule.whileInput((error: Interrupted | CliError) => error._tag === "Interrupted"))
        ),
        Stream.mapError((error) => error._tag === "Interrupted" ? unreachable : error)
      )
    })

  const call = <A, R>(
    request: Effect.Effect<A, Reported | HttpClientError.HttpClientError | ParseResult.ParseError, R>
  ): Effect.Effect<A, CliError, R> => Effect.mapError(request, explain)

  return {
    sessions: Stream.paginateChunkEffect(Option.none<SessionId>(), (after) =>
      call(api.sessions.list({
        urlParams: { limit: 200, ...Option.match(after, { onNone: () => ({}), onSome: (after) => ({ after }) }) }
      })).pipe(
        Effect.map((
          { next, sessions }
        ) => [Chunk.fromIterable(sessions), Option.map(Option.fromNullable(next), Option.some)])
      )),
    get: (id: SessionId) => call(api.sessions.get({ path: { id } })),
    /** Whether a gateway is there; one that takes its time is not. */
    answers: Effect.isSuccess(Effect.timeout(api.system.health(), "2 seconds")),
    agents: call(api.system.agents()),
    create: (session: { readonly agent: string; readonly cwd: string }) =>
      call(api.sessions.create({ payload: session })),
    prompt: (
      id: SessionId,
      prompt: string | ReadonlyArray<ContentBlock>,
      options: { readonly whenBusy?: "refuse" | "queue" | "steer"; readonly idempotencyKey?: string } = {}
    ) => {
      const { idempotencyKey, ...rest } = options
      const headers = idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }
      return call(api.runs.prompt({ path: { id }, headers, payload: { prompt, ...rest } }))
    },
    setMode: (id: SessionId, modeId: string) => call(api.sessions.mode({ path: { id }, payload: { modeId } })),
    setConfigOption: (id: SessionId, configId: string, value: string | boolean) =>
      call(api.sessions.config({ path: { id }, payload: { configId, value } })),
    cancel: (id: SessionId) => call(api.runs.cancel({ path: { id } })),
    restart: (id: SessionId) =>
      call(api.sessions.restart({ path: { id }, payload: { cause: "requested", wait: true } })),
    close: (id: SessionId) => call(api.sessions.close({ path: { id } })),
    pending: (id: SessionId) =>
      Effect.map(call(api.elicitations.pending({ path: { id } })), ({ elicitations }) => elicitations),
    answer: (id: SessionId, elicitationId: ElicitationId, payload: ElicitationAnswer) =>
      api.elicitations.answer({ path: { id, elicitationId }, payload }).pipe(
        Effect.mapError((error) => {
          switch (error._tag) {
            case "ElicitationNotFound":
            case "ElicitationAlreadySettled":
            case "ElicitationAnswerInvalid":
              return error
            default:
              return explain(error)
          }
        }),
        Effect.asVoid
      ),
    decisions: (id: SessionId) =>
      Effect.map(call(api.elicitations.decisions({ path: { id } })), ({ decisions }) => decisions),
    revoke: (id: SessionId, subject: string) => call(api.elicitations.revoke({ path: { id }, urlParams: { subject } })),
    events
  } as const
})

/** @since 0.1.0 */
export type GatewayClient = Effect.Effect.Success<ReturnType<typeof make>>

const decode = Schema.decodeOption(Schema.parseJson(StoredEvent))

/** The stored events in the text of an SSE body. One of a type that this version does not know is left out. */
const parse = <E>(text: Stream.Stream<string, E>): Stream.Stream<Entry, E> =>
  Stream.suspend(() => {
    let entries: Array<Entry> = []
    // `Sse.makeChannel` would reopen the body at the server's `retry:` line
    const parser = Sse.makeParser((event) => {
      if (event._tag === "Retry") return
      const stored = decode(event.data)
      if (Option.isSome(stored)) entries.push({ stored: stored.value, json: event.data })
    }, { maxEventSize: 64 * 1024 * 1024 })
    return Stream.mapChunksEffect(text, (pieces) =>
      Effect.suspend(() => {
        entries = []
        for (const piece of pieces) {
          // line by line: for each line the parser begins at the start of what it was fed, so many at once cost their square
          for (const line of piece.split(/(?<=\n)/)) {
            const overflow = parser.feed(line)
            if (overflow !== undefined) return Effect.die(overflow)
          }
        }
        return Effect.succeed(Chunk.unsafeFromArray(entries))
      }))
  })

/**
 * The gateway that the configuration names: `url`, or else the one that `holdfast serve` would start here.
 *
 * @since 0.1.0
 */
export const ofConfig = Effect.fnUntraced(function*(loaded: Config.Loaded) {
  const { host = "127.0.0.1", port = 4455, url = `http://${host.includes(":") ? `[${host}]` : host}:${port}` } =
    loaded.settings
  return yield* make({ url: url.replace(/\/+$/, ""), token: yield* Config.token(loaded) })
})

/** @since 0.1.0 */
export const connect = (flags: {
  readonly config: Option.Option<string>
  readonly url: Option.Option<string>
  readonly token: Option.Option<string>
}) => Effect.flatMap(Config.load(flags.config, { url: flags.url, token: flags.token }), ofConfig)
