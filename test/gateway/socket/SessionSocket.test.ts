import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as Errors from "../../../src/domain/Errors.js"
import { RunId, SessionId } from "../../../src/domain/Ids.js"
import {
  closable,
  connect,
  entry,
  fibersBeside,
  get,
  id,
  memoryLog,
  request,
  rootFibers,
  session,
  start,
  until
} from "../fixture.js"
import { connected, open, path } from "./client.js"

leakFreeFile()

/** Returns when nothing more passes. */
const resting = (look: () => number) => {
  let before = -1
  return Effect.suspend(() => Effect.delay(Effect.succeed(before !== (before = look())), 300)).pipe(
    Effect.repeat({ while: (moves) => moves })
  )
}

const closed = { seq: 4, type: "SessionClosed" as const, json: `{"seq":4,"event":{"type":"SessionClosed"}}` }

describe("events", () => {
  it.scopedLive("come down after the cursor, as they are stored, and those that follow", () =>
    Effect.gen(function*() {
      const log = memoryLog()
      log.append(1000)
      const gateway = yield* start(log.sessions)
      const client = yield* open(gateway, `${path}?after=300`)
      yield* until("the history", () => client.texts.length === 700)
      log.append(5)
      yield* until("what follows", () => client.texts.length === 705)
      expect(client.texts).toEqual(log.entries.slice(300).map(({ json }) => json))
    }))

  it.scopedLive("EL3 a peer that does not read holds a few pages and nobody up", () =>
    Effect.gen(function*() {
      const log = memoryLog()
      let pages = 0
      const gateway = yield* start({
        ...log.sessions,
        events: (cursor) => Stream.mapChunks(log.sessions.events(cursor), (page) => (pages++, page))
      })
      const stuck = yield* connected(gateway)
      stuck.ws.pause()
      log.append(256 * 400, "x".repeat(200))
      const other = yield* connected(gateway, `${path}?after=${log.entries.length - 10}`)
      yield* until("the other's events", () => other.texts.length === 10)
      yield* resting(() => pages)
      const taken = pages
      // 100,000 events are 400 pages; the kernel's buffers hold some of them
      expect(taken).toBeLessThan(200)
      log.append(1)
      yield* until("the other's next event", () => other.texts.length === 11)
      expect(pages).toBe(taken + 1)
      stuck.ws.resume()
      yield* until("all of it", () => stuck.texts.length === log.entries.length, 60_000)
      expect(stuck.texts[50_000]).toBe(log.entries[50_000]?.json)
    }), 90_000)

  it.scopedLive("the end of the session is 1000, also for one who comes later", () =>
    Effect.gen(function*() {
      const over = { ...session, status: "closed" as const, head: 4 }
      const gateway = yield* start({
        get: () => Effect.succeed(over),
        events: ({ after }) =>
          Stream.concat(Stream.fromIterable([entry(3), closed].filter(({ seq }) => seq > after)), Stream.never)
      })
      const first = yield* open(gateway, `${path}?after=2`)
      expect(yield* first.end).toEqual([1000, "the session is closed"])
      expect(first.texts).toEqual([entry(3).json, closed.json])
      const late = yield* open(gateway, `${path}?after=4`)
      expect(yield* late.end).toEqual([1000, "the session is closed"])
      expect(late.texts).toEqual([])
    }))

  it.scopedLive("what the log says no to has a close code of its own, and is told whole in a last frame", () =>
    Effect.gen(function*() {
      const message = "x".repeat(200)
      const failures = [
        [4404, new Errors.SessionNotFound({ sessionId: id, message })],
        [4410, new Errors.CursorExpired({ sessionId: id, oldest: 7, message })],
        [1013, new Errors.EventLogUnavailable({ message })]
      ] as const
      for (const [code, error] of failures) {
        const gateway = yield* start({
          get: () => Effect.succeed(session),
          events: () => Stream.concat(Stream.make(entry(1)), Stream.fail(error))
        })
        const client = yield* open(gateway)
        expect(yield* client.end).toEqual([code, "x".repeat(123)])
        expect(client.frames()[0]).toMatchObject({ seq: 1 })
        expect(client.frames()[1]).toEqual({ error: { ...error, message } })
      }
      const unknown = yield* start({ get: () => failures[0][1] })
      expect((yield* (yield* open(unknown)).end)[0]).toBe(4404)
      const broken = yield* start({ get: () => Effect.dieMessage("secret") })
      const client = yield* open(broken)
      expect((yield* client.end)[0]).toBe(1011)
      expect(client.texts.join("")).not.toContain("secret")
    }))

  it.scopedLive("EB9 a socket counts as somebody who is there", () =>
    Effect.gen(function*() {
      const log = memoryLog()
      let there = 0
      const gateway = yield* start({
        ...log.sessions,
        attend: () => Effect.acquireRelease(Effect.sync(() => void there++), () => Effect.sync(() => there--))
      })
      const client = yield* connected(gateway)
      yield* until("somebody", () => there === 1)
      client.ws.close()
      yield* until("nobody", () => there === 0)
    }))
})

