/**
 * MCP over streamable HTTP: the SDK's transport, and an answer to requests whose answer is lost.
 *
 * The SDK keeps a request open when its stream has ended and could not be resumed: the server was killed, and the call would wait for
 * ever. It is answered here, with an error.
 *
 * @see https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#streamable-http
 * @since 0.1.0
 */
import { type JSONRPCMessage, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** The code of what is answered in the server's place. @since 0.1.0 */
export const lostCode = -32000

class Answering extends StreamableHTTPClientTransport {
  override send(
    message: JSONRPCMessage | Array<JSONRPCMessage>,
    options?: Parameters<StreamableHTTPClientTransport["send"]>[1]
  ): Promise<void> {
    if (Array.isArray(message) || !("method" in message) || !("id" in message)) return super.send(message, options)
    const { id } = message
    return super.send(message, {
      ...options,
      onRequestStreamEnd: () => {
        options?.onRequestStreamEnd?.()
        // of a request that was answered nobody waits for this
        this.onmessage?.({
          jsonrpc: "2.0",
          id,
          error: { code: lostCode, message: "the connection to the server was lost" }
        })
      }
    })
  }
}

/** The session with the server is ended with the scope. @since 0.1.0 */
export const make = (
  url: string,
  headers: Readonly<Record<string, string>>
): Effect.Effect<StreamableHTTPClientTransport, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() =>
      new Answering(new URL(url), {
        requestInit: { headers },
        reconnectionOptions: {
          initialReconnectionDelay: 250,
          maxReconnectionDelay: 2000,
          reconnectionDelayGrowFactor: 2,
          maxRetries: 2
        }
      })
    ),
    (transport) =>
      Effect.tryPromise(() => transport.terminateSession()).pipe(
        Effect.interruptible,
        Effect.timeout("2 seconds"),
        Effect.ignore
      )
  )
