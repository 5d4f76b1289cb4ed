/**
 * The routes of `Api`, each a call of `Sessions`.
 *
 * @since 0.1.0
 */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpLayerRouter from "@effect/platform/HttpLayerRouter"
import * as HttpServerError from "@effect/platform/HttpServerError"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { Agents } from "../agent/Agent.js"
import * as Content from "../domain/Content.js"
import { Sessions } from "../session/Sessions.js"
import { Api } from "./Api.js"
import type * as Credentials from "./Credentials.js"
import * as EventStream from "./EventStream.js"
import * as Guard from "./Guard.js"
import type { Handshakes } from "./socket/Handshake.js"
import * as SessionSocket from "./socket/SessionSocket.js"

/** @since 0.1.0 */
export interface Options {
  readonly version: string
  readonly tickets: Credentials.Tickets
  readonly streams: EventStream.EventStreams
  readonly handshakes: Handshakes
  readonly heartbeat: Duration.DurationInput
  readonly grace: Duration.DurationInput
}

const system = (version: string) =>
  HttpApiBuilder.group(
    Api,
    "system",
    Effect.fnUntraced(function*(handlers) {
      const agents = yield* Agents
      return handlers
        .handle("health", () => Effect.succeed({ status: "ok" as const, version }))
        .handle("agents", () =>
          Effect.succeed(agents.all.map(({ description, kind, name }) => ({ name, kind, description }))))
    })
  )

const sessions = HttpApiBuilder.group(
  Api,
  "sessions",
  Effect.fnUntraced(function*(handlers) {
    const sessions = yield* Sessions
    return handlers
      .handle("create", ({ payload }) => sessions.create(payload))
      .handle("list", ({ urlParams: { after, limit, status } }) =>
        sessions.list({
          after: Option.fromNullable(after),
          status: Option.fromNullable(status),
          // one more than is shown tells whether there is a next page
          limit: limit + 1
        }).pipe(Effect.map((found) => {
          const page = found.slice(0, limit)
          const last = page.at(-1)
          return found.length > limit && last !== undefined ? { sessions: page, next: last.id } : { sessions: page }
        })))
      .handle("get", ({ path }) => sessions.get(path.id))
      .handle("close", ({ path }) => sessions.close(path.id))
      .handle("restart", ({ path, payload: { cause, wait } }) => {
        const accepted = sessions.restart(path.id, cause)
        // without `wait` its outcome is told by the session's events
        return wait ? Effect.flatten(accepted) : Effect.asVoid(accepted)
      })
      .handle("mode", ({ path, payload }) => sessions.setMode(path.id, payload.modeId))
      .handle("config", ({ path, payload }) => sessions.setConfigOption(path.id, payload.configId, payload.value))
  })
)

const runs = HttpApiBuilder.group(
  Api,
  "runs",
  Effect.fnUntraced(function*(handlers) {
    const sessions = yield* Sessions
    return handlers
      .handle("prompt", ({ headers, path, payload: { prompt, whenBusy } }) =>
        sessions.prompt(path.id, {
          content: typeof prompt === "string" ? [Content.text(prompt)] : prompt,
          whenBusy,
          idempotencyKey: headers["idempotency-key"]
        }))
      .handle("cancel", ({ path }) => sessions.cancel(path.id))
  })
)

const tickets = ({ issue }: Credentials.Tickets) =>
  HttpApiBuilder.group(Api, "tickets", (handlers) => handlers.handle("issue", () => issue))

const events = (options: Options) =>
  HttpApiBuilder.group(
    Api,
    "events",
    Effect.fnUntraced(function*(handlers) {
      const sessions = yield* Sessions
      const router = yield* HttpLayerRouter.HttpRouter
      const sockets = SessionSocket.make({
        ...options,
        sessions,
        // later: the routes are still being added
        routes: Guard.answered(
          Effect.suspend(() => router.asHttpEffect()).pipe(
            Effect.catchAll((error) => error instanceof HttpServerError.RouteNotFound ? error : Effect.die(error))
          )
        )
      })
      return handlers.handleRaw(
        "events",
        Effect.fnUntraced(function*({ headers, path, request, urlParams }) {
          // a browser reconnects to the same URL with the number it has come to: the header is the later truth
          const cursor = { session: path.id, after: headers["last-event-id"] ?? urlParams.after }
          // an error can still be told; after the first byte the body can only end
          yield* Stream.runHead(sessions.history(cursor))
          if (urlParams.follow === "true") yield* sessions.attend(path.id)
          const format = request.headers.accept?.includes(EventStream.contentType.ndjson) ? "ndjson" : "sse"
          const body = yield* options.streams.open(
            format,
            urlParams.follow === "true" ? sessions.events(cursor) : sessions.history(cursor)
          )
          return HttpServerResponse.stream(body, {
            contentType: EventStream.contentType[format],
            // `no-transform` and `X-Accel-Buffering` keep proxies from holding events back
            headers: { "cache-control": "no-cache, no-transform", "x-accel-buffering": "no" }
          })
        })
      ).handleRaw(
        "socket",
        ({ path, request, urlParams }) => sockets.serve(request, { session: path.id, after: urlParams.after })
      )
    })
  )

const elicitations = HttpApiBuilder.group(
  Api,
  "elicitations",
  Effect.fnUntraced(function*(handlers) {
    const sessions = yield* Sessions
    return handlers
      .handle("pending", ({ path }) => Effect.map(sessions.elicitations(path.id), (elicitations) => ({ elicitations })))
      .handle("decisions", ({ path }) => Effect.map(sessions.decisions(path.id), (decisions) => ({ decisions })))
      .handle("revoke", ({ path, urlParams: { subject } }) => sessions.revoke(path.id, subject))
      .handle(
        "answer",
        ({ path: { elicitationId, id }, payload }) =>
          Effect.as(sessions.answer(id, elicitationId, payload), { id: elicitationId, action: payload.action })
      )
  })
)

/**
 * @since 0.1.0
 */
export const layer = (options: Options) =>
  Layer.mergeAll(
    system(options.version),
    tickets(options.tickets),
    sessions,
    runs,
    events(options),
    elicitations
  )
