/**
 * MCP over the pipes of a process that is ours: the SDK's own transport would spawn it without a group, and a server behind `npx` would
 * outlive its session (AG1).
 *
 * @see https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#stdio
 * @since 0.1.0
 */
import { type JSONRPCMessage, ReadBuffer, serializeMessage, type Transport } from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { AsyncLocalStorage } from "node:async_hooks"
import type { ChildProcess } from "../../process/ChildProcess.js"

/** Of one message. */
const limit = 16 * 1024 * 1024

/**
 * Reads nothing before `start`. When the process has closed its output, `onclose` is called.
 *
 * @since 0.1.0
 */
export const make = (process: ChildProcess): Effect.Effect<Transport, never, Scope.Scope> =>
  Effect.gen(function*() {
    const run = yield* FiberSet.makeRuntimePromise<never, void, never>()
    const buffer = new ReadBuffer({ maxBufferSize: limit })
    /** A response is handled where its request was made: what the server asks in it is then known to be of that call. */
    const requests = new Map<unknown, (handle: () => void) => void>()

    const deliver = (message: JSONRPCMessage) => {
      const within = "id" in message && !("method" in message) ? requests.get(message.id) : undefined
      if (within === undefined) return transport.onmessage?.(message)
      if ("id" in message) requests.delete(message.id)
      within(() => transport.onmessage?.(message))
    }

    /** What is no JSON is passed over: many a server greets on stdout. */
    const take = (chunk: Buffer) => {
      try {
        buffer.append(chunk)
      } catch (cause) {
        // of a message that is too large the rest would be read as garbage
        transport.onerror?.(new Error(`a message of more than ${limit} bytes came`, { cause }))
        return false
      }
      while (true) {
        try {
          const message = buffer.readMessage()
          if (message === null) return true
          deliver(message)
        } catch (cause) {
          transport.onerror?.(cause instanceof Error ? cause : new Error(String(cause)))
        }
      }
    }

    const receive: Effect.Effect<void> = Effect.flatMap(
      process.read,
      (chunk) => Option.isSome(chunk) && take(chunk.value) ? receive : Effect.void
    )

    const transport: Transport & { readonly pid: number; readonly stderr: null } = {
      // by these two the SDK tells a transport that is a process, of which a silent probe says that its server is an older one
      pid: process.pid,
      stderr: null,
      start: () => {
        void run(Effect.zipRight(receive, Effect.sync(() => transport.onclose?.()))).catch(() => {})
        return Promise.resolve()
      },
      send: (message) => {
        if ("method" in message && "id" in message) requests.set(message.id, AsyncLocalStorage.snapshot())
        return run(process.send(serializeMessage(message)))
      },
      // the process ends with its scope
      close: () => {
        transport.onclose?.()
        return Promise.resolve()
      }
    }
    return transport
  })
