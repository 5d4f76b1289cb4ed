/** What a page of another site can make a browser send to a gateway on this machine, header by header as browsers do. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { leakFreeFile } from "holdfast/testing/vitest"
import type { Gateway } from "../../src/gateway/Gateway.js"
import { connect, memoryLog, type Reply, request, session, start, until } from "../gateway/fixture.js"

leakFreeFile()

const evil = "https://evil.example"
const path = `/v1/sessions/${session.id}`

/** A gateway that notes every command that gets through. */
const watched = Effect.gen(function*() {
  const reached: Array<string> = []
  const note = (command: string) => Effect.sync(() => void reached.push(command))
  const log = memoryLog()
  log.append(3)
  const gateway = yield* start({
    ...log.sessions,
    create: () => Effect.as(note("create"), session),
    close: () => note("close"),
    cancel: () => note("cancel"),
    answer: () => note("answer"),
    attend: () => note("attend"),
    list: () => Effect.as(note("list"), [session])
  })
  return { gateway, reached }
})

type Headers = Record<string, string>

const send = (gateway: Gateway["Type"], method: string, path: string, headers: Headers, body?: string) =>
  request(gateway, method, path, {
    headers: { host: `127.0.0.1:${gateway.port}`, ...headers },
    ...(body === undefined ? {} : { raw: body })
  })

const refused = ({ body, headers, status }: Reply, ...tags: ReadonlyArray<string>) => {
  expect([403, 415, 405, 404]).toContain(status)
  expect(tags).toContain(body._tag)
  expect(headers["access-control-allow-origin"]).toBeUndefined()
}

const formTrick = "{\"agent\":\"demo\",\"title\":\"=\"}"

