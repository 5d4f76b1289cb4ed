/**
 * What a caller shows to be let in: the gateway's token or, where no header can be sent, a ticket.
 *
 * A ticket opens one event stream or socket. It is 256 random bits, known to the gateway by its hash only, and spent by
 * the first who shows it.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { createHash, randomBytes, timingSafeEqual } from "node:crypto"
import type { IncomingMessage } from "node:http"
import { LimitReached } from "../domain/Errors.js"
import { TokenInQuery, Unauthorized } from "./GatewayError.js"

const life = Duration.seconds(30)

const hash = (secret: string) => createHash("sha256").update(secret).digest()

/** @since 0.1.0 */
export interface Tickets {
  readonly issue: Effect.Effect<{ readonly ticket: string; readonly expiresAt: string }, LimitReached>
  /** Spends the ticket; `false` if there is none such any more. */
  readonly redeem: (ticket: string) => Effect.Effect<boolean>
}

/**
 * At most `limit` tickets are good at a time.
 *
 * @since 0.1.0
 */
export const makeTickets = (limit: number): Tickets => {
  /** When each expires, by its hash; the oldest first, as all live equally long. */
  const good = new Map<string, number>()
  const forgetExpired = (now: number) => {
    for (const [key, expires] of good) {
      if (expires > now) return
      good.delete(key)
    }
  }

  return {
    issue: Effect.flatMap(Clock.currentTimeMillis, (now) => {
      forgetExpired(now)
      if (good.size >= limit) {
        return Effect.fail(
          new LimitReached({
            what: "tickets",
            limit,
            message: `${limit} tickets wait to be used, which is the limit; each expires after ${Duration.format(life)}`
          })
        )
      }
      const ticket = randomBytes(32).toString("base64url")
      const expires = now + Duration.toMillis(life)
      good.set(hash(ticket).toString("hex"), expires)
      return Effect.succeed({ ticket, expiresAt: new Date(expires).toISOString() })
    }),
    redeem: (ticket) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        forgetExpired(now)
        return good.delete(hash(ticket).toString("hex"))
      })
  }
}

/** The names under which tokens are put into URLs; RFC 6750 has the second. */
const tokenNames = ["token", "access_token"]

/**
 * Takes the credentials out of a request's URL before anything that logs, traces or answers it can see them. A ticket
 * goes into the `Authorization` header, unless there is one; of a token only the name is left, for `check` to refuse.
 *
 * @since 0.1.0
 */
export const hide = (request: IncomingMessage): void => {
  const [path = "", search] = (request.url ?? "").split(/\?(.*)/s)
  if (search === undefined) return
  const query = new URLSearchParams(search)
  const ticket = query.get("ticket")
  const tokens = tokenNames.filter((name) => query.has(name))
  if (ticket === null && tokens.length === 0) return
  for (const name of tokens) query.set(name, "")
  if (ticket !== null) {
    query.delete("ticket")
    request.headers.authorization ??= `Ticket ${ticket}`
  }
  request.url = query.size === 0 ? path : `${path}?${query}`
}

/** What is checked of a request, after `hide`. @since 0.1.0 */
export interface Shown {
  readonly method: string
  readonly url: string
  readonly authorization: string | undefined
}

const takesTickets = ({ method, url }: Shown) =>
  method === "GET" && /^\/v1\/sessions\/[^/?]+\/(events|socket)(\?|$)/.test(url)

/**
 * Lets pass who shows the token, or a ticket where those are taken. Without a token everybody passes; a token in a URL
 * is refused also then.
 *
 * @since 0.1.0
 */
export const check = (
  token: Option.Option<Redacted.Redacted>,
  tickets: Tickets
): (shown: Shown) => Effect.Effect<void, TokenInQuery | Unauthorized> => {
  const expected = Option.map(token, (token) => hash(Redacted.value(token)))
  const inQuery = new RegExp(`[?&](${tokenNames.join("|")})=`)
  const unauthorized = (message: string) => Effect.fail(new Unauthorized({ message }))

  return (shown) => {
    if (inQuery.test(shown.url)) {
      return Effect.fail(
        new TokenInQuery({
          message: "a token must not be in a URL, which is logged: send Authorization: Bearer TOKEN, " +
            "or open a stream with ?ticket= of POST /v1/tickets"
        })
      )
    }
    if (Option.isNone(expected)) return Effect.void
    const [, scheme, sent] = /^(bearer|ticket) +(\S+) *$/i.exec(shown.authorization ?? "") ?? []
    if (sent === undefined) return unauthorized("a token is needed: Authorization: Bearer TOKEN")
    if (scheme?.toLowerCase() === "ticket") {
      if (!takesTickets(shown)) return unauthorized("a ticket opens event streams and sockets only; send the token")
      return Effect.flatMap(
        tickets.redeem(sent),
        (good) =>
          good ? Effect.void : unauthorized("the ticket was used or has expired; POST /v1/tickets gives another")
      )
    }
    // both sides are hashed: equal lengths, and a time that tells nothing about the token
    return timingSafeEqual(hash(sent), expected.value) ? Effect.void : unauthorized("the token is not the right one")
  }
}
