/**
 * A gateway, for programs and pages without Effect. It needs `fetch` and nothing else.
 *
 * ```ts
 * const holdfast = createClient({ url: "http://127.0.0.1:4455" })
 * const { id } = await holdfast.create({ agent: "demo" })
 * const prompted = await holdfast.prompt(id, "hello")
 * for await (const { event, runId } of holdfast.events(id)) {
 *   if (event.type === "TextChunk") console.log(event.text)
 *   if (event.type === "RunEnded" && runId === prompted.runId) break // and not at the end of a sub-agent's run
 * }
 * ```
 *
 * @since 0.1.0
 */
import { type Connection, events, type EventsOptions } from "./events.js"
import { refusal, unreachable } from "./HoldfastError.js"
import type {
  ContentBlock,
  Decision,
  Elicitation,
  ElicitationAnswer,
  Session,
  SessionStatus,
  StoredEvent
} from "./types.js"

/** @since 0.1.0 */
export interface ClientOptions {
  /** `http://127.0.0.1:4455`; in a page of the gateway itself `location.origin`. */
  readonly url: string
  readonly token?: string
  /** The `fetch` of the platform when left out. */
  readonly fetch?: typeof fetch
}

/** @since 0.1.0 */
export interface CallOptions {
  readonly signal?: AbortSignal
}

/**
 * Each call is a request of the HTTP API (docs/http.md), and rejects with a `HoldfastError`.
 *
 * @since 0.1.0
 */
export interface Client {
  readonly health: (options?: CallOptions) => Promise<{ readonly status: "ok"; readonly version: string }>
  readonly agents: (options?: CallOptions) => Promise<
    ReadonlyArray<{ readonly name: string; readonly kind: string; readonly description: string }>
  >
  /** What opens one `EventSource` or `WebSocket` with `?ticket=`, within 30 seconds. */
  readonly ticket: (options?: CallOptions) => Promise<{ readonly ticket: string; readonly expiresAt: string }>
  /** Opens a session; it resolves when its agent is ready. */
  readonly create: (
    session: { readonly agent: string; readonly cwd?: string; readonly title?: string },
    options?: CallOptions
  ) => Promise<Session>
  /** A page of sessions, newest first; `next` is the `after` of the next one. */
  readonly list: (
    query?: { readonly status?: SessionStatus; readonly after?: string; readonly limit?: number },
    options?: CallOptions
  ) => Promise<{ readonly sessions: ReadonlyArray<Session>; readonly next?: string }>
  readonly get: (session: string, options?: CallOptions) => Promise<Session>
  readonly close: (session: string, options?: CallOptions) => Promise<void>
  /** With an `idempotencyKey` the same prompt can be sent again when it is not known whether it has arrived. */
  readonly prompt: (
    session: string,
    prompt: string | ReadonlyArray<ContentBlock>,
    options?: CallOptions & { readonly whenBusy?: "refuse" | "queue" | "steer"; readonly idempotencyKey?: string }
  ) => Promise<{ readonly runId: string; readonly seq: number }>
  /** Cancels the open turn and drops what is queued; with `run` only that one, which may be nested or in the background, too. */
  readonly cancel: (session: string, options?: CallOptions & { readonly run?: string }) => Promise<void>
  /** With `wait` it resolves with the session when the restart is over, else when it is accepted. */
  readonly restart: (
    session: string,
    options?: CallOptions & { readonly cause?: "requested" | "changed" | "failed"; readonly wait?: boolean }
  ) => Promise<Session | void>
  readonly setMode: (session: string, modeId: string, options?: CallOptions) => Promise<void>
  readonly setConfig: (
    session: string,
    configId: string,
    value: string | boolean,
    options?: CallOptions
  ) => Promise<void>
  /** The questions that wait for an answer. */
  readonly pending: (session: string, options?: CallOptions) => Promise<ReadonlyArray<Elicitation>>
  readonly answer: (
    session: string,
    elicitation: string,
    answer: ElicitationAnswer,
    options?: CallOptions
  ) => Promise<void>
  readonly decisions: (session: string, options?: CallOptions) => Promise<ReadonlyArray<Decision>>
  readonly revoke: (session: string, subject: string, options?: CallOptions) => Promise<void>
  /** Types into the session's shell, where its agent has one, or changes the size of its terminal. */
  readonly shell: (
    session: string,
    input: { readonly data?: string; readonly columns?: number; readonly rows?: number },
    options?: CallOptions
  ) => Promise<void>
  /** Starts a command beside the agent; what becomes of it is told by events. */
  readonly startProcess: (
    session: string,
    process: {
      readonly command: string
      readonly cwd?: string
      readonly env?: Readonly<Record<string, string>>
      readonly name?: string
    },
    options?: CallOptions
  ) => Promise<{ readonly processId: string }>
  readonly stopProcess: (session: string, processId: string, options?: CallOptions) => Promise<void>
  /**
   * The session's events after `after`, replayed and followed, without a gap or a duplicate and without end: a
   * connection that breaks is made again, from the event after the last one that came. It throws a `HoldfastError`
   * when trying again would not help (`SessionNotFound`, `CursorExpired`, `Unauthorized`, …). `break` leaves nothing
   * behind.
   */
  readonly events: (session: string, options?: EventsOptions) => AsyncIterableIterator<StoredEvent>
}

