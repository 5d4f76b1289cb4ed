import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Backoff from "../../../src/lifecycle/stream/Backoff.js"
import * as State from "../../../src/lifecycle/stream/State.js"

const policy = Backoff.make({ base: "1 second", cap: "8 seconds", jitter: "none", healthyAfter: "20 seconds" })
const stop: State.Stop = { reason: "Detached", message: "enough" }
const silent: State.Verdict<string> = { reason: "Silent", message: "it is silent" }

const after = (redial: "never" | Backoff.Policy, ...events: ReadonlyArray<State.Event<string, string>>) =>
  events.reduce<State.State<string, string>>((state, event) => State.transition(redial, state, event), State.initial)

const dialed: State.Event<string, string> = { _tag: "Dialed", connection: "a line", now: 1000 }
const over = (now: number): State.Event<string, string> => ({ _tag: "Over", now })
const stopped: State.Event<string, string> = { _tag: "Stopped", stop, now: 2000 }
const end = (attempt: number): State.End<string> => ({
  reason: "Clean",
  requested: false,
  message: "bye",
  attempt,
  connected: true
})
const settled = (attempt = 1, atLeast: Duration.DurationInput = 0): State.Event<string, string> => ({
  _tag: "Settled",
  end: end(attempt),
  chance: 0.5,
  atLeast: Duration.decode(atLeast)
})

describe("State", () => {
  it("goes from a dial to a connection, to its closing, to a back-off and to the next dial", () => {
    expect(after(policy, dialed)).toStrictEqual({
      _tag: "Connected",
      status: { _tag: "Connected", attempt: 1, since: 1000 },
      connection: "a line"
    })
    expect(after(policy, dialed, over(3000))).toMatchObject({ _tag: "Closing", upFor: 2000, verdict: undefined })
    expect(after(policy, dialed, over(3000), settled())).toMatchObject({
      _tag: "BackingOff",
      status: { attempt: 2, delay: Duration.seconds(1), end: end(1) }
    })
    expect(after(policy, dialed, over(3000), settled(), { _tag: "Woken" })).toStrictEqual({
      _tag: "Connecting",
      status: { _tag: "Connecting", attempt: 2 }
    })
  })

  it("gives no connection away from the moment that its closing begins, and shows it as connected until it is closed", () => {
    const closing = after(policy, dialed, over(3000))
    expect(closing).not.toHaveProperty("connection")
    expect(closing.status._tag).toBe("Connected")
  })

  it("SM2 a dial that was told to stop becomes no connection", () => {
    expect(after(policy, stopped, dialed)).toStrictEqual(after(policy, stopped))
    expect(after(policy, { _tag: "GivenUp", verdict: silent, now: 0 }, dialed)._tag).toBe("Closing")
  })

  it("SM5 starts from the base again only after a connection that was up for long enough", () => {
    const delays = (upFor: number) => {
      const state = after(
        policy,
        dialed,
        over(3000),
        settled(3),
        { _tag: "Woken" },
        dialed,
        over(1000 + upFor),
        settled(4)
      )
      return state._tag === "BackingOff" ? [state.status.attempt, Duration.toSeconds(state.status.delay)] : []
    }
    expect(delays(19_999)).toStrictEqual([5, 8])
    expect(delays(20_000)).toStrictEqual([1, 1])
  })

  it("SM5 waits as long as the peer asked for, if that is longer", () => {
    expect(after(policy, over(0), settled(1, "5 seconds")).status).toMatchObject({ delay: Duration.seconds(5) })
    expect(after(policy, over(0), settled(1, "5 millis")).status).toMatchObject({ delay: Duration.seconds(1) })
  })

  it("ends when it was told to stop, whatever it was doing", () => {
    for (
      const before of [
        [],
        [dialed],
        [dialed, over(3000)],
        [dialed, over(3000), settled()],
        [dialed, over(3000), settled(), { _tag: "Woken" }]
      ] as const
    ) {
      const state = after(policy, ...before, stopped)
      expect(state._tag).toBe("Closing")
      expect(State.isFinal(state, policy)).toBe(true)
      expect(State.transition(policy, state, settled())).toMatchObject({
        _tag: "Ended",
        status: { end: { reason: "Detached", requested: true, message: "enough" } }
      })
    }
  })

  it("SM6 the first reason is the reason, and the first stop is the stop", () => {
    const closing = after(policy, dialed, { _tag: "GivenUp", verdict: silent, now: 2000 }, stopped)
    expect(closing).toMatchObject({ verdict: silent, stop })
    expect(State.transition(policy, closing, { _tag: "Stopped", stop: { reason: "Closed", message: "x" }, now: 0 }))
      .toBe(closing)
    expect(State.transition(policy, closing, { _tag: "GivenUp", verdict: silent, now: 0 })).toBe(closing)
  })

  it("with redial never, the end of the connection is the end, and is not rewritten by a late stop", () => {
    expect(after("never", dialed, over(3000), settled()).status).toStrictEqual({ _tag: "Ended", end: end(1) })
    expect(after("never", dialed, over(3000), stopped, settled()).status).toStrictEqual({ _tag: "Ended", end: end(1) })
    expect(State.isFinal(after("never", dialed, over(3000)), "never")).toBe(true)
    expect(State.isFinal(after(policy, dialed, over(3000)), policy)).toBe(false)
  })

  it("what comes too late changes nothing", () => {
    const ended = after("never", over(0), settled())
    for (const event of [dialed, over(0), stopped, settled(), { _tag: "Woken" } as const]) {
      expect(State.transition("never", ended, event)).toBe(ended)
    }
    const connected = after(policy, dialed)
    for (const event of [dialed, settled(), { _tag: "Woken" } as const]) {
      expect(State.transition(policy, connected, event)).toBe(connected)
    }
  })
})
