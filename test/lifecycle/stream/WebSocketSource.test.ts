import { describe, expect } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import * as http from "node:http"
import * as net from "node:net"
import { type WebSocket, WebSocketServer } from "ws"
import * as Backoff from "../../../src/lifecycle/stream/Backoff.js"
import * as Inbox from "../../../src/lifecycle/stream/Inbox.js"
import * as WebSocketSource from "../../../src/lifecycle/stream/WebSocketSource.js"
import * as StreamManager from "../../../src/lifecycle/StreamManager.js"

leakFreeFile()

const listening = (server: net.Server) =>
  Effect.acquireRelease(
    Effect.async<number>((resume) => {
      const sockets = new Set<net.Socket>()
      server.on("connection", (socket) => {
        sockets.add(socket)
        socket.on("error", () => {})
        socket.on("close", () => sockets.delete(socket))
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
      })
      server.once("close", () => sockets.clear())
      const close = server.close.bind(server)
      server.close = (done) => {
        for (const socket of sockets) socket.destroy()
        return close(done)
      }
    }),
    () => Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
  )

/** A WebSocket server and what it does with each peer. */
const wsServer = Effect.fnUntraced(function*(peer: (socket: WebSocket) => void = () => {}) {
  const server = http.createServer()
  const wss = new WebSocketServer({ server, maxPayload: 64 * 1024 * 1024 })
  const peers: Array<WebSocket> = []
  wss.on("connection", (socket) => {
    socket.on("error", () => {})
    peers.push(socket)
    peer(socket)
  })
  const port = yield* listening(server)
  return { url: `ws://127.0.0.1:${port}/`, peers, open: () => wss.clients.size }
})

const eventually = (what: () => boolean) =>
  Effect.sleep("5 millis").pipe(Effect.repeat({ until: what }), Effect.timeout("20 seconds"), Effect.orDie)

const all = (socket: WebSocketSource.WebSocketConnection) => {
  const frames: Array<WebSocketSource.Frame> = []
  return Effect.map(
    Effect.exit(Effect.forever(Effect.map(socket.pull, (chunk) => void frames.push(...chunk)))),
    (exit) => ({ frames, exit })
  )
}

