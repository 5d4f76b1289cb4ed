import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { FaultyNetwork } from "holdfast/testing"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as Net from "node:net"
import { until } from "../gateway/fixture.js"

leakFreeFile()

/** A server that sends back what it gets, after a name of its own. */
const echo = (name: string) =>
  Effect.acquireRelease(
    Effect.async<{ readonly port: number; readonly close: () => void; readonly sockets: Set<Net.Socket> }>((resume) => {
      const sockets = new Set<Net.Socket>()
      const server = Net.createServer({ allowHalfOpen: true }, (socket) => {
        sockets.add(socket)
        socket.write(name)
        socket.on("error", () => {}).on("close", () => sockets.delete(socket)).pipe(socket)
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as Net.AddressInfo
        resume(Effect.succeed({ port, close: () => void server.close(), sockets }))
      })
    }),
    ({ close, sockets }) =>
      Effect.sync(() => {
        close()
        for (const socket of sockets) socket.destroy()
      })
  )

const connect = (port: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const socket = Net.connect(port, "127.0.0.1")
      let text = ""
      let error: string | undefined
      socket.setEncoding("utf8").on("data", (piece: string) => text += piece)
      socket.on("error", (cause) => error = "code" in cause ? String(cause.code) : cause.message)
      return { socket, text: () => text, error: () => error, closed: () => socket.closed }
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

describe("FaultyNetwork", () => {
  it.scopedLive("passes everything on, both ways, and each side's end", () =>
    Effect.gen(function*() {
      const { port } = yield* echo(">")
      const network = yield* FaultyNetwork.make({ port })
      const client = yield* connect(network.port)
      const much = "x".repeat(5_000_000)
      client.socket.end(much)
      yield* until("all of it", client.closed)
      expect(client.text()).toBe(`>${much}`)
      expect(client.error()).toBeUndefined()
      expect(yield* network.connections).toBe(1)
    }))

  it.scopedLive("cut ends what is there, and nothing that comes later", () =>
    Effect.gen(function*() {
      const { port, sockets } = yield* echo(">")
      const network = yield* FaultyNetwork.make({ port })
      const clients = yield* Effect.replicateEffect(connect(network.port), 3)
      yield* until("the connections", () => clients.every(({ text }) => text() === ">"))
      yield* network.cut
      yield* until("their end", () => clients.every(({ closed }) => closed()))
      yield* until("the end at the server", () => sockets.size === 0)
      const later = yield* connect(network.port)
      later.socket.write("a")
      yield* until("the echo", () => later.text() === ">a")
    }))

  it.scopedLive("cutAfter ends one connection, after at most so many bytes", () =>
    Effect.gen(function*() {
      const { port } = yield* echo(">")
      const network = yield* FaultyNetwork.make({ port })
      for (const bytes of [1, 7, 100_000]) {
        yield* network.cutAfter(bytes)
        const client = yield* connect(network.port)
        client.socket.write("x".repeat(1_000_000))
        yield* until("the cut", client.closed)
        // a reset overtakes what is on its way
        expect(client.text().length).toBeLessThanOrEqual(bytes)
      }
      const whole = yield* connect(network.port)
      whole.socket.end("x".repeat(200_000))
      yield* until("the end", whole.closed)
      expect(whole.text().length).toBe(200_001)
    }))

  it.scopedLive("stall holds everything, the end of a side too, until resume", () =>
    Effect.gen(function*() {
      const { port, sockets } = yield* echo(">")
      const network = yield* FaultyNetwork.make({ port })
      const [stays, leaves] = [yield* connect(network.port), yield* connect(network.port)]
      yield* until("both", () => stays.text() === ">" && leaves.text() === ">")
      yield* network.stall
      stays.socket.write("a")
      leaves.socket.destroy()
      const late = yield* connect(network.port)
      yield* Effect.sleep(100)
      expect([stays.text(), late.text(), late.closed(), sockets.size]).toEqual([">", "", false, 3])
      yield* network.resume
      yield* until("all", () => stays.text() === ">a" && late.text() === ">" && sockets.size === 2)
    }))

  it.scopedLive("delay holds each piece for so long, in order", () =>
    Effect.gen(function*() {
      const { port } = yield* echo("")
      const network = yield* FaultyNetwork.make({ port })
      yield* network.delay("100 millis")
      const client = yield* connect(network.port)
      yield* until("the connection", () => !client.socket.connecting)
      client.socket.write("abc")
      const [took] = yield* Effect.timed(until("the echo", () => client.text() === "abc"))
      // once each way
      expect(Duration.toMillis(took)).toBeGreaterThan(190)
    }))

  it.scopedLive("retarget leads new connections elsewhere; a target that is gone is a connection that is cut", () =>
    Effect.gen(function*() {
      const one = yield* echo("one")
      const two = yield* echo("two")
      const network = yield* FaultyNetwork.make({ port: one.port })
      const first = yield* connect(network.port)
      yield* until("the first", () => first.text() === "one")
      yield* network.retarget({ port: two.port })
      const second = yield* connect(network.port)
      yield* until("the second", () => second.text() === "two")
      yield* network.retarget({ port: 1 })
      const third = yield* connect(network.port)
      yield* until("the cut", third.closed)
    }))

  it.effect("it runs in real time, under a TestClock too", () =>
    Effect.scoped(Effect.gen(function*() {
      const { port } = yield* echo(">")
      const network = yield* FaultyNetwork.make({ port })
      yield* network.delay("10 millis")
      const client = yield* connect(network.port)
      yield* until("the greeting", () => client.text() === ">")
      // and closes with connections that are open or stalled
      yield* network.stall
      yield* connect(network.port)
    })))
})
