/** Requests as the document allows them, and requests that it does not. */
import * as fc from "effect/FastCheck"
import * as Http from "node:http"
import * as Document from "./Document.js"

export interface FuzzRequest {
  readonly method: string
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
}

const names = ["__proto__", "constructor", "toString", "", "a", "agent", "prompt", "action", "\u0000", "é"]

const deep = (depth: number) => fc.constant(JSON.parse("[".repeat(depth) + "]".repeat(depth)))

/** What is in place of what was asked for. */
const odd: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom<unknown>(
    null,
    "",
    -1,
    0,
    1e308,
    2 ** 53,
    true,
    [],
    {},
    "x".repeat(20_000),
    "\ud800",
    "\u0000",
    "../.."
  ),
  fc.string({ unit: "binary" }),
  deep(90),
  deep(500)
)

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The value with one thing in it that is not right, wherever that is. */
const spoilt = (value: unknown): fc.Arbitrary<unknown> => {
  if (Array.isArray(value) && value.length > 0) {
    const at = fc.nat(value.length - 1).chain((index) => spoilt(value[index]).map((each) => value.with(index, each)))
    return fc.oneof(odd, at)
  }
  if (!isObject(value)) return odd
  const keys = Object.keys(value)
  const entries = Object.entries(value)
  const added = fc.tuple(fc.constantFrom(...names), odd).map(([name, each]) =>
    Object.fromEntries([...entries, [name, each]])
  )
  if (keys.length === 0) return fc.oneof(odd, added)
  const key = fc.constantFrom(...keys)
  const removed = key.map((gone) => Object.fromEntries(entries.filter(([name]) => name !== gone)))
  const changed = key.chain((name) => spoilt(value[name]).map((each) => ({ ...value, [name]: each })))
  return fc.oneof(odd, added, removed, changed)
}

const notJson = fc.constantFrom("", "{", "{\"agent\":", "nul", "\"", "[1,]", "{}{}", "\ufeff{}", "a=b", "\u0000")

const body = (
  document: Document.OpenApi,
  schema: Document.JsonSchema | undefined
): fc.Arbitrary<string | undefined> => {
  const value = schema === undefined ? fc.jsonValue() : Document.valid(document, schema)
  return fc.oneof(
    { weight: 6, arbitrary: value.map((value) => JSON.stringify(value)) },
    { weight: 6, arbitrary: value.chain(spoilt).map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: notJson },
    { weight: 1, arbitrary: fc.constant(undefined) }
  )
}

const oddSegment = fc.oneof(
  fc.constantFrom(
    "ses_",
    "ses_x",
    "eli_x",
    "..",
    ".",
    "%00",
    "%",
    "%zz",
    "%2f",
    "%c0%af",
    `ses_${"x".repeat(65)}`,
    "ses_x%20"
  ),
  fc.string({ unit: "binary", maxLength: 20 }).map((text) => {
    try {
      return encodeURIComponent(text)
    } catch {
      return "%ed%a0%80"
    }
  })
)

const oddQuery = fc.oneof(
  fc.constantFrom("", "-1", "1.5", "NaN", "1e400", "9007199254740993", "true", "[]", "%00", "a&b", "x".repeat(2000)),
  fc.webQueryParameters({ size: "small" })
)

/** What Node lets a client send. */
const headerText = fc.stringMatching(/^[\x20-\x7e]{0,40}$/)

const oddHeaders = fc.record({
  accept: fc.constantFrom("application/x-ndjson", "text/event-stream", "*/*", "", "x"),
  "content-type": fc.constantFrom(
    "application/json",
    "application/json; charset=x",
    "text/plain",
    "",
    "application/xml"
  ),
  "content-encoding": fc.constantFrom("gzip", "x"),
  "idempotency-key": fc.oneof(headerText, fc.constant("k".repeat(300))),
  "last-event-id": fc.oneof(headerText, fc.constantFrom("-1", "1e9", "9007199254740993", "0x1")),
  "sec-fetch-site": fc.constantFrom("cross-site", "same-origin", "none", "x"),
  origin: fc.constantFrom("null", "https://evil.example", "x", ""),
  host: fc.constantFrom("localhost", "evil.example", "", "[::1]:1", "[x"),
  authorization: headerText,
  cookie: headerText,
  expect: fc.constant("100-continue"),
  "x-http-method-override": fc.constant("DELETE"),
  "if-none-match": fc.constant("*"),
  range: fc.constant("bytes=0-1")
}, { requiredKeys: [] })

const rarely = <A>(usual: fc.Arbitrary<A>, otherwise: fc.Arbitrary<A>) =>
  fc.oneof({ weight: 8, arbitrary: usual }, { weight: 2, arbitrary: otherwise })

/** `known` are values of path parameters that lead somewhere, asked for anew with every request. */
export const requests = (
  document: Document.OpenApi,
  known: (parameter: string) => fc.Arbitrary<string>
): fc.Arbitrary<FuzzRequest> =>
  fc.constantFrom(...Document.operations(document)).chain((operation) => {
    const ofKind = (kind: string) => operation.parameters.filter((parameter) => parameter.in === kind)
    const segment = (name: string) => rarely(known(name), oddSegment)
    const path = fc.tuple(...ofKind("path").map(({ name }) => segment(name))).map((segments) =>
      ofKind("path").reduce(
        (path, { name }, index) => path.replace(`{${name}}`, () => segments[index] ?? ""),
        operation.path
      )
    )
    const query = fc.record(
      Object.fromEntries(
        ofKind("query").map(({ name, schema }) => [
          name,
          rarely(Document.valid(document, schema).map((value) => encodeURIComponent(String(value))), oddQuery)
        ])
      ),
      { requiredKeys: [] }
    ).map((query) => {
      const text = Object.entries(query).map(([name, value]) => `${name}=${value}`).join("&")
      return text === "" ? "" : `?${text}`
    })
    return fc.record({
      method: rarely(
        fc.constant(operation.method),
        fc.constantFrom(...Http.METHODS.filter((method) => method !== "CONNECT"))
      ),
      target: fc.tuple(path, rarely(query, oddQuery.map((text) => `?${text}`))).map((parts) => parts.join("")),
      headers: rarely<Readonly<Record<string, string>>>(
        fc.constant({ "content-type": "application/json" }),
        oddHeaders
      ),
      body: ["POST", "PUT"].includes(operation.method)
        ? body(document, operation.body)
        : rarely(fc.constant(undefined), body(document, undefined))
    })
  })
