import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { leakFreeFile } from "holdfast/testing/vitest"
import {
  closable,
  connect,
  fibersBeside,
  get,
  id,
  memoryLog,
  request,
  rootFibers,
  session,
  start,
  until
} from "./fixture.js"

leakFreeFile()

const path = `/v1/sessions/${id}`
const slowBody =
  "POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"agent\":"

describe("start", () => {
  it.scopedLive("an address that others can reach needs a token", () =>
    Effect.gen(function*() {
      for (const token of [undefined, Redacted.make("")]) {
        const error = yield* Effect.flip(start({}, { host: "0.0.0.0", token }))
        expect(error).toMatchObject({ _tag: "TokenRequired", host: "0.0.0.0" })
      }
      const gateway = yield* start({}, { host: "0.0.0.0", token: Redacted.make("secret") })
      const headers = { authorization: "Bearer secret", host: "any.example" }
      expect((yield* request(gateway, "GET", "/v1/agents", { headers })).status).toBe(200)
    }))

  it.scopedLive("a taken port is told with host and port", () =>
    Effect.gen(function*() {
      const first = yield* start({})
      expect(first.host).toBe("127.0.0.1")
      expect(first.port).toBeGreaterThan(0)
      const error = yield* Effect.flip(start({}, { port: first.port }))
      expect(error).toMatchObject({ _tag: "AddressInUse", host: "127.0.0.1", port: first.port })
      expect(error.message).toContain(`127.0.0.1:${first.port}`)
    }))

  it.scopedLive("an address that is not this machine's is told", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(start({}, { host: "192.0.2.1", token: Redacted.make("secret") }))
      expect(error).toMatchObject({ _tag: "AddressUnavailable", host: "192.0.2.1", code: "EADDRNOTAVAIL" })
    }))

  it.scopedLive("a request has a span, and none where tracing is off", () =>
    Effect.gen(function*() {
      for (const traced of [true, false]) {
        const spans: Array<boolean> = []
        const see = Effect.map(Effect.option(Effect.currentParentSpan), (span) => void spans.push(Option.isSome(span)))
        const gateway = yield* Effect.withTracerEnabled(start({ get: () => Effect.as(see, session) }), traced)
        expect((yield* request(gateway, "GET", path)).status).toBe(200)
        expect(spans).toEqual([traced])
      }
    }))

  it.scopedLive("/openapi.json has every route and every error, /docs shows it, / leads there", () =>
    Effect.gen(function*() {
      const gateway = yield* start({})
      const { body } = yield* request(gateway, "GET", "/openapi.json")
      expect(body.info).toMatchObject({ title: "Holdfast", version: "1.2.3" })
      const paths = body.paths as Record<
        string,
        Record<string, { responses: Record<string, unknown>; security: unknown }>
      >
      expect(Object.entries(paths).map(([path, operations]) => `${path} ${Object.keys(operations).sort().join(" ")}`))
        .toEqual([
          "/health get",
          "/v1/agents get",
          "/metrics get",
          "/v1/tickets post",
          "/v1/sessions get post",
          "/v1/sessions/{id} delete get",
          "/v1/sessions/{id}/restart post",
          "/v1/sessions/{id}/mode post",
          "/v1/sessions/{id}/config post",
          "/v1/sessions/{id}/shell post",
          "/v1/sessions/{id}/processes post",
          "/v1/sessions/{id}/processes/{processId} delete",
          "/v1/sessions/{id}/runs post",
          "/v1/sessions/{id}/cancel post",
          "/v1/sessions/{id}/events get",
          "/v1/sessions/{id}/socket get",
          "/v1/sessions/{id}/elicitations get",
          "/v1/sessions/{id}/elicitations/{elicitationId} post",
          "/v1/sessions/{id}/decisions delete get",
          "/agui/{agent} post"
        ])
      expect(Object.keys(paths["/v1/sessions/{id}/events"]?.get?.responses ?? {})).toEqual(
        expect.arrayContaining(["200", "400", "401", "404", "410", "429", "503"])
      )
      expect(Object.keys(body.components as object)).toContain("schemas")
      expect(body.components).toMatchObject({ securitySchemes: { bearer: { type: "http", scheme: "bearer" } } })
      const operations = Object.entries(paths).flatMap(([path, operations]) =>
        Object.values(operations).map(({ security }) => [path, security])
      )
      expect(operations.filter(([, security]) => JSON.stringify(security) !== "[{\"bearer\":[]}]")).toEqual([[
        "/health",
        []
      ]])
      expect(paths["/v1/sessions/{id}/events"]?.get?.responses["200"]).toMatchObject({
        content: { "text/event-stream": {}, "application/x-ndjson": { schema: { type: "string" } } }
      })
      expect(JSON.stringify(body)).not.toContain("HttpApiDecodeError")
      expect((yield* request(gateway, "GET", "/docs")).text).toContain("api-reference")
    }))
})

