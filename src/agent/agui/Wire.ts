/**
 * The requests to an AG-UI endpoint. Everything above it knows an `Upstream` only, which a test may make of anything.
 *
 * @since 0.1.0
 */
import type { RunAgentInput } from "@ag-ui/core"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import {
  AgentAuthRequired,
  type AgentError,
  AgentLost,
  AgentMessageTooLarge,
  AgentProtocolError,
  AgentRequestFailed,
  AgentUnreachable
} from "../../domain/Errors.js"
import * as SseSource from "../../lifecycle/stream/SseSource.js"
import * as OptionFields from "../OptionFields.js"
import { type AguiAgentOptions, defaults } from "./AguiOptions.js"

/** @since 0.1.0 */
export interface Upstream {
  /** Posts a run; closing the scope ends the request. */
  readonly run: (input: RunAgentInput) => Effect.Effect<SseSource.SseConnection, SseSource.SseError, Scope.Scope>
  /** What the agent says of a thread between its runs, if it has a place for that. */
  readonly events: (threadId: string) => Effect.Effect<SseSource.SseSource | undefined>
  /** Tells the agent to stop what it does in the thread, if it can be told. `session` is its own name for it, of a Holdfast. */
  readonly interrupt: (threadId: string, session: string | undefined) => Effect.Effect<void> | undefined
}

/** @since 0.1.0 */
export const eventsUrl = (events: string, threadId: string): string => {
  const name = encodeURIComponent(threadId)
  if (events.includes("{threadId}")) return events.replaceAll("{threadId}", name)
  const url = new URL(events)
  url.pathname = `${url.pathname.replace(/\/$/, "")}/${name}`
  return url.href
}

/** @since 0.1.0 */
export const headersOf = ({ headers, token }: AguiAgentOptions): Record<string, string> => ({
  ...OptionFields.reveal(headers),
  ...(token === undefined
    ? {}
    : { authorization: `Bearer ${Redacted.isRedacted(token) ? Redacted.value(token) : token}` })
})

/** @since 0.1.0 */
export const make = Effect.fnUntraced(function*(options: AguiAgentOptions) {
  const client = yield* HttpClient.HttpClient
  const headers = headersOf(options)
  const maxEvent = options.maxEventCharacters ?? defaults.maxEventCharacters
  const source = (request: HttpClientRequest.HttpClientRequest) =>
    SseSource.make({ request: HttpClientRequest.setHeaders(request, headers), maxEvent })
  const post = (url: string, body: object) =>
    HttpClientRequest.setHeaders(HttpClientRequest.bodyUnsafeJson(HttpClientRequest.post(url), body), headers)

  const upstream: Upstream = {
    run: (input) => Effect.flatMap(source(post(options.url, input)), ({ connect }) => connect),
    events: (threadId) =>
      options.events === undefined
        ? Effect.succeed(undefined)
        : source(HttpClientRequest.get(eventsUrl(options.events, threadId))),
    interrupt: (threadId, session) => {
      const cancel = session === undefined ? undefined : cancelUrl(options.url, session)
      const url = options.interrupt ?? cancel
      return url === undefined
        ? undefined
        : Effect.ignore(Effect.scoped(
          HttpClient.withScope(client).execute(post(url, cancel === url ? {} : { thread_id: threadId }))
        ))
    }
  }
  return upstream
})

/** Of a Holdfast whose AG-UI edge is at `…/agui/AGENT`. */
const cancelUrl = (url: string, session: string): string | undefined => {
  const cancel = url.replace(/\/agui\/[^/?#]+\/?(?=[?#]|$)/, `/v1/sessions/${encodeURIComponent(session)}/cancel`)
  return cancel === url ? undefined : cancel
}

/** Nobody was there to hear the request, and perhaps there will be. @since 0.1.0 */
export const isNotThereYet = ({ code, reason }: SseSource.SseError): boolean =>
  reason === "Unreachable" && /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)$/.test(code ?? "")

/**
 * Whether it can be reached with what it is given, and what it has; without a run, as that would make the agent work.
 *
 * @since 0.1.0
 */
export const probe = (options: AguiAgentOptions): Effect.Effect<ReadonlyArray<string>, AgentError> =>
  Effect.gen(function*() {
    const ask = (url: string) =>
      SseSource.make({ request: HttpClientRequest.setHeaders(HttpClientRequest.get(url), headersOf(options)) }).pipe(
        Effect.flatMap(({ connect }) => Effect.scoped(connect)),
        Effect.mapError((error) => ({ error, known: toAgentError(error, 0) })),
        Effect.timeoutFail({
          duration: options.startTimeout ?? defaults.startTimeout,
          onTimeout: () => {
            const message = `${url} did not answer in time`
            const error = new SseSource.SseError({ url, reason: "Unreachable", message })
            return { error, known: new AgentUnreachable({ url, message }) }
          }
        })
      )
    // what takes a POST refuses this in one way or another
    yield* ask(options.url).pipe(
      Effect.catchIf(
        ({ error, known }) =>
          error.reason === "Refused" && known._tag !== "AgentAuthRequired" && error.location === undefined,
        () => Effect.void
      ),
      Effect.mapError(({ known }) => known)
    )
    if (options.events === undefined) return ["runs"]
    yield* Effect.mapError(ask(eventsUrl(options.events, "probe")), ({ known }) => known)
    return ["runs", "events"]
  })

/** Why a run came to nothing, in the words of all drivers. @since 0.1.0 */
export const toAgentError = (error: SseSource.SseError, maxEvent: number): AgentError => {
  const { body = "", code, message, reason, status = 0, url } = error
  const said = body === "" ? "" : `: ${body.slice(0, 200)}`
  switch (reason) {
    case "Cut":
      return new AgentLost({ message: `the agent's stream broke off before its run had ended: ${message}` })
    case "TooLarge":
      return new AgentMessageTooLarge({ limit: maxEvent, message })
    case "Unreachable":
      // it may have heard of the run, unless it is sure that nobody did
      return code !== undefined && /^(ECONNRESET|EPIPE|ETIMEDOUT|UND_ERR_SOCKET)$/.test(code)
        ? new AgentLost({ message: `the agent's connection broke off before it answered: ${message}` })
        : new AgentUnreachable({ url, message })
    case "Refused":
      if (status === 401 || status === 403) {
        return new AgentAuthRequired({
          methods: [],
          message: `${message}; give it a token or headers that it takes${said}`
        })
      }
      if (status === 200) return new AgentProtocolError({ detail: body.slice(0, 200), message })
      return new AgentRequestFailed({
        method: "run",
        code: status,
        message: error.location === undefined
          ? `${message}${said}`
          : `${message}; redirects are not followed, so set url to it`
      })
  }
}
