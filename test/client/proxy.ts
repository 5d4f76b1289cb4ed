/**
 * A network that fails as it is told to: a TCP proxy before a gateway.
 */
import * as Effect from "effect/Effect"
import * as Net from "node:net"

/** What becomes of a connection: how many bytes of the answer pass, and what happens then. */
export interface Fate {
  readonly bytes: number
  readonly then: "reset" | "end" | "stall"
}

export interface Proxy {
  readonly url: string
  /** Where new connections lead. */
  target: string
  /** Asked for each connection, `n` counting from 0; nothing lets it live. */
  fate: (n: number) => Fate | undefined
  readonly connections: () => number
  /** Ends all that are open. */
  readonly cut: () => void
  /** And refuses all from now on. */
  readonly close: () => void
}

export const make = (target: string) =>
  Effect.acquireRelease(
    Effect.async<{ readonly proxy: Proxy; readonly server: Net.Server; readonly sockets: Set<Net.Socket> }>(
      (resume) => {
        const sockets = new Set<Net.Socket>()
        let connections = 0
        const track = (socket: Net.Socket) => {
          sockets.add(socket)
          socket.on("error", () => {}).on("close", () => sockets.delete(socket))
          return socket
        }
        const cut = () => {
          for (const socket of sockets) socket.destroy()
        }
        const server = Net.createServer((client) => {
          track(client)
          const fate = proxy.fate(connections++)
          const { hostname, port } = new URL(proxy.target)
          const upstream = track(Net.connect(Number(port), hostname))
          client.pipe(upstream)
          client.on("close", () => upstream.destroy())
          let passed = 0
          upstream.on("data", (data: Buffer) => {
            const left = fate === undefined ? data.length : Math.max(0, fate.bytes - passed)
            passed += data.length
            client.write(data.subarray(0, left))
            if (fate === undefined || passed <= fate.bytes) return
            upstream.pause()
            if (fate.then === "stall") return
            if (fate.then === "reset") client.resetAndDestroy()
            else client.destroy()
            upstream.destroy()
          })
          upstream.on("end", () => client.end())
          upstream.on("error", () => client.destroy())
        })
        const proxy: Proxy = {
          url: "",
          target,
          fate: () => undefined,
          connections: () => connections,
          cut,
          close: () => {
            server.close()
            cut()
          }
        }
        server.listen(0, "127.0.0.1", () => {
          const address = server.address()
          const port = typeof address === "object" && address !== null ? address.port : 0
          Object.assign(proxy, { url: `http://127.0.0.1:${port}` })
          resume(Effect.succeed({ proxy, server, sockets }))
        })
      }
    ),
    ({ server, sockets }) =>
      Effect.async<void>((resume) => {
        for (const socket of sockets) socket.destroy()
        if (server.listening) server.close(() => resume(Effect.void))
        else resume(Effect.void)
      })
  ).pipe(Effect.map(({ proxy }) => proxy))
