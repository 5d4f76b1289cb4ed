/**
 * AG-UI's `HttpAgent` for Holdfast, published as `holdfast/client/agui`: it finishes what it began, whatever the network does.
 *
 * ```ts
 * const agent = new ResumingHttpAgent({ url: "http://127.0.0.1:4455/agui/demo", threadId })
 * agent.addMessage({ id: crypto.randomUUID(), role: "user", content: "hello" })
 * await agent.runAgent()
 * ```
 *
 * The official agent takes a stream that was cut for a success, or for an error that ends the process. This one asks for the rest of it, and
 * the one who watches sees neither a gap nor anything twice.
 *
 * @since 0.1.0
 */
import { HttpAgent, type HttpAgentConfig } from "@ag-ui/client"
import * as Patience from "./plain/Patience.js"
import * as Resume from "./Resume.js"

type Fetch = NonNullable<HttpAgentConfig["fetch"]>

/** @since 0.1.0 */
export interface ResumeOptions {
  /** How many attempts in a row may bring nothing before the run is given up; 20 when left out, which is more than a minute. */
  readonly attempts?: number | undefined
  /** After how many milliseconds without a sign of life a connection is taken for dead; 30,000 when left out, three heartbeats. */
  readonly silence?: number | undefined
  /** How long to wait before attempt `n`, from 0, in milliseconds. Up to 0.25 s, doubled each time up to 5 s, when left out. */
  readonly delay?: ((n: number) => number) | undefined
}

const field = (value: unknown, name: "_tag" | "message"): string | undefined => {
  const found = typeof value === "object" && value !== null && name in value ? Object.entries(value) : []
  const text = found.find(([key]) => key === name)?.[1]
  return typeof text === "string" ? text : undefined
}

const runError = (message: string, code: string): string =>
  `data: ${JSON.stringify({ type: "RUN_ERROR", message, code })}\n\n`

const refusal = async (response: Response): Promise<string> => {
  const text = await response.text().catch(() => "")
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    // a proxy's own page
  }
  return runError(field(body, "message") ?? `the gateway answered ${response.status}`, field(body, "_tag") ?? "refused")
}

/** What of a stream is whole. The frames of one group belong together, and only the last has an id: half a group is as good as none. */
class Groups {
  lastId: string | undefined
  over = false
  private readonly decoder = new TextDecoder()
  private rest = ""
  private group = ""

  constructor(lastId: string | undefined) {
    this.lastId = lastId
  }

