/** A provider of models that answers byte for byte as a test wants. */
import * as Effect from "effect/Effect"
import * as Http from "node:http"

export type Answer = (response: Http.ServerResponse) => void

const head = (response: Http.ServerResponse) => response.writeHead(200, { "content-type": "text/event-stream" })

/** These bytes, each in a chunk of its own, as an event stream. */
export const bytes = (text: string): Answer => (response) => {
  head(response)
  for (const byte of Buffer.from(text)) response.write(Buffer.from([byte]))
  response.end()
}

const written = (data: unknown) => typeof data === "string" ? data : JSON.stringify(data)

/** An event of each of these. */
export const events = (all: ReadonlyArray<unknown>): Answer => (response) => {
  head(response)
  response.end(all.map((data) => `data: ${written(data)}\n\n`).join(""))
}

export const refuses = (status: number, body: unknown, type = "application/json"): Answer => (response) => {
  response.writeHead(status, { "content-type": type })
  response.end(written(body))
}

/** Goes on with this every 10 ms, until it is left alone. */
export const repeats = (text: string): Answer => (response) => {
  head(response)
  const timer = setInterval(() => response.write(text), 10)
  response.on("close", () => clearInterval(timer))
}

/** Answers each request with the next of these, and keeps what it was asked. */
export const serve = (...answers: ReadonlyArray<Answer>) =>
  Effect.gen(function*() {
    const asked: Array<
      { readonly path: string | undefined; readonly key: string | undefined; readonly body: unknown }
    > = []
    const server = yield* Effect.acquireRelease(
      Effect.async<Http.Server>((resume) => {
        const server = Http.createServer((request, response) => {
          let body = ""
          request.on("data", (chunk) => body += String(chunk))
          request.on("end", () => {
            const answer = answers[asked.length] ?? refuses(404, "no answer is left")
            asked.push({ path: request.url, key: request.headers.authorization, body: JSON.parse(body) })
            answer(response)
          })
        })
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.async<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    )
    const address = server.address()
    const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`
    return { asked, url: `${url}/v1`, root: url }
  })
