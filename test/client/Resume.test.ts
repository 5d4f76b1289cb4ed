import { describe, expect, it } from "@effect/vitest"
import * as Resume from "../../src/client/Resume.js"

describe("Resume", () => {
  it("the wait grows to 5 seconds and no further, with jitter over its upper half", () => {
    const waits = (random: number) => Array.from({ length: 8 }, (_, failures) => Resume.wait(failures, random, 0))
    expect(waits(0)).toEqual([125, 250, 500, 1000, 2000, 2500, 2500, 2500])
    expect(waits(1)).toEqual([250, 500, 1000, 2000, 4000, 5000, 5000, 5000])
    expect(Resume.wait(1_000_000, 1, 0)).toBe(5000)
  })

  it("what was asked for is waited for, and then jittered, so that not all come at once", () => {
    expect(Resume.wait(0, 0, 1000)).toBe(1125)
    expect(Resume.wait(0, 1, 1000)).toBe(1250)
    expect(Resume.wait(0, 0, Number.POSITIVE_INFINITY)).toBe(300_125)
  })

  it("Retry-After is seconds or a date; what makes no sense asks for nothing", () => {
    const now = Date.parse("2026-11-21T02:00:00.000Z")
    expect(Resume.retryAfter("3", now)).toBe(3000)
    expect(Resume.retryAfter("Sat, 21 Nov 2026 02:00:07 GMT", now)).toBe(7000)
    for (const header of [null, undefined, "", "soon", "-1", "Sat, 21 Nov 2026 01:00:00 GMT"]) {
      expect(Resume.retryAfter(header, now)).toBe(0)
    }
  })

  it("what may pass is tried again: a gateway that drains or is full, a proxy that does not reach it", () => {
    expect([200, 400, 401, 403, 404, 410, 429, 500, 502, 503, 504].filter(Resume.isPassing))
      .toEqual([429, 500, 502, 503, 504])
  })
})
