/**
 * An AG-UI server on a real socket that does what a test says: it answers runs as the agent behind ambient's runner does, and misbehaves as
 * its proxy was seen to.
 */
import type { RunAgentInput } from "@ag-ui/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import type * as Net from "node:net"

export type Wire = Readonly<Record<string, unknown>>

/** One answer that goes on. */
export interface Answer {
  /** Whole frames. */
  readonly send: (...events: ReadonlyArray<Wire>) => void
  /** As it is, whatever it is. */
  readonly raw: (text: string) => void
  readonly end: () => void
  /** Resets the connection. */
  readonly cut: () => void
  readonly isClosed: () => boolean
}

export interface Run extends Answer {
  readonly input: RunAgentInput
  readonly headers: Http.IncomingHttpHeaders
  /** Which it is, from 1. */
  readonly number: number
  /** Another answer than an event stream. */
  readonly refuse: (status: number, headers: Readonly<Record<string, string>>, body: string) => void
}

export interface Listener extends Answer {
  readonly number: number
  readonly path: string
  readonly last: string | undefined
  readonly refuse: Run["refuse"]
}

export interface Server {
  readonly port: number
  readonly url: string
  readonly inputs: ReadonlyArray<RunAgentInput>
  readonly listeners: ReadonlyArray<Listener>
  readonly interrupts: ReadonlyArray<unknown>
  readonly sockets: ReadonlySet<Net.Socket>
  /** To all who listen. */
  readonly say: (...events: ReadonlyArray<Wire>) => void
}

const answerOf = (response: Http.ServerResponse): Answer & { readonly refuse: Run["refuse"] } => {
  let closed = false
  response.on("close", () => closed = true)
  const raw = (text: string) => {
    if (!response.headersSent) {
      response.writeHead(200, {
        "content-type": "text/event-stream",
        "cache-control": "no-cache",
        "x-accel-buffering": "no"
      })
    }
    response.write(text)
  }
  return {
    raw,
    send: (...events) => raw(events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("")),
    end: () => {
      raw("")
      response.end()
    },
    cut: () => response.socket?.resetAndDestroy(),
    isClosed: () => closed,
    refuse: (status, headers, body) => response.writeHead(status, headers).end(body)
  }
}

const bodyOf = (request: Http.IncomingMessage): Promise<string> =>
  new Promise((resolve) => {
    let text = ""
    request.setEncoding("utf8").on("data", (part: string) => text += part).on("end", () => resolve(text))
  })

export const start = (script: {
  readonly run?: (run: Run) => void
  /** What a new listener is told; a comment when left out. */
  readonly events?: (listener: Listener) => void
}): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.gen(function*() {
    const inputs: Array<RunAgentInput> = []
    const listeners: Array<Listener> = []
    const interrupts: Array<unknown> = []
    const sockets = new Set<Net.Socket>()
    const server = Http.createServer((request, response) => {
      const path = request.url ?? "/"
      if (request.method === "GET") {
        const last = request.headers["last-event-id"]?.toString()
        const listener: Listener = { ...answerOf(response), number: listeners.length + 1, path, last }
        listeners.push(listener)
        return script.events === undefined ? listener.raw(": heartbeat\n\n") : script.events(listener)
      }
      void bodyOf(request).then((text) => {
        if (path === "/interrupt" || path.endsWith("/cancel")) {
          interrupts.push(JSON.parse(text))
          return response.writeHead(200, { "content-type": "application/json" }).end("{}")
        }
        const input: RunAgentInput = JSON.parse(text)
        inputs.push(input)
        script.run?.({ ...answerOf(response), input, headers: request.headers, number: inputs.length })
        return
      })
    })
    server.on("connection", (socket) => {
      sockets.add(socket)
      socket.on("close", () => sockets.delete(socket)).on("error", () => {})
    })
    yield* Effect.acquireRelease(
      Effect.async<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
      () =>
        Effect.async<void>((resume) => {
          for (const socket of sockets) socket.destroy()
          server.close(() => resume(Effect.void))
        })
    )
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    return {
      port,
      url: `http://127.0.0.1:${port}/`,
      inputs,
      listeners,
      interrupts,
      sockets,
      say: (...events) => {
        for (const listener of listeners) if (!listener.isClosed()) listener.send(...events)
      }
    }
  })

// ----------------------------------------------------------------------------------------- as the runner says it

let clock = 1_790_000_000_000

/** A moment of its own. */
const now = () => ++clock

/** The frames of a message, with the fields in snake case that the runner adds. */
export const message = (runId: string, messageId: string, ...deltas: ReadonlyArray<string>): ReadonlyArray<Wire> => [
  { type: "TEXT_MESSAGE_START", timestamp: now(), messageId, role: "assistant", thread_id: "t", run_id: runId },
  ...deltas.map((delta) => ({ type: "TEXT_MESSAGE_CONTENT", messageId, delta, thread_id: "t", run_id: runId })),
  { type: "TEXT_MESSAGE_END", timestamp: now(), messageId, thread_id: "t", run_id: runId }
]

export const started = (
  { runId, threadId }: { readonly runId: string; readonly threadId: string },
  more: Wire = {}
) => ({
  type: "RUN_STARTED",
  timestamp: now(),
  threadId,
  runId,
  parentRunId: null,
  ...more
})

export const finished = (
  { runId, threadId }: { readonly runId: string; readonly threadId: string },
  more: Wire = {}
) => ({
  type: "RUN_FINISHED",
  timestamp: now(),
  threadId,
  runId,
  ...more
})

/** A notice of a task in the background, which names no run. */
export const task = (id: string, name: "started" | "progress" | "completed" = "completed"): Wire => ({
  type: "CUSTOM",
  timestamp: now(),
  name: `task:${name}`,
  value: { task_id: id, status: name }
})

/** Polls, in real time: for what a real socket does in its own. */
export const until = (what: string, condition: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => condition() ? Effect.void : Effect.fail(what)).pipe(
    Effect.retry({ schedule: Schedule.spaced(5) }),
    Effect.timeoutFail({ duration: "20 seconds", onTimeout: () => what }),
    Effect.orDieWith((what) => new Error(`never came: ${what}`)),
    Effect.withClock(Clock.make())
  )
