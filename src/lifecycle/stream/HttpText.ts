/**
 * One request, and its answer as a pull of text.
 *
 * It is built on Node's own client and not on the platform's: an answer that stays open for hours is no request that waits for its body. There
 * a socket that is idle costs a stream, its channel and an abort signal beside what Node needs, and the abort of each is an error that
 * travels through all of them.
 *
 * @internal
 */
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as http from "node:http"
import * as https from "node:https"
import * as net from "node:net"
import type { Pull } from "./Inbox.js"

export interface Options<E> {
  readonly url: URL
  readonly method: string
  readonly headers: http.OutgoingHttpHeaders
  readonly body: string | Uint8Array | undefined
  /** What it fails with: before an answer (`Unreachable`), or when one broke off (`Cut`). */
  readonly failed: (reason: "Unreachable" | "Cut", cause: unknown) => E
  /** With so many characters that nobody has pulled the socket is not read; 1 Mi when left out. */
  readonly readBuffer?: number | undefined
}

export interface Answer<E> {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  /** The text that has come; waits for some. Ends with the answer. */
  readonly pull: Pull<string, E>
}

// a socket each, that ends with its answer: there is nothing that an agent could keep, and its books cost as much as the socket
const connect = {
  http: { createConnection: ({ host, port }: http.ClientRequestArgs) => net.connect(Number(port), host ?? undefined) },
  // it knows sessions and server names
  https: { agent: new https.Agent() }
}

/**
 * Sends it and waits for the answer's headers. When the closing of the scope returns the socket is gone; a request that is interrupted
 * leaves none. A redirect is an answer like any other.
 */
export const request = <E>(options: Options<E>): Effect.Effect<Answer<E>, E, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(
      Effect.zip(
        Effect.scope,
        Effect.try({ try: () => open(options), catch: (cause) => options.failed("Unreachable", cause) })
      ),
      // no `acquireRelease`: what it keeps of the fiber, to release as who acquired, is more than all of this
      ([scope, { answered, close }]) =>
        Effect.zipRight(Scope.addFinalizer(scope, close), restore(Deferred.await(answered)))
    )
  )

const open = <E>({ body, failed, headers, method, readBuffer = 1024 * 1024, url }: Options<E>) => {
  const secure = url.protocol === "https:"
  const sent = secure
    ? https.request(url, { method, headers, ...connect.https })
    : http.request(url, { method, headers, ...connect.http })
  let response: http.IncomingMessage | undefined
  const answered = Deferred.unsafeMake<Answer<E>, E>(FiberId.none)
  /** Why it ends: the first reason is the reason. */
  let cause: Error | undefined
  let closed = false

  sent.on("error", (error) => cause ??= error)
  sent.on("response", (answer) => {
    response = answer
    const pull = textOf(answer, readBuffer, (error) => failed("Cut", cause ?? error))
    Deferred.unsafeDone(answered, Exit.succeed({ status: answer.statusCode ?? 0, headers: answer.headers, pull }))
  })
  sent.on("close", () => {
    closed = true
    Deferred.unsafeDone(answered, Effect.sync(() => failed("Unreachable", cause)).pipe(Effect.flip))
  })
  sent.end(body)

  const close = Effect.async<void>((resume) => {
    if (closed) return resume(Effect.void)
    sent.once("close", () => resume(Effect.void))
    sent.destroy()
    // or it is told of the cut by an error whose stack nobody reads, and that takes as long as all the rest
    response?.destroy()
  })
  return { answered, close }
}

const textOf = <E>(
  response: http.IncomingMessage,
  readBuffer: number,
  cut: (cause: Error | undefined) => E
): Pull<string, E> => {
  let texts: Array<string> = []
  let size = 0
  let cause: Error | undefined
  let end: "Clean" | "Cut" | undefined
  let readable: Deferred.Deferred<void> | undefined

  const wake = () => {
    if (readable !== undefined) Deferred.unsafeDone(readable, Exit.void)
    readable = undefined
  }
  response.setEncoding("utf8")
  response.on("data", (text: string) => {
    texts.push(text)
    size += text.length
    // SM8: the rest stays with the peer
    if (size >= readBuffer) response.pause()
    wake()
  })
  response.on("end", () => {
    end = "Clean"
    wake()
  })
  response.on("error", (error) => cause ??= error)
  response.on("close", () => {
    end ??= "Cut"
    wake()
  })

  const pull: Pull<string, E> = Effect.suspend((): Pull<string, E> => {
    if (texts.length > 0) {
      const taken = texts
      texts = []
      size = 0
      if (response.isPaused()) response.resume()
      return Effect.succeed(Chunk.unsafeFromArray(taken))
    }
    // made when it is asked for: nobody asks when thousands are closed
    if (end !== undefined) return Effect.fail(end === "Clean" ? Option.none() : Option.some(cut(cause)))
    readable ??= Deferred.unsafeMake<void>(FiberId.none)
    return Effect.zipRight(Deferred.await(readable), pull)
  })
  return pull
}
