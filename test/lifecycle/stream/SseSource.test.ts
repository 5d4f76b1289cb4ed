import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { describe, expect } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Ref from "effect/Ref"
import * as Scope from "effect/Scope"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import * as diagnostics from "node:diagnostics_channel"
import * as http from "node:http"
import * as net from "node:net"
import type { Socket } from "node:net"
import { TLSSocket } from "node:tls"
import * as Backoff from "../../../src/lifecycle/stream/Backoff.js"
import * as Inbox from "../../../src/lifecycle/stream/Inbox.js"
import * as SseSource from "../../../src/lifecycle/stream/SseSource.js"
import * as StreamManager from "../../../src/lifecycle/StreamManager.js"

leakFreeFile()

interface Answer {
  readonly request: http.IncomingMessage
  readonly response: http.ServerResponse
  /** How many answers there were, this one included. */
  readonly number: number
}

/** A server of event streams. */
const server = Effect.fnUntraced(function*(answer: (answer: Answer) => void) {
  const sockets = new Set<Socket>()
  const asked: Array<string | undefined> = []
  const node = http.createServer((request, response) => {
    asked.push(request.headers["last-event-id"]?.toString())
    answer({ request, response, number: asked.length })
  })
  node.on("connection", (socket) => {
    sockets.add(socket)
    socket.on("close", () => sockets.delete(socket))
  })
  yield* Effect.acquireRelease(
    Effect.async<void>((resume) => void node.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () =>
      Effect.async<void>((resume) => {
        for (const socket of sockets) socket.destroy()
        node.close(() => resume(Effect.void))
      })
  )
  const address = node.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return { request: HttpClientRequest.get(`http://127.0.0.1:${port}/events`), asked, sockets }
})

const events = (response: http.ServerResponse) => {
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" })
  return response
}

/** Both ends of those that are in this process. */
const connections = () => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length

const isOpen = (handle: unknown) => handle instanceof TLSSocket
const tlsSockets = () => {
  const handles: unknown = Reflect.get(process, "_getActiveHandles")
  return typeof handles === "function" ? Reflect.apply(handles, process, []).filter(isOpen).length : -1
}

const eventually = (what: () => boolean) =>
  Effect.sleep("5 millis").pipe(Effect.repeat({ until: what }), Effect.timeout("20 seconds"), Effect.orDie)

const all = (connection: SseSource.SseConnection) => {
  const seen: Array<SseSource.SseEvent> = []
  return Effect.map(
    Effect.exit(Effect.forever(Effect.map(connection.pull, (chunk) => void seen.push(...chunk)))),
    (exit) => ({ seen, exit })
  )
}

describe("SseSource", () => {
  it.scopedLive("reads events, however they are cut into pieces, and ends with the answer", () =>
    Effect.gen(function*() {
      const bytes = Buffer.from(
        "\uFEFFid: 1\ndata: größer\n\n: a comment\n\nevent: step\nid: 2\ndata: a\ndata: b\n\ndata: torn"
      )
      const { request } = yield* server(({ response }) => {
        events(response)
        const write = (index: number): void => {
          if (index === bytes.length) return void response.end()
          response.write(bytes.subarray(index, index + 1), () => setImmediate(write, index + 1))
        }
        write(0)
      })
      const source = yield* SseSource.make({ request })
      const { exit, seen } = yield* all(yield* source.connect)
      expect(seen).toMatchObject([
        { event: "message", id: "1", data: "größer" },
        { event: "step", id: "2", data: "a\nb" }
      ])
      expect(exit).toStrictEqual(Exit.fail(Option.none()))
    }))

  it.scopedLive("a comment is a sign of life and no event", () =>
    Effect.gen(function*() {
      const { request } = yield* server(({ response }) => void events(response).write(": ping\n\n"))
      const source = yield* SseSource.make({ request })
      const { pull } = yield* source.connect
      expect(Array.from(yield* pull)).toStrictEqual([])
    }))

  it.scopedLive("fails when nobody is there, the answer is another one, it breaks off or an event is too large", () =>
    Effect.gen(function*() {
      const dial = (request: HttpClientRequest.HttpClientRequest) =>
        Effect.flatMap(
          SseSource.make({ request, maxEvent: 100 }),
          (source) => Effect.scoped(Effect.flatMap(source.connect, all))
        )
      expect(yield* Effect.flip(dial(HttpClientRequest.get("http://127.0.0.1:1/")))).toMatchObject({
        reason: "Unreachable"
      })
      const kinds = yield* server(({ number, response }) => {
        if (number === 1) response.writeHead(503).end("later")
        else if (number === 2) response.writeHead(200, { "content-type": "text/html" }).end("<p>")
        else if (number === 3) events(response).write("data: whole\n\ndata: to", () => response.destroy())
        else events(response).write(`data: whole\n\ndata: ${"x".repeat(200)}`)
      })
      expect(yield* Effect.flip(dial(kinds.request))).toMatchObject({ reason: "Refused", status: 503 })
      expect(yield* Effect.flip(dial(kinds.request))).toMatchObject({
        reason: "Refused",
        message: expect.stringContaining("text/html")
      })
      const reasonOf = (exit: Exit.Exit<never, Option.Option<SseSource.SseError>>) =>
        Effect.map(Effect.flip(exit), Option.map(({ reason }) => reason))
      for (const reason of ["Cut", "TooLarge"] as const) {
        const { exit, seen } = yield* dial(kinds.request)
        // what was whole is not lost
        expect(seen.map(({ data }) => data)).toStrictEqual(["whole"])
        expect(yield* reasonOf(exit)).toStrictEqual(Option.some(reason))
      }
    }))

  it.scopedLive("tells why it was refused, and where a redirect points, which it does not follow", () =>
    Effect.gen(function*() {
      const { asked, request } = yield* server(({ number, response }) => {
        if (number === 1) response.writeHead(302, { location: "http://127.0.0.1:1/" }).end()
        else if (number === 2) response.writeHead(500).end(`it broke ${"x".repeat(5000)}`)
        // a body that never ends
        else response.writeHead(404).write("there is no")
      })
      const refusal = Effect.flip(
        Effect.flatMap(SseSource.make({ request }), (source) => Effect.scoped(source.connect))
      )
      expect(yield* refusal).toMatchObject({ reason: "Refused", status: 302, location: "http://127.0.0.1:1/" })
      expect(asked).toHaveLength(1)
      const broken = yield* refusal
      expect(broken).toMatchObject({
        reason: "Refused",
        status: 500,
        body: expect.stringMatching(/^it broke x{1015}$/)
      })
      expect(yield* refusal).toMatchObject({ reason: "Refused", status: 404, body: "there is no" })
    }))

  it.scopedLive("takes a burst of short events in one piece in time that grows with it, and not with its square", () =>
    Effect.gen(function*() {
      const burst = "data: x\n\n".repeat(600_000)
      const { request } = yield* server(({ response }) => void events(response).end(burst))
      const source = yield* SseSource.make({ request })
      const { seen } = yield* all(yield* source.connect)
      expect(seen).toHaveLength(600_000)
    }))

  it.scopedLive("begins again after what was handled, and not after what was only sent", () =>
    Effect.gen(function*() {
      const { asked, request } = yield* server(({ response }) =>
        void events(response).write("id: 1\ndata: a\n\nid: 2\ndata: b\n\n")
      )
      const source = yield* SseSource.make({ request, after: "0" })
      yield* Effect.scoped(Effect.gen(function*() {
        const { pull } = yield* source.connect
        yield* pull
      }))
      expect(asked).toStrictEqual(["0"])
      yield* Effect.scoped(Effect.gen(function*() {
        const { pull } = yield* source.connect
        yield* pull
        // who comes back for more has handled what there was
        const waiting = yield* Effect.fork(pull)
        yield* Effect.sleep("20 millis")
        yield* Fiber.interrupt(waiting)
      }))
      expect(asked).toStrictEqual(["0", "0"])
      yield* Effect.scoped(source.connect)
      expect(asked).toStrictEqual(["0", "0", "2"])
      yield* Ref.set(source.position, Option.none())
      yield* Effect.scoped(source.connect)
      expect(asked.at(-1)).toBeUndefined()
    }))

  it.scopedLive("names a host as its address does: with a port that is not the protocol's own, and without one that is", () =>
    Effect.gen(function*() {
      const named: Array<unknown> = []
      const onStart = (message: unknown) => {
        if (Predicate.hasProperty(message, "request") && message.request instanceof http.ClientRequest) {
          named.push(message.request.getHeader("host"))
        }
      }
      yield* Effect.acquireRelease(
        Effect.sync(() => diagnostics.subscribe("http.client.request.start", onStart)),
        () => Effect.sync(() => diagnostics.unsubscribe("http.client.request.start", onStart))
      )
      for (const address of ["http://127.0.0.1", "http://[::1]", "http://127.0.0.1:9", "https://127.0.0.1"]) {
        const source = yield* SseSource.make({ request: HttpClientRequest.get(`${address}/events`) })
        yield* Effect.exit(Effect.scoped(Effect.timeout(source.connect, "5 seconds")))
      }
      expect(named).toEqual(["127.0.0.1", "[::1]", "127.0.0.1:9", "127.0.0.1"])
    }))

  it.scopedLive("SM1 closing its scope aborts the request, also one that has no answer yet", () =>
    Effect.gen(function*() {
      const { request, sockets } = yield* server(({ number, response }) => {
        if (number === 1) events(response).write(": hello\n\n")
      })
      const source = yield* SseSource.make({ request })
      const scope = yield* Scope.make()
      const { pull } = yield* Scope.extend(source.connect, scope)
      yield* pull
      const waiting = yield* Effect.fork(Effect.exit(pull))
      const open = connections()
      yield* Scope.close(scope, Exit.void)
      expect(connections()).toBe(open - 1)
      yield* Fiber.interrupt(waiting)
      yield* eventually(() => sockets.size === 0)
      const dialing = yield* Effect.fork(Effect.scoped(source.connect))
      yield* eventually(() => sockets.size === 1)
      yield* Fiber.interrupt(dialing)
      yield* eventually(() => sockets.size === 0)
    }))

  it.scopedLive("SM1 over TLS, too, and in the very instant in which it begins", () =>
    Effect.gen(function*() {
      const peers = new Set<Socket>()
      // one that accepts and says nothing
      const peer = net.createServer((socket) => void peers.add(socket.on("error", () => {}).resume()))
      yield* Effect.acquireRelease(
        Effect.async<void>((resume) => void peer.listen(0, "127.0.0.1", () => resume(Effect.void))),
        () =>
          Effect.async<void>((resume) => {
            for (const socket of peers) socket.destroy()
            peer.close(() => resume(Effect.void))
          })
      )
      const address = peer.address()
      const port = typeof address === "object" ? address?.port : ""
      const source = yield* SseSource.make({ request: HttpClientRequest.get(`https://127.0.0.1:${port}/events`) })
      for (let steps = 0; steps < 12; steps++) {
        const dialing = yield* Effect.fork(Effect.scoped(source.connect))
        yield* Effect.yieldNow().pipe(Effect.repeatN(steps))
        yield* Fiber.interrupt(dialing)
        expect(tlsSockets(), `after ${steps} steps`).toBe(0)
      }
    }))

  it.scopedLive("SM8 what nobody pulls stays with the peer, and comes when it is pulled", () =>
    Effect.gen(function*() {
      const count = 4000
      let written = 0
      const { request } = yield* server(({ response }) => {
        events(response)
        const write = (): void => {
          while (written < count) {
            if (!response.write(`data: ${String(written++).padStart(10_000)}\n\n`)) {
              return void response.once("drain", write)
            }
          }
          response.end()
        }
        write()
      })
      const source = yield* SseSource.make({ request })
      const connection = yield* source.connect
      yield* connection.pull
      // the peer writes until it may no more, and then no more for as long as nobody pulls
      let before = -1
      yield* Effect.repeat(Effect.sleep("100 millis"), {
        until: () => {
          const still = written === before
          before = written
          return still
        }
      })
      expect(written).toBeLessThan(count)
      const { exit, seen } = yield* all(connection)
      expect(exit).toStrictEqual(Exit.fail(Option.none()))
      expect(Number(seen.at(-1)?.data)).toBe(count - 1)
    }))

  it.scopedLive("a stream over it goes on where it was, as late as the server asks, and finds a silent one", () =>
    Effect.gen(function*() {
      const { asked, request } = yield* server(({ number, response }) => {
        events(response)
        if (number === 1) response.end("retry: 200\nid: 1\ndata: a\n\n")
        else if (number === 2) response.write("id: 2\ndata: b\n\n", () => response.destroy())
        else if (number === 3) response.write(": nothing but this\n\n")
        else response.write("id: 3\ndata: c\n\n")
      })
      const source = yield* SseSource.make({ request })
      const streams = yield* StreamManager.make
      const handled: Array<string> = []
      const ends: Array<string> = []
      const delays: Array<number> = []
      const handle = yield* streams.attach("a", {
        connect: source.connect,
        run: (connection, heartbeat) =>
          Inbox.drain(connection.pull, {
            heartbeat,
            handle: ({ data }) => Effect.sync(() => void handled.push(data))
          }),
        idle: "1 second",
        redial: Backoff.make({ base: "1 millis" }),
        redialAfter: Effect.tap(source.retry, (retry) => Effect.sync(() => delays.push(Duration.toMillis(retry)))),
        onEnd: ({ reason }) => Effect.sync(() => void ends.push(reason))
      })
      yield* eventually(() => handled.length === 3)
      expect(handled).toStrictEqual(["a", "b", "c"])
      expect(asked).toStrictEqual([undefined, "1", "2", "2"])
      expect(ends).toStrictEqual(["Clean", "Failed", "Silent"])
      expect(delays).toStrictEqual([200, 200, 200])
      expect(Option.isSome(yield* handle.current)).toBe(true)
      yield* streams.detach("a")
    }))
})