  /** The groups that these bytes complete. */
  take(bytes: Uint8Array): string {
    const frames = (this.rest + this.decoder.decode(bytes, { stream: true })).split("\n\n")
    this.rest = frames.pop() ?? ""
    let whole = ""
    for (const frame of frames) {
      if (!/^data:/m.test(frame)) continue
      this.group += `${frame}\n\n`
      const id = /^id: ?(.+)$/m.exec(frame)?.[1]
      this.over = /^data: ?\{"type":"RUN_(FINISHED|ERROR)"/m.test(frame)
      if (id === undefined && !this.over) continue
      this.lastId = id ?? this.lastId
      whole += this.group
      this.group = ""
      if (this.over) break
    }
    return whole
  }
}

type Reader = ReadableStreamDefaultReader<Uint8Array>

/** The next bytes; nothing when the stream has ended, was cut or has gone quiet. */
const read = async (reader: Reader, silence: number): Promise<Uint8Array | undefined> => {
  // a stream that is cancelled ends, so the one read is enough
  const quiet = setTimeout(() => void reader.cancel().catch(() => {}), silence)
  try {
    return (await reader.read()).value
  } catch {
    return undefined
  } finally {
    clearTimeout(quiet)
  }
}

const isStream = (response: Response): boolean =>
  response.ok && response.headers.get("content-type")?.startsWith("text/event-stream") === true

/**
 * A `fetch` for `HttpAgent` whose SSE responses do not end before the run does. What the first request is answered with, if it is no
 * stream, is returned as it is.
 *
 * @since 0.1.0
 */
export const resuming = (
  underlying: Fetch = (url, init) => fetch(url, init),
  options: ResumeOptions = {}
): Fetch => {
  const { attempts = 20, delay = (n) => Resume.wait(n, Math.random(), 0), silence = Resume.idle } = options
  /** Of the turn that is just being cancelled: what is asked after it is for the time after that. */
  let cancelling: Promise<unknown> = Promise.resolve()
  return async (url, init) => {
    if (/\/v1\/sessions\/[^/]+\/cancel$/.test(url)) {
      const cancel = underlying(url, init)
      cancelling = cancel.catch(() => {})
      return cancel
    }
    await cancelling
    const first = await underlying(url, init)
    if (!isStream(first) || first.body === null) return first
    // the run's own: it is over when the caller aborts, and when nobody reads
    const leaving = new AbortController()
    const { signal } = leaving
    const abort = () => leaving.abort(init.signal?.reason)
    init.signal?.addEventListener("abort", abort)
    const text = new TextEncoder()
    let groups = new Groups(undefined)
    let reader: Reader | undefined = first.body.getReader()
    let failures = 0
    /** What the gateway asks for before the next attempt, in milliseconds. */
    let asked = 0

    /** Asks for the rest. What is returned ends the run. */
    const again = async (): Promise<string | undefined> => {
      if (failures >= attempts) {
        return runError(`the connection is lost, and ${attempts} attempts did not bring it back`, "connection_lost")
      }
      await Patience.sleep(Math.max(asked, delay(failures++)), signal)
      if (signal.aborted) return undefined
      asked = 0
      const headers = new Headers(init.headers)
      // without an id nothing of it was seen, and the run id makes the same run of the same request
      if (groups.lastId !== undefined) headers.set("last-event-id", groups.lastId)
      const response = await underlying(url, { ...init, headers, signal }).catch(() => undefined)
      if (response === undefined) return undefined
      if (isStream(response)) {
        groups = new Groups(groups.lastId)
        reader = response.body?.getReader()
        return undefined
      }
      if (!Resume.isPassing(response.status)) return refusal(response)
      asked = Patience.asked(response.headers)
      await response.body?.cancel().catch(() => {})
      return undefined
    }

    const next = async (): Promise<string> => {
      for (;;) {
        if (signal.aborted) throw signal.reason
        if (reader === undefined) {
          const end = await again()
          if (end === undefined) continue
          groups.over = true
          return end
        }
        const bytes = await read(reader, silence)
        if (bytes === undefined) {
          reader = undefined
          continue
        }
        const whole = groups.take(bytes)
        if (whole === "") continue
        failures = 0
        return whole
      }
    }

    const body = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        controller.enqueue(text.encode(await next()))
        if (!groups.over) return
        init.signal?.removeEventListener("abort", abort)
        controller.close()
        await reader?.cancel().catch(() => {})
      },
      cancel: async (reason) => {
        leaving.abort(reason)
        await reader?.cancel(reason).catch(() => {})
      }
    }, { highWaterMark: 0 })
    return new Response(body, { status: first.status, headers: { "content-type": "text/event-stream" } })
  }
}

/**
 * `HttpAgent` that resumes by itself.
 *
 * @since 0.1.0
 */
export class ResumingHttpAgent extends HttpAgent {
  constructor(config: HttpAgentConfig & { readonly resume?: ResumeOptions | undefined }) {
    super({ ...config, fetch: resuming(config.fetch, config.resume) })
  }

  /** The thread as it is: its conversation, and the run that is open, if one is. Used by `connectAgent`. */
  protected override connect(input: Parameters<HttpAgent["run"]>[0]): ReturnType<HttpAgent["run"]> {
    return this.run({ ...input, messages: [] })
  }

  /** Cancels the turn, which `abortRun` does not: it only stops looking. Nothing happens where no turn is open. */
  async cancelTurn(): Promise<void> {
    const { holdfast } = { holdfast: undefined, ...this.state }
    const sessionId = typeof holdfast === "object" && holdfast !== null ? holdfast["sessionId"] : undefined
    // nothing was run, so nothing is known that could be cancelled
    if (typeof sessionId !== "string") return
    const url = this.url.replace(/\/agui\/[^/?#]+\/?(?=[?#]|$)/, `/v1/sessions/${sessionId}/cancel`)
    const response = await this.fetch(url, { method: "POST", headers: this.headers })
    if (!response.ok) throw new Error(`the turn was not cancelled: HTTP ${response.status} ${await response.text()}`)
  }
}
