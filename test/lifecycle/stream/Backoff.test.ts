import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Backoff from "../../../src/lifecycle/stream/Backoff.js"

const seconds = (policy: Backoff.Policy, attempt: number, chance = 0.999999) =>
  Math.round(Duration.toSeconds(Backoff.delay(policy, attempt, chance)))

describe("Backoff", () => {
  it("SM5 grows by the factor up to the cap, for ever", () => {
    const policy = Backoff.make({ base: "1 second", factor: 3, cap: "20 seconds" })
    expect([1, 2, 3, 4, 5, 6, 10_000].map((attempt) => seconds(policy, attempt))).toStrictEqual([
      1,
      1,
      3,
      9,
      20,
      20,
      20
    ])
  })

  it("SM5 full jitter is anything from nothing up to the delay, and never beyond the cap", () => {
    const policy = Backoff.make({ base: "10 seconds", cap: "40 seconds" })
    expect([0, 0.25, 0.5].map((chance) => seconds(policy, 4, chance))).toStrictEqual([0, 10, 20])
    expect([0, 0.5, 0.999].map((chance) => seconds({ ...policy, jitter: "none" }, 4, chance))).toStrictEqual([
      40,
      40,
      40
    ])
  })

  it("a cap below the base is still the cap, and a factor below 1 shrinks nothing", () => {
    expect(seconds(Backoff.make({ base: "1 minute", cap: "5 seconds", jitter: "none" }), 3)).toBe(5)
    expect(seconds(Backoff.make({ base: "4 seconds", factor: 0.1, jitter: "none" }), 5)).toBe(4)
  })

  it("the attempts start again after a healthy connection", () => {
    const policy = Backoff.make({ healthyAfter: "20 seconds" })
    expect(Backoff.nextAttempt(policy, 7, 19_999)).toBe(8)
    expect(Backoff.nextAttempt(policy, 7, 20_000)).toBe(1)
  })
})
