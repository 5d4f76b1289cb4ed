/**
 * The routes of `Api`, each a call of `Sessions`.
 *
 * @since 0.1.0
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpLayerRouter from "@effect/platform/HttpLayerRouter"
import * as HttpServerError from "@effect/platform/HttpServerError"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { Agents } from "../agent/Agent.js"
import * as Content from "../domain/Content.js"
import * as Traceparent from "../domain/Traceparent.js"
import { Sessions } from "../session/Sessions.js"
import * as Body from "./agui/Body.js"
import * as Encoding from "./agui/Encoding.js"
import * as Runs from "./agui/Runs.js"
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
  readonly metrics: Effect.Effect<string>
}

const system = (version: string, metrics: Effect.Effect<string>) =>
  HttpApiBuilder.group(
    Api,
    "system",
    Effect.fnUntraced(function*(handlers) {
      const agents = yield* Agents
      return handlers
        .handle("metrics", () => metrics)
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

const workspace = HttpApiBuilder.group(
  Api,
  "workspace",
  Effect.fnUntraced(function*(handlers) {
    const sessions = yield* Sessions
    return handlers
      .handle(
        "shell",
        ({ path, payload: { columns, data, rows } }) =>
          Effect.flatMap(sessions.workspace(path.id), ({ resize, shell }) =>
            Effect.zipRight(
              columns === undefined || rows === undefined ? Effect.void : resize(columns, rows),
              data === undefined ? Effect.void : shell(data)
            ))
      )
      .handle(
        "start",
        ({ path, payload }) =>
          Effect.flatMap(
            sessions.workspace(path.id),
            ({ start }) => Effect.map(start(payload), (processId) => ({ processId }))
          )
      )
      .handle("stop", ({ path }) => Effect.flatMap(sessions.workspace(path.id), ({ stop }) => stop(path.processId)))
  })
)

const runs = HttpApiBuilder.group(
  Api,
  "runs",
  Effect.fnUntraced(function*(handlers) {
    const sessions = yield* Sessions
    return handlers
      .handle("prompt", ({ headers, path, payload: { prompt, whenBusy }, request }) =>
        sessions.prompt(path.id, {
          content: typeof prompt === "string" ? [Content.text(prompt)] : prompt,
          whenBusy,
          idempotencyKey: headers["idempotency-key"],
          traceparent: Option.getOrUndefined(Traceparent.fromHeader(request.headers["traceparent"]))
        }).pipe(
          // the way from the request's trace to the run's
          Effect.tap(({ runId }) => Effect.annotateCurrentSpan("holdfast.run.id", runId))
        ))
      .handle("cancel", ({ path, urlParams }) => sessions.cancel(path.id, urlParams.run))
  })
)

const tickets = ({ issue }: Credentials.Tickets) =>
  HttpApiBuilder.group(Api, "tickets", (handlers) => handlers.handle("issue", () => issue))

/** `no-transform` and `X-Accel-Buffering` keep proxies from holding events back. */
const unbuffered = { "cache-control": "no-cache, no-transform", "x-accel-buffering": "no" }

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
          const follow = urlParams.follow === "true"
          // an error can still be told; after the first byte the body can only end
          const reader = yield* sessions.reader(cursor, { follow })
          if (follow) yield* sessions.attend(path.id)
          const format = request.headers.accept?.includes(EventStream.contentType.ndjson) ? "ndjson" : "sse"
          const body = yield* options.streams.open(format, reader)
          return HttpServerResponse.raw(body, {
            contentType: EventStream.contentType[format],
            headers: unbuffered
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

const agui = (streams: EventStream.EventStreams, heartbeat: Duration.DurationInput) =>
  HttpApiBuilder.group(
    Api,
    "agui",
    Effect.fnUntraced(function*(handlers) {
      const runs = Runs.make(yield* Sessions, yield* Agents)
      return handlers.handle(
        "run",
        Effect.fnUntraced(function*({ headers, path, payload, request }) {
          const encoding = yield* Encoding.accepted(request.headers["accept"])
          const view = yield* runs.run(path.agent, payload, headers["last-event-id"], encoding)
          const out = NodeHttpServerRequest.toServerResponse(request)
          const body = yield* Body.open({ streams, heartbeat, encoding, view, out })
          return HttpServerResponse.raw(body, { contentType: encoding.contentType, headers: unbuffered })
        })
      )
    })
  )

/**
 * @since 0.1.0
 */
export const layer = (options: Options) =>
  Layer.mergeAll(
    system(options.version, options.metrics),
    tickets(options.tickets),
    sessions,
    workspace,
    runs,
    events(options),
    elicitations,
    agui(options.streams, options.heartbeat)
  )
