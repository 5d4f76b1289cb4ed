/** Requests that are too large, too deep, not what they say, or two things at once. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { leakFreeFile } from "holdfast/testing/vitest"
import type { ElicitationAnswer } from "../../src/domain/Elicitation.js"
import { RunId } from "../../src/domain/Ids.js"
import type { Gateway } from "../../src/gateway/Gateway.js"
import { connect, get, request, session, start, until } from "../gateway/fixture.js"

leakFreeFile()

const path = `/v1/sessions/${session.id}`

/** A gateway whose commands are noted with what they were given. */
const noted = (options?: Parameters<typeof start>[1]) =>
  Effect.gen(function*() {
    const given: Array<unknown> = []
    const note = (what: unknown) => Effect.sync(() => void given.push(what))
    const gateway = yield* start({
      create: (options) => Effect.as(note(options), session),
      prompt: (_, options) => Effect.as(note(options), { runId: RunId.make("run_1"), seq: 1 }),
      answer: (_, __, answer: ElicitationAnswer) => note(answer),
      cancel: note,
      list: () => Effect.succeed([])
    }, options)
    return { gateway, given }
  })

const post = (gateway: Gateway["Type"], path: string, raw: string, headers: Record<string, string> = {}) =>
  request(gateway, "POST", path, { raw, headers })

/** Sends it as it is and waits for the end of the connection, or for `answers` whole answers. */
const exchange = (gateway: Gateway["Type"], bytes: string | Uint8Array, answers = Infinity) =>
  Effect.scoped(Effect.gen(function*() {
    const client = yield* connect(gateway)
    client.write(bytes)
    yield* until(
      "an end",
      () => client.closed() || (client.received().match(/HTTP\/1\.1 (?!100)/g) ?? []).length >= answers,
      20_000
    )
    return client.received()
  }))

const head = (method: string, path: string, ...headers: ReadonlyArray<string>) =>
  [`${method} ${path} HTTP/1.1`, "Host: localhost", ...headers, "", ""].join("\r\n")

describe("a request that is too large", () => {
  it.scopedLive("has an error of its own: body, header, address, key, names and folder", () =>
    Effect.gen(function*() {
      const { gateway, given } = yield* noted({ maxBodyBytes: 100_000 })
      const long = "x".repeat(50_000)
      const body = yield* post(gateway, "/v1/sessions", JSON.stringify({ agent: "x".repeat(200_000) }))
      expect(body).toMatchObject({ status: 413, body: { _tag: "BodyTooLarge", limit: 100_000 } })
      const many = Array.from({ length: 2000 }, (_, n) => `X-${n}: ${n}`)
      for (
        const large of [head("GET", "/health", `X: ${long}`), head("GET", `/${long}`), head("GET", "/health", ...many)]
      ) {
        expect(yield* exchange(gateway, large)).toMatch(/^HTTP\/1.1 431 [^]*\r\n\r\n{.*"_tag":"HeadTooLarge".*}$/)
      }

      const prompt = JSON.stringify({ prompt: "p" })
      const key = yield* post(gateway, `${path}/runs`, prompt, { "idempotency-key": "k".repeat(256) })
      expect(key).toMatchObject({ status: 400, body: { issues: [{ path: ["idempotency-key"] }] } })
      for (
        const [route, field, given] of [
          ["/v1/sessions", "agent", { agent: long }],
          ["/v1/sessions", "cwd", { agent: "a", cwd: `/${long}` }],
          ["/v1/sessions", "title", { agent: "a", title: long }],
          [`${path}/mode`, "modeId", { modeId: long }],
          [`${path}/config`, "configId", { configId: long, value: true }]
        ] as const
      ) {
        const reply = yield* post(gateway, route, JSON.stringify(given))
        expect(reply, field).toMatchObject({
          status: 400,
          body: { _tag: "RequestInvalid", issues: [{ path: [field] }] }
        })
        expect(reply.text.length).toBeLessThan(2000)
      }
      expect(given).toEqual([])
    }))
})