describe("WebSocketSource", () => {
  it.scopedLive("sends and reads text and binary frames, in order", () =>
    Effect.gen(function*() {
      const { url } = yield* wsServer((socket) =>
        socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }))
      )
      const socket = yield* WebSocketSource.connect({ url })
      yield* socket.send("one")
      yield* socket.send(new Uint8Array([1, 2, 3]))
      const frames: Array<WebSocketSource.Frame> = []
      while (frames.length < 2) frames.push(...yield* socket.pull)
      expect(frames[0]).toBe("one")
      expect(Array.from(frames[1] as Uint8Array)).toStrictEqual([1, 2, 3])
    }))

  it.scopedLive("sends the headers and the protocol that it was given", () =>
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      const server = http.createServer()
      const wss = new WebSocketServer({ server, handleProtocols: () => "v2" })
      wss.on("connection", (_socket, request) => seen.push(request.headers.authorization))
      const port = yield* listening(server)
      const socket = yield* WebSocketSource.connect({
        url: `ws://127.0.0.1:${port}/`,
        protocols: ["v1", "v2"],
        headers: { authorization: "Bearer secret" }
      })
      expect(seen).toStrictEqual(["Bearer secret"])
      expect(socket.protocol).toBe("v2")
    }))

  describe("SM6", () => {
    it.scopedLive("SM6 1000, 1001 and no code are ends, after the last frame", () =>
      Effect.gen(function*() {
        for (const [code, told] of [[1000, 1000], [1001, 1001], [undefined, 1005]] as const) {
          const { url } = yield* wsServer((socket) => {
            socket.send("last")
            socket.close(code, code === undefined ? undefined : "bye")
          })
          const socket = yield* WebSocketSource.connect({ url })
          const { exit, frames } = yield* all(socket)
          expect(frames).toStrictEqual(["last"])
          expect(exit).toStrictEqual(Exit.fail(Option.none()))
          expect(yield* socket.closed).toStrictEqual({
            code: told,
            message: `${url} closed the connection (${told}${code === undefined ? "" : ": bye"})`
          })
        }
      }))

    it.scopedLive("SM6 every other code is an error that has it, and a cut is one, too", () =>
      Effect.gen(function*() {
        for (const code of [1008, 1011, 4000]) {
          const { url } = yield* wsServer((socket) => socket.close(code, "no"))
          const socket = yield* WebSocketSource.connect({ url })
          const { exit } = yield* all(socket)
          expect(Exit.isFailure(exit) ? yield* Effect.flip(socket.closed) : undefined).toMatchObject({
            _tag: "WebSocketError",
            reason: "Closed",
            code,
            message: `${url} closed the connection (${code}: no)`
          })
        }
        const { url } = yield* wsServer((socket) => socket.terminate())
        const socket = yield* WebSocketSource.connect({ url })
        yield* all(socket)
        expect(yield* Effect.flip(socket.closed)).toMatchObject({ reason: "Cut", code: 1006 })
      }))

    it.scopedLive("SM6 a connection that is cut in the middle of a frame gives what was whole, and then the error", () =>
      Effect.gen(function*() {
        const server = http.createServer()
        const wss = new WebSocketServer({ server })
        wss.on("connection", (socket, request) => {
          socket.on("error", () => {})
          socket.send("whole", () => {
            // a text frame of ten bytes, of which three come
            request.socket.write(Buffer.from([0x81, 10, 104, 97, 108]), () => request.socket.destroy())
          })
        })
        const port = yield* listening(server)
        const socket = yield* WebSocketSource.connect({ url: `ws://127.0.0.1:${port}/` })
        const { frames } = yield* all(socket)
        expect(frames).toStrictEqual(["whole"])
        expect(yield* Effect.flip(socket.closed)).toMatchObject({ reason: "Cut" })
      }))

    it.scopedLive("SM6 what breaks the protocol, or is too large, is told as that", () =>
      Effect.gen(function*() {
        const large = yield* wsServer((socket) => socket.send("x".repeat(2000)))
        const socket = yield* WebSocketSource.connect({ url: large.url, maxFrame: 1000 })
        yield* all(socket)
        expect(yield* Effect.flip(socket.closed)).toMatchObject({ reason: "Invalid" })
      }))
  })

  describe("dials", () => {
    const dial = (options: WebSocketSource.Options) => Effect.flip(Effect.scoped(WebSocketSource.connect(options)))

    it.scopedLive("that fail say why: nobody there, a bad address, another answer than an upgrade", () =>
      Effect.gen(function*() {
        expect(yield* dial({ url: "ws://127.0.0.1:1/" })).toMatchObject({ reason: "Unreachable" })
        expect(yield* dial({ url: "no url" })).toMatchObject({ reason: "Unreachable" })
        const server = http.createServer()
        server.on("upgrade", (_request, socket) => {
          const body = `{"error":"instance no longer exists at this port"}`
          socket.end(`HTTP/1.1 404 Not Found\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
        })
        const port = yield* listening(server)
        expect(yield* dial({ url: `ws://127.0.0.1:${port}/` })).toMatchObject({
          reason: "Refused",
          status: 404,
          message: expect.stringContaining("instance no longer exists")
        })
      }))

    it.scopedLive("SM2 that never end are bounded, and are gone when they are interrupted", () =>
      Effect.gen(function*() {
        const sockets: Array<net.Socket> = []
        const server = net.createServer((socket) => sockets.push(socket.resume()))
        const url = `ws://127.0.0.1:${yield* listening(server)}/`
        expect(yield* dial({ url, handshakeTimeout: "50 millis" })).toMatchObject({ reason: "TimedOut" })
        const dialing = yield* Effect.fork(dial({ url }))
        yield* eventually(() => sockets.length === 2)
        yield* Fiber.interrupt(dialing)
        yield* eventually(() => sockets.every((socket) => socket.destroyed || socket.readableEnded))
      }))
  })

  describe("SM8", () => {
    it.scopedLive("SM8 what nobody pulls stays with the peer, and nothing of it is lost", () =>
      Effect.gen(function*() {
        const frame = "x".repeat(64 * 1024)
        let written = 0
        const { peers, url } = yield* wsServer((socket) => {
          for (let i = 0; i < 500; i++) socket.send(frame, () => written++)
        })
        const socket = yield* WebSocketSource.connect({ url, readBuffer: 256 * 1024 })
        yield* Effect.sleep("200 millis")
        // 32 MB; the kernel's buffers take a part
        expect(peers[0]!.bufferedAmount).toBeGreaterThan(10 * 1024 * 1024)
        expect(written).toBeLessThan(400)
        let read = 0
        while (read < 500) read += Chunk.size(yield* socket.pull)
        expect(read).toBe(500)
      }))

    it.scopedLive("SM8 send waits while the peer does not read, and holds no more than its bound", () =>
      Effect.gen(function*() {
        const { peers, url } = yield* wsServer((socket) => socket.pause())
        const socket = yield* WebSocketSource.connect({ url, writeBuffer: 256 * 1024 })
        const frame = "x".repeat(64 * 1024)
        let sent = 0
        const sending = yield* Effect.fork(
          Effect.repeatN(Effect.zipRight(socket.send(frame), Effect.sync(() => void sent++)), 499)
        )
        let before = -1
        yield* Effect.repeat(Effect.sleep("100 millis"), { until: () => before === (before = sent) })
        expect(before).toBeLessThan(400)
        // several senders are served in their turn
        const late = yield* Effect.fork(socket.send("late"))
        let received = 0
        peers[0]!.on("message", () => received++)
        peers[0]!.resume()
        yield* Fiber.join(sending)
        yield* Fiber.join(late)
        yield* eventually(() => received === 501)
      }))

    it.scopedLive("SM9 a send that waits fails when the connection ends, and so does a ping and whatever comes later", () =>
      Effect.gen(function*() {
        const { peers, url } = yield* wsServer((socket) => socket.pause())
        const socket = yield* WebSocketSource.connect({ url, writeBuffer: 1024 })
        const frame = "x".repeat(1024 * 1024)
        const sending = yield* Effect.fork(Effect.flip(Effect.forever(socket.send(frame))))
        const pinging = yield* Effect.fork(Effect.flip(socket.ping))
        yield* Effect.sleep("50 millis")
        peers[0]!.terminate()
        expect(yield* Fiber.join(sending)).toMatchObject({ _tag: "WebSocketError" })
        expect(yield* Fiber.join(pinging)).toMatchObject({ _tag: "WebSocketError" })
        expect(yield* Effect.flip(socket.send("late"))).toMatchObject({ _tag: "WebSocketError" })
        expect(yield* Effect.flip(socket.ping)).toMatchObject({ _tag: "WebSocketError" })
      }))
  })

  describe("closing", () => {
    const open = Effect.fnUntraced(function*(options: WebSocketSource.Options) {
      const scope = yield* Scope.make()
      const socket = yield* Scope.extend(WebSocketSource.connect(options), scope)
      return { socket, close: Effect.timed(Scope.close(scope, Exit.void)) }
    })

    it.scopedLive("SM1 says goodbye and waits for the peer's", () =>
      Effect.gen(function*() {
        const codes: Array<number> = []
        const { open: clients, url } = yield* wsServer((socket) => socket.on("close", (code) => codes.push(code)))
        const { close } = yield* open({ url })
        yield* close
        yield* eventually(() => clients() === 0)
        expect(codes).toStrictEqual([1000])
      }))

    it.scopedLive("SM1 cuts a peer that does not answer: it is gone, it does not read, or it never stops to talk", () =>
      Effect.gen(function*() {
        const half = yield* halfOpen
        const deaf = yield* wsServer((socket) => socket.pause())
        const loud = yield* wsServer((socket) => {
          const talk = () => {
            if (socket.readyState === socket.OPEN) socket.send("x".repeat(64 * 1024), talk)
          }
          talk()
          talk()
        })
        for (const { url } of [half, deaf, loud]) {
          const { close, socket } = yield* open({ url, closeTimeout: "100 millis" })
          yield* Effect.sleep("50 millis")
          const [took] = yield* close
          expect(took.pipe((duration) => Number(duration.value._tag === "Millis" ? duration.value.millis : 0)))
            .toBeLessThan(2000)
          expect((yield* Effect.exit(socket.send("late")))._tag).toBe("Failure")
        }
      }))

    /** Shakes hands and then neither reads nor says anything, not even that it closes. */
    const halfOpen = Effect.gen(function*() {
      const server = http.createServer()
      const wss = new WebSocketServer({ noServer: true })
      server.on("upgrade", (request, socket, head) =>
        wss.handleUpgrade(request, socket, head, () => {
          socket.removeAllListeners("data")
          socket.pause()
        }))
      return { url: `ws://127.0.0.1:${yield* listening(server)}/` }
    })

    it.scopedLive("SM7 a half-open peer is found by its silence, and dialed again", () =>
      Effect.gen(function*() {
        const half = yield* halfOpen
        const alive = yield* wsServer()
        const streams = yield* StreamManager.make
        const ends: Array<StreamManager.End<WebSocketSource.WebSocketError>> = []
        const handle = yield* streams.attach("a", {
          connect: Effect.suspend(() =>
            WebSocketSource.connect({ url: ends.length === 0 ? half.url : alive.url, closeTimeout: "50 millis" })
          ),
          run: (socket, heartbeat) => Inbox.drain(socket.pull, { heartbeat, handle: () => Effect.void }),
          idle: "1 second",
          probe: { every: "300 millis", send: (socket) => socket.ping },
          redial: Backoff.make({ base: "10 millis" }),
          onEnd: (end) => Effect.sync(() => void ends.push(end))
        })
        yield* handle.ready
        yield* eventually(() => ends.length === 1)
        expect(ends[0]).toMatchObject({ reason: "Silent", connected: true })
        yield* handle.ready
        // the pongs of a quiet peer are signs of life
        yield* Effect.sleep("1400 millis")
        expect(ends).toHaveLength(1)
        yield* streams.detach("a")
        yield* eventually(() => alive.open() === 0)
      }))
  })

  it.scopedLive("a stream over it: messages, a burst before a cut, requests over each connection, and a detach", () =>
    Effect.gen(function*() {
      let dials = 0
      const { open, url } = yield* wsServer((socket) => {
        const dial = ++dials
        for (let i = 0; i < 100; i++) socket.send(`${dial}.${i}`)
        if (dial === 1) setTimeout(() => socket.terminate(), 20)
      })
      const streams = yield* StreamManager.make
      const handled: Array<WebSocketSource.Frame> = []
      const done = yield* Deferred.make<void>()
      yield* streams.attach("a", {
        connect: WebSocketSource.connect({ url }),
        run: (socket, heartbeat) =>
          Effect.zipRight(
            Inbox.drain(socket.pull, {
              heartbeat,
              capacity: 4,
              handle: (frame) =>
                Effect.zipRight(
                  Effect.sync(() => void handled.push(frame)),
                  handled.length >= 199 ? Deferred.succeed(done, void 0) : Effect.yieldNow()
                )
            }),
            socket.closed
          ),
        redial: Backoff.make({ base: "10 millis" })
      })
      yield* Deferred.await(done)
      expect(handled).toStrictEqual(
        [1, 2].flatMap((dial) => Array.from({ length: 100 }, (_, index) => `${dial}.${index}`))
      )
      yield* streams.detach("a")
      yield* eventually(() => open() === 0)
    }))
})
