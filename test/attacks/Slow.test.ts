/** Clients that take their time, and too many of them: each is bounded, and the others are served meanwhile. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { leakFreeFile } from "holdfast/testing/vitest"
import { execFileSync } from "node:child_process"
import * as NodeFs from "node:fs"
import * as Net from "node:net"
import { connect, get, memoryLog, request, session, start, until } from "../gateway/fixture.js"
import * as Program from "../program.js"

leakFreeFile({ grace: "5 seconds" })

const path = `/v1/sessions/${session.id}`
const slow = { headersTimeout: "1 second", requestTimeout: "2 seconds" } as const

/** Sends a byte at a time for as long as it is let. */
const drip = (client: Effect.Effect.Success<ReturnType<typeof connect>>, text: string) =>
  Effect.forEach(
    text,
    (char) => client.closed() ? Effect.void : Effect.zipRight(Effect.sync(() => client.write(char)), Effect.sleep(20)),
    {
      discard: true
    }
  )

describe("a client that takes its time", () => {
  it.scopedLive("with the head of its request is told so and cut off", () =>
    Effect.gen(function*() {
      const gateway = yield* start({}, slow)
      const clients = yield* Effect.replicateEffect(connect(gateway), 50)
      const dripping = yield* Effect.forkScoped(
        Effect.forEach(clients, (client) => drip(client, `GET /health HTTP/1.1\r\nX: ${"a".repeat(10_000)}`), {
          concurrency: "unbounded",
          discard: true
        })
      )
      expect((yield* request(gateway, "GET", "/health")).status).toBe(200)
      yield* until("the end of all", () => clients.every((client) => client.closed()), 60_000)
      for (const client of clients) expect(client.received()).toMatch(/^(HTTP\/1.1 408 [^]*"RequestTimeout"|$)/)
      yield* dripping.await
    }), 90_000)

  it.scopedLive("with the body of its request is told so and cut off", () =>
    Effect.gen(function*() {
      const gateway = yield* start({ create: () => Effect.succeed(session) }, slow)
      const clients = yield* Effect.replicateEffect(connect(gateway), 50)
      const head =
        "POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
      const dripping = yield* Effect.forkScoped(
        Effect.forEach(clients, (client) => {
          client.write(head)
          return drip(client, " ".repeat(10_000))
        }, { concurrency: "unbounded", discard: true })
      )
      expect((yield* request(gateway, "GET", "/health")).status).toBe(200)
      yield* until("the end of all", () => clients.every((client) => client.closed()), 60_000)
      for (const client of clients) expect(client.received()).not.toMatch(/^HTTP\/1.1 2/)
      yield* dripping.await
    }), 90_000)

  it.scopedLive(
    "to say anything at all is cut off, but one that was served may wait for its next request",
    () =>
      Effect.gen(function*() {
        const gateway = yield* start({}, slow)
        const silent = yield* connect(gateway)
        const served = yield* connect(gateway)
        served.write(get("/health"))
        yield* until("the answer", () => served.received().includes("\"ok\""))
        yield* until("the end of the silent one", silent.closed, 20_000)
        expect(served.closed()).toBe(false)
      }),
    60_000
  )

  it.scopedLive("to read what it asked for holds up neither the others nor the end", () =>
    Effect.gen(function*() {
      const log = memoryLog()
      log.append(5000, "x".repeat(1000))
      const gateway = yield* start({ ...log.sessions, list: () => Effect.succeed([]) })
      for (const target of ["/docs", `${path}/events`, `${path}/events?follow=false`, "/openapi.json"]) {
        for (const client of yield* Effect.replicateEffect(connect(gateway), 25)) {
          client.pause()
          client.write(get(target).repeat(3))
        }
      }
      expect((yield* request(gateway, "GET", "/v1/sessions")).status).toBe(200)
    }), 60_000)
})