describe("a page of another site", () => {
  for (
    const [type, body] of [
      ["text/plain", formTrick],
      ["application/x-www-form-urlencoded", "agent=demo"],
      [
        "multipart/form-data; boundary=x",
        "--x\r\nContent-Disposition: form-data; name=\"agent\"\r\n\r\ndemo\r\n--x--\r\n"
      ]
    ] as const
  ) {
    it.scopedLive(`cannot open a session with a form of type ${type}, whatever its Origin`, () =>
      Effect.gen(function*() {
        const { gateway, reached } = yield* watched
        const form = {
          "content-type": type,
          "sec-fetch-site": "cross-site",
          "sec-fetch-mode": "navigate",
          "sec-fetch-dest": "document",
          "sec-fetch-user": "?1"
        }
        // a sandboxed frame says "null"; a browser that is too old for either header still cannot send JSON
        for (const origin of [{ origin: evil }, { origin: "null" }]) {
          refused(yield* send(gateway, "POST", "/v1/sessions", { ...form, ...origin }, body), "OriginRefused")
        }
        refused(
          yield* send(gateway, "POST", "/v1/sessions", { "content-type": type }, body),
          "ContentTypeRefused"
        )
        refused(yield* send(gateway, "POST", `${path}/cancel`, { ...form, origin: evil }, body), "OriginRefused")
        expect(reached).toEqual([])
      }))
  }

  it.scopedLive("cannot command by fetch, by a beacon or without a body, and is allowed no preflight", () =>
    Effect.gen(function*() {
      const { gateway, reached } = yield* watched
      const cross = { origin: evil, "sec-fetch-site": "cross-site", "sec-fetch-dest": "empty" }
      const noCors = { ...cross, "sec-fetch-mode": "no-cors", "content-type": "text/plain;charset=UTF-8" }
      const cors = { ...cross, "sec-fetch-mode": "cors", "content-type": "application/json" }
      refused(yield* send(gateway, "POST", "/v1/sessions", noCors, "{\"agent\":\"demo\"}"), "OriginRefused")
      refused(yield* send(gateway, "POST", "/v1/sessions", cors, "{\"agent\":\"demo\"}"), "OriginRefused")
      refused(
        yield* send(gateway, "POST", `${path}/cancel`, { ...cross, "sec-fetch-mode": "no-cors" }),
        "OriginRefused"
      )
      refused(yield* send(gateway, "DELETE", path, cors), "OriginRefused")
      const preflight = { ...cross, "sec-fetch-mode": "cors", "access-control-request-method": "DELETE" }
      refused(yield* send(gateway, "OPTIONS", path, preflight), "OriginRefused")
      expect(reached).toEqual([])
    }))

  it.scopedLive("cannot so much as look: a read without an Origin says by Sec-Fetch-Site where it comes from", () =>
    Effect.gen(function*() {
      const { gateway, reached } = yield* watched
      for (const site of ["cross-site", "same-site"]) {
        for (const dest of ["empty", "image", "script", "audio", "iframe"]) {
          const mode = dest === "iframe" ? "navigate" : "no-cors"
          const headers = { "sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": dest }
          refused(yield* send(gateway, "GET", "/v1/sessions", headers), "OriginRefused")
          refused(yield* send(gateway, "GET", `${path}/events`, headers), "OriginRefused")
        }
      }
      expect(reached).toEqual([])
    }))

  it.scopedLive("is another one also on another port of this machine", () =>
    Effect.gen(function*() {
      const { gateway, reached } = yield* watched
      const own = `127.0.0.1:${gateway.port}`
      for (
        const origin of ["http://127.0.0.1:3000", "http://127.0.0.1", `https://${own}.evil.example`, `file://${own}`]
      ) {
        const headers = { origin, "sec-fetch-site": "same-site", "sec-fetch-mode": "cors" }
        refused(yield* send(gateway, "GET", "/v1/sessions", headers), "OriginRefused")
      }
      expect(reached).toEqual([])
    }))

  it.scopedLive("opens no WebSocket", () =>
    Effect.gen(function*() {
      const { gateway, reached } = yield* watched
      for (const route of ["socket", "events"]) {
        const page = yield* connect(gateway)
        page.write([
          `GET ${path}/${route} HTTP/1.1`,
          `Host: 127.0.0.1:${gateway.port}`,
          `Origin: ${evil}`,
          "Connection: Upgrade",
          "Upgrade: websocket",
          "Sec-WebSocket-Version: 13",
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
          "Sec-Fetch-Site: cross-site",
          "Sec-Fetch-Mode: websocket",
          "",
          ""
        ].join("\r\n"))
        yield* until("an answer", () => page.received().includes("\r\n\r\n"))
        expect(page.received()).toMatch(/^HTTP\/1.1 403 /)
      }
      expect(reached).toEqual([])
    }))

  it.scopedLive("can link here; the gateway's own pages, and programs that are no browser, may call", () =>
    Effect.gen(function*() {
      const { gateway, reached } = yield* watched
      const link = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" }
      expect((yield* send(gateway, "GET", "/docs", link)).status).toBe(200)
      const own = { "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty" }
      expect((yield* send(gateway, "GET", "/v1/sessions", own)).status).toBe(200)
      const origin = `http://127.0.0.1:${gateway.port}`
      const json = { "content-type": "application/json" }
      expect((yield* send(gateway, "POST", "/v1/sessions", { ...own, ...json, origin }, "{\"agent\":\"a\"}")).status)
        .toBe(201)
      expect((yield* send(gateway, "POST", "/v1/sessions", json, "{\"agent\":\"a\"}")).status).toBe(201)
      expect(reached).toEqual(["list", "create", "create"])
    }))

  it.scopedLive("cannot put the gateway in a frame, nor have what an agent wrote taken for a page", () =>
    Effect.gen(function*() {
      const { gateway } = yield* watched
      for (const url of ["/docs", "/health", "/nowhere", `${path}/events?follow=false`]) {
        const { headers } = yield* request(gateway, "GET", url)
        expect(headers["x-content-type-options"]).toBe("nosniff")
        expect(headers["x-frame-options"]).toBe("DENY")
      }
      // also where it is refused
      const { headers, status } = yield* request(gateway, "GET", "/docs", { headers: { host: "evil.example" } })
      expect([status, headers["x-frame-options"]]).toEqual([403, "DENY"])
    }))
})

