/** Run by ../LeakFree.test.ts, with names as in leakFree.planted.ts. */
import { afterEach, beforeAll, beforeEach, describe, expect, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import * as ChildProcess from "node:child_process"

leakFreeFile({ ignore: ({ spans }) => spans.includes("metrics") })

// leaked by the file, and told at its end
beforeAll(() => {
  setInterval(function leftByHook() {}, 999)
})

let timer: NodeJS.Timeout | undefined
beforeEach(() => {
  timer = setInterval(() => {}, 1000)
})
afterEach(() => clearInterval(timer))

it("clean: a plain test", () => {
  expect(1).toBe(1)
})

it("leak: timer · setTimeout, 50000 ms · made at", () => {
  setTimeout(() => {}, 50_000)
})

it.effect("leak: fiber · work", () => Effect.forkDaemon(Effect.withSpan(Effect.never, "work")))

it.effect("leak: 2 leaks · spans inner · parent fiber", () =>
  Effect.forkDaemon(Effect.zipRight(Effect.fork(Effect.withSpan(Effect.never, "inner")), Effect.never)))

it.effect("clean: with a TestClock", () => Effect.fork(Effect.sleep("1 day")))

it.effect("clean: what the file ignores", () => Effect.forkDaemon(Effect.withSpan(Effect.never, "metrics")))

it.live("leak: fiber · Effect.never", () => Effect.forkDaemon(Effect.never))

it.scoped("clean: scoped", () => Effect.forkScoped(Effect.never))

it("leak: process · sleep 779 · made at", () => {
  const child = ChildProcess.spawn("sleep", ["779"], { stdio: "ignore" })
  processesEnd.push(() => child.kill("SIGKILL"))
})

it.leakFree("leak: fiber · twice", () => Effect.forkDaemon(Effect.withSpan(Effect.never, "twice")))

it.leakFree(
  "clean: what the test ignores",
  () => Effect.forkDaemon(Effect.withSpan(Effect.never, "of the test")),
  { ignore: ({ spans }) => spans.includes("of the test") }
)

class Ticker extends Context.Tag("Ticker")<Ticker, { readonly timer: NodeJS.Timeout }>() {
  static readonly layer = Layer.scoped(
    Ticker,
    Effect.acquireRelease(
      Effect.sync(() => ({ timer: setInterval(() => {}, 1000) })),
      ({ timer }) => Effect.sync(() => clearInterval(timer))
    )
  )
}

layer(Ticker.layer)("a layer that tests share", (it) => {
  it.effect("clean: first", () => Ticker)
  it.effect("clean: second", () => Ticker)
})

const processesEnd: Array<() => void> = []
describe("at the end", () => {
  it("clean: the processes are put away", () => {
    for (const end of processesEnd) end()
  })
})
