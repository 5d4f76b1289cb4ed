/**
 * The commands that come up a socket. Each is a request of the HTTP API and is answered by its route, so payloads and
 * errors are the same.
 *
 * ```json
 * { "id": 1, "command": "prompt", "payload": { "prompt": "hello" } }
 * { "id": 1, "status": 202, "result": { "runId": "run_…", "seq": 7 } }
 * { "id": 2, "status": 409, "error": { "_tag": "SessionBusy", … } }
 * ```
 *
 * @since 0.1.0
 */
import * as Headers from "@effect/platform/Headers"
import * as HttpApiError from "@effect/platform/HttpApiError"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { SessionId } from "../../domain/Ids.js"
import { RequestInvalid, requestInvalid } from "../GatewayError.js"

const Id = Schema.Union(Schema.Number, Schema.String.pipe(Schema.maxLength(64)))

const command = <const Name extends string, Fields extends Schema.Struct.Fields>(name: Name, fields: Fields) =>
  Schema.Struct({ id: Id, command: Schema.Literal(name), ...fields })

// the route says what is wrong with a payload
const payload = Schema.optionalWith(Schema.Unknown, { default: () => ({}) })

const Command = Schema.Union(
  command("ping", {}),
  command("session", {}),
  command("prompt", { payload, idempotencyKey: Schema.optionalWith(Schema.String, { exact: true }) }),
  command("cancel", { run: Schema.optionalWith(Schema.String, { exact: true }) }),
  command("restart", { payload }),
  command("mode", { payload }),
  command("config", { payload }),
  command("pending", {}),
  command("answer", { elicitationId: Schema.String, payload }),
  command("decisions", {}),
  command("revoke", { subject: Schema.String }),
  command("close", {})
)
/** @since 0.1.0 */
export type Command = typeof Command.Type

// --------------------------------------------------------------------------------------------------- reading

const strict = { errors: "all", onExcessProperty: "error" } as const
const decode = Schema.decodeEither(Schema.parseJson(Command), strict)
const decodeId = Schema.decodeEither(Schema.parseJson(Schema.Struct({ id: Id })))
const encodeInvalid = Schema.encodeSync(RequestInvalid)

/** An error as it is sent. @since 0.1.0 */
export interface Error {
  readonly _tag: string
  readonly message: string
}

/** What is wrong with a frame: as a `reply` where it has an id, else it is no command at all. @since 0.1.0 */
export type Fault = { readonly reply: string } | { readonly error: Error }

const reply = (id: Command["id"], status: number, outcome: string) =>
  `{"id":${JSON.stringify(id)},"status":${status}${outcome}}`

/** @since 0.1.0 */
export const refusal = (id: Command["id"], status: number, error: unknown): string =>
  reply(id, status, `,"error":${JSON.stringify(error)}`)

/**
 * The command in a frame; of a binary one the text is `undefined`.
 *
 * @since 0.1.0
 */
export const read = (text: string | undefined): Effect.Effect<Command, Fault> =>
  text === undefined
    ? Effect.fail({ error: encodeInvalid(requestInvalid("a frame is text, not binary")) })
    : Either.match(decode(text), {
      onRight: Effect.succeed,
      onLeft: (parseError) =>
        Effect.flatMap(HttpApiError.HttpApiDecodeError.fromParseError(parseError), (invalid) => {
          const error = encodeInvalid(invalid)
          return Effect.fail(Either.match(decodeId(text), {
            onLeft: () => ({ error }),
            onRight: ({ id }) => ({ reply: refusal(id, 400, error) })
          }))
        })
    })

// ------------------------------------------------------------------------------------------------- answering

interface Target {
  readonly method: "GET" | "POST" | "DELETE"
  readonly path: string
  readonly payload?: unknown
  readonly headers?: Headers.Input
}

const target = (session: SessionId, command: Command): Target => {
  const path = `/v1/sessions/${session}`
  switch (command.command) {
    case "ping":
      return { method: "GET", path: "/health" }
    case "session":
      return { method: "GET", path }
    case "close":
      return { method: "DELETE", path }
    case "prompt":
      return {
        method: "POST",
        path: `${path}/runs`,
        payload: command.payload,
        ...(command.idempotencyKey === undefined ? {} : { headers: { "idempotency-key": command.idempotencyKey } })
      }
    case "cancel":
      return {
        method: "POST",
        path: `${path}/cancel${command.run === undefined ? "" : `?run=${encodeURIComponent(command.run)}`}`
      }
    case "restart":
    case "mode":
    case "config":
      return { method: "POST", path: `${path}/${command.command}`, payload: command.payload }
    case "pending":
      return { method: "GET", path: `${path}/elicitations` }
    case "answer":
      return {
        method: "POST",
        path: `${path}/elicitations/${encodeURIComponent(command.elicitationId)}`,
        payload: command.payload
      }
    case "decisions":
      return { method: "GET", path: `${path}/decisions` }
    case "revoke":
      return { method: "DELETE", path: `${path}/decisions?subject=${encodeURIComponent(command.subject)}` }
  }
}

/** The upgrade request, as if it had asked for this instead. */
const request = (
  upgrade: HttpServerRequest.HttpServerRequest,
  { headers = {}, method, path, payload }: Target
): HttpServerRequest.HttpServerRequest =>
  Object.create(upgrade, {
    method: { value: method },
    url: { value: path },
    headers: { value: Headers.fromInput(headers) },
    json: { value: Effect.succeed(payload) }
  })

/** The routes of the gateway; every end of theirs is a response. @since 0.1.0 */
export type Routes = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  never,
  HttpServerRequest.HttpServerRequest | Scope.Scope
>

/**
 * What the route says, as a frame. The body is JSON already and stays as it is.
 *
 * @since 0.1.0
 */
export const answer = (
  routes: Routes,
  upgrade: HttpServerRequest.HttpServerRequest,
  session: SessionId,
  command: Command
): Effect.Effect<string> =>
  routes.pipe(
    Effect.provideService(HttpServerRequest.HttpServerRequest, request(upgrade, target(session, command))),
    Effect.scoped,
    Effect.map(({ body, status }) => {
      const json = body._tag === "Uint8Array" ? new TextDecoder().decode(body.body) : ""
      const outcome = json === "" ? "" : `,"${status < 400 ? "result" : "error"}":${json}`
      return reply(command.id, status, outcome)
    })
  )
