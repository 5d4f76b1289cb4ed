import * as HttpApi from "@effect/platform/HttpApi"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { createClient, HoldfastError, type StoredEvent } from "holdfast/client"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { Api } from "../../src/gateway/Api.js"
import { entry, id, memoryLog, session, start, until } from "../gateway/fixture.js"

leakFreeFile()

interface Call {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: Record<string, string>
  readonly body: unknown
}

/** A client whose requests go nowhere. */
const recording = (status = 200, body = "{}") => {
  const calls: Array<Call> = []
  const client = createClient({
    url: "http://gateway.test/",
    token: "s3cret",
    fetch: (input, init) => {
      const { pathname, searchParams } = new URL(String(input))
      calls.push({
        method: init?.method ?? "GET",
        path: pathname,
        query: searchParams,
        headers: init?.headers as Record<string, string>,
        body: typeof init?.body === "string" ? JSON.parse(init.body) : undefined
      })
      return Promise.resolve(new Response(status === 204 ? null : body, { status }))
    }
  })
  return { calls, client }
}

describe("commands", () => {
  it("each is a route of the API with a payload that it takes, and no route is left out", async () => {
    const { calls, client } = recording()
    await client.health()
    await client.agents()
    await client.ticket()
    await client.create({ agent: "demo", cwd: "/tmp", title: "A try" })
    await client.list()
    await client.list({ status: "idle", after: id, limit: 7 })
    await client.get(id)
    await client.close(id)
    await client.prompt(id, "hello")
    await client.prompt(id, [{ type: "text", text: "hello" }], { whenBusy: "queue", idempotencyKey: "once" })
    await client.cancel(id)
    await client.cancel(id, { run: "run_a" })
    await client.restart(id)
    await client.restart(id, { cause: "changed", wait: true })
    await client.setMode(id, "plan")
    await client.setConfig(id, "model", true)
    await client.pending(id)
    await client.answer(id, "eli_a", { action: "accept", content: { optionId: "yes" } })
    await client.decisions(id)
    await client.revoke(id, "a&b")
    await client.shell(id, { data: "ls\r", columns: 80, rows: 24 })
    await client.startProcess(id, { command: "npm test", cwd: "app", env: { CI: "1" }, name: "tests" })
    await client.stopProcess(id, "prc_a")

    const missing = new Map<string, string>()
    HttpApi.reflect(Api, {
      onGroup: () => {},
      onEndpoint: ({ endpoint }) => {
        const route = `${endpoint.method} ${
          endpoint.path.replace(":id", id).replace(":elicitationId", "eli_a").replace(":processId", "prc_a")
        }`
        const made = calls.filter(({ method, path }) => `${method} ${path}` === route)
        if (made.length === 0) missing.set(endpoint.name, route)
        for (const { body, headers, query } of made) {
          const check = (schema: Option.Option<Schema.Schema.All>, input: unknown) =>
            Option.isNone(schema) ||
            Schema.decodeUnknownSync(Schema.asSchema(schema.value as Schema.Schema<unknown>))(input)
          check(endpoint.payloadSchema, body)
          check(endpoint.urlParamsSchema, Object.fromEntries(query))
          check(endpoint.headersSchema, headers)
        }
      }
    })
    // those have clients of their own: `events`, a scraper, `ws`, and those of AG-UI
    expect([...missing.keys()]).toEqual(["metrics", "events", "socket", "run"])
    expect(new Set(calls.map(({ headers }) => headers.authorization))).toEqual(new Set(["Bearer s3cret"]))
    expect(calls.find(({ headers }) => headers["idempotency-key"] === "once")?.body)
      .toEqual({ prompt: [{ type: "text", text: "hello" }], whenBusy: "queue" })
    expect(calls.find(({ method, path }) => method === "DELETE" && path.endsWith("/decisions"))?.query.get("subject"))
      .toBe("a&b")
    expect(calls.flatMap(({ path, query }) => path.endsWith("/cancel") ? [query.get("run")] : [])).toEqual([
      null,
      "run_a"
    ])
  })

  it("an id is one part of a path, whatever is in it", async () => {
    const { calls, client } = recording()
    await client.get("../agents?x")
    expect(calls[0]?.path).toBe("/v1/sessions/..%2Fagents%3Fx")
  })

  it("what the gateway refuses is an error with its tag, status and fields", async () => {
    const busy = { _tag: "SessionBusy", message: "a turn is open", sessionId: id, runId: "run_a" }
    const { client } = recording(409, JSON.stringify(busy))
    const error = await client.prompt(id, "hello").catch((error: unknown) => error)
    expect(error).toBeInstanceOf(HoldfastError)
    expect(error).toMatchObject({ _tag: "SessionBusy", status: 409, message: "a turn is open", details: busy })
  })

  it("a gateway that is not there, and a server of another kind, are told apart", async () => {
    const away = createClient({ url: "http://127.0.0.1:1" })
    await expect(away.health()).rejects.toMatchObject({ _tag: "Unreachable", status: 0 })
    for (const body of ["<html>", "null", "{\"error\":1}"]) {
      const { client } = recording(404, body)
      await expect(client.health()).rejects.toMatchObject({ _tag: "ForeignServer", status: 404 })
    }
  })

  it("a call can be aborted, with the reason of the signal", async () => {
    const gone = new Error("gone")
    await expect(createClient({ url: "http://127.0.0.1:1" }).get(id, { signal: AbortSignal.abort(gone) }))
      .rejects.toBe(gone)
  })
})