describe("commands", () => {
  const busy = new Errors.SessionBusy({ sessionId: id, runId: RunId.make("run_a"), message: "busy" })

  it.scopedLive("each is answered as its route answers over HTTP", () =>
    Effect.gen(function*() {
      const log = memoryLog()
      const called: Array<unknown> = []
      const seen = <A>(value: A) => (...args: ReadonlyArray<unknown>) => {
        called.push(args)
        return Effect.succeed(value)
      }
      const gateway = yield* start({
        ...log.sessions,
        prompt: (_, { content, idempotencyKey, whenBusy }) => {
          called.push({ content, idempotencyKey, whenBusy })
          return whenBusy === "refuse" ? busy : Effect.succeed({ runId: RunId.make("run_a"), seq: 3 })
        },
        cancel: seen(undefined),
        restart: seen(Effect.succeed(session)),
        setMode: seen(undefined),
        setConfigOption: seen(undefined),
        elicitations: seen([]),
        answer: (_, elicitationId) =>
          new Errors.ElicitationNotFound({ elicitationId, message: "there is no such question" }),
        decisions: seen([]),
        revoke: seen(undefined),
        close: seen(undefined)
      })
      const client = yield* connected(gateway)
      const http = `/v1/sessions/${id}`
      const cases: ReadonlyArray<
        readonly [frame: Record<string, unknown>, method: string, path: string, json?: unknown]
      > = [
        [{ command: "ping" }, "GET", "/health"],
        [{ command: "session" }, "GET", http],
        [{ command: "prompt" }, "POST", `${http}/runs`, { prompt: "hi" }],
        [{ command: "prompt" }, "POST", `${http}/runs`, { prompt: "hi", whenBusy: "refuse" }],
        [{ command: "prompt" }, "POST", `${http}/runs`, { promt: "hi" }],
        [{ command: "prompt" }, "POST", `${http}/runs`],
        [{ command: "cancel" }, "POST", `${http}/cancel`],
        [{ command: "cancel", run: "run_a" }, "POST", `${http}/cancel?run=run_a`],
        [{ command: "cancel", run: "no run&" }, "POST", `${http}/cancel?run=no%20run%26`],
        [{ command: "restart" }, "POST", `${http}/restart`],
        [{ command: "restart" }, "POST", `${http}/restart`, { wait: true, cause: "changed" }],
        [{ command: "mode" }, "POST", `${http}/mode`, { modeId: "plan" }],
        [{ command: "config" }, "POST", `${http}/config`, { configId: "a", value: true }],
        [{ command: "pending" }, "GET", `${http}/elicitations`],
        [{ command: "answer", elicitationId: "eli_a" }, "POST", `${http}/elicitations/eli_a`, { action: "accept" }],
        [{ command: "answer", elicitationId: "/../%" }, "POST", `${http}/elicitations/%2F..%2F%25`, {
          action: "accept"
        }],
        [{ command: "decisions" }, "GET", `${http}/decisions`],
        [{ command: "revoke", subject: "a&b=c" }, "DELETE", `${http}/decisions?subject=a%26b%3Dc`],
        [{ command: "close" }, "DELETE", http]
      ]
      const statuses: Array<number> = []
      for (const [index, [frame, method, to, json]] of cases.entries()) {
        called.length = 0
        const { status, text } = yield* request(gateway, method, to, json === undefined ? {} : { json })
        const over = [...called]
        called.length = 0
        client.send({ id: index, ...frame, ...json === undefined ? {} : { payload: json } })
        const outcome = text === "" ? {} : { [status < 400 ? "result" : "error"]: JSON.parse(text) }
        expect(yield* client.reply(index)).toEqual({ id: index, status, ...outcome })
        expect(called).toEqual(over)
        statuses.push(status)
      }
      expect(statuses).toEqual([
        200,
        200,
        202,
        409,
        400,
        400,
        202,
        202,
        400,
        202,
        200,
        204,
        204,
        200,
        404,
        400,
        200,
        204,
        204
      ])
      client.send({ id: "key", command: "prompt", payload: { prompt: "hi" }, idempotencyKey: "once" })
      expect(yield* client.reply("key")).toMatchObject({ status: 202 })
      expect(called.at(-1)).toMatchObject({ idempotencyKey: "once" })
    }))

  it.scopedLive("a fault of a frame that has an id is a reply; the socket lives on", () =>
    Effect.gen(function*() {
      const gateway = yield* start(memoryLog().sessions)
      const client = yield* connected(gateway)
      client.send({ id: 1, command: "promt" }, { id: "b", command: "cancel", paylod: {} }, { id: 3 })
      expect(yield* client.reply(1)).toMatchObject({
        status: 400,
        error: { _tag: "RequestInvalid", issues: [{ path: ["command"], message: expect.stringContaining("cancel") }] }
      })
      expect(yield* client.reply("b")).toMatchObject({ status: 400, error: { issues: [{ path: ["paylod"] }] } })
      expect(yield* client.reply(3)).toMatchObject({ status: 400, error: { issues: [{ path: ["command"] }] } })
      client.send({ id: 4, command: "ping" })
      expect(yield* client.reply(4)).toMatchObject({ status: 200 })
    }))

  it.scopedLive("a frame that is no command is 4400, one that is too large 1009", () =>
    Effect.gen(function*() {
      const gateway = yield* start(memoryLog().sessions, { maxBodyBytes: 1000 })
      const bad = [
        "{",
        "null",
        "[]",
        "\"cancel\"",
        JSON.stringify({ command: "cancel" }),
        Buffer.from("{}"),
        `{"id":{}}`
      ]
      for (const frame of bad) {
        const client = yield* connected(gateway)
        client.ws.send(frame)
        expect((yield* client.end)[0]).toBe(4400)
        expect(client.frames()).toEqual([{ error: expect.objectContaining({ _tag: "RequestInvalid" }) }])
      }
      const client = yield* connected(gateway)
      client.send({ id: 1, command: "prompt", payload: { prompt: "x".repeat(4000) } })
      expect((yield* client.end)[0]).toBe(1009)
    }))

  it.scopedLive("they run side by side, a bounded number of them, and end with the socket", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      let waiting = 0
      let left = 0
      const gateway = yield* start({
        ...memoryLog().sessions,
        cancel: () => Effect.void,
        setMode: () =>
          Effect.suspend(() => (waiting++, Deferred.await(gate))).pipe(Effect.ensuring(Effect.sync(() => left++)))
      })
      const client = yield* connected(gateway)
      const hangs = (id: number) => ({ id, command: "mode", payload: { modeId: "a" } })
      client.send(hangs(0), { id: "c", command: "cancel" })
      expect(yield* client.reply("c")).toMatchObject({ status: 202 })
      for (let n = 1; n < 32; n++) client.send(hangs(n))
      client.send({ id: "more", command: "cancel" })
      expect(yield* client.reply("more")).toMatchObject({
        status: 429,
        error: { _tag: "LimitReached", what: "commands", limit: 32, message: expect.stringContaining("32 commands") }
      })
      expect(waiting).toBe(32)
      client.ws.terminate()
      yield* until("their end", () => left === 32)
    }))

  it.scopedLive(
    "of a peer that sends and does not read no more is read, and no reply piles up",
    () =>
      Effect.gen(function*() {
        let handled = 0
        const busy = new Errors.SessionBusy({ sessionId: id, runId: RunId.make("run_a"), message: "x".repeat(10_000) })
        const gateway = yield* start({ ...memoryLog().sessions, prompt: () => Effect.suspend(() => (handled++, busy)) })
        const client = yield* connected(gateway)
        client.ws.pause()
        // 12 MB, with replies of 30 MB
        for (let id = 0; id < 3000; id++) {
          client.send({ id, command: "prompt", payload: { prompt: "x".repeat(4000) } })
        }
        yield* resting(() => handled)
        expect(handled).toBeLessThan(2000)
        expect(client.ws.bufferedAmount).toBeGreaterThan(1_000_000)
        client.ws.resume()
        yield* until("all replies", () => client.texts.length === 3000, 40_000)
        expect(client.frames().every(({ status }) => status === 409 || status === 429)).toBe(true)
      }),
    60_000
  )
})

