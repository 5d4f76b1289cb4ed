/**
 * The control server of a host: the handshake, and instances. One `Control` serves all sessions of an agent, because the nonce is good
 * for one handshake in the host's life; what it was exchanged for is kept for the next process.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { AgentctlOptions } from "./AgentctlOptions.js"
import { HostError } from "./HostError.js"
import type * as Http from "./Http.js"
import * as KeptToken from "./KeptToken.js"

const Created = Schema.Struct({ id: Schema.NonEmptyString, port: Schema.Int })
const Info = Schema.Struct({ ...Created.fields, session_id: Schema.optional(Schema.String) })
// hosts before 0.95 answer with the bare array
const Listed = Schema.Union(Schema.Array(Info), Schema.Struct({ instances: Schema.NullOr(Schema.Array(Info)) }))
// the message says nothing of what it is: it is a secret
const Token = Schema.String.pipe(
  Schema.pattern(KeptToken.pattern, { message: () => "no token that a request can carry" })
)
const Handshake = Schema.Struct({ token: Token })

/** @since 0.1.0 */
export type Instance = typeof Created.Type

/** @since 0.1.0 */
export interface Control {
  readonly health: Effect.Effect<void, HostError>
  readonly create: (request: {
    readonly id: string
    readonly workspace_path: string
    readonly session_id: string
    readonly env: Readonly<Record<string, string>>
  }) => Effect.Effect<Instance, HostError>
  readonly list: Effect.Effect<ReadonlyArray<typeof Info.Type>, HostError>
  readonly get: (id: string) => Effect.Effect<typeof Info.Type, HostError>
  /** Ends its agent, its shell and its processes. It is no error if there is none. */
  readonly remove: (id: string) => Effect.Effect<void, HostError>
  /** A request to an instance; the guard header keeps it from one that got the port of another. */
  readonly send: (
    instance: Instance,
    verb: Http.Call["verb"],
    path: string,
    body?: unknown
  ) => Effect.Effect<unknown, HostError>
  /** Where a stream of the instance is, and the headers for it. */
  readonly socket: (
    instance: Instance,
    path: string
  ) => Effect.Effect<{ readonly url: string; readonly headers: Record<string, string> }, HostError>
}

const decode = <A, I>(method: string, schema: Schema.Schema<A, I>) => {
  const decode = Schema.decodeUnknown(schema)
  return (value: unknown) =>
    Effect.mapError(
      decode(value),
      (error) =>
        new HostError({
          reason: "Malformed",
          method,
          message: `the agent host's answer to ${method}: ${error.message}`
        })
    )
}

/** @since 0.1.0 */
export const make = Effect.fnUntraced(function*(options: AgentctlOptions, send: Http.Send, kept: KeptToken.KeptToken) {
  const one = yield* Effect.makeSemaphore(1)
  const at = (path: string, port?: number) => {
    const url = new URL(path, options.url)
    if (port !== undefined) url.port = String(port)
    return url
  }
  let token = options.token === undefined ? undefined : Redacted.value(options.token)
  /** The last one that the host did not take. */
  let refused: string | undefined

  const shake = (nonce: Redacted.Redacted) =>
    send({ verb: "POST", url: at("/auth/handshake"), headers: {}, body: { nonce: Redacted.value(nonce) } }).pipe(
      Effect.flatMap(decode("POST /auth/handshake", Handshake)),
      Effect.tap((answer) => kept.write(answer.token)),
      Effect.map((answer) => answer.token)
    )

  /** Without a nonce and a token the host's authorization is off. Of many who ask at once one shakes hands. */
  const authorization = one.withPermits(1)(
    Effect.gen(function*() {
      if (token !== undefined && !KeptToken.pattern.test(token)) {
        const message = "the configured token holds what no request can carry: a line break, a space or the like"
        return yield* new HostError({ reason: "Unauthorized", method: "token", message })
      }
      if (token !== undefined || options.nonce === undefined) return token
      const before = yield* kept.read
      if (before !== undefined && before !== refused) return token = before
      return token = yield* Effect.catchIf(shake(options.nonce), ({ reason }) => reason === "Unauthorized", (error) =>
        // who shares the file may have been there first
        Effect.flatMap(kept.read, (now) =>
          now !== undefined && now !== refused
            ? Effect.succeed(now)
            : new HostError({ ...error, message: `${error.message}. ${kept.advice(now !== undefined)}` })))
    })
  )

  const unknown = options.token === undefined
    ? "It wants to know who asks: configure the nonce that it was started with, or its token"
    : "The configured token is not the host's, or not any more: it has a new one since it was started anew"

  const bearer = (token: string | undefined): Record<string, string> =>
    token === undefined ? {} : { authorization: `Bearer ${token}` }

  const refuse = (used: string | undefined) =>
    Effect.sync(() => {
      refused = used
      // not the one that somebody else has got meanwhile
      if (token === used) token = undefined
    })

  const call = (verb: Http.Call["verb"], url: URL, more: Record<string, string>, body?: unknown) => {
    const once = (used: string | undefined) =>
      Effect.tapError(
        send({ verb, url, headers: { ...bearer(used), ...more }, body }),
        ({ status }) => status === 401 ? refuse(used) : Effect.void
      )
    const attempt = Effect.flatMap(authorization, once)
    if (options.nonce === undefined) {
      return Effect.mapError(
        attempt,
        (error) => error.status === 401 ? new HostError({ ...error, message: `${error.message}. ${unknown}` }) : error
      )
    }
    // a host that was started anew has a new token, and takes the nonce again: once with what is kept, once with what that gives
    return Effect.retry(attempt, { times: 2, while: ({ status }) => status === 401 })
  }

  const instances = "/api/v1/instances"
  const instanceUrl = (id: string) => at(`${instances}/${encodeURIComponent(id)}`)
  const control: Control = {
    health: send({ verb: "GET", url: at("/health"), headers: {} }).pipe(
      Effect.catchIf(
        ({ reason }) => reason !== "Unreachable",
        (error) => new HostError({ ...error, message: `${error.message}. Is it an agentctl host's control server?` })
      ),
      Effect.asVoid
    ),
    create: (request) =>
      Effect.flatMap(
        call("POST", at(instances), {}, {
          ...request,
          protocol: "acp",
          agent_type: "holdfast",
          // every question is a person's to answer
          auto_approve_permissions: false
        }),
        decode(`POST ${instances}`, Created)
      ),
    list: Effect.flatMap(call("GET", at(instances), {}), decode(`GET ${instances}`, Listed)).pipe(
      Effect.map((listed) => "instances" in listed ? listed.instances ?? [] : listed)
    ),
    get: (id) => Effect.flatMap(call("GET", instanceUrl(id), {}), decode(`GET ${instances}/:id`, Info)),
    remove: (id) =>
      Effect.asVoid(
        Effect.catchIf(call("DELETE", instanceUrl(id), {}), ({ reason }) => reason === "Gone", () => Effect.void)
      ),
    send: ({ id, port }, verb, path, body) => call(verb, at(path, port), { "x-instance-id": id }, body),
    socket: ({ id, port }, path) =>
      Effect.map(authorization, (token) => {
        const url = at(path, port)
        url.protocol = url.protocol === "https:" ? "wss:" : "ws:"
        return { url: url.href, headers: { ...bearer(token), "x-instance-id": id } }
      })
  }
  return control
})