describe("events", () => {
  /** A gateway with some events. */
  const gateway = Effect.gen(function*() {
    const log = memoryLog()
    log.append(3)
    let attached = 0
    const { url } = yield* start({
      ...log.sessions,
      attend: () => Effect.acquireRelease(Effect.sync(() => void attached++), () => Effect.sync(() => attached--))
    })
    return { log, client: createClient({ url }), attached: () => attached }
  })

  it.scopedLive("for await follows, and break leaves nothing at the gateway", () =>
    Effect.gen(function*() {
      const { attached, client, log } = yield* gateway
      const seen: Array<StoredEvent> = []
      yield* Effect.promise(async () => {
        for await (const event of client.events(id, { after: 1 })) {
          seen.push(event)
          if (event.seq === 3) log.append(1)
          if (event.seq === 4) break
        }
      })
      expect(seen).toEqual([2, 3, 4].map((seq) => JSON.parse(entry(seq).json)))
      yield* until("nobody", () => attached() === 0)
    }))

  it.scopedLive("an error in the loop leaves nothing either", () =>
    Effect.gen(function*() {
      const { attached, client } = yield* gateway
      const bug = new Error("bug")
      yield* Effect.promise(async () => {
        const loop = async () => {
          for await (const _ of client.events(id)) throw bug
        }
        await expect(loop()).rejects.toBe(bug)
      })
      yield* until("nobody", () => attached() === 0)
    }))

  it.scopedLive("a signal ends it with its reason: before it begins, while it waits, and between two events", () =>
    Effect.gen(function*() {
      const { attached, client } = yield* gateway
      const reason = new Error("enough")
      yield* Effect.promise(async () => {
        await expect(client.events(id, { signal: AbortSignal.abort(reason) }).next()).rejects.toBe(reason)

        const waiting = new AbortController()
        const idle = client.events(id, { after: 3, signal: waiting.signal })
        const next = idle.next()
        setTimeout(() => waiting.abort(reason), 50)
        await expect(next).rejects.toBe(reason)
        expect(await idle.next()).toEqual({ done: true, value: undefined })

        const between = new AbortController()
        const events = client.events(id, { signal: between.signal })
        await events.next()
        between.abort(reason)
        await expect(events.next()).rejects.toBe(reason)
      })
      yield* until("nobody", () => attached() === 0)
    }))

  it.scopedLive("return ends it also while an event is awaited", () =>
    Effect.gen(function*() {
      const { attached, client } = yield* gateway
      const events = client.events(id, { after: 3 })
      const next = events.next()
      yield* until("somebody", () => attached() === 1)
      yield* Effect.promise(async () => {
        await events.return?.()
        expect(await next).toEqual({ done: true, value: undefined })
      })
      yield* until("nobody", () => attached() === 0)
    }))

  it.scopedLive("a signal that is shared by many iterations keeps none of them", () =>
    Effect.gen(function*() {
      const { client } = yield* gateway
      const { signal } = new AbortController()
      let listeners = 0
      const add = signal.addEventListener.bind(signal)
      const remove = signal.removeEventListener.bind(signal)
      signal.addEventListener = (...args: Parameters<typeof add>) => (listeners++, add(...args))
      signal.removeEventListener = (...args: Parameters<typeof remove>) => (listeners--, remove(...args))
      for (let n = 0; n < 5; n++) {
        yield* Effect.promise(async () => {
          for await (const _ of client.events(id, { signal })) break
        })
      }
      expect(listeners).toBe(0)
    }))

  it.scopedLive("an event that is no JSON is a connection that is broken: it is closed, and made again", () =>
    Effect.gen(function*() {
      let opened = 0
      let closed = 0
      const server = Http.createServer((_, response) => {
        opened++
        response.on("close", () => closed++)
        response.writeHead(200, { "content-type": "text/event-stream" })
        response.write(opened === 1 ? "id: 1\ndata: {\n\n" : `id: 1\ndata: ${entry(1).json}\n\n`)
      })
      yield* Effect.acquireRelease(
        Effect.async<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
        () =>
          Effect.sync(() => {
            server.close()
            server.closeAllConnections()
          })
      )
      const { port } = server.address() as AddressInfo
      const events = createClient({ url: `http://127.0.0.1:${port}` }).events(id)
      expect((yield* Effect.promise(() => events.next())).value).toMatchObject({ seq: 1 })
      yield* until("the end of the first", () => closed === 1)
      yield* Effect.promise(async () => void await events.return?.())
    }))

  it.scopedLive("the session of the API is what create resolves with", () =>
    Effect.gen(function*() {
      const { url } = yield* start({ create: () => Effect.succeed(session) })
      const created = yield* Effect.promise(() => createClient({ url }).create({ agent: "scripted" }))
      expect(created).toEqual(session)
    }))
})
