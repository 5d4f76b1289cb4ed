import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodeFs from "node:fs"
import * as Program from "./program.js"

/** What a gateway with a new database tells until it is stopped: that it made the tables, at debug. */
const told = Effect.fnUntraced(function*(
  env: Record<string, string>,
  file: string,
  ...flags: ReadonlyArray<string>
) {
  const cwd = yield* Program.folder
  NodeFs.writeFileSync(`${cwd}/holdfast.yaml`, file)
  const gateway = yield* Program.start({ cwd, env }, "serve", "--port", "0", ...flags)
  yield* gateway.says(/listening/)
  yield* gateway.signal("SIGTERM")
  const { code, stderr, stdout } = yield* gateway.exit
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^holdfast listening on \S+\n$/)])
  return stderr
})

const live = (name: string, test: Effect.Effect<void, unknown, never>) => it.scopedLive(name, () => test, 120_000)

describe("the log", () => {
  live(
    "is as much as is asked for: the flag goes before the variable, and that before the file",
    Effect.scoped(Effect.gen(function*() {
      const debug = /level=DEBUG .*migration_name=sessions_and_events/
      expect(yield* told({}, "")).toBe("")
      expect(yield* told({}, "log: { level: debug }")).toMatch(debug)
      expect(yield* told({ HOLDFAST_LOG_LEVEL: "info" }, "log: { level: debug }")).toBe("")
      expect(yield* told({ HOLDFAST_LOG_LEVEL: "info" }, "", "--log-level", "debug")).toMatch(debug)
      expect(yield* told({ HOLDFAST_LOG_LEVEL: "debug" }, "", "--log-level=info")).toBe("")
      const cwd = yield* Program.folder
      const wrong = yield* Program.run({ cwd }, "serve", "--port", "0", "--log-level", "loud")
      expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringMatching(/^holdfast: .*loud.*\n$/)])
    }))
  )

  live(
    "has the form that is asked for, on stderr",
    Effect.scoped(Effect.gen(function*() {
      const json = yield* told({ HOLDFAST_LOG_FORMAT: "pretty" }, "log: { level: debug }", "--log-format", "json")
      const entries = json.trimEnd().split("\n").map((line) => JSON.parse(line))
      expect(entries[0]).toMatchObject({
        message: "Running migration",
        logLevel: "DEBUG",
        timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        annotations: { migration_name: "sessions_and_events" }
      })
      const pretty = yield* told({ HOLDFAST_LOG_FORMAT: "pretty", HOLDFAST_LOG_LEVEL: "debug" }, "")
      expect(pretty).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] DEBUG \(#\d+\): Running migration$/m)
    }))
  )
})
