/**
 * A running gateway, from the outside: the commands of its HTTP API, and a session's events as a stream that outlives connections.
 *
 * @since 0.1.0
 */
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as ParseResult from "effect/ParseResult"
import type * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as Client from "../client/Client.js"
import type { ContentBlock } from "../domain/Content.js"
import type { ElicitationAnswer } from "../domain/Elicitation.js"
import type { ElicitationId, RunId, SessionId } from "../domain/Ids.js"
import { CliError, ExitCode, unusable } from "./CliError.js"
import * as Config from "./Config.js"

/** @since 0.1.0 */
export interface Address {
  readonly url: string
  readonly token: Option.Option<Redacted.Redacted>
}

/** What the gateway itself says. */
interface Reported {
  readonly _tag: string
  readonly message: string
}

/** @since 0.1.0 */
export const make = Effect.fnUntraced(function*({ token, url }: Address) {
  const client = yield* Client.make({ url, token: Option.getOrUndefined(token) })

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

  /** Any failure of a command, as the program reports it. */
  const explain = (error: Reported | HttpClientError.HttpClientError | ParseResult.ParseError): CliError => {
    switch (error._tag) {
      case "RequestError":
        return unreachable
      case "ResponseError":
      case "ParseError":
      case "ForeignServer":
        return foreign
      case "Unauthorized":
        return unusable(`${error.message}: give the token of ${url} with --token or HOLDFAST_TOKEN`)
      default:
        return because(error)
    }
  }

  const call = <A, R>(
    request: Effect.Effect<A, Reported | HttpClientError.HttpClientError | ParseResult.ParseError, R>
  ): Effect.Effect<A, CliError, R> => Effect.mapError(request, explain)

  return {
    sessions: Stream.paginateChunkEffect(Option.none<SessionId>(), (after) =>
      call(client.sessions.list({
        urlParams: { limit: 200, ...Option.match(after, { onNone: () => ({}), onSome: (after) => ({ after }) }) }
      })).pipe(
        Effect.map((
          { next, sessions }
        ) => [Chunk.fromIterable(sessions), Option.map(Option.fromNullable(next), Option.some)])
      )),
    get: (id: SessionId) => call(client.sessions.get({ path: { id } })),
    /** Whether a gateway is there; one that takes its time is not. */
    answers: Effect.isSuccess(Effect.timeout(client.system.health(), "2 seconds")),
    agents: call(client.system.agents()),
    create: (session: { readonly agent: string; readonly cwd: string }) =>
      call(client.sessions.create({ payload: session })),
    prompt: (
      id: SessionId,
      prompt: string | ReadonlyArray<ContentBlock>,
      options: { readonly whenBusy?: "refuse" | "queue" | "steer"; readonly idempotencyKey?: string } = {}
    ) => {
      const { idempotencyKey, ...rest } = options
      const headers = idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }
      return call(client.runs.prompt({ path: { id }, headers, payload: { prompt, ...rest } }))
    },
    setMode: (id: SessionId, modeId: string) => call(client.sessions.mode({ path: { id }, payload: { modeId } })),
    setConfigOption: (id: SessionId, configId: string, value: string | boolean) =>
      call(client.sessions.config({ path: { id }, payload: { configId, value } })),
    /** With `run` only that one. */
    cancel: (id: SessionId, run?: RunId) =>
      call(client.runs.cancel({ path: { id }, urlParams: run === undefined ? {} : { run } })),
    restart: (id: SessionId) =>
      call(client.sessions.restart({ path: { id }, payload: { cause: "requested", wait: true } })),
    close: (id: SessionId) => call(client.sessions.close({ path: { id } })),
    pending: (id: SessionId) =>
      Effect.map(call(client.elicitations.pending({ path: { id } })), ({ elicitations }) => elicitations),
    answer: (id: SessionId, elicitationId: ElicitationId, payload: ElicitationAnswer) =>
      client.elicitations.answer({ path: { id, elicitationId }, payload }).pipe(
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
      Effect.map(call(client.elicitations.decisions({ path: { id } })), ({ decisions }) => decisions),
    revoke: (id: SessionId, subject: string) =>
      call(client.elicitations.revoke({ path: { id }, urlParams: { subject } })),
    /** As `Client.entries`: resumes for ever. */
    events: (session: SessionId, after: number, onBreak: (reason: string) => Effect.Effect<void>) =>
      Stream.mapError(client.entries({ session, after, onBreak }), explain)
  } as const
})

/** @since 0.1.0 */
export type GatewayClient = Effect.Effect.Success<ReturnType<typeof make>>

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
