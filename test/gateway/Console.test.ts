import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as NodeFs from "node:fs"
import * as Zlib from "node:zlib"
import type * as Gateway from "../../src/gateway/Gateway.js"
import { temporary } from "../program.js"
import { connect, get, request, start, until } from "./fixture.js"

leakFreeFile()

const script = "console.log(\"a page\")\n".repeat(100)

/** A console with a page and a script, and a secret beside it. */
const built = Effect.map(temporary, (folder) => {
  NodeFs.mkdirSync(`${folder}/console/assets`, { recursive: true })
  NodeFs.writeFileSync(`${folder}/console/index.html`, "<!doctype html><title>Holdfast</title>")
  NodeFs.writeFileSync(`${folder}/console/assets/index-1a2b.js`, script)
  NodeFs.writeFileSync(`${folder}/console/assets/icon-3c4d.svg`, "<svg/>")
  NodeFs.writeFileSync(`${folder}/console/secret.txt`, "TOP SECRET")
  NodeFs.writeFileSync(`${folder}/secret.txt`, "TOP SECRET")
  return `${folder}/console`
})

const serving = (options: Partial<Gateway.Options> = {}) =>
  Effect.flatMap(built, (console) => start({}, { console, ...options }))

describe("the console", () => {
  it.scopedLive("is served with a policy that lets nothing run but its own files, and no page frame it", () =>
    Effect.gen(function*() {
      const gateway = yield* serving()
      const page = yield* request(gateway, "GET", "/?from=a-bookmark")
      expect(page).toMatchObject({
        status: 200,
        text: "<!doctype html><title>Holdfast</title>",
        headers: {
          "content-type": "text/html; charset=utf-8",
          "cache-control": "no-cache",
          "x-content-type-options": "nosniff",
          "referrer-policy": "no-referrer"
        }
      })
      const policy = String(page.headers["content-security-policy"]).split("; ")
      expect(policy).toEqual(expect.arrayContaining([
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'"
      ]))
      expect(policy.join()).not.toMatch(/unsafe|https?:|\*/)
    }))

  it.scopedLive("has parts that a browser keeps for ever, because their names change with them", () =>
    Effect.gen(function*() {
      const gateway = yield* serving()
      expect(yield* request(gateway, "GET", "/assets/index-1a2b.js")).toMatchObject({
        status: 200,
        text: script,
        headers: {
          "content-type": "text/javascript; charset=utf-8",
          "cache-control": "public, max-age=31536000, immutable",
          "x-content-type-options": "nosniff"
        }
      })
      const icon = yield* request(gateway, "GET", "/assets/icon-3c4d.svg")
      expect(icon.headers["content-type"]).toBe("image/svg+xml")
      const head = yield* request(gateway, "HEAD", "/assets/index-1a2b.js")
      expect(head).toMatchObject({ status: 200, text: "", headers: { "content-length": String(script.length) } })
    }))

  it.scopedLive("is compressed for whoever can read that", () =>
    Effect.gen(function*() {
      const gateway = yield* serving()
      const ask = (accept: string) =>
        Effect.promise(async () => {
          // fetch unpacks by itself, so the length tells
          const response = await fetch(`${gateway.url}/assets/index-1a2b.js`, {
            headers: { "accept-encoding": accept }
          })
          return [
            response.headers.get("content-encoding"),
            Number(response.headers.get("content-length")),
            await response.text()
          ]
        })
      const zipped = Zlib.gzipSync(script).length
      expect(yield* ask("br, gzip;q=0.8")).toEqual(["gzip", zipped, script])
      expect(yield* ask("gzip;q=0")).toEqual([null, script.length, script])
      expect(yield* ask("identity")).toEqual([null, script.length, script])
    }))

  it.scopedLive("needs no token, and nothing else goes without it", () =>
    Effect.gen(function*() {
      const gateway = yield* serving({ token: Redacted.make("secret") })
      for (const path of ["/", "/?x", "/assets/index-1a2b.js"]) {
        expect((yield* request(gateway, "GET", path)).status).toBe(200)
      }
      for (
        const path of [
          "/assets/",
          "/assets/other.js",
          "//",
          "/v1/sessions",
          "/v1/sessions?/",
          "/docs",
          "/;/../v1/agents",
          "/assets/index-1a2b.js/../../v1/agents"
        ]
      ) {
        const { status } = yield* request(gateway, "GET", path)
        expect([path, status]).toEqual([path, 401])
      }
    }))

  it.scopedLive("is for pages of this machine: a rebound name and a foreign origin get nothing of it", () =>
    Effect.gen(function*() {
      const gateway = yield* serving()
      const rebound = yield* request(gateway, "GET", "/", { headers: { host: "evil.example" } })
      expect(rebound).toMatchObject({ status: 403, body: { _tag: "HostRefused" } })
      const foreign = yield* request(gateway, "GET", "/", { headers: { origin: "https://evil.example" } })
      expect(foreign).toMatchObject({ status: 403, body: { _tag: "OriginRefused" } })
    }))

  it.scopedLive("gives out what was built and nothing else, however a path is written", () =>
    Effect.gen(function*() {
      const gateway = yield* serving()
      const client = yield* connect(gateway)
      const paths = [
        "/assets/../secret.txt",
        "/assets/../../secret.txt",
        "/assets/..%2fsecret.txt",
        "/assets/%2e%2e/secret.txt",
        "/assets/..\\secret.txt",
        "/assets/....//secret.txt",
        "/assets//etc/passwd",
        "/assets/%00",
        "/assets/index-1a2b.js%00.txt",
        "/assets/",
        "/assets",
        "/index.html",
        "/secret.txt",
        "//etc/passwd",
        "/..",
        "/%",
        "/assets/%c0%ae%c0%ae/secret.txt"
      ]
      for (const path of paths) client.write(get(path))
      client.write(get("/health"))
      yield* until("the last answer", () => client.received().includes("\"ok\""))
      const statuses = [...client.received().matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)
      expect(statuses).toHaveLength(paths.length + 1)
      expect(new Set(statuses.slice(0, -1))).toEqual(new Set(["404"]))
      expect(client.received()).not.toContain("SECRET")
      expect(client.received()).not.toContain("root:")
    }))

  it.scopedLive("goes on as it was when its files are replaced or removed under a running gateway", () =>
    Effect.gen(function*() {
      const folder = yield* built
      const gateway = yield* start({}, { console: folder })
      NodeFs.rmSync(folder, { recursive: true })
      expect((yield* request(gateway, "GET", "/")).text).toContain("<title>Holdfast</title>")
      expect((yield* request(gateway, "GET", "/assets/index-1a2b.js")).text).toBe(script)
    }))

  it.scopedLive("that is not there is said in one line, and is no reason not to start", () =>
    Effect.gen(function*() {
      const gateway = yield* start({}, { console: "/nowhere" })
      const reply = yield* request(gateway, "GET", "/")
      expect(reply).toMatchObject({ status: 404, body: { _tag: "RouteNotFound" } })
      expect(reply.body.message).toContain("the console is not part of this installation")
      expect((yield* request(gateway, "GET", "/v1/agents")).status).toBe(200)
    }))
})
