/**
 * 500 between-run listeners that hear nothing, over real sockets to a server in a process of its own: what each costs in memory, and what
 * closing all of them takes, against 500 bare sockets that are destroyed.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { AguiAgent, Ids } from "holdfast"
import { type ChildProcess, spawn } from "node:child_process"
import * as http from "node:http"
import * as net from "node:net"
import type { Result } from "./main.js"

const count = Number(process.env["LISTENERS"] ?? 500)
const repetitions = count < 100 ? 2 : 5

const server = `
const http = require("node:http")
const server = http.createServer((request, response) => {
  response.writeHead(200, { "content-type": "text/event-stream" })
  response.write(": heartbeat\\n\\n")
})
server.listen(0, "127.0.0.1", 2048, () => process.stdout.write(server.address().port + "\\n"))
`

const listening = (child: ChildProcess) =>
  new Promise<number>((resolve) => child.stdout?.once("data", (data: Buffer) => resolve(Number(data.toString()))))

/** Started, and how to end it all. */
type Side = (port: number) => Promise<() => Promise<unknown>>

const sockets = () => process.getActiveResourcesInfo().filter((resource) => /TCP/.test(resource)).length

// at every turn of the loop: a bare socket is gone within two, and a poll of some milliseconds would be a good part of what is measured
const settled = async (enough: () => boolean) => {
  while (!enough()) await new Promise((resolve) => setImmediate(resolve))
}

/** At once, as sessions are closed. */
const closeAll = (scopes: ReadonlyArray<Scope.CloseableScope>) =>
  Effect.forEach(scopes, (scope) => Scope.close(scope, Exit.void), { concurrency: "unbounded", discard: true })

const listeners: Side = async (port) => {
  const before = sockets()
  const scope = Effect.runSync(Scope.make())
  const url = `http://127.0.0.1:${port}/`
  const connections: Array<Scope.CloseableScope> = []
  const client = await Effect.runPromise(Layer.buildWithScope(NodeHttpClient.layer, scope))
  await Effect.runPromise(
    Effect.gen(function*() {
      const agent = yield* Scope.extend(AguiAgent.make("bench", { url, events: `${url}events` }), scope)
      for (let n = 0; n < count; n++) {
        const sessionId = Ids.SessionId.make(`ses_${n}`)
        const connection = yield* Scope.make()
        connections.push(connection)
        yield* Scope.extend(agent.connect({ sessionId, cwd: "/", resume: Option.none() }), connection)
      }
    }).pipe(Effect.provide(client))
  )
  await settled(() => sockets() - before >= count)
  await new Promise((resolve) => setTimeout(resolve, 300))
  return async () => {
    await Effect.runPromise(closeAll(connections))
    await Effect.runPromise(Scope.close(scope, Exit.void))
    await settled(() => sockets() <= before)
  }
}

