/**
 * A session's events for as long as somebody wants them: reads the stream, and takes it up again where it was when it breaks.
 *
 * `EventSource` would reconnect by itself, but can send no `Authorization`, and tells nothing about why.
 */
import { createParser } from "eventsource-parser"
import { type Failure, toFailure } from "./Gateway.js"

/** One event as it came: its JSON is kept as it is, and parsed by who needs it. */
export interface Entry {
  readonly seq: number
  readonly type: string
  readonly json: string
}

export type State =
  | { readonly _tag: "Connecting" }
  | { readonly _tag: "Live" }
  /** Tries again at `until`, in milliseconds of the epoch. */
  | { readonly _tag: "Waiting"; readonly until: number; readonly reason: string }
  /** Nobody looks. */
  | { readonly _tag: "Paused" }
  /** Trying again would not help. */
  | { readonly _tag: "Ended"; readonly failure: Failure }

export interface Feed {
  /** Does not wait any longer for the next attempt. */
  readonly retry: () => void
  /** Lets go of the connection until `resume`. */
  readonly pause: () => void
  readonly resume: () => void
  readonly stop: () => void
}

export interface Options {
  readonly open: (after: number, signal: AbortSignal) => Promise<Response>
  readonly onEntry: (entry: Entry) => void
  readonly onState: (state: State) => void
  /** The events up to `oldest` are no longer there: what follows begins with it. */
  readonly onExpired: (oldest: number) => void
  /** A connection that says nothing for so long is dead; the gateway sends a heartbeat every 10 s. */
  readonly silenceMillis?: number
  /** The first wait, and the longest. */
  readonly backoffMillis?: readonly [first: number, longest: number]
  readonly random?: () => number
}

/** A connection that lived for so long was a good one. */
const stable = 5_000

const isFinal = ({ status }: Failure) => status >= 400 && status <= 404

export const start = (options: Options): Feed => {
  const { backoffMillis: [first, longest] = [500, 15_000], onState, random = Math.random, silenceMillis = 35_000 } =
    options
  let last = 0
  let failures = 0
  let paused = false
  let stopped = false
  let connection = new AbortController()
  /** Ends the wait, whatever it is for. */
  let wake = () => {}

  const sleep = (millis: number | undefined) =>
    new Promise<void>((resolve) => {
      const timer = millis === undefined ? undefined : setTimeout(resolve, millis)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })

  /** Reads until it ends, which it does not do by itself. */
  const read = async (controller: AbortController) => {
    const response = await options.open(last, controller.signal)
    onState({ _tag: "Live" })
    const parser = createParser({
      onEvent: ({ data, event, id }) => {
        const seq = Number(id)
        // the log has neither a gap nor an event twice, so neither has this
        if (!(seq > last) || event === undefined) return
        last = seq
        options.onEntry({ seq, type: event, json: data })
      }
    })
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
    if (reader === undefined) return
    let silence: ReturnType<typeof setTimeout> | undefined
    const alive = () => {
      clearTimeout(silence)
      silence = setTimeout(() => controller.abort(), silenceMillis)
    }
    try {
      alive()
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        alive()
        parser.feed(part.value)
      }
    } finally {
      clearTimeout(silence)
      controller.abort()
    }
  }

  const wait = async (failure: Failure | undefined) => {
    const delay = Math.min(longest, first * 2 ** Math.min(failures++, 10))
    // half of it at random: a gateway that comes back is not asked by everybody at once
    const millis = Math.max(failure?.retryAfterMillis ?? 0, delay / 2) + random() * delay / 2
    onState({
      _tag: "Waiting",
      until: Date.now() + millis,
      reason: failure?.message ?? "The gateway closed the stream."
    })
    await sleep(millis)
  }

  const run = async () => {
    while (!stopped) {
      if (paused) {
        onState({ _tag: "Paused" })
        await sleep(undefined)
        continue
      }
      connection = new AbortController()
      const since = Date.now()
      let failure: Failure | undefined
      try {
        onState({ _tag: "Connecting" })
        await read(connection)
      } catch (error) {
        failure = toFailure(error)
      }
      if (stopped || paused) continue
      if (failure?.status === 410 && typeof failure.fields["oldest"] === "number") {
        last = failure.fields["oldest"] - 1
        options.onExpired(failure.fields["oldest"])
        continue
      }
      if (failure !== undefined && isFinal(failure)) {
        onState({ _tag: "Ended", failure })
        await sleep(undefined)
        continue
      }
      if (Date.now() - since > stable) failures = 0
      await wait(failure)
    }
  }

  void run()
  return {
    retry: () => {
      failures = 0
      wake()
    },
    pause: () => {
      if (paused) return
      paused = true
      connection.abort()
      wake()
    },
    resume: () => {
      if (!paused) return
      paused = false
      failures = 0
      wake()
    },
    stop: () => {
      stopped = true
      connection.abort()
      wake()
    }
  }
}
