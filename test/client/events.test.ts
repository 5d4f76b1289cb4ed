import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as Http from "node:http"
import { SessionId } from "../../src/domain/Ids.js"
import { until } from "../gateway/fixture.js"

import { ownPort } from "../program.js"
import { type Handler, serve } from "../serve.js"
import { type Form, forms } from "./forms.js"

leakFreeFile()

const session = SessionId.make("ses_a")

const stored = (seq: number, text = `${seq} ü`) =>
  JSON.stringify({ seq, sessionId: session, at: "2026-11-21T02:00:00.000Z", event: { type: "TextChunk", text } })

const sse = (seq: number, text?: string) => `id: ${seq}\nevent: TextChunk\ndata: ${stored(seq, text)}\n\n`

const open = (response: Http.ServerResponse) => {
  response.writeHead(200, { "content-type": "text/event-stream" })
  response.write("retry: 1000\n\n")
}

const says = (text: string): Handler => (_, response) => {
  open(response)
  response.write(text)
}

const refuse = (status: number, error: object, headers = {}): Handler => (_, response) => {
  response.writeHead(status, { "content-type": "application/json", ...headers })
  response.end(JSON.stringify(error))
}

const afters = (requests: ReadonlyArray<{ readonly path: string }>) =>
  requests.map(({ path }) => path.replace("/v1/sessions/ses_a/events?after=", ""))

const firstOf = (follow: Form["follow"]) => (count: number, ...args: Parameters<Form["follow"]>) =>
  Effect.map(Stream.runCollect(Stream.take(follow(...args), count)), Chunk.toReadonlyArray)

interface Following {
  readonly follow: Form["follow"]
  readonly first: ReturnType<typeof firstOf>
}

/** In all forms side by side: what takes its time is waiting. */
const inEachForm = <A, E>(
  name: string,
  test: (form: Following) => Effect.Effect<A, E, Scope.Scope>,
  timeout = 60_000
) =>
  it.scopedLive(
    name,
    () =>
      Effect.forEach(forms, ({ follow, name }) =>
        test({ follow, first: firstOf(follow) }).pipe(
          Effect.tapErrorCause(() => Effect.logError(`of the form ${name}`))
        ), { concurrency: "unbounded" }),
    timeout
  )

