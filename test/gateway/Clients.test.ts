/** What people reach a gateway with, each cut in the middle of whatever is on its way, and resumed. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { EventSource } from "eventsource"
import { Client, createClient } from "holdfast/client"
import { FaultyNetwork } from "holdfast/testing"
import { spawn } from "node:child_process"
import { WebSocket } from "ws"
import * as Agent from "../../src/agent/Agent.js"
import { SessionId } from "../../src/domain/Ids.js"
import * as Gateway from "../../src/gateway/Gateway.js"
import * as EventLog from "../../src/log/EventLog.js"
import * as Sessions from "../../src/session/Sessions.js"
import * as ScriptedAgent from "../../src/testing/ScriptedAgent.js"
import * as Browser from "../console/browser.js"
import { until } from "./fixture.js"

Browser.forFile()

/** Follows the session until it is stopped, and tells of each event; `url` is that of the session's routes. */
type Follower = (url: string, sees: (seq: number) => void) => () => void

/** Begins again, with what has come so far, whenever a connection has ended. */
const again = (
  url: string,
  sees: (seq: number) => void,
  connect: (
    cursor: number,
    seen: (event: { readonly seq: number }) => void,
    ended: () => void
  ) => () => void
) => {
  let cursor = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let leave = () => {}
  let stopped = false
  const dial = () => {
    leave = connect(cursor, ({ seq }) => {
      cursor = seq
      sees(seq)
    }, () => {
      if (!stopped) timer = setTimeout(dial, 20)
    })
  }
  dial()
  return () => {
    stopped = true
    clearTimeout(timer)
    leave()
  }
}

const ws: Follower = (url, sees) =>
  again(url, sees, (cursor, seen, ended) => {
    const socket = new WebSocket(`${url.replace(/^http/, "ws")}/socket?after=${cursor}`)
    socket.on("message", (data) => seen(JSON.parse(data.toString())))
    socket.on("error", () => {})
    socket.on("close", ended)
    return () => socket.terminate()
  })

/** Whole pieces of a text that comes in parts. */
const split = (separator: string, whole: (text: string) => void) => {
  let rest = ""
  return (text: string) => {
    const parts = (rest + text).split(separator)
    rest = parts.pop() ?? ""
    parts.forEach(whole)
  }
}

const curl: Follower = (url, sees) =>
  again(url, sees, (cursor, seen, ended) => {
    const child = spawn("curl", ["-sN", "-H", `Last-Event-ID: ${cursor}`, `${url}/events`], { stdio: "pipe" })
    child.stdout.setEncoding("utf8").on(
      "data",
      split("\n\n", (text) => {
        const id = /^id: (\d+)$/m.exec(text)?.[1]
        if (id !== undefined && /^data: .*\}$/m.test(text)) seen({ seq: Number(id) })
      })
    )
    child.on("close", ended)
    return () => child.kill()
  })

const ndjson: Follower = (url, sees) =>
  again(url, sees, (cursor, seen, ended) => {
    const controller = new AbortController()
    const read = async () => {
      const { body } = await fetch(`${url}/events?after=${cursor}`, {
        headers: { accept: "application/x-ndjson" },
        signal: controller.signal
      })
      if (body === null) return
      const lines = split("\n", (line) => seen(JSON.parse(line)))
      const decoder = new TextDecoder()
      for await (const bytes of body) lines(decoder.decode(bytes, { stream: true }))
    }
    void read().catch(() => {}).then(ended)
    return () => controller.abort()
  })

/** Of all events that the session has. */
const types = ["SessionOpened", "AgentConnected", "RunStarted", "RunQueued", "TextChunk", "RunEnded"]

const eventSource: Follower = (url, sees) => {
  const source = new EventSource(`${url}/events`)
  for (const type of types) {
    source.addEventListener(type, ({ data, lastEventId }) => {
      expect(JSON.parse(data).seq).toBe(Number(lastEventId))
      sees(Number(lastEventId))
    })
  }
  return () => source.close()
}

const plain: Follower = (url, sees) => {
  const [base = "", session = ""] = url.split("/v1/sessions/")
  const events = createClient({ url: base }).events(session)
  const read = async () => {
    for await (const { seq } of events) sees(seq)
  }
  void read()
  return () => void events.return?.()
}

const scoped = (follow: Follower) => (url: string, sees: (seq: number) => void) =>
  Effect.asVoid(Effect.acquireRelease(Effect.sync(() => follow(url, sees)), (stop) => Effect.sync(stop)))

