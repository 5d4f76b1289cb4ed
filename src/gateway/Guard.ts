/**
 * Who may speak to the gateway, and in what form: checked on a request's head, before any route is looked up.
 *
 * A gateway on loopback is within reach of every page that the user's browser has open. `Host` tells a name that was
 * rebound to this address (DNS rebinding), `Origin` a page of another site, and a body must be declared as JSON, which
 * no HTML form can do.
 *
 * @since 0.1.0
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as HttpMiddleware from "@effect/platform/HttpMiddleware"
import type * as HttpServerError from "@effect/platform/HttpServerError"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import type * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { isIPv4 } from "node:net"
import * as Credentials from "./Credentials.js"
import {
  ContentTypeRefused,
  draining,
  HostRefused,
  InternalError,
  OriginRefused,
  type Refusal,
  RequestMalformed,
  RouteNotFound,
  toResponse
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
  readonly tickets: Credentials.Tickets
  readonly maxBodyBytes: number
}

/** A name or address of this machine that no other can reach. @since 0.1.0 */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || (isIPv4(host) && host.startsWith("127.")) || host === "::1" || host === "[::1]"

const withoutQuery = (url: string) => url.replace(/\?.*$/, "")
const withoutPort = (host: string) => host.replace(/:\d+$/, "")

const checkHost = (policy: Policy, host: string) => {
  if (!policy.loopback || isLoopback(withoutPort(host))) return
  if (policy.allowedHosts.includes(host) || policy.allowedHosts.includes(withoutPort(host))) return
  return new HostRefused({ host, message: `the Host "${host}" is not this gateway's; allowedHosts can name it` })
}

/** What a target like `http://name/path` names, as one has that is sent to a proxy: it counts as much as `Host`. */
const targetHost = (request: HttpServerRequest.HttpServerRequest) => {
  const target = NodeHttpServerRequest.toIncomingMessage(request).url ?? ""
  return target.startsWith("/") ? undefined : /^\w+:\/\/([^/?#]*)/.exec(target)?.[1]?.toLowerCase()
}

/** Who speaks HTTP/1.1 says whom to; what Node would answer to one who does not is empty. */
const checkNamed = (request: HttpServerRequest.HttpServerRequest) =>
  request.headers.host === undefined && NodeHttpServerRequest.toIncomingMessage(request).httpVersion === "1.1"
    ? new RequestMalformed({ message: "the request has no Host header" })
    : undefined

/** An image, a script or a `fetch` without CORS has no `Origin`, but browsers say where it comes from. */
const checkSite = (headers: HttpServerRequest.HttpServerRequest["headers"]) => {
  const site = headers["sec-fetch-site"] ?? "none"
  // a link to here shows what is here to the user, and nothing to the page that has it
  const link = headers["sec-fetch-mode"] === "navigate" && headers["sec-fetch-dest"] === "document"
  if (site === "none" || site === "same-origin" || link) return
  return new OriginRefused({ origin: "null", message: `pages of another site may not call this gateway (${site})` })
}

const checkOrigin = (
  policy: Policy,
  host: string,
  headers: HttpServerRequest.HttpServerRequest["headers"]
) => {
  const { origin } = headers
  if (origin === undefined) return checkSite(headers)
  if (policy.allowedOrigins.includes(origin)) return
  if (URL.canParse(origin) && new URL(origin).host === host) return
  return new OriginRefused({
    origin,
    message: `pages of ${origin} may not call this gateway; allowedOrigins can name it`
  })
}

const checkBody = (policy: Policy, headers: HttpServerRequest.HttpServerRequest["headers"]) => {
  const length = Number(headers["content-length"] ?? 0)
  if (length === 0 && headers["transfer-encoding"] === undefined) return
  const contentType = headers["content-type"] ?? ""
  if (!/^application\/json *(;|$)/i.test(contentType)) {
    return new ContentTypeRefused({ contentType, message: "a body must be sent as application/json" })
  }
  const encoding = headers["content-encoding"] ?? "identity"
  if (encoding.toLowerCase() !== "identity") {
    return new ContentTypeRefused({ contentType, message: `a body must be sent as it is, not as ${encoding}` })
  }
  return length > policy.maxBodyBytes ? RequestBody.tooLarge(policy.maxBodyBytes) : undefined
}

type App<E, R> = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  E,
  R | HttpServerRequest.HttpServerRequest | Scope.Scope
>

const refused = (refusal: Refusal) => Effect.succeed(toResponse(refusal))

/**
 * Every end of a request is a response in JSON; a defect is told to the log and not to the client.
 *
 * @since 0.1.0
 */
export const answered = <R>(app: App<HttpServerError.RouteNotFound, R>): App<never, R> =>
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

/** Headers that go with a status, whoever answers with it. */
const ofStatus: Readonly<Record<number, Record<string, string>>> = {
  426: { upgrade: "websocket" },
  503: { "retry-after": "1" }
}
/** No answer is taken for what it does not say it is, and no other site shows one in a frame. */
const safe = { "x-content-type-options": "nosniff", "x-frame-options": "DENY" }

/**
 * Puts the policy before `app`. Once `down` is done every request is refused, and a page that may call is told why.
 *
 * @since 0.1.0
 */
export const make = (policy: Policy, down: AbortSignal) => {
  const credentials = Credentials.check(policy.token, policy.tickets)
  const cors = policy.allowedOrigins.length === 0 ? identity : HttpMiddleware.cors({
    allowedOrigins: (origin) => policy.allowedOrigins.includes(origin),
    allowedMethods: ["GET", "POST", "DELETE"],
    allowedHeaders: ["authorization", "content-type", "idempotency-key", "last-event-id"],
    exposedHeaders: ["retry-after"],
    maxAge: 600
  })

  return <R>(app: App<HttpServerError.RouteNotFound, R>): App<never, R> => {
    const authorized = answered(Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
      const { headers, method, url } = request
      const shown = { method, url, authorization: headers.authorization }
      return Effect.matchEffect(policy.open.has(withoutQuery(url)) ? Effect.void : credentials(shown), {
        onFailure: refused,
        onSuccess: () => {
          const refusal = checkBody(policy, headers)
          if (refusal !== undefined) return refused(refusal)
          RequestBody.limit(request, policy.maxBodyBytes, down)
          return app
        }
      })
    }))
    // a preflight carries no token, so it is answered before the token is asked for
    const shared = cors(Effect.suspend(() => down.aborted ? refused(draining()) : authorized))
    const open = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
      const { headers } = request
      const host = headers.host?.toLowerCase() ?? ""
      const refusal = checkNamed(request) ?? checkHost(policy, host) ??
        checkHost(policy, targetHost(request) ?? host) ?? checkOrigin(policy, host, headers)
      return refusal === undefined ? shared : refused(refusal)
    })
    return Effect.map(
      open,
      (response) =>
        HttpServerResponse.setHeaders(response, { ...safe, ...response.headers, ...ofStatus[response.status] })
    )
  }
}
