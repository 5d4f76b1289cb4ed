/**
 * Turns requests into WebSockets.
 *
 * An upgrade request takes the way of every request, past the same guard to its route, and is answered like any other
 * unless the route accepts it. Platform's own way is not used: its `Socket` has no bound on frames and no backpressure.
 *
 * @since 0.1.0
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { type WebSocket, WebSocketServer } from "ws"
import { UpgradeRequired } from "../GatewayError.js"

/** @since 0.1.0 */
export interface Handshakes {
  /** Hands the server's upgrade requests to `handler`, with a response that can be written to until they are accepted. */
  readonly listen: (
    node: Http.Server,
    handler: (request: Http.IncomingMessage, response: Http.ServerResponse) => void
  ) => void
  /**
   * Completes the handshake; the socket is gone when the scope is closed. `listen` is called before anything can be
   * read. Nothing can be answered over HTTP any more.
   */
  readonly accept: <A>(
    request: HttpServerRequest.HttpServerRequest,
    listen: (ws: WebSocket, socket: Socket) => A
  ) => Effect.Effect<A, UpgradeRequired, Scope.Scope>
  /** Cuts every connection that was upgraded or wants to be: `closeAllConnections` does not know them. */
  readonly cutOff: Effect.Effect<void>
}

/** `ws` takes nothing else. */
const wantsWebSocket = ({ headers }: Http.IncomingMessage) => headers.upgrade?.toLowerCase() === "websocket"

/**
 * Node hands over a request for any protocol, with its body unread: Java's client asks for HTTP/2 in whatever it posts. Who is not given
 * another protocol goes on in this one, so the request is read once more without its wish.
 */
const readAgain = (node: Http.Server, request: Http.IncomingMessage, socket: Duplex, head: Buffer) => {
  const { httpVersion, method, rawHeaders, url } = request
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() !== "upgrade") lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`)
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), head]))
  node.emit("connection", socket)
}

/** @since 0.1.0 */
export const make = (options: {
  /** The largest frame, in bytes. */
  readonly maxFrame: number
  /** For the peer's close frame; then the connection is cut. */
  readonly closeTimeout: Duration.DurationInput
}): Handshakes => {
  const settings = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: options.maxFrame,
    // the types do not know it yet
    closeTimeout: Duration.toMillis(options.closeTimeout)
  }
  const server = new WebSocketServer(settings)
  /** What came behind the head of a request that wants to be a WebSocket. */
  const heads = new WeakMap<Http.IncomingMessage, Buffer>()
  const sockets = new Set<Duplex>()
  let refusal = ""
  // with a listener `ws` leaves the answer to us
  server.on("wsClientError", ({ message }) => {
    refusal = message
  })

  const upgrade = <A>(
    request: HttpServerRequest.HttpServerRequest,
    listen: (ws: WebSocket, socket: Socket) => A
  ) =>
    Effect.suspend((): Effect.Effect<readonly [WebSocket, A], UpgradeRequired> => {
      const incoming = NodeHttpServerRequest.toIncomingMessage(request)
      const head = heads.get(incoming)
      if (head === undefined) {
        return new UpgradeRequired({ message: "this route speaks WebSocket: send an upgrade request" })
      }
      let accepted: readonly [WebSocket, A] | undefined
      refusal = "the connection is gone"
      // synchronous: a handshake has nothing to wait for
      server.handleUpgrade(incoming, incoming.socket, head, (ws) => {
        accepted = [ws, listen(ws, incoming.socket)]
        const response = NodeHttpServerRequest.toServerResponse(request)
        response.detachSocket(incoming.socket)
        // platform leaves a response alone that has ended
        response.end()
      })
      return accepted === undefined ? new UpgradeRequired({ message: refusal }) : Effect.succeed(accepted)
    })

  return {
    listen: (node, handler) => {
      node.on("upgrade", (request, socket, head) => {
        const response = new Http.ServerResponse(request)
        response.shouldKeepAlive = false
        try {
          response.assignSocket(request.socket)
        } catch {
          // an answer that is not over has the connection: who did not wait for it cannot be answered in order
          return void socket.destroy()
        }
        if (!wantsWebSocket(request)) {
          response.detachSocket(request.socket)
          return readAgain(node, request, socket, head)
        }
        heads.set(request, head)
        sockets.add(socket)
        socket.once("close", () => sockets.delete(socket))
        // Node has taken its own listener off: without one a connection that breaks would end the process
        socket.on("error", () => socket.destroy())
        response.once("finish", () => request.socket.destroySoon())
        handler(request, response)
      })
    },
    accept: (request, listen) =>
      Effect.acquireRelease(upgrade(request, listen), ([ws]) =>
        Effect.async<void>((resume) => {
          if (ws.readyState === ws.CLOSED) return resume(Effect.void)
          ws.once("close", () => resume(Effect.void))
          ws.terminate()
        })).pipe(Effect.map(([, listening]) => listening)),
    cutOff: Effect.sync(() => {
      for (const socket of sockets) socket.destroy()
    })
  }
}
