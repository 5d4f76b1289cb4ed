/** A page of another site, and a name that was rebound to this machine, in a real browser. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as NodeChild from "node:child_process"
import * as NodeFs from "node:fs"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import * as Browser from "../console/browser.js"
import { eventually, gateway, temporary } from "../program.js"

leakFreeFile({ grace: "5 seconds" })

const flags = [
  "--headless",
  ...Browser.args,
  // every name is this machine, as it would be after a rebinding
  "--host-resolver-rules=MAP * 127.0.0.1"
]

/** Serves a page to everybody, once it has one, and keeps what it reports. */
const site = Effect.acquireRelease(
  Effect.async<{
    readonly port: number
    readonly serve: (page: string) => void
    readonly report: () => Record<string, string> | undefined
    readonly server: Http.Server
  }>((resume) => {
    let page = ""
    let report: Record<string, string> | undefined
    const server = Http.createServer((request, response) => {
      if (request.method !== "POST") return void response.writeHead(200, { "content-type": "text/html" }).end(page)
      let body = ""
      request.on("data", (part) => body += part).on("end", () => {
        report = JSON.parse(body)
        response.writeHead(204).end()
      })
    }).listen(0, "127.0.0.1", () =>
      resume(Effect.succeed({
        server,
        port: (server.address() as AddressInfo).port,
        serve: (text) => page = text,
        report: () => report
      })))
  }),
  ({ server }) =>
    Effect.async<void>((resume) => {
      server.close(() => resume(Effect.void))
      server.closeAllConnections()
    })
)

/** Opens the address in a profile of its own; what `--dump-dom` prints is its output. */
const browse = (url: string, ...more: ReadonlyArray<string>) =>
  Effect.flatMap(temporary, (profile) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const args = [...flags, `--user-data-dir=${profile}/profile`, ...more, url]
        const child = NodeChild.spawn(Browser.executablePath, args, {
          detached: true,
          stdio: ["ignore", "pipe", "ignore"]
        })
        let output = ""
        child.stdout.setEncoding("utf8").on("data", (text: string) => output += text)
        const exited = new Promise<void>((resolve) => child.once("close", () => resolve()))
        return { child, exited, output: () => output }
      }),
      ({ child, exited }) =>
        Effect.promise(async () => {
          try {
            // it has processes of its own, in its group
            if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL")
          } catch {
            // gone by itself
          }
          await exited
        })
    ))

/** What a page can try, and what it sees of it. `$` is the gateway. */
const attempts = `
const settle = (name, promise) => promise.then((value) => [name, value], (error) => [name, "failed: " + error.name])
const read = async (response) => response.type === "opaque" ? "opaque" : response.status + " " + (await response.text()).slice(0, 200)
const open = JSON.stringify({ agent: "demo", title: "owned" })
const form = (enctype) => new Promise((resolve) => {
  const frame = document.body.appendChild(Object.assign(document.createElement("iframe"), { name: "f" + Math.random() }))
  const form = document.body.appendChild(Object.assign(document.createElement("form"), {
    method: "post", action: $ + "/v1/sessions", enctype, target: frame.name
  }))
  form.append(Object.assign(document.createElement("input"), { name: '{"agent":"demo","title":"', value: '"}' }))
  form.submit()
  frame.onload = () => { try { resolve(frame.contentDocument.body.innerText) } catch (error) { resolve("failed: " + error.name) } }
  setTimeout(() => resolve("nothing"), 3000)
})
const socket = (path) => new Promise((resolve) => {
  const socket = new WebSocket($.replace("http", "ws") + path)
  socket.onopen = () => resolve("opened")
  socket.onerror = () => resolve("failed")
})
const source = () => new Promise((resolve) => {
  const source = new EventSource($ + "/v1/sessions/" + session + "/events")
  source.onmessage = source.onopen = () => resolve("opened")
  source.onerror = () => { source.close(); resolve("failed") }
})
const frame = () => new Promise((resolve) => {
  const frame = document.body.appendChild(Object.assign(document.createElement("iframe"), { src: $ + "/docs" }))
  frame.onload = () => { try { resolve("shown: " + frame.contentDocument.title) } catch { resolve("failed") } }
  setTimeout(() => resolve("nothing"), 3000)
})
const image = () => new Promise((resolve) => {
  const image = document.body.appendChild(document.createElement("img"))
  image.onload = () => resolve("loaded"); image.onerror = () => resolve("failed")
  image.src = $ + "/v1/sessions/" + session + "/cancel"
})
const json = { "content-type": "application/json" }
const all = () => Promise.all([
  settle("form, text/plain", form("text/plain")),
  settle("form, urlencoded", form("application/x-www-form-urlencoded")),
  settle("form, multipart", form("multipart/form-data")),
  settle("fetch, no-cors", fetch($ + "/v1/sessions", { method: "POST", mode: "no-cors", body: open }).then(read)),
  settle("fetch, no-cors, JSON", fetch($ + "/v1/sessions", { method: "POST", mode: "no-cors", headers: json, body: open }).then(read)),
  settle("fetch, cors", fetch($ + "/v1/sessions", { method: "POST", headers: json, body: open }).then(read)),
  settle("fetch, DELETE", fetch($ + "/v1/sessions/" + session, { method: "DELETE" }).then(read)),
  settle("fetch, read", fetch($ + "/v1/sessions").then(read)),
  settle("fetch, read no-cors", fetch($ + "/v1/sessions", { mode: "no-cors" }).then(read)),
  settle("beacon", Promise.resolve(navigator.sendBeacon($ + "/v1/sessions", new Blob([open], { type: "text/plain" })))),
  settle("socket", socket("/v1/sessions/" + session + "/socket?after=0")),
  settle("socket, events", socket("/v1/sessions/" + session + "/events")),
  settle("event source", source()),
  settle("frame", frame()),
  settle("image", image())
])
`

