/**
 * What the gateway itself refuses, before any command reaches `Sessions`, and why it would not start.
 *
 * @since 0.1.0
 */
import * as HttpApiError from "@effect/platform/HttpApiError"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Schema from "effect/Schema"

const message = Schema.String

// ------------------------------------------------------------------------------------------ of a request

/** No token, or not the right one. @since 0.1.0 */
export class Unauthorized
  extends Schema.TaggedError<Unauthorized>()("Unauthorized", { message }, HttpApiSchema.annotations({ status: 401 }))
{}

/** A token in a URL, where histories and logs keep it. @since 0.1.0 */
export class TokenInQuery
  extends Schema.TaggedError<TokenInQuery>()("TokenInQuery", { message }, HttpApiSchema.annotations({ status: 400 }))
{}

/** `Host` names another machine: a page on a name that was rebound to this address. @since 0.1.0 */
export class HostRefused extends Schema.TaggedError<HostRefused>()(
  "HostRefused",
  { host: Schema.String, message },
  HttpApiSchema.annotations({ status: 403 })
) {}

/** A page of another origin. @since 0.1.0 */
export class OriginRefused extends Schema.TaggedError<OriginRefused>()(
  "OriginRefused",
  { origin: Schema.String, message },
  HttpApiSchema.annotations({ status: 403 })
) {}

/** @since 0.1.0 */
export class RouteNotFound
  extends Schema.TaggedError<RouteNotFound>()("RouteNotFound", { message }, HttpApiSchema.annotations({ status: 404 }))
{}

/** @since 0.1.0 */
export class MethodNotAllowed extends Schema.TaggedError<MethodNotAllowed>()("MethodNotAllowed", {
  allowed: Schema.Array(Schema.String),
  message
}, HttpApiSchema.annotations({ status: 405 })) {}

/** The body has more bytes than `limit`. @since 0.1.0 */
export class BodyTooLarge extends Schema.TaggedError<BodyTooLarge>()(
  "BodyTooLarge",
  { limit: Schema.Number, message },
  HttpApiSchema.annotations({ status: 413 })
) {}

/** A body that does not say that it is JSON: what an HTML form can send is refused. @since 0.1.0 */
export class ContentTypeRefused extends Schema.TaggedError<ContentTypeRefused>()("ContentTypeRefused", {
  contentType: Schema.String,
  message
}, HttpApiSchema.annotations({ status: 415 })) {}

/** It is no HTTP, or two readers could take it for two things; the connection is closed. @since 0.1.0 */
export class RequestMalformed extends Schema.TaggedError<RequestMalformed>()(
  "RequestMalformed",
  { message },
  HttpApiSchema.annotations({ status: 400 })
) {}

/** The head of the request, or all of it, took too long to come. @since 0.1.0 */
export class RequestTimeout extends Schema.TaggedError<RequestTimeout>()(
  "RequestTimeout",
  { message },
  HttpApiSchema.annotations({ status: 408 })
) {}

/** The address and the headers are larger than Node takes, 16 KiB together. @since 0.1.0 */
export class HeadTooLarge
  extends Schema.TaggedError<HeadTooLarge>()("HeadTooLarge", { message }, HttpApiSchema.annotations({ status: 431 }))
{}

/** A route that speaks WebSocket was asked for something else. @since 0.1.0 */
export class UpgradeRequired extends Schema.TaggedError<UpgradeRequired>()(
  "UpgradeRequired",
  { message },
  HttpApiSchema.annotations({ status: 426 })
) {}

/** A defect: the log has the cause, the client has nothing to learn from it. @since 0.1.0 */
export class InternalError
  extends Schema.TaggedError<InternalError>()("InternalError", { message }, HttpApiSchema.annotations({ status: 500 }))
{}

/** The gateway is on its way down. @since 0.1.0 */
export class Draining
  extends Schema.TaggedError<Draining>()("Draining", { message }, HttpApiSchema.annotations({ status: 503 }))
{}

/** @since 0.1.0 */
export const draining = (): Draining => new Draining({ message: "the gateway is shutting down" })

const RequestInvalidBody = Schema.TaggedStruct("RequestInvalid", {
  message,
  issues: Schema.Array(Schema.Struct({ path: Schema.Array(Schema.String), message }))
})

/**
 * A path, query, header or body that does not decode, as it is sent. Inside it is platform's `HttpApiDecodeError`,
 * whose name and shape are not part of Holdfast's contract.
 *
 * @since 0.1.0
 */
export const RequestInvalid = Schema.transform(
  RequestInvalidBody,
  Schema.typeSchema(HttpApiError.HttpApiDecodeError),
  {
    strict: true,
    decode: ({ issues, message }) =>
      new HttpApiError.HttpApiDecodeError({ message, issues: issues.map((issue) => ({ _tag: "Type", ...issue })) }),
    encode: ({ issues }) => {
      // `actual …` quotes what was sent, which may be a megabyte
      const faults = issues.map(({ message, path }) => ({ path: path.map(String), message: message.slice(0, 500) }))
      return {
        _tag: "RequestInvalid" as const,
        message: faults.map(({ message, path }) => path.length === 0 ? message : `${path.join(".")}: ${message}`).join(
          "; "
        ),
        issues: faults
      }
    }
  }
).annotations(HttpApiSchema.annotations({ status: 400, identifier: "RequestInvalid" }))

/** One fault of a request, found by other means than a schema. @since 0.1.0 */
export const requestInvalid = (message: string): HttpApiError.HttpApiDecodeError =>
  new HttpApiError.HttpApiDecodeError({ message, issues: [{ _tag: "Type", path: [], message }] })

/** Whatever any route can answer. @since 0.1.0 */
export const Refusal = Schema.Union(
  Unauthorized,
  TokenInQuery,
  HostRefused,
  OriginRefused,
  RouteNotFound,
  MethodNotAllowed,
  BodyTooLarge,
  ContentTypeRefused,
  RequestMalformed,
  RequestTimeout,
  HeadTooLarge,
  InternalError,
  Draining
)
/** @since 0.1.0 */
export type Refusal = typeof Refusal.Type

const encode = Schema.encodeSync(Refusal)
const statuses = new Map(Refusal.members.map((member) => [member._tag, HttpApiSchema.getStatusError(member)]))

/** A refusal as a response; `Draining` closes the connection. @since 0.1.0 */
export const toResponse = (refusal: Refusal): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.unsafeJson(encode(refusal), {
    status: statuses.get(refusal._tag) ?? 500,
    ...(refusal._tag === "Unauthorized" ? { headers: { "www-authenticate": "Bearer" } } : {}),
    ...(refusal._tag === "MethodNotAllowed" ? { headers: { allow: refusal.allowed.join(", ") } } : {}),
    ...(refusal._tag === "Draining" ? { headers: { connection: "close" } } : {})
  })

// --------------------------------------------------------------------------------------------- of a start

/** A gateway that others can reach must have a token. @since 0.1.0 */
export class TokenRequired
  extends Schema.TaggedError<TokenRequired>()("TokenRequired", { host: Schema.String, message })
{}

/** Something else listens there. @since 0.1.0 */
export class AddressInUse extends Schema.TaggedError<AddressInUse>()("AddressInUse", {
  host: Schema.String,
  port: Schema.Number,
  message
}) {}

/** The address cannot be listened on: no such interface, or a port that needs rights. @since 0.1.0 */
export class AddressUnavailable extends Schema.TaggedError<AddressUnavailable>()("AddressUnavailable", {
  host: Schema.String,
  port: Schema.Number,
  code: Schema.String,
  message
}) {}