describe("close", () => {
  it.scopedLive("ends open event streams cleanly and returns at once", () =>
    Effect.gen(function*() {
      const log = memoryLog()
      log.append(3)
      const { close, gateway } = yield* closable(log.sessions, { grace: "20 seconds" })
      const client = yield* connect(gateway)
      client.write(get(`${path}/events`))
      yield* until("the events", () => client.received().includes("id: 3"))
      // it does not wait for the grace
      expect(yield* close).toBeLessThan(10_000)
      yield* until("the end", client.closed)
      // the chunk of length 0: the end was said, it did not just stop
      expect(client.received().endsWith("0\r\n\r\n")).toBe(true)
    }))

  it.scopedLive("does not wait for keep-alive connections, slow bodies and half a head", () =>
    Effect.gen(function*() {
      const { close, gateway } = yield* closable({}, { grace: "20 seconds" })
      const idle = yield* connect(gateway)
      idle.write(get("/health"))
      yield* until("the answer", () => idle.received().includes("\"ok\""))
      const slow = yield* connect(gateway)
      slow.write(slowBody)
      const half = yield* connect(gateway)
      half.write("GET /health HTTP/1.1\r\nHo")
      // what was sent before these has been read when they are answered
      for (const _ of [1, 2, 3]) yield* request(gateway, "GET", "/health")
      // it does not wait for the grace
      expect(yield* close).toBeLessThan(10_000)
      yield* until("all connections' end", () => idle.closed() && slow.closed() && half.closed())
      expect(slow.received()).toMatch(/^HTTP\/1.1 503 [^]*retry-after: 1[^]*"Draining"/)
    }))

  it.scopedLive("lets a request finish, refuses new ones with Draining, and cuts off at the end of the grace", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const entered: Array<string> = []
      const left: Array<string> = []
      const enter = (name: string, until: Effect.Effect<void>) =>
        Effect.sync(() => entered.push(name)).pipe(
          Effect.zipRight(until),
          Effect.onExit((exit) => Effect.sync(() => left.push(`${name} ${exit._tag}`)))
        )
      const { close, gateway } = yield* closable({
        close: () => enter("finishes", Deferred.await(gate)),
        cancel: () => enter("hangs", Effect.never)
      }, { grace: "2 seconds", allowedOrigins: ["https://app.example"] })
      const keepAlive = yield* connect(gateway)
      keepAlive.write(get("/health"))
      const finishes = yield* Effect.fork(request(gateway, "DELETE", path))
      const hangs = yield* connect(gateway)
      hangs.write(`POST ${path}/cancel HTTP/1.1\r\nHost: localhost\r\n\r\n`)
      yield* until("both", () => entered.length === 2 && keepAlive.received().includes("\"ok\""))
      const closing = yield* Effect.fork(close)
      yield* until("the refusal", () => {
        if (!keepAlive.received().includes("Draining")) keepAlive.write(get("/health"))
        return keepAlive.received().includes("Draining")
      })
      expect(keepAlive.received()).toMatch(/503 Service Unavailable[^]*retry-after: 1\r\n/i)
      // a page that may call is told, too, and when to come again
      const reply = yield* request(gateway, "GET", "/v1/agents", { headers: { origin: "https://app.example" } })
      expect(reply).toMatchObject({
        status: 503,
        body: { _tag: "Draining" },
        headers: {
          "access-control-allow-origin": "https://app.example",
          "access-control-expose-headers": "retry-after"
        }
      })
      yield* Deferred.succeed(gate, undefined)
      expect((yield* Fiber.join(finishes)).status).toBe(204)
      expect(yield* Fiber.join(closing)).toBeLessThan(15_000)
      // on return nothing of a request is left: the one that hung was interrupted and awaited
      expect(left).toEqual(["finishes Success", "hangs Failure"])
    }))

  it.scopedLive("does not wait longer than the grace for a client that does not read", () =>
    Effect.gen(function*() {
      const log = memoryLog()
      log.append(20_000, "x".repeat(1000))
      const { close, gateway } = yield* closable(log.sessions, { grace: "200 millis" })
      const stuck = yield* connect(gateway)
      stuck.pause()
      stuck.write(get(`${path}/events`))
      const docs = yield* connect(gateway)
      docs.pause()
      docs.write(get("/docs"))
      yield* Effect.sleep(200)
      expect(yield* close).toBeLessThan(10_000)
    }))

  it.scopedLive("leaves no fiber, however its clients left", () =>
    Effect.gen(function*() {
      const atFirst = rootFibers()
      const log = memoryLog()
      log.append(1000)
      const slow = Effect.uninterruptible(Effect.sleep(50))
      const { close, gateway } = yield* closable({
        ...log.sessions,
        get: () => Effect.as(slow, session),
        close: () => slow,
        cancel: () => Effect.never
      })
      yield* request(gateway, "GET", "/health")
      const before = rootFibers()
      const texts = [
        get(`${path}/events`),
        get(`${path}/events?follow=false`, "Accept: application/x-ndjson"),
        get("/docs"),
        slowBody,
        `${slowBody}${" ".repeat(90)}}garbage`,
        get(path),
        get(path).replace("GET", "HEAD"),
        get(`${path}/events`).replace("GET", "HEAD"),
        `DELETE ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
        `POST ${path}/cancel HTTP/1.1\r\nHost: localhost\r\n\r\n`
      ]
      yield* Effect.forEach(texts, (text) =>
        Effect.forEach([0, 1, 5, 20, 60], (millis) =>
          Effect.scoped(Effect.gen(function*() {
            const client = yield* connect(gateway)
            client.write(text)
            yield* Effect.sleep(millis)
          }))), { concurrency: 10 })
      expect(yield* fibersBeside(before)).toBe(0)
      yield* close
      expect(yield* fibersBeside(atFirst)).toBe(0)
    }))
})
