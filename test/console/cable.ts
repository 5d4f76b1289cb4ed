/** A cable between the page and the gateway, which can be cut and mended. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"

export interface Cable {
  readonly url: string
  /** Resets what is connected, and refuses what comes. */
  readonly cut: () => void
  readonly mend: () => void
  /** How many connections were made so far. */
  readonly connections: () => number
}

export const make = (port: number): Effect.Effect<Cable, never, Scope.Scope> =>
  Effect.gen(function*() {
    const sockets = new Set<Net.Socket>()
    let whole = true
    let connections = 0
    const hold = (socket: Net.Socket) => {
      sockets.add(socket)
      socket.on("error", () => {}).on("close", () => sockets.delete(socket))
    }
    const reset = () => {
      for (const socket of sockets) socket.resetAndDestroy()
    }
    const server = yield* Effect.acquireRelease(
      Effect.async<Net.Server>((resume) => {
        const server = Net.createServer((near) => {
          hold(near)
          if (!whole) {
            near.resetAndDestroy()
            return
          }
          connections++
          const far = Net.connect(port, "127.0.0.1")
          hold(far)
          near.pipe(far)
          far.pipe(near)
          near.on("close", () => far.destroy())
          far.on("close", () => near.destroy())
        })
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.async<void>((resume) => {
          server.close(() => resume(Effect.void))
          reset()
        })
    )
    const address = server.address()
    const own = typeof address === "object" && address !== null ? address.port : 0
    return {
      url: `http://127.0.0.1:${own}`,
      cut: () => {
        whole = false
        reset()
      },
      mend: () => {
        whole = true
      },
      connections: () => connections
    }
  })
