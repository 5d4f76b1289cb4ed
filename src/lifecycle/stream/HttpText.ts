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
import * as Effect from "effect/Effect"
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
  /** The text that has come; waits for some. Ends with the answer. One pulls at a time. */
  readonly pull: Pull<string, E>
}

// a socket each, that ends with its answer: there is nothing that an agent could keep, and its books cost as much as the socket
const connect = {
  http: {
    // an agent would know it; without one the host would be named with it, by which not every server knows itself
    defaultPort: 80,
    createConnection: ({ host, port }: http.ClientRequestArgs) => net.connect(Number(port), host ?? undefined)
  },
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
        Effect.try({ try: () => new Exchange(options), catch: (cause) => options.failed("Unreachable", cause) })
      ),
      // no `acquireRelease`: what it keeps of the fiber, to release as who acquired, is more than all of this
      ([scope, exchange]) => Effect.zipRight(Scope.addFinalizer(scope, exchange.close), restore(exchange.answer))
    )
  )

/** A class, and without a `Deferred`, for the sake of memory: thousands wait for an answer that goes on for hours. */
class Exchange<E> {
  private readonly sent: http.ClientRequest
  private readonly failed: Options<E>["failed"]
  private readonly readBuffer: number
  private response: http.IncomingMessage | undefined
  /** What has come and was not pulled, and how much that is. */
  private texts: Array<string> = []
  private size = 0
  /** Why it ends: the first reason is the reason. */
  private cause: Error | undefined
  private end: "Clean" | "Cut" | undefined
  private closed = false
  /** Whoever waits for what comes next. */
  private waiting: (() => void) | undefined

  constructor({ body, failed, headers, method, readBuffer = 1024 * 1024, url }: Options<E>) {
    this.failed = failed
    this.readBuffer = readBuffer
    this.sent = url.protocol === "https:"
      ? https.request(url, { method, headers, ...connect.https })
      : http.request(url, { method, headers, ...connect.http })
    this.sent.on("error", (error) => this.cause ??= error)
    this.sent.on("response", (response) => {
      this.response = response
      this.listen(response)
      this.wake()
    })
    this.sent.on("close", () => {
      this.closed = true
      this.wake()
    })
    this.sent.end(body)
  }

  get answer(): Effect.Effect<Answer<E>, E> {
    return Effect.suspend(() => {
      if (this.response !== undefined) {
        const { headers, statusCode = 0 } = this.response
        return Effect.succeed({ status: statusCode, headers, pull: this.pull(this.response) })
      }
      if (this.closed) return Effect.fail(this.failed("Unreachable", this.cause))
      return Effect.zipRight(this.until(() => this.response !== undefined || this.closed), this.answer)
    })
  }

  /** Returns when the socket is gone. */
  get close(): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      if (this.closed) return resume(Effect.void)
      this.sent.once("close", () => resume(Effect.void))
      // a request that has no socket yet would be closed before the one that its agent is just making (Node 20)
      if (this.sent.socket === null) this.sent.once("socket", () => this.sent.destroy())
      else this.sent.destroy()
      // or it is told of the cut by an error whose stack nobody reads, and that takes as long as all the rest
      this.response?.destroy()
    })
  }

  private listen(response: http.IncomingMessage): void {
    response.setEncoding("utf8")
    response.on("data", (text: string) => {
      this.texts.push(text)
      this.size += text.length
      // SM8: the rest stays with the peer
      if (this.size >= this.readBuffer) response.pause()
      this.wake()
    })
    response.on("end", () => {
      this.end = "Clean"
      this.wake()
    })
    response.on("error", (error) => this.cause ??= error)
    response.on("close", () => {
      this.end ??= "Cut"
      this.wake()
    })
  }

  private pull(response: http.IncomingMessage): Pull<string, E> {
    const ready = () => this.texts.length > 0 || this.end !== undefined
    const pull: Pull<string, E> = Effect.suspend((): Pull<string, E> => {
      if (this.texts.length > 0) {
        const taken = this.texts
        this.texts = []
        this.size = 0
        if (response.isPaused()) response.resume()
        return Effect.succeed(Chunk.unsafeFromArray(taken))
      }
      // made when it is asked for: nobody asks when thousands are closed
      if (this.end !== undefined) {
        return Effect.fail(this.end === "Clean" ? Option.none() : Option.some(this.failed("Cut", this.cause)))
      }
      return Effect.zipRight(this.until(ready), pull)
    })
    return pull
  }

  private wake(): void {
    const { waiting } = this
    this.waiting = undefined
    waiting?.()
  }

  /** Looks and registers in one step. One waits at a time: for the answer, and then for what it says. */
  private until(ready: () => boolean): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      if (ready()) return resume(Effect.void)
      this.waiting = () => resume(Effect.void)
      return Effect.sync(() => {
        this.waiting = undefined
      })
    })
  }
}
