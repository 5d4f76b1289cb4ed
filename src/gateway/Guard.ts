/**
 * Who may speak to the gateway, and in what form: checked on a request's head, before any route is looked up.
 *
 * A gateway on loopback is within reach of every page that the user's browser has open. `Host` tells a name that was
 * rebound to this address (DNS rebinding), `Origin` a page of another site, and a body must be declared as JSON, which
 * no HTML form can do.
 *
 * @since 0.1.0
 */
import * as HttpMiddleware from "@effect/platform/HttpMiddleware"
import type * as HttpServerError from "@effect/platform/HttpServerError"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { createHash, timingSafeEqual } from "node:crypto"
import {
  ContentTypeRefused,
  draining,
  HostRefused,
  InternalError,
  OriginRefused,
  type Refusal,
  RouteNotFound,
  toResponse,
  Unauthorized
} from "./GatewayError.js"
import * as RequestBody from "./RequestBody.js"

/** @since 0.1.0 */
export interface Policy {
  /** Bound to loopback only: `Host` must then name it, or be one of `allowedHosts` (with or without a port). */
  readonly loopback: boolean
  readonly allowedHosts: ReadonlyArray<string>
  /** Origins of pages that may call the gateway, besides its own: `https://app.example`. */
  readonly allowedOrigins: ReadonlyArray<string>
  readonly token: Option.Option<Redacted.Redacted>
  /** Paths that need no token. */
  readonly open: ReadonlySet<string>
  readonly maxBodyBytes: number
}

/** A name or address of this machine that no other can reach. @since 0.1.0 */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || /^127(\.\d{1,3}){3}$/.test(host) || host === "::1" || host === "[::1]"

const withoutQuery = (url: string) => url.replace(/\?.*$/, "")
const withoutPort = (host: string) => host.replace(/:\d+$/, "")

const checkHost = (policy: Policy, host: string) => {
  if (!policy.loopback || isLoopback(withoutPort(host))) return
  if (policy.allowedHosts.includes(host) || policy.allowedHosts.includes(withoutPort(host))) return
  return new HostRefused({ host, message: `the Host "${host}" is not this gateway's; allowedHosts can name it` })
}

const checkOrigin = (policy: Policy, host: string, origin: string | undefined) => {
  if (origin === undefined || policy.allowedOrigins.includes(origin)) return
  if (URL.canParse(origin) && new URL(origin).host === host) return
  return new OriginRefused({
    origin,
    message: `pages of ${origin} may not call this gateway; allowedOrigins can name it`
  })
}

const sha256 = (text: string) => createHash("sha256").update(text).digest()

/** Both sides are hashed: equal lengths, and a time that tells nothing about the token. */
const checkToken = (policy: Policy) =>
  Option.match(policy.token, {
    onNone: () => () => undefined,
    onSome: (token) => {
      const expected = sha256(Redacted.value(token))
      return (authorization: string | undefined) => {
        const sent = /^bearer +(\S+) *$/i.exec(authorization ?? "")?.[1]
        if (sent !== undefined && timingSafeEqual(sha256(sent), expected)) return
        return new Unauthorized({
          message: sent === undefined
            ? "a token is needed: Authorization: Bearer TOKEN"
            : "the token is not the right one"
        })
      }
    }
  })

const checkBody = (policy: Policy, headers: HttpServerRequest.HttpServerRequest["headers"]) => {
  const length = Number(headers["content-length"] ?? 0)
  if (length === 0 && headers["transfer-encoding"] === undefined) return
  const contentType = headers["content-type"] ?? ""
  if (!/^application\/json *(;|$)/i.test(contentType)) {
    return new ContentTypeRefused({ contentType, message: "a body must be sent as application/json" })
  }
  return length > policy.maxBodyBytes ? RequestBody.tooLarge(policy.maxBodyBytes) : undefined
}

type App<E, R> = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  E,
  R | HttpServerRequest.HttpServerRequest | Scope.Scope
>

const unless = <E, R>(
  check: (request: HttpServerRequest.HttpServerRequest) => Refusal | undefined,
  app: App<E, R>
): App<E, R> =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
    const refusal = check(request)
    return refusal === undefined ? app : Effect.succeed(toResponse(refusal))
  })

/** Every end of a request is a response in JSON; a defect is told to the log and not to the client. */
const answered = <R>(app: App<HttpServerError.RouteNotFound, R>): App<never, R> =>
  app.pipe(
    Effect.catchTag("RouteNotFound", ({ request: { method, url } }) =>
      Effect.succeed(toResponse(new RouteNotFound({ message: `there is no route ${method} ${url}; see /docs` })))),
    Effect.catchAllDefect((defect) =>
      Effect.as(
        Effect.logError("a request died", Cause.die(defect)),
        toResponse(new InternalError({ message: "an internal error; the gateway's log has the details" }))
      )
    )
  )

/**
 * Puts the policy before `app`. Once `down` is done every request is refused.
 *
 * @since 0.1.0
 */
export const make = (policy: Policy, down: AbortSignal) => {
  const token = checkToken(policy)
  const cors = policy.allowedOrigins.length === 0 ? identity : HttpMiddleware.cors({
    allowedOrigins: (origin) => policy.allowedOrigins.includes(origin),
    allowedMethods: ["GET", "POST", "DELETE"],
    allowedHeaders: ["authorization", "content-type", "idempotency-key", "last-event-id"],
    maxAge: 600
  })

  return <R>(app: App<HttpServerError.RouteNotFound, R>): App<never, R> => {
    const limited = Effect.flatMap(
      HttpServerRequest.HttpServerRequest,
      (request) =>
        Effect.provideService(
          app,
          HttpServerRequest.HttpServerRequest,
          RequestBody.limited(request, policy.maxBodyBytes, down)
        )
    )
    // a preflight carries no token, so it is answered before the token is asked for
    const authorized = cors(unless(
      ({ headers, url }) =>
        (policy.open.has(withoutQuery(url)) ? undefined : token(headers.authorization)) ?? checkBody(policy, headers),
      limited
    ))
    const open = unless(({ headers }) => {
      const host = headers.host?.toLowerCase() ?? ""
      return checkHost(policy, host) ?? checkOrigin(policy, host, headers.origin)
    }, authorized)
    const guarded = answered(open)
    const response = Effect.suspend(() => down.aborted ? Effect.succeed(toResponse(draining())) : guarded)
    return Effect.map(
      response,
      (response) => response.status === 503 ? HttpServerResponse.setHeader(response, "retry-after", "1") : response
    )
  }
}