describe("DNS rebinding: a name of another's that leads to this machine", () => {
  const raw = (gateway: Gateway["Type"], head: ReadonlyArray<string>) =>
    Effect.scoped(Effect.gen(function*() {
      const client = yield* connect(gateway)
      client.write([...head, "", ""].join("\r\n"))
      yield* until("an answer", () => /\r\n\r\n{.*}$/s.test(client.received()))
      return client.received()
    }))

  it.scopedLive("is refused in every way of writing it", () =>
    Effect.gen(function*() {
      const { gateway, reached } = yield* watched
      const { port } = gateway
      for (
        const host of [
          "evil.example",
          `evil.example:${port}`,
          "EVIL.EXAMPLE",
          "localhost.evil.example",
          "evil.example.",
          `localhost.:${port}`,
          "evil.example@localhost",
          "localhost@evil.example",
          "localhost#evil.example",
          "localhost:80:80",
          "localhost:evil",
          "[::1].evil.example",
          "[::ffff:127.0.0.1]",
          "[fe80::1]",
          "127.0.0.1.nip.io",
          "127.0.0.256",
          "0.0.0.0",
          "2130706433",
          "0x7f.1",
          "127.1",
          "localhost, evil.example",
          ""
        ]
      ) {
        const answer = yield* raw(gateway, ["GET /v1/sessions HTTP/1.1", `Host: ${host}`])
        expect(answer, host).toMatch(/^HTTP\/1.1 403 [^]*HostRefused/)
      }
      expect(reached).toEqual([])
    }))

  it.scopedLive("is believed to no other header, and to no second Host", () =>
    Effect.gen(function*() {
      const { gateway, reached } = yield* watched
      for (
        const heads of [
          ["Host: evil.example", "X-Forwarded-Host: localhost", "X-Host: localhost", "Forwarded: host=localhost"],
          ["Host: evil.example", "Host: localhost"],
          ["Host: localhost", "Host: evil.example"]
        ]
      ) {
        expect(yield* raw(gateway, ["GET /v1/sessions HTTP/1.1", ...heads])).toMatch(/^HTTP\/1.1 40[03] /)
      }
      expect(yield* raw(gateway, ["GET /v1/sessions HTTP/1.0"])).toMatch(/^HTTP\/1.1 403 /)
      expect(reached).toEqual([])
    }))

  it.scopedLive("is missed with words, on loopback and elsewhere, over HTTP and at a socket's door", () =>
    Effect.gen(function*() {
      const { gateway, reached } = yield* watched
      const everywhere = yield* start({}, { host: "0.0.0.0", token: Redacted.make("secret") })
      const upgrade = [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        `Sec-WebSocket-Key: ${btoa("0123456789abcdef")}`
      ]
      for (const to of [gateway, everywhere]) {
        for (const heads of [["GET /health HTTP/1.1"], [`GET ${path}/socket HTTP/1.1`, ...upgrade]]) {
          expect(yield* raw(to, heads)).toMatch(/^HTTP\/1.1 400 [^]*\r\n\r\n{.*Host.*"_tag":"RequestMalformed"}$/)
        }
      }
      expect(reached).toEqual([])
    }))

  it.scopedLive("is refused where the request's target names it, as to a proxy", () =>
    Effect.gen(function*() {
      const { gateway, reached } = yield* watched
      for (
        const target of ["http://evil.example/v1/sessions", "HTTPS://evil.example:1/v1/sessions", "//evil.example/v1/x"]
      ) {
        expect(yield* raw(gateway, [`GET ${target} HTTP/1.1`, "Host: localhost"]), target).toMatch(
          /^HTTP\/1.1 40[034] /
        )
      }
      expect(reached).toEqual([])
      expect(yield* raw(gateway, ["GET http://localhost/v1/sessions HTTP/1.1", "Host: localhost"]))
        .toMatch(/^HTTP\/1.1 200 /)
    }))

  it.scopedLive("is this machine's by its usual names", () =>
    Effect.gen(function*() {
      const { gateway } = yield* watched
      for (
        const host of [
          "localhost",
          `LocalHost:${gateway.port}`,
          "127.0.0.1",
          "127.8.9.1:1",
          "[::1]",
          `[::1]:${gateway.port}`
        ]
      ) {
        expect(yield* raw(gateway, ["GET /v1/sessions HTTP/1.1", `Host: ${host}`]), host).toMatch(/^HTTP\/1.1 200 /)
      }
    }))
})
