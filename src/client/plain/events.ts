/**
 * A session's events as an async iterator that outlives connections and restarts of the gateway.
 *
 * @since 0.1.0
 */
import * as EventText from "../EventText.js"
import * as Resume from "../Resume.js"
import { HoldfastError, refusal, unreachable } from "./HoldfastError.js"
import { sleep } from "./Patience.js"
import type { StoredEvent } from "./types.js"

/** @since 0.1.0 */
export interface EventsOptions {
  /** Only events with a greater number; default 0. */
  readonly after?: number
  /** Ends the iteration, also while it waits: it throws the signal's reason. */
  readonly signal?: AbortSignal
  /** Told each time that a connection is lost, or not made, and why; it is tried again then. */
  readonly onBreak?: (reason: string) => void
  /** How long a connection may say nothing, in milliseconds; default 30,000, three heartbeats. */
  readonly idle?: number
}

/** How the gateway is reached. @since 0.1.0 */
export interface Connection {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly fetch: typeof fetch
}

/** Nothing came for so long. */
class Silence extends Error {}

/** The wait after a failure that may pass; `undefined` for one that will not. */
const asked = (error: unknown): number | undefined =>
  !(error instanceof HoldfastError) || error.status === 0
    ? 0
    : Resume.isPassing(error.status)
    ? Number(error.details["retryAfterMillis"] ?? 0)
    : undefined

const reasonOf = (url: string, error: unknown) =>
  !(error instanceof HoldfastError)
    ? `the connection to ${url} was lost`
    : error._tag === "ForeignServer"
    ? `${url} says ${error.status}`
    : error.message

/** The pieces of text of one connection; it throws when that ends, however it ends. */
async function* connect(
  { fetch, headers, url }: Connection,
  session: string,
  after: number,
  idle: number,
  signal: AbortSignal
): AsyncGenerator<string, never, void> {
  const link = new AbortController()
  const abort = () => link.abort()
  signal.addEventListener("abort", abort)
  let timer: ReturnType<typeof setTimeout> | undefined
  /** Runs only while the gateway is waited for: a slow reader is no silent gateway. */
  const within = <A>(answer: Promise<A>): Promise<A> => {
    timer = setTimeout(() => link.abort(new Silence()), idle)
    return answer.finally(() => clearTimeout(timer))
  }
  try {
    const response = await within(
      fetch(`${url}/v1/sessions/${encodeURIComponent(session)}/events?after=${after}`, {
        headers: { ...headers, accept: "text/event-stream" },
        signal: link.signal
      }).catch((cause) => {
        throw unreachable(url, cause)
      })
    )
    const isEventStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true
    if (response.status !== 200 || response.body === null || !isEventStream) {
      throw await within(refusal(url, response))
    }
    const body = response.body.getReader()
    const decoder = new TextDecoder()
    for (;;) {
      const { done, value } = await within(body.read())
      // the stream of a session has no end of its own
      if (done) throw new Error("the stream ended")
      yield decoder.decode(value, { stream: true })
    }
  } finally {
    signal.removeEventListener("abort", abort)
    // the rest of the body, the request and its socket
    link.abort()
  }
}

async function* follow(
  connection: Connection,
  session: string,
  { after = 0, idle = Resume.idle, onBreak, signal }: EventsOptions,
  stop: AbortController
): AsyncGenerator<StoredEvent, void, void> {
  const abort = () => stop.abort()
  signal?.throwIfAborted()
  signal?.addEventListener("abort", abort)
  let cursor = after
  let failures = 0
  try {
    for (;;) {
      const read = EventText.reader(() => {
        failures = 0
      })
      try {
        for await (const piece of connect(connection, session, cursor, idle, stop.signal)) {
          for (const { json, seq } of read(piece)) {
            const event: StoredEvent = JSON.parse(json)
            cursor = seq
            yield event
            signal?.throwIfAborted()
          }
        }
      } catch (error) {
        if (!stop.signal.aborted) {
          const millis = asked(error)
          if (millis === undefined) throw error
          onBreak?.(reasonOf(connection.url, error))
          await sleep(Resume.wait(failures++, Math.random(), millis), stop.signal)
        }
      }
      signal?.throwIfAborted()
      if (stop.signal.aborted) return
    }
  } finally {
    signal?.removeEventListener("abort", abort)
  }
}

/**
 * A generator's `return` waits for the event that is awaited; this one does not.
 *
 * @since 0.1.0
 */
export const events = (
  connection: Connection,
  session: string,
  options: EventsOptions = {}
): AsyncIterableIterator<StoredEvent> => {
  const stop = new AbortController()
  const iterator = follow(connection, session, options, stop)
  return {
    next: () => iterator.next(),
    return: () => {
      stop.abort()
      return iterator.return()
    },
    [Symbol.asyncIterator]() {
      return this
    }
  }
}
