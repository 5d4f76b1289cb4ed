/**
 * `holdfast serve`: the gateway.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Path from "@effect/platform/Path"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Gateway from "../../gateway/Gateway.js"
import { unusable } from "../CliError.js"
import * as Config from "../Config.js"
import * as Flags from "../Flags.js"
import * as Host from "../Host.js"
import * as Logging from "../Logging.js"
import { Program } from "../Program.js"
import { Screen } from "../Screen.js"
import * as Signals from "../Signals.js"
import * as Telemetry from "../Telemetry.js"

const host = Options.text("host").pipe(
  Options.withDescription("The address to listen on, 127.0.0.1 otherwise; one that others reach needs a token"),
  Options.optional
)

const port = Options.integer("port").pipe(
  Options.withDescription("The port to listen on, 4455 otherwise; 0 takes a free one"),
  Options.optional
)

const seconds = (count: number | undefined) => count === undefined ? undefined : Duration.seconds(count)

/** @since 0.1.0 */
export const command = Command.make(
  "serve",
  { config: Flags.config, host, port, data: Flags.data, token: Flags.token, logFormat: Flags.logFormat },
  ({ config, data, host, logFormat, port, token }) =>
    Effect.gen(function*() {
      const path = yield* Path.Path
      const { version } = yield* Program
      const screen = yield* Screen
      const loaded = yield* Config.load(config, {
        host,
        port,
        data,
        token,
        log: Option.map(logFormat, (format) => ({ format }))
      })
      const { settings } = loaded
      const gateway = Gateway.layer({
        version,
        host: settings.host,
        port: settings.port,
        token: Option.getOrUndefined(yield* Config.token(loaded)),
        allowedHosts: settings.allowedHosts,
        allowedOrigins: settings.allowedOrigins,
        maxBodyBytes: settings.limits?.bodyBytes,
        maxEventStreams: settings.limits?.eventStreams,
        publicMetrics: settings.metrics?.public,
        maxTickets: settings.limits?.tickets,
        maxConnections: settings.limits?.connections,
        headersTimeout: seconds(settings.limits?.headersTimeout),
        requestTimeout: seconds(settings.limits?.requestTimeout)
      }).pipe(
        Layer.catchAll((error) => Layer.fail(unusable(error.message))),
        Layer.provide(Host.layer(loaded, { data: Option.some(path.resolve(settings.data ?? ".holdfast")) }))
      )
      const serving = Effect.gen(function*() {
        const { url } = yield* Gateway.Gateway
        yield* Signals.endsWell
        yield* screen.write(`holdfast listening on ${url}\n`)
        yield* Effect.never
      })
      yield* serving.pipe(
        Effect.provide(gateway),
        Effect.provide(Telemetry.layer(loaded)),
        Effect.provide(Logging.configured(settings.log)),
        Effect.provide(Signals.layer(`${settings.grace ?? 10} seconds`))
      )
    })
).pipe(Command.withDescription("Run the gateway: sessions over HTTP, kept in a database"))
