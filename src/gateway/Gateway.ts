/**
 * The gateway: `Sessions` over HTTP.
 *
 * ```ts
 * Gateway.layer({ version: "0.1.0" }).pipe(Layer.provide([sessions, agents])) // http://127.0.0.1:4455
 * ```
 *
 * @since 0.1.0
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiScalar from "@effect/platform/HttpApiScalar"
import * as HttpLayerRouter from "@effect/platform/HttpLayerRouter"
import * as HttpMiddleware from "@effect/platform/HttpMiddleware"
import * as HttpServer from "@effect/platform/HttpServer"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { setMaxListeners } from "node:events"
import * as Http from "node:http"
import type { Agents } from "../agent/Agent.js"
import type { Sessions } from "../session/Sessions.js"
import { Api } from "./Api.js"
import * as Console from "./Console.js"
import * as Credentials from "./Credentials.js"
import * as EventStream from "./EventStream.js"
import { AddressInUse, AddressUnavailable, MethodNotAllowed, TokenRequired, toResponse } from "./GatewayError.js"
import * as Guard from "./Guard.js"
import * as Handlers from "./Handlers.js"
import * as Metrics from "./Metrics.js"
import * as ResponseBody from "./ResponseBody.js"
import * as Handshake from "./socket/Handshake.js"
import * as Unparsed from "./Unparsed.js"

/** @since 0.1.0 */
export interface Options {
  /** What `/health` tells. */
  readonly version: string
  /** Default `127.0.0.1`. Any address that is not loopback needs a `token`. */
  readonly host?: string | undefined
  /** Default 4455; 0 takes a free one. */
  readonly port?: number | undefined
  readonly token?: Redacted.Redacted | undefined
  /** Names, besides those of loopback, by which a gateway on loopback may be called: a reverse proxy's. */
  readonly allowedHosts?: ReadonlyArray<string> | undefined
  /** Origins whose pages may call the gateway: `https://app.example`. */
  readonly allowedOrigins?: ReadonlyArray<string> | undefined
  /** Of a request's body, or of a frame that comes up a socket; default 1 MiB. */
  readonly maxBodyBytes?: number | undefined
  /** How many event streams and sockets may be open at once, default 1024. */
  readonly maxEventStreams?: number | undefined
  /** Whether `/metrics` is open to who has no token, default false. */
  readonly publicMetrics?: boolean | undefined
  /** How many tickets may be good at once, default 1024. */
  readonly maxTickets?: number | undefined
  /** How many connections may be open at once, default 16,384: one more is closed at once. */
  readonly maxConnections?: number | undefined
  /** How long the head of a request may take to come, default 10 s, and all of it, default 60 s. */
  readonly headersTimeout?: Duration.DurationInput | undefined
  readonly requestTimeout?: Duration.DurationInput | undefined
  /**
   * How often an event stream on which nothing happens shows that it lives, and a socket is asked whether it does;
   * default 10 s.
   */
  readonly heartbeat?: Duration.DurationInput | undefined
  /** The folder of the built console, that of the package otherwise. */
  readonly console?: string | undefined
  /** How long requests may take to end when the gateway closes, before their connections are cut; default 3 s. */
  readonly grace?: Duration.DurationInput | undefined
}

/**
 * A gateway that listens. `port` is the one that was bound.
 *
 * @since 0.1.0
 */
export class Gateway extends Context.Tag("holdfast/Gateway")<Gateway, {
  readonly host: string
  readonly port: number
  readonly url: string
}>() {}

/** @since 0.1.0 */
export type StartError = TokenRequired | AddressInUse | AddressUnavailable

/** For the goodbye of a socket that the gateway closes; less than the grace of everything. */
const closeTimeout = "1 second"

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const

/** What is no part of the API. */
const pages = ["/", "/docs", "/openapi.json"] as const

/** Answers 405 where the path is right and the method is not. */
const otherMethods = HttpLayerRouter.use(Effect.fnUntraced(function*(router) {
  const allowed = new Map<HttpLayerRouter.PathInput, Array<string>>(pages.map((path) => [path, ["GET"]]))
  HttpApi.reflect(Api, {
    onGroup: () => {},
    onEndpoint: ({ endpoint }) => {
      allowed.set(endpoint.path, [...allowed.get(endpoint.path) ?? [], endpoint.method])
    }
  })
  for (const [path, allow] of allowed) {
    const message = `${path} takes ${allow.join(" and ")}`
    const refused = Effect.succeed(toResponse(new MethodNotAllowed({ allowed: allow, message })))
    for (const method of methods) {
      if (!allow.includes(method)) yield* router.add(method, path, refused)
    }
  }
}))

const listen = (node: Http.Server, host: string, port: number) =>
  NodeHttpServer.make(() => node, { host, port }).pipe(
    Effect.mapError(({ cause }) => {
      const code = cause instanceof Error && "code" in cause ? String(cause.code) : "UNKNOWN"
      return code === "EADDRINUSE"
        ? new AddressInUse({ host, port, message: `${host}:${port} is in use by another program; choose another port` })
        : new AddressUnavailable({ host, port, code, message: `cannot listen on ${host}:${port}: ${String(cause)}` })
    })
  )

