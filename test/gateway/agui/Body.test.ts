import { describe, expect, it } from "@effect/vitest"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as net from "node:net"
import type * as ScriptedAgent from "../../../src/testing/ScriptedAgent.js"
import { collect } from "../../memory.js"
import { fibersBeside, rootFibers, until } from "../fixture.js"
import { type Running, start } from "./fixture.js"

leakFreeFile()

/** Together more than the buffers of both ends of a socket hold. */
const pieces = Array.from({ length: 300 }, (_, n) => `${n}.${"x".repeat(100_000)}`)

const much: ScriptedAgent.Options["turn"] = ({ say }) =>
  Effect.forEach(pieces, (text) => say({ type: "TextChunk", text }), { discard: true })

const input = (threadId: string, fields: object = {}) => ({
  threadId,
  runId: `the run of ${threadId}`,
  state: {},
  messages: [{ id: "u1", role: "user", content: "hi" }],
  tools: [],
  context: [],
  forwardedProps: {},
  ...fields
})

const post = (input: object, ...headers: ReadonlyArray<string>) => {
  const body = JSON.stringify(input)
  return [
    "POST /agui/scripted HTTP/1.1",
    "Host: localhost",
    "Content-Type: application/json",
    `Content-Length: ${body.length}`,
    ...headers,
    "",
    body
  ].join("\r\n")
}

/** A client that takes nothing until it is told to. */
const connect = ({ gateway }: Running) =>
  Effect.acquireRelease(
    Effect.async<net.Socket>((resume) => {
      const socket = net.connect(gateway.port, "127.0.0.1", () => resume(Effect.succeed(socket)))
      socket.on("error", () => {})
    }),
    (socket) => Effect.sync(() => socket.destroy())
  ).pipe(Effect.map((socket) => {
    const parts: Array<Buffer> = []
    let closed = false
    socket.on("close", () => closed = true)
    return {
      write: (text: string) => socket.write(text),
      take: () => void socket.on("data", (part) => void parts.push(part)),
      taken: () => Buffer.concat(parts).toString(),
      closed: () => closed
    }
  }))

/** Waits until the turn is over and as much of it as goes is on its way to a client that takes nothing. */
const over = ({ sessions }: Running) =>
  sessions.list({ status: Option.none(), after: Option.none(), limit: 99 }).pipe(
    Effect.delay("10 millis"),
    Effect.repeat({ until: (all) => all.length > 0 && all.every(({ run }) => run === undefined) }),
    Effect.zipRight(Effect.sleep("50 millis"))
  )

describe("a client that takes nothing", () => {
  it.scopedLive(
    "EL3 holds up nobody and hardly any memory, and is told all when it takes again",
    () =>
      Effect.gen(function*() {
        const running = yield* start(much, { heartbeat: "10 millis" })
        collect()
        const before = process.memoryUsage().arrayBuffers
        const client = yield* connect(running)
        client.write(post(input("a thread"), "Connection: close"))
        yield* over(running)
        collect()
        expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000)
        client.take()
        yield* until("the end", client.closed, 30_000)
        const told = [...client.taken().matchAll(/(\d+)\.x{100}/g)].map(([, n]) => Number(n))
        expect(told).toEqual(pieces.map((_, n) => n))
        expect(client.taken()).toContain("RUN_FINISHED")
      }),
    60_000
  )

  it.scopedLive("and leaves frees its place", () =>
    Effect.gen(function*() {
      const running = yield* start(much, { maxEventStreams: 1 })
      yield* Effect.scoped(Effect.gen(function*() {
        const client = yield* connect(running)
        client.write(post(input("a thread")))
        yield* over(running)
      }))
      const status = Effect.scoped(Effect.gen(function*() {
        const next = yield* connect(running)
        next.write(post(input("a thread", { messages: [] }), "Connection: close"))
        next.take()
        yield* until("the end", next.closed, 30_000)
        return next.taken().slice(0, "HTTP/1.1 200".length)
      }))
      expect(yield* Effect.repeat(status, { until: (status) => status === "HTTP/1.1 200", times: 500 })).toBe(
        "HTTP/1.1 200"
      )
    }), 60_000)

  const closing = Effect.fnUntraced(function*(grace: Duration.DurationInput) {
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
    const running = yield* Scope.extend(start(much, { grace }), scope)
    const client = yield* connect(running)
    client.write(post(input("a thread")))
    yield* over(running)
    return { client, closed: yield* Effect.fork(Scope.close(scope, Exit.void)) }
  })

  it.scopedLive("keeps a gateway from closing for its grace at most", () =>
    Effect.gen(function*() {
      const { client, closed } = yield* closing("100 millis")
      yield* Fiber.join(closed)
      client.take()
      yield* until("the end", client.closed, 30_000)
      expect(client.taken().endsWith("0\r\n\r\n")).toBe(false)
    }), 60_000)

  it.scopedLive("and takes again within the grace is cut off after a whole event", () =>
    Effect.gen(function*() {
      const { client, closed } = yield* closing("30 seconds")
      client.take()
      yield* Fiber.join(closed)
      yield* until("the end", client.closed, 30_000)
      expect(client.taken().endsWith("\"}\n\n\r\n0\r\n\r\n")).toBe(true)
      expect(client.taken()).not.toContain("RUN_FINISHED")
    }), 60_000)
})

it.scopedLive("leaves no fiber, however its clients left", () =>
  Effect.gen(function*() {
    const running = yield* start(
      ({ say }) => Effect.repeatN(Effect.delay(say({ type: "TextChunk", text: "a" }), "5 millis"), 2),
      { heartbeat: "5 millis" }
    )
    const before = rootFibers()
    const threads = ["a", "b", "c", "d"]
    const requests = [
      (thread: string) => post(input(thread)),
      (thread: string) => post(input(thread), "Accept: application/vnd.ag-ui.event+proto"),
      (thread: string) => post(input(thread, { messages: [] })),
      (thread: string) => post(input(thread, { resume: [{ interruptId: "x", status: "resolved" }] }))
    ]
    yield* Effect.forEach(requests, (request) =>
      Effect.forEach([0, 1, 2, 4, 8, 16, 32], (millis, index) =>
        Effect.scoped(Effect.gen(function*() {
          const client = yield* connect(running)
          client.write(request(threads[index % threads.length] ?? ""))
          yield* Effect.sleep(millis)
        }))), { concurrency: 4 })
    yield* over(running)
    const all = yield* running.sessions.list({ status: Option.none(), after: Option.none(), limit: 99 })
    yield* Effect.forEach(all, ({ id }) =>
      running.sessions.close(id))
    expect(yield* fibersBeside(before)).toBe(0)
  }), 60_000)