describe("before the upgrade", () => {
  it.scopedLive("who may not call is refused over HTTP, as on every route", () =>
    Effect.gen(function*() {
      const gateway = yield* start(memoryLog().sessions, { maxEventStreams: 1 })
      const refused = (to: string, headers: Record<string, string>) =>
        Effect.gen(function*() {
          const client = yield* open(gateway, to, { headers })
          yield* until("the refusal", () => client.refusal() !== undefined)
          const { body, status } = client.refusal() ?? {}
          return [status, body?._tag]
        })
      expect(yield* refused(path, { host: "evil.example" })).toEqual([403, "HostRefused"])
      expect(yield* refused(path, { origin: "https://evil.example" })).toEqual([403, "OriginRefused"])
      expect(yield* refused(`${path}?after=-1`, {})).toEqual([400, "RequestInvalid"])
      expect(yield* refused(`${path}?afer=1`, {})).toEqual([400, "RequestInvalid"])
      expect(yield* refused("/v1/sessions/nonsense/socket", {})).toEqual([400, "RequestInvalid"])
      expect(yield* refused("/nowhere", {})).toEqual([404, "RouteNotFound"])
      const own = yield* connected(gateway, path, { headers: { origin: gateway.url } })
      expect(yield* refused(path, {})).toEqual([429, "LimitReached"])
      own.ws.terminate()
      // the gateway hears of it when it hears of it
      const next = Effect.scoped(Effect.gen(function*() {
        const client = yield* open(gateway)
        yield* until("an answer", () => client.refusal() !== undefined || client.ws.readyState === client.ws.OPEN)
        return client.refusal() === undefined
      }))
      expect(yield* Effect.repeat(next, { until: (free) => free, times: 500 })).toBe(true)
    }))

  it.scopedLive("a request that is no upgrade, or a wrong one, is told what this route wants", () =>
    Effect.gen(function*() {
      const gateway = yield* start(memoryLog().sessions)
      expect(yield* request(gateway, "GET", path)).toMatchObject({
        status: 426,
        headers: { upgrade: "websocket" },
        body: { _tag: "UpgradeRequired" }
      })
      const upgrade = ["Connection: upgrade", "Upgrade: websocket"]
      for (const more of [[], ["Sec-WebSocket-Key: short"], [`Sec-WebSocket-Key: ${"A".repeat(22)}==`]]) {
        const client = yield* connect(gateway)
        client.write(get(path, ...upgrade, ...more))
        yield* until("the refusal", client.closed)
        expect(client.received()).toMatch(/^HTTP\/1.1 426 [^]*"UpgradeRequired"/)
      }
      // any other route answers as if nothing had been said of an upgrade
      const other = yield* connect(gateway)
      other.write(get("/health", "Connection: upgrade", "Upgrade: websocket"))
      yield* until("the answer", other.closed)
      expect(other.received()).toMatch(/^HTTP\/1.1 200 [^]*"ok"/)
    }))

  it.scopedLive("a request that would rather have another protocol is answered in this one, with its body and what comes after it", () =>
    Effect.gen(function*() {
      const asked: Array<string> = []
      const { sessions } = memoryLog()
      const gateway = yield* start({
        ...sessions,
        create: ({ agent }) => Effect.flatMap(Effect.sync(() => void asked.push(agent)), () => sessions.get())
      })
      const client = yield* connect(gateway)
      const http2 = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk"]
      const create = (agent: string, ...headers: ReadonlyArray<string>) => {
        const body = JSON.stringify({ agent })
        const type = "Content-Type: application/json"
        return `${
          get("/v1/sessions", ...headers, type, `Content-Length: ${body.length}`).replace("GET", "POST")
        }${body}`
      }
      const answers = () => client.received().match(/HTTP\/1.1 20\d/g)?.length ?? 0
      client.write(create("whole", ...http2))
      yield* until("an answer", () => answers() === 1)
      // on the same connection, and with a body that comes later
      const parts = create("parts", ...http2)
      client.write(parts.slice(0, -5))
      yield* Effect.sleep(20)
      client.write(parts.slice(-5))
      yield* until("another answer", () => answers() === 2)
      client.write(create("first", ...http2) + create("second"))
      yield* until("both", () => answers() === 4)
      client.write(create("last", ...http2, "Connection: close"))
      yield* until("the end", client.closed)
      expect(asked).toEqual(["whole", "parts", "first", "second", "last"])
      for (const path of [`/v1/sessions/${id}/socket`, "/nowhere"]) {
        const refused = yield* connect(gateway)
        refused.write(get(path, ...http2))
        yield* until("a refusal", () => refused.received().includes(path === "/nowhere" ? " 404 " : " 426 "))
      }
    }))

  it.scopedLive("a client that asked another route for an upgrade, and is gone while it is answered, takes nothing with it", () =>
    Effect.gen(function*() {
      const log = memoryLog()
      const gateway = yield* start(log.sessions, { maxEventStreams: 1 })
      yield* Effect.scoped(Effect.gen(function*() {
        const client = yield* connect(gateway)
        client.write(get(`/v1/sessions/${id}/events`, "Connection: upgrade", "Upgrade: websocket"))
        yield* until("the answer", () => client.received().includes("retry:"))
      }))
      // what is written to it now meets a connection that is reset
      const free = Effect.gen(function*() {
        log.append(1)
        return (yield* request(gateway, "GET", `/v1/sessions/${id}/events?follow=false`)).status === 200
      })
      expect(yield* Effect.repeat(free, { until: (free) => free, times: 500 })).toBe(true)
    }))

  it.scopedLive("a client that asks for an upgrade before it was answered is cut off, and takes nothing with it", () =>
    Effect.gen(function*() {
      const gateway = yield* start(memoryLog().sessions)
      const client = yield* connect(gateway)
      const upgrade = get("/health", "Connection: upgrade", "Upgrade: websocket")
      client.write(get(`/v1/sessions/${id}/events`) + upgrade)
      yield* until("the end", client.closed)
      expect((yield* request(gateway, "GET", "/health")).status).toBe(200)
    }))

  it.scopedLive("what comes with the handshake is not lost", () =>
    Effect.gen(function*() {
      const gateway = yield* start(memoryLog().sessions)
      const client = yield* connect(gateway)
      const mask = Buffer.from([1, 2, 3, 4])
      const text = Buffer.from(JSON.stringify({ id: "early", command: "ping" }))
      const frame = Buffer.concat([
        Buffer.from([0x81, 0x80 | text.length]),
        mask,
        text.map((byte, index) => byte ^ (mask[index % 4] ?? 0))
      ])
      const head = get(
        path,
        "Connection: upgrade",
        "Upgrade: websocket",
        `Sec-WebSocket-Key: ${"A".repeat(22)}==`,
        "Sec-WebSocket-Version: 13"
      )
      client.write(Buffer.concat([Buffer.from(head), frame]))
      yield* until("the reply", () => client.received().includes("\"id\":\"early\",\"status\":200"))
    }))
})

