import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HashMap from "effect/HashMap"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/TestClock"
import * as Tracer from "effect/Tracer"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as Credentials from "../../src/gateway/Credentials.js"
import type { Gateway } from "../../src/gateway/Gateway.js"
import { connect, get, id, memoryLog, parseSse, request, start, until } from "./fixture.js"
import { connected, open, path } from "./socket/client.js"

leakFreeFile()

const authorization = "Bearer s3cret"
const events = `/v1/sessions/${id}/events`

const log = memoryLog()
log.append(3)
const guarded = start(log.sessions, { token: Redacted.make("s3cret") })

const issue = (gateway: Gateway["Type"]) =>
  Effect.map(
    request(gateway, "POST", "/v1/tickets", { headers: { authorization } }),
    ({ body }) => String(body.ticket)
  )

/** Status and tag of a `GET`; a stream that opens is left at once. */
const outcome = (gateway: Gateway["Type"], to: string, ...headers: ReadonlyArray<string>) =>
  Effect.scoped(Effect.gen(function*() {
    const client = yield* connect(gateway)
    client.write(get(to, "Connection: close", ...headers))
    yield* until("an answer", () => /\r\n\r\n./s.test(client.received()))
    const status = Number(/^HTTP\/1.1 (\d+)/.exec(client.received())?.[1])
    return [status, /"_tag":"(\w+)"/.exec(client.received())?.[1]] as const
  }))

describe("tickets", () => {
  it.effect("a ticket is good once, within 30 seconds, and tells nothing of another", () =>
    Effect.gen(function*() {
      const tickets = Credentials.makeTickets(10)
      const first = yield* tickets.issue
      expect(first.expiresAt).toBe("1970-01-01T00:00:30.000Z")
      // 256 bits
      expect(Buffer.from(first.ticket, "base64url").length).toBe(32)
      const second = yield* tickets.issue
      expect(second.ticket).not.toBe(first.ticket)
      expect(yield* tickets.redeem(first.ticket)).toBe(true)
      expect(yield* tickets.redeem(first.ticket)).toBe(false)
      yield* TestClock.adjust("29 seconds")
      expect(yield* tickets.redeem(second.ticket)).toBe(true)
      const third = yield* tickets.issue
      yield* TestClock.adjust("30 seconds")
      expect(yield* tickets.redeem(third.ticket)).toBe(false)
      for (const wrong of ["", "x", `${first.ticket}=`]) expect(yield* tickets.redeem(wrong)).toBe(false)
    }))

  it.effect("a bounded number waits to be used; what is used or expired makes room", () =>
    Effect.gen(function*() {
      const tickets = Credentials.makeTickets(2)
      const { ticket } = yield* tickets.issue
      yield* TestClock.adjust("10 seconds")
      yield* tickets.issue
      expect(yield* Effect.flip(tickets.issue)).toMatchObject({ _tag: "LimitReached", what: "tickets", limit: 2 })
      yield* tickets.redeem(ticket)
      yield* tickets.issue
      expect(yield* Effect.flip(tickets.issue)).toMatchObject({ _tag: "LimitReached" })
      yield* TestClock.adjust("30 seconds")
      yield* tickets.issue
    }))

  it.scopedLive("it takes the token to get one, and one opens one stream or socket", () =>
    Effect.gen(function*() {
      const gateway = yield* guarded
      expect(yield* request(gateway, "POST", "/v1/tickets")).toMatchObject({ status: 401 })
      const issued = yield* request(gateway, "POST", "/v1/tickets", { headers: { authorization } })
      expect(issued).toMatchObject({ status: 201, body: { ticket: expect.any(String), expiresAt: expect.any(String) } })

      const stream = yield* connect(gateway)
      stream.write(get(`${events}?after=1&ticket=${issued.body.ticket}`))
      yield* until("the events", () => stream.received().includes("id: 3\n"))
      expect(parseSse(stream.received().replace(/\r\n[0-9a-f]+\r\n/g, "")).map(({ id }) => id)).toEqual([2, 3])
      expect(yield* outcome(gateway, `${events}?ticket=${issued.body.ticket}`)).toEqual([401, "Unauthorized"])

      const ticket = yield* issue(gateway)
      const socket = yield* connected(gateway, `${path}?ticket=${ticket}&after=2`)
      yield* until("the event", () => socket.texts.length === 1)
      const again = yield* open(gateway, `${path}?ticket=${ticket}`)
      yield* until("the refusal", () => again.refusal()?.status === 401)
      // the token in a header, as clients that can send one do
      const own = yield* connected(gateway, path, { headers: { authorization } })
      yield* until("its events", () => own.texts.length === 3)
    }))

  it.scopedLive("it opens nothing else", () =>
    Effect.gen(function*() {
      const gateway = yield* guarded
      const ticket = yield* issue(gateway)
      const others = [
        "/v1/sessions",
        `/v1/sessions/${id}`,
        `/v1/sessions/${id}/elicitations`,
        "/v1/agents",
        "/docs",
        "/",
        `/v1/sessions/${id}/events/`,
        `/x/v1/sessions/${id}/events`
      ]
      for (const other of others) {
        expect(yield* outcome(gateway, `${other}?ticket=${ticket}`)).toEqual([401, "Unauthorized"])
      }
      for (const method of ["POST", "DELETE", "OPTIONS", "PUT"]) {
        expect((yield* request(gateway, method, `${events}?ticket=${ticket}`)).status).toBe(401)
        expect((yield* request(gateway, method, `/v1/tickets?ticket=${ticket}`)).status).toBe(401)
      }
      const origin = { origin: "https://evil.example" }
      expect((yield* request(gateway, "GET", `${events}?ticket=${ticket}`, { headers: origin })).status).toBe(403)
      // none of that has spent it
      expect((yield* outcome(gateway, `${events}?ticket=${ticket}`))[0]).toBe(200)
    }))

  it.scopedLive("without a token nobody needs one, and one does no harm", () =>
    Effect.gen(function*() {
      const gateway = yield* start(log.sessions)
      const { body, status } = yield* request(gateway, "POST", "/v1/tickets")
      expect(status).toBe(201)
      expect((yield* outcome(gateway, `${events}?ticket=${body.ticket}`))[0]).toBe(200)
      yield* connected(gateway, `${path}?ticket=whatever`)
    }))
})