describe(`${forms.map(({ name }) => name).join(", ")}`, () => {
  inEachForm(
    "EL2 events come without a gap and without a duplicate, whatever happens to connections",
    ({ first }) =>
      Effect.gen(function*() {
        const { requests, url } = yield* serve(
          // cut in the middle of an event, and that in the middle of a character
          (_, response) => {
            open(response)
            const bytes = Buffer.from(sse(1) + sse(2) + sse(3))
            response.write(bytes.subarray(0, bytes.lastIndexOf(0xbc)), () => response.destroy())
          },
          // ended in good order, after a heartbeat
          (_, response) => {
            open(response)
            response.end(`: heartbeat\n\n${sse(3)}`)
          },
          refuse(503, { _tag: "Draining", message: "the gateway is shutting down" }),
          (_, response) => void response.writeHead(502).end("<html>bad gateway</html>"),
          (_, response) => void response.destroy(),
          says(sse(4) + sse(5))
        )
        const breaks: Array<string> = []
        const events = yield* first(5, `${url}/`, session, { onBreak: (reason) => void breaks.push(reason) })
        expect(events).toEqual([1, 2, 3, 4, 5].map((seq) => ({ seq, text: `${seq} ü` })))
        expect(afters(requests)).toEqual(["0", "2", "3", "3", "3", "3"])
        expect(breaks).toEqual([
          `the connection to ${url} was lost`,
          `the connection to ${url} was lost`,
          "the gateway is shutting down",
          `${url} says 502`,
          `no gateway answers at ${url}`
        ])
      }),
    60_000
  )

  inEachForm("a cursor to begin with, and the token", ({ first }) =>
    Effect.gen(function*() {
      const { requests, url } = yield* serve(says(sse(8)))
      expect(yield* first(1, url, session, { after: 7, token: "s3cret" })).toMatchObject([{ seq: 8 }])
      expect(afters(requests)).toEqual(["7"])
      expect(requests[0]?.token).toBe("Bearer s3cret")
    }))

  inEachForm(
    "EL6 what trying again does not mend ends it at once, with the error as the gateway tells it",
    ({ follow }) =>
      Effect.gen(function*() {
        const fatal = [
          [410, { _tag: "CursorExpired", message: "trimmed", sessionId: session, oldest: 3 }],
          [404, { _tag: "SessionNotFound", message: "no such session", sessionId: session }],
          [401, { _tag: "Unauthorized", message: "no token" }],
          [403, { _tag: "HostRefused", message: "no", host: "a" }]
        ] as const
        for (const [status, error] of fatal) {
          const { requests, url } = yield* serve(refuse(status, error))
          const failure = yield* Effect.flip(Stream.runDrain(follow(url, session)))
          expect(failure).toMatchObject({ _tag: error._tag, message: error.message })
          expect(requests).toHaveLength(1)
        }
      })
  )

  inEachForm("a server of another kind is told apart from a gateway", ({ follow }) =>
    Effect.gen(function*() {
      const others: ReadonlyArray<Handler> = [
        (_, response) => void response.writeHead(200, { "content-type": "text/html" }).end("<html>"),
        (_, response) => void response.writeHead(404).end("not found"),
        (_, response) => void response.writeHead(400).end("{\"error\": \"bad\"}"),
        (_, response) => void response.writeHead(204).end()
      ]
      for (const other of others) {
        const { requests, url } = yield* serve(other)
        expect(yield* Effect.flip(Stream.runDrain(follow(url, session)))).toMatchObject({
          _tag: "ForeignServer",
          message: expect.stringContaining(url)
        })
        expect(requests).toHaveLength(1)
      }
    }))

  inEachForm("Retry-After of a gateway that drains is honoured", ({ first }) =>
    Effect.gen(function*() {
      const draining = { _tag: "Draining", message: "the gateway is shutting down" }
      const { requests, url } = yield* serve(refuse(503, draining, { "retry-after": "1" }), says(sse(1)))
      yield* first(1, url, session)
      const [refused, again] = requests
      expect((again?.at ?? 0) - (refused?.at ?? 0)).toBeGreaterThanOrEqual(1000)
    }))

  inEachForm(
    "SM5 failures without an end are paced, and a connection that works starts anew",
    ({ first }) =>
      Effect.gen(function*() {
        const fails: Handler = (_, response) => void response.writeHead(503).end()
        // the seventh works, for a heartbeat
        const beats: Handler = (_, response) => {
          open(response)
          response.write(": heartbeat\n\n", () => response.destroy())
        }
        const { requests, url } = yield* serve(fails, fails, fails, beats, fails, says(sse(1)))
        yield* first(1, url, session)
        const gaps = requests.slice(1).map(({ at }, index) => at - (requests[index]?.at ?? 0))
        const [, , third = 0, fourth = 0] = gaps
        // 500 to 1000 ms after the third failure; then 125 to 250 again
        expect(third).toBeGreaterThanOrEqual(499)
        expect(fourth).toBeGreaterThanOrEqual(124)
        // a fourth would be one of 1000 to 2000
        expect(fourth).toBeLessThan(1000)
      }),
    60_000
  )

  inEachForm(
    "SM7 a gateway that has gone silent is dialed again, before its answer and after",
    ({ first }) =>
      Effect.gen(function*() {
        const { requests, url } = yield* serve(() => {}, says(sse(1)), says(sse(2)))
        expect(yield* first(2, url, session, { idle: 1000 })).toMatchObject([{ seq: 1 }, { seq: 2 }])
        expect(afters(requests)).toEqual(["0", "0", "1"])
      })
  )

  inEachForm(
    "who reads slowly is not taken for a gateway that is silent, and heartbeats are signs of life",
    ({ follow }) =>
      Effect.gen(function*() {
        const { requests, url } = yield* serve((_, response) => {
          open(response)
          response.write(sse(1) + sse(2))
          const beats = setInterval(() => response.write(": heartbeat\n\n"), 50)
          setTimeout(() => response.write(sse(3)), 2400)
          response.on("close", () => clearInterval(beats))
        })
        const seen = yield* follow(url, session, { idle: 1500 }).pipe(
          Stream.mapEffect((event) =>
            event.seq === 1 ? Effect.delay(Effect.succeed(event), 1800) : Effect.succeed(event)
          ),
          Stream.take(3),
          Stream.runCount
        )
        expect(seen).toBe(3)
        expect(requests).toHaveLength(1)
      })
  )

  inEachForm("it waits for a gateway that is not there yet", ({ first }) =>
    Effect.gen(function*() {
      const port = yield* ownPort
      const url = `http://127.0.0.1:${port}`
      const breaks: Array<string> = []
      const following = yield* Effect.fork(
        first(1, url, session, { onBreak: (reason) => void breaks.push(reason) })
      )
      yield* until("attempts", () => breaks.length >= 2)
      const server = Http.createServer(says(sse(1)))
      yield* Effect.acquireRelease(
        Effect.sync(() => server.listen(port, "127.0.0.1")),
        () =>
          Effect.sync(() => {
            server.close()
            server.closeAllConnections()
          })
      )
      expect(yield* Fiber.join(following)).toMatchObject([{ seq: 1 }])
      expect(breaks[0]).toBe(`no gateway answers at ${url}`)
    }))

  inEachForm(
    "one that is left, wherever it is, leaves no connection behind",
    ({ first, follow }) =>
      Effect.gen(function*() {
        const { open: connections, url } = yield* serve(says(sse(1)))
        yield* first(1, url, session)
        yield* until("its end", () => connections() === 0)
        // while it waits for more
        const waiting = yield* Effect.fork(Stream.runDrain(follow(url, session, { after: 1 })))
        yield* until("its connection", () => connections() === 1)
        yield* Fiber.interrupt(waiting)
        yield* until("its end", () => connections() === 0)
        // while it backs off
        const breaks: Array<string> = []
        const off = yield* serve((_, response) => void response.destroy())
        const backing = yield* Effect.fork(
          Stream.runDrain(follow(off.url, session, { onBreak: (reason) => void breaks.push(reason) }))
        )
        yield* until("a few failures", () => breaks.length >= 3)
        yield* Fiber.interrupt(backing)
        const count = off.requests.length
        yield* Effect.sleep(1200)
        expect(off.requests.length).toBe(count)
      })
  )
})
