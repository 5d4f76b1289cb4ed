/** The gateway's API as a client of its own uses it. */
import type { StoredEvent } from "holdfast"
import * as http from "node:http"

export type Event = StoredEvent.StoredEvent

export interface Response {
  readonly status: number
  // the JSON of a response that the one who asked for it knows
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any
}

/** A connection a request: one that is kept may be closed by the server at the instant at which it is used again. */
const agent = new http.Agent({ keepAlive: false, maxSockets: 64 })
/** A restart that is waited for takes its time, and so does a machine that is busy. */
const patience = 300_000

const text = async (response: http.IncomingMessage) => {
  let text = ""
  for await (const chunk of response.setEncoding("utf8")) text += chunk
  return text
}

const open = (method: string, url: string, options: { body?: unknown; headers?: Record<string, string> } = {}) =>
  new Promise<http.IncomingMessage>((resolve, reject) => {
    const body = options.body === undefined ? "" : JSON.stringify(options.body)
    const headers = {
      ...options.headers,
      ...(body === "" ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) })
    }
    const request = http.request(url, { method, agent, headers, timeout: patience }, resolve)
    request.once("timeout", () => request.destroy(new Error(`${method} ${url}: no response for ${patience / 1000} s`)))
    request.once("error", reject).end(body)
  })

export interface Client {
  readonly call: (method: string, path: string, body?: unknown) => Promise<Response>
  /** All events of a session. */
  readonly history: (session: string) => Promise<ReadonlyArray<Event>>
  /** Shows every event of a session once and in order, over as many connections as it takes. */
  readonly watch: (session: string, options: {
    readonly onEvent: (event: Event) => void
    readonly onFault: (fault: string) => void
  }) => Viewer
}

export interface Viewer {
  /** The number of the last event that was seen. */
  readonly head: () => number
  /** Cuts the connection as a bad network does; the viewer comes back by itself. */
  readonly cut: () => void
  readonly stop: () => void
}

const watch = (url: string, { onEvent, onFault }: Parameters<Client["watch"]>[1]): Viewer => {
  let head = 0
  let stopped = false
  let request: http.ClientRequest | undefined

  const take = (lines: string) => {
    const data = /^data: (.*)$/m.exec(lines)?.[1]
    if (data === undefined) return
    const event: Event = JSON.parse(data)
    if (event.seq !== head + 1) onFault(`a viewer got event ${event.seq} after event ${head}`)
    head = event.seq
    onEvent(event)
  }

  const connect = () => {
    if (stopped) return
    let over = false
    const again = () => {
      if (!over) setTimeout(connect, 50)
      over = true
    }
    let rest = ""
    // outside of the pool: it never ends
    request = http.get(url, { agent: false, headers: head === 0 ? {} : { "last-event-id": String(head) } })
    request.on("error", again).on("response", (response) => {
      if (response.statusCode !== 200) onFault(`a viewer got status ${response.statusCode}`)
      response.setEncoding("utf8").on("error", again).on("close", again).on("data", (chunk: string) => {
        // what was read before a cut is delivered after it
        if (over || stopped) return
        const frames = (rest + chunk).split("\n\n")
        rest = frames.pop() ?? ""
        frames.forEach(take)
      })
    })
  }

  connect()
  return {
    head: () => head,
    cut: () => request?.destroy(),
    stop: () => {
      stopped = true
      request?.destroy()
    }
  }
}

export const make = (url: string): Client => ({
  call: async (method, path, body) => {
    const response = await open(method, `${url}${path}`, { body })
    const json = await text(response)
    return { status: response.statusCode ?? 0, body: json === "" ? undefined : JSON.parse(json) }
  },
  history: async (session) => {
    const response = await open("GET", `${url}/v1/sessions/${session}/events?follow=false`, {
      headers: { accept: "application/x-ndjson" }
    })
    const lines = await text(response)
    return lines.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line))
  },
  watch: (session, options) => watch(`${url}/v1/sessions/${session}/events`, options)
})