const effect = (url: string, sees: (seq: number) => void) =>
  Effect.gen(function*() {
    const [base = "", session = ""] = url.split("/v1/sessions/")
    const client = yield* Client.make({ url: base })
    yield* client.events({ session: SessionId.make(session) }).pipe(
      Stream.runForEach(({ seq }) => Effect.sync(() => sees(seq))),
      Effect.forkScoped
    )
  }).pipe(Effect.provide(NodeHttpClient.layer), Effect.orDie)

/** A page of the gateway, in Chromium: it is loaded through the same network. */
const browser = (url: string, sees: (seq: number) => void) =>
  Effect.gen(function*() {
    const { page } = yield* Browser.open()
    yield* Effect.promise(async () => {
      await page.goto(new URL("/health", url).href)
      await page.exposeFunction("sees", sees)
      await page.evaluate(`
        const source = new EventSource(${JSON.stringify(`${url}/events`)})
        for (const type of ${JSON.stringify(types)}) {
          source.addEventListener(type, ({ data, lastEventId }) => {
            if (JSON.parse(data).seq === Number(lastEventId)) sees(Number(lastEventId))
          })
        }
      `)
    })
  })

const followers: Readonly<
  Record<string, (url: string, sees: (seq: number) => void) => Effect.Effect<void, never, Scope.Scope>>
> = {
  "ws": scoped(ws),
  "curl, with Last-Event-ID": scoped(curl),
  "fetch, with NDJSON": scoped(ndjson),
  "the eventsource package": scoped(eventSource),
  "the EventSource of Chromium": browser,
  "createClient": scoped(plain),
  "Client": effect
}

/** A gateway over the real sessions, with an agent that says so many things as it is told. */
const start = Effect.gen(function*() {
  const agent = yield* ScriptedAgent.make({
    turn: ({ content, say }) =>
      Effect.gen(function*() {
        const [block] = content
        const count = block?.type === "text" ? Number(block.text) : 0
        for (let n = 0; n < count; n++) yield* say({ type: "TextChunk", text: `ü ${n} `.repeat(1 + n % 20) })
      })
  })
  const agents = Agent.layer([agent])
  const sessions = Sessions.layer.pipe(Layer.provide([EventLog.layerMemory, agents, NodeContext.layer]))
  const gateway = Gateway.layer({ version: "0.1.0", port: 0 }).pipe(Layer.provide([sessions, agents]))
  return Context.get(yield* Layer.build(gateway), Gateway.Gateway)
})

/** Repeatable chance. */
const random = (seed: number) => (below: number) => {
  seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
  return Math.floor(seed / 2_147_483_648 * below)
}

/** A browser's own client waits for a second before each new connection, as it is asked to. */
const cutsOf = (name: string) => name.includes("ventSource") || name.includes("eventsource") ? 4 : 12

for (const [index, [name, follow]] of Object.entries(followers).entries()) {
  const cuts = cutsOf(name)
  it.scopedLive(
    `EL2 ${name}: cut ${cuts} times at random, nothing is lost and nothing comes twice`,
    () =>
      Effect.gen(function*() {
        const gateway = yield* start
        const network = yield* FaultyNetwork.make({ port: gateway.port })
        const client = createClient(gateway)
        const { id } = yield* Effect.promise(() => client.create({ agent: "scripted" }))
        const seen: Array<number> = []
        yield* follow(`${network.url}/v1/sessions/${id}`, (seq) => void seen.push(seq))
        yield* until("the first events", () => seen.length > 0, 60_000)
        const next = random(index + 1)
        for (let cut = 1; cut <= cuts; cut++) {
          const before = yield* network.connections
          yield* network.cutAfter(1 + next(25_000))
          yield* Effect.promise(() => client.prompt(id, "300", { whenBusy: "queue" }))
          // a browser may go on over a connection that it has kept
          const isBack = Effect.gen(function*() {
            if ((yield* network.connections) > before) return true
            const { head, status } = yield* Effect.promise(() => client.get(id))
            return status === "idle" && seen.at(-1) === head
          })
          yield* Effect.delay(isBack, "5 millis").pipe(Effect.repeat({ until: Boolean }), Effect.timeout("60 seconds"))
        }
        const { head } = yield* Effect.promise(async () => {
          for (;;) {
            const session = await client.get(id)
            if (session.status === "idle") return session
            await new Promise((resolve) => setTimeout(resolve, 10))
          }
        })
        yield* until(`all events, of which there are ${seen.length} of ${head}`, () => seen.at(-1) === head, 60_000)
        expect(seen).toEqual(Array.from({ length: head }, (_, n) => n + 1))
        expect(head).toBeGreaterThan(cuts * 300)
        expect(yield* network.connections).toBeGreaterThan(cuts)
      }),
    180_000
  )
}