type Method = "GET" | "POST" | "DELETE"

const search = (query: Readonly<Record<string, string | number | undefined>>) => {
  const given = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined) given.set(name, String(value))
  return String(given) === "" ? "" : `?${given}`
}

/** @since 0.1.0 */
export const createClient = (options: ClientOptions): Client => {
  const connection: Connection = {
    url: options.url.replace(/\/+$/, ""),
    headers: options.token === undefined ? {} : { authorization: `Bearer ${options.token}` },
    // a browser's fetch wants to be called as its own
    fetch: options.fetch ?? ((...args) => fetch(...args))
  }

  /** What it resolves with is what the API says that this route answers. */
  const call = async (
    method: Method,
    path: string,
    { signal }: CallOptions = {},
    payload?: unknown,
    headers?: Readonly<Record<string, string>>
  ) => {
    const response = await connection.fetch(`${connection.url}${path}`, {
      method,
      headers: {
        ...connection.headers,
        ...headers,
        ...payload === undefined ? {} : { "content-type": "application/json" }
      },
      ...payload === undefined ? {} : { body: JSON.stringify(payload) },
      ...signal === undefined ? {} : { signal }
    }).catch((cause) => {
      signal?.throwIfAborted()
      throw unreachable(connection.url, cause)
    })
    if (!response.ok) throw await refusal(connection.url, response)
    const text = await response.text()
    return text === "" ? undefined : JSON.parse(text)
  }

  const of = (session: string) => `/v1/sessions/${encodeURIComponent(session)}`

  return {
    health: (options) => call("GET", "/health", options),
    agents: (options) => call("GET", "/v1/agents", options),
    ticket: (options) => call("POST", "/v1/tickets", options),
    create: (session, options) => call("POST", "/v1/sessions", options, session),
    list: (query = {}, options) => call("GET", `/v1/sessions${search(query)}`, options),
    get: (session, options) => call("GET", of(session), options),
    close: (session, options) => call("DELETE", of(session), options),
    prompt: (session, prompt, { idempotencyKey, signal, ...rest } = {}) =>
      call(
        "POST",
        `${of(session)}/runs`,
        signal === undefined ? {} : { signal },
        { prompt, ...rest },
        idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }
      ),
    cancel: (session, { run, ...options } = {}) => call("POST", `${of(session)}/cancel${search({ run })}`, options),
    restart: (session, { signal, ...payload } = {}) =>
      call("POST", `${of(session)}/restart`, signal === undefined ? {} : { signal }, payload),
    setMode: (session, modeId, options) => call("POST", `${of(session)}/mode`, options, { modeId }),
    setConfig: (session, configId, value, options) =>
      call("POST", `${of(session)}/config`, options, { configId, value }),
    pending: async (session, options) => (await call("GET", `${of(session)}/elicitations`, options)).elicitations,
    answer: (session, elicitation, answer, options) =>
      call("POST", `${of(session)}/elicitations/${encodeURIComponent(elicitation)}`, options, answer),
    decisions: async (session, options) => (await call("GET", `${of(session)}/decisions`, options)).decisions,
    revoke: (session, subject, options) => call("DELETE", `${of(session)}/decisions${search({ subject })}`, options),
    shell: (session, input, options) => call("POST", `${of(session)}/shell`, options, input),
    startProcess: (session, process, options) => call("POST", `${of(session)}/processes`, options, process),
    stopProcess: (session, processId, options) =>
      call("DELETE", `${of(session)}/processes/${encodeURIComponent(processId)}`, options),
    events: (session, options) => events(connection, session, options)
  }
}
