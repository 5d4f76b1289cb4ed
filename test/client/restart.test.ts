/** The client over the built program: the gateway is told to stop, and killed, while it streams. */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { createClient } from "holdfast/client"
import { leakFreeFile } from "holdfast/testing/vitest"
import { SessionId } from "../../src/domain/Ids.js"
import * as Program from "../program.js"
import { forms } from "./forms.js"

leakFreeFile({ grace: "5 seconds" })

/** A gateway that is started again with the same data and on the same port. */
const restartable = Effect.gen(function*() {
  const data = yield* Program.temporary
  const port = yield* Program.ownPort
  const start = Effect.gen(function*() {
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
    const running = yield* Scope.extend(
      Program.start(["serve", "--port", String(port), "--data", data], { cwd: data }),
      scope
    )
    yield* Program.eventually(() => {
      if (running.process.exitCode !== null) throw new Error(running.output().stderr)
      return running.output().stdout.includes("listening")
    })
    return running
  })
  let running = yield* start
  return {
    url: `http://127.0.0.1:${port}`,
    data,
    restart: (signal: NodeJS.Signals) =>
      Effect.gen(function*() {
        running.process.kill(signal)
        const exited = yield* running.exited
        running = yield* start
        return exited
      })
  }
})

it.scopedLive(
  `EL4 over SIGTERM and kill -9 of the gateway nothing is lost and nothing comes twice: ${
    forms.map(({ name }) => name).join(", ")
  }`,
  () =>
    Effect.gen(function*() {
      const { data, restart, url } = yield* restartable
      const client = createClient({ url })
      // all of them through the same deaths, each with a session of its own
      const readers = yield* Effect.forEach(forms, ({ follow, name }) =>
        Effect.gen(function*() {
          const { id } = yield* Effect.promise(() => client.create({ agent: "demo", cwd: data }))
          const seen: Array<{ readonly seq: number; readonly text: string }> = []
          const breaks: Array<string> = []
          yield* follow(url, SessionId.make(id), { onBreak: (reason) => void breaks.push(reason) }).pipe(
            Stream.runForEach((event) => Effect.sync(() => seen.push(event))),
            Effect.forkScoped
          )
          return { id, name, seen, breaks }
        }))
      const promptAll = (text: string) =>
        Effect.promise(() => Promise.all(readers.map(({ id }) => client.prompt(id, text, { whenBusy: "queue" }))))
      for (const signal of ["SIGTERM", "SIGKILL", "SIGTERM", "SIGKILL"] as const) {
        const before = readers.map(({ seen }) => seen.length)
        yield* promptAll("/stream 20000")
        // in the middle of it
        yield* Program.eventually(() => readers.every(({ seen }, index) => seen.length > (before[index] ?? 0) + 200))
        const { code } = yield* restart(signal)
        expect(code).toBe(signal === "SIGTERM" ? 0 : null)
      }
      yield* promptAll("/stream 50")
      for (const { breaks, id, name, seen } of readers) {
        yield* Program.eventually(() => seen.at(-1)?.text === "RunEnded" && seen.at(-2)?.text === "chunk 50 ")
        const { head } = yield* Effect.promise(() => client.get(id))
        expect(seen.map(({ seq }) => seq), name).toEqual(Array.from({ length: head }, (_, n) => n + 1))
        // each run has one end, also those that were lost
        const count = (type: string) => seen.filter(({ text }) => text === type).length
        expect([count("RunStarted"), count("RunEnded")], name).toEqual([5, 5])
        expect(breaks.length, name).toBeGreaterThanOrEqual(4)
      }
    }),
  300_000
)