/** @since 0.1.0 */
export const make = Effect.fnUntraced(function*(
  options: Options
): Effect.fn.Return<Gateway["Type"], StartError, Sessions | Agents | Scope.Scope> {
  const { grace = "3 seconds", heartbeat = "10 seconds", host = "127.0.0.1", maxBodyBytes = 1024 * 1024, port = 4455 } =
    options
  const loopback = Guard.isLoopback(host)
  const token = Option.fromNullable(options.token).pipe(Option.filter((token) => Redacted.value(token) !== ""))
  if (!loopback && Option.isNone(token)) {
    return yield* new TokenRequired({
      host,
      message: `${host} is within reach of other machines: a gateway there needs a token`
    })
  }

  const streams = EventStream.make({ limit: options.maxEventStreams ?? 1024, heartbeat })
  const tickets = Credentials.makeTickets(options.maxTickets ?? 1024)
  const handshakes = Handshake.make({ maxFrame: maxBodyBytes, closeTimeout })
  const down = new AbortController()
  // each request whose body is being read listens to it
  setMaxListeners(0, down.signal)

  const metrics = yield* Metrics.make(streams)
  const page = yield* Console.load(options.console)
  const api = Api.annotate(OpenApi.Version, options.version)
  const routes = Layer.mergeAll(
    HttpLayerRouter.addHttpApi(api, { openapiPath: "/openapi.json" }).pipe(
      Layer.provide(
        Handlers.layer({
          version: options.version,
          tickets,
          streams,
          handshakes,
          heartbeat,
          grace: closeTimeout,
          metrics
        })
      )
    ),
    HttpApiScalar.layerHttpLayerRouter({ api, path: "/docs", scalar: { withDefaultFonts: false } }),
    page.routes,
    otherMethods
  )
  const guard = Guard.make({
    loopback,
    allowedHosts: (options.allowedHosts ?? []).map((host) => host.toLowerCase()),
    allowedOrigins: options.allowedOrigins ?? [],
    token,
    open: new Set(["/health", ...(options.publicMetrics === true ? ["/metrics"] : []), ...page.paths]),
    tickets,
    maxBodyBytes
  }, down.signal)
  const router = yield* Effect.provide(HttpLayerRouter.toHttpEffect(routes), HttpServer.layerContext)
  const app = ResponseBody.interruptible(guard(router))

  const requestTimeout = Duration.toMillis(options.requestTimeout ?? "60 seconds")
  const headersTimeout = Math.min(Duration.toMillis(options.headersTimeout ?? "10 seconds"), requestTimeout)
  const node = Http.createServer({
    // of two `Host`s Node would take the first, and a proxy perhaps the other; joined they are neither's
    joinDuplicateHeaders: true,
    // the guard looks at it, and its answer has a body
    requireHostHeader: false,
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
    keepAliveTimeout: 65_000,
    headersTimeout,
    requestTimeout,
    connectionsCheckingInterval: Math.min(headersTimeout, requestTimeout, 10_000) / 2
  })
  node.maxConnections = options.maxConnections ?? 16_384
  // a request's fiber is a root of its own: here it gets an owner, who interrupts it and waits for it
  const requests = yield* FiberSet.make<unknown, unknown>()
  const server = yield* listen(node, host, port)
  const traced = yield* FiberRef.get(FiberRef.currentTracerEnabled)
  const handle = yield* NodeHttpServer.makeHandler<Scope.Scope, never>(Effect.withFiberRuntime((fiber) => {
    FiberSet.unsafeAdd(requests, fiber)
    return app
  })).pipe(
    // what is asked every few seconds is no trace
    HttpMiddleware.withTracerDisabledWhenEffect(({ url }) => !traced || url === "/health" || url === "/metrics")
  )
  const handler = (request: Http.IncomingMessage, response: Http.ServerResponse) => {
    Credentials.hide(request)
    handle(request, response)
  }
  node.on("request", handler)
  Unparsed.listen(node)
  handshakes.listen(node, handler)

  // An open response keeps a server from closing, so whatever is open ends first: event streams at once, requests
  // within the grace. Until then new ones are told `Draining`. Whoever does not read, or does not write, is cut off at
  // last.
  const cutOff = Effect.async<void>((resume) => {
    node.close(() => resume(Effect.void))
    node.closeAllConnections()
  }).pipe(Effect.zipLeft(handshakes.cutOff, { concurrent: true }))
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => down.abort()).pipe(
      Effect.zipRight(streams.end),
      Effect.zipRight(FiberSet.awaitEmpty(requests).pipe(Effect.interruptible, Effect.timeout(grace), Effect.ignore)),
      Effect.zipRight(cutOff)
    )
  )

  const bound = server.address._tag === "TcpAddress" ? server.address.port : port
  return { host, port: bound, url: `http://${host.includes(":") ? `[${host}]` : host}:${bound}` }
})

/**
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<Gateway, StartError, Sessions | Agents> =>
  Layer.scoped(Gateway, make(options))
