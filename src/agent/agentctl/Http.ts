/**
 * One request to a host: JSON there and back, every failure as a `HostError`, redirects not followed.
 *
 * @since 0.1.0
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { HostError } from "./HostError.js"

/** @since 0.1.0 */
export interface Call {
  readonly verb: "GET" | "POST" | "DELETE"
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
}

const timeout = "30 seconds"

/** With the system's name for it, which can be looked up: `ECONNREFUSED`, `DEPTH_ZERO_SELF_SIGNED_CERT`. */
const causeOf = (error: unknown): string => {
  if (!Predicate.isError(error)) return String(error)
  const code = Predicate.hasProperty(error, "code") ? String(error.code) : ""
  // of all that OpenSSL says one word is for people
  const ssl = /:SSL routines:[^:]*:([^:]+)/.exec(error.message)?.[1]
  if (ssl !== undefined) return `no TLS that can be spoken with it: ${ssl} (${code})`
  return error.message.includes(code) ? error.message || String(error) : `${error.message} (${code})`
}

const reasonOf = (status: number): HostError["reason"] =>
  status === 401 || status === 403 ? "Unauthorized" : status === 404 ? "Gone" : status < 400 ? "Redirected" : "Refused"

/** @since 0.1.0 */
export type Send = (call: Call) => Effect.Effect<unknown, HostError>

/** @since 0.1.0 */
export const make: Effect.Effect<Send, never, HttpClient.HttpClient> = Effect.map(
  HttpClient.HttpClient,
  (client): Send => ({ body, headers, url, verb }) => {
    const method = `${verb} ${url.pathname}`
    const bare = HttpClientRequest.make(verb)(url, { headers: { accept: "application/json", ...headers } })
    const unreachable = (why: string) =>
      new HostError({
        reason: "Unreachable",
        method,
        message: `the agent host at ${url.origin} cannot be reached: ${why}`
      })
    return Effect.gen(function*() {
      const response = yield* client.execute(body === undefined ? bare : HttpClientRequest.bodyUnsafeJson(bare, body))
      const text = yield* response.text
      const { status } = response
      const answer = parse(text)
      if (status >= 200 && status < 300) {
        if (answer !== undefined) return answer
        const said = text === "" ? "nothing" : `what is not JSON: ${text.slice(0, 200)}`
        const message = `the agent host at ${url.origin} answered ${method} with ${said}`
        return yield* new HostError({ reason: "Malformed", method, status, message })
      }
      const where = response.headers["location"]
      const why = Predicate.isRecord(answer) && typeof answer["error"] === "string"
        ? answer["error"]
        : where === undefined
        ? text.slice(0, 200)
        : `it redirects to ${where}; put that address into the configuration`
      const message = `the agent host at ${url.origin} refused ${method} (${status})${why === "" ? "" : `: ${why}`}`
      return yield* new HostError({ reason: reasonOf(status), method, status, message })
    }).pipe(
      Effect.catchTags({
        RequestError: (error) => unreachable(causeOf(error.cause ?? error)),
        ResponseError: (error) => unreachable(causeOf(error.cause ?? error))
      }),
      Effect.timeoutFail({
        duration: timeout,
        onTimeout: () => unreachable(`no answer to ${method} within ${timeout}`)
      })
    )
  }
)

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
