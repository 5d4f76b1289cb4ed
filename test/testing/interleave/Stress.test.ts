import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import { Interleave } from "holdfast/testing"
import * as NodeFs from "node:fs"
import * as NodeOs from "node:os"
import * as NodePath from "node:path"
import * as Stress from "../../../src/testing/interleave/Stress.js"

const test = { file: "test/counter.interleave.test.ts", name: "CO1 two increments add two" }

/** Two that add one; without `atomic` one may be lost. */
const counter = (atomic: boolean) => () =>
  Effect.gen(function*() {
    const ref = yield* Ref.make(0)
    const add = atomic
      ? Ref.update(ref, (n) => n + 1)
      : Effect.flatMap(Ref.get(ref), (n) => Ref.set(ref, n + 1))
    yield* Effect.all([add, add], { concurrency: 2 })
    if ((yield* Ref.get(ref)) !== 2) return yield* Effect.die("an increment was lost")
  })

/** Sets variables until the scope closes. */
const environment = (variables: Readonly<Record<string, string>>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const before = { ...process.env }
      Object.assign(process.env, variables)
      return before
    }),
    (before) => Effect.sync(() => void (process.env = before))
  )

const report = Effect.gen(function*() {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => NodeFs.mkdtempSync(NodePath.join(NodeOs.tmpdir(), "holdfast-report-"))),
    (folder) => Effect.sync(() => NodeFs.rmSync(folder, { recursive: true }))
  )
  const file = NodePath.join(folder, "report.jsonl")
  yield* environment({ INTERLEAVE_REPORT: file })
  const lines = Effect.sync((): ReadonlyArray<Stress.Line> =>
    NodeFs.readFileSync(file, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line))
  )
  // on a slow machine also these tests tell how far they are
  return { lines, last: Effect.map(lines, (lines) => lines.at(-1)) }
})

describe("options", () => {
  it.scoped("are the test's own where nothing is asked", () =>
    Effect.gen(function*() {
      yield* environment({ INTERLEAVE_SCHEDULES: "", INTERLEAVE_SEED: "", INTERLEAVE_MINUTES: "" })
      expect(Stress.options({ schedules: 7, seed: 8 })).toEqual({ schedules: 7, seed: 8 })
      expect(Stress.isAsked()).toBe(false)
    }))

  it.scoped("are those of the environment where it says something", () =>
    Effect.gen(function*() {
      yield* environment({ INTERLEAVE_SCHEDULES: "20", INTERLEAVE_SEED: "0", INTERLEAVE_MINUTES: "0.5" })
      const { timeBox, ...others } = Stress.options({ schedules: 7, seed: 8, granularity: "async" })
      expect(others).toEqual({ schedules: 20, seed: 0, granularity: "async" })
      expect(timeBox).toMatchObject({ value: { millis: 30_000 } })
      expect(Stress.isAsked()).toBe(true)
    }))

  it.scoped("give an exhaustive search no fewer schedules than it has", () =>
    Effect.gen(function*() {
      yield* environment({ INTERLEAVE_SCHEDULES: "20" })
      const strategy = Interleave.exhaustive()
      expect(Stress.options({ strategy }).schedules).toBe(100_000)
      expect(Stress.options({ strategy, schedules: 200 }).schedules).toBe(200)
      expect(Stress.options({ strategy, schedules: 5 }).schedules).toBe(20)
    }))

  it.scoped("let a search that promises to be exhaustive end", () =>
    Effect.gen(function*() {
      const own = { strategy: Interleave.exhaustive(), exhaustive: true } as const
      expect(Stress.options(own)).toEqual({ strategy: own.strategy, schedules: Infinity })
      expect(Stress.options({ ...own, schedules: 5 }).schedules).toBe(5)
      yield* environment({ INTERLEAVE_SCHEDULES: "20" })
      expect(Stress.options({ ...own, schedules: 5 }).schedules).toBe(20)
    }))

  it.scoped.each(["0", "-1", "many"])("refuse %s schedules", (text) =>
    Effect.gen(function*() {
      yield* environment({ INTERLEAVE_SCHEDULES: text })
      expect(() => Stress.options({})).toThrow(`INTERLEAVE_SCHEDULES must be a number from 1, not "${text}"`)
    }))
})

describe("check", () => {
  it.scoped("tells the report how a test went that passed", () =>
    Effect.gen(function*() {
      const { last } = yield* report
      yield* environment({ INTERLEAVE_SCHEDULES: "30" })
      const passed = yield* Stress.check(counter(true), {}, test)
      expect(passed.schedules).toBe(30)
      const { distinct, millis } = passed
      expect(yield* last).toEqual({ ...test, schedules: 30, distinct, exhaustive: false, millis })
    }))

  it.scoped("tells whether a search was exhaustive", () =>
    Effect.gen(function*() {
      const { last } = yield* report
      yield* Stress.check(counter(true), { strategy: Interleave.exhaustive({ preemptions: 1 }) }, test)
      expect(yield* last).toMatchObject({ ...test, exhaustive: true })
    }))

  it.scoped("fails when a search promised to be exhaustive and is not, unless it was short of time", () =>
    Effect.gen(function*() {
      const own = { strategy: Interleave.exhaustive({ preemptions: 1 }), exhaustive: true } as const
      const passed = yield* Stress.check(counter(true), own, test)
      expect(passed.exhaustive).toBe(true)
      const cut = yield* Effect.exit(Stress.check(counter(true), { ...own, schedules: passed.schedules - 1 }, test))
      expect(String(cut)).toMatch(`not every schedule was tried: there are more than ${passed.schedules - 1}`)
      const { last } = yield* report
      yield* environment({ INTERLEAVE_MINUTES: "0" })
      yield* Stress.check(counter(true), own, test)
      expect(yield* last).toMatchObject({ schedules: 1, exhaustive: false })
    }))

  it.scoped("tells what it takes to see a failure again, and fails", () =>
    Effect.gen(function*() {
      const { last } = yield* report
      const { choices } = yield* Effect.flip(Stress.check(counter(false), {}, test))
      const line = yield* last
      expect(line?.failure).toMatchObject({ choices, reason: expect.stringContaining("an increment was lost") })
      expect(line?.schedules).toBeGreaterThan(0)
      const again = yield* Interleave.explore(Effect.suspend(counter(false)), { strategy: Interleave.replay(choices) })
      expect(again._tag).toBe("Failed")
    }))

  it.scoped("tells now and then how far it is", () =>
    Effect.gen(function*() {
      const { lines } = yield* report
      yield* environment({ INTERLEAVE_SCHEDULES: "1000000", INTERLEAVE_MINUTES: String(1.5 / 60) })
      yield* Stress.check(counter(true), {}, test)
      const [first, second, ...others] = yield* lines
      const last = others.at(-1)
      expect(first).toMatchObject({ ...test, schedules: 0, running: true })
      expect(second).toMatchObject({ ...test, running: true })
      expect(second?.schedules).toBeGreaterThan(0)
      expect(last).not.toHaveProperty("running")
      expect(last?.schedules).toBeGreaterThan(second?.schedules ?? Infinity)
    }))

  it.scoped("is the same without a report", () =>
    Effect.gen(function*() {
      yield* environment({ INTERLEAVE_REPORT: "", INTERLEAVE_SCHEDULES: "30" })
      expect((yield* Stress.check(counter(true), {}, test)).schedules).toBe(30)
      expect((yield* Effect.flip(Stress.check(counter(false), {}, test)))._tag).toBe("InterleaveFailure")
    }))
})
