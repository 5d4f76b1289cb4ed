/**
 * Traces over OTLP, if the configuration, or OpenTelemetry's own variables, say where to.
 *
 * @since 0.1.0
 */
import * as OtlpSerialization from "@effect/opentelemetry/OtlpSerialization"
import * as OtlpTracer from "@effect/opentelemetry/OtlpTracer"
import type * as FileSystem from "@effect/platform/FileSystem"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as Path from "@effect/platform/Path"
import * as EffectConfig from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { Observer } from "../log/EventLog.js"
import * as Discreet from "../telemetry/Discreet.js"
import * as Tracing from "../telemetry/Tracing.js"
import { type CliError, unusable } from "./CliError.js"
import * as Collector from "./Collector.js"
import type * as Config from "./Config.js"
import { Program } from "./Program.js"
import * as Secret from "./Secret.js"

/** How long what is left of traces may take when the program ends. */
const lastCall = "2 seconds"

const variable = (name: string) => Effect.option(EffectConfig.nonEmptyString(name))

/** `key1=value1,key2=value2`, the values percent-encoded. */
const parseHeaders = (text: string): Record<string, string> =>
  Object.fromEntries(
    text.split(",").flatMap((pair) => {
      const [name = "", ...rest] = pair.split("=")
      const value = rest.join("=").trim()
      const decoded = Either.getOrElse(Encoding.decodeUriComponent(value), () => value)
      return name.trim() === "" ? [] : [[name.trim(), decoded]]
    })
  )

interface Destination {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}

/**
 * The address to which traces are sent. What the configuration says goes before `OTEL_EXPORTER_OTLP_…`.
 *
 * @since 0.1.0
 */
export const destination = ({ folder, settings }: Config.Loaded): Effect.Effect<
  Option.Option<Destination>,
  CliError,
  FileSystem.FileSystem | Path.Path
> =>
  Effect.gen(function*() {
    const disabled = Option.contains(yield* variable("OTEL_SDK_DISABLED"), "true")
    const standard = disabled ? Option.none() : yield* variable("OTEL_EXPORTER_OTLP_ENDPOINT")
    const { headers = {}, url } = settings.telemetry?.otlp ?? {}
    const base = Option.orElse(Option.fromNullable(url), () => standard)
    if (Option.isNone(base)) return Option.none()
    if (!/^https?:/.test(base.value) || !URL.canParse(base.value)) {
      return yield* unusable(
        `OTEL_EXPORTER_OTLP_ENDPOINT: must be an address like http://127.0.0.1:4318, not ${JSON.stringify(base.value)}`
      )
    }
    const standardHeaders = yield* variable("OTEL_EXPORTER_OTLP_HEADERS")
    const own = yield* Effect.forEach(Object.entries(headers), ([name, secret]) =>
      Effect.mapBoth(Secret.reveal(secret, folder), {
        onFailure: (fault) =>
          unusable(`telemetry.otlp.headers.${name}: ${fault}`),
        onSuccess: (value) => [name, Redacted.value(value)] as const
      }))
    return Option.some({
      url: `${base.value.replace(/\/+$/, "")}/v1/traces`,
      headers: {
        ...Option.match(standardHeaders, { onNone: () => ({}), onSome: parseHeaders }),
        ...Object.fromEntries(own)
      }
    })
  })

/** `OTEL_SERVICE_NAME` where nobody has set it. */
const unnamed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.configProviderWith((given) =>
    Effect.withConfigProvider(effect, ConfigProvider.orElse(given, () => ConfigProvider.fromMap(defaults)))
  )
const defaults = new Map([["OTEL_SERVICE_NAME", "holdfast"]])

/**
 * The tracer and the observer of the log that tells it of runs. Where no address is given, no spans are made: Effect's own tracer would
 * make them for nobody, a request's with all of its headers.
 *
 * @since 0.1.0
 */
export const layer = (
  loaded: Config.Loaded
): Layer.Layer<never, CliError, HttpClient.HttpClient | Program | FileSystem.FileSystem | Path.Path> =>
  Layer.unwrapScoped(Effect.gen(function*() {
    const to = yield* destination(loaded)
    if (Option.isNone(to)) return Layer.setTracerEnabled(false)
    const { version } = yield* Program
    const { sampling = 1, serviceName } = loaded.settings.telemetry ?? {}
    const otlp = yield* OtlpTracer.make({
      ...to.value,
      resource: { serviceName, serviceVersion: version },
      shutdownTimeout: lastCall
    }).pipe(
      Effect.provideServiceEffect(HttpClient.HttpClient, Collector.client),
      Effect.provideService(OtlpSerialization.OtlpSerialization, Collector.serialization),
      unnamed
    )
    const tracer = Discreet.make(otlp, sampling)
    return Layer.merge(
      Layer.setTracer(tracer),
      Layer.effect(Observer, Effect.withTracer(Tracing.make, tracer))
    )
  }))
