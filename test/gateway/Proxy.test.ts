import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import * as WebSocket from "ws"
import { RunId } from "../../src/domain/Ids.js"
import { connect, get, id, memoryLog, parseSse, request, session, start, until } from "./fixture.js"
import * as Nginx from "./nginx.js"

leakFreeFile({ grace: "5 seconds" })

const events = `/v1/sessions/${id}/events`
const message = (size: number) => JSON.stringify({ prompt: "x".repeat(size) })

/** Without the framing of the transfer. */
const unframed = (text: string) => text.replace(/\r\n[0-9a-f]+\r\n/g, "")

describe.skipIf(Nginx.isMissing)(Nginx.title("behind nginx"), () => {
  for (const [name, config] of Object.entries({ defaults: Nginx.defaults, documented: Nginx.documented })) {
    it.scopedLive(`SSE is live, event by event, and resumes with Last-Event-ID (${name})`, () =>
      Effect.gen(function*() {
        const log = memoryLog()
        const gateway = yield* start(log.sessions, { allowedHosts: ["holdfast.example"] })
        const proxy = yield* Nginx.before(gateway, config)
        const client = yield* connect(proxy)
        client.write(get(events, "Host: holdfast.example").replace("Host: localhost\r\n", ""))
        yield* until("the beginning", () => client.received().includes("retry: 1000"))
        // each is there before the next is made
        for (let n = 1; n <= 5; n++) {
          log.append(1)
          yield* until(`event ${n}`, () => client.received().includes(`id: ${n}\n`))
        }
        expect(client.received()).toMatch(/^content-type: text\/event-stream/im)

        log.append(5)
        const again = yield* connect(proxy)
        again.write(get(events, "Last-Event-ID: 3"))
        yield* until("the rest", () => again.received().includes("id: 10\n"))
        expect(parseSse(unframed(again.received())).map(({ id }) => id)).toEqual([4, 5, 6, 7, 8, 9, 10])
      }))

    it.scopedLive(`NDJSON is live, commands and bodies pass, refusals too (${name})`, () =>
      Effect.gen(function*() {
        const log = memoryLog()
        const prompts: Array<number> = []
        const closed: Array<string> = []
        const gateway = yield* start({
          ...log.sessions,
          prompt: (_, { content }) =>
            Effect.sync(() => ({ runId: RunId.make("run_1"), seq: prompts.push(JSON.stringify(content).length) })),
          close: (id) => Effect.sync(() => void closed.push(id))
        }, { allowedHosts: ["127.0.0.1"] })
        const proxy = yield* Nginx.before(gateway, config)
        const lines = yield* connect(proxy)
        lines.write(get(events, "Accept: application/x-ndjson"))
        for (let n = 1; n <= 3; n++) {
          log.append(1)
          yield* until(`line ${n}`, () => lines.received().includes(`{"seq":${n},`))
        }

        const runs = `/v1/sessions/${id}/runs`
        expect((yield* request(proxy, "POST", runs, { raw: message(900_000) })).status).toBe(202)
        expect(prompts[0]).toBeGreaterThan(900_000)
        expect((yield* request(proxy, "DELETE", `/v1/sessions/${id}`)).status).toBe(204)
        expect(closed).toEqual([id])
        expect(yield* request(proxy, "GET", `/v1/sessions/${id}`)).toMatchObject({ status: 200, body: session })
        expect((yield* request(proxy, "POST", runs, { json: { prompt: 1 } })).body["_tag"]).toBe("RequestInvalid")
        expect((yield* request(proxy, "GET", "/nowhere")).body["_tag"]).toBe("RouteNotFound")
        expect((yield* request(proxy, "GET", "/docs")).text).toContain("api-reference")
        expect((yield* request(proxy, "GET", "/openapi.json")).status).toBe(200)

        const tooLarge = yield* request(proxy, "POST", runs, { raw: message(1_500_000) })
        expect(tooLarge.status).toBe(413)
        // with its defaults nginx refuses it by itself
        expect(tooLarge.body["_tag"]).toBe(name === "documented" ? "BodyTooLarge" : undefined)
        expect(prompts.length).toBe(1)
      }))

    it.scopedLive(`a client that leaves frees its cursor (${name})`, () =>
      Effect.gen(function*() {
        const log = memoryLog()
        let open = 0
        const gateway = yield* start({
          ...log.sessions,
          reader: (cursor, options) =>
            Effect.zipRight(
              Effect.acquireRelease(Effect.sync(() => open++), () => Effect.sync(() => open--)),
              log.sessions.reader(cursor, options)
            )
        })
        const proxy = yield* Nginx.before(gateway, config)
        yield* Effect.scoped(Effect.gen(function*() {
          const client = yield* connect(proxy)
          client.write(get(events))
          yield* until("the stream", () => open === 1 && client.received().includes("retry"))
        }))
        yield* until("its end", () => open === 0)
      }))
  }

  it.scopedLive("heartbeats keep an idle stream through nginx's read timeout, as a stream without them is cut", () =>
    Effect.gen(function*() {
      const impatient = (port: number, upstream: string) =>
        Nginx.defaults(port, upstream).replace(";", "; proxy_read_timeout 1s;")
      const log = memoryLog()
      const quiet = yield* connect(
        yield* Nginx.before(yield* start(log.sessions, { heartbeat: "1 hour" }), impatient)
      )
      quiet.write(get(events))
      const beating = yield* connect(
        yield* Nginx.before(yield* start(log.sessions, { heartbeat: "100 millis" }), impatient)
      )
      beating.write(get(events))
      yield* until("the cut", () => quiet.closed() || quiet.received().endsWith("0\r\n\r\n"), 30_000)
      yield* until("heartbeats", () => beating.received().split(": heartbeat").length > 15, 30_000)
      log.append(1)
      yield* until("the event", () => beating.received().includes("id: 1\n"))
    }))

  it.scopedLive("Host and Origin are checked behind the proxy: its name has to be allowed", () =>
    Effect.gen(function*() {
      const status = (proxy: Parameters<typeof request>[0], headers: Record<string, string>) =>
        Effect.map(request(proxy, "GET", "/v1/agents", { headers }), ({ body, status }) => body["_tag"] ?? status)
      const named = { host: "holdfast.example" }
      const page = { ...named, origin: "http://holdfast.example" }
      const stranger = { ...named, origin: "https://evil.example" }

      const unnamed = yield* Nginx.before(yield* start({}), Nginx.documented)
      expect(yield* status(unnamed, named)).toBe("HostRefused")
      const allowed = yield* Nginx.before(yield* start({}, { allowedHosts: ["holdfast.example"] }), Nginx.documented)
      expect(yield* status(allowed, named)).toBe(200)
      expect(yield* status(allowed, page)).toBe(200)
      expect(yield* status(allowed, stranger)).toBe("OriginRefused")
      // with its defaults nginx names the gateway itself: who is no page gets through, and no page does
      const plain = yield* Nginx.before(yield* start({}), Nginx.defaults)
      expect(yield* status(plain, named)).toBe(200)
      expect(yield* status(plain, page)).toBe("OriginRefused")
    }))

  it.scopedLive("a gateway that shuts down ends the stream with its last whole event", () =>
    Effect.gen(function*() {
      const log = memoryLog()
      const own = yield* Scope.make()
      const gateway = yield* Scope.extend(start(log.sessions), own)
      const proxy = yield* Nginx.before(gateway, Nginx.documented)
      const client = yield* connect(proxy)
      client.write(get(events))
      log.append(3)
      yield* until("the events", () => client.received().includes("id: 3\n"))
      yield* Scope.close(own, Exit.void)
      // the end of a body that was sent in chunks: it was not cut off
      yield* until("the end", () => client.received().endsWith("\r\n0\r\n\r\n"))
      expect(parseSse(unframed(client.received())).map(({ id }) => id)).toEqual([1, 2, 3])
      expect((yield* request(proxy, "GET", "/health")).status).toBe(502)
    }))

  it.scopedLive("WebSockets pass with the lines of the guide", () =>
    Effect.gen(function*() {
      // of the proxy only: an echo in place of the gateway
      const echo = yield* Effect.acquireRelease(
        Effect.async<Http.Server>((resume) => {
          const server = Http.createServer()
          new WebSocket.WebSocketServer({ server }).on("connection", (socket) => {
            socket.on("message", (data) => socket.send(`echo ${String(data)}`))
          })
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) =>
          Effect.async<void>((resume) => {
            server.close(() => resume(Effect.void))
            server.closeAllConnections()
          })
      )
      const { port } = echo.address() as AddressInfo
      const upstream = { host: "127.0.0.1", port, url: `http://127.0.0.1:${port}` }
      const proxy = yield* Nginx.before(upstream, Nginx.documented)
      const received = yield* Effect.async<string, Error>((resume) => {
        const socket = new WebSocket.WebSocket(`ws://127.0.0.1:${proxy.port}/`)
        socket.on("open", () => socket.send("hello"))
        socket.on("message", (data) => {
          socket.on("close", () => resume(Effect.succeed(String(data))))
          socket.close()
        })
        socket.on("error", (error) => resume(Effect.fail(error)))
      })
      expect(received).toBe("echo hello")
    }))
})