describe("too many clients", () => {
  it.scopedLive(
    "are held to the limits of the configuration by the program",
    () =>
      Effect.gen(function*() {
        const folder = yield* Program.temporary
        const limits = { connections: 20, tickets: 1, eventStreams: 1, headersTimeout: 2, requestTimeout: 3 }
        NodeFs.writeFileSync(`${folder}/holdfast.json`, JSON.stringify({ limits }))
        const running = yield* Program.gateway(folder)
        const gateway = { host: "127.0.0.1", port: Number(new URL(running.url).port), url: running.url }
        const id = yield* running.open()
        expect((yield* request(gateway, "POST", "/v1/tickets")).status).toBe(201)
        expect((yield* request(gateway, "POST", "/v1/tickets")).body).toMatchObject({ what: "tickets", limit: 1 })
        const events = `/v1/sessions/${id}/events`
        const watching = yield* connect(gateway)
        watching.write(get(events))
        yield* until("the events", () => watching.received().includes("event: SessionOpened"))
        expect((yield* request(gateway, "GET", events)).body).toMatchObject({ what: "event streams", limit: 1 })
        const head =
          "POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n"
        const slow = yield* Effect.forEach(Array.from({ length: 30 }), (_, index) =>
          Effect.tap(connect(gateway), (client) =>
            Effect.sync(() =>
              client.write(index % 2 === 0 ? head : `${head}\r\n{`)
            )), { concurrency: "unbounded" })
        yield* until("the end of all", () =>
          slow.every((client) => client.closed()), 60_000)
        const told = slow.filter((client) => client.received().includes("RequestTimeout"))
        // the rest were too many
        expect(told.length).toBeGreaterThan(10)
        expect(told.length).toBeLessThan(20)
        // many bodies at once are nothing to be warned of
        expect(running.output().stderr).not.toContain("Warning")
      }),
    60_000
  )

  it.scopedLive(
    "one more than may be connected is closed at once, and served when another has left",
    () =>
      Effect.gen(function*() {
        const gateway = yield* start({}, { maxConnections: 3 })
        const known = yield* Effect.replicateEffect(connect(gateway), 2)
        yield* Effect.scoped(Effect.gen(function*() {
          known.push(yield* connect(gateway))
          for (const client of known) {
            client.write(get("/health"))
            yield* until("the answer", () => client.received().includes("\"ok\""))
          }
          const refused = yield* connect(gateway)
          refused.write(get("/health"))
          yield* until("its end", refused.closed)
          expect(refused.received()).toBe("")
        }))
        const freed = Effect.scoped(Effect.gen(function*() {
          const client = yield* connect(gateway)
          client.write(get("/health"))
          yield* until("an answer or an end", () => client.closed() || client.received() !== "")
          return client.received() !== ""
        }))
        expect(yield* Effect.repeat(freed, { until: (served) => served, times: 100 })).toBe(true)
      }),
    60_000
  )

  it.scopedLive(
    "10,000 that are connected and idle: the program answers the next one, and is free of all of them",
    () =>
      Effect.gen(function*() {
        const folder = yield* Program.temporary
        // however slowly this machine connects them, none is cut off before all are there
        const gateway = yield* Program.gateway(folder, {
          HOLDFAST_LIMITS_HEADERS_TIMEOUT: "170",
          HOLDFAST_LIMITS_REQUEST_TIMEOUT: "170"
        })
        const port = Number(new URL(gateway.url).port)
        const pid = gateway.process.pid ?? 0
        // both ends are on this machine, and each process has its own limit of files; Node raises the soft one to the hard
        const limit = Number(execFileSync("sh", ["-c", "ulimit -Hn"], { encoding: "utf8" })) || 1_000_000
        const count = Math.min(10_000, limit - 500)
        if (count < 10_000) yield* Effect.log(`only ${count} connections: this machine allows ${limit} open files`)
        const files = () => NodeFs.readdirSync(`/proc/${pid}/fd`).length
        const rss = () => Number(/VmRSS:\s+(\d+)/.exec(NodeFs.readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024
        const [filesBefore, rssBefore] = [files(), rss()]

        yield* Effect.scoped(Effect.gen(function*() {
          let answered = 0
          const connected = Effect.acquireRelease(
            Effect.async<Net.Socket, Error>((resume) => {
              const socket = Net.connect(port, "127.0.0.1", () => resume(Effect.succeed(socket)))
              socket.once("error", (error) => resume(Effect.fail(error)))
            }),
            (socket) => Effect.sync(() => socket.destroy())
          )
          yield* Effect.forEach(Array.from({ length: count }), (_, index) =>
            Effect.map(connected, (socket) => {
              socket.on("data", () => answered++)
              // a third was served, a third is in the middle of a request, a third has said nothing
              if (index % 3 === 0) socket.write("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
              if (index % 3 === 1) socket.write("GET /health HTTP/1.1\r\n")
            }), { concurrency: 200, discard: true })
          yield* until("the answers", () => answered >= count / 3, 60_000)
          yield* until("all to be accepted", () => files() - filesBefore >= count - 100, 60_000)
          const session = yield* gateway.open()
          expect((yield* gateway.prompt(session, "/stream 3")).status).toBe(202)
          expect(rss() - rssBefore).toBeLessThan(500)
        }))
        yield* until("all to be free", () => files() < filesBefore + 100, 60_000)
        expect((yield* gateway.request("GET", "/health")).status).toBe(200)
        gateway.process.kill("SIGTERM")
        expect(yield* gateway.exited).toEqual({ code: 0, signal: null })
      }),
    180_000
  )
})
