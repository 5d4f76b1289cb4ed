import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import { RestartPolicyInvalid, unsafeRules } from "../../../src/lifecycle/restart/RestartPolicy.js"

const issues = (policy: Parameters<typeof unsafeRules>[0]): ReadonlyArray<string> => {
  try {
    unsafeRules(policy)
  } catch (error) {
    if (error instanceof RestartPolicyInvalid) return error.issues
    throw error
  }
  return []
}

describe("RestartPolicy", () => {
  it("has defaults for what is left out", () => {
    expect(unsafeRules({})).toEqual({
      settle: 10_000,
      backoff: { base: 1000, factor: 2, cap: 30_000 },
      intensity: { max: 5, within: 300_000 },
      coolDown: 60_000
    })
    expect(unsafeRules({ backoff: { base: "1 minute" } }).backoff.cap).toBe(60_000)
  })

  it("takes durations of every form, in whole milliseconds", () => {
    expect(unsafeRules({ settle: "2 seconds", coolDown: Duration.minutes(2), intensity: { within: 10n ** 9n } }))
      .toMatchObject({
        settle: 2000,
        coolDown: 120_000,
        intensity: { within: 1000 }
      })
    expect(unsafeRules({ settle: 0.4 }).settle).toBe(1)
  })

  it("refuses what makes no sense, all of it at once, and says what would", () => {
    for (const bad of [-1, NaN, Infinity, -1n, "-1 second", [-1, 0], Duration.infinity] as const) {
      expect(issues({ settle: bad })[0]).toMatch(/^settle is .*; it has to be a finite duration of zero or more$/)
    }
    expect(issues({ backoff: { factor: 0.5, base: "1 minute", cap: 1 }, intensity: { max: 0 } })).toEqual([
      "backoff.factor is 0.5; it has to be a number of 1 or more",
      "backoff.cap (1 ms) is less than backoff.base (60000 ms); it has to be as much or more",
      "intensity.max is 0; it has to be a whole number of 1 or more"
    ])
    for (const max of [1.5, NaN, Infinity, -3]) expect(issues({ intensity: { max } })).toHaveLength(1)
    expect(() => unsafeRules({ coolDown: -5 })).toThrow(
      "the restart policy makes no sense: coolDown is -5; it has to be a finite duration of zero or more"
    )
  })
})