describe("heartbeat", () => {
  const handshake = get(
    path,
    "Connection: upgrade",
    "Upgrade: websocket",
    `Sec-WebSocket-Key: ${"A".repeat(22)}==`,
    "Sec-WebSocket-Version: 13"
  )

  it.scopedLive("SM7 a peer that gives no sign of life is cut; one that answers pings stays", () =>
    Effect.gen(function*() {
      const gateway = yield* start(memoryLog().sessions, { heartbeat: "100 millis" })
      const living = yield* connected(gateway)
      let pings = 0
      living.ws.on("ping", () => pings++)
      // speaks no WebSocket once it is one
      const dead = yield* connect(gateway)
      dead.write(handshake)
      yield* until("the cut", dead.closed)
      yield* until("many pings", () => pings > 8)
      expect(living.ws.readyState).toBe(living.ws.OPEN)
      // and the other way: ours are answered
      let ponged = false
      living.ws.on("pong", () => ponged = true)
      living.ws.ping()
      yield* until("the pong", () => ponged)
    }))

  it.scopedLive(
    "SM7 one that reads, however slowly, lives, although it comes to no ping",
    () =>
      Effect.gen(function*() {
        const log = memoryLog()
        log.append(20_000, "x".repeat(1000))
        const gateway = yield* start(log.sessions, { heartbeat: "100 millis" })
        const slow = yield* connected(gateway)
        const socket: { pause: () => void; resume: () => void } = Reflect.get(slow.ws, "_socket")
        for (let n = 0; n < 15; n++) {
          socket.resume()
          yield* Effect.sleep(10)
          socket.pause()
          yield* Effect.sleep(90)
        }
        expect(slow.ws.readyState).toBe(slow.ws.OPEN)
        // and one that has stopped does not
        yield* Effect.sleep(1000)
        socket.resume()
        expect((yield* slow.end)[0]).toBe(1006)
      }),
    60_000
  )
})

