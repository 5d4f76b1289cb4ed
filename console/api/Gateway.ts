/** The gateway's HTTP API, as far as the console calls it. */
import type { ElicitationAnswer } from "../../src/domain/Elicitation.js"
import type { AnswerIssue } from "../../src/domain/Form.js"
import type { Session } from "../../src/domain/Session.js"

export interface Agent {
  readonly name: string
  readonly kind: string
  readonly description: string
}

/** Every way in which a request can fail. `status` is 0 if nobody answered. */
export class Failure extends Error {
  constructor(
    readonly status: number,
    readonly tag: string,
    message: string,
    /** What the answer said beside its message. */
    readonly fields: Readonly<Record<string, unknown>> = {},
    /** When to come again, if it was said. */
    readonly retryAfterMillis: number | undefined = undefined
  ) {
    super(message)
  }
}

export const unreachable = () => new Failure(0, "Unreachable", "The gateway does not answer.")

export const toFailure = (error: unknown): Failure =>
  error instanceof Failure
    ? error
    : new Failure(0, "Unexpected", error instanceof Error ? error.message : String(error))

/** The errors of an answer that does not fit, by their paths. */
export const issuesOf = ({ fields }: Failure): ReadonlyArray<AnswerIssue> => {
  const { issues } = fields
  return Array.isArray(issues) ? issues : []
}

const seconds = (header: string | null) => {
  const value = Number(header ?? Number.NaN)
  return Number.isFinite(value) ? value * 1000 : undefined
}

/** The gateway keeps to its own schemas; they are not checked again here. */
const parse = <A>(json: string): A => JSON.parse(json)

const failureOf = async (response: Response): Promise<Failure> => {
  const retry = seconds(response.headers.get("retry-after"))
  try {
    const { _tag, message, ...fields } = parse<Readonly<Record<string, unknown>>>(await response.text())
    return new Failure(response.status, String(_tag), String(message), fields, retry)
  } catch {
    // a proxy's page, or a connection that broke
    return new Failure(response.status, "Unexpected", `The gateway answered ${response.status}.`, {}, retry)
  }
}

export interface Request {
  readonly method?: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

/** Calls relative to where the page is, which may be below a path of a proxy. */
export const make = (options: {
  readonly token: () => string | undefined
  /** Is told of every failure before the caller is. */
  readonly onFailure: (failure: Failure) => void
}) => {
  const send = async (path: string, { body, headers, method = "GET", signal }: Request = {}): Promise<Response> => {
    const token = options.token()
    try {
      const response = await fetch(path, {
        method,
        headers: {
          ...token === undefined ? {} : { authorization: `Bearer ${token}` },
          ...body === undefined ? {} : { "content-type": "application/json" },
          ...headers
        },
        ...body === undefined ? {} : { body: JSON.stringify(body) },
        ...signal === undefined ? {} : { signal }
      })
      if (response.ok) return response
      throw await failureOf(response)
    } catch (error) {
      if (signal?.aborted === true) throw error
      const failure = error instanceof Failure ? error : unreachable()
      options.onFailure(failure)
      throw failure
    }
  }
  const json = async <A>(path: string, request?: Request): Promise<A> => {
    const response = await send(path, request)
    return parse(await response.text())
  }
  const post = async (path: string, body: unknown = {}) => void await send(path, { method: "POST", body })
  const session = (id: string) => `v1/sessions/${encodeURIComponent(id)}`

  return {
    health: () => json<{ readonly version: string }>("health"),
    agents: () => json<ReadonlyArray<Agent>>("v1/agents"),
    list: (after: string | undefined, signal?: AbortSignal) =>
      json<{ readonly sessions: ReadonlyArray<Session>; readonly next?: string }>(
        `v1/sessions?limit=50${after === undefined ? "" : `&after=${encodeURIComponent(after)}`}`,
        signal === undefined ? {} : { signal }
      ),
    /** Those that wait for an answer, on whatever page they are; as many as the gateway tells at once. */
    waiting: async (signal: AbortSignal) =>
      (await json<{ readonly sessions: ReadonlyArray<Session> }>("v1/sessions?status=waiting&limit=200", { signal }))
        .sessions,
    get: (id: string) => json<Session>(session(id)),
    create: (given: { readonly agent: string; readonly cwd?: string; readonly title?: string }) =>
      json<Session>("v1/sessions", { method: "POST", body: given }),
    close: async (id: string) => void await send(session(id), { method: "DELETE" }),
    prompt: (id: string, prompt: string, whenBusy: "refuse" | "queue" | "steer", key: string) =>
      json<{ readonly runId: string; readonly seq: number }>(`${session(id)}/runs`, {
        method: "POST",
        headers: { "idempotency-key": key },
        body: { prompt, whenBusy }
      }),
    /** The turn, or with `run` only that run. */
    cancel: async (id: string, run?: string) =>
      void await send(`${session(id)}/cancel${run === undefined ? "" : `?run=${encodeURIComponent(run)}`}`, {
        method: "POST"
      }),
    restart: (id: string) => post(`${session(id)}/restart`),
    setMode: (id: string, modeId: string) => post(`${session(id)}/mode`, { modeId }),
    setOption: (id: string, configId: string, value: string | boolean) =>
      post(`${session(id)}/config`, { configId, value }),
    answer: (id: string, elicitationId: string, answer: ElicitationAnswer) =>
      post(`${session(id)}/elicitations/${encodeURIComponent(elicitationId)}`, answer),
    /** The events after a cursor, as the server sends them. */
    events: (id: string, after: number, signal: AbortSignal) =>
      send(`${session(id)}/events?after=${after}`, { headers: { accept: "text/event-stream" }, signal })
  }
}
