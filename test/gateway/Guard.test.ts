import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { leakFreeFile } from "holdfast/testing/vitest"
import type { Gateway } from "../../src/gateway/Gateway.js"
import { connect, get, request, session, start, until } from "./fixture.js"

leakFreeFile()

const head = (gateway: Gateway["Type"], headers: Record<string, string>, path = "/v1/agents") =>
  Effect.map(request(gateway, "GET", path, { headers }), ({ body, status }) => [status, body._tag] as const)

const creates = { create: () => Effect.succeed(session) }

describe("Guard", () => {
  it.scopedLive("Host must name this machine or an allowed host: a rebound name does not reach a gateway on loopback", () =>
    Effect.gen(function*() {
      const gateway = yield* start({}, { allowedHosts: ["Gateway.internal", "proxy:8080"] })
      for (
        const host of [
          "localhost",
          "LOCALHOST:1",
          "127.0.0.1",
          "127.1.2.3:80",
          "[::1]:9",
          "gateway.internal:5",
          "proxy:8080"
        ]
      ) {
        expect(yield* head(gateway, { host })).toEqual([200, undefined])
      }
      for (
        const host of [
          "evil.example",
          "evil.example:4455",
          "localhost.evil.example",
          "127.0.0.1.evil.example",
          "proxy",
          "::1x"
        ]
      ) {
        expect(yield* head(gateway, { host })).toEqual([403, "HostRefused"])
        expect(yield* head(gateway, { host }, "/health")).toEqual([403, "HostRefused"])
      }
    }))

  it.scopedLive("Origin, where there is one, must be the gateway's own or an allowed one", () =>
    Effect.gen(function*() {
      const gateway = yield* start({}, { allowedOrigins: ["https://app.example"] })
      const host = `localhost:${gateway.port}`
      expect(yield* head(gateway, { host })).toEqual([200, undefined])
      expect(yield* head(gateway, { host, origin: `http://${host}` })).toEqual([200, undefined])
      expect(yield* head(gateway, { host, origin: "https://app.example" })).toEqual([200, undefined])
      for (
        const origin of [
          "https://evil.example",
          "null",
          "http://localhost",
          "http://localhost:1",
          "https://app.example.evil"
        ]
      ) {
        expect(yield* head(gateway, { host, origin })).toEqual([403, "OriginRefused"])
      }
    }))

  it.scopedLive("an allowed origin gets what CORS needs, also for a preflight without the token; no other does", () =>
    Effect.gen(function*() {
      const gateway = yield* start({}, { allowedOrigins: ["https://app.example"], token: Redacted.make("secret") })
      const headers = { origin: "https://app.example", "access-control-request-method": "POST" }
      const preflight = yield* request(gateway, "OPTIONS", "/v1/sessions", { headers })
      expect(preflight.status).toBe(204)
      expect(preflight.headers).toMatchObject({ "access-control-allow-origin": "https://app.example" })
      expect(preflight.headers["access-control-allow-headers"]).toContain("authorization")
      const authorization = "Bearer secret"
      const allowed = yield* request(gateway, "GET", "/v1/agents", { headers: { ...headers, authorization } })
      expect(allowed.headers["access-control-allow-origin"]).toBe("https://app.example")
      const own = yield* request(gateway, "GET", "/v1/agents", { headers: { authorization } })
      expect(own.headers["access-control-allow-origin"]).toBeUndefined()
      const evil = yield* request(gateway, "OPTIONS", "/v1/sessions", { headers: { origin: "https://evil.example" } })
      expect(evil.status).toBe(403)
      expect(evil.headers["access-control-allow-origin"]).toBeUndefined()
    }))

  it.scopedLive("with a token every route but /health and the console asks for it", () =>
    Effect.gen(function*() {
      const gateway = yield* start({}, { token: Redacted.make("secret") })
      for (const authorization of ["Bearer secret", "bearer  secret"]) {
        expect(yield* head(gateway, { authorization })).toEqual([200, undefined])
      }
      for (const authorization of ["Bearer secret2", "Bearer secre", "Bearer ", "secret", "Basic secret", ""]) {
        expect(yield* head(gateway, { authorization })).toEqual([401, "Unauthorized"])
      }
      for (const path of ["/docs", "/openapi.json", "/v1/sessions", "/nowhere", "/health/x"]) {
        const reply = yield* request(gateway, "GET", path)
        expect(reply.status).toBe(401)
        expect(reply.headers["www-authenticate"]).toBe("Bearer")
      }
      expect(yield* head(gateway, {}, "/health")).toEqual([200, undefined])
    }))

  it.scopedLive("a body that an HTML form can send is refused", () =>
    Effect.gen(function*() {
      const gateway = yield* start(creates)
      const json = { agent: "a" }
      const status = (contentType: string) =>
        Effect.map(
          request(gateway, "POST", "/v1/sessions", { json, headers: { "content-type": contentType } }),
          ({ body, status }) => [status, body._tag]
        )
      for (const type of ["application/json", "application/json; charset=utf-8", "Application/JSON"]) {
        expect(yield* status(type)).toEqual([201, undefined])
      }
      for (
        const type of [
          "text/plain",
          "application/x-www-form-urlencoded",
          "text/plain; application/json",
          "",
          "application/jsonx"
        ]
      ) {
        expect(yield* status(type)).toEqual([415, "ContentTypeRefused"])
      }
    }))

  it.scopedLive("a body that is compressed is refused for that, and not for what it looks like", () =>
    Effect.gen(function*() {
      const gateway = yield* start(creates)
      const send = (encoding: string) =>
        request(gateway, "POST", "/v1/sessions", { json: { agent: "a" }, headers: { "content-encoding": encoding } })
      expect((yield* send("identity")).status).toBe(201)
      expect(yield* send("gzip")).toMatchObject({
        status: 415,
        body: { _tag: "ContentTypeRefused", message: expect.stringContaining("gzip") }
      })
    }))

  it.scopedLive("a body over the limit is 413, whether or not its length was declared, and the connection lives on", () =>
    Effect.gen(function*() {
      const gateway = yield* start(creates, { maxBodyBytes: 1000 })
      const declared = yield* request(gateway, "POST", "/v1/sessions", { json: { agent: "x".repeat(100_000) } })
      expect(declared).toMatchObject({ status: 413, body: { _tag: "BodyTooLarge", limit: 1000 } })

      const client = yield* connect(gateway)
      client.write(
        "POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
      )
      const chunk = `3e8\r\n${"x".repeat(1000)}\r\n`
      client.write(chunk)
      yield* Effect.sleep(20)
      expect(client.received()).toBe("")
      client.write(chunk)
      yield* until("the 413", () => client.received().includes("BodyTooLarge"))
      for (let n = 0; n < 100; n++) client.write(chunk)
      client.write(`0\r\n\r\n${get("/health")}`)
      yield* until("the answer to the next request", () => client.received().includes("\"ok\""))
    }))

  it.scopedLive("a body within the limit may come in pieces", () =>
    Effect.gen(function*() {
      const gateway = yield* start(creates)
      const client = yield* connect(gateway)
      client.write(
        "POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n"
      )
      for (const char of "{\"agent\": \"é\"}") {
        client.write(char)
        yield* Effect.sleep(1)
      }
      yield* until("the answer", () => client.received().includes("\r\n\r\n"))
      expect(client.received()).toContain("201 Created")
    }))
})