describe("a body that is a trap", () => {
  it.scopedLive("nested without end is refused with a reason, and costs little", () =>
    Effect.gen(function*() {
      const { gateway, given } = yield* noted()
      const depth = 100_000
      for (
        const body of [
          "[".repeat(depth) + "]".repeat(depth),
          "{\"agent\":".repeat(depth) + "1" + "}".repeat(depth),
          `{"action":"accept","content":{"a":${"[".repeat(depth)}${"]".repeat(depth)}}}`,
          "[".repeat(depth)
        ]
      ) {
        for (const route of ["/v1/sessions", `${path}/runs`, `${path}/elicitations/eli_1`]) {
          const reply = yield* post(gateway, route, body)
          expect(reply).toMatchObject({ status: 400, body: { _tag: "RequestInvalid" } })
          expect(reply.text.length).toBeLessThan(2000)
        }
      }
      const sensible = `{"action":"accept","content":{"a":${"[".repeat(60)}${"]".repeat(60)}}}`
      expect((yield* post(gateway, `${path}/elicitations/eli_1`, sensible)).status).toBe(200)
      expect(given.length).toBe(1)
    }))

  it.scopedLive("is refused where its bytes are no UTF-8, and not guessed at", () =>
    Effect.gen(function*() {
      const { gateway, given } = yield* noted()
      for (const bytes of [[0xff, 0xfe], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xe2, 0x82]]) {
        const body = Buffer.concat([Buffer.from("{\"agent\":\"a"), Buffer.from(bytes), Buffer.from("\"}")])
        const request = head(
          "POST",
          "/v1/sessions",
          "Content-Type: application/json",
          `Content-Length: ${body.length}`,
          "Connection: close"
        )
        const answer = yield* exchange(gateway, Buffer.concat([Buffer.from(request), body]))
        expect(answer).toMatch(/^HTTP\/1.1 400 [^]*RequestInvalid[^]*UTF-8/)
      }
      expect(given).toEqual([])
    }))

  it.scopedLive("cannot reach what every object inherits: names like __proto__ are names like any other", () =>
    Effect.gen(function*() {
      const { gateway, given } = yield* noted()
      const trap = "{\"polluted\":true}"
      for (const name of ["__proto__", "constructor", "prototype", "toString"]) {
        const open = yield* post(gateway, "/v1/sessions", `{"agent":"a","${name}":${trap}}`)
        expect(open).toMatchObject({ status: 400, body: { issues: [{ path: [name] }] } })
        yield* post(gateway, `${path}/elicitations/eli_1`, `{"action":"accept","content":{"${name}":${trap}}}`)
        const prompt = `{"prompt":[{"type":"text","text":"p","_meta":{"${name}":${trap}},"${name}":${trap}}]}`
        yield* post(gateway, `${path}/runs`, prompt)
        yield* request(gateway, "GET", `/v1/sessions?${name}[polluted]=true`)
      }
      expect("polluted" in {}).toBe(false)
      for (const value of given) expect(value).not.toHaveProperty("polluted")
    }))
})

