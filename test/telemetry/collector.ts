/** An OTLP collector on loopback: decodes what is sent to it, or misbehaves as it is told. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import type { Told } from "./spans.js"

const Value = Schema.Struct({
  stringValue: Schema.optional(Schema.String),
  intValue: Schema.optional(Schema.Number),
  doubleValue: Schema.optional(Schema.Number),
  boolValue: Schema.optional(Schema.Boolean),
  arrayValue: Schema.optional(Schema.Unknown)
})
const Attributes = Schema.Array(Schema.Struct({ key: Schema.String, value: Value }))
const hex = (digits: number) => Schema.String.pipe(Schema.pattern(new RegExp(`^[0-9a-f]{${digits}}$`)))
const Span = Schema.Struct({
  traceId: hex(32),
  spanId: hex(16),
  parentSpanId: Schema.optional(hex(16)),
  name: Schema.String,
  kind: Schema.Int,
  startTimeUnixNano: Schema.BigInt,
  endTimeUnixNano: Schema.BigInt,
  attributes: Attributes,
  status: Schema.Struct({ code: Schema.Int, message: Schema.optional(Schema.String) }),
  links: Schema.Array(Schema.Struct({ traceId: hex(32), spanId: hex(16), attributes: Attributes }))
})
/** `ExportTraceServiceRequest` of the OTLP specification, as far as Holdfast fills it. */
const Request = Schema.Struct({
  resourceSpans: Schema.Array(Schema.Struct({
    resource: Schema.Struct({ attributes: Attributes }),
    scopeSpans: Schema.Array(
      Schema.Struct({ scope: Schema.Struct({ name: Schema.String }), spans: Schema.Array(Span) })
    )
  }))
})
const decode = Schema.decodeSync(Schema.parseJson(Request))

const toRecord = (attributes: typeof Attributes.Type) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))

const toTold = (span: typeof Span.Type): Told => ({
  traceId: span.traceId,
  spanId: span.spanId,
  parent: span.parentSpanId,
  name: span.name,
  start: span.startTimeUnixNano,
  end: span.endTimeUnixNano,
  failed: span.status.code === 2,
  attributes: toRecord(span.attributes),
  links: span.links.map(({ spanId, traceId }) => [traceId, spanId])
})

export interface Collector {
  readonly url: string
  readonly spans: () => ReadonlyArray<Told>
  /** Those of the last request. */
  readonly resource: () => Readonly<Record<string, unknown>>
  readonly headers: () => Http.IncomingHttpHeaders
  readonly requests: () => number
  /** Everything that was received, as it came. */
  readonly raw: () => string
  /** What it does from now on: takes spans, never answers, or answers with a status. */
  readonly behave: (how: "well" | "hang" | number) => void
}

export const make = Effect.acquireRelease(
  Effect.async<readonly [Http.Server, Collector]>((resume) => {
    const spans: Array<Told> = []
    let [resource, headers]: [Readonly<Record<string, unknown>>, Http.IncomingHttpHeaders] = [{}, {}]
    let [requests, raw]: [number, string] = [0, ""]
    let manner: "well" | "hang" | number = "well"
    const server = Http.createServer((request, response) => {
      let body = ""
      request.setEncoding("utf8").on("data", (text: string) => body += text).on("end", () => {
        requests++
        raw += body
        if (manner === "hang") return
        if (manner !== "well") return void response.writeHead(manner).end()
        if (request.method !== "POST" || request.url !== "/v1/traces") return void response.writeHead(404).end()
        headers = request.headers
        for (const each of decode(body).resourceSpans) {
          resource = toRecord(each.resource.attributes)
          for (const scope of each.scopeSpans) for (const span of scope.spans) spans.push(toTold(span))
        }
        response.writeHead(200, { "content-type": "application/json" }).end("{}")
      })
    }).listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      resume(Effect.succeed([server, {
        url: `http://127.0.0.1:${port}`,
        spans: () => spans,
        resource: () => resource,
        headers: () => headers,
        requests: () => requests,
        raw: () => raw,
        behave: (how) => manner = how
      }]))
    })
  }),
  ([server]) =>
    Effect.async<void>((resume) => {
      server.close(() => resume(Effect.void))
      server.closeAllConnections()
    })
).pipe(Effect.map(([, collector]) => collector))
