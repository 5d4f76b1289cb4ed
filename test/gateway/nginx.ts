/** The real nginx before a gateway: a child process with a configuration of its own, gone when the scope closes. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as NodeChild from "node:child_process"
import * as NodeFs from "node:fs"
import * as Net from "node:net"
import * as NodeOs from "node:os"
import * as NodePath from "node:path"
import { fileURLToPath } from "node:url"
import type * as Gateway from "../../src/gateway/Gateway.js"
import { ownPort } from "../program.js"

/** Debian has it where not every PATH looks. */
const command = ["/usr/sbin/nginx", ...(process.env["PATH"] ?? "").split(":").map((folder) => `${folder}/nginx`)]
  .find((path) => NodeFs.existsSync(path))

/** In CI it must be there: a promise that nothing tests there is none. */
export const isMissing = command === undefined && process.env["CI"] === undefined

export const title = (what: string) =>
  command === undefined ? `${what}, which is not installed here (apt-get install nginx-light)` : what

/** As little as it takes: everything else is nginx's default. */
export const defaults = (port: number, upstream: string) =>
  `server { listen 127.0.0.1:${port}; location / { proxy_pass ${upstream}; } }`

const guide = fileURLToPath(new URL("../../docs/proxies.md", import.meta.url))

/** What the guide shows, on the addresses of a test. */
export const documented = (port: number, upstream: string) => {
  const block = /```nginx\n(.*?)```/s.exec(NodeFs.readFileSync(guide, "utf8"))?.[1] ?? ""
  return block.replace("listen 80", `listen 127.0.0.1:${port}`).replace("http://127.0.0.1:4455", upstream)
}

/** nginx as it is, but for where it keeps its files: it must not need root, nor touch those of the machine. */
const around = (http: string) => `
daemon off;
master_process off;
pid nginx.pid;
error_log stderr warn;
events {}
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  scgi_temp_path scgi;
  uwsgi_temp_path uwsgi;
${http}
}
`

const listens = (port: number) =>
  Effect.async<boolean>((resume) => {
    const socket = Net.connect(port, "127.0.0.1")
    const tell = (up: boolean) => {
      socket.destroy()
      resume(Effect.succeed(up))
    }
    socket.on("connect", () => tell(true)).on("error", () => tell(false))
  })

const run = Effect.fnUntraced(function*(http: (port: number) => string) {
  const port = yield* ownPort
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => NodeFs.mkdtempSync(NodePath.join(NodeOs.tmpdir(), "holdfast-nginx-"))),
    (folder) => Effect.sync(() => NodeFs.rmSync(folder, { recursive: true }))
  )
  NodeFs.writeFileSync(NodePath.join(folder, "nginx.conf"), around(http(port)))
  let said = ""
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const child = NodeChild.spawn(command ?? "nginx", ["-p", folder, "-c", "nginx.conf", "-e", "stderr"], {
        stdio: ["ignore", "ignore", "pipe"]
      })
      child.stderr.setEncoding("utf8").on("data", (text: string) => said += text)
      return child
    }),
    (child) =>
      Effect.async<void>((resume) => {
        if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
        child.once("exit", () => resume(Effect.void))
        child.kill("SIGTERM")
      })
  )
  yield* Effect.flatMap(listens(port), (up) => up ? Effect.void : Effect.fail(`nginx does not listen: ${said}`)).pipe(
    Effect.retry({ schedule: Schedule.spaced("20 millis"), while: () => child.exitCode === null })
  )
  return port
})

/** The gateway as it is reached through nginx, with this in its `http` block. */
export const before = (gateway: Gateway.Gateway["Type"], http: (port: number, upstream: string) => string) =>
  run((port) => http(port, gateway.url)).pipe(
    // another program may take the port in between
    Effect.retry({ times: 3 }),
    Effect.orDieWith((fault) => new Error(fault)),
    Effect.map((port): Gateway.Gateway["Type"] => ({ host: "127.0.0.1", port, url: `http://127.0.0.1:${port}` }))
  )
