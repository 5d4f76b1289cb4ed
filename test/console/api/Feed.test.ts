import { afterEach, describe, expect, it, vi } from "@effect/vitest"
import * as Feed from "../../../console/api/Feed.js"
import { Failure } from "../../../console/api/Gateway.js"

afterEach(() => {
  vi.useRealTimers()
})

const encoder = new TextEncoder()
const frame = (seq: number) => `id: ${seq}\nevent: TextChunk\ndata: {"seq":${seq}}\n\n`

/** A server of one session, which does at each request what is next in its script. */
const scripted = (...script: ReadonlyArray<(connection: Connection) => void>) => {
  const after: Array<number> = []
  const seen: Array<number> = []
  const states: Array<Feed.State> = []
  const expired: Array<number> = []
  const feed = Feed.start({
    open: (cursor, signal) => {
      after.push(cursor)
      return new Promise((resolve, reject) => {
        const body = new TransformStream<Uint8Array, Uint8Array>(undefined, undefined, { highWaterMark: 1000 })
        const writer = body.writable.getWriter()
        signal.addEventListener("abort", () => {
          reject(new Error("aborted"))
          writer.abort(new Error("aborted")).catch(() => {})
        })
        const next = script[after.length - 1]
        next?.({
          send: (...texts) => {
            for (const text of texts) void writer.write(encoder.encode(text)).catch(() => {})
          },
          end: () => void writer.close().catch(() => {}),
          cut: () => void writer.abort(new Error("reset")).catch(() => {}),
          refuse: reject
        })
        resolve(new Response(body.readable))
      })
    },
    onEntry: ({ seq }) => seen.push(seq),
    onState: (state) => states.push(state),
    onExpired: (oldest) => expired.push(oldest),
    backoffMillis: [1000, 8000],
    silenceMillis: 30_000,
    random: () => 0.5
  })
  return { feed, after, seen, states, expired, last: () => states.at(-1)?._tag }
}

interface Connection {
  readonly send: (...texts: ReadonlyArray<string>) => void
  readonly end: () => void
  readonly cut: () => void
  readonly refuse: (failure: Failure) => void
}

const refusing = (...args: ConstructorParameters<typeof Failure>) => (connection: Connection) => {
  connection.refuse(new Failure(...args))
}

describe("the feed", () => {
  it("takes the stream up again after the last whole event, wherever it was cut, without a gap or a double", async () => {
    vi.useFakeTimers()
    const { after, feed, last, seen } = scripted(
      ({ cut, send }) => {
        send("retry: 1000\n\n", frame(1), frame(2), frame(3).slice(0, -4))
        setTimeout(cut, 10)
      },
      // a server that repeats itself
      ({ end, send }) => {
        send(frame(2), frame(3), ": heartbeat\n\n", frame(4))
        setTimeout(end, 10)
      },
      ({ send }) => send(frame(5))
    )
    await vi.advanceTimersByTimeAsync(10_000)
    expect(after).toStrictEqual([0, 2, 4])
    expect(seen).toStrictEqual([1, 2, 3, 4, 5])
    expect(last()).toBe("Live")
    feed.stop()
  })

  it("waits longer each time, half of it by chance, up to a limit, and not before it was told to come again", async () => {
    vi.useFakeTimers()
    const down = refusing(0, "Unreachable", "no")
    const begin = Date.now()
    const { feed, states } = scripted(
      ...Array.from({ length: 6 }, () => down),
      refusing(503, "Draining", "going", {}, 60_000)
    )
    await vi.advanceTimersByTimeAsync(120_000)
    const waits = states.flatMap((state) => state._tag === "Waiting" ? [state.until - begin] : [])
    const gaps = waits.map((until, index) => until - (waits[index - 1] ?? 0))
    expect(gaps.slice(0, 6)).toStrictEqual([750, 1500, 3000, 6000, 6000, 6000])
    expect(gaps[6]).toBeGreaterThanOrEqual(60_000)
    feed.stop()
  })

  it("does not wait when a person says so", async () => {
    vi.useFakeTimers()
    const { after, feed, last } = scripted(refusing(0, "Unreachable", "no"), ({ send }) => send(frame(1)))
    await vi.advanceTimersByTimeAsync(1)
    expect(last()).toBe("Waiting")
    feed.retry()
    await vi.advanceTimersByTimeAsync(1)
    expect(after).toHaveLength(2)
    expect(last()).toBe("Live")
    feed.stop()
  })

  it("finds a connection that is open and dead by its silence", async () => {
    vi.useFakeTimers()
    const { after, feed, seen } = scripted(({ send }) => send(frame(1)), ({ send }) => send(frame(2)))
    await vi.advanceTimersByTimeAsync(29_000)
    expect(after).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(3_000)
    expect(seen).toStrictEqual([1, 2])
    feed.stop()
  })

  it("begins anew where the log begins, when what it wants is no longer kept", async () => {
    vi.useFakeTimers()
    const { after, expired, feed, seen } = scripted(
      refusing(410, "CursorExpired", "gone", { oldest: 90 }),
      ({ send }) => send(frame(90))
    )
    await vi.advanceTimersByTimeAsync(100)
    expect(expired).toStrictEqual([90])
    expect(after).toStrictEqual([0, 89])
    expect(seen).toStrictEqual([90])
    feed.stop()
  })

  it("does not ask again where that would not help, until it is told to", async () => {
    vi.useFakeTimers()
    for (const status of [401, 403, 404]) {
      const { after, feed, last } = scripted(refusing(status, "Refused", "no"), ({ send }) => send(frame(1)))
      await vi.advanceTimersByTimeAsync(60_000)
      expect(after).toHaveLength(1)
      expect(last()).toBe("Ended")
      feed.retry()
      await vi.advanceTimersByTimeAsync(1)
      expect(last()).toBe("Live")
      feed.stop()
    }
  })

  it("lets go of its connection while nobody looks, and then goes on where it was", async () => {
    vi.useFakeTimers()
    const { after, feed, last, seen } = scripted(({ send }) => send(frame(1)), ({ send }) => send(frame(2)))
    await vi.advanceTimersByTimeAsync(10)
    feed.pause()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(last()).toBe("Paused")
    expect(after).toHaveLength(1)
    feed.resume()
    await vi.advanceTimersByTimeAsync(10)
    expect(after).toStrictEqual([0, 1])
    expect(seen).toStrictEqual([1, 2])
    feed.stop()
  })

  it("stops at once, also while it waits", async () => {
    vi.useFakeTimers()
    const { after, feed } = scripted(refusing(0, "Unreachable", "no"), refusing(0, "Unreachable", "no"))
    await vi.advanceTimersByTimeAsync(1)
    feed.stop()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(after).toHaveLength(1)
    expect(vi.getTimerCount()).toBe(0)
  })
})
