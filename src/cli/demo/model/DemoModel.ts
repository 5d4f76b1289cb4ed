/**
 * A model that is none: a server on loopback with OpenAI's API, which answers by a script that the prompt chooses.
 *
 * ```ts
 * const { url } = yield* DemoModel.make({ port: 0, pace: 0 }) // http://127.0.0.1:40213/v1
 * ```
 *
 * For demos without a network or a key, and for tests of what models do wrong: each misbehaviour is one of the scripts.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import { type CliError, unusable } from "../../CliError.js"
import * as Conversation from "./Conversation.js"
import { type Answer, answer } from "./Scripts.js"
import * as Wire from "./Wire.js"

/** @since 0.1.0 */
export interface DemoModel {
  /** What clients take as the base of the API. */
  readonly url: string
}

/** @since 0.1.0 */
export const models = ["demo", "demo-small"] as const

const bodyLimit = 16 * 1024 * 1024

/** How long it rests after each word, in milliseconds, at the pace 1. */
const rest = 15

/** Of how many bodies it remembers how often they were refused. */
const remembered = 1000

const readBody = (request: Http.IncomingMessage) =>
  Effect.async<Either.Either<string, string>>((resume) => {
    const chunks: Array<Buffer> = []
    let size = 0
    request.on("data", (chunk: Buffer) => {
      size += chunk.length
      if (size <= bodyLimit) chunks.push(chunk)
      else resume(Effect.succeed(Either.left(`the body is larger than ${bodyLimit} bytes`)))
    })
    request.on("end", () => resume(Effect.succeed(Either.right(Buffer.concat(chunks).toString("utf8")))))
    request.on("error", () => resume(Effect.interrupt))
  })

const parse = (text: string): Either.Either<unknown, string> =>
  Either.try({ try: (): unknown => JSON.parse(text), catch: (cause) => `the body is no JSON: ${String(cause)}` })

const send = (response: Http.ServerResponse, status: number, body: unknown, headers: Http.OutgoingHttpHeaders = {}) =>
  Effect.sync(() =>
    void response.writeHead(status, { "content-type": "application/json", ...headers })
      .end(JSON.stringify(body))
  )

const fail = (response: Http.ServerResponse, status: number, message: string, headers?: Http.OutgoingHttpHeaders) =>
  send(response, status, { error: { message, type: "demo", code: null, param: null } }, headers)

const write = (response: Http.ServerResponse, text: string) =>
  Effect.async<void>((resume) => {
    if (response.write(text)) return resume(Effect.void)
    const drained = () => resume(Effect.void)
    response.once("drain", drained)
    return Effect.sync(() => response.off("drain", drained))
  })

/**
 * Listens on loopback until the scope closes; then nothing of it is left, not even a stalled answer. With a pace of 0 nothing rests
 * between words.
 *
 * @since 0.1.0
 */
export const make = (
  options: { readonly port: number; readonly pace: number }
): Effect.Effect<DemoModel, CliError, Scope.Scope> =>
  Effect.gen(function*() {
    const run = yield* FiberSet.makeRuntime<never, void, never>()
    const refusals = new Map<string, number>()
    let answers = 0

    /** A client that tries again sends the same body. */
    const settle = (answer: Answer, body: string): Answer => {
      if (answer._tag === "Said") return answer
      const times = refusals.get(body) ?? 0
      if (times >= answer.times) return answer.then
      if (refusals.size >= remembered) refusals.clear()
      refusals.set(body, times + 1)
      return answer
    }

    const stream = Effect.fnUntraced(function*(
      response: Http.ServerResponse,
      events: ReadonlyArray<string>,
      ending: "whole" | "cut" | "stalled"
    ) {
      response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" })
      // what follows the last word would tell that the answer is whole
      const last = events.length - (ending === "whole" ? 0 : 3)
      for (const event of events.slice(0, last)) {
        yield* write(response, `data: ${event}\n\n`)
        if (options.pace > 0) yield* Effect.sleep(rest * options.pace)
      }
      if (ending === "stalled") return yield* Effect.never
      if (ending === "whole") return void response.end()
      // once it is on its way: what is destroyed loses what it holds
      yield* Effect.async<void>((resume) => {
        response.write(`data: ${events[last]?.slice(0, 20)}`, () => resume(Effect.void))
      })
      response.destroy()
    })

    const reply = Effect.fnUntraced(function*(request: Http.IncomingMessage, response: Http.ServerResponse) {
      const { pathname } = new URL(request.url ?? "/", "http://127.0.0.1")
      if (request.method === "GET" && pathname === "/v1/models") {
        return yield* send(response, 200, {
          object: "list",
          data: models.map((id) => ({ id, object: "model", created: 0, owned_by: "holdfast" }))
        })
      }
      const [wire, decode] = pathname === "/v1/responses"
        ? [Wire.responses, Conversation.ofResponses]
        : [Wire.chat, Conversation.ofChat]
      if (request.method !== "POST" || (wire === Wire.chat && pathname !== "/v1/chat/completions")) {
        return yield* fail(
          response,
          404,
          `there is no ${request.method} ${pathname}; there are GET /v1/models, POST /v1/chat/completions and POST /v1/responses`
        )
      }
      const body = yield* readBody(request)
      const conversation = Either.flatMap(Either.flatMap(body, parse), decode)
      if (Either.isLeft(conversation)) return yield* fail(response, 400, conversation.left)
      const { model, stream: streams } = conversation.right
      const settled = settle(answer(conversation.right), Either.getOrElse(body, () => ""))
      if (settled._tag === "Refused") {
        const { message, retryAfter, status } = settled
        return yield* fail(
          response,
          status,
          message,
          retryAfter === undefined ? {} : { "retry-after": `${retryAfter}` }
        )
      }
      const id = `demo_${++answers}`
      if (streams || settled.ending !== "whole") {
        return yield* stream(response, wire.events(id, model, settled.parts), settled.ending)
      }
      yield* send(response, 200, wire.body(id, model, settled.parts))
    })

    const server = yield* Effect.acquireRelease(
      Effect.async<Http.Server, CliError>((resume) => {
        const server = Http.createServer((request, response) => {
          const fiber = run(reply(request, response))
          response.on("error", () => {})
          response.on("close", () => fiber.unsafeInterruptAsFork(fiber.id()))
        })
        server.on(
          "error",
          (error) => resume(unusable(`the demo model cannot listen on ${options.port}: ${error.message}`))
        )
        server.listen(options.port, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.async<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    )
    const address = server.address()
    const port = address === null || typeof address === "string" ? options.port : address.port
    return { url: `http://127.0.0.1:${port}/v1` }
  })