describe("one message that two readers would cut differently", () => {
  const json = "Content-Type: application/json"
  const inner = head("POST", `${path}/cancel`)

  for (
    const [name, text] of [
      [
        "a length and chunks",
        head("POST", "/v1/sessions", json, "Content-Length: 4", "Transfer-Encoding: chunked") + `0\r\n\r\n${inner}`
      ],
      [
        "chunks and a length",
        head("POST", "/v1/sessions", json, "Transfer-Encoding: chunked", "Content-Length: 4") + `0\r\n\r\n${inner}`
      ],
      [
        "two lengths",
        head("POST", "/v1/sessions", json, "Content-Length: 2", `Content-Length: ${inner.length}`) + `{}${inner}`
      ],
      ["a length with a sign", head("POST", "/v1/sessions", json, "Content-Length: +2") + `{}${inner}`],
      ["a length below zero", head("POST", "/v1/sessions", json, "Content-Length: -1") + inner],
      ["a chunk of no size", head("POST", "/v1/sessions", json, "Transfer-Encoding: chunked") + `zz\r\n${inner}`],
      [
        "a chunk that is longer than any",
        head("POST", "/v1/sessions", json, "Transfer-Encoding: chunked") + `fffffffffffffffff\r\n${inner}`
      ],
      [
        "a chunk that is longer than it says",
        head("POST", "/v1/sessions", json, "Transfer-Encoding: chunked") + `2\r\n{}x\r\n0\r\n\r\n${inner}`
      ],
      [
        "a coding that is not the last",
        head("POST", "/v1/sessions", json, "Transfer-Encoding: chunked, gzip") + `0\r\n\r\n${inner}`
      ],
      [
        "a coding of another name",
        head("POST", "/v1/sessions", json, "Transfer-Encoding: xchunked") + `0\r\n\r\n${inner}`
      ],
      [
        "a space before the colon",
        head("POST", "/v1/sessions", json, "Transfer-Encoding : chunked") + `0\r\n\r\n${inner}`
      ],
      [
        "a folded header",
        head("POST", "/v1/sessions", json, "X: a\r\n Transfer-Encoding: chunked", "Content-Length: 4") +
        `0\r\n\r\n${inner}`
      ],
      ["line feeds alone", `POST /v1/sessions HTTP/1.1\nHost: localhost\nContent-Length: 0\n\n${inner}`],
      ["a line break in the target", `GET /health\r HTTP/1.1\r\nHost: localhost\r\n\r\n${inner}`]
    ] as const
  ) {
    it.scopedLive(`is refused and its connection closed: ${name}`, () =>
      Effect.gen(function*() {
        const { gateway, given } = yield* noted()
        const answers = yield* exchange(gateway, text)
        expect(answers.match(/HTTP\/1\.1 \d+/g)?.every((line) => line === "HTTP/1.1 400")).toBe(true)
        expect(answers).toMatch(/\r\n\r\n{.*"_tag":"Request(Malformed|Invalid)"/)
        expect(given).toEqual([])
      }))
  }

  it.scopedLive("requests one after the other on one connection are answered in order, each with its own", () =>
    Effect.gen(function*() {
      const { gateway, given } = yield* noted()
      const body = "{\"agent\":\"a\"}"
      const open = head("POST", "/v1/sessions", json, `Content-Length: ${body.length}`) + body
      const answers = yield* exchange(gateway, `${get("/health")}${open}${get("/nowhere")}${open}${get("/health")}`, 5)
      expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(
        [200, 201, 404, 201, 200].map((status) => `HTTP/1.1 ${status}`)
      )
      expect(given.length).toBe(2)
    }))

  it.scopedLive("a thousand requests at once on one connection take nothing from the others", () =>
    Effect.gen(function*() {
      const { gateway } = yield* noted()
      const greedy = yield* connect(gateway)
      greedy.write(get("/v1/sessions").repeat(1000))
      expect((yield* request(gateway, "GET", "/health")).status).toBe(200)
      yield* until("all answers", () => greedy.received().split("HTTP/1.1 200 OK").length === 1001, 20_000)
    }))

  it.scopedLive("what is no request of ours is not tunnelled, traced or left without an answer", () =>
    Effect.gen(function*() {
      const { gateway } = yield* noted()
      expect(yield* exchange(gateway, "CONNECT evil.example:80 HTTP/1.1\r\nHost: localhost\r\n\r\n")).toBe("")
      for (const line of ["TRACE / HTTP/1.1", "OPTIONS * HTTP/1.1", "PURGE /v1/sessions HTTP/1.1", "GET /% HTTP/1.1"]) {
        const answer = yield* exchange(gateway, `${line}\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
        expect(answer, line).toMatch(/^HTTP\/1.1 (404|405) [^]*"_tag"/)
      }
      for (const line of ["FOO / HTTP/1.1", "GET / HTTP/9.9", "\u0016\u0003\u0001 TLS", "PRI * HTTP/2.0"]) {
        const answer = yield* exchange(gateway, `${line}\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
        expect(answer, line).toMatch(/^HTTP\/1.1 (400|505) |^$/)
      }
    }))
})

describe("a path that leads out", () => {
  it.scopedLive("leads nowhere, however it is written", () =>
    Effect.gen(function*() {
      const { gateway } = yield* noted()
      for (
        const target of [
          "/../../etc/passwd",
          "/..%2f..%2f..%2fetc%2fpasswd",
          "/%2e%2e/%2e%2e/etc/passwd",
          "/assets/..%5c..%5cetc%5cpasswd",
          "/assets/....//....//etc/passwd",
          "/docs/../../../etc/passwd",
          "/docs/%2e%2e%2f%2e%2e%2fpackage.json",
          "/assets/%00/../package.json",
          "/assets/..%c0%af..%c0%afetc/passwd",
          "//etc/passwd",
          "/file:///etc/passwd",
          "/%ff",
          "/."
        ]
      ) {
        const answer = yield* exchange(gateway, head("GET", target, "Connection: close"))
        expect(answer, target).toMatch(/^HTTP\/1.1 (400|404) /)
        expect(answer).not.toContain("root:")
        expect(answer).not.toContain("devDependencies")
      }
    }))
})