const bare: Side = async (port) => {
  const before = sockets()
  const all = Array.from({ length: count }, (_, n) => {
    const socket = net.connect(port, "127.0.0.1")
    socket.on("data", () => {}).on("error", () => {})
    socket.write(`GET /events/${n} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    return socket
  })
  await settled(() => sockets() - before >= count)
  await new Promise((resolve) => setTimeout(resolve, 300))
  return async () => {
    for (const socket of all) socket.destroy()
    await settled(() => sockets() <= before)
  }
}

const noop = () => {}

/** An open answer of Node's own client, and how to be rid of it as cheaply as it allows. */
const request = (port: number, n: number) => {
  const sent = http.request({
    port,
    path: `/events/${n}`,
    createConnection: () => net.connect(port, "127.0.0.1")
  })
  let response: http.IncomingMessage | undefined
  sent.on("error", noop).on("response", (answer) => {
    response = answer
    answer.on("error", noop).on("data", noop)
  }).end()
  const destroy = () => {
    sent.destroy()
    response?.destroy()
  }
  return { sent, destroy }
}

/** What of it is Node's. */
const requests: Side = async (port) => {
  const before = sockets()
  const all = Array.from({ length: count }, (_, n) => request(port, n))
  await settled(() => sockets() - before >= count)
  await new Promise((resolve) => setTimeout(resolve, 300))
  return async () => {
    for (const { destroy } of all) destroy()
    await settled(() => sockets() <= before)
  }
}

/** What of it is Effect's: the least that owns a request, a fiber that waits in a scope. */
const fibers: Side = async (port) => {
  const before = sockets()
  const wait = Effect.async<never>(noop)
  const all = Array.from({ length: count }, (_, n) =>
    Effect.runFork(Effect.scoped(
      Effect.flatMap(
        Effect.acquireRelease(Effect.sync(() => request(port, n)), ({ destroy }) => Effect.sync(destroy)),
        () => wait
      )
    )))
  await settled(() => sockets() - before >= count)
  await new Promise((resolve) => setTimeout(resolve, 300))
  return async () => {
    await Effect.runPromise(Fiber.interruptAll(all))
    await settled(() => sockets() <= before)
  }
}

/** What closing takes without a fiber that waits: a scope each, closed as ours are, whose finalizer returns when the socket is gone. */
const scopes: Side = async (port) => {
  const before = sockets()
  const all = Array.from({ length: count }, (_, n) => {
    const { destroy, sent } = request(port, n)
    const close = Effect.async<void>((resume) => {
      sent.once("close", () => resume(Effect.void))
      destroy()
    })
    return Effect.runSync(Effect.tap(Scope.make(), (scope) => Scope.addFinalizer(scope, close)))
  })
  await settled(() => sockets() - before >= count)
  await new Promise((resolve) => setTimeout(resolve, 300))
  return async () => {
    await Effect.runPromise(closeAll(all))
    await settled(() => sockets() <= before)
  }
}

const timeToEnd = async (side: Side, port: number) => {
  const end = await side(port)
  const start = performance.now()
  await end()
  return performance.now() - start
}

const bytesEach = async (side: Side, port: number) => {
  globalThis.gc?.()
  const before = process.memoryUsage()
  const end = await side(port)
  globalThis.gc?.()
  const after = process.memoryUsage()
  await end()
  return (after.heapUsed + after.external - before.heapUsed - before.external) / count
}

const median = (numbers: ReadonlyArray<number>) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN

export default async (): Promise<ReadonlyArray<Result>> => {
  const child = spawn(process.execPath, ["-e", server], { stdio: ["ignore", "pipe", "inherit"] })
  try {
    const port = await listening(child)
    const pairs: Array<{
      readonly ours: number
      readonly theirs: number
      readonly requests: number
      readonly scopes: number
      readonly fibers: number
    }> = []
    // the first of each warms up
    for (let i = 0; i <= repetitions; i++) {
      const pair = {
        theirs: await timeToEnd(bare, port),
        requests: await timeToEnd(requests, port),
        scopes: await timeToEnd(scopes, port),
        fibers: await timeToEnd(fibers, port),
        ours: await timeToEnd(listeners, port)
      }
      if (i > 0) pairs.push(pair)
    }
    const ratio = median(pairs.map(({ ours, theirs }) => ours / theirs))
    const memory = { theirs: await bytesEach(bare, port), ours: await bytesEach(listeners, port) }
    return [
      {
        name: `listeners: closing ${count} idle between-run listeners, of destroying ${count} bare sockets`,
        ratio,
        target: "<= 3",
        ok: ratio <= 3,
        details: {
          "holdfast, ms": median(pairs.map(({ ours }) => ours)).toFixed(1),
          "bare, ms": median(pairs.map(({ theirs }) => theirs)).toFixed(1),
          "node:http requests, ms": median(pairs.map(({ requests }) => requests)).toFixed(1),
          "such requests, each in a scope without a fiber, ms": median(pairs.map(({ scopes }) => scopes)).toFixed(1),
          "such requests, each in a scope with a fiber, ms": median(pairs.map(({ fibers }) => fibers)).toFixed(1)
        }
      },
      {
        name: "listeners: memory of an idle between-run listener, its connection and its socket, KB",
        ratio: memory.ours / 1024,
        target: "< 30",
        ok: memory.ours / 1024 < 30,
        details: { "a bare socket, KB": (memory.theirs / 1024).toFixed(2) }
      }
    ]
  } finally {
    child.kill()
  }
}