describe("close", () => {
  it.scopedLive("tells each socket 1001 after the replies that are under way, and returns with nothing left", () =>
    Effect.gen(function*() {
      const log = memoryLog()
      log.append(3)
      const gate = yield* Deferred.make<void>()
      let entered = false
      const { close, gateway } = yield* closable({
        ...log.sessions,
        cancel: () => Effect.zipRight(Effect.sync(() => entered = true), Deferred.await(gate))
      }, { grace: "20 seconds" })
      const clients = yield* Effect.replicateEffect(connected(gateway), 5)
      const [first] = clients
      if (first === undefined) return
      yield* until("the events", () => clients.every(({ texts }) => texts.length === 3))
      first.send({ id: 1, command: "cancel" })
      yield* until("the command", () => entered)
      const closing = yield* Effect.fork(close)
      yield* until("others are told", () => clients.slice(1).every(({ ws }) => ws.readyState === ws.CLOSED))
      expect(first.ws.readyState).toBe(first.ws.OPEN)
      yield* Deferred.succeed(gate, undefined)
      for (const client of clients) {
        expect(yield* client.end).toEqual([1001, "the gateway is shutting down"])
        expect(client.frames().at(-1)).toMatchObject({ error: { _tag: "Draining" } })
      }
      expect(first.frames().at(-2)).toEqual({ id: 1, status: 202 })
      expect(yield* Fiber.join(closing)).toBeLessThan(10_000)
    }))

  it.scopedLive("does not wait for peers that do not read, do not answer, or hang in a command", () =>
    Effect.gen(function*() {
      const log = memoryLog()
      log.append(20_000, "x".repeat(1000))
      const { close, gateway } = yield* closable({ ...log.sessions, cancel: () => Effect.never })
      const stuck = yield* connected(gateway)
      stuck.ws.pause()
      const hangs = yield* connected(gateway, `${path}?after=20000`)
      hangs.send({ id: 1, command: "cancel" })
      yield* Effect.sleep(200)
      expect(yield* close).toBeLessThan(20_000)
      stuck.ws.resume()
      expect((yield* hangs.end)[0]).toBe(1001)
      expect((yield* stuck.end)[0]).toBe(1006)
    }))

  it.scopedLive("cuts them off at the end of a grace that is shorter than their goodbye", () =>
    Effect.gen(function*() {
      const log = memoryLog()
      log.append(20_000, "x".repeat(1000))
      const { close, gateway } = yield* closable(log.sessions, { grace: "100 millis" })
      const stuck = yield* connected(gateway)
      stuck.ws.pause()
      yield* Effect.sleep(200)
      expect(yield* close).toBeLessThan(900)
    }))

  it.scopedLive("leaves no fiber, however its clients left", () =>
    Effect.gen(function*() {
      const log = memoryLog()
      log.append(1000)
      const { close, gateway } = yield* closable({
        ...log.sessions,
        get: () => Effect.as(Effect.uninterruptible(Effect.sleep(20)), session),
        cancel: () => Effect.never
      })
      yield* request(gateway, "GET", "/health")
      const before = rootFibers()
      yield* Effect.forEach(["terminate", "close", "bad", "command"] as const, (how) =>
        Effect.forEach([0, 1, 5, 20, 60], (millis) =>
          Effect.scoped(Effect.gen(function*() {
            const { send, ws } = yield* open(gateway)
            ws.once("open", () =>
              how === "command" ? send({ id: 1, command: "cancel" }) : undefined)
            yield* Effect.sleep(millis)
            if (ws.readyState !== ws.OPEN) return
            if (how === "bad") ws.send("{")
            if (how === "close") ws.close(3000)
            if (how !== "terminate") yield* Effect.sleep(10)
          }))), { concurrency: 10 })
      expect(yield* fibersBeside(before)).toBe(0)
      yield* close
    }))
})

it.scopedLive("an unknown session is no reason to be refused before the upgrade, as a browser could not see it", () =>
  Effect.gen(function*() {
    const gateway = yield* start({
      get: (sessionId) => new Errors.SessionNotFound({ sessionId, message: "there is none" })
    })
    const client = yield* open(gateway, `/v1/sessions/${SessionId.make("ses_other")}/socket`)
    expect(yield* client.end).toEqual([4404, "there is none"])
  }))