const page = (gateway: string, session: string) =>
  `<!doctype html><meta charset="utf-8"><body><script>
const $ = ${JSON.stringify(gateway)}; const session = ${JSON.stringify(session)};
${attempts}
all().then((results) => fetch("/report", { method: "POST", body: JSON.stringify(Object.fromEntries(results)) }))
</script></body>`

describe.skipIf(!NodeFs.existsSync(Browser.executablePath))("in Chromium", () => {
  for (const name of ["evil.example", "127.0.0.1"]) {
    it.scopedLive(
      `a page of ${name}, on a port of its own, commands nothing, reads nothing and shows nothing`,
      () =>
        Effect.gen(function*() {
          const running = yield* Effect.flatMap(temporary, (folder) => gateway(folder))
          const session = yield* running.open()
          const { body: before } = yield* running.request("GET", `/v1/sessions/${session}`)
          const { port, report, serve } = yield* site
          serve(page(running.url, session))
          yield* browse(`http://${name}:${port}/`, "--remote-debugging-port=0")
          const results = yield* eventually(report)
          expect(Object.keys(results).length).toBe(15)
          for (const [name, result] of Object.entries(results)) {
            // an opaque answer has neither a status nor a body for the page, and a beacon has only left
            if (name.includes("no-cors")) expect(result, name).toMatch(/^(opaque|failed)/)
            else if (name !== "beacon") expect(result, name).toMatch(/^(failed|nothing)/)
          }
          const { body: { sessions } } = yield* running.request("GET", "/v1/sessions")
          expect(sessions.map(({ id }: { id: string }) => id)).toEqual([session])
          expect((yield* running.request("GET", `/v1/sessions/${session}`)).body).toEqual(before)
        }),
      120_000
    )
  }

  it.scopedLive(
    "the same page can read and command where its origin is allowed: it is the origin that was refused",
    () =>
      Effect.gen(function*() {
        const folder = yield* temporary
        const { port, report, serve } = yield* site
        const running = yield* gateway(folder, { HOLDFAST_ALLOWED_ORIGINS: `http://evil.example:${port}` })
        const session = yield* running.open()
        serve(page(running.url, session))
        yield* browse(`http://evil.example:${port}/`, "--remote-debugging-port=0")
        const results = yield* eventually(report)
        expect(results["fetch, read"]).toMatch(/^200 /)
        expect(results["fetch, cors"], JSON.stringify(results)).toMatch(/^201 /)
        expect(results["event source"]).toBe("opened")
        // a form is refused for what it sends, and a frame for being one
        for (const name of ["form, text/plain", "form, urlencoded", "form, multipart", "frame"]) {
          expect(results[name], name).toMatch(/^(failed|nothing)/)
        }
      }),
    120_000
  )

  it.scopedLive("a name that was rebound to this machine leads to a refusal", () =>
    Effect.gen(function*() {
      const running = yield* Effect.flatMap(temporary, (folder) => gateway(folder))
      const { port } = new URL(running.url)
      const rebound = yield* browse(`http://evil.example:${port}/v1/agents`, "--dump-dom")
      yield* eventually(() => rebound.output().includes("</html>"))
      expect(rebound.output()).toContain("HostRefused")
      const own = yield* browse(`http://localhost:${port}/v1/agents`, "--dump-dom")
      yield* eventually(() => own.output().includes("</html>"))
      expect(own.output()).toContain("demo")
    }), 120_000)
})
