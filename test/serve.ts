/** A server of the test's own making, on a free port of loopback. */
import * as Effect from "effect/Effect"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"

export type Handler = (request: Http.IncomingMessage, response: Http.ServerResponse) => void

/** A server that answers its nth request with the nth handler, and all later ones with the last. */
export const serve = (...handlers: ReadonlyArray<Handler>) =>
  Effect.gen(function*() {
    const requests: Array<{ readonly path: string; readonly token: string | undefined; readonly at: number }> = []
    let open = 0
    const server = Http.createServer((request, response) => {
      const handler = handlers[Math.min(requests.length, handlers.length - 1)]
      requests.push({ path: request.url ?? "", token: request.headers.authorization, at: Date.now() })
      open++
      response.on("close", () => open--)
      handler?.(request, response)
    })
    yield* Effect.acquireRelease(
      Effect.async<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
      () =>
        Effect.async<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    )
    const { port } = server.address() as AddressInfo
    return { requests, url: `http://127.0.0.1:${port}`, open: () => open }
  })