describe("a token in a URL", () => {
  const query = ["token=s3cret", "access_token=s3cret", "after=1&token=s3cret", "t%6Fken=s3cret", "token"]

  it.scopedLive(
    "is refused, also beside the right header, and with or without a token to be right",
    () =>
      Effect.gen(function*() {
        for (const gateway of [yield* guarded, yield* start(log.sessions)]) {
          for (const each of query) {
            for (const to of [events, path, "/v1/agents", "/docs"]) {
              expect(yield* outcome(gateway, `${to}?${each}`)).toEqual([400, "TokenInQuery"])
              expect(yield* outcome(gateway, `${to}?${each}`, `Authorization: ${authorization}`)).toEqual(
                [400, "TokenInQuery"]
              )
            }
          }
        }
      }),
    60_000
  )

  it.scopedLive("is never logged or traced, nor is a ticket", () =>
    Effect.gen(function*() {
      const told: Array<unknown> = []
      const traced: Array<string> = []
      const tracer = Tracer.make({
        span: (name, parent, context, links, startTime, kind): Tracer.Span => {
          traced.push(name)
          const span = { _tag: "Span" as const, name, parent, context, kind, spanId: "1", traceId: "1", sampled: true }
          return {
            ...span,
            links,
            status: { _tag: "Started", startTime },
            attributes: new Map(),
            attribute: (key, value) => void told.push(key, value),
            event: (event, _, attributes) => void told.push(event, attributes),
            addLinks: () => {},
            // of an exit its failure is told: what a request was answered is in no trace
            end: (_, exit) => void told.push(Exit.isFailure(exit) ? exit.cause : undefined)
          }
        },
        context: (f) => f()
      })
      const logger = Logger.make(({ annotations, cause, message }) =>
        void told.push(message, cause, ...HashMap.values(annotations))
      )
      const gateway = yield* guarded.pipe(
        Effect.withTracer(tracer),
        Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
        Logger.withMinimumLogLevel(LogLevel.All)
      )
      const ticket = yield* issue(gateway)
      for (const each of query) yield* outcome(gateway, `${events}?${each}`)
      yield* outcome(gateway, `/nowhere?token=s3cret&ticket=${ticket}`)
      expect((yield* outcome(gateway, `${events}?ticket=${ticket}`))[0]).toBe(200)
      yield* until("all spans", () => traced.length >= 8)
      const all = JSON.stringify(told)
      expect(all).toContain("/events")
      expect(all).not.toContain("s3cret")
      expect(all).not.toContain(ticket)
    }))
})
