import { describe, expect, it } from "@effect/vitest"
import * as Flags from "../../scripts/flags.js"

const options = { seed: { type: "string" }, json: { type: "boolean" } } as const

describe("flags", () => {
  it("reads what is known", () => {
    expect({ ...Flags.parse(["--seed", "7", "--json"], options) }).toEqual({ seed: "7", json: true })
    expect({ ...Flags.parse(["--seed=7"], options) }).toEqual({ seed: "7" })
    expect(Flags.whole("seed", "7", 0)).toBe(7)
    expect(Flags.minutes("minutes", "0.5")).toBe(0.5)
  })

  it.each([
    [["--sed", "7"], "Unknown option '--sed'; the flags are --seed --json"],
    [["--seed"], "Option '--seed <value>' argument missing; the flags are --seed --json"],
    [["7"], "Unexpected argument '7'"]
  ])("says in one line what is wrong with %j", (args, message) => {
    expect(() => Flags.parse(args, options)).toThrow(Flags.UsageError)
    expect(() => Flags.parse(args, options)).toThrow(message)
    expect(() => Flags.parse(args, options)).not.toThrow("\n")
  })

  it.each(["", "-1", "1.5", "1e9", "x", "0"])("refuses \"%s\" as a whole number from 1", (text) => {
    expect(() => Flags.whole("sessions", text, 1)).toThrow(
      `--sessions must be a whole number from 1, not "${text}"`
    )
  })

  it.each(["", "0", "-1", "two", "Infinity", "1h"])("refuses \"%s\" as minutes", (text) => {
    expect(() => Flags.minutes("minutes", text)).toThrow("--minutes must be a time in minutes, like 2 or 0.5, not")
  })
})
